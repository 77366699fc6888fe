"""Create and update: checked whole, then stored with labels, indexes and audit.

A write is validated against R4 and the profiles it claims before a transaction
begins; what depends on the database is checked inside it.

https://hl7.org/fhir/R4/http.html#create
https://hl7.org/fhir/R4/http.html#update
"""

import re
from collections.abc import Mapping
from typing import Any

from conformance import fhir_json
from conformance.classes import ResourceClass, attribution, class_of
from conformance.issues import FHIRError, Issue, IssueType, Severity
from conformance.validation import validate
from consent.audit.entry import Outcome
from consent.capture import capture_issues
from consent.overlays import is_collected
from fhir_service.access import admits, is_custodian
from fhir_service.auth.bearer import InsufficientScope, require
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import (
    Exchange,
    not_found,
    resource_response,
)
from fhir_service.interactions.read import version_headers
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Response
from fhir_service.rest.refusals import PreconditionFailed, Unprocessable
from fhir_service.search.supported import SUPPORTED
from fhir_service.storage import patients, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import (
    Written,
    category_codings,
    managing_organization,
)
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

WRITABLE = frozenset(SUPPORTED)
"""Types that clients may write; the CapabilityStatement says the same."""

_E_TAG = re.compile(r'W/"([0-9]{1,9})"')


def create(exchange: Exchange, type_: str, *, id_: str | None = None) -> Response:
    """Store a new resource under an id of ours.

    Args:
        exchange: The request.
        type_: The resource type.
        id_: The id, which only the service's own commands choose.

    Raises:
        FHIRError: with every issue that validation found, with the place.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        filters = require(exchange.granted(snapshot), type_, "create")
    _unconditional(exchange, "if-none-exist")
    resource = _received(exchange, type_)
    _refuse_out_of_scope(resource, filters)

    def work(transaction: Transaction) -> Written:
        key = _patient_of(exchange, transaction, resource)
        _collected(exchange, transaction, resource, key)
        written = exchange.services.repository.create(
            transaction, resource, patient_key=key, id_=id_
        )
        return _logged(exchange, transaction, written, 201)

    written = exchange.services.database.write(work)
    location = (
        f"{exchange.services.base_url}/{type_}/{written.id}"
        f"/_history/{written.stored.version}"
    )
    return _answer(exchange, written, 201, (("location", location),))


def update(exchange: Exchange, type_: str, id_: str) -> Response:
    """Store the next version of a resource that the client may see.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `conflict` where
            `If-Match` names another version, `business-rule` where the patient
            would change.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        filters = require(exchange.granted(snapshot), type_, "update")
    _unconditional(exchange, "if-none-match")
    resource = _received(exchange, type_)
    _refuse_out_of_scope(resource, filters)
    if resource.get("id") != id_:
        raise FHIRError(
            IssueType.INVALID,
            "The id in the body is not that of the URL.",
            f"{type_}.id",
        )

    def work(transaction: Transaction) -> Written:
        old = _visible(exchange, transaction, type_, id_)
        _match_version(exchange, old)
        key = _patient_of(exchange, transaction, resource)
        if type_ == "Patient":
            _keeps_custody(exchange, transaction, old, resource)
        elif type_ == "Organization":
            _keeps_whole(exchange, transaction, old, resource)
        elif key != old.patient_key:
            raise FHIRError(
                IssueType.BUSINESS_RULE, "A resource cannot move to another patient."
            )
        _collected(exchange, transaction, resource, key)
        written = exchange.services.repository.update(
            transaction, old, resource, id_=id_
        )
        return _logged(exchange, transaction, written, 200)

    return _answer(exchange, exchange.services.database.write(work), 200, ())


def _logged(
    exchange: Exchange, transaction: Transaction, written: Written, status: int
) -> Written:
    """Write the audit leaf in the transaction that it reports."""
    exchange.about(transaction, written.stored.patient_key)
    exchange.written = [written.stored.seq]
    if written.type == "Patient":
        exchange.patients = [written.id]
    transaction.audit(exchange.leaf(status, Outcome.ALLOWED))
    return written


def _answer(
    exchange: Exchange,
    written: Written,
    status: int,
    headers: tuple[tuple[str, str], ...],
) -> Response:
    exchange.is_audited = True
    headers += version_headers(written.stored)
    if "return=minimal" in exchange.request.headers.get("prefer", ""):
        return resource_response(b"", status=status, headers=headers)
    return resource_response(written.body, status=status, headers=headers)


