"""`$lastn` on each database: the newest of each code that may be seen."""

import pytest
from worlds import RESTING, SPO2, STEPS, codes, furnish, matches, observation


@pytest.fixture
def clinic(any_world):
    """Return a clinic that may not see what was made in March, nor any SpO2."""
    clinic = furnish(any_world)
    march = {"start": "2026-03-01", "end": "2026-03-31"}
    clinic.consented(
        provision=[
            {"type": "deny", "dataPeriod": march},
            {"type": "deny", "code": codes(SPO2)},
        ]
    )
    return clinic


def stored(clinic, code, *months):
    """Return the ids of Observations of a code, made in these months."""
    made = [
        observation(clinic.patient, code, effectiveDateTime=f"2026-{month:02d}-02")
        for month in months
    ]
    return [clinic.world.create(one, clinic.admin)["id"] for one in made]


def newest(clinic, query=""):
    """Return code → the ids of its newest, in their order."""
    path = f"Observation/$lastn?patient={clinic.patient}{query}"
    found = {}
    for one in matches(clinic.search(path)):
        found.setdefault(one["code"]["coding"][0]["code"], []).append(one["id"])
    return found


def test_the_newest_of_each_code_are_shown_newest_first(clinic):
    resting = stored(clinic, RESTING, 1, 5, 2, 5)
    steps = stored(clinic, STEPS, 4)
    stored(clinic, SPO2, 6)

    assert newest(clinic) == {RESTING: [resting[3]], STEPS: steps}
    assert newest(clinic, "&max=3") == {
        RESTING: [resting[3], resting[1], resting[2]],
        STEPS: steps,
    }


def test_an_older_one_stands_in_the_place_of_a_hidden_one(clinic):
    old, _ = stored(clinic, RESTING, 2, 3)
    stored(clinic, STEPS, 3)

    assert newest(clinic) == {RESTING: [old]}


def test_what_is_asked_narrows_every_code(clinic):
    resting = stored(clinic, RESTING, 1, 2, 4)
    steps = stored(clinic, STEPS, 1, 5)

    assert newest(clinic, "&date=lt2026-04-01&max=9") == {
        RESTING: resting[1::-1],
        STEPS: steps[:1],
    }
    assert newest(clinic, f"&code={STEPS}") == {STEPS: steps[1:]}


def test_a_patient_without_data_has_nothing_newest(clinic):
    assert newest(clinic) == {}
