"""FHIRPath as R4's definitions use it."""

import random
from pathlib import Path
from typing import Any

import pytest

from conformance import definitions, fhirpath
from conformance.fhir_json import Number, loads
from conformance.fhirpath_guards import guards
from conformance.fhirpath_nodes import Scope
from conformance.fhirpath_values import compare_moments

SEARCH_PARAMETERS = (
    Path(__file__).parents[2].parent
    / "shared/data/packages/r4-core/search-parameters.json"
)

SYSTOLIC = {"value": Number("120.0"), "unit": "mm[Hg]"}

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "_status": {"extension": [{"url": "https://x.example/why", "valueCode": "y"}]},
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "subject": {"reference": "Patient/1"},
    "performer": [
        {"reference": "https://ehr.example/fhir/Practitioner/2/_history/1"},
        {"reference": "#o2"},
        {"reference": "urn:uuid:0b5f7b3e-7c53-4b9d-9f5e-1d8f7f1d9a10"},
    ],
    "contained": [{"resourceType": "Organization", "id": "o2", "name": "Ward"}],
    "effectiveDateTime": "2026-01-05",
    "component": [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
            "valueQuantity": SYSTOLIC,
        },
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
            "valueString": "low",
        },
    ],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Observation.status", ["final"]),
        ("Patient.name", []),
        ("Resource.id", ["o1"]),
        ("Observation.effective", ["2026-01-05"]),
        ("Observation.effective as dateTime", ["2026-01-05"]),
        ("(Observation.effective as Period).start", []),
        ("Observation.effective is dateTime", [True]),
        ("Observation.component.value as Quantity", [SYSTOLIC]),
        ("Observation.component.value.ofType(string)", ["low"]),
        ("Observation.component[1].value", ["low"]),
        ("Observation.component.code.coding.code", ["8480-6", "8462-4"]),
        ("Observation.code.coding.code | Observation.component.code.coding.code",
         ["85354-9", "8480-6", "8462-4"]),
        ("Observation.subject.where(resolve() is Patient).reference", ["Patient/1"]),
        ("Observation.subject.where(resolve() is Group)", []),
        ("Observation.performer.where(resolve() is Practitioner).count()", [1]),
        ("Observation.performer.where(resolve() is Organization).reference", ["#o2"]),
        ("Observation.performer.resolve().ofType(Organization).name", ["Ward"]),
        ("Observation.status.extension('https://x.example/why').value", ["y"]),
        ("Observation.status.hasValue()", [True]),
        ("Observation.component.exists(value is Quantity)", [True]),
        ("Observation.component.all(value.exists())", [True]),
        ("Observation.component.select(value).count()", [2]),
        ("Observation.component.code.coding.code.first()", ["8480-6"]),
        ("Observation.component.code.coding.code.last()", ["8462-4"]),
        ("Observation.component.code.coding.code.tail()", ["8462-4"]),
        ("Observation.component.code.coding.code.skip(1)", ["8462-4"]),
        ("Observation.component.code.coding.code.take(1)", ["8480-6"]),
        ("Observation.component.code.coding.system.isDistinct()", [False]),
        ("Observation.component.code.coding.system.distinct()", ["http://loinc.org"]),
        ("Observation.component.value.toString()", []),
        ("Observation.component.value.ofType(Quantity).value.toString()", ["120.0"]),
        ("Observation.component.value.ofType(Quantity).value >= 120", [True]),
        ("Observation.note.text = 'x'", []),
        ("Observation.note.text = 'x' or true", [True]),
        ("Observation.note.text = 'x' and false", [False]),
        ("Observation.note.text = 'x' and true", []),
        ("Observation.note.exists() implies false", [True]),
        ("Observation.note.exists() xor true", [True]),
        ("(Observation.note.text = 'x').not()", []),
        ("Observation.status in ('final' | 'amended')", [True]),
        ("('final' | 'amended') contains Observation.status", [True]),
        ("Observation.status != 'final'", [False]),
        ("Observation.status & '!' & Observation.note.text", ["final!"]),
        ("Observation.id.length() + 3 * 2", [8]),
        ("7 div 2 - 7 mod 2", [2]),
        ("-1 < 0", [True]),
        ("Observation.id.matches('[a-z][0-9]')", [True]),
        ("Observation.id.matches('[a-z]')", [False]),
        ("Observation.id.startsWith('o')", [True]),
        ("Observation.id.substring(1)", ["1"]),
        ("Observation.id.substring(2)", []),
        ("Observation.id.replaceMatches('[0-9]', 'x')", ["ox"]),
        ("Observation.id.indexOf('1')", [1]),
        ("'12'.toInteger() + 1", [13]),
        ("iif(Observation.note.exists(), 'a', 'b')", ["b"]),
        ("Observation.note.iif(empty(), 'none', 'some')", ["none"]),
        ("Observation.descendants().where(reference = '#o2').exists()", [True]),
        ("Observation.children().count()", [11]),
        ("Observation.component.repeat(code | coding).code.count()", [2]),
        ("Observation.code.coding.intersect(Observation.component.code.coding)", []),
        ("Observation.code.trace('seen').coding.code", ["85354-9"]),
        ("Observation.id.upper() & 'B'.lower()", ["O1b"]),
        ("Observation.id.endsWith('1')", [True]),
        ("Observation.id.contains('x')", [False]),
        ("Observation.id.replace('o', 'x')", ["x1"]),
        ("('a' | 'b').subsetOf('a' | 'b' | 'c')", [True]),
        ("('a' | 'b' | 'a').count()", [2]),
        ("'a'.combine('a').count()", [2]),
        ("'a'.union('a').count()", [1]),
        ("('a' | 'b').exclude('a')", ["b"]),
        ("('a' | 'b') = ('a' | 'b')", [True]),
        ("'a' = ('a' | 'b')", [False]),
        ("true = 1", [False]),
        ("1 / 4", [Number("0.25")]),
        ("1 / 0", []),
        ("'a' + 'b'", ["ab"]),
        ("'a' + 1", []),
        ("'a' < 'b'", [True]),
        ("'a' < 1", []),
        ("'\\u0041\\n' = 'A\\n'", [True]),
        ("+1", [1]),
        ("Observation.note.first()", []),
        ("Observation.is(Observation)", [True]),
        ("Observation is DomainResource", [True]),
        ("Observation.`status`", ["final"]),
        ("Observation.performer[2].resolve()", []),
        ("Observation.effective.is(FHIR.dateTime)", [True]),
        ("Observation.contained.name", ["Ward"]),
        ("Observation.contained.ofType(Patient)", []),
        ("%ucum", ["http://unitsofmeasure.org"]),
        ("{}.empty()", [True]),
    ],
)  # fmt: skip
def test_an_expression_selects(expression: str, expected: list[Any]) -> None:
    assert fhirpath.compile(expression)(OBSERVATION) == expected


