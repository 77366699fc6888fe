"""`consent explain` at another instant, under a draft, and of a past decision."""

import json

import pytest
from worlds import (
    STEPS,
    codes,
    consent,
    heart_rate,
    observation,
    permit,
    settings_of,
)

from consent.audit.entry import Interaction


@pytest.fixture
def told(clinic):
    """Return a clinic with six heart rates, and one record of steps withheld."""
    clinic.world.clock.pass_s(1)
    clinic.consented(provision=[{"type": "deny", "code": codes(STEPS)}])
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(6)])
    clinic.world.create(observation(clinic.patient, STEPS), clinic.admin)
    return clinic


@pytest.fixture
def explain(told, fhir_service):
    """Return what runs the command over the clinic's data folder."""

    def run(*words):
        settings = settings_of(told.world.data)
        return fhir_service(settings, "consent", "explain", *words)

    return run


@pytest.fixture
def explained(told, explain):
    def run(*words):
        who = ("--patient", told.patient, "--client", "ehr", "--json")
        result = explain(*who, *words)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


def of_observations(found):
    [one] = [one for one in found["types"] if one["type"] == "Observation"]
    return one["rows"], one["permitted"]


def saved(tmp_path, resource):
    path = tmp_path / "draft.json"
    path.write_text(json.dumps(resource))
    return str(path)


def test_now_the_stored_consents_decide(explained):
    found = explained()

    assert found["decision"] == "CONSENT_PERMIT"
    assert of_observations(found) == (7, 6)


def test_before_anything_was_filed_nothing_was_permitted(explained):
    found = explained("--at", "2026-11-20T12:00:00.500Z")

    assert (found["decision"], found["consents"]) == ("NO_CONSENT", [])
    assert found["at"] == "2026-11-20T12:00:00.500Z"
    assert of_observations(found) == (7, 0)


def test_a_draft_is_asked_from_a_file_and_compared(told, explained, tmp_path):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    path = saved(tmp_path, {**stored, "provision": permit(code=codes(STEPS))})

    found = explained("--draft", path, "--diff")

    assert of_observations(found) == (7, 1)
    change = {one["who"]: one for one in found["change"]}["ehr"]
    assert "Number of steps in unspecified time Pedometer" in change["gains"]
    assert "sleep" in change["loses"]
    assert found["consents"] == [f"Consent/{stored['id']} (draft)"]


def test_what_a_draft_changes_is_said_in_a_line(told, explain, tmp_path):
    path = saved(tmp_path, consent(told.patient, {"type": "deny"}))
    words = ("--patient", told.patient, "--client", "ehr")

    text = explain(*words, "--draft", path, "--diff").stdout

    [line] = [line for line in text.splitlines() if line.startswith("ehr (TREAT): ")]
    assert "loses " in line
    assert "sleep" in line
    assert line.endswith("; 8 rows before, 2 after")
    assert "CONSENT_DENY" not in text.splitlines()[0]


def test_a_draft_that_could_not_be_filed_is_refused(told, explain, tmp_path):
    path = saved(tmp_path, consent(told.patient, {"type": "PERMIT"}))
    words = ("--patient", told.patient, "--client", "ehr")

    result = explain(*words, "--draft", path)

    assert result.exit_code == 1
    assert result.stderr.startswith("fhir-service: ")


def test_the_elements_in_the_way_are_printed(told, explain):
    words = ("--patient", told.patient, "--client", "ehr")

    text = explain(*words, "--at", "2025-01-01").stdout

    assert "NO_CONSENT" in text


def test_a_decision_is_replayed_the_same_to_the_byte(told, explain):
    told.found(f"Observation?patient={told.patient}")
    index = str(len(told.world.audited()) - 1)

    first = explain("--replay", index, "--json")
    again = explain("--replay", index, "--json")

    assert (first.exit_code, first.stdout) == (0, again.stdout)
    made = json.loads(first.stdout)
    assert made["result"] == "reproduced"
    assert len(made["patients"][0]["disclosed"]) == 6


def test_a_replay_is_told_for_people_and_is_in_the_log(told, explain):
    told.found(f"Observation?patient={told.patient}")
    index = len(told.world.audited()) - 1

    text = explain("--replay", str(index)).stdout

    assert text.startswith(f"Row {index}, search by ehr at ")
    assert text.splitlines()[0].endswith(": reproduced")
    assert "Not replayed: the scopes of the token" in text
    last = told.world.audited()[-1]
    assert last.interaction == Interaction.CONSENT_DECISION
    assert last.request == f"consent explain --replay {index}"
    assert last.patients == told.world.audited()[index].patients


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--patient", "p"),
        ("--client", "c"),
        ("--replay", "1", "--client", "c"),
        ("--replay", "1", "--diff"),
    ],
)
def test_a_question_that_is_none_is_misused(explain, words):
    assert explain(*words).exit_code == 2


def test_a_row_that_is_not_there_is_said(explain):
    result = explain("--replay", "99999")

    assert result.exit_code == 1
    assert "There is no such row in the audit log." in result.stderr
