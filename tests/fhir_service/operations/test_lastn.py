"""$lastn: the newest of each code, as far as it may be seen."""

import pytest
from worlds import HEART_RATE, RESTING, STEPS, heart_rate, observation, steps

RESTING_HEART_RATE = f"http://loinc.org|{RESTING}"


@pytest.fixture
def told(clinic):
    """Return a clinic whose patient has readings of two kinds and one record."""
    clinic.consented()
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(6)])
    clinic.deliver(*[steps(number, "user-1", day=number + 1) for number in range(3)])
    record = observation(clinic.patient, effectiveDateTime="2026-11-02T09:00:00Z")
    clinic.world.create(record, clinic.admin)
    return clinic


def newest(clinic, query="", headers=None):
    found = clinic.found(f"Observation/$lastn?patient={clinic.patient}{query}", headers)
    return [(one["code"]["coding"][0]["code"], when(one)) for one in found]


def when(resource):
    return resource.get("effectiveDateTime") or resource["effectivePeriod"]["start"]


def test_the_newest_of_each_code_is_returned(told):
    assert sorted(newest(told)) == sorted(
        [
            (HEART_RATE, "2026-11-06T00:00:00+01:00"),
            (STEPS, "2026-11-03T08:00:00+01:00"),
            (RESTING, "2026-11-02T09:00:00Z"),
        ]
    )


def test_max_says_how_many_of_each_code(told):
    found = newest(told, f"&max=2&code={HEART_RATE},{STEPS}")

    assert sorted(found) == [
        (STEPS, "2026-11-02T08:00:00+01:00"),
        (STEPS, "2026-11-03T08:00:00+01:00"),
        (HEART_RATE, "2026-11-05T00:00:00+01:00"),
        (HEART_RATE, "2026-11-06T00:00:00+01:00"),
    ]


def test_a_condition_holds_before_the_newest_is_chosen(told):
    found = newest(told, f"&code={HEART_RATE}&date=lt2026-11-04")

    assert found == [(HEART_RATE, "2026-11-04T00:00:00+01:00")]


def test_what_an_index_cannot_decide_alone_is_compared(told):
    found = newest(told, f"&code-value-quantity={HEART_RATE}$gt50")

    assert found == [(HEART_RATE, "2026-11-06T00:00:00+01:00")]


def test_where_the_newest_is_hidden_an_older_one_stands(clinic):
    clinic.consented(dataPeriod={"start": "2026-01-01", "end": "2026-11-04"})
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(3)])
    clinic.deliver(steps(5, "user-1", day=2))
    late = observation(clinic.patient, STEPS, effectiveDateTime="2026-11-09T00:00:00Z")
    clinic.world.create(late, clinic.admin)

    assert sorted(newest(clinic)) == [
        (STEPS, "2026-11-02T08:00:00+01:00"),
        (HEART_RATE, "2026-11-03T00:00:00+01:00"),
    ]


def test_a_hidden_patient_has_none_like_an_unknown_one(clinic):
    other = clinic.another_patient("user-2")
    clinic.world.create(observation(other), clinic.admin)

    assert clinic.found(f"Observation/$lastn?patient={other}") == []
    assert clinic.found("Observation/$lastn?patient=nobody") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "required"),
        ("?max=3", "required"),
        ("?patient=x&max=0", "invalid"),
        ("?patient=x&max=1e3", "invalid"),
        ("?patient=x&max=1&max=2", "invalid"),
        ("?patient=x&_sort=date", "not-supported"),
        ("?patient=x&_include=Observation:device", "not-supported"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(clinic, query, code):
    answer = clinic.world.get(f"/fhir/Observation/$lastn{query}", clinic.ehr)

    assert answer.status_code in (400, 422)
    assert answer.json["issue"][0]["code"] == code


def test_a_form_asks_the_same(told):
    asked = {"patient": told.patient, "code": HEART_RATE}

    answer = told.world.http.post(
        "/fhir/Observation/$lastn", data=asked, headers=told.ehr
    )

    [entry] = answer.json["entry"]
    assert when(entry["resource"]) == "2026-11-06T00:00:00+01:00"
