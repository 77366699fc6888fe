"""Rows of the log as AuditEvents: one for each patient whom the officer may know of.

An event's id is the row's number, with the patient's place in the row behind a hyphen
where the row concerns patients.

https://profiles.ihe.net/ITI/BALP/
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from consent.audit.audit_event import Service, render
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import past, rows, types
from fhir_service.storage.tables import SHARED

OBSERVER = "Device/fhir-interop-service"
"""The service itself, in `source.observer`; no Device is stored for it."""

MAX_DATA = 1_000
"""Versions that one event names; a row can disclose more, and they are counted."""

_ID = re.compile(r"(0|[1-9][0-9]{0,17})(?:-([0-9]{1,5}))?")


class Place(NamedTuple):
    """What an event's id says: the row, and the patient's place in it."""

    row: int
    patient: int | None


def place_of(id_: str) -> Place | None:
    """Return what an id says; None for what is no id of an event."""
    found = _ID.fullmatch(id_)
    if found is None:
        return None
    return Place(int(found[1]), None if found[2] is None else int(found[2]))


def events(reader: Reader, row: Row) -> Iterator[dict[str, Any]]:
    """Yield the events of a row."""
    if not row.subjects:
        yield _event(reader, row, str(row.index), None)
        return
    places = {one: number for number, one in enumerate(row.record.patients)}
    for subject in row.subjects:
        place = places[subject.pseudonym]
        yield _event(reader, row, f"{row.index}-{place}", subject.pseudonym)


def event_of(reader: Reader, id_: str) -> dict[str, Any] | None:
    """Return the event of an id, if the officer may see it."""
    place = place_of(id_)
    row = None if place is None else reader.row(place.row)
    if row is None:
        return None
    return next((one for one in events(reader, row) if one["id"] == id_), None)


def _event(
    reader: Reader, row: Row, id_: str, pseudonym: bytes | None
) -> dict[str, Any]:
    known = next((one.id for one in row.subjects if one.pseudonym == pseudonym), None)
    patient = pseudonym if known is None else f"Patient/{known}"
    return render(
        row.record,
        id=id_,
        service=Service(
            site=reader.services.base_url,
            observer=OBSERVER,
            address=reader.services.base_url,
        ),
        patient=patient,
        data=tuple(_data(reader, row, pseudonym)),
    )


def _data(reader: Reader, row: Row, pseudonym: bytes | None) -> Iterator[str]:
    """Yield the versions of a patient, or of nobody, that were read or written."""
    record = row.record
    seqs = [*record.disclosed, *record.written][:MAX_DATA]
    if not seqs:
        return
    key = SHARED
    if pseudonym is not None:
        known = reader.services.pseudonyms.patient(reader.snapshot, pseudonym)
        if known is None:
            return
        key = known.key
    for _, stored in sorted(past.by_seq(reader.snapshot, key, seqs).items()):
        name = f"{types.name_of(stored.type_id)}/{rows.public_id(stored.row)}"
        yield f"{name}/_history/{stored.version}"
