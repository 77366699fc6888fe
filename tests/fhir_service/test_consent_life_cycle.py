"""A Consent from filing to withdrawal and back, through the API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from worlds import actor, consent, heart_rate, link, observation, permit, purposes

from consent.life_cycle import TRANSITIONS

WORDS = {"system": "https://clinic.example/consents", "value": "2026-17"}
PCF = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF."


def rights(clinic, **more):
    provision = permit(
        actor=actor(clinic.organization), purpose=purposes("TREAT"), **more
    )
    return consent(clinic.patient, provision)


def post(clinic, resource, **headers):
    return clinic.world.send(
        "POST", "/fhir/Consent", resource, {**clinic.admin, **headers}
    )


def put(clinic, resource):
    path = f"/fhir/Consent/{resource['id']}"
    return clinic.world.send("PUT", path, resource, clinic.admin)


def place(answer):
    [issue] = answer.json["issue"]
    return issue["expression"]


ROADS = {
    "draft": ("draft",),
    "proposed": ("proposed",),
    "active": ("active",),
    "rejected": ("proposed", "rejected"),
    "inactive": ("active", "inactive"),
    "entered-in-error": ("active", "entered-in-error"),
}
"""Status → a way to it."""


@pytest.mark.parametrize("before", sorted(TRANSITIONS))
def test_every_change_of_status_is_answered_as_the_table_says(clinic, before):
    for after in sorted(TRANSITIONS):
        first, *rest = ROADS[before]
        made = clinic.world.create({**rights(clinic), "status": first}, clinic.admin)
        for status in rest:
            made = clinic.world.update({**made, "status": status}, clinic.admin)
        evidence = {"verified": True, "verificationDate": "2026-11-20"}

        answer = put(clinic, {**made, "status": after, "verification": [evidence]})

        if after in TRANSITIONS[before]:
            assert answer.status_code == 200, (before, after)
            assert int(answer.json["meta"]["versionId"]) == len(ROADS[before]) + 1
        else:
            assert (answer.status_code, place(answer)) == (422, ["Consent.status"])


def test_what_was_never_filed_is_not_an_error(clinic):
    answer = post(clinic, {**rights(clinic), "status": "entered-in-error"})

    assert (answer.status_code, place(answer)) == (422, ["Consent.status"])


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive"])
def test_only_an_active_consent_is_in_force(clinic, status):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.world.create({**rights(clinic), "status": status}, clinic.admin)

    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_a_withdrawn_consent_is_confirmed_with_evidence_only(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    made = clinic.world.create(rights(clinic), clinic.admin)
    withdrawn = clinic.world.update({**made, "status": "inactive"}, clinic.admin)
    clinic.world.clock.pass_s(86_400)
    again = {**withdrawn, "status": "active"}
    evidence = {"verified": True, "verificationDate": "2026-11-21"}
    query = f"Observation?patient={clinic.patient}"

    refused = put(clinic, again)
    hidden = clinic.found(query)
    confirmed = put(clinic, {**again, "verification": [evidence]})

    assert (refused.status_code, place(refused)) == (422, ["Consent.status"])
    assert hidden == []
    assert confirmed.status_code == 200
    assert confirmed.json["meta"]["versionId"] == "3"
    assert len(clinic.found(query)) == 1


def test_a_consent_keeps_its_patient(clinic):
    made = clinic.world.create(rights(clinic), clinic.admin)
    other = {"reference": f"Patient/{clinic.another_patient()}"}

    answer = put(clinic, {**made, "patient": other})

    assert (answer.status_code, place(answer)) == (422, ["Consent.patient"])


def test_an_amendment_is_a_new_version_and_the_old_one_stays(clinic):
    made = clinic.world.create(rights(clinic), clinic.admin)
    period = {"end": "2027-01-01"}

    clinic.world.update(
        {**made, "provision": {**made["provision"], "period": period}}, clinic.admin
    )

    old = clinic.world.get(f"/fhir/Consent/{made['id']}/_history/1", clinic.admin)
    assert old.json == made


def test_a_consent_expires_at_its_last_moment(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.world.create(rights(clinic, period={"end": "2026-11-20"}), clinic.admin)
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    seen = []

    for moment in (midnight - timedelta(microseconds=1), midnight):
        clinic.world.clock.go(moment)
        seen.append(len(clinic.found(f"Observation?patient={clinic.patient}")))

    assert seen == [1, 0]


def test_a_clock_that_jumps_back_is_believed(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.world.create(rights(clinic, period={"start": "2026-11-21"}), clinic.admin)
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    seen = []

    for moment in (noon, noon - timedelta(days=1), noon):
        clinic.world.clock.go(moment)
        seen.append(len(clinic.found(f"Observation?patient={clinic.patient}")))

    assert seen == [1, 0, 1]


def test_a_withdrawal_holds_for_the_page_that_follows(clinic):
    made = clinic.world.create(rights(clinic), clinic.admin)
    clinic.deliver(*(heart_rate(number, "user-1") for number in range(4)))
    first = clinic.search(f"Observation?patient={clinic.patient}&_count=2")

    clinic.world.update({**made, "status": "inactive"}, clinic.admin)

    following = link(first, "next").partition("/fhir/")[2]
    assert len(first["entry"]) == 2
    assert clinic.found(following) == []


def counted(world):
    return dict(world.audited()[-1].counts)


@pytest.mark.parametrize(
    ("written", "is_flagged"),
    [("2026-01-01", True), ("2026-11-20", False), ("2026-12-24", False)],
)
def test_a_back_dated_consent_is_kept_and_flagged(clinic, written, is_flagged):
    made = clinic.world.create({**rights(clinic), "dateTime": written}, clinic.admin)

    assert made["dateTime"] == written
    assert counted(clinic.world) == ({"back-dated": 1} if is_flagged else {})


def identified(clinic):
    return {**rights(clinic), "identifier": [WORDS]}


def test_the_same_consent_is_not_filed_twice(clinic):
    made = clinic.world.create(identified(clinic), clinic.admin)

    again = post(clinic, identified(clinic))
    found = post(
        clinic,
        identified(clinic),
        **{"If-None-Exist": f"identifier={WORDS['system']}|{WORDS['value']}"},
    )

    assert (again.status_code, place(again)) == (409, ["Consent.identifier"])
    assert (found.status_code, found.json["id"]) == (200, made["id"])


def test_the_same_consent_filed_at_once_is_one(clinic):
    clinic.world.http  # noqa: B018 - made before the threads ask for it

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(clinic, identified(clinic)), range(4)))

    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    assert len(clinic.found("Consent")) == 1


def test_an_update_keeps_its_own_identifier_and_takes_no_others(clinic):
    clinic.world.create(identified(clinic), clinic.admin)
    own = {**WORDS, "value": "2026-18"}
    made = clinic.world.create({**rights(clinic), "identifier": [own]}, clinic.admin)

    kept = put(clinic, made)
    taken = put(clinic, {**made, "identifier": [own, WORDS]})

    assert kept.status_code == 200
    assert (taken.status_code, place(taken)) == (409, ["Consent.identifier"])


def test_what_was_an_error_may_be_filed_again(clinic):
    made = clinic.world.create(identified(clinic), clinic.admin)
    clinic.world.update({**made, "status": "entered-in-error"}, clinic.admin)

    assert post(clinic, identified(clinic)).status_code == 201


def test_the_same_identifier_of_another_patient_is_another_consent(clinic):
    clinic.world.create(identified(clinic), clinic.admin)
    other = {"reference": f"Patient/{clinic.another_patient()}"}

    assert post(clinic, {**identified(clinic), "patient": other}).status_code == 201


def whole(clinic, **more):
    """Return a consent with every element that PCF asks for."""
    return {
        **rights(clinic),
        "performer": [{"reference": f"Patient/{clinic.patient}"}],
        "organization": [{"reference": clinic.organization}],
        "sourceReference": {"reference": "DocumentReference/1"},
        **more,
    }


def test_a_consent_that_fits_pcf_says_so_and_loses_the_claim_with_the_fit(clinic):
    made = clinic.world.create(whole(clinic), clinic.admin)
    richer = {
        **made["provision"],
        "code": [{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}],
    }

    changed = clinic.world.update({**made, "provision": richer}, clinic.admin)

    assert made["meta"]["profile"] == [f"{PCF}consentBasic"]
    assert "profile" not in changed["meta"]


def test_a_claim_of_pcf_that_is_not_true_is_not_kept(clinic):
    claim = {"profile": [f"{PCF}consentBasic", "https://clinic.example/profile"]}

    made = clinic.world.create({**rights(clinic), "meta": claim}, clinic.admin)

    assert made["meta"]["profile"] == ["https://clinic.example/profile"]