def test_a_choice_is_found_where_the_type_is_not_known() -> None:
    part = {"valueQuantity": {"value": 1}, "valueSet": "x", "code": {"text": "y"}}

    results = [
        fhirpath.compile(expression)(part)
        for expression in ("value", "value as Quantity", "value as string", "code.text")
    ]

    assert results == [[{"value": 1}], [{"value": 1}], [], ["y"]]


def test_a_primitive_with_extensions_only_exists_without_a_value() -> None:
    patient = {
        "resourceType": "Patient",
        "_birthDate": {"extension": [{"url": "https://x.example/a", "valueCode": "b"}]},
    }

    results = [
        fhirpath.compile(expression)(patient)
        for expression in (
            "Patient.birthDate.exists()",
            "Patient.birthDate.hasValue()",
            "Patient.birthDate",
            "Patient.birthDate.extension.value",
        )
    ]

    assert results == [[True], [False], [], ["b"]]


def test_a_repeating_primitive_keeps_its_values_beside_their_extensions() -> None:
    name = {
        "given": ["A", None, "C"],
        "_given": [None, {"extension": [{"url": "u", "valueCode": "b"}]}, None],
    }

    given = fhirpath.compile("given", "HumanName")
    count = fhirpath.compile("given.count()", "HumanName")

    assert (given(name), count(name)) == (["A", "C"], [3])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("2026-01-05", "2026-01-05", 0),
        ("2026-01-05", "2026-01-06", -1),
        ("2026", "2025-12-31", 1),
        ("2026-01", "2026-01-31", None),
        ("2026-01-05T10:00:00+01:00", "2026-01-05T09:00:00Z", 0),
        ("2026-01-05T10:00:00.5Z", "2026-01-05T10:00:00.25Z", 1),
        ("2026-01-05T23:00:00-05:00", "2026-01-05", None),
        ("2026-01-07T23:00:00-05:00", "2026-01-05", 1),
        ("2026-01-05", "2026-01-07T23:00:00-05:00", -1),
        ("2026-02", "2026-01-31T23:30:00Z", None),
        ("2026-02", "2026-01-29T23:30:00Z", 1),
        ("9999-12-31T23:59:59-14:00", "2026", None),
        ("10:30:00", "10:31:00", -1),
        ("x", "2026", None),
    ],
)
def test_times_compare_as_far_as_their_precision_goes(
    left: str, right: str, expected: int | None
) -> None:
    assert compare_moments(left, right) == expected