def _received(exchange: Exchange, type_: str) -> dict[str, Any]:
    if type_ not in WRITABLE:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"Writing {type_[:64]} is not supported."
        )
    refuse_other_bodies(exchange.request)
    resource = fhir_json.loads_object(exchange.request.body)
    if resource.get("resourceType") != type_:
        raise FHIRError(
            IssueType.INVALID, f"The body is not a {type_}.", "resourceType"
        )
    issues = [issue for issue in validate(resource) if _is_error(issue)]
    if type_ == "Consent" and not issues:
        issues += capture_issues(
            resource, deployment=exchange.services.repository.deployment
        )
    if issues:
        raise Unprocessable.of(issues)
    return resource


def _unconditional(exchange: Exchange, header: str) -> None:
    """Refuse a condition that is not understood: it would be ignored."""
    if header in exchange.request.headers:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"A write under {header} is not supported."
        )


def _refuse_out_of_scope(
    resource: Mapping[str, Any], filters: tuple[Filters, ...]
) -> None:
    if not admits(filters, category_codings(resource)):
        raise InsufficientScope


def _is_error(issue: Issue) -> bool:
    return issue.severity in (Severity.ERROR, Severity.FATAL)


def _patient_of(
    exchange: Exchange, transaction: Transaction, resource: Mapping[str, Any]
) -> int:
    """Return the key of the patient a resource belongs to; 0 for shared ones."""
    type_ = resource["resourceType"]
    if type_ == "Patient" or class_of(type_) is ResourceClass.SHARED:
        return SHARED
    reference = attribution(resource)
    state = _state_of(transaction, reference)
    if state is None or not _may_file(exchange, type_, state):
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            f"A {type_} names a Patient of this server as its subject.",
            type_,
        )
    exchange.patients.append(state.id)
    return state.key


def _may_file(exchange: Exchange, type_: str, state: PatientState) -> bool:
    """Whether this client may file this type for the patient.

    A Consent is filed by the organization that manages the patient; nobody permits
    himself. To others such a patient is as unknown as one that does not exist.
    """
    return type_ != "Consent" or _acts_for_custodian(exchange, state)


def _acts_for_custodian(exchange: Exchange, state: PatientState) -> bool:
    grant = exchange.who
    return is_custodian(grant, state) and bool(grant.purposes)


def _keeps_custody(
    exchange: Exchange, transaction: Transaction, old: Stored, new: Mapping[str, Any]
) -> None:
    """Refuse that anybody but the custodian hands a patient over.

    Raises:
        FHIRError: `business-rule`.

    """
    state = exchange.services.gate.state(transaction, old.patient_key)
    if managing_organization(new) == state.organization:
        return
    if not _acts_for_custodian(exchange, state):
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            "Only the managing organization hands a patient over.",
            "Patient.managingOrganization",
        )


def _keeps_whole(
    exchange: Exchange, transaction: Transaction, old: Stored, new: Mapping[str, Any]
) -> None:
    """Refuse that an organization becomes a part of another one.

    What names the whole permits its parts; so a client could permit itself.

    Raises:
        FHIRError: `not-supported`.

    """
    body = fhir_json.loads(exchange.services.repository.body(transaction, old))
    if new.get("partOf") != body.get("partOf"):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "Organization.partOf is set when the Organization is created.",
            "Organization.partOf",
        )


def _state_of(transaction: Transaction, reference: str | None) -> PatientState | None:
    if reference is None:
        return None
    id_ = reference.removeprefix("Patient/")
    return patients.by_id(transaction, types.number_of("Patient"), id_)


def _collected(
    exchange: Exchange,
    transaction: Transaction,
    resource: Mapping[str, Any],
    key: int,
) -> None:
    """Refuse device data that the patient has not agreed to have collected.

    Raises:
        FHIRError: `suppressed`, in words that are the same for every patient.

    """
    if not is_collected(resource):
        return
    if not exchange.services.gate.collects(transaction, exchange.who, key, resource):
        exchange.reason = "consent"
        raise FHIRError(
            IssueType.SUPPRESSED, "This patient's device data is not collected."
        )


def _visible(
    exchange: Exchange, transaction: Transaction, type_: str, id_: str
) -> Stored:
    services = exchange.services
    old = services.repository.read(transaction, type_, id_)
    if old is None:
        raise not_found(type_, id_)
    filters = require(exchange.who, type_, "update")
    decided = services.gate.of_row(transaction, exchange.who, old)
    exchange.patients += decided.patients
    if not services.gate.permits(transaction, decided, old, filters):
        exchange.reason = "consent"
        raise not_found(type_, id_)
    return old


def _match_version(exchange: Exchange, old: Stored) -> None:
    asked = exchange.request.headers.get("if-match")
    if asked is None:
        return
    match = _E_TAG.fullmatch(asked.strip())
    if match is None or int(match[1]) != old.version:
        raise PreconditionFailed
