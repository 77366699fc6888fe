"""The consent page: what it asks, and what comes of each answer."""

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authorizing import (
    ADA,
    BASE,
    CHALLENGE,
    ISSUER,
    REDIRECT,
    Asking,
    app_client,
    person,
    sent,
    values_of,
)

from fhir_service.storage import authorizations
from fhir_service.storage.accounts import Account

Audit = Any
Clock = Any

VITAL_SIGNS = (
    "category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
)
SURVEY = "category=http://terminology.hl7.org/CodeSystem/observation-category|survey"
PROBLEMS = (
    "category=http://terminology.hl7.org/CodeSystem/condition-category"
    "|problem-list-item"
)


def scopes_of(asking: Asking, account: Account) -> list[str]:
    return [one.scopes for one in asking.granted(account)]


def test_yes_to_everything_grants_what_was_asked(
    asking: Asking, audit: Audit, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)

    told = sent(browser.submit(browser.page(nonce="n-1"), "allow"))

    assert set(told) == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == ("a state", ISSUER)
    [granted] = asking.granted(ada)
    assert granted.scopes == "launch/patient patient/Observation.rs patient/Patient.rs"
    assert (granted.client_id, granted.user_id) == ("app", "u-ada")
    assert granted.patient == "ada"
    assert granted.context == '{"need_patient_banner":true}'
    assert granted.purposes == ("PATRQT",)
    assert granted.authenticated == granted.created == clock.now
    assert granted.break_glass_id is None
    event = audit.events[-1]
    assert (event.kind.value, event.proven) == ("authorized", True)
    assert (event.user_id, event.client_id) == ("u-ada", "app")
    assert (event.patient, event.scopes) == ("ada", granted.scopes)
    assert event.purposes == ("PATRQT",)


