import pytest

from fhir_service.auth.scopes import (
    INTERACTIONS,
    MAX_LENGTH,
    MAX_SCOPES,
    Filter,
    granted,
    parse_scope,
    parse_scopes,
)

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITAL = f"category={CATEGORY}|vital-signs"
SURVEY = f"category={CATEGORY}|survey"
OBSERVATIONS = "system/Observation.rs"
VITAL_SIGNS = f"system/Observation.rs?{VITAL}"


@pytest.mark.parametrize(
    ("text", "level", "type_", "letters"),
    [
        ("system/Observation.rs", "system", "Observation", "rs"),
        ("system/*.cruds", "system", "*", "cruds"),
        ("patient/Patient.r", "patient", "Patient", "r"),
        ("user/Device.cud", "user", "Device", "cud"),
        ("system/Observation.read", "system", "Observation", "rs"),
        ("system/Observation.write", "system", "Observation", "cud"),
        ("system/*.*", "system", "*", "cruds"),
    ],
)
def test_both_versions_of_the_grammar_are_understood(
    text: str, level: str, type_: str, letters: str
) -> None:
    scope = parse_scope(text)

    assert scope is not None
    assert (scope.level, scope.type, scope.letters) == (level, type_, letters)


def test_a_category_filter_is_understood() -> None:
    scope = parse_scope(f"system/Observation.rs?{VITAL}")

    assert scope is not None
    assert scope.filters == (
        Filter(parameter="category", system=CATEGORY, code="vital-signs"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "openid",
        "launch/patient",
        "system/Observation",
        "system/Observation.",
        "system/Observation.sr",
        "system/Observation.rr",
        "system/Observation.dus",
        "system/Observation.RS",
        "system/observation.rs",
        "system/.rs",
        "system/**.rs",
        "system/Obs*.rs",
        "/Observation.rs",
        "SYSTEM/Observation.rs",
        "system/Observation.rs ",
        "system/Observation.rs\n",
        "system/Observation.rs\x00",
        "system/Observation.rs?",
        "system/Observation.rs?category",
        "system/Observation.rs?category=",
        "system/Observation.rs?category=vital-signs",
        "system/Observation.rs?category=|vital-signs",
        f"system/Observation.rs?category={CATEGORY}|",
        f"system/Observation.rs?{VITAL},{CATEGORY}|survey",
        f"system/Observation.rs?{VITAL}&",
        f"system/Observation.rs?{VITAL}&&{SURVEY}",
        f"system/Observation.rs?{VITAL}?{SURVEY}",
        f"system/Observation.rs?code={CATEGORY}|x",
        f"system/Observation.rs?category:not={CATEGORY}|x",
        f"system/Observation.rs?category={CATEGORY}%7Cx|y",
        f"system/Observation.read?{VITAL}",
        "system/Obs\u0435rvation.rs",
        "system/../Patient.rs",
        "system/Observation.rs" + "s" * 10_000,
    ],
)
def test_what_is_not_understood_to_the_last_character_is_no_scope(text: str) -> None:
    assert parse_scope(text) is None


def test_each_interaction_needs_its_own_letter() -> None:
    for interaction, letter in INTERACTIONS.items():
        others = "".join(c for c in "cruds" if c != letter)

        assert parse_scopes(f"system/Device.{letter}").allows("Device", interaction)
        assert parse_scopes(f"system/Device.{others}").allows(
            "Device", interaction
        ) is (None)


def test_an_unknown_interaction_is_not_allowed() -> None:
    assert parse_scopes("system/*.cruds").allows("Device", "execute") is None


def test_a_scope_for_one_type_allows_no_other() -> None:
    assert parse_scopes("system/Device.rs").allows("Patient", "read") is None


def test_a_wildcard_allows_every_type_without_a_filter() -> None:
    assert parse_scopes("system/*.rs").allows("Patient", "read") == ((),)


def test_filters_of_several_scopes_are_alternatives() -> None:
    scopes = parse_scopes(
        f"system/Observation.rs?{VITAL} system/Observation.rs?{SURVEY}"
    )

    allowed = scopes.allows("Observation", "search-type")

    assert allowed == (
        (Filter(parameter="category", system=CATEGORY, code="vital-signs"),),
        (Filter(parameter="category", system=CATEGORY, code="survey"),),
    )


def test_a_scope_without_a_filter_includes_those_with_one() -> None:
    scopes = parse_scopes(f"system/Observation.r?{VITAL} system/*.r")

    assert scopes.allows("Observation", "read") == ((),)


def test_levels_that_are_not_enforced_allow_nothing() -> None:
    scopes = parse_scopes("patient/*.cruds user/*.cruds openid")

    assert scopes.items == ()
    assert scopes.allows("Patient", "read") is None


@pytest.mark.parametrize(
    "text",
    [
        "system/Device.rs " + "x" * MAX_LENGTH,
        "system/Device.rs" + " x" * MAX_SCOPES,
    ],
)
def test_an_oversized_parameter_allows_nothing(text: str) -> None:
    assert parse_scopes(text).items == ()


@pytest.mark.parametrize(
    ("requested", "registered", "expected"),
    [
        ("system/Device.rs", "system/Device.rs", "system/Device.rs"),
        ("system/Device.cruds", "system/Device.rs", "system/Device.rs"),
        ("system/Device.rs", "system/*.cruds", "system/Device.rs"),
        ("system/*.rs", "system/A.r system/B.s", "system/A.r system/B.s"),
        ("system/Device.read", "system/Device.rs", "system/Device.read"),
        ("system/*.read", "system/*.rs", "system/*.read"),
        ("system/Device.*", "system/Device.rs", "system/Device.read"),
        ("system/Device.read", "system/Device.r", "system/Device.r"),
        ("system/Device.rs", "system/Device.read", "system/Device.rs"),
        ("patient/Device.rs", "system/Device.rs", ""),
        ("system/Device.rs", "patient/Device.rs", ""),
        ("system/Patient.rs", "system/Device.rs", ""),
        ("system/Device.c", "system/Device.rs", ""),
        ("openid system/Device.r nonsense", "system/Device.rs", "system/Device.r"),
        ("system/Device.r system/Device.r", "system/Device.rs", "system/Device.r"),
        (VITAL_SIGNS, OBSERVATIONS, VITAL_SIGNS),
        (OBSERVATIONS, VITAL_SIGNS, VITAL_SIGNS),
        ("system/*.rs", VITAL_SIGNS, VITAL_SIGNS),
        ("system/Observation.read", VITAL_SIGNS, VITAL_SIGNS),
        (
            f"system/Observation.rs?{SURVEY}",
            f"system/Observation.rs?{VITAL}",
            f"system/Observation.rs?{SURVEY}&{VITAL}",
        ),
    ],
)  # fmt: skip
def test_the_part_within_the_registered_scopes_is_granted(
    requested: str, registered: str, expected: str
) -> None:
    found = granted(requested, registered)

    assert " ".join(scope.text for scope in found) == expected


def test_what_is_granted_never_allows_more_than_either_side() -> None:
    words = ["system/*.rs", "system/Device.cud", f"system/Observation.r?{VITAL}"]
    for asked in words:
        for limit in words:
            scopes = parse_scopes(" ".join(map(str, granted(asked, limit))))
            for type_ in ("Device", "Observation", "Patient"):
                for interaction in INTERACTIONS:
                    if scopes.allows(type_, interaction) is not None:
                        assert parse_scopes(asked).allows(type_, interaction)
                        assert parse_scopes(limit).allows(type_, interaction)
