"""What exactly left for one organisation: the exact versions, whose, and why.

Of the officer's patients alone; an organisation that received much is asked about a
shorter time.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from fhir_service.compliance.reports.releases import (
    describe,
    grounds_of,
    name_of_version,
    organization_words,
    person_words,
    signatures_of,
    versions_of,
)
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    moment_or_none,
    oldest,
    table,
)
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import patients, released
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState
from fhir_service.storage.released import Released

MAX_ROWS = 2_000
"""Rows of the log of one report; each names its versions."""


class Left(NamedTuple):
    """What a row released of one patient."""

    when: datetime
    patient: str
    client: str
    who: str
    purposes: tuple[str, ...]
    allowed_by: tuple[str, ...]
    types: tuple[str, ...]
    categories: tuple[str, ...]
    data_from: datetime | None
    data_to: datetime | None
    versions: tuple[str, ...]
    row: int


def report(reader: Reader, organization: str, *, period: Period = ALWAYS) -> Report:
    """Return what left for an organisation.

    The log is asked by the index of (organisation, row); the versions are looked up
    once a patient.

    Args:
        reader: Of the officer.
        organization: `Organization/id` of the recipient.
        period: When.

    """
    asked = AuditFilter(
        organisations=(organization,),
        is_release=True,
        since_us=period.since_us,
        until_us=period.until_us,
    )
    found = reader.find(asked, count=MAX_ROWS + 1)
    rows = found[:MAX_ROWS][::-1]
    name, address = organization_words(reader, organization)
    made = Report(
        heading=heading(
            reader,
            "Disclosures to an organisation",
            about=", ".join(part for part in (organization, name, address) if part),
            period=period,
        ),
        tables=(table("disclosures", Left, _lines(reader, rows)),),
    )
    return cut_at(reader, made, oldest(found, MAX_ROWS))


def _lines(reader: Reader, rows: Iterable[Row]) -> Iterator[Left]:
    by_patient: dict[str, list[Row]] = {}
    for row in rows:
        for subject in row.subjects:
            if subject.id is not None:
                by_patient.setdefault(subject.id, []).append(row)
    states = _states(reader, by_patient)
    found = released.of_patients(
        reader.snapshot,
        {
            state.key: {seq for row in by_patient[id_] for seq in row.record.disclosed}
            for id_, state in states.items()
        },
    )
    lines = [
        line
        for id_, state in states.items()
        for row in by_patient[id_]
        if (line := _line(reader, state, row, found[state.key])) is not None
    ]
    yield from sorted(lines, key=lambda line: (line.row, line.patient))


def _states(reader: Reader, ids: Iterable[str]) -> dict[str, PatientState]:
    """Return the patients of some ids who are here."""
    pseudonyms, snapshot = reader.services.pseudonyms, reader.snapshot
    known = {
        one.key: id_
        for id_ in ids
        if (one := pseudonyms.patient(snapshot, reader.pseudonym(id_))) is not None
    }
    return {known[one.key]: one for one in patients.by_keys(snapshot, known)}


def _line(
    reader: Reader, state: PatientState, row: Row, versions: Mapping[int, Released]
) -> Left | None:
    own = versions_of(row, versions)
    if not own:
        return None
    told = describe(signatures_of(reader, state), own)
    return Left(
        when=moment(reader, row.record.time_us),
        patient=f"Patient/{state.id}",
        client=row.record.client,
        who=person_words(reader, row.record.user),
        purposes=row.record.purposes,
        allowed_by=grounds_of(row.record),
        types=told.types,
        categories=told.categories,
        data_from=moment_or_none(reader, told.first_us),
        data_to=moment_or_none(reader, told.last_us),
        versions=tuple(map(name_of_version, own)),
        row=row.index,
    )
