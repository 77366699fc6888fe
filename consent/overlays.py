"""Rules beside the patient's consents: named, versioned, and named in every reason.

An overlay may turn a denial into a permit, for exactly the types, purposes and
actions of its row and never for what its row withholds. `consent.restrictions` has
the rules that take a permit away.

https://www.ecfr.gov/current/title-45/section-164.502
https://www.ecfr.gov/current/title-45/section-164.524
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import (
    BREAK_GLASS,
    NORMAL,
    OPERATIONS,
    PATIENT_REQUEST,
    PAYMENT,
    TREATMENT,
    is_purpose,
)
from consent.facets import Facets
from consent.formula import Coding
from consent.request import AccessRequest

OVERLAYS_VERSION = "1"
"""Part of the policy version of every decision."""

NOTES = "PSYTHPN"
"""v3-ActCode of psychotherapy notes."""

_NO_NOTES = frozenset({"Observation", "QuestionnaireResponse"})
"""Types that are results of tests; these are no notes (45 CFR 164.501)."""


def is_note(facets: Facets) -> bool:
    """Whether these are psychotherapy notes, or may be."""
    return NOTES in facets.labels.sensitivities and facets.content.type not in _NO_NOTES


def _nothing(_: Facets) -> bool:
    return False


def _notes_and_part_2(facets: Facets) -> bool:
    return bool(facets.tags) or is_note(facets)


def _all_that_is_sensitive(facets: Facets) -> bool:
    """Whether it is more than normal, or not known to be normal."""
    labels = facets.labels
    is_normal = (
        labels.is_labelled
        and labels.level is not None
        and labels.level <= NORMAL
        and not labels.sensitivities
    )
    return bool(facets.tags) or not is_normal


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A row of the table.

    Attributes:
        name: Name and version, as reasons and the audit give it.
        types: Resource types it opens; None where it is all.
        purposes: Purposes for which it does, with their specialisations.
        actions: Actions for which it does.
        withholds: What it leaves to the consents all the same.
        source: Where the rule comes from.

    """

    name: str
    types: frozenset[str] | None
    purposes: tuple[Coding, ...]
    actions: frozenset[str]
    source: str
    withholds: Callable[[Facets], bool] = _nothing

    def permits(self, request: AccessRequest) -> bool:
        """Whether every purpose and action asked for is within the row."""
        return (
            bool(request.purposes)
            and bool(request.actions)
            and self.actions.issuperset(request.actions)
            and all(self._covers(purpose, request) for purpose in request.purposes)
        )

    def opens(self, facets: Facets) -> bool:
        """Whether a signature is within the row."""
        is_of_type = self.types is None or facets.content.type in self.types
        return is_of_type and not self.withholds(facets)

    def _covers(self, purpose: Coding, request: AccessRequest) -> bool:
        if is_purpose(purpose, BREAK_GLASS) and not request.btg_attested:
            return False
        return any(is_purpose(purpose, listed) for listed in self.purposes)


_READING = frozenset({"access", "use", "disclose"})

CUSTODIAN = Overlay(
    name=f"custodian/{OVERLAYS_VERSION}",
    types=frozenset({"Patient", "Consent"}),
    purposes=(TREATMENT, PAYMENT, OPERATIONS),
    actions=_READING,
    source="docs/consent.md",
)
"""Patient.managingOrganization reads that Patient's demographics and Consents."""

SELF = Overlay(
    name=f"self/{OVERLAYS_VERSION}",
    types=None,
    purposes=(PATIENT_REQUEST,),
    actions=_READING,
    source="45 CFR 164.524(a)(1); 42 CFR 2.23(a)",
    withholds=is_note,
)
"""Nobody is kept from his own data by his own consent."""

REPRESENTATIVE = Overlay(
    name=f"representative/{OVERLAYS_VERSION}",
    types=None,
    purposes=(PATIENT_REQUEST,),
    actions=_READING,
    source="45 CFR 164.502(g)(2), (g)(3)(i)",
    withholds=_notes_and_part_2,
)
"""Who has authority over somebody's health care reads as that person would."""

REPRESENTATIVE_OF_MINOR = Overlay(
    name=f"representative-of-minor/{OVERLAYS_VERSION}",
    types=None,
    purposes=(PATIENT_REQUEST,),
    actions=_READING,
    source="45 CFR 164.502(g)(3)(i)(A)-(C)",
    withholds=_all_that_is_sensitive,
)
"""The same, where the minor may have consented to care alone."""

OVERLAYS = (CUSTODIAN, SELF, REPRESENTATIVE, REPRESENTATIVE_OF_MINOR)
"""Every overlay that opens; a test walks it."""


def speaking(
    request: AccessRequest,
    managing_organization: str | None,
    standing: Overlay | None,
) -> tuple[Overlay, ...]:
    """Return the overlays that speak for the request.

    Args:
        request: Who asks for what.
        managing_organization: As `custodian`.
        standing: What the person behind the request is to the patient; None where
            no person is, or a stranger.

    """
    found = [CUSTODIAN] if custodian(request, managing_organization) else []
    if standing is not None and standing.permits(request):
        found.append(standing)
    return tuple(found)


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
