"""Rules beside the patient's consents: named, versioned, and named in every reason.

An overlay may turn a denial into a permit, for exactly the types, purposes and
actions of its row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import BREAK_GLASS, OPERATIONS, PAYMENT, TREATMENT, is_purpose
from consent.formula import Coding
from consent.request import AccessRequest

OVERLAYS_VERSION = "1"
"""Part of the policy version of every decision."""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A row of the table.

    Attributes:
        name: Name and version, as reasons and the audit give it.
        types: Resource types it opens.
        purposes: Purposes for which it does, with their specialisations.
        actions: Actions for which it does.

    """

    name: str
    types: frozenset[str]
    purposes: tuple[Coding, ...]
    actions: frozenset[str]

    def permits(self, request: AccessRequest) -> bool:
        """Whether every purpose and action asked for is within the row."""
        return (
            bool(request.purposes)
            and bool(request.actions)
            and self.actions.issuperset(request.actions)
            and all(self._covers(purpose, request) for purpose in request.purposes)
        )

    def _covers(self, purpose: Coding, request: AccessRequest) -> bool:
        if is_purpose(purpose, BREAK_GLASS) and not request.btg_attested:
            return False
        return any(is_purpose(purpose, listed) for listed in self.purposes)


CUSTODIAN = Overlay(
    name=f"custodian/{OVERLAYS_VERSION}",
    types=frozenset({"Patient", "Consent"}),
    purposes=(TREATMENT, PAYMENT, OPERATIONS),
    actions=frozenset({"access", "use", "disclose"}),
)
"""Patient.managingOrganization reads that Patient's demographics and Consents."""


def custodian(request: AccessRequest, managing_organization: str | None) -> bool:
    """Whether the custodian overlay speaks for the request.

    Args:
        request: Who asks for what.
        managing_organization: `Patient.managingOrganization` of the patient asked
            for, as `Organization/id`; None where it has none.

    """
    return managing_organization in request.actors and CUSTODIAN.permits(request)


def is_collected(resource: Mapping[str, Any]) -> bool:
    """Whether action `collect` decides on writing the resource.

    It governs what devices measure and the devices themselves, not the records that
    an EHR or a practice-management system authors.
    """
    resource_type = resource.get("resourceType")
    return resource_type == "Device" or (
        resource_type == "Observation" and "device" in resource
    )
