"""The authorization endpoint before anybody is asked: what is refused, and where."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from authorizing import (
    BASE,
    CHALLENGE,
    ISSUER,
    REDIRECT,
    Asking,
    app_client,
    flask_app,
    right,
    sent,
)

from fhir_service.auth.authorize_message import (
    MAX_BODY,
    MAX_LENGTHS,
    SAID,
    AuthorizeError,
)
from fhir_service.auth.rate_limit import RateLimit
from fhir_service.auth.services import AuthServices, RateLimits
from fhir_service.pages.frame import HEADERS

Audit = Any


def refused(asking: Asking, **changes: str | None) -> dict[str, str]:
    return sent(asking.browser().ask(**changes))


def test_a_good_request_waits_under_a_handle(asking: Asking) -> None:
    answer = asking.browser().ask()

    assert answer.status_code == 303
    path, _, handle = answer.headers["Location"].rpartition("/")
    assert (path, len(handle)) == ("/auth/authorize", 43)


def test_nobody_fills_the_store_with_requests(
    asking: Asking, services: AuthServices, audit: Audit
) -> None:
    limits = RateLimits(authorize_address=RateLimit(burst=2, interval_us=60_000_000))
    limited = replace(services, limits=limits)
    asking.app = flask_app(limited, asking.patients)
    for _ in range(2):
        assert asking.browser().ask().headers["Location"].startswith("/auth/authorize/")

    told = refused(asking)

    assert told["error"] == "temporarily_unavailable"
    assert (told["state"], told["iss"]) == ("a state", ISSUER)
    assert audit.last == ("authorization-refused", "throttled")


def test_a_form_of_another_site_is_a_request_as_well(asking: Asking) -> None:
    """The browser sends no cookie with it, and the form carries no token of ours."""
    answer = asking.browser().http.post(
        "/auth/authorize",
        data=right(),
        base_url=BASE,
        headers={"Origin": "https://app.example"},
    )

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/auth/authorize/")


def test_query_and_form_are_one_request(asking: Asking) -> None:
    form = right(state=None)

    answer = asking.browser().http.post(
        "/auth/authorize?state=of+the+query", data=form, base_url=BASE
    )
    again = asking.browser().http.post(
        "/auth/authorize?scope=openid", data=right(), base_url=BASE
    )

    assert answer.headers["Location"].startswith("/auth/authorize/")
    assert sent(again)["error"] == "invalid_request"


def test_who_is_not_logged_in_is_sent_to_the_login(asking: Asking) -> None:
    browser = asking.browser()
    handle = browser.ask().headers["Location"].rpartition("/")[2]

    answer = browser.get(f"/auth/authorize/{handle}")

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/login?request={handle}"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "unknown"},
        {"client_id": "APP"},
        {"client_id": "app\n"},
        {"client_id": "a" * 65},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": f"{REDIRECT}/more"},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": f"{REDIRECT}?x=1"},
        {"redirect_uri": f"{REDIRECT}#fragment"},
        {"redirect_uri": f"{REDIRECT}%2e%2e"},
        {"redirect_uri": "https://app.example.evil.example/callback"},
        {"redirect_uri": "https://app.example@evil.example/callback"},
        {"redirect_uri": "https://evil.example\\@app.example/callback"},
        {"redirect_uri": "https://app.example./callback"},
        {"redirect_uri": "https://APP.example/callback"},
        {"redirect_uri": "https://app.example/CALLBACK"},
        {"redirect_uri": "https://app.example/%63allback"},
        {"redirect_uri": "https://app.example:443/callback"},
        {"redirect_uri": "https:app.example/callback"},
        {"redirect_uri": "//app.example/callback"},
        {"redirect_uri": "http://app.example/callback"},
        {"redirect_uri": f" {REDIRECT}"},
        {"redirect_uri": f"{REDIRECT}\r\nX: y"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "data:text/html,x"},
    ],
)
def test_a_browser_is_sent_nowhere_but_where_the_app_registered(
    asking: Asking, audit: Audit, changes: dict[str, str | None]
) -> None:
    answer = asking.browser().ask(**changes)

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "evil.example" not in answer.text
    assert audit.last[0] == "authorization-refused"


def test_the_page_says_the_same_of_a_client_and_of_an_address(asking: Asking) -> None:
    unknown = asking.browser().ask(client_id="unknown")
    elsewhere = asking.browser().ask(redirect_uri="https://evil.example/")

    assert unknown.text == elsewhere.text
    assert "not registered here" in unknown.text


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_what_says_where_to_go_is_said_once(asking: Asking, name: str) -> None:
    query = urlencode([*right().items(), (name, right()[name])])

    answer = asking.browser().get(f"/auth/authorize?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("changes", [{"kind": "backend"}, {"removed": 2}])
def test_only_an_active_app_can_ask(asking: Asking, changes: dict[str, Any]) -> None:
    asking.add_client(app_client("other", **changes))

    assert asking.browser().ask(client_id="other").status_code == 400


@pytest.mark.parametrize(
    ("registered", "asked", "is_taken"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", True),
        ("http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:2/cb?x=1", True),
        ("http://[::1]/cb", "http://[::1]:65535/cb", True),
        ("http://localhost/cb", "http://localhost:8080/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80x/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80/cc", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.2:80/cb", False),
        ("http://127.0.0.1/cb", "http://localhost:80/cb", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:80/cb", False),
        ("https://127.0.0.1/cb", "https://127.0.0.1:80/cb", False),
        ("https://app.example/cb", "https://app.example:80/cb", False),
        ("com.example.app:/cb", "com.example.app:/cb", True),
        ("com.example.app:/cb", "com.example.app:/cc", False),
    ],
)
def test_a_program_on_the_machine_itself_may_choose_its_port(
    asking: Asking, registered: str, asked: str, *, is_taken: bool
) -> None:
    native = app_client(
        "native", auth_method="none", secret_hash=None, redirect_uris=(registered,)
    )
    asking.add_client(native)

    answer = asking.browser().ask(client_id="native", redirect_uri=asked)

    assert answer.status_code == (303 if is_taken else 400)


def test_a_confidential_client_keeps_its_port(asking: Asking) -> None:
    local = app_client("local", redirect_uris=("http://127.0.0.1:1/cb",))
    asking.add_client(local)

    answer = asking.browser().ask(
        client_id="local", redirect_uri="http://127.0.0.1:2/cb"
    )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"response_type": None}, "invalid_request", "no-response-type"),
        ({"response_type": "token"}, "unsupported_response_type", None),
        ({"response_type": "code id_token"}, "unsupported_response_type", None),
        ({"response_mode": "fragment"}, "invalid_request", "response-mode"),
        ({"response_mode": "form_post"}, "invalid_request", "response-mode"),
        ({"request": "x.y.z"}, "request_not_supported", "request-object"),
        ({"request_uri": "urn:x"}, "request_uri_not_supported", "request-object"),
        ({"code_challenge": None}, "invalid_request", "invalid-request"),
        (
            {"code_challenge": None, "code_challenge_method": None},
            "invalid_request",
            "no-code-challenge",
        ),
        ({"code_challenge_method": "plain"}, "invalid_request", "invalid-request"),
        ({"code_challenge_method": None}, "invalid_request", "code-challenge-method"),
        ({"code_challenge_method": "s256"}, "invalid_request", "invalid-request"),
        ({"code_challenge": "c" * 42}, "invalid_request", "invalid-request"),
        ({"code_challenge": "c" * 129}, "invalid_request", "unsound-code-challenge"),
        ({"code_challenge": "c" * 42 + "="}, "invalid_request", "invalid-request"),
        ({"aud": None}, "invalid_request", "audience"),
        ({"aud": None, "resource": f"{BASE}/fhir"}, "invalid_request", "audience"),
        ({"aud": "https://other.example/fhir"}, "invalid_request", "audience"),
        ({"aud": f"{BASE}/fhir//"}, "invalid_request", "audience"),
        ({"aud": f"{BASE}/FHIR"}, "invalid_request", "audience"),
        ({"aud": f"{BASE}/fhir?x"}, "invalid_request", "audience"),
        ({"aud": BASE}, "invalid_request", "audience"),
        ({"scope": None}, "invalid_scope", "invalid-scope"),
        ({"scope": "   "}, "invalid_scope", "malformed-scope"),
        ({"scope": 'openid "'}, "invalid_scope", "malformed-scope"),
        ({"scope": " ".join(f"s{n}" for n in range(129))}, "invalid_scope", None),
        ({"scope": "s" * 8193}, "invalid_request", "unsound-scope"),
        ({"prompt": "create"}, "invalid_request", "prompt"),
        ({"prompt": "none login"}, "invalid_request", "prompt"),
        ({"max_age": "-1"}, "invalid_request", "max-age"),
        ({"max_age": "1e3"}, "invalid_request", "max-age"),
        ({"launch": "x"}, "invalid_request", "launch-without-scope"),
        ({"launch": "x" * 513}, "invalid_request", "unsound-launch"),
        ({"purpose_of_use": "NOTHING"}, "invalid_scope", "unknown-purpose"),
        ({"nonce": "n\x00"}, "invalid_request", "unsound-nonce"),
        ({"nonce": "é"}, "invalid_request", "unsound-nonce"),
    ],
)
def test_everything_else_is_told_to_the_app(
    asking: Asking,
    audit: Audit,
    changes: dict[str, str | None],
    error: str,
    reason: str | None,
) -> None:
    told = refused(asking, **changes)

    assert told == {
        "error": error,
        "error_description": SAID[AuthorizeError(error)],
        "state": "a state",
        "iss": ISSUER,
    }
    assert audit.last[0] == "authorization-refused"
    assert reason is None or audit.last[1] == reason
    assert audit.events[-1].client_id == "app"


@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "state", "aud", "launch", "code_challenge", "unknown"],
)
def test_no_parameter_comes_twice(asking: Asking, audit: Audit, name: str) -> None:
    values = right(launch="x", unknown="y", scope="launch patient/*.rs")
    query = urlencode([*values.items(), (name, "")])

    told = sent(asking.browser().get(f"/auth/authorize?{query}"))

    assert told["error"] == "invalid_request"
    assert ("state" in told) == (name != "state")
    assert audit.last[1] == "repeated-parameter"


@pytest.mark.parametrize("state", [None, "", "s" * 2049, "line\nbreak", "caf\u00e9"])
def test_a_state_is_short_and_printable_and_there(
    asking: Asking, state: str | None
) -> None:
    told = refused(asking, state=state)

    assert told["error"] == "invalid_request"
    assert "state" not in told


@pytest.mark.parametrize("state", ["a b+c%20&=#/?", "\"'<>`{}|\\^~", "s" * 2048, " "])
def test_a_state_comes_back_exactly(asking: Asking, state: str) -> None:
    told = refused(asking, state=state, aud=None)

    assert told["state"] == state


def test_a_query_of_the_redirect_uri_stays(asking: Asking) -> None:
    uri = "https://app.example/cb?tenant=a%20b"
    asking.add_client(app_client("query", redirect_uris=(uri,)))

    answer = asking.browser().ask(client_id="query", redirect_uri=uri, aud=None)

    assert answer.headers["Location"].startswith(f"{uri}&error=invalid_request&")


def test_a_smart_1_client_may_come_without_challenge_and_audience(
    asking: Asking,
) -> None:
    asking.add_client(app_client("old", needs_pkce=False))
    without = {"code_challenge": None, "code_challenge_method": None, "aud": None}

    answer = asking.browser().ask(client_id="old", **without)
    plain = refused(asking, client_id="old", code_challenge_method="plain")
    unsaid = refused(asking, client_id="old", code_challenge_method=None)
    elsewhere = refused(asking, client_id="old", aud="https://other.example")

    assert answer.headers["Location"].startswith("/auth/authorize/")
    errors = {told["error"] for told in (plain, unsaid, elsewhere)}
    assert errors == {"invalid_request"}


@pytest.mark.parametrize("audience", [f"{BASE}/fhir", f"{BASE}/fhir/"])
def test_the_audience_is_the_fhir_base(asking: Asking, audience: str) -> None:
    answer = asking.browser().ask(aud=audience)

    assert answer.headers["Location"].startswith("/auth/authorize/")


def test_what_is_not_understood_is_ignored(asking: Asking) -> None:
    answer = asking.browser().ask(login_hint="ada", ui_locales="es", foo="bar")

    assert answer.headers["Location"].startswith("/auth/authorize/")


def test_an_app_that_was_not_registered_for_launches_cannot_use_one(
    asking: Asking,
) -> None:
    asking.add_client(app_client("alone", scopes="launch/patient patient/*.rs"))

    told = refused(asking, client_id="alone", scope="launch", launch="x")

    assert told["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("query", "body", "content_type"),
    [
        ("state=%ff", "", None),
        ("a=1&" * 65, "", None),
        ("x=" + "y" * MAX_BODY, "", None),
        ("", "x=" + "y" * MAX_BODY, "application/x-www-form-urlencoded"),
        ("", '{"client_id":"app"}', "application/json"),
    ],
)
def test_what_cannot_be_read_gets_a_page(
    asking: Asking, query: str, body: str, content_type: str | None
) -> None:
    send = asking.browser().http.open
    answer = send(
        f"/auth/authorize?{query}",
        method="POST" if content_type else "GET",
        data=body,
        content_type=content_type,
        base_url=BASE,
    )

    assert answer.status_code == 400


def test_no_page_can_be_framed_or_run_scripts(asking: Asking) -> None:
    answer = asking.browser().ask(client_id="unknown")

    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "script" not in answer.text


def test_every_error_has_its_sentence() -> None:
    assert set(SAID) == set(AuthorizeError)
    assert all(sentence.isascii() and '"' not in sentence for sentence in SAID.values())


def test_lengths_leave_room_for_what_is_asked() -> None:
    assert MAX_LENGTHS["code_challenge"] >= len(CHALLENGE)
    assert sum(MAX_LENGTHS.values()) < MAX_BODY


def test_an_app_that_was_removed_meanwhile_is_not_answered(asking: Asking) -> None:
    gone = replace(app_client("gone"), removed=None)
    asking.add_client(gone)
    browser = asking.browser()
    location = browser.ask(client_id="gone").headers["Location"]
    asking.remove_client("gone")

    assert browser.get(location).status_code == 404
