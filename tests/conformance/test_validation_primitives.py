"""Primitive values, their siblings, and references, one resource around each."""

from decimal import Decimal
from typing import Any

import pytest

from conformance.fhir_json import Number
from conformance.issues import IssueType, Severity
from conformance.validation import validate
from conformance.validation_primitives import quick_test, value_check

RIGHT: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -1, 2147483647, -2147483648],
    "unsignedInt": [0, 2147483647],
    "positiveInt": [1],
    "decimal": [0, 72, Number("72.50"), Number("1.0E2"), Number("-0.0"), Decimal(1)],
    "string": ["x", " x\n", "\N{NO-BREAK SPACE}", "\U0001f493", "a" * 1048576],
    "markdown": ["# x\n\n* y"],
    "code": ["a", "a b", "<="],
    "uri": ["urn:oid:1.2", "x", "http://x.example/\N{LATIN SMALL LETTER E WITH ACUTE}"],
    "url": ["mqtt://x"],
    "canonical": ["http://x.example/y|1#z"],
    "oid": ["urn:oid:1.2.840"],
    "uuid": ["urn:uuid:0b5f7b3e-7c53-4b9d-9f5e-1d8f7f1d9a10"],
    "id": ["a", "A-1.b", "a" * 64],
    "date": ["2026", "2026-01", "2026-01-31", "2024-02-29"],
    "dateTime": ["2026", "2026-02-28", "2026-01-31T23:59:60Z",
                 "2026-01-05T10:00:00.5-11:00"],
    "instant": ["2026-01-05T10:00:00Z", "2026-12-31T10:00:00.123456789+14:00"],
    "time": ["10:00:00", "23:59:59.5"],
    "base64Binary": ["AAAA", "AA==", "AAA=", "AAAA\nAAAA"],
}  # fmt: skip

WRONG: dict[str, list[Any]] = {
    "boolean": ["true", 1, 0, None, [True], {}],
    "integer": [True, Number("1.0"), "1", 2147483648, None],
    "unsignedInt": [-1],
    "positiveInt": [0],
    "decimal": [True, "72", float("1"), Decimal("NaN"), None, [1], {}],
    "string": ["", 1, True, None, "\x00", "\x1b", "\ud800", "\ufffe", "a" * 1048577],
    "markdown": ["", 1],
    "code": ["", " a", "a ", "a  b", "a\x01"],
    "uri": ["", "a b", "a\n", "a\x00"],
    "url": [" http://x"],
    "canonical": ["a b"],
    "oid": ["1.2", "urn:oid:3.1", "urn:oid:1.02"],
    "uuid": ["0b5f7b3e-7c53-4b9d-9f5e-1d8f7f1d9a10", "urn:uuid:x"],
    "id": ["", "a_b", "a b", "a" * 65, "a\n", "\N{LATIN SMALL LETTER E WITH ACUTE}"],
    "date": ["26", "2026-13", "2026-1-1", "2025-02-29", "2026-04-31", "0000",
             "2026-01-05T10:00:00Z"],
    "dateTime": ["2026-02-30", "2026-02-29T10:00:00Z", "2026-01-05T10:00Z",
                 "2026-01-05T10:00:00", "2026-01-05 10:00:00Z", "2026-01-05T24:00:00Z",
                 "2026-01-05T10:00:00+15:00", "\u0662\u0660\u0662\u0666"],
    "instant": ["2026", "2026-01-05T10:00:00", "2026-06-31T10:00:00Z"],
    "time": ["10:00", "24:00:00", "10:00:00Z"],
    "base64Binary": ["", "A", "AAAAA", "A===", "AA==AAAA", "AAAA!", 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]]
)
def test_a_right_value_is_accepted(name: str, value: Any) -> None:
    assert value_check(name)(value) is None


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]]
)
def test_a_wrong_value_is_refused(name: str, value: Any) -> None:
    assert value_check(name)(value) is not None


@pytest.mark.parametrize("name", RIGHT)
def test_the_quick_test_never_says_more_than_the_check(name: str) -> None:
    quick = quick_test(name)
    if quick is None:
        assert name not in {
            "string",
            "code",
            "uri",
            "id",
            "date",
            "dateTime",
            "instant",
        }
        return
    texts = [value for value in WRONG[name] if isinstance(value, str)]

    assert [text for text in texts if quick(text)] == []


def errors(resource: Any) -> list[tuple[IssueType, str | None]]:
    return [
        (issue.type, issue.expression)
        for issue in validate(resource)
        if issue.severity is Severity.ERROR
    ]


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient"} | members


