"""`Patient/[id]/$accounting-of-disclosures` and `$consent-report`: reports of the log.

For compliance officers, and for services of the organisation that manages the patient
with a scope that reads AuditEvent. They are the reports of the console and of the
command line; each call is recorded as a reading of the log, as an export where a table
is asked for.

https://www.ecfr.gov/current/title-45/section-164.528
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth.bearer import require
from fhir_service.compliance.reports import accounting, timeline
from fhir_service.compliance.reports.accounting import Reading
from fhir_service.compliance.reports.report import Period, Report
from fhir_service.compliance.reports.written import to_csv, to_parameters
from fhir_service.compliance.rows import Reader, caught_up
from fhir_service.compliance.zones import typed, zone_of
from fhir_service.exchange import Exchange, not_found, resource_response
from fhir_service.interactions.audit_events import officer_of
from fhir_service.operations.inputs import Taken, inputs
from fhir_service.rest.content import CSV, asks_for
from fhir_service.rest.message import Header, Response
from fhir_service.storage import patients, types

_CSV: Final[Header] = ("content-type", f"{CSV}; charset=utf-8; header=absent")

_ZONE: Final[Taken] = {"zone": ("valueString", "valueCode")}
ACCOUNTING: Final[Taken] = {
    **_ZONE,
    "reading": ("valueCode",),
    "since": ("valueDateTime", "valueDate", "valueInstant"),
    "until": ("valueDateTime", "valueDate", "valueInstant"),
    "consentsAuthorise": ("valueCode",),
}
CONSENT_REPORT: Final[Taken] = _ZONE

_YES_NO: Final = {"true": True, "false": False}

T = TypeVar("T")
Values = Mapping[str, str]
Make = Callable[[Reader, str, Values], Report]


def accounting_of_disclosures(exchange: Exchange, id_: str) -> Response:
    """Return the accounting of disclosures of a patient.

    Raises:
        FHIRError: `forbidden` for who is no officer; `not-found` for a patient who is
            not the officer's; `invalid` and `value` for inputs.

    """
    return _reported(exchange, id_, ACCOUNTING, _accounting)


def consent_report(exchange: Exchange, id_: str) -> Response:
    """Return every version of a patient's consents, and what each change opened.

    Raises:
        FHIRError: as `accounting_of_disclosures`.

    """
    return _reported(exchange, id_, CONSENT_REPORT, _timeline)


def _reported(exchange: Exchange, id_: str, taken: Taken, make: Make) -> Response:
    services, is_table = exchange.services, asks_for(exchange.request, CSV)
    exchange.resource_type = "AuditEvent"
    exchange.interaction = Interaction.EXPORT if is_table else Interaction.AUDIT_READ
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        require(grant, "AuditEvent", "read")
        officer = officer_of(grant, exchange.request.remote)
        state = patients.by_id(snapshot, types.number_of("Patient"), id_)
        if state is not None:
            exchange.about(snapshot, state.key)
            exchange.patients.append(state.id)
    if state is None or not officer.is_over(state.organization):
        raise not_found("Patient", id_)
    values = inputs(exchange.request, taken).values
    officer = replace(officer, zone=zone_of(values.get("zone", "UTC")).key)
    caught_up(services)
    with services.database.read() as snapshot:
        made = make(Reader(services, snapshot, officer), id_, values)
    if is_table:
        return Response(status=200, headers=(_CSV,), body=to_csv(made).encode())
    return resource_response(fhir_json.dumps(to_parameters(made)))


def _accounting(reader: Reader, id_: str, values: Values) -> Report:
    return accounting.report(
        reader,
        id_,
        reading=_one_of(values, "reading", {one.value: one for one in Reading}),
        period=_period(reader, values),
        consents_authorise=_one_of(values, "consentsAuthorise", _YES_NO),
    )


def _timeline(reader: Reader, id_: str, _: Values) -> Report:
    return timeline.report(reader, id_)


def _one_of(values: Values, name: str, known: Mapping[str, T]) -> T:
    """Return what a code means; the first of those that are known if none is given."""
    given = values.get(name, next(iter(known)))
    if given not in known:
        raise FHIRError(IssueType.INVALID, f"{name} is one of {', '.join(known)}.")
    return known[given]


def _period(reader: Reader, values: Values) -> Period:
    zone = zone_of(reader.officer.zone)
    since, until = values.get("since"), values.get("until")
    return Period(
        None if since is None else typed(since, zone)[0],
        None if until is None else typed(until, zone)[1],
    )
