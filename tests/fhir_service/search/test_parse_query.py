from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.classes import DERIVED, PATIENT_DATA, SHARED
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters
from fhir_service.search.criteria import (
    Chain,
    Criterion,
    Has,
    Include,
    SortKey,
    Text,
    TokenValue,
)
from fhir_service.search.parse import parse

OBSERVATION = parameters("Observation")
PATIENT = parameters("Patient")

VALUES = {
    "composite": "",
    "date": "ge2026-01-31",
    "number": "gt1",
    "quantity": "gt5.4||mg",
    "reference": "1",
    "string": "a",
    "token": "a|b",
    "uri": "http://x.example/y",
}


@pytest.mark.parametrize("type_", sorted({*PATIENT_DATA, *SHARED, *DERIVED}))
def test_every_parameter_that_is_not_refused_can_be_asked(condition, type_):
    for code, parameter in parameters(type_).items():
        if parameter.refusal is not None:
            continue
        parts = parameter.components or (code,)
        value = "$".join(VALUES[parameters(type_)[part].type] for part in parts)

        found = condition(type_, code, value)

        assert (found.parameter, found.modifier) == (parameter, None)


def test_repeated_parameters_are_asked_one_by_one(ask):
    query = ask("Observation", ("code", "a"), ("code", "b"), ("code", "a"))

    assert [one.values for one in query.conditions] == [
        (TokenValue(None, "a"),),
        (TokenValue(None, "b"),),
        (TokenValue(None, "a"),),
    ]


def test_what_shapes_the_answer_is_no_condition(ask):
    pairs = [
        ("code", "a"),
        ("_count", "7"),
        ("_total", "accurate"),
        ("_elements", "code,value"),
        ("_sort", "-date,_id"),
        ("_format", "json"),
        ("_pretty", "true"),
        ("_contained", "false"),
    ]

    query = ask("Observation", *pairs)

    assert len(query.conditions) == 1
    assert (query.count, query.total, query.summary) == (7, "accurate", None)
    assert query.elements == ("code", "value")
    assert query.sort == (
        SortKey(OBSERVATION["date"], descending=True),
        SortKey(OBSERVATION["_id"], descending=False),
    )
    assert query.applied == tuple(pairs)
    assert query.ignored == ()


@pytest.mark.parametrize("value", ["true", "text", "data", "count", "false"])
def test_each_summary_is_known(ask, value):
    assert ask("Observation", ("_summary", value)).summary == value


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000), ("999999999", 1000)],
)
def test_a_count_is_clamped(ask, text, count):
    assert ask("Observation", ("_count", text)).count == count