def test_quantities_compare_in_the_same_unit_only() -> None:
    in_order = fhirpath.compile("low <= high", "Range")
    low, high = {"value": Number("1.0"), "code": "m"}, {"value": 2, "code": "m"}

    results = [
        in_order({"low": low, "high": high}),
        in_order({"low": high, "high": low}),
        in_order({"low": low, "high": high | {"code": "km"}}),
    ]

    assert results == [[True], [False], []]


@pytest.mark.parametrize(
    "expression",
    [
        "code.memberOf('http://hl7.org/fhir/ValueSet/x')",
        "conformsTo('http://x')",
        "code.as(",
        "code as Wearable",
        "@2026-01-01 < today()",
        "%vs-observation",
        "$index = 1",
        "code.where()",
        "code ~ 'x'",
    ],
)
def test_what_is_not_understood_is_said_when_compiled(expression: str) -> None:
    with pytest.raises(fhirpath.NotCompiled):
        fhirpath.compile(expression)


def test_every_invariant_of_r4_compiles() -> None:
    assert fhirpath.not_compiled() == ()


def test_every_search_parameter_of_r4_compiles() -> None:
    if not SEARCH_PARAMETERS.exists():
        pytest.skip("R4's search parameters are not here")
    bundle = loads(SEARCH_PARAMETERS.read_bytes(), max_depth=10**9)
    expressions = {
        entry["resource"]["expression"]
        for entry in bundle["entry"]
        if "expression" in entry["resource"]
    }

    for expression in expressions:
        fhirpath.compile(expression)

    assert len(expressions) > 800


def invariants() -> list[tuple[str, definitions.Constraint]]:
    return [
        (name, constraint)
        for name in definitions.structure_names()
        for constraint in definitions.structure(name).constraints
        if constraint.expression is not None
    ]


def an_instance(type_: str, rng: random.Random, depth: int = 3) -> Any:
    """Return JSON that has a type's shape, with some of its elements."""
    if definitions.primitive(type_) is not None:
        return rng.choice(["x", "2026-01-05", "final"])
    if type_ == "Resource" or depth == 0:
        return {"resourceType": "Patient", "id": "p"}
    instance: dict[str, Any] = {}
    for element in definitions.elements(type_).values():
        if rng.random() < 0.3:
            key, key_type = rng.choice(list(element.keys.items()))
            value = an_instance(key_type, rng, depth - 1)
            instance[key] = [value] if element.is_array else value
    return instance


def test_an_invariant_does_not_fail_without_the_elements_that_guard_it() -> None:
    rng = random.Random(7)  # noqa: S311 - the same instances each time
    guarded = 0
    for type_, constraint in invariants():
        assert constraint.expression is not None
        holds = fhirpath.compile_invariant(constraint.expression, type_)
        elements = definitions.elements(type_)
        for name in guards(constraint.expression) & elements.keys():
            guarded += 1
            for _ in range(5):
                instance = an_instance(type_, rng)
                for key in elements[name].keys:
                    instance.pop(key, None)

                assert holds(instance, Scope(instance, instance)) is not False, (
                    type_,
                    constraint.key,
                    name,
                )

    assert guarded > 500


def test_context_is_the_focus_that_an_invariant_starts_with() -> None:
    holds = fhirpath.compile_invariant(
        "resource.groupingId.all(%context.grouping.id contains $this)",
        "ImplementationGuide.definition",
    )
    definition = {"grouping": [{"id": "a"}], "resource": [{"groupingId": "a"}]}
    stray = {"grouping": [{"id": "a"}], "resource": [{"groupingId": "b"}]}

    results = [holds(item, Scope({}, {})) for item in (definition, stray)]

    assert results == [True, False]
