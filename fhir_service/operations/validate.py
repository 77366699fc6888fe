"""`$validate`: what is wrong with a resource, and what was not looked at.

The answer is 200 whatever is found; nothing is stored.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from conformance import fhir_json, validation
from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, Issue, IssueType, Severity
from conformance.validation_limits import limits
from conformance.validation_profiles import profile
from fhir_service.auth.bearer import InsufficientScope, require
from fhir_service.errors import operation_outcome
from fhir_service.exchange import Exchange, resource_response
from fhir_service.interactions.delete import LASTING
from fhir_service.interactions.received import (
    is_error,
    not_honoured,
    refuse_other_id,
    refuse_unwritable,
)
from fhir_service.operations.inputs import RESOURCE, Taken, inputs
from fhir_service.operations.instance import instance
from fhir_service.rest.message import Response

TAKEN: Taken = MappingProxyType(
    {
        RESOURCE: (RESOURCE,),
        "mode": ("valueCode",),
        "profile": ("valueUri", "valueCanonical"),
    }
)
"""The inputs of the operation."""

_OF_TYPE = ("create", "update", "read")
"""Any of these allows to validate what the client itself sends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is validated.

    Attributes:
        type: The type that the URL names.
        id: The id that the URL names; None where it names none.
        resource: The resource, sent or stored.
        canonical: The profile that is asked about; None for none.

    """

    type: str
    id: str | None
    resource: dict[str, Any]
    canonical: str | None


def validate_type(exchange: Exchange, type_: str) -> Response:
    """Return what is wrong with the resource that is sent.

    Raises:
        FHIRError: `required` without a resource; `not-supported` or `invalid` for a
            mode that is not offered here, and as `inputs`.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        scopes = exchange.granted(snapshot).scopes
    if all(scopes.allows(type_, one) is None for one in _OF_TYPE):
        raise InsufficientScope
    return _validated(exchange, type_, None)


def validate_instance(exchange: Exchange, type_: str, id_: str) -> Response:
    """Return what is wrong with the resource that is sent, else with the stored one.

    Raises:
        FHIRError: as `validate_type`, and as a read where the stored one is meant.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        require(exchange.granted(snapshot), type_, "read")
    return _validated(exchange, type_, id_)


def _validated(exchange: Exchange, type_: str, id_: str | None) -> Response:
    if not is_resource_type(type_):
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"{type_[:64]} is no resource type of R4."
        )
    asked = inputs(exchange.request, TAKEN)
    look = _mode(asked.values.get("mode"), id_)
    resource = asked.resource
    if resource is None or look is _as_deleted:
        # To delete something is asked about what is stored, whatever was sent.
        resource = _stored(exchange, type_, id_)
    elif resource.get("resourceType") != type_:
        raise FHIRError(
            IssueType.INVALID, f"The resource is not a {type_}.", "resourceType"
        )
    subject = Subject(
        type=type_, id=id_, resource=resource, canonical=asked.values.get("profile")
    )
    return _told(exchange, look(exchange, subject))


def _stored(exchange: Exchange, type_: str, id_: str | None) -> dict[str, Any]:
    if id_ is None:
        raise FHIRError(
            IssueType.REQUIRED, "The resource to validate is the body.", RESOURCE
        )
    return instance(exchange, type_, id_)


def _told(exchange: Exchange, issues: list[Issue]) -> Response:
    """Return the OperationOutcome; where nothing is an error it begins with that."""
    if not any(map(is_error, issues)):
        issues = [_information("No error was found in what was checked."), *issues]
    outcome = operation_outcome(issues, exchange.request.request_id)
    return resource_response(fhir_json.dumps(outcome))


def _information(text: str) -> Issue:
    return Issue(
        type=IssueType.INFORMATIONAL, diagnostics=text, severity=Severity.INFORMATION
    )


def _as_it_is(_exchange: Exchange, subject: Subject) -> list[Issue]:
    """Return what is wrong with a resource, then what was not checked."""
    unknown = _profile_issue(subject.canonical)
    canonical = () if subject.canonical is None or unknown else (subject.canonical,)
    found = validation.validate(subject.resource, profiles=canonical)
    return [*unknown, *found, *limits((*canonical, *_claimed(subject.resource)))]


def _profile_issue(canonical: str | None) -> list[Issue]:
    """Return that a profile that was asked about cannot be checked."""
    reason = None if canonical is None else profile(canonical).not_checked
    if canonical is None or reason is None:
        return []
    is_known = bool(profile(canonical).type)
    return [
        Issue(
            type=IssueType.NOT_SUPPORTED if is_known else IssueType.NOT_FOUND,
            diagnostics=f"The profile {canonical[:256]} was not checked: {reason}.",
        )
    ]


def _claimed(resource: Mapping[str, Any]) -> list[str]:
    meta = resource.get("meta")
    listed = meta.get("profile") if isinstance(meta, dict) else None
    found = listed if isinstance(listed, list) else []
    return [canonical for canonical in found if isinstance(canonical, str)]


def _as_created(exchange: Exchange, subject: Subject) -> list[Issue]:
    """Return why a create would be refused, as far as the resource itself says."""
    return _as_written(exchange, subject)


def _as_updated(exchange: Exchange, subject: Subject) -> list[Issue]:
    """Return why an update would be refused, as far as the resource itself says."""
    id_ = subject.id or subject.resource.get("id")
    if id_ is None:
        missing = Issue(
            type=IssueType.REQUIRED,
            diagnostics="An update names the resource by its id.",
            expression=f"{subject.type}.id",
        )
        return [missing, *_as_written(exchange, subject)]
    return [
        *_refusal(lambda: refuse_other_id(subject.resource, str(id_))),
        *_as_written(exchange, subject),
    ]


def _as_written(exchange: Exchange, subject: Subject) -> list[Issue]:
    found = [
        *_refusal(lambda: refuse_unwritable(subject.type)),
        *_as_it_is(exchange, subject),
    ]
    if not any(map(is_error, found)):
        found = [*not_honoured(exchange, subject.resource), *found]
    unseen = "Not checked: what a write asks the database, such as whose data it is."
    return [*found, _information(unseen)]


def _as_deleted(_exchange: Exchange, subject: Subject) -> list[Issue]:
    """Return why nothing of the type is deleted; the content is ignored."""
    reason = LASTING.get(subject.type)
    if reason is not None:
        return [Issue(type=IssueType.NOT_SUPPORTED, diagnostics=reason)]
    unseen = "Not checked: whether anything else stands in the way of the deletion."
    return [*_refusal(lambda: refuse_unwritable(subject.type)), _information(unseen)]


def _refusal(check: Callable[[], None]) -> list[Issue]:
    """Return what a check raises, as what was found."""
    try:
        check()
    except FHIRError as error:
        return list(error.issues)
    return []


_Look = Callable[[Exchange, Subject], list[Issue]]

MODES: Mapping[str, _Look] = MappingProxyType(
    {"create": _as_created, "update": _as_updated, "delete": _as_deleted}
)
"""Code of resource-validation-mode → what is looked at."""


def _mode(code: str | None, id_: str | None) -> _Look:
    if code is None:
        return _as_it_is
    if code == "profile":
        raise FHIRError(
            IssueType.NOT_SUPPORTED, "mode=profile, to validate a profile, is not here."
        )
    if code not in MODES:
        raise FHIRError(IssueType.INVALID, f"mode is one of {', '.join(MODES)}.")
    if code == "delete" and id_ is None:
        raise FHIRError(
            IssueType.INVALID, "mode=delete is asked of one resource, by its id."
        )
    return MODES[code]
