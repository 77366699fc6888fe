"""Which patient a request is about, and what an EHR launch brings."""

import json
from typing import Any

import pytest
from authorizing import (
    ADA,
    BASE,
    BEN,
    Asking,
    Browser,
    app_client,
    person,
    sent,
    values_of,
)

from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import break_glass, launches
from fhir_service.storage.accounts import Account
from fhir_service.storage.break_glass import BreakGlass

Audit = Any
Clock = Any
LAUNCHED = "launch patient/Observation.rs"
STYLE = f"{BASE}/pages/smart-style.json"


def add_launch(asking: Asking, value: str, account: Account, **changes: Any) -> None:
    values = {
        "hash": token_hash(value),
        "client_id": "app",
        "user_id": account.user_id,
        "patient": "ada",
        "context": "{}",
        "break_glass_id": None,
        "expires": asking.services.clock() + 300_000_000,
    } | changes
    asking.services.database.write(
        lambda transaction: launches.add_launch(transaction, launches.Launch(**values))
    )


def allow(browser: Browser, page: Any, **changes: Any) -> dict[str, str]:
    return sent(browser.submit(page, "allow", **changes))


def test_a_patient_is_her_own_patient(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)

    allow(browser, browser.page(scope="launch/patient"))

    [granted] = asking.granted(ada)
    assert (granted.patient, granted.scopes) == ("ada", "launch/patient")


def test_who_has_no_patient_grants_nothing(asking: Asking, audit: Audit) -> None:
    nobody = asking.add_person(person("related-person", "u-nobody"))

    told = sent(asking.browser(nobody).page())

    assert told["error"] == "access_denied"
    assert audit.last == ("authorization-refused", "no-patient")


def test_who_stands_for_several_chooses_one(asking: Asking) -> None:
    parent = asking.add_person(person("related-person", "u-parent"), [ADA, BEN])
    browser = asking.browser(parent)
    picker = browser.page()

    answer = browser.submit(picker, "choose", patient="ben")
    page = browser.get(answer.headers["Location"])
    allow(browser, page)

    assert "Whose record?" in picker.text
    assert 'name="text"' not in picker.text
    assert "The record of Ben Example." in page.text
    assert [one.patient for one in asking.granted(parent)] == ["ben"]


def test_nobody_chooses_whom_she_does_not_stand_for(asking: Asking) -> None:
    parent = asking.add_person(person("related-person", "u-parent"), [ADA, BEN])
    browser = asking.browser(parent)
    picker = browser.page()

    for stranger in ("eve", "", "Patient/ada", "ada "):
        answer = browser.submit(picker, "choose", patient=stranger)
        assert answer.status_code == 200
        assert "No patient found." in answer.text
    assert browser.get(picker.request.path).text.count("Choose") > 1


def test_a_practitioner_looks_for_the_patient(asking: Asking, doctor: Account) -> None:
    browser = asking.browser(doctor)
    picker = browser.page()

    found = browser.submit(picker, "search", text="Example")
    answer = browser.submit(found, "choose", patient="ada")
    page = browser.get(answer.headers["Location"])
    allow(browser, page)

    assert "Ada Example" not in picker.text
    for words in ("Ada Example", "born 1970-01-02", "A1", "Ben Example"):
        assert words in found.text
    assert "Example" not in found.request.full_path
    assert asking.patients.texts == ["Example"]
    assert [one.patient for one in asking.granted(doctor)] == ["ada"]


def test_who_finds_nobody_can_cancel(asking: Asking, doctor: Account) -> None:
    asking.patients.matches = []
    browser = asking.browser(doctor)

    found = browser.submit(browser.page(), "search", text='"><script>')
    told = sent(browser.submit(found, "deny"))

    assert "No patient found." in found.text
    assert "<script>" not in found.text
    assert told["error"] == "access_denied"


def test_an_answer_before_the_patient_is_chosen_is_none(
    asking: Asking, doctor: Account
) -> None:
    browser = asking.browser(doctor)
    picker = browser.page()

    answer = browser.submit(picker, "allow", allow=["patient/Observation.rs"])

    assert answer.headers["Location"] == picker.request.path
    assert asking.granted(doctor) == []


def test_a_patient_is_chosen_once(asking: Asking, doctor: Account) -> None:
    browser = asking.browser(doctor)
    picker = browser.page()
    browser.submit(picker, "choose", patient="ada")

    browser.submit(picker, "choose", patient="ben")
    browser.submit(picker, "without")

    assert "The record of Ada Example." in browser.get(picker.request.path).text


def test_who_asks_for_more_than_a_patient_can_go_without(
    asking: Asking, doctor: Account
) -> None:
    browser = asking.browser(doctor)
    picker = browser.page(scope="launch/patient patient/Goal.rs user/Goal.rs")

    page = browser.get(browser.submit(picker, "without").headers["Location"])
    allow(browser, page)

    assert "No single patient." in page.text
    [granted] = asking.granted(doctor)
    assert (granted.patient, granted.scopes) == (None, "user/Goal.rs")
    assert granted.context == "{}"


