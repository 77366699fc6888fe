"""The officer's questions as pages and tables, and what the rules have found.

https://www.ecfr.gov/current/title-45/section-164.528
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import Blueprint, Response, request

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.compliance import alerts
from fhir_service.compliance.progress import judged, progress
from fhir_service.compliance.questions import QUESTIONS, Asked, ask, prepared
from fhir_service.compliance.reports.accounting import Reading
from fhir_service.compliance.reports.report import Period, Report
from fhir_service.compliance.reports.written import to_csv
from fhir_service.compliance.zones import typed
from fhir_service.pages import frame
from fhir_service.pages.compliance_desk import PATH, Desk, Visit, download
from fhir_service.rest.wsgi import REQUEST_ID

MAX_VALUE: Final = 256
"""Characters of a field."""

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "patient": "Patient id",
        "organization": "Organization/id",
        "client": "Client",
        "resource": "Type/id of a resource",
        "device": "Device/id",
        "vendor": "Source",
        "row": "Row of the log",
        "default": "Default policy, such as deny",
        "reading": "Law: hipaa, part-2 or all",
    }
)
"""What a question can be asked with, besides a time."""

OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Q3": ("client", "resource"),
        "Q9": ("device", "vendor", "patient"),
        "Q10": ("reading",),
        "Q13": ("row",),
    }
)
"""What a question takes besides what it needs."""

_MAX_NUMBER: Final = 18


class ReportPages:
    """Reports, and alerts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk, of_one = self._desk, "/reports/<number>"
        desk.add(blueprint, "/reports", "reports", self.list)
        desk.add(blueprint, of_one, "report", self.show)
        desk.add(
            blueprint,
            f"{of_one}/report.csv",
            "report_csv",
            self.as_csv,
            about=Interaction.EXPORT,
        )
        desk.add(blueprint, "/alerts", "alerts", self.alerts)
        desk.add(
            blueprint,
            "/alerts/<int:alert_id>",
            "close_alert",
            self.close,
            method="POST",
        )

    def list(self, visit: Visit) -> Response:
        """Return every question with its form."""
        forms = {
            number: (*one.needs, *OPTIONS.get(number, ()))
            for number, one in QUESTIONS.items()
        }
        return self._desk.page(
            "compliance_reports.html",
            visit,
            questions=QUESTIONS,
            forms=forms,
            labels=LABELS,
        )

    def show(self, visit: Visit, number: str) -> Response:
        """Return the answer to a question, to be read or printed."""
        report = self._answer(visit, number)
        return self._desk.page(
            "compliance_report.html",
            visit,
            report=report,
            number=number,
            query=request.query_string.decode("ascii", "replace"),
        )

    def as_csv(self, visit: Visit, number: str) -> Response:
        """Return the answer to a question as a table."""
        text = to_csv(self._answer(visit, number))
        return download(text, f"report-{number}.csv", "text/csv")

    def _answer(self, visit: Visit, number: str) -> Report:
        asked = _asked(visit)
        if asked.patient:
            visit.patients.append(asked.patient)
        with self._desk.reading(visit, prepared(number)) as reader:
            return ask(reader, number, asked)

    def alerts(self, visit: Visit) -> Response:
        """Return the open alerts, newest first."""
        with self._desk.reading(visit, judged) as reader:
            found = alerts.open_alerts(reader)
            reached = progress(reader.snapshot)
        return self._desk.page(
            "compliance_alerts.html",
            visit,
            alerts=found,
            longest=alerts.MAX_NOTE,
            reached=reached,
        )

    def close(self, visit: Visit, alert_id: int) -> Response:
        """Close an alert with a note."""
        alerts.close(
            self._desk.services,
            visit.officer,
            min(alert_id, 10**_MAX_NUMBER),
            frame.field("note").replace("\r\n", "\n").strip(),
            request_id=request.environ.get(REQUEST_ID, ""),
        )
        return frame.see_other(f"{PATH}/alerts")


def _asked(visit: Visit) -> Asked:
    """Return what the address asks with.

    Raises:
        FHIRError: `invalid` for what cannot be understood.

    """
    given = {name: _value(name) for name in (*LABELS, "since", "until")}
    number, reading = given["row"], given["reading"] or Reading.HIPAA.value
    is_number = number.isascii() and number.isdigit() and len(number) <= _MAX_NUMBER
    if number and not is_number:
        raise FHIRError(IssueType.INVALID, "A row has a number.")
    if reading not in set(Reading):
        raise FHIRError(IssueType.INVALID, "The law is hipaa, part-2 or all.")
    since, until = given["since"], given["until"]
    row = int(number) if number else None
    return Asked(
        patient=given["patient"].removeprefix("Patient/"),
        organization=given["organization"],
        client=given["client"],
        resource=given["resource"],
        device=given["device"],
        vendor=given["vendor"],
        default=given["default"],
        row=row,
        rows=() if row is None else (row,),
        at_us=typed(until, visit.zone)[1] - 1 if until else None,
        period=Period(
            typed(since, visit.zone)[0] if since else None,
            typed(until, visit.zone)[1] if until else None,
        ),
        reading=Reading(reading),
    )


def _value(name: str) -> str:
    text = request.args.get(name, "").strip()
    if len(text) > MAX_VALUE or not text.isprintable():
        raise FHIRError(
            IssueType.INVALID,
            f"A field is one line of at most {MAX_VALUE} characters.",
        )
    return text
