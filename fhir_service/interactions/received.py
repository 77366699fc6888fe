"""A resource as it is received: of its URL's type, valid, and able to be honoured.

Nothing here asks the database; so it is done before a transaction begins.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from conformance import fhir_json
from conformance.classes import DERIVED, PATIENT_DATA, SHARED, class_of
from conformance.issues import FHIRError, Issue, IssueType, Severity
from conformance.validation import validate
from consent.capture import capture_issues
from consent.paper import paper_issues
from fhir_service.exchange import Exchange
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.refusals import Unprocessable

NOT_WRITTEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AuditEvent": "the service alone records what happens",
        "Subscription": "subscriptions are not offered",
    }
)
"""Types that are served or will be, and that no client writes, with the reason."""

WRITABLE = frozenset({*PATIENT_DATA, *SHARED, *DERIVED}) - NOT_WRITTEN.keys()
"""Types that clients may write; the CapabilityStatement says the same."""


def refuse_unwritable(type_: str) -> None:
    """Refuse a type that no client writes.

    Raises:
        FHIRError: `not-supported`, with the reason.

    """
    class_of(type_)
    reason = NOT_WRITTEN.get(type_)
    if reason is not None:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"{type_} cannot be written: {reason}."
        )


def received(exchange: Exchange, type_: str) -> dict[str, Any]:
    """Return the resource in the body of a request.

    Raises:
        FHIRError: what `prepare` raises, and what makes the body no JSON object.

    """
    refuse_unwritable(type_)
    refuse_other_bodies(exchange.request)
    resource = fhir_json.loads_object(exchange.request.body)
    prepare(exchange, type_, resource)
    return resource


def prepare(exchange: Exchange, type_: str, resource: dict[str, Any]) -> None:
    """Refuse a resource that is not of `type_`, not valid, or not honoured.

    Args:
        exchange: The request.
        type_: The type that the URL names.
        resource: As it is to be stored, less what the service adds.

    Raises:
        FHIRError: `not-supported` for a type that is not written, `invalid` for
            another type than `type_`; else every issue that was found, with its
            place.

    """
    refuse_unwritable(type_)
    if resource.get("resourceType") != type_:
        raise FHIRError(
            IssueType.INVALID, f"The body is not a {type_}.", "resourceType"
        )
    issues = [issue for issue in validate(resource) if is_error(issue)]
    issues = issues or not_honoured(exchange, resource)
    if issues:
        raise Unprocessable.of(issues)


def not_honoured(exchange: Exchange, resource: Mapping[str, Any]) -> list[Issue]:
    """Return why a resource that is valid is not stored all the same."""
    if resource["resourceType"] != "Consent":
        return []
    place = exchange.services.repository.deployment
    return [*capture_issues(resource, deployment=place), *paper_issues(resource)]


def refuse_other_id(resource: Mapping[str, Any], id_: str) -> None:
    """Refuse a resource whose id is not the one by which it is addressed.

    Raises:
        FHIRError: `invalid`.

    """
    if resource.get("id") != id_:
        raise FHIRError(
            IssueType.INVALID,
            "The id in the body is not that of the resource addressed.",
            f"{resource['resourceType']}.id",
        )


def is_error(issue: Issue) -> bool:
    """Whether an issue refuses a resource, and is no mere warning."""
    return issue.severity in (Severity.ERROR, Severity.FATAL)