def test_who_asks_for_a_patient_only_cannot_go_without(
    asking: Asking, doctor: Account
) -> None:
    browser = asking.browser(doctor)
    picker = browser.page()

    answer = browser.submit(picker, "without")

    assert 'value="without"' not in picker.text
    assert "Choose a patient" in browser.get(answer.headers["Location"]).text


def test_who_asks_for_no_patient_gets_none(asking: Asking, doctor: Account) -> None:
    browser = asking.browser(doctor)

    allow(browser, browser.page(scope="openid user/Goal.rs"))

    [granted] = asking.granted(doctor)
    assert (granted.patient, granted.context) == (None, "{}")


def test_a_launch_brings_its_context(asking: Asking, doctor: Account) -> None:
    context = {"encounter": "e-1", "intent": "order", "need_patient_banner": False}
    add_launch(asking, "value", doctor, context=json.dumps(context))
    browser = asking.browser(doctor)

    allow(browser, browser.page(scope=LAUNCHED, launch="value"))

    [granted] = asking.granted(doctor)
    assert granted.patient == "ada"
    assert json.loads(granted.context) == context | {"smart_style_url": STYLE}


def test_a_launch_without_a_patient_lets_choose_one(
    asking: Asking, doctor: Account
) -> None:
    add_launch(asking, "value", doctor, patient=None)
    browser = asking.browser(doctor)

    page = browser.page(scope=LAUNCHED, launch="value")

    assert "Choose a patient" in page.text


def test_a_launch_for_user_scopes_still_says_the_patient(
    asking: Asking, doctor: Account
) -> None:
    add_launch(asking, "value", doctor)
    browser = asking.browser(doctor)

    allow(browser, browser.page(scope="launch user/Goal.rs", launch="value"))

    [granted] = asking.granted(doctor)
    assert granted.patient == "ada"
    assert json.loads(granted.context) == {
        "need_patient_banner": True,
        "smart_style_url": STYLE,
    }


def test_who_does_not_tell_of_the_launch_tells_no_context(
    asking: Asking, doctor: Account
) -> None:
    add_launch(asking, "value", doctor, context='{"encounter":"e-1"}')
    browser = asking.browser(doctor)
    page = browser.page(scope="launch user/Goal.rs", launch="value")

    allow(browser, page, allow=["user/Goal.rs"])

    [granted] = asking.granted(doctor)
    assert (granted.patient, granted.context) == (None, "{}")


def test_the_encounter_scope_needs_a_launch_with_one(
    asking: Asking, doctor: Account
) -> None:
    add_launch(asking, "with", doctor, context='{"encounter":"e-1"}')
    add_launch(asking, "without", doctor)
    browser = asking.browser(doctor)
    scope = "launch launch/encounter user/Goal.rs"

    with_one = browser.page(scope=scope, launch="with")
    without = browser.page(scope=scope, launch="without")

    assert "launch/encounter" in values_of(with_one, "allow")
    assert "launch/encounter" not in values_of(without, "allow")


def test_the_launch_scope_without_a_launch_is_not_granted(
    asking: Asking, ada: Account
) -> None:
    page = asking.browser(ada).page(scope="launch launch/patient patient/Goal.rs")

    assert values_of(page, "allow") == ["launch/patient", "patient/Goal.rs"]
    assert "<code>launch</code>" in page.text


def test_a_launch_value_is_used_once(
    asking: Asking, audit: Audit, doctor: Account
) -> None:
    add_launch(asking, "value", doctor)
    browser = asking.browser(doctor)
    first = browser.page(scope=LAUNCHED, launch="value")

    told = sent(browser.page(scope=LAUNCHED, launch="value"))

    assert first.status_code == 200
    assert told["error"] == "invalid_request"
    assert audit.last == ("authorization-refused", "unknown-launch")
    assert browser.get(first.request.path).status_code == 200


def test_a_launch_value_is_good_for_minutes(
    asking: Asking, audit: Audit, clock: Clock, doctor: Account
) -> None:
    add_launch(asking, "value", doctor, expires=clock.now + 60_000_000)
    browser = asking.browser(doctor)
    path = browser.ask(scope=LAUNCHED, launch="value").headers["Location"]
    clock.pass_s(60)

    told = sent(browser.get(path))

    assert told["error"] == "invalid_request"
    assert audit.last == ("authorization-refused", "foreign-launch")


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"user_id": "u-other"}])
def test_a_launch_value_is_one_apps_and_one_persons(
    asking: Asking, audit: Audit, doctor: Account, changes: dict[str, Any]
) -> None:
    add_launch(asking, "value", doctor, **changes)

    told = sent(asking.browser(doctor).page(scope=LAUNCHED, launch="value"))

    assert told["error"] == "invalid_request"
    assert audit.last == ("authorization-refused", "foreign-launch")