INVALID = [
    ("_count", "-1"),
    ("_count", "٣"),
    ("_count", "1_000"),
    ("_count", "1e9"),
    ("_count", "9999999999"),
    ("_count", " 5"),
    ("_count", ""),
    ("_total", "exact"),
    ("_total", ""),
    ("_summary", "all"),
    ("_summary", "true,text"),
    ("_summary", ""),
    ("_elements", "nonsense"),
    ("_elements", "code,"),
    ("_elements", ""),
    ("_elements", "component.code"),
    ("_sort", ""),
    ("_sort", "-"),
    ("_sort", "date,,code"),
    ("_include", ""),
    ("_include", "Observation"),
    ("_include", "Observation:nonsense"),
    ("_include", "Observation:code"),
    ("_include", "Nonsense:patient"),
    ("_include", "Observation:subject:Practitioner"),
    ("_include", "Observation:subject:"),
    ("_include", "Observation:subject:Patient:x"),
    ("_include", "Bundle:message"),
    ("_revinclude", "Provenance:nonsense"),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_a_result_parameter_without_meaning_is_invalid(ask, name, value):
    with pytest.raises(FHIRError) as refused:
        ask("Observation", (name, value))

    assert refused.value.type is IssueType.INVALID


@pytest.mark.parametrize(
    "pairs",
    [
        [("_count", "1"), ("_count", "2")],
        [("_summary", "true"), ("_summary", "data")],
        [("_summary", "true"), ("_elements", "code")],
    ],
)
def test_result_parameters_that_contradict_each_other_are_invalid(ask, pairs):
    with pytest.raises(FHIRError) as refused:
        ask("Observation", *pairs)

    assert refused.value.type is IssueType.INVALID


NOT_SUPPORTED = [
    ("_text", "a"),
    ("_content", "a"),
    ("_filter", "code eq a'; DROP TABLE resource; --"),
    ("_filter:x", "a"),
    ("_list", "42"),
    ("_query", "a"),
    ("_contained", "true"),
    ("_contained", "both"),
    ("_containedType", "container"),
    ("_type", "Observation"),
    ("_sort", "nonsense"),
    ("_sort", "-code-value-quantity"),
    ("_sort", "_score"),
    ("_sort:x", "date"),
    ("_count:exact", "1"),
    ("_include", "*"),
    ("_include", "Observation:*"),
    ("_revinclude", "*:*"),
    ("_revinclude", "Provenance:*"),
    ("_include:iterate", "*"),
    ("_include:logical", "Observation:subject"),
    # Chains and _has with a part that is not known (55).
    ("nonsense.name", "a"),
    ("code.name", "a"),
    ("subject.nonsense", "a"),
    ("subject:Practitioner.name", "a"),
    ("subject:identifier.name", "a"),
    ("subject:.name", "a"),
    ("subject:Patient.", "a"),
    (".name", "a"),
    ("subject:Patient.name:above", "a"),
    ("subject:Patient._text", "a"),
    ("subject:Patient._count", "1"),
    ("patient:Group.code", "a"),
    ("_has", "a"),
    ("_has:Provenance", "a"),
    ("_has:Provenance:target", "a"),
    ("_has:Provenance:target:", "a"),
    ("_has:Provenance:target:nonsense", "a"),
    ("_has:Provenance:nonsense:agent", "a"),
    ("_has:Nonsense:target:agent", "a"),
    ("_has:Bundle:composition:type", "a"),
    ("_has:Observation:specimen:code", "a"),
    ("_has:Provenance:recorded:agent", "a"),
]


@pytest.mark.parametrize(("name", "value"), NOT_SUPPORTED)
@pytest.mark.parametrize("strict", [False, True])
def test_what_would_widen_the_answer_is_refused_even_leniently(
    ask, name, value, strict
):
    with pytest.raises(FHIRError) as refused:
        ask("Observation", (name, value), strict=strict)

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_a_place_near_another_is_refused_by_name(ask):
    with pytest.raises(FHIRError, match="near") as refused:
        ask("Location", ("near", "48.1|11.5"))

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_an_unknown_parameter_is_reported_and_left_out(ask):
    query = ask("Observation", ("nonsense", "1"), ("code", "a"), ("foo:exact", ""))

    assert query.ignored == ("nonsense", "foo:exact")
    assert query.applied == (("code", "a"),)


def test_an_unknown_parameter_is_refused_under_strict_handling(ask):
    with pytest.raises(FHIRError, match="nonsense") as refused:
        ask("Observation", ("nonsense", "1"), strict=True)

    assert refused.value.type is IssueType.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("name", "value"),
    [("x\r\ny", "1"), ("x", "1\n"), ("_format", "json\r\n"), ("_include", "\x1b[2J")],
)
def test_no_parameter_has_a_control_character(ask, name, value):
    with pytest.raises(FHIRError) as refused:
        ask("Observation", (name, value))

    assert refused.value.type is IssueType.INVALID


