"""What a role, a registration and a situation leave of what was asked."""

import pytest
from authorizing import app_client, person

from fhir_service.auth.grantable import WORDS, Situation, chosen, offer, repeated
from fhir_service.auth.person_purposes import narrowed
from fhir_service.auth.role_scopes import EMERGENCY, ROLE_SCOPES, WITH_PATIENT
from fhir_service.auth.scope_parts import CATEGORIES, TYPES, parts
from fhir_service.auth.scopes import parse_scope, read_scopes
from fhir_service.auth.users import Role

EVERYTHING = "patient/*.cruds user/*.cruds"
AT_HAND = Situation(has_patient=True, has_launch=True, has_encounter=True)

US_CORE_7 = """
DocumentReference.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note
Condition.rs?category=http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern
Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis
Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item
Observation.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-category|sdoh
Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|social-history
Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory
Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|survey
Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs
"""
"""What a server has to support, or should, by US Core 7.0.0, scopes.html."""


def offered(role: str, asked: str = EVERYTHING, situation: Situation = AT_HAND) -> str:
    account = person(role, "someone")
    client = app_client(scopes=f"{EVERYTHING} {' '.join(WORDS)}")
    return " ".join(offer(asked, client, account, situation).texts)


@pytest.mark.parametrize(
    ("role", "widest"),
    [
        (
            "patient",
            (
                "patient/*.rs patient/QuestionnaireResponse.cu patient/Observation.c "
                "user/*.rs"
            ),
        ),
        (
            "related-person",
            (
                "patient/*.rs patient/QuestionnaireResponse.cu patient/Observation.c "
                "user/*.rs"
            ),
        ),
        ("practitioner", "patient/*.cruds user/*.cruds"),
        (
            "compliance-officer",
            "user/AuditEvent.rs user/Consent.rs user/Provenance.rs user/Patient.rs",
        ),
        (
            "administrator",
            (
                "user/Organization.rs user/Practitioner.rs user/PractitionerRole.rs "
                "user/Location.rs user/Endpoint.rs user/HealthcareService.rs"
            ),
        ),
    ],
)
def test_a_role_has_its_widest_scopes(role: str, widest: str) -> None:
    assert offered(role) == widest


def test_every_role_has_a_row_that_is_understood() -> None:
    assert set(ROLE_SCOPES) == set(Role)
    for text in (*ROLE_SCOPES.values(), EMERGENCY):
        assert [str(scope) for scope in read_scopes(text)] == text.split()
    for role in set(Role) - WITH_PATIENT:
        assert "patient/" not in ROLE_SCOPES[role]


@pytest.mark.parametrize(
    ("word", "situation", "is_offered"),
    [
        ("openid", Situation(), True),
        ("launch", Situation(), False),
        ("launch", Situation(has_launch=True), True),
        ("launch/patient", Situation(), False),
        ("launch/patient", Situation(has_patient=True), True),
        ("launch/encounter", Situation(has_launch=True), False),
        ("launch/encounter", Situation(has_encounter=True), True),
        ("offline_access", Situation(), True),
        ("offline_access", Situation(is_emergency=True), False),
        ("online_access", Situation(is_emergency=True), False),
        ("introspect", Situation(is_emergency=True), False),
        ("introspect", Situation(), True),
        ("unknown", AT_HAND, False),
    ],
)
def test_a_word_needs_what_it_is_about(
    word: str, situation: Situation, *, is_offered: bool
) -> None:
    assert offered("practitioner", word, situation) == (word if is_offered else "")


@pytest.mark.parametrize("word", ["fhirUser", "profile"])
def test_who_has_no_resource_cannot_be_told_by_it(word: str) -> None:
    client = app_client()
    someone = person("administrator", "someone", reference=None)

    assert offer(word, client, someone, AT_HAND).texts == ()
    assert offer(word, client, someone, AT_HAND).missing == (word,)


def test_an_officer_has_no_patient_in_context() -> None:
    assert offered("compliance-officer", "launch/patient patient/*.rs") == ""


def test_without_a_patient_no_patient_scope_is_offered() -> None:
    assert offered("practitioner", EVERYTHING, Situation()) == "user/*.cruds"


def test_a_backend_scope_is_no_apps() -> None:
    client = app_client(scopes="system/*.cruds patient/*.rs")

    found = offer("system/*.rs", client, person("practitioner", "x"), AT_HAND)

    assert (found.texts, found.missing) == ((), ("system/*.rs",))


def test_the_parts_are_scopes_as_us_core_spells_them() -> None:
    texts = {
        str(part)
        for type_ in CATEGORIES
        for level in ("patient", "user")
        for part in parts(parse_scope(f"{level}/{type_}.rs"))
    }

    for line in US_CORE_7.split():
        assert {f"patient/{line}", f"user/{line}"} <= texts
    for text in texts:
        assert str(parse_scope(text)) == text


def test_the_parts_of_everything_are_types() -> None:
    some = parts(parse_scope("patient/*.read"))

    assert [str(part) for part in some] == [f"patient/{type_}.rs" for type_ in TYPES]


def test_most_types_have_no_parts() -> None:
    assert parts(parse_scope("patient/Goal.rs")) == ()


def test_a_choice_is_made_of_what_was_offered() -> None:
    found = offer(
        "openid patient/Goal.rs patient/Flag.rs",
        app_client(),
        person("patient", "x"),
        AT_HAND,
    )

    assert chosen(found, frozenset({"patient/Flag.rs", "x"}), frozenset()) == (
        "patient/Flag.rs",
    )
    assert chosen(found, frozenset(), frozenset()) == ()


def test_an_earlier_choice_narrows_what_is_asked_now() -> None:
    found = offer(
        "openid patient/Goal.read", app_client(), person("patient", "x"), AT_HAND
    )

    assert repeated(found, "openid patient/Goal.r") == ("openid", "patient/Goal.r")
    assert repeated(found, "patient/Flag.rs") == ()


def test_purposes_are_narrowed_never_widened() -> None:
    possible = ("TREAT", "HPAYMT")

    assert narrowed(possible, ()) == possible
    assert narrowed(possible, ("HPAYMT",)) == ("HPAYMT",)
    assert narrowed(possible, ("HPAYMT", "BTG")) is None
    assert narrowed((), ("TREAT",)) is None
