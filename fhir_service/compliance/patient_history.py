"""What happened to one patient's consents and data, and what somebody could have had.

https://www.ecfr.gov/current/title-45/section-164.528
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader, Row
from fhir_service.explaining.asking import Asking, Place, answer
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import history, past, patients, rows, types
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState

Json = dict[str, Any]

MAX_SHARED = 200
"""Rows of what was shared that a page shows."""

_EVER = 2**62


@dataclass(frozen=True, kw_only=True)
class ConsentVersion:
    """One version of a consent.

    Attributes:
        name: `Consent/id/_history/2`.
        at_us: When it was stored.
        status: `Consent.status`; `deleted` for a version that says so.
        scope: Code of `Consent.scope`.
        summary: Whether its root permits or denies.

    """

    name: str
    at_us: int
    status: str
    scope: str = ""
    summary: str = ""


def state_of(snapshot: Snapshot, officer: Officer, id_: str) -> PatientState:
    """Return a patient of the officer's; deleted ones too.

    Raises:
        FHIRError: `not-found` for anybody else.

    """
    found = patients.by_id(snapshot, types.number_of("Patient"), id_)
    if found is None or not officer.is_over(found.organization):
        raise FHIRError(IssueType.NOT_FOUND, "There is no such patient here.")
    return found


def consents(reader: Reader, state: PatientState) -> list[ConsentVersion]:
    """Return every version of a patient's consents, newest first."""
    number, snapshot = types.number_of("Consent"), reader.snapshot
    moments = past.changed(snapshot, state.key, [number], range(_EVER))
    ids = {
        rows.public_id(stored.row)
        for moment in moments
        for stored in past.of_patient(snapshot, state.key, number, moment)
    }
    found = [version for id_ in ids for version in _versions(reader, number, id_)]
    return sorted(found, key=lambda one: (-one.at_us, one.name))


def _versions(reader: Reader, number: int, id_: str) -> Iterator[ConsentVersion]:
    for stored in history.versions(reader.snapshot, number, id_):
        name = f"Consent/{id_}/_history/{stored.version}"
        if stored.deleted:
            yield ConsentVersion(name=name, at_us=stored.last_updated, status="deleted")
            continue
        body = reader.services.repository.body(reader.snapshot, stored)
        consent = fhir_json.loads_object(body)
        yield ConsentVersion(
            name=name,
            at_us=stored.last_updated,
            status=str(consent.get("status", "")),
            scope=_code(consent.get("scope", {})),
            summary=str(consent.get("provision", {}).get("type", "")),
        )


def _code(concept: Json) -> str:
    codings = concept.get("coding") or [{}]
    return str(codings[0].get("code", ""))


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What somebody could have had of a patient, and what she had.

    Attributes:
        at_us: At which instant it is told what was shareable.
        told: What a request of theirs would have been given, type by type.
        rows: What left in that time, newest first.

    """

    at_us: int
    told: Json
    rows: tuple[Row, ...]


def shared(
    reader: Reader, state: PatientState, recipient: str, between: tuple[int, int]
) -> Shared:
    """Return what was shareable with somebody at the end of a time, and what left.

    Args:
        reader: For whom it is told.
        state: The patient.
        recipient: A client's id, or `Type/id` of an actor.
        between: The first microsecond, and the first one after.

    Raises:
        FHIRError: `not-found` for a client that is not registered.

    """
    services = reader.services
    now = services.clock()
    at_us = min(between[1] - 1, now)
    is_actor = "/" in recipient
    asking = Asking(
        client_id=None if is_actor else recipient,
        actors=frozenset({recipient} if is_actor else ()),
        at_us=at_us,
    )
    place = Place(
        repository=services.repository,
        gate=services.gate,
        snapshot=reader.snapshot,
        now_us=now,
    )
    asked = AuditFilter(
        since_us=between[0],
        until_us=between[1],
        patients=(reader.pseudonym(state.id),),
        agents=(recipient,),
        is_release=True,
    )
    return Shared(
        at_us=at_us,
        told={**answer(place, state, asking), "at": fhir_instant(at_us)},
        rows=tuple(reader.find(asked, count=MAX_SHARED)),
    )