COSTLY = [
    [("code", "a")] * 201,
    [("code", ",".join("a" * 501))],
    [("code", ",".join("a" * 300)), ("code", ",".join("b" * 300))],
    [("_id", ",".join(["x"] * 10_000))],
    [("date", "ge2026")] * 21,
    [("date", ",".join(["2026"] * 21))],
    [("value-quantity", "1")] * 11 + [("date", "2026")] * 10,
    [("code-value-quantity", "a$1")] * 21,
    [("subject:Patient.name", "a")] * 11,
    [("_sort", ",".join(["date"] * 11))],
    [
        ("subject:Patient.organization.partof.partof.name", "a"),
    ],
    [
        (f"{'_has:Provenance:target:' * 3}agent", "a"),
    ],
    [("focus.date", "2026")],
    [("focus.focus.focus.code", "a")],
    [("subject" + ".subject" * 1000, "a")],
]


@pytest.mark.parametrize("pairs", COSTLY, ids=range(len(COSTLY)))
def test_too_much_is_refused(ask, pairs):
    with pytest.raises(FHIRError) as refused:
        ask("Observation", *pairs)

    assert refused.value.type is IssueType.TOO_COSTLY


def test_as_much_as_is_allowed_is_read(ask):
    pairs = [("code", ",".join("a" * 500)), *[("date", "ge2026")] * 20]

    assert len(ask("Observation", *pairs).conditions) == 21


def test_a_chain_asks_each_target_that_has_the_parameter(condition):
    found = condition("Observation", "subject.name", "peter")

    assert found == Chain(
        parameter=OBSERVATION["subject"],
        targets=tuple(
            (
                type_,
                Criterion(
                    parameter=parameters(type_)["name"],
                    modifier=None,
                    values=(Text("peter"),),
                ),
            )
            for type_ in ("Patient", "Location")
        ),
    )


def test_a_chain_through_patient_means_patients(condition):
    found = condition("Observation", "patient.identifier", "x|1")

    assert [type_ for type_, _ in found.targets] == ["Patient"]


