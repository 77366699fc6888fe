"""Whose a resource is: the one question that decides under which key it is stored.

A resource of a patient names one Patient of this server. What is derived belongs to
the patient to whom everything that it is about belongs, else to no single one. Other
references may point anywhere: at what is hidden, absent or elsewhere alike.

https://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance.classes import (
    DERIVED,
    PATIENT_DATA,
    ResourceClass,
    anchors,
    attribution,
    class_of,
)
from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, IssueType
from consent.overlays import is_collected
from fhir_service.access import is_custodian
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange
from fhir_service.storage import history, patients, types
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

MAX_ANCHORS = 1_000
"""Resources that one derived resource may be about; each is looked up."""

Resource = Mapping[str, Any]


def patient_key_of(
    exchange: Exchange, transaction: Transaction, resource: Resource
) -> int:
    """Return the key of the patient a resource belongs to; 0 where of no single one.

    Raises:
        FHIRError: `business-rule` where it does not say whose it is, or contains
            another patient's data; `too-costly` beyond `MAX_ANCHORS`.

    """
    key = _KEYS[class_of(resource["resourceType"])](exchange, transaction, resource)
    if "contained" in resource:
        gate = exchange.services.gate
        owner = None if key == SHARED else gate.state(transaction, key)
        _refuse_others_inside(exchange, resource, owner)
    return key


def is_seen(
    exchange: Exchange,
    snapshot: Snapshot,
    stored: Stored,
    filters: tuple[Filters, ...],
) -> bool:
    """Whether the client may see a stored version; the audit learns whose it is.

    Who saw what was deleted may see that it was.
    """
    gate = exchange.services.gate
    judged = history.judged(snapshot, stored)
    decided = gate.of_row(snapshot, exchange.who, judged)
    exchange.patients += decided.patients
    return gate.permits(snapshot, decided, judged, filters)


def acts_for_custodian(exchange: Exchange, state: PatientState) -> bool:
    """Whether a system acts, for a purpose, for who manages the patient.

    Nobody who works there does by that: she would permit herself.
    """
    grant = exchange.who
    is_system = grant.role is None
    return is_system and is_custodian(grant, state) and bool(grant.purposes)


def _of_subject(
    exchange: Exchange, transaction: Transaction, resource: Resource
) -> int:
    type_ = resource["resourceType"]
    if type_ == "Patient":
        return SHARED  # It gets, or has, a key of its own.
    bases = exchange.services.repository.deployment.own_bases
    state = _state_of(transaction, attribution(resource, bases))
    if state is None or not _may_file(exchange, type_, state):
        raise _unattributed(type_)
    exchange.patients.append(state.id)
    return state.key


def _unattributed(type_: str) -> FHIRError:
    return FHIRError(
        IssueType.BUSINESS_RULE,
        f"A {type_} names a Patient of this server as its subject.",
        _place(type_, PATIENT_DATA[type_]),
    )


def refuse_unknown(
    exchange: Exchange, transaction: Transaction, resource: Resource, key: int
) -> None:
    """Refuse a new resource of a patient whom the client does not know to be here.

    It knows the patients whom its organization manages, those whom it may see, and,
    for device data, those who let it collect that; the refusal is that of a patient
    who does not exist.

    Raises:
        FHIRError: `business-rule`.

    """
    type_ = resource["resourceType"]
    if key == SHARED or class_of(type_) is not ResourceClass.PATIENT_DATA:
        return
    gate, grant = exchange.services.gate, exchange.who
    state = gate.state(transaction, key)
    if is_custodian(grant, state):
        return
    stored = exchange.services.repository.read(transaction, "Patient", state.id)
    if stored is not None and is_seen(exchange, transaction, stored, _WHOLE_TYPE):
        return
    if not (
        is_collected(resource) and gate.collects(transaction, grant, key, resource)
    ):
        exchange.reason = "consent"
        raise _unattributed(type_)


_WHOLE_TYPE: tuple[Filters, ...] = ((),)
"""A scope without a filter: consent alone is asked."""


def refuse_move(
    exchange: Exchange, transaction: Transaction, old: Stored, resource: Resource
) -> None:
    """Refuse an update that names anybody but the patient whose the resource is.

    Who else is named, and whether he is here, makes no difference.

    Raises:
        FHIRError: `business-rule`.

    """
    type_ = resource["resourceType"]
    if type_ == "Patient" or class_of(type_) is not ResourceClass.PATIENT_DATA:
        return
    state = exchange.services.gate.state(transaction, old.patient_key)
    bases = exchange.services.repository.deployment.own_bases
    if attribution(resource, bases) != f"Patient/{state.id}":
        raise _moved(_place(type_, PATIENT_DATA[type_]))


def refuse_other_key(old: Stored, key: int, resource: Resource) -> None:
    """Refuse an update of a derived resource by which it would become another's.

    Raises:
        FHIRError: `business-rule`.

    """
    if key != old.patient_key and resource["resourceType"] != "Patient":
        raise _moved(None)


def _moved(place: str | None) -> FHIRError:
    return FHIRError(
        IssueType.BUSINESS_RULE, "A resource cannot move to another patient.", place
    )


def _state_of(transaction: Transaction, reference: str | None) -> PatientState | None:
    """Return the patient of a reference; None where absent, also by deletion."""
    if reference is None:
        return None
    id_ = reference.removeprefix("Patient/")
    return patients.living(transaction, types.number_of("Patient"), id_)


def _may_file(exchange: Exchange, type_: str, state: PatientState) -> bool:
    """Whether this client may file this type for the patient.

    A Consent is filed by the organization that manages the patient; nobody permits
    himself. To others such a patient is as unknown as one that does not exist.
    """
    return type_ != "Consent" or acts_for_custodian(exchange, state)


def _shared(_exchange: Exchange, _transaction: Transaction, _resource: Resource) -> int:
    return SHARED


def _of_anchors(
    exchange: Exchange, transaction: Transaction, resource: Resource
) -> int:
    """Return the key of the patient whose all anchors are, shared ones left out."""
    type_ = resource["resourceType"]
    bases = exchange.services.repository.deployment.own_bases
    named = {found.local for found in anchors(resource, bases)} - {None}
    if len(named) > MAX_ANCHORS:
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"A {type_} is about at most {MAX_ANCHORS} resources.",
            _place(type_, DERIVED[type_][0]),
        )
    found = [
        _anchor(exchange, transaction, str(one)) for one in sorted(map(str, named))
    ]
    if not found or None in found:
        elements = " or ".join(_place(type_, path) for path in DERIVED[type_])
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            f"A {type_} names in {elements} what it is about: resources of this "
            "server that the client may read.",
            _place(type_, DERIVED[type_][0]),
        )
    keys = {
        stored.patient_key
        for stored in found
        if stored
        and class_of(types.name_of(stored.type_id)) is not ResourceClass.SHARED
    }
    return keys.pop() if len(keys) == 1 else SHARED


def _anchor(
    exchange: Exchange, transaction: Transaction, reference: str
) -> Stored | None:
    """Return what is at `reference`; None where absent, deleted or hidden alike."""
    type_, _, id_ = reference.partition("/")
    filters = exchange.who.scopes.allows(type_, "read")
    if filters is None or not is_resource_type(type_):
        return None
    stored = exchange.services.repository.read(transaction, type_, id_)
    if stored is None or stored.deleted:
        return None
    return stored if is_seen(exchange, transaction, stored, filters) else None


_KEYS: Mapping[ResourceClass, Callable[[Exchange, Transaction, Resource], int]] = {
    ResourceClass.PATIENT_DATA: _of_subject,
    ResourceClass.SHARED: _shared,
    ResourceClass.DERIVED: _of_anchors,
}


def _refuse_others_inside(
    exchange: Exchange, resource: Resource, owner: PatientState | None
) -> None:
    """Refuse that a resource contains what is another patient's."""
    bases = exchange.services.repository.deployment.own_bases
    own = _own_reference(resource, owner)
    for index, inner in enumerate(resource.get("contained", ())):
        if inner.get("resourceType") == "Patient":
            continue
        named = attribution(inner, bases)
        if named is not None and named != own:
            raise FHIRError(
                IssueType.BUSINESS_RULE,
                "A contained resource is about the patient of the resource itself.",
                f"{resource['resourceType']}.contained[{index}]",
            )


def _own_reference(resource: Resource, owner: PatientState | None) -> str | None:
    if resource["resourceType"] == "Patient":
        return f"Patient/{resource.get('id')}"
    return None if owner is None else f"Patient/{owner.id}"


def _place(type_: str, path: str) -> str:
    return f"{type_}.{path.replace('*', '')}"
