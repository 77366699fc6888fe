"""Who stands for a patient, from when to when, and for how much."""

from datetime import UTC

import pytest

from consent.moments import bounds
from consent.overlays import REPRESENTATIVE, REPRESENTATIVE_OF_MINOR, SELF
from consent.references import Deployment
from consent.representatives import MINORS, OF_ADULTS, OF_AGE, OF_MINORS, standing

PLACE = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
NOW = "2026-06-15T12:00:00Z"


def person(birth_date=None, *states, country="US"):
    addresses = [{"country": country, "state": state} for state in states]
    return {
        "resourceType": "Patient",
        "id": "p",
        **({"birthDate": birth_date} if birth_date else {}),
        **({"address": addresses} if addresses else {}),
    }


def related(role="MTH", **more):
    whole = {
        "resourceType": "RelatedPerson",
        "id": "r",
        "active": True,
        "patient": {"reference": "Patient/p"},
        "relationship": [{"coding": [{"system": ROLE, "code": role}]}],
        "period": {"start": "2020-01-01"},
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


def stands(patient, related_person=None, *, user="RelatedPerson/r", at=NOW):
    return standing(
        user, patient, related_person, at_us=bounds(at, UTC)[0], deployment=PLACE
    )


def test_a_patient_stands_for_himself_and_for_nobody_else():
    assert stands(person(), user="Patient/p") is SELF
    assert stands(person(), user="Patient/q") is None
    assert stands(person(), user="Practitioner/p") is None


def test_a_related_person_is_the_one_who_asks():
    assert stands(person("2020-01-01"), related(), user="RelatedPerson/x") is None
    assert stands(person("2020-01-01"), None) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"active": False},
        {"active": None},
        {"patient": {"reference": "Patient/other"}},
        {"patient": {"display": "p"}},
        {"period": None},
        {"period": {"end": "2030"}},
        {"period": {"start": "2030"}},
        {"period": {"start": "2020", "end": "2026-06-14"}},
        {"period": {"start": "2020", "end": "2019"}},
        {"relationship": None},
        {"relationship": [{"text": "mother"}]},
        {"relationship": [{"coding": [{"system": "http://x", "code": "MTH"}]}]},
        {"relationship": [{"coding": [{"system": ROLE, "code": "SPS"}]}]},
    ],
)
def test_an_authority_that_is_not_certain_is_none(broken):
    assert stands(person("2020-01-01"), related()) is REPRESENTATIVE
    assert stands(person("2020-01-01"), related(**broken)) is None


def test_an_authority_holds_through_its_last_day():
    mother = related(period={"start": "2020", "end": "2026-06-15"})
    child = person("2020-01-01")

    assert stands(child, mother, at="2026-06-15T23:59:59Z") is REPRESENTATIVE
    assert stands(child, mother, at="2026-06-16T00:00:00Z") is None


@pytest.mark.parametrize("role", sorted(OF_MINORS))
@pytest.mark.parametrize(
    ("birth_date", "expected"),
    [
        ("2014-06-16", REPRESENTATIVE),
        ("2014-06-15", REPRESENTATIVE_OF_MINOR),
        ("2008-06-16", REPRESENTATIVE_OF_MINOR),
        ("2008-06-15", None),
        ("2014", REPRESENTATIVE_OF_MINOR),
        ("2008", None),
        ("1960-02-29", None),
        (None, None),
        ("soon", None),
    ],
)
def test_a_parent_stands_for_a_child_less_from_twelve_on(role, birth_date, expected):
    assert stands(person(birth_date, "CA"), related(role)) is expected


@pytest.mark.parametrize("role", sorted(OF_ADULTS))
@pytest.mark.parametrize(
    ("birth_date", "expected"),
    [
        ("2020-01-01", REPRESENTATIVE),
        ("2012-01-01", REPRESENTATIVE_OF_MINOR),
        ("1960-01-01", REPRESENTATIVE),
        (None, REPRESENTATIVE_OF_MINOR),
    ],
)
def test_a_guardian_or_attorney_stands_for_anybody(role, birth_date, expected):
    assert stands(person(birth_date, "IL"), related(role)) is expected


@pytest.mark.parametrize("row", MINORS, ids=lambda row: row.jurisdiction)
def test_every_row_decides_at_its_age(row):
    country, _, state = row.jurisdiction.partition("-")

    def at_age(years, days=0):
        return person(f"{2026 - years}-06-{15 - days:02d}", state, country=country)

    assert stands(at_age(row.alone_from), related()) is REPRESENTATIVE_OF_MINOR
    assert stands(at_age(row.alone_from - 1), related()) is REPRESENTATIVE
    assert row.alone_from < OF_AGE
    assert row.care
    assert "45 CFR" in row.source


@pytest.mark.parametrize(
    "states", [(), ("TX",), ("CA", "TX"), ("CA", "IL"), ("california",)]
)
def test_where_the_law_is_not_known_the_youngest_age_holds(states):
    assert stands(person("2014-06-15", *states), related()) is REPRESENTATIVE_OF_MINOR
    assert stands(person("2014-06-16", *states), related()) is REPRESENTATIVE


def test_an_address_that_is_none_is_passed_over():
    child = {**person("2014-06-16", "CA"), "address": ["broken"]}

    assert stands(child, related()) is REPRESENTATIVE