def test_the_code_is_kept_as_a_hash_with_what_it_is_bound_to(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    told = sent(browser.submit(browser.page(nonce="n-1"), "allow"))
    [granted] = asking.granted(ada)

    with asking.services.database.read() as snapshot:
        hashed = hashlib.sha256(told["code"].encode()).digest()
        code = authorizations.find_code(snapshot, hashed)

    minute = 60_000_000
    assert code == authorizations.Code(
        hash=hashed,
        authorization_id=granted.authorization_id,
        redirect_uri=REDIRECT,
        code_challenge=CHALLENGE,
        nonce="n-1",
        expires=clock.now + minute,
        used=None,
        forgotten=clock.now + minute + 86_400_000_000,
    )


@pytest.mark.parametrize("decision", ["allow", "deny"])
@pytest.mark.parametrize(
    "uri", ["com.example.app:/cb", "http://127.0.0.1:9/cb?x=%2F", "http://[::1]:9/"]
)
def test_a_program_on_the_machine_gets_its_answer(
    asking: Asking, ada: Account, uri: str, decision: str
) -> None:
    native = app_client(
        "native", auth_method="none", secret_hash=None, redirect_uris=(uri,)
    )
    asking.add_client(native)
    browser = asking.browser(ada)
    state = "a b+c%20&=#/?\"'<>`{}|\\^~"

    page = browser.page(client_id="native", redirect_uri=uri, state=state)
    location = browser.submit(page, decision).headers["Location"]

    joint = "&" if "?" in uri else "?"
    assert location.startswith(
        f"{uri}{joint}{'code' if decision == 'allow' else 'err'}"
    )
    assert parse_qs(urlsplit(location).query)["state"] == [state]


def test_each_scope_has_a_box_that_is_ticked(asking: Asking, ada: Account) -> None:
    page = asking.browser(ada).page(scope="openid offline_access patient/Goal.rs")

    assert values_of(page, "allow") == ["openid", "offline_access", "patient/Goal.rs"]
    assert page.text.count(" checked>") == 3
    assert "See goals of care in the record of Ada Example." in page.text


def test_the_page_says_who_asks_and_for_whom(asking: Asking, ada: Account) -> None:
    text = asking.browser(ada).page().text

    for words in (
        "Let Example app use health data?",
        "It takes you back to app.example.",
        "This app proves to us who it is.",
        "You are logged in as Person u-ada.",
        "The record of Ada Example.",
        "For 5 minutes.",
    ):
        assert words in text
    assert "could pretend" not in text


def test_the_page_warns_of_an_app_that_anybody_could_be(
    asking: Asking, ada: Account
) -> None:
    asking.add_client(app_client("public", auth_method="none", secret_hash=None))

    text = asking.browser(ada).page(client_id="public").text

    assert "Other programs could pretend to be this app." in text


def test_a_name_cannot_write_into_the_page(asking: Asking, ada: Account) -> None:
    asking.add_client(app_client("bad", name='<img src=x>"{7*7}'))

    text = asking.browser(ada).page(client_id="bad").text

    assert "<img" not in text
    assert "&lt;img src=x&gt;&#34;{7*7}" in text


def test_what_is_not_ticked_is_not_granted(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="openid offline_access patient/Goal.rs patient/Flag.rs")

    browser.submit(page, "allow", allow=["openid", "patient/Flag.rs"])

    assert scopes_of(asking, ada) == ["openid patient/Flag.rs"]


def test_what_was_not_offered_cannot_be_ticked(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="patient/Goal.rs")
    forged = ["patient/Goal.rs", "patient/*.cruds", "system/*.rs", "offline_access"]

    browser.submit(page, "allow", allow=forged, only=["patient/Flag.rs"])

    assert scopes_of(asking, ada) == ["patient/Goal.rs"]


def test_who_ticks_nothing_denies(asking: Asking, audit: Audit, ada: Account) -> None:
    browser = asking.browser(ada)

    told = sent(browser.submit(browser.page(), "allow", allow=[]))

    assert told["error"] == "access_denied"
    assert audit.last == ("authorization-refused", "nothing-ticked")


def test_some_categories_stand_in_place_of_the_whole(
    asking: Asking, ada: Account
) -> None:
    browser = asking.browser(ada)
    page = browser.page(
        scope="patient/Condition.rs patient/Observation.rs patient/Patient.rs"
    )
    offered = values_of(page, "only")
    wanted = [
        f"patient/Condition.rs?{PROBLEMS}",
        f"patient/Observation.rs?{VITAL_SIGNS}",
        f"patient/Observation.rs?{SURVEY}",
    ]

    browser.submit(page, "allow", only=wanted)

    assert set(wanted) < set(offered)
    assert scopes_of(asking, ada) == [" ".join([*wanted, "patient/Patient.rs"])]


def test_some_categories_count_without_the_whole(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="patient/Observation.read")
    [some] = [one for one in values_of(page, "only") if one.endswith("|survey")]

    browser.submit(page, "allow", allow=[], only=[some])

    assert some == f"patient/Observation.rs?{SURVEY}"
    assert scopes_of(asking, ada) == [some]


def test_everything_can_be_narrowed_to_types(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="patient/*.rs")

    browser.submit(page, "allow", only=["patient/Patient.rs", "patient/Goal.rs"])

    assert scopes_of(asking, ada) == ["patient/Patient.rs patient/Goal.rs"]


def test_a_filtered_scope_has_no_parts(asking: Asking, ada: Account) -> None:
    page = asking.browser(ada).page(scope=f"patient/Observation.rs?{VITAL_SIGNS}")

    assert values_of(page, "only") == []
    assert "test results (only vital signs, such as" in page.text


@pytest.mark.parametrize(
    "scope",
    ["patient/*.read", "patient/Observation.read", "patient/Observation.r"],
)
def test_who_asks_in_smart_1_is_answered_in_smart_1(
    asking: Asking, ada: Account, scope: str
) -> None:
    browser = asking.browser(ada)

    browser.submit(browser.page(scope=scope), "allow")

    assert scopes_of(asking, ada) == [scope]


def test_nobody_grants_more_than_her_role_allows(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="patient/Goal.cruds patient/Observation.cruds")

    browser.submit(page, "allow")

    assert scopes_of(asking, ada) == [
        "patient/Goal.rs patient/Observation.rs patient/Observation.c"
    ]
    assert "Not granted" in page.text
    assert "<code>patient/Goal.cruds</code>" in page.text


def test_nobody_grants_more_than_was_registered(asking: Asking, ada: Account) -> None:
    asking.add_client(app_client("small", scopes="openid patient/Goal.rs"))
    browser = asking.browser(ada)
    page = browser.page(
        client_id="small",
        scope="openid offline_access patient/*.rs user/*.rs system/*.rs what/ever",
    )

    browser.submit(page, "allow")

    assert scopes_of(asking, ada) == ["openid patient/Goal.rs"]
    for missing in ("offline_access", "user/*.rs", "system/*.rs", "what/ever"):
        assert f"<code>{missing}</code>" in page.text


@pytest.mark.parametrize("scope", ["system/*.rs", "what/ever", "patient/Goal.d"])
def test_where_nothing_can_be_granted_the_app_is_told(
    asking: Asking, audit: Audit, ada: Account, scope: str
) -> None:
    told = sent(asking.browser(ada).page(scope=scope))

    assert told["error"] == "invalid_scope"
    assert audit.last == ("authorization-refused", "no-scope")


def test_offline_access_outlasts_the_login(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)

    browser.submit(browser.page(scope="offline_access patient/*.rs"), "allow")

    [granted] = asking.granted(ada)
    assert granted.session is None
    assert granted.expires == clock.now + 90 * 86_400_000_000


@pytest.mark.parametrize(
    ("scope", "lifetime_s"),
    [("online_access patient/*.rs", 8 * 3600), ("patient/*.rs", 300 + 60)],
)
def test_everything_else_ends_with_the_login(
    asking: Asking, clock: Clock, ada: Account, scope: str, lifetime_s: int
) -> None:
    browser = asking.browser()
    secret = browser.log_in(ada)

    browser.submit(browser.page(scope=scope), "allow")

    [granted] = asking.granted(ada)
    assert granted.session == hashlib.sha256(secret.encode()).digest()
    assert granted.expires == clock.now + lifetime_s * 1_000_000


def test_a_client_can_have_lifetimes_of_its_own(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    asking.add_client(
        app_client("own", token_lifetime_s=1800, refresh_lifetime_s=2 * 86_400)
    )
    browser = asking.browser(ada)

    page = browser.page(client_id="own", scope="offline_access patient/Goal.rs")
    browser.submit(page, "allow")
    browser.submit(
        browser.page(client_id="own", scope="patient/Goal.rs", prompt="consent"),
        "allow",
    )

    long, short = sorted(asking.granted(ada), key=lambda one: -one.expires)
    assert "for up to 2 days" in page.text
    assert "otherwise 30 minutes" in page.text
    assert long.expires == clock.now + 2 * 86_400_000_000
    assert short.expires == clock.now + 1860 * 1_000_000


@pytest.mark.parametrize(
    ("role", "registered", "asked", "purposes"),
    [
        ("patient", (), None, ("PATRQT",)),
        ("patient", ("TREAT", "PATRQT"), None, ("PATRQT",)),
        ("patient", ("HRESCH", "BTG"), None, ("HRESCH",)),
        ("patient", (), "PATRQT", ("PATRQT",)),
        (
            "practitioner",
            ("TREAT", "HPAYMT", "PATRQT", "BTG"),
            None,
            ("TREAT", "HPAYMT"),
        ),
        ("practitioner", ("TREAT", "HPAYMT"), "HPAYMT", ("HPAYMT",)),
        ("practitioner", (), None, ()),
    ],
)
def test_an_app_acts_for_the_purposes_of_the_person(
    asking: Asking,
    role: str,
    registered: tuple[str, ...],
    asked: str | None,
    purposes: tuple[str, ...],
) -> None:
    asking.add_client(app_client("own", purposes=registered))
    someone = asking.add_person(person(role, "someone"), [ADA])
    browser = asking.browser(someone)

    page = browser.page(client_id="own", scope="user/Goal.rs", purpose_of_use=asked)
    browser.submit(page, "allow")

    [granted] = asking.granted(someone)
    assert granted.purposes == purposes


@pytest.mark.parametrize("purpose", ["TREAT", "BTG", "PATRQT TREAT"])
def test_no_app_acts_for_other_purposes(
    asking: Asking, audit: Audit, ada: Account, purpose: str
) -> None:
    told = sent(asking.browser(ada).page(purpose_of_use=purpose))

    assert told["error"] == "invalid_scope"
    assert audit.last == ("authorization-refused", "foreign-purpose")


def test_the_language_is_the_persons_then_the_browsers(
    asking: Asking, ada: Account
) -> None:
    spanish = asking.add_person(person("patient", "u-es", language="es"), [ADA])
    accepting = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.1"}
    page = asking.browser(ada).page()

    own = asking.browser(spanish).page()
    browser = asking.browser(ada)
    path = browser.ask().headers["Location"]
    of_browser = browser.get(path, headers=accepting)
    of_link = browser.get(f"{path}?lang=en", headers=accepting)

    assert '<html lang="en">' in page.text
    assert '<html lang="es">' in own.text
    assert '<html lang="es">' in of_browser.text
    assert '<html lang="en">' in of_link.text
    assert 'href="?lang=es"' in of_link.text
    for words in (
        "¿Permite que Example app use datos de salud?",
        "Ver mediciones y resultados en la historia de Ada Example.",
        "Permitir",
    ):
        assert words in own.text
    assert "Allow" not in own.text


def test_a_form_keeps_the_language_that_was_chosen(
    asking: Asking, doctor: Account
) -> None:
    browser = asking.browser(doctor)
    path = browser.ask().headers["Location"]
    picker = browser.get(f"{path}?lang=es")

    found = browser.submit(picker, "search", text="Ada")
    answer = browser.submit(picker, "choose", patient="ada")

    assert f'action="{path}?lang=es"' in picker.text
    assert "Pacientes encontrados" in found.text
    assert answer.headers["Location"] == f"{path}?lang=es"


def test_the_page_works_without_scripts_and_is_labelled(
    asking: Asking, ada: Account
) -> None:
    text = asking.browser(ada).page().text

    assert "<script" not in text
    assert " style=" not in text
    assert text.count("<h1>") == 1
    assert (
        text.count("<fieldset>") == text.count("</fieldset>") == text.count("<legend>")
    )
    assert text.count('type="checkbox"') == text.count('<label class="tick">')
    assert BASE not in text