WHY = {"extension": [{"url": "https://x.example/why", "valueCode": "masked"}]}


@pytest.mark.parametrize(
    "resource",
    [
        patient(_birthDate=WHY),
        patient(birthDate="2000", _birthDate=WHY),
        patient(gender="female", _gender={"id": "gender"}),
        patient(name=[{"given": ["A", None], "_given": [None, WHY]}]),
        patient(name=[{"given": ["A", "B"], "_given": [None, {"id": "b"}]}]),
        patient(name=[{"_given": [WHY]}]),
        patient(_deceasedBoolean=WHY),
    ],
)
def test_a_primitive_may_have_extensions_beside_or_instead_of_a_value(
    resource: dict[str, Any],
) -> None:
    assert errors(resource) == []


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (patient(_gender={"id": "gender"}), "Patient.gender"),
        (patient(_gender={}), "Patient.gender"),
        (patient(_gender=None), "Patient.gender"),
        (patient(_gender=[WHY]), "Patient.gender"),
        (patient(_gender=WHY | {"value": "x"}), "Patient.gender.value"),
        (patient(_name=[WHY]), "Patient._name"),
        (patient(name=[{"given": ["A", None]}]), "Patient.name[0].given[1]"),
        (
            patient(name=[{"given": ["A", None], "_given": [None, None]}]),
            "Patient.name[0].given[1]",
        ),
        (
            patient(name=[{"given": ["A"], "_given": [None, WHY]}]),
            "Patient.name[0].given",
        ),
        (patient(name=[{"_given": []}]), "Patient.name[0].given"),
        (patient(name=[{"_given": [None]}]), "Patient.name[0].given[0]"),
        (
            patient(deceasedBoolean=True, _deceasedDateTime=WHY),
            "Patient.deceased",
        ),
    ],
)
def test_a_sibling_that_stands_for_nothing_is_refused(
    resource: dict[str, Any], expected: str
) -> None:
    assert (IssueType.STRUCTURE, expected) in errors(resource)


def observation(reference: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": reference,
    } | members


CONTAINED = [{"resourceType": "Patient", "id": "p"}]


@pytest.mark.parametrize(
    "resource",
    [
        observation({"reference": "Patient/1"}),
        observation({"reference": "Patient/1/_history/2"}),
        observation({"reference": "https://ehr.example/fhir/Patient/1"}),
        observation({"reference": "https://ehr.example/people?id=1"}),
        observation({"reference": "urn:uuid:0b5f7b3e-7c53-4b9d-9f5e-1d8f7f1d9a10"}),
        observation({"reference": "urn:oid:1.2.3"}),
        observation({"reference": "Patient?identifier=https://x.example|1"}),
        observation({"reference": "#p"}, contained=CONTAINED),
        observation({"identifier": {"value": "1"}, "type": "Patient"}),
        observation({"display": "somebody"}),
    ],
)
def test_a_reference_that_r4_allows_is_accepted(resource: dict[str, Any]) -> None:
    assert errors(resource) == []


@pytest.mark.parametrize(
    ("reference", "members"),
    [
        ({"reference": "javascript:alert(1)"}, {}),
        ({"reference": "JavaScript:alert(1)"}, {}),
        ({"reference": "data:text/plain,x"}, {}),
        ({"reference": "file:///etc/passwd"}, {}),
        ({"reference": "ftp://x.example/Patient/1"}, {}),
        ({"reference": "Patient"}, {}),
        ({"reference": "patient/1"}, {}),
        ({"reference": "../Patient/1"}, {}),
        ({"reference": "Patient/a b"}, {}),
        ({"reference": "Wearer/1"}, {}),
        ({"reference": "Device/1/_history/"}, {}),
        ({"reference": "Practitioner/1"}, {}),
        ({"reference": "https://ehr.example/fhir/Practitioner/1/_history/2"}, {}),
        ({"reference": "#q"}, {"contained": CONTAINED}),
        (
            {"reference": "#o"},
            {"contained": [{"resourceType": "Organization", "id": "o"}]},
        ),
        ({"type": "Practitioner", "identifier": {"value": "1"}}, {}),
    ],
)
def test_a_reference_that_r4_does_not_allow_is_refused(
    reference: dict[str, Any], members: dict[str, Any]
) -> None:
    found = errors(observation(reference, **members))

    assert (
        {expression for _, expression in found} & {"Observation.subject.reference"}
    ) != set()