def test_who_tries_anothers_value_has_spoilt_it(
    asking: Asking, ada: Account, doctor: Account
) -> None:
    add_launch(asking, "value", doctor)
    sent(asking.browser(ada).page(scope=LAUNCHED, launch="value"))

    told = sent(asking.browser(doctor).page(scope=LAUNCHED, launch="value"))

    assert told["error"] == "invalid_request"


def test_a_launch_opens_no_patient_whom_the_person_may_not_see(
    asking: Asking, audit: Audit, doctor: Account
) -> None:
    add_launch(asking, "value", doctor, patient="hidden")

    told = sent(asking.browser(doctor).page(scope=LAUNCHED, launch="value"))

    assert told["error"] == "access_denied"
    assert audit.last == ("authorization-refused", "hidden-patient")


def attest(asking: Asking, **changes: Any) -> BreakGlass:
    now = asking.services.clock()
    values = {
        "break_glass_id": "b-1",
        "user_id": "u-saver",
        "patient_key": 5,
        "patient": "hidden",
        "organization": None,
        "reason": "ETREAT",
        "note": b"sealed",
        "started": now,
        "expires": now + 900_000_000,
    } | changes
    use = BreakGlass(**values)
    asking.services.database.write(
        lambda transaction: break_glass.add(transaction, use)
    )
    return use


@pytest.fixture
def saver(asking: Asking) -> Account:
    return asking.add_person(person("practitioner", "u-saver", may_break_glass=True))


EMERGENCY = (
    "launch openid offline_access online_access patient/*.cruds user/*.rs "
    "launch/patient patient/Observation.rs"
)


def test_an_emergency_opens_reading_for_minutes(
    asking: Asking, audit: Audit, saver: Account
) -> None:
    use = attest(asking)
    add_launch(asking, "value", saver, patient="hidden", break_glass_id="b-1")
    asking.add_client(app_client("long", token_lifetime_s=3600))
    browser = asking.browser(saver)
    page = browser.page(scope=EMERGENCY, launch="value")

    allow(browser, page)

    [granted] = asking.granted(saver)
    assert granted.scopes == (
        "openid launch launch/patient patient/*.rs patient/Observation.rs"
    )
    assert granted.purposes == ("BTG",)
    assert (granted.patient, granted.break_glass_id) == ("hidden", "b-1")
    assert granted.expires <= use.expires
    assert granted.session is not None
    assert "This is emergency access." in page.text
    assert audit.events[-1].purposes == ("BTG",)


def test_an_emergency_outlasts_no_attestation(
    asking: Asking, clock: Clock, saver: Account
) -> None:
    use = attest(asking)
    add_launch(asking, "value", saver, patient="hidden", break_glass_id="b-1")
    browser = asking.browser(saver)
    page = browser.page(scope=EMERGENCY, launch="value")
    clock.pass_s(899)

    allow(browser, page)

    [granted] = asking.granted(saver)
    assert granted.expires == use.expires


def test_an_emergency_that_has_ended_opens_nothing(
    asking: Asking, clock: Clock, saver: Account
) -> None:
    attest(asking, expires=asking.services.clock() + 60_000_000)
    add_launch(asking, "value", saver, patient="hidden", break_glass_id="b-1")
    browser = asking.browser(saver)
    page = browser.page(scope=EMERGENCY, launch="value")
    clock.pass_s(60)

    assert browser.submit(page, "allow").status_code == 404
    assert asking.granted(saver) == []


@pytest.mark.parametrize("changes", [{"user_id": "u-doctor"}, {"patient": "ben"}])
def test_an_emergency_is_one_persons_and_one_patients(
    asking: Asking, saver: Account, doctor: Account, changes: dict[str, str]
) -> None:
    assert doctor.user_id == "u-doctor"
    attest(asking, **changes)
    add_launch(asking, "value", saver, patient="hidden", break_glass_id="b-1")
    browser = asking.browser(saver)

    page = browser.page(scope=EMERGENCY, launch="value")

    assert browser.submit(page, "allow").status_code == 404


def test_an_emergency_is_asked_about_each_time(asking: Asking, saver: Account) -> None:
    attest(asking)
    browser = asking.browser(saver)
    for value in ("one", "two"):
        add_launch(asking, value, saver, patient="hidden", break_glass_id="b-1")
        page = browser.page(scope=EMERGENCY, launch=value)
        assert page.status_code == 200
        allow(browser, page)

    assert len(asking.granted(saver)) == 2


def test_the_purpose_of_an_emergency_can_be_asked_for(
    asking: Asking, saver: Account
) -> None:
    attest(asking)
    browser = asking.browser(saver)
    for value in ("one", "two"):
        add_launch(asking, value, saver, patient="hidden", break_glass_id="b-1")

    page = browser.page(scope=EMERGENCY, launch="one", purpose_of_use="BTG")
    told = sent(browser.page(scope=EMERGENCY, launch="two", purpose_of_use="TREAT"))

    assert page.status_code == 200
    assert told["error"] == "invalid_scope"
