"""`fhir-service audit report NAME [ABOUT]`: an officer's question, at the command line.

Who can run it sees every organisation's rows; each call is recorded in the log before
it prints, as an export where it is a table or JSON.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.questions import Asked, ask, prepared
from fhir_service.compliance.reports.accounting import Reading
from fhir_service.compliance.reports.report import Period, Report
from fhir_service.compliance.reports.written import plain, to_csv, to_json
from fhir_service.compliance.rows import Reader, asked
from fhir_service.compliance.zones import typed, zone_of
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.settings import Settings


class Named(NamedTuple):
    """A report by its name.

    Attributes:
        question: Its number in `compliance.questions`.
        about: Which part of the question ABOUT is; empty where it takes none.

    """

    question: str
    about: str = ""


REPORTS: Mapping[str, Named] = MappingProxyType(
    {
        "access": Named("Q1", "patient"),
        "accounting": Named("Q10", "patient"),
        "admin": Named("Q15"),
        "consents": Named("Q4", "patient"),
        "coverage": Named("Q8"),
        "default": Named("Q17", "default"),
        "device": Named("Q9", "device"),
        "disclosures": Named("Q2", "organization"),
        "emergencies": Named("Q6"),
        "gaps": Named("Q19"),
        "labels": Named("Q18", "patient"),
        "obligations": Named("Q11", "row"),
        "receipts": Named("Q20", "patient"),
        "refused": Named("Q7"),
        "retention": Named("Q12"),
        "tokens": Named("Q16", "client"),
        "unexplained": Named("Q14"),
        "vendor": Named("Q9", "vendor"),
        "withdrawals": Named("Q5", "patient"),
    }
)
"""Name → question. `consent explain` is Q3, `audit prove` and `verify` are Q13."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a report is asked for.

    Attributes:
        since: From this date or instant on.
        until: Through this date or instant.
        zone: IANA name of the zone of times.
        reading: Which law an accounting is of.

    """

    since: str | None
    until: str | None
    zone: str
    reading: str


def run(
    settings: Settings,
    *,
    name: str,
    about: str | None,
    form: str,
    options: Mapping[str, Any],
) -> None:
    """Print a report.

    Args:
        settings: The deployment.
        name: A key of `REPORTS`.
        about: Whom or what it is about.
        form: `text`, `csv` or `json`.
        options: As `Options`.

    Raises:
        FHIRError: `required` for a report that needs ABOUT, `invalid` for one that
            takes none, `value` for a time or zone that is none; what it raises.

    """
    named, wanted = REPORTS[name], Options(**options)
    given = _given(named, about, wanted)
    officer = Officer(
        user=local.user(),
        organizations=None,
        client=local.COMMAND_LINE,
        zone=zone_of(wanted.zone).key,
    )
    with opened(settings) as deployment:
        services = deployment.services
        made = _made(services, officer, named, given, f"audit report {name} {form}")
    click.echo(_FORMS[form](made))


def _given(named: Named, about: str | None, wanted: Options) -> Asked:
    if bool(named.about) != bool(about):
        told = f"needs a {named.about}" if named.about else "is about nobody"
        type_ = IssueType.REQUIRED if named.about else IssueType.INVALID
        raise FHIRError(type_, f"This report {told}.")
    zone = zone_of(wanted.zone)
    period = Period(
        None if wanted.since is None else typed(wanted.since, zone)[0],
        None if wanted.until is None else typed(wanted.until, zone)[1],
    )
    given = Asked(period=period, reading=Reading(wanted.reading))
    if not about:
        return given
    if named.about == "row":
        return replace(given, row=_number(about))
    text: dict[str, Any] = {named.about: about}
    return replace(given, **text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise FHIRError(IssueType.VALUE, "A row of the log is a number.")
    return int(text)


def _made(
    services: Services, officer: Officer, named: Named, given: Asked, request: str
) -> Report:
    """Return the answer; that it was asked is recorded first."""
    is_shown = request.endswith(" text")
    asked(
        services,
        officer,
        request,
        patients=() if not given.patient else (_id(given.patient),),
        interaction=Interaction.AUDIT_READ if is_shown else Interaction.EXPORT,
    )
    prepared(named.question)(services)
    with services.database.read() as snapshot:
        return ask(Reader(services, snapshot, officer), named.question, given)


def _id(patient: str) -> str:
    return patient.removeprefix("Patient/")


def _text(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    head = report.heading
    yield f"{head.title}: {head.about}"
    yield (
        f"{head.asked}; times in {head.zone}; checkpoint size {head.log_size}; "
        f"made {head.made.isoformat()}"
    )
    yield from report.notes
    yield from (f"Not recorded here: {note}" for note in report.not_recorded)
    for table in report.tables:
        yield ""
        yield f"{table.name}: {len(table.lines)}"
        for row in table.rows():
            told = (f"{name} {plain(value)}" for name, value in row.items() if value)
            yield f"  {'; '.join(told)}"


def _json(report: Report) -> str:
    return fhir_json.pretty(to_json(report)).decode()


def _csv(report: Report) -> str:
    return to_csv(report).rstrip("\r\n")


_FORMS = MappingProxyType({"text": _text, "csv": _csv, "json": _json})
