"""An authorization code at the token endpoint: exchanged once, by whom it is for."""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fhir_service.auth import clients, users
from fhir_service.auth.bearer import AuthenticationError, Grant, authenticate
from fhir_service.auth.services import AuthServices
from fhir_service.storage import accounts, authorizations
from fhir_service.storage.engine import Database

Audit = Any
Authorizer = Any
Clock = Any
Exchange = Callable[..., Any]

APP = ("portal", "of-the-example-portal_" + "x" * 21)
REDIRECT_URI = "https://app.test/callback"

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636, appendix B."""

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def fields(code: str, **changes: str | None) -> dict[str, str]:
    values = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    } | changes
    return {name: value for name, value in values.items() if value is not None}


@pytest.fixture
def exchange(http: FlaskClient) -> Exchange:
    def post(
        code: str, auth: tuple[str, str] | None = APP, **changes: str | None
    ) -> Any:
        return http.post("/auth/token", data=fields(code, **changes), auth=auth)

    return post


@pytest.fixture
def grant_of(database: Database, clock: Clock) -> Callable[[str], Grant | None]:
    """Return what a token allows now."""

    def find(token: str) -> Grant | None:
        with database.read() as snapshot:
            try:
                return authenticate(snapshot, f"Bearer {token}", clock())
            except AuthenticationError:
                return None

    return find


def assert_refused(
    response: Any, audit: Audit, reason: str, error: str = "invalid_grant"
) -> None:
    assert response.status_code == 400
    assert response.get_json()["error"] == error
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert audit.last == ("token-refused", reason)


def test_a_code_gets_tokens_and_the_patient(
    exchange: Exchange, authorizer: Authorizer, audit: Audit
) -> None:
    authorization = authorizer.authorize()

    response = exchange(authorizer.code(authorization))

    body = response.get_json()
    assert response.status_code == 200
    assert len(body.pop("access_token")) == 43
    assert len(body.pop("refresh_token")) == 43
    assert body == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "patient/*.rs launch/patient offline_access",
        "patient": "demo-1",
    }
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    event = audit.events[-1]
    assert audit.last == ("token-granted", None)
    assert (event.client_id, event.user_id, event.patient, event.proven) == (
        "portal",
        authorization.user_id,
        "demo-1",
        True,
    )
    assert (event.scopes, event.purposes) == (authorization.scopes, ("TREAT",))


def test_the_token_opens_what_the_person_authorized(
    exchange: Exchange,
    authorizer: Authorizer,
    grant_of: Callable[[str], Grant | None],
) -> None:
    code = authorizer.code(authorizer.authorize())

    grant = grant_of(exchange(code).get_json()["access_token"])

    assert grant is not None
    assert (grant.client_id, grant.user, grant.patient, grant.purposes) == (
        "portal",
        "Practitioner/7",
        "demo-1",
        ("TREAT",),
    )
    assert not grant.is_attested
    assert grant.scopes.allows("Observation", "read") is not None
    assert grant.scopes.allows("Observation", "create") is None


def test_the_launch_context_is_told_as_it_was(
    exchange: Exchange, authorizer: Authorizer
) -> None:
    context = (
        '{"encounter": "e-1", "intent": "review", "need_patient_banner": false, '
        '"smart_style_url": "https://fhir.test/style.json"}'
    )
    code = authorizer.code(authorizer.authorize(context=context))

    body = exchange(code).get_json()

    assert body["encounter"] == "e-1"
    assert body["intent"] == "review"
    assert body["need_patient_banner"] is False
    assert body["smart_style_url"] == "https://fhir.test/style.json"


def test_no_patient_in_context_is_no_member(
    exchange: Exchange, authorizer: Authorizer
) -> None:
    code = authorizer.code(authorizer.authorize(patient=None, scopes="user/*.rs"))

    body = exchange(code).get_json()

    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}


@pytest.mark.parametrize(
    "scope",
    [
        "patient/*.read patient/Observation.rs",
        f"patient/Observation.rs?category={CATEGORY}|vital-signs launch/patient",
    ],
)
def test_scopes_are_told_as_they_were_granted(
    exchange: Exchange, authorizer: Authorizer, scope: str
) -> None:
    code = authorizer.code(authorizer.authorize(scopes=scope))

    assert exchange(code).get_json()["scope"] == scope


@pytest.mark.parametrize(
    ("scope", "glass", "lasts"),
    [
        ("patient/*.rs", None, False),
        ("patient/*.rs offline_access", None, True),
        ("patient/*.rs online_access", None, True),
        ("patient/*.rs offline_access", "glass-1", False),
    ],
)
def test_who_asked_for_lasting_access_gets_a_refresh_token(
    exchange: Exchange,
    authorizer: Authorizer,
    scope: str,
    glass: str | None,
    lasts: bool,  # noqa: FBT001 - a case of the test
) -> None:
    authorization = authorizer.authorize(scopes=scope, break_glass_id=glass)

    body = exchange(authorizer.code(authorization)).get_json()

    assert ("refresh_token" in body) is lasts


def test_a_token_of_a_broken_glass_is_attested(
    exchange: Exchange,
    authorizer: Authorizer,
    grant_of: Callable[[str], Grant | None],
) -> None:
    authorization = authorizer.authorize(break_glass_id="glass-1")

    body = exchange(authorizer.code(authorization)).get_json()

    grant = grant_of(body["access_token"])
    assert grant is not None
    assert grant.is_attested


def test_a_token_never_outlasts_its_authorization(
    exchange: Exchange,
    authorizer: Authorizer,
    clock: Clock,
    grant_of: Callable[[str], Grant | None],
) -> None:
    authorization = authorizer.authorize(expires=clock() + 100_500_000)

    body = exchange(authorizer.code(authorization)).get_json()

    assert body["expires_in"] == 100
    clock.pass_s(100)
    assert grant_of(body["access_token"]) is not None
    clock.pass_s(1)
    assert grant_of(body["access_token"]) is None


def test_a_client_may_have_a_token_lifetime_of_its_own(
    register_app: Callable[..., Any], authorizer: Authorizer, exchange: Exchange
) -> None:
    register_app(client_id="slow", token_lifetime_s=1800)
    slow = replace(authorizer, client_id="slow")
    code = slow.code(slow.authorize())

    body = exchange(code, ("slow", APP[1])).get_json()

    assert body["expires_in"] == 1800


def test_secrets_are_stored_by_their_hashes_alone(
    exchange: Exchange, authorizer: Authorizer, database: Database
) -> None:
    code = authorizer.code(authorizer.authorize())
    body = exchange(code).get_json()

    with database.engine.connect() as connection:
        rows = "".join(
            str(list(connection.execute(table.select())))
            for table in (
                authorizations.access_token,
                authorizations.refresh_token,
                authorizations.authorization_code,
            )
        )
    assert body["access_token"] not in rows
    assert body["refresh_token"] not in rows
    assert code not in rows


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"code": None}, ("invalid_request", "no-code")),
        ({"code": ""}, ("invalid_request", "no-code")),
        ({"code": "BAD_CODE"}, ("invalid_grant", "unknown-code")),
        ({"code": "\x00"}, ("invalid_grant", "unknown-code")),
        ({"redirect_uri": None}, ("invalid_grant", "other-redirect-uri")),
        ({"redirect_uri": REDIRECT_URI + "/"}, ("invalid_grant", "other-redirect-uri")),
        (
            {"redirect_uri": "https://evil.test/"},
            ("invalid_grant", "other-redirect-uri"),
        ),
        ({"code_verifier": None}, ("invalid_request", "no-verifier")),
        ({"code_verifier": ""}, ("invalid_request", "no-verifier")),
        ({"code_verifier": " "}, ("invalid_request", "malformed-verifier")),
        ({"code_verifier": "v" * 42}, ("invalid_request", "malformed-verifier")),
        ({"code_verifier": "v" * 129}, ("invalid_request", "malformed-verifier")),
        ({"code_verifier": "w" * 43}, ("invalid_grant", "wrong-verifier")),
        ({"code_verifier": VERIFIER + "\n"}, ("invalid_grant", "wrong-verifier")),
        ({"code_verifier": CHALLENGE}, ("invalid_grant", "wrong-verifier")),
    ],
)
def test_a_wrong_exchange_is_refused_and_leaves_the_code_as_it_was(
    exchange: Exchange,
    authorizer: Authorizer,
    audit: Audit,
    changes: dict[str, str | None],
    refusal: tuple[str, str],
) -> None:
    code = authorizer.code(authorizer.authorize())

    response = exchange(**{"code": code, **changes})

    error, reason = refusal
    assert_refused(response, audit, reason, error)
    assert exchange(code).status_code == 200


def test_a_purpose_is_settled_by_then(
    exchange: Exchange, authorizer: Authorizer, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize())

    response = exchange(code, purpose_of_use="TREAT")

    assert_refused(response, audit, "purpose-elsewhere", "invalid_request")


def test_a_verifier_of_73_characters_is_good(
    exchange: Exchange, authorizer: Authorizer
) -> None:
    verifier = "aZ0-._~" * 10 + "end"
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    code = authorizer.code(authorizer.authorize(), code_challenge=challenge)

    assert exchange(code, code_verifier=verifier).status_code == 200


def test_a_code_without_a_challenge_is_no_good_to_who_needs_one(
    exchange: Exchange, authorizer: Authorizer, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize(), code_challenge=None)

    assert_refused(exchange(code, code_verifier=None), audit, "no-challenge")
    assert_refused(exchange(code), audit, "no-challenge")


@pytest.fixture
def old_app(register_app: Callable[..., Any], authorizer: Authorizer) -> Authorizer:
    """An app of SMART 1.0, which sends no challenge."""
    register_app(client_id="old", needs_pkce=False)
    return replace(authorizer, client_id="old")


def test_an_app_of_smart_1_needs_no_verifier(
    exchange: Exchange, old_app: Authorizer
) -> None:
    code = old_app.code(old_app.authorize(), code_challenge=None)

    response = exchange(code, ("old", APP[1]), code_verifier=None)

    assert response.status_code == 200


def test_a_verifier_without_a_challenge_is_refused(
    exchange: Exchange, old_app: Authorizer, audit: Audit
) -> None:
    code = old_app.code(old_app.authorize(), code_challenge=None)

    response = exchange(code, ("old", APP[1]))

    assert_refused(response, audit, "verifier-without-challenge", "invalid_request")


def test_a_challenge_binds_an_app_of_smart_1_too(
    exchange: Exchange, old_app: Authorizer, audit: Audit
) -> None:
    code = old_app.code(old_app.authorize())

    response = exchange(code, ("old", APP[1]), code_verifier=None)

    assert_refused(response, audit, "no-verifier", "invalid_request")


def test_a_code_ends_after_its_minute(
    exchange: Exchange, authorizer: Authorizer, clock: Clock, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize())
    clock.pass_s(60)

    assert_refused(exchange(code), audit, "expired-code")


def test_another_clients_code_is_refused(
    exchange: Exchange,
    authorizer: Authorizer,
    register_app: Callable[..., Any],
    audit: Audit,
) -> None:
    register_app(client_id="thief")
    code = authorizer.code(authorizer.authorize())

    assert_refused(exchange(code, ("thief", APP[1])), audit, "other-client")
    assert exchange(code).status_code == 200


def test_a_code_used_twice_ends_everything_of_it(
    exchange: Exchange,
    authorizer: Authorizer,
    http: FlaskClient,
    audit: Audit,
    grant_of: Callable[[str], Grant | None],
) -> None:
    authorization = authorizer.authorize()
    code = authorizer.code(authorization)
    body = exchange(code).get_json()
    assert grant_of(body["access_token"]) is not None

    response = exchange(code)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_grant"
    assert audit.last == ("code-replayed", "used-before")
    assert audit.events[-1].patient == "demo-1"
    assert audit.events[-1].user_id == authorization.user_id
    assert grant_of(body["access_token"]) is None
    data = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
    assert http.post("/auth/token", data=data, auth=APP).status_code == 400
    assert exchange(code).status_code == 400
    assert audit.last == ("code-replayed", "used-before")


def test_a_replay_by_another_client_and_long_after_is_one_too(
    exchange: Exchange,
    authorizer: Authorizer,
    register_app: Callable[..., Any],
    clock: Clock,
    grant_of: Callable[[str], Grant | None],
) -> None:
    register_app(client_id="thief")
    code = authorizer.code(authorizer.authorize())
    token = exchange(code).get_json()["access_token"]
    clock.pass_s(120)
    assert grant_of(token) is not None

    response = exchange(code, ("thief", APP[1]))

    assert response.get_json()["error"] == "invalid_grant"
    assert grant_of(token) is None


def test_of_concurrent_exchanges_one_gets_tokens_and_they_end(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    authorizer: Authorizer,
    audit: Audit,
    grant_of: Callable[[str], Grant | None],
) -> None:
    data = fields(authorizer.code(authorizer.authorize()))
    app = make_app(services)
    barrier = threading.Barrier(2)
    responses: list[Any] = []

    def post() -> None:
        barrier.wait()
        responses.append(app.test_client().post("/auth/token", data=data, auth=APP))

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(response.status_code for response in responses) == [200, 400]
    [token] = [
        response.get_json()["access_token"]
        for response in responses
        if response.status_code == 200
    ]
    assert audit.last == ("code-replayed", "used-before")
    assert grant_of(token) is None


def test_a_code_of_an_authorization_that_ended_is_refused(
    exchange: Exchange, authorizer: Authorizer, database: Database, audit: Audit
) -> None:
    authorization = authorizer.authorize()
    code = authorizer.code(authorization)
    database.write(
        lambda writing: authorizations.end(writing, authorization.authorization_id)
    )

    assert_refused(exchange(code), audit, "authorization-ended")


def test_a_code_of_an_authorization_that_is_over_is_refused(
    exchange: Exchange, authorizer: Authorizer, clock: Clock, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize(expires=clock() + 1_000_000))
    clock.pass_s(0.5)
    assert exchange("BAD_CODE").status_code == 400  # purges; the next is soon after
    clock.pass_s(0.5)

    assert_refused(exchange(code), audit, "authorization-expired")


def test_a_removed_person_gets_nothing(
    exchange: Exchange,
    authorizer: Authorizer,
    database: Database,
    clock: Clock,
    audit: Audit,
) -> None:
    code = authorizer.code(authorizer.authorize())
    user_id = authorizer.account.user_id
    database.write(lambda writing: accounts.remove_account(writing, user_id, clock()))

    assert_refused(exchange(code), audit, "user-removed")


def test_removing_a_person_ends_her_codes(
    exchange: Exchange, authorizer: Authorizer, services: AuthServices
) -> None:
    code = authorizer.code(authorizer.authorize())

    users.remove(services, "Rowan")

    assert exchange(code).get_json()["error"] == "invalid_grant"


def test_a_code_is_no_good_after_the_login_that_it_ends_with(
    exchange: Exchange, authorizer: Authorizer, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize(session=b"never opened"))

    assert_refused(exchange(code), audit, "session-ended")


def test_a_removed_client_gets_nothing(
    exchange: Exchange, authorizer: Authorizer, services: AuthServices, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize())
    clients.remove(services, "portal")

    response = exchange(code)

    assert response.status_code == 401
    assert response.get_json()["error"] == "invalid_client"
    assert audit.last == ("token-refused", "unknown-client")


def test_a_client_changed_between_proof_and_issue_gets_nothing(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    authorizer: Authorizer,
    audit: Audit,
) -> None:
    code = authorizer.code(authorizer.authorize())

    def random(count: int) -> bytes:
        clients.rotate_secret(services, "portal", "y" * 43)
        return b"r" * count

    app = make_app(replace(services, random=random))

    response = app.test_client().post("/auth/token", data=fields(code), auth=APP)

    assert response.get_json()["error"] == "invalid_client"
    assert audit.last == ("token-refused", "client-changed")


def test_a_backend_service_exchanges_no_codes(
    http: FlaskClient,
    sign: Any,
    token_form: Callable[..., dict[str, str]],
    authorizer: Authorizer,
    audit: Audit,
) -> None:
    service = replace(authorizer, client_id="ehr")
    code = service.code(service.authorize())

    response = http.post("/auth/token", data=token_form(sign(), **fields(code)))

    assert_refused(response, audit, "no-app", "unauthorized_client")


def test_no_token_leaves_without_its_audit_row(
    exchange: Exchange, authorizer: Authorizer, database: Database
) -> None:
    code = authorizer.code(authorizer.authorize())
    database.tail = None

    assert exchange(code).status_code == 503
    with database.read() as snapshot:
        kept = authorizations.find_code(
            snapshot, hashlib.sha256(code.encode()).digest()
        )
    assert kept is not None
    assert kept.used is None
    with database.engine.connect() as connection:
        assert not list(connection.execute(authorizations.access_token.select()))


def test_no_event_holds_a_secret(
    exchange: Exchange, authorizer: Authorizer, audit: Audit
) -> None:
    code = authorizer.code(authorizer.authorize())
    body = exchange(code).get_json()
    exchange(code)

    told = repr(audit.events)
    for secret in (code, VERIFIER, APP[1], body["access_token"], body["refresh_token"]):
        assert secret not in told
