"""`fhir-service audit report` answers, records that it was asked, and never runs."""

import csv
import io
import json

import pytest

from fhir_service.cli import REPORTS as NAMES
from fhir_service.commands.audit_report import REPORTS
from fhir_service.compliance.questions import QUESTIONS

PATIENT = "demo-patient-01"

PARTS = {"patient": PATIENT, "vendor": "withings", "default": "deny", "row": "0"}


def ask(filled, fhir_service, *words):
    made = fhir_service(filled, "audit", "report", *words)
    assert made.exit_code == 0, made.stderr
    return made.stdout


def test_the_command_line_names_the_reports_that_there_are():
    assert tuple(REPORTS) == NAMES
    assert {one.question for one in REPORTS.values()} == {
        *QUESTIONS.keys() - {"Q3", "Q13"}
    }


@pytest.mark.parametrize(
    "name", [name for name in NAMES if REPORTS[name].about in {"", *PARTS}]
)
def test_each_report_is_printed_for_people(filled, fhir_service, name):
    about = REPORTS[name].about
    words = [PARTS[about]] if about else []

    lines = ask(filled, fhir_service, name, *words).splitlines()

    assert "times in UTC; checkpoint size " in lines[1]


def test_a_table_begins_with_zone_filter_and_checkpoint(filled, fhir_service):
    printed = ask(
        filled,
        fhir_service,
        *("accounting", PATIENT, "--csv", "--zone", "Europe/Madrid"),
        *("--since", "2026-01-01"),
    )

    title, told, *_ = csv.reader(io.StringIO(printed))
    assert title == ["Accounting of disclosures", f"Patient/{PATIENT}"]
    assert told[0] == "zone Europe/Madrid"
    assert told[1].startswith("filter since 2026-01-01T00:00:00+01:00; until ")
    assert told[2].startswith("checkpoint size ")


def test_that_it_was_asked_is_in_the_log_and_as_what(filled, fhir_service):
    ask(filled, fhir_service, "access", PATIENT)
    ask(filled, fhir_service, "access", PATIENT, "--csv")

    told = json.loads(ask(filled, fhir_service, "admin", "--json"))

    events = [(one["kind"], one["asked"]) for one in told["tables"]["events"][:3]]
    assert events == [
        ("export", "audit report admin json"),
        ("export", "audit report access csv"),
        ("audit-read", "audit report access text"),
    ]
    assert told["tables"]["events"][1]["patients"] == [f"Patient/{PATIENT}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["access"], "needs a patient"),
        (["gaps", "x"], "is about nobody"),
        (["access", "nobody"], "no Patient/nobody"),
        (["gaps", "--zone", "Mars/Base"], "time zone"),
        (["gaps", "--since", "noon"], "A time is"),
        (["obligations", "x"], "is a number"),
        (["obligations", "99999999"], "no such row"),
        (["default", "permit"], "A default is one of"),
    ],
)
def test_what_cannot_be_answered_is_refused(filled, fhir_service, words, told):
    made = fhir_service(filled, "audit", "report", *words)

    assert made.exit_code == 1
    assert told in made.stderr
