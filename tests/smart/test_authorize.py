"""The authorization endpoint, from the request of an app to its answer.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

import pytest
import requests
from html_page import Page
from smart_app import challenge_of
from smart_flow import STANDALONE, code_of, scopes, tokens
from smart_person import Landed, Wish
from smart_service import TIMEOUT_S

ODD_STATE = "a b&c=d+e%2F/?#'\"<>~"


@pytest.mark.parametrize("by", ["GET", "POST"])
def test_a_code_comes_back_with_the_state_and_the_issuer(by, patient, apps, service):
    asked = apps["public-app"].asks("openid patient/Patient.rs", prompt="consent")

    answer = patient.authorize(apps["public-app"], asked, by=by)

    assert answer.url.startswith(f"{apps['public-app'].redirect_uri}?")
    assert set(answer.parameters) == {"code", "state", "iss"}
    assert answer.parameters["state"] == asked.state
    assert answer.parameters["iss"] == service.url
    assert answer.code


def test_the_state_comes_back_exactly(patient, apps):
    asked = apps["public-app"].asks("openid", state=ODD_STATE)

    answer = patient.authorize(apps["public-app"], asked)

    assert answer.parameters["state"] == ODD_STATE


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_audience_is_the_base_with_or_without_its_slash(
    slash, patient, apps, service
):
    asked = apps["public-app"].asks("openid", aud=f"{service.base}{slash}")

    assert patient.authorize(apps["public-app"], asked).code


@pytest.mark.parametrize(
    "audience",
    [
        "https://elsewhere.example/fhir",
        "https://elsewhere.example/fhir/",
        "{url}",
        "{base}//",
        "{base}/Patient",
        "{base}.elsewhere.example",
        "",
        None,
    ],
)
def test_another_audience_gets_no_code(audience, patient, apps, service):
    named = audience and audience.format(url=service.url, base=service.base)
    asked = apps["public-app"].asks("openid patient/Patient.rs", aud=named)

    answer = patient.begin(apps["public-app"], asked)

    assert isinstance(answer, Landed)
    assert "code" not in answer.parameters
    assert answer.parameters["error"] == "invalid_request"
    assert answer.parameters["state"] == asked.state


@pytest.mark.parametrize(
    "more",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
        {"code_challenge": "too-short"},
    ],
    ids=str,
)
@pytest.mark.parametrize("client", ["public-app", "secret-app", "key-app"])
def test_without_an_s256_challenge_there_is_no_code(client, more, patient, apps):
    asked = apps[client].asks("openid", **more)

    answer = patient.begin(apps[client], asked)

    assert isinstance(answer, Landed)
    assert answer.parameters["error"] == "invalid_request"
    assert "code" not in answer.parameters


def test_an_app_of_smart_1_may_come_without_a_challenge(patient, apps):
    app = apps["old-app"]
    asked = app.asks(
        "launch/patient patient/Patient.read",
        code_challenge=None,
        code_challenge_method=None,
    )

    code = patient.authorize(app, asked).code

    assert app.exchange(code, None).status_code == 200


def test_even_an_app_of_smart_1_may_not_come_with_plain(patient, apps):
    asked = apps["old-app"].asks("openid", code_challenge_method="plain")

    answer = patient.begin(apps["old-app"], asked)

    assert answer.parameters["error"] == "invalid_request"


@pytest.mark.parametrize(
    "more",
    [{"client_id": "nobody"}, {"client_id": None}, {"client_id": "keeper"}],
    ids=str,
)
def test_an_app_that_is_not_registered_is_told_on_a_page(more, patient, apps):
    page = patient.begin(apps["public-app"], apps["public-app"].asks("openid", **more))

    assert isinstance(page, Page)
    assert page.status == 400
    assert page.forms == []


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "https://app.example/callback/",
        "https://app.example/callback?more=1",
        "https://app.example/callback#fragment",
        "https://app.example/callback/../other",
        "https://app.example/Callback",
        "https://app.example:443/callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://app.example%2ecallback",
        "http://app.example/callback",
        "//app.example/callback",
        "javascript:alert(1)",
        "",
        None,
    ],
)
@pytest.mark.parametrize("by", ["GET", "POST"])
def test_a_browser_is_sent_nowhere_that_was_not_registered(by, uri, apps, service):
    asked = apps["public-app"].asks("openid", redirect_uri=uri)
    fields = {"params" if by == "GET" else "data": asked.parameters}

    answer = requests.request(
        by,
        f"{service.url}/auth/authorize",
        timeout=TIMEOUT_S,
        allow_redirects=False,
        **fields,
    )

    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
        ({"scope": "nothing/we.know"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
    ids=str,
)
def test_what_is_not_served_is_refused_at_the_redirect(more, error, patient, apps):
    asked = apps["public-app"].asks(**{"scope": "openid", **more})

    answer = patient.authorize(apps["public-app"], asked)

    assert answer.parameters["error"] == error
    assert answer.parameters["state"] == asked.state
    assert "code" not in answer.parameters


@pytest.mark.parametrize(
    "name",
    [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "aud",
        "code_challenge",
        "code_challenge_method",
    ],
)
@pytest.mark.parametrize("by", ["GET", "POST"])
def test_a_parameter_that_is_repeated_is_refused(by, name, apps, service):
    pairs = list(apps["public-app"].asks("openid").parameters.items())
    pairs += [pair for pair in pairs if pair[0] == name]
    fields = {"params" if by == "GET" else "data": pairs}

    answer = requests.request(
        by,
        f"{service.url}/auth/authorize",
        timeout=TIMEOUT_S,
        allow_redirects=False,
        **fields,
    )

    assert "code=" not in answer.headers.get("Location", "")
    if name in {"client_id", "redirect_uri"}:
        assert answer.status_code == 400
    else:
        assert "error=invalid_request" in answer.headers["Location"]


def test_a_parameter_in_the_query_and_in_the_form_is_repeated(apps, service):
    asked = apps["public-app"].asks("openid").parameters

    answer = requests.post(
        f"{service.url}/auth/authorize",
        params={"scope": asked["scope"]},
        data=asked,
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )

    assert "error=invalid_request" in answer.headers["Location"]


def test_who_says_no_denies(patient, apps, service):
    asked = apps["public-app"].asks("openid patient/Patient.rs", prompt="consent")

    answer = patient.authorize(apps["public-app"], asked, Wish(denies=True))

    assert answer.parameters["error"] == "access_denied"
    assert answer.parameters["state"] == asked.state
    assert answer.parameters["iss"] == service.url
    assert "code" not in answer.parameters


def test_whoever_is_not_logged_in_gets_no_code_silently(add_person, apps):
    asked = apps["public-app"].asks("openid", prompt="none")
    stranger = add_person("stranger", "administrator")

    answer = stranger.begin(apps["public-app"], asked)

    assert isinstance(answer, Landed)
    assert answer.parameters["error"] == "login_required"


def test_a_patient_scope_comes_with_a_patient(patient, apps, clinic):
    answer = tokens(patient, apps["public-app"], "patient/Observation.rs")

    assert answer["patient"] == clinic.patient


def test_the_patient_is_picked_by_who_may_see_several(practitioner, apps, clinic):
    for chosen in clinic.patients:
        answer = tokens(
            practitioner,
            apps["secret-app"],
            "launch/patient patient/*.rs",
            Wish(patient=chosen),
        )

        assert answer["patient"] == chosen


def test_a_related_person_has_the_patient_whom_she_stands_for(related, apps, clinic):
    answer = tokens(related, apps["public-app"], STANDALONE)

    assert answer["patient"] == clinic.patient


def test_an_app_is_told_which_scopes_it_was_granted(patient, apps):
    answer = tokens(
        patient,
        apps["public-app"],
        "openid patient/Patient.rs system/*.rs nothing/we.know patient/Observation.d",
    )

    assert scopes(answer) == {"openid", "patient/Patient.rs"}


def test_a_verifier_of_73_characters_is_taken(patient, apps):
    verifier = "v" * 73
    asked = apps["secret-app"].asks("openid", code_challenge=challenge_of(verifier))

    code = patient.authorize(apps["secret-app"], asked).code

    assert apps["secret-app"].exchange(code, verifier).status_code == 200


def test_a_redirect_keeps_the_query_that_was_registered(patient, add_app):
    app = add_app("query-app", "--auth", "none", redirect_uri="https://q.example/c?a=1")
    asked = app.asks("openid")

    answer = patient.authorize(app, asked)

    assert answer.url.startswith("https://q.example/c?a=1&")
    assert answer.parameters["a"] == "1"


def test_a_removed_app_gets_nothing(patient, add_app, service):
    app = add_app("gone-app", "--auth", "none")
    code, verifier = code_of(patient, app, "openid")
    service.command("client", "remove", "gone-app")

    page = patient.begin(app, app.asks("openid"))

    assert isinstance(page, Page)
    assert page.status == 400
    assert app.exchange(code, verifier).status_code in {400, 401}
