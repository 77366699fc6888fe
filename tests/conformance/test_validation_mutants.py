"""One fault at a time in a heart rate that is right: each is refused, and where."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from conformance.fhir_json import Number
from conformance.issues import IssueType, Severity
from conformance.validation import validate

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'

HEART_RATE: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "hr-1",
    "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"]},
    "text": {"status": "generated", "div": f"<div {XHTML}>72.5 per minute</div>"},
    "identifier": [{"system": "https://vendor.example/readings", "value": "7"}],
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": (
                        "http://terminology.hl7.org/CodeSystem/observation-category"
                    ),
                    "code": "vital-signs",
                }
            ]
        }
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-01-05T10:00:00+01:00",
    "issued": "2026-01-05T09:00:03.120Z",
    "performer": [{"reference": "Patient/1"}],
    "valueQuantity": {
        "value": Number("72.50"),
        "unit": "beats/minute",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    },
    "device": {"reference": "Device/1"},
}

STEPS: dict[str, Any] = {
    "resourceType": "Observation",
    "text": {"status": "generated", "div": f"<div {XHTML}>steps</div>"},
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "55423-8"}]},
    "subject": {"reference": "Patient/1"},
    "effectivePeriod": {
        "start": "2026-01-05T00:00:00+01:00",
        "end": "2026-01-06T00:00:00+01:00",
    },
    "valueQuantity": {
        "value": 4200,
        "unit": "steps",
        "system": "http://unitsofmeasure.org",
        "code": "{steps}",
    },
    "component": [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
            "valueQuantity": {"value": 1, "unit": "d"},
        }
    ],
}

Mutation = Callable[[dict[str, Any]], object]


def put(*path_and_value: Any) -> Mutation:
    """Return a mutation that sets the value at a path of members and indexes."""
    *path, last, value = path_and_value

    def mutate(resource: dict[str, Any]) -> None:
        holder: Any = resource
        for step in path:
            holder = holder[step]
        holder[last] = value

    return mutate


def drop(*path: Any) -> Mutation:
    """Return a mutation that removes what is at a path."""
    *path_to, last = path

    def mutate(resource: dict[str, Any]) -> None:
        holder: Any = resource
        for step in path_to:
            holder = holder[step]
        del holder[last]

    return mutate


def both(*mutations: Mutation) -> Mutation:
    """Return a mutation that does several."""

    def mutate(resource: dict[str, Any]) -> None:
        for mutation in mutations:
            mutation(resource)

    return mutate


def errors(resource: Any) -> list[tuple[IssueType, str | None]]:
    return [
        (issue.type, issue.expression)
        for issue in validate(resource)
        if issue.severity is Severity.ERROR
    ]


STRUCTURE = IssueType.STRUCTURE
VALUE = IssueType.VALUE
REQUIRED = IssueType.REQUIRED
INVARIANT = IssueType.INVARIANT
CODE = IssueType.CODE_INVALID
UNSUPPORTED = IssueType.NOT_SUPPORTED

PATIENT = {"resourceType": "Patient", "id": "p"}
EXTENSION = {"url": "https://vendor.example/x", "valueString": "y"}


def contained(inner: dict[str, Any]) -> Mutation:
    return both(
        put("contained", [inner]), put("subject", {"reference": f"#{inner.get('id')}"})
    )


HEART_RATE_MUTANTS: dict[str, tuple[Mutation, IssueType, str]] = {
    "missing status": (drop("status"), REQUIRED, "status"),
    "missing code": (drop("code"), REQUIRED, "code"),
    "status outside its value set": (put("status", "done"), CODE, "status"),
    "two value[x]": (put("valueString", "72"), STRUCTURE, "value"),
    "two effective[x]": (
        put("effectiveInstant", "2026-01-05T10:00:00Z"),
        STRUCTURE,
        "effective",
    ),
    "30 February": (put("effectiveDateTime", "2026-02-30"), VALUE, "effective"),
    "29 February of a common year": (
        put("effectiveDateTime", "2025-02-29T10:00:00Z"),
        VALUE,
        "effective",
    ),
    "a time without offset": (
        put("effectiveDateTime", "2026-01-05T10:00:00"),
        VALUE,
        "effective",
    ),
    "an instant without seconds": (put("issued", "2026-01-05T10:00Z"), VALUE, "issued"),
    "a number as a string": (
        put("valueQuantity", "value", "72"),
        VALUE,
        "value.value",
    ),
    "a boolean for a number": (
        put("valueQuantity", "value", *[True]),
        VALUE,
        "value.value",
    ),
    "an empty array": (put("performer", []), STRUCTURE, "performer"),
    "an empty object": (put("device", {}), STRUCTURE, "device"),
    "an empty string": (put("code", "text", ""), VALUE, "code.text"),
    "a null element": (put("device", None), STRUCTURE, "device"),
    "a null in an array": (put("performer", [None]), STRUCTURE, "performer[0]"),
    "an id with a space": (put("id", "a b"), VALUE, "id"),
    "an id of 65 characters": (put("id", "a" * 65), VALUE, "id"),
    "a uri with a space": (
        put("identifier", 0, "system", "https://vendor example"),
        VALUE,
        "identifier[0].system",
    ),
    "an array for a single element": (
        put("code", [HEART_RATE["code"]]),
        STRUCTURE,
        "code",
    ),
    "a single element for an array": (
        put("category", HEART_RATE["category"][0]),
        STRUCTURE,
        "category",
    ),
    "an element that R4 does not define": (put("wearer", "x"), STRUCTURE, "wearer"),
    "an unknown element beneath": (
        put("code", "coding", 0, "name", "x"),
        STRUCTURE,
        "code.coding[0].name",
    ),
    "a choice of a type it has not": (
        both(drop("valueQuantity"), put("valueDecimal", 72)),
        STRUCTURE,
        "valueDecimal",
    ),
    "an extension without url": (
        put("extension", [{"valueString": "x"}]),
        REQUIRED,
        "extension[0].url",
    ),
    "an extension with value and extensions (ext-1)": (
        put("extension", [EXTENSION | {"extension": [EXTENSION]}]),
        INVARIANT,
        "extension[0]",
    ),
    "a modifier that is not known": (
        put("modifierExtension", [EXTENSION]),
        UNSUPPORTED,
        "modifierExtension",
    ),
    "implicit rules that are not known": (
        put("implicitRules", "https://vendor.example/rules"),
        UNSUPPORTED,
        "implicitRules",
    ),
    "a contained resource of no type": (
        contained({"resourceType": "Wearer", "id": "p"}),
        STRUCTURE,
        "contained[0].resourceType",
    ),
    "a contained resource that is wrong": (
        contained(PATIENT | {"gender": "F"}),
        CODE,
        "contained[0].gender",
    ),
    "a contained resource that contains (dom-2)": (
        contained(
            PATIENT
            | {
                "contained": [PATIENT],
                "link": [{"other": {"reference": "#p"}, "type": "seealso"}],
            }
        ),
        INVARIANT,
        "",
    ),
    "a contained resource nobody refers to (dom-3)": (
        put("contained", [PATIENT]),
        INVARIANT,
        "",
    ),
    "a contained resource without id (dom-3)": (
        put("contained", [{"resourceType": "Patient"}]),
        REQUIRED,
        "contained[0].id",
    ),
    "a contained resource with a version (dom-4)": (
        contained(PATIENT | {"meta": {"versionId": "1"}}),
        INVARIANT,
        "",
    ),
    "a contained resource with a label (dom-5)": (
        contained(PATIENT | {"meta": {"security": [{"code": "R"}]}}),
        INVARIANT,
        "",
    ),
    "a reference to what is not contained (ref-1)": (
        put("device", "reference", "#nobody"),
        INVARIANT,
        "device.reference",
    ),
    "a subject that is an Observation": (
        put("subject", "reference", "Observation/1"),
        VALUE,
        "subject.reference",
    ),
    "a subject that is an Observation elsewhere": (
        put("subject", "reference", "https://ehr.example/fhir/Observation/1"),
        VALUE,
        "subject.reference",
    ),
    "a subject of a type that is no resource": (
        put("subject", "reference", "Wearer/1"),
        VALUE,
        "subject.reference",
    ),
    "a script as a reference": (
        put("device", "reference", "javascript:alert(1)"),
        VALUE,
        "device.reference",
    ),
    "data as a reference": (
        put("device", "reference", "data:text/html,x"),
        VALUE,
        "device.reference",
    ),
    "a file as a reference": (
        put("device", "reference", "file:///etc/passwd"),
        VALUE,
        "device.reference",
    ),
    "a value and why there is none (obs-6)": (
        put("dataAbsentReason", {"text": "unknown"}),
        INVARIANT,
        "",
    ),
    "a unit code without system (qty-3)": (
        drop("valueQuantity", "system"),
        INVARIANT,
        "value",
    ),
    "a reference range that says nothing (obs-3)": (
        put("referenceRange", [{"type": {"text": "normal"}}]),
        INVARIANT,
        "referenceRange[0]",
    ),
    "a comparator on a SimpleQuantity (sqty-1)": (
        put("referenceRange", [{"low": {"value": 1, "comparator": "<"}}]),
        INVARIANT,
        "referenceRange[0].low",
    ),
    "a period that ends before it starts (per-1)": (
        both(
            drop("effectiveDateTime"),
            put("effectivePeriod", {"start": "2026-01-06", "end": "2026-01-05"}),
        ),
        INVARIANT,
        "effective",
    ),
    "a script in the narrative (txt-1)": (
        put("text", "div", f"<div {XHTML}><script>x</script></div>"),
        INVARIANT,
        "text.div",
    ),
    "an empty narrative (txt-2)": (
        put("text", "div", f"<div {XHTML}> </div>"),
        INVARIANT,
        "text.div",
    ),
    "a vital sign without category": (drop("category"), REQUIRED, "category"),
    "a vital sign in another category": (
        put("category", 0, "coding", 0, "code", "activity"),
        REQUIRED,
        "category",
    ),
    "a vital sign without subject": (drop("subject"), REQUIRED, "subject"),
    "a heart rate of a Group": (
        put("subject", "reference", "Group/1"),
        VALUE,
        "subject.reference",
    ),
    "a heart rate in another unit": (
        put("valueQuantity", "code", "/s"),
        VALUE,
        "value.code",
    ),
    "a heart rate without a number": (
        drop("valueQuantity", "value"),
        REQUIRED,
        "value.value",
    ),
    "a heart rate without time": (drop("effectiveDateTime"), REQUIRED, "effective"),
    "a heart rate that is a month's": (
        put("effectiveDateTime", "2026-01"),
        INVARIANT,
        "effective",
    ),
    "a profile of another type": (
        put(
            "meta",
            "profile",
            ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"],
        ),
        VALUE,
        "meta.profile",
    ),
}


@pytest.mark.parametrize("name", HEART_RATE_MUTANTS)
def test_a_heart_rate_with_one_fault_is_refused_at_the_fault(name: str) -> None:
    mutate, type_, path = HEART_RATE_MUTANTS[name]
    resource = deepcopy(HEART_RATE)
    mutate(resource)

    found = errors(resource)

    expected = f"Observation.{path}" if path else "Observation"
    assert (type_, expected) in found


@pytest.mark.parametrize("resource", [HEART_RATE, STEPS], ids=["heart rate", "steps"])
def test_what_the_mutants_are_made_of_is_right(resource: dict[str, Any]) -> None:
    assert validate(resource) == []


SAMPLED = {"origin": {"value": 0}, "period": 1000, "dimensions": 1, "data": "72 73"}


@pytest.mark.parametrize("claims", [True, False])
def test_sampled_data_under_the_heart_rate_code_is_refused(*, claims: bool) -> None:
    resource = deepcopy(HEART_RATE)
    del resource["valueQuantity"]
    resource["valueSampledData"] = SAMPLED
    if not claims:
        del resource["meta"]

    found = errors(resource)

    assert set(found) == {(STRUCTURE, "Observation.value")}


def test_a_component_that_repeats_the_code_beside_a_value_is_refused() -> None:
    resource = deepcopy(STEPS)
    resource["component"][0]["code"] = resource["code"]

    assert errors(resource) == [(INVARIANT, "Observation")]


def test_the_second_component_is_the_one_that_is_named() -> None:
    resource = deepcopy(STEPS)
    resource["component"].append({"valueQuantity": {"value": 1}})

    assert errors(resource) == [(REQUIRED, "Observation.component[1].code")]


@pytest.mark.parametrize("resource", [None, [], "x", 1, {}, {"resourceType": ["x"]}])
def test_what_is_no_resource_is_refused(resource: object) -> None:
    assert [type_ for type_, _ in errors(resource)] == [STRUCTURE]


def test_a_member_with_a_strange_name_does_not_travel_into_the_issue() -> None:
    resource = HEART_RATE | {"pulse of J. <72>": 1}

    [issue] = validate(resource)

    assert issue.expression == "Observation"
    assert "72" not in issue.diagnostics


def test_issues_are_counted_beyond_a_hundred() -> None:
    resource = HEART_RATE | {"performer": [{"reference": 1}] * 500}

    found = validate(resource)

    assert len(found) == 101
    assert found[-1].diagnostics == "There are 400 more issues."
    assert found[-1].severity is Severity.ERROR