def test_a_chain_follows_three_references(condition):
    name = "subject:Patient.general-practitioner:PractitionerRole.organization.name"

    found = condition("Observation", f"{name}:exact", "Praxis")

    assert found == Chain(
        parameter=OBSERVATION["subject"],
        targets=(
            (
                "Patient",
                Chain(
                    parameter=PATIENT["general-practitioner"],
                    targets=(
                        (
                            "PractitionerRole",
                            Chain(
                                parameter=parameters("PractitionerRole")[
                                    "organization"
                                ],
                                targets=(
                                    (
                                        "Organization",
                                        Criterion(
                                            parameter=parameters("Organization")[
                                                "name"
                                            ],
                                            modifier="exact",
                                            values=(Text("Praxis"),),
                                        ),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


def test_has_asks_what_refers(condition):
    found = condition("Patient", "_has:Observation:patient:code", "1234-5")

    assert found == Has(
        type="Observation",
        parameter=OBSERVATION["patient"],
        condition=Criterion(
            parameter=OBSERVATION["code"],
            modifier=None,
            values=(TokenValue(None, "1234-5"),),
        ),
    )


def test_has_can_hold_another_and_be_at_the_end_of_a_chain(condition):
    inner = "_has:Observation:patient:_has:Provenance:target:agent"

    alone = condition("Patient", inner, "Practitioner/1")
    chained = condition("Encounter", f"subject.{inner}", "Practitioner/1")

    assert isinstance(alone, Has)
    assert alone.condition.type == "Provenance"
    assert chained.targets == (("Patient", alone),)


def test_has_can_hold_a_chain(condition):
    found = condition(
        "Patient", "_has:Observation:patient:performer:Practitioner.name", "a"
    )

    assert isinstance(found.condition, Chain)
    assert [type_ for type_, _ in found.condition.targets] == ["Practitioner"]


INCLUDES = [
    ("_include", "Observation:subject", (None, False, False)),
    ("_include", "Observation:subject:Patient", ("Patient", False, False)),
    ("_include:iterate", "Observation:subject", (None, False, True)),
    ("_include:recurse", "Observation:subject", (None, False, True)),
    ("_revinclude", "Observation:subject", (None, True, False)),
    ("_revinclude:iterate", "Observation:subject:Group", ("Group", True, True)),
]


@pytest.mark.parametrize(("name", "value", "expected"), INCLUDES)
def test_an_include_names_a_reference(ask, name, value, expected):
    target, is_reverse, iterate = expected

    query = ask("Patient", (name, value))

    assert query.includes == (
        Include(
            source="Observation",
            parameter="subject",
            target=target,
            is_reverse=is_reverse,
            iterate=iterate,
        ),
    )
    assert query.applied == ((name, value),)


def test_several_types_share_a_parameter_of_one_type(ask):
    query = ask("Patient,Practitioner", ("name", "a"), ("_lastUpdated", "ge2026"))

    assert [one.parameter.code for one in query.conditions] == ["name", "_lastUpdated"]


def test_several_types_share_their_targets(condition):
    found = condition("Device,Observation", "patient", "1")

    assert found.values[0].type == "Patient"


@pytest.mark.parametrize(
    ("types", "name"),
    [
        ("Observation,Patient", "code"),  # Patients have none.
        ("Device,DeviceDefinition", "type.name"),
        ("CarePlan,Endpoint", "status:contains"),
        ("Observation,AllergyIntolerance", "severity"),
    ],
)
def test_a_parameter_that_only_some_types_have_is_refused(ask, types, name):
    with pytest.raises(FHIRError) as refused:
        ask(types, (name, "a"))

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_types_that_exclude_each_other_are_invalid(ask):
    with pytest.raises(FHIRError) as refused:
        ask("Observation,Patient", ("_type", "Observation"), ("_type", "Patient"))

    assert refused.value.type is IssueType.INVALID


def test_type_narrows_the_types_that_are_searched(ask):
    query = ask(
        "Condition,Observation,Patient",
        ("_type", "Observation,Condition"),
        ("code", "a"),
    )

    assert query.types == ("Condition", "Observation")
    assert query.applied == (("_type", "Observation,Condition"), ("code", "a"))


@pytest.mark.parametrize(
    ("value", "issue"),
    [
        ("Nonsense", IssueType.INVALID),
        ("", IssueType.INVALID),
        ("Observation,", IssueType.INVALID),
        ("Device", IssueType.INVALID),
        ("Bundle", IssueType.NOT_SUPPORTED),
    ],
)
def test_a_type_that_cannot_be_searched_is_refused(ask, value, issue):
    with pytest.raises(FHIRError) as refused:
        ask("Observation,Patient", ("_type", value))

    assert refused.value.type is issue


WORDS = [
    *("code", "date", "subject", "patient", "value-quantity", "_id", "_lastUpdated"),
    *("_has", "_include", "_revinclude", "_sort", "_count", "_summary", "_elements"),
    *("Patient", "Observation", "Provenance", "target", "name", "missing", "not"),
    *("exact", "text", "identifier", "iterate", "nonsense", "_type", "_contained"),
    *(":", ":", ":", ".", ".", "*", "-", "true", "false", "1", "ge2026", "ap1", ","),
    *("|", "$", "\\", "/", "\u0663", "http://x.example/a"),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=6).map("".join), st.text(max_size=12)
)
QUERIES = st.lists(
    st.tuples(st.one_of(st.sampled_from(WORDS), TEXTS), TEXTS), max_size=5
)


def read(pairs, *, strict):
    return parse(
        ("Observation",), pairs, base_urls=(), zone=UTC, now_us=0, strict=strict
    )


@settings(deadline=None, max_examples=500)
@given(QUERIES)
def test_a_query_is_refused_or_every_parameter_is_applied_or_reported(pairs):
    try:
        query = read(pairs, strict=False)
    except FHIRError as refused:
        assert refused.type in {  # noqa: PT017 - one of two outcomes
            IssueType.INVALID,
            IssueType.NOT_SUPPORTED,
            IssueType.TOO_COSTLY,
        }
        return

    left = [pair for pair in pairs if pair not in query.applied]
    assert query.ignored == tuple(name for name, _ in left)
    assert read(query.applied, strict=True) == replace(query, ignored=())
