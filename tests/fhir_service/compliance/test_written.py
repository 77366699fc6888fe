"""A report as a file harms no spreadsheet, and says what it is of."""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from fhir_service.compliance.reports.report import Heading, Report, Table
from fhir_service.compliance.reports.written import (
    cell,
    to_csv,
    to_json,
    to_parameters,
)

MADE = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Madrid"))


def report(*lines, **more):
    return Report(
        heading=Heading(
            title="=A title",
            about="Patient/1",
            asked="since x",
            zone="Europe/Madrid",
            made=MADE,
            log_size=7,
        ),
        tables=(Table(name="some things", columns=("a_b", "c"), lines=lines),),
        **more,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "'⟨U+0009⟩=1"),
        ("\r=1", "'⟨U+000D⟩=1"),
        ("\n=1", "'⟨U+000A⟩=1"),
        ("a=1", "a=1"),
        ("a\nb", "a⟨U+000A⟩b"),
        ("\u202eevil", "⟨U+202E⟩evil"),
        (-5, "-5"),
        (True, "yes"),
        (None, ""),
        (("=1", "2"), "'=1; 2"),
        (MADE, "2026-10-25T02:30:00+02:00"),
    ],
)
def test_a_cell_is_shown_and_not_run(text, expected):
    assert cell(text) == expected


def test_a_cell_is_no_longer_than_a_spreadsheet_takes():
    assert len(cell("x" * 100_000)) < 32_767


def test_the_first_rows_say_what_it_is_of():
    rows = list(
        csv.reader(
            io.StringIO(to_csv(report((1, "=x"), notes=("n",), is_complete=False)))
        )
    )

    assert rows == [
        ["'=A title", "Patient/1"],
        [
            "zone Europe/Madrid",
            "filter since x",
            "checkpoint size 7",
            "made 2026-10-25T02:30:00+02:00",
            "complete no",
        ],
        ["note", "n"],
        [],
        ["some things"],
        ["a_b", "c"],
        ["1", "'=x"],
    ]


def test_json_keeps_lists_and_offsets():
    told = to_json(report((("x", "y"), MADE), not_recorded=("z",)))

    assert told["tables"] == {
        "some things": [{"a_b": ["x", "y"], "c": "2026-10-25T02:30:00+02:00"}]
    }
    assert told["notRecordedHere"] == ["z"]
    assert told["complete"] is True


def test_parameters_have_a_type_for_each_value_and_none_for_nothing():
    told = to_parameters(report((("x", "y"), MADE), (None, "")))

    parts = [one["part"] for one in told["parameter"] if one["name"] == "someThings"]
    assert parts == [
        [
            {"name": "aB", "valueString": "x"},
            {"name": "aB", "valueString": "y"},
            {"name": "c", "valueInstant": "2026-10-25T02:30:00+02:00"},
        ],
        [],
    ]
