import json
from datetime import UTC, datetime
from io import BytesIO

import pytest

from conformance.fhir_json import Number
from mappings.measurement import Measurement, Reason, Refusal
from mappings.templates import lines
from mappings.templates.compile import vendor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHT = {"kind": "body-weight", "value": "w", "unit": "kg"}
HEADER = b"t,w\n"
ROW = b"2025-01-02T03:04:05Z,72.50\n"


@pytest.fixture
def read(template):
    def parse(data, form="csv", progress=lambda _: None, **payload):
        written = template(WEIGHT, payload={"format": form, **payload})
        source = vendor(written, version="1")
        return list(
            source.parse_file(BytesIO(data), received_at=NOW, progress=progress)
        )

    return parse


def outline(readings):
    return [
        (one.position, str(one.value))
        if isinstance(one, Measurement)
        else (one.position, one.reason)
        for one in readings
    ]


def test_a_row_is_a_measurement_with_its_digits(read):
    assert read(HEADER + ROW) == [
        Measurement(
            kind="body-weight",
            value=Number("72.50"),
            unit="kg",
            start="2025-01-02T03:04:05Z",
            start_us=1735787045000000,
            end=None,
            end_us=1735787045000000,
            position="row[2].w",
        )
    ]


def test_a_file_may_have_a_byte_order_mark_other_ends_of_lines_and_empty_lines(read):
    data = b"\xef\xbb\xbft,w\r\n\r\n2025-01-02T03:04:05Z,72.50"

    assert outline(read(data)) == [("row[3].w", "72.50")]


def test_a_file_may_have_another_delimiter_and_no_header(read):
    found = read(b"2025-01-02T03:04:05Z;72.50\n", delimiter=";", columns=["t", "w"])

    assert outline(found) == [("row[1].w", "72.50")]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (b"2025-01-02T03:04:05Z", "The row has 1 fields, the header 2."),
        (b"a,b,c", "The row has 3 fields, the header 2."),
        (b"2025-01-02T03:04:05Z,=1+1", "The field w looks like a formula."),
        (b"@SUM(A1),5", "The field t looks like a formula."),
        (b"+cmd|' /C calc'!A0,5", "The field t looks like a formula."),
        (b"-x,5", "The field t looks like a formula."),
        (b'2025-01-02T03:04:05Z,"5', "The line is not one whole record of CSV."),
        (b"\xff,5", "The line is not UTF-8."),
        (b"x" * (lines.MAX_LINE + 1), "The line is too long."),
    ],
)
def test_a_row_that_is_no_record_is_refused_alone(read, row, detail):
    first, refused, last = read(HEADER + ROW + row + b"\n" + ROW)

    assert (refused.position, refused.reason) == ("row[3]", Reason.MALFORMED)
    assert refused.detail == detail
    assert outline([first, last]) == [("row[2].w", "72.50"), ("row[4].w", "72.50")]


def test_a_negative_number_is_no_formula(read):
    assert outline(read(HEADER + b"2025-01-02T03:04:05Z,-1\n")) == [("row[2].w", "-1")]


@pytest.mark.parametrize("header", [b"t,t", b"t,", b"", b'"t', b"\xfft,w"])
def test_a_file_whose_first_line_does_not_name_its_columns_is_refused(read, header):
    found = read(header + b"\n" + ROW if header else b"")

    assert outline(found) == [("row[1]", Reason.MALFORMED)]


def test_a_column_that_no_expression_reads_is_told_in_each_row(read):
    found = read(b"t,w,mood\n2025-01-02T03:04:05Z,72.50,low\n")

    assert outline(found) == [
        ("row[2].w", "72.50"),
        ("row[2].mood", Reason.UNKNOWN_KIND),
    ]


def test_a_line_of_ndjson_is_a_message(read):
    good = b'{"t":"2025-01-02T03:04:05Z","w":72.50}\n'
    data = good + b"\n{\n" + good + b'{"w":5}\n\xff\n'

    found = read(data, "ndjson")

    assert outline(found) == [
        ("line[1].w", "72.50"),
        ("line[3]", Reason.MALFORMED),
        ("line[4].w", "72.50"),
        ("line[5].w", Reason.NO_TIME),
        ("line[6]", Reason.MALFORMED),
    ]


def test_a_json_file_may_have_a_byte_order_mark(read):
    message = b'\xef\xbb\xbf{"t":"2025-01-02T03:04:05Z","w":"72.50"}'

    assert outline(read(message, "json")) == [("$.w", "72.50")]
    assert outline(read(b"{", "json")) == [("$", Reason.MALFORMED)]


def test_a_json_file_has_a_largest_size(read, monkeypatch):
    monkeypatch.setattr(lines, "MAX_JSON", 10)

    [refused] = read(b" " * 11, "json")

    assert refused.detail == "The file is longer than what is read as one JSON text."


def test_progress_is_told_in_bytes_up_to_the_end(read):
    told = []
    data = HEADER + ROW * 2500

    read(data, progress=told.append)

    assert told == sorted(told)
    assert told[-1] == len(data)
    assert len(told) == 3


def test_a_file_is_read_from_its_path(template, tmp_path):
    path = tmp_path / "weights.csv"
    path.write_bytes(HEADER + ROW)
    source = vendor(template(WEIGHT, payload={"format": "csv"}), version="1")

    assert outline(source.parse_file(path, received_at=NOW)) == [("row[2].w", "72.50")]


@pytest.mark.parametrize(("form", "line"), [("csv", b"a,b,c"), ("ndjson", b"{")])
def test_a_refused_line_is_refused_the_same_when_tried_again(template, form, line):
    source = vendor(template(WEIGHT, payload={"format": form}), version="1")
    data = (HEADER if form == "csv" else b"") + line

    [refused] = source.parse_file(BytesIO(data), received_at=NOW)
    [again] = source.parse(refused.payload, received_at=NOW)

    assert isinstance(again, Refusal)
    assert (again.reason, again.payload) == (refused.reason, refused.payload)
    assert json.dumps(refused.payload)


def test_a_refused_line_is_understood_once_it_can_be(template):
    source = vendor(template(WEIGHT, payload={"format": "csv"}), version="1")
    part = {
        "fhir-service-part": {
            "line": "2025-01-02T03:04:05Z,72.50",
            "columns": ["t", "w"],
        }
    }

    assert outline(source.parse(part, received_at=NOW)) == [("$.w", "72.50")]
