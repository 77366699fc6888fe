"""`GET /device-data/days`: which days of a patient hold data, for programs and tables.

The zone of the days is the request's, or the Patient's own as far as the caller may
read it; it is never guessed. Audited as a read of the patient's Observations.

https://hl7.org/fhir/R4/extension-timezone.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant, require
from fhir_service.exchange import Exchange, Services
from fhir_service.ingest.days_report import WINDOW, Report, local_days, report
from fhir_service.ingest.days_written import as_csv, as_json
from fhir_service.ingest.health_door import asked, named_patient
from fhir_service.interactions.obligations import HEADER, scopes
from fhir_service.rest.content import CSV, asks_for
from fhir_service.rest.message import Header, Response
from fhir_service.storage import observations
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.predicate import clause
from mappings.payload import zone_of

TIMEZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
"""The extension in which a Patient says the own zone."""

MAX_DAYS = 366
"""Days of one report: each is counted by itself."""

_OWN = frozenset({"patient", "start", "end", "zone", "_format", "_pretty"})

_JSON: Header = ("content-type", "application/json; charset=utf-8")
_CSV: Header = ("content-type", f"{CSV}; charset=utf-8; header=present")


def days(exchange: Exchange) -> Response:
    """Return the days with data of a patient.

    Raises:
        FHIRError: `required` where no patient or start is named, `invalid` for what
            cannot be read and where no zone is known, `too-costly` for too many days,
            and `forbidden` where no scope covers Observations.

    """
    exchange.resource_type = "Observation"
    services = exchange.services
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        require(grant, "Observation", "search-type")
        given = asked(exchange, _OWN)
        patient = named_patient(exchange, given)
        start, end = span(given.get("start"), given.get("end"))
        zone = zone_for(services, snapshot, grant, patient, given.get("zone"))
        found = report(
            services,
            snapshot,
            grant,
            patient,
            local_days(start, end, zone),
            exchange.now_us,
        )
        _account(exchange, snapshot, found)
        told = notices(exchange, snapshot, found)
    headers = tuple((HEADER, text) for text in told)
    if asks_for(exchange.request, CSV):
        body = as_csv(zone, found).encode()
        return Response(status=200, headers=(_CSV, *headers), body=body)
    listed = fhir_json.dumps(as_json(patient, zone, found, told))
    return Response(status=200, headers=(_JSON, *headers), body=listed)


def span(start: str | None, end: str | None) -> tuple[date, date]:
    """Return the first and the last day; a window where no last one is given.

    Raises:
        FHIRError: `required` for no start, `invalid` for what is no date or the wrong
            way round, `too-costly` for more than `MAX_DAYS`.

    """
    if start is None:
        raise FHIRError(
            IssueType.REQUIRED, "The report names its first day: add start=YYYY-MM-DD."
        )
    first = _date(start, "start")
    last = first + timedelta(days=WINDOW - 1) if end is None else _date(end, "end")
    if last < first:
        raise FHIRError(IssueType.INVALID, "The report ends before it starts.")
    if (last - first).days >= MAX_DAYS:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"A report is of at most {MAX_DAYS} days."
        )
    return first, last


def _date(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text or not _MIN <= found <= _MAX:
        raise FHIRError(
            IssueType.INVALID, f"{name} is a date between {_MIN} and {_MAX}."
        )
    return found


_MIN, _MAX = date(1900, 1, 1), date(2999, 12, 31)


def zone_for(
    services: Services,
    snapshot: Snapshot,
    grant: Grant,
    patient: str,
    named: str | None,
) -> ZoneInfo:
    """Return the zone of the days.

    Raises:
        FHIRError: `invalid` where the zone is not known; it is not guessed.

    """
    name = named or _own_zone(services, snapshot, grant, patient)
    zone = zone_of(name) if name else None
    if zone is None:
        raise FHIRError(
            IssueType.INVALID,
            "A day begins at midnight of a zone: add zone=Area/City, an IANA time "
            f"zone, or give the Patient the extension {TIMEZONE}.",
        )
    return zone


def _own_zone(
    services: Services, snapshot: Snapshot, grant: Grant, patient: str
) -> str | None:
    """Return the zone that the Patient says, where the caller may read that."""
    filters = grant.scopes.allows("Patient", "read")
    stored = services.repository.read(snapshot, "Patient", patient)
    if filters is None or stored is None or stored.deleted:
        return None
    decided = services.gate.of_row(snapshot, grant, stored)
    if not services.gate.permits(snapshot, decided, stored, filters):
        return None
    body = fhir_json.loads(services.repository.body(snapshot, stored))
    return next(_zones(body.get("extension", ())), None)


def _zones(extensions: Sequence[Mapping[str, Any]]) -> Iterator[str | None]:
    for one in extensions:
        if one.get("url") == TIMEZONE:
            yield one.get("valueCode") or one.get("valueString")


def _account(exchange: Exchange, snapshot: Snapshot, found: Report) -> None:
    """Tell the audit whose data was counted, and on what ground."""
    if found.decided is None:
        return
    exchange.patients += found.decided.patients
    exchange.basis = found.decided.basis
    exchange.about(snapshot, found.decided.view.patient_key)


def notices(exchange: Exchange, snapshot: Snapshot, found: Report) -> list[str]:
    """Return the scopes that go with what a program under Part 2 has recorded."""
    if found.decided is None or not found.decided.obliged:
        return []
    view, body = found.decided.view, exchange.services.repository.body
    released = []
    for signature in sorted(found.signatures):
        part = replace(view.of_code(frozenset({signature})), whole=False)
        question = Question(
            patient_key=view.patient_key, where=clause(part, snapshot.dialect)
        )
        released += [
            (stored, body(snapshot, stored))
            for _, stored in observations.versions(snapshot, question, 1)
        ]
    return list(scopes(exchange, snapshot, released))
