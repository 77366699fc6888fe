"""A refresh token at the token endpoint: rotated, bound, and never widened."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fhir_service.auth import sessions
from fhir_service.auth.bearer import AuthenticationError, authenticate
from fhir_service.auth.refresh import is_within
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices
from fhir_service.storage import accounts, authorizations, registrations
from fhir_service.storage.engine import Database

Audit = Any
Authorizer = Any
Clock = Any
Refresh = Callable[..., Any]

APP = ("portal", "of-the-example-portal_" + "x" * 21)
GRANTED = "patient/*.rs launch/patient offline_access"


@pytest.fixture
def refresh(http: FlaskClient, portal: registrations.Client) -> Refresh:
    assert portal.client_id == APP[0]

    def post(
        token: str | None,
        auth: tuple[str, str] | None = APP,
        **changes: str | None,
    ) -> Any:
        values = {"grant_type": "refresh_token", "refresh_token": token} | changes
        data = {name: value for name, value in values.items() if value is not None}
        return http.post("/auth/token", data=data, auth=auth)

    return post


@pytest.fixture
def token(authorizer: Authorizer) -> str:
    text: str = authorizer.refresh_token(authorizer.authorize())
    return text


@pytest.fixture
def allows(database: Database, clock: Clock) -> Callable[[str], bool]:
    """Whether an access token is good now."""

    def check(token: str) -> bool:
        with database.read() as snapshot:
            try:
                authenticate(snapshot, f"Bearer {token}", clock())
            except AuthenticationError:
                return False
        return True

    return check


def assert_refused(
    response: Any, audit: Audit, reason: str, error: str = "invalid_grant"
) -> None:
    assert response.status_code == 400
    assert response.get_json()["error"] == error
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert audit.last == ("token-refused", reason)


def test_a_refresh_token_gets_new_tokens_of_the_same_scopes(
    refresh: Refresh, token: str, audit: Audit
) -> None:
    response = refresh(token)

    body = response.get_json()
    assert response.status_code == 200
    assert len(body.pop("access_token")) == 43
    assert body.pop("refresh_token") != token
    assert body == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": GRANTED,
        "patient": "demo-1",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    event = audit.events[-1]
    assert audit.last == ("token-granted", None)
    assert (event.client_id, event.patient, event.scopes) == (
        "portal",
        "demo-1",
        GRANTED,
    )


def test_the_new_one_is_good_and_the_old_access_token_lives_on(
    refresh: Refresh, token: str, allows: Callable[[str], bool]
) -> None:
    first = refresh(token).get_json()

    second = refresh(first["refresh_token"])

    assert second.status_code == 200
    assert allows(first["access_token"])
    assert allows(second.get_json()["access_token"])


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (None, GRANTED),
        ("", GRANTED),
        (" \t", GRANTED),
        ("offline_access\npatient/*.rs", "offline_access patient/*.rs"),
        ("patient/*.rs " * 400, "patient/*.rs"),
        (GRANTED, GRANTED),
        ("offline_access patient/*.rs", "offline_access patient/*.rs"),
        ("patient/Observation.read", "patient/Observation.read"),
        (
            "patient/Observation.s?category=urn:c|laboratory",
            "patient/Observation.s?category=urn:c|laboratory",
        ),
    ],
)
def test_a_part_of_the_scopes_is_given_as_it_was_asked(
    refresh: Refresh, token: str, scope: str | None, told: str
) -> None:
    response = refresh(token, scope=scope)

    assert response.get_json()["scope"] == told


def test_a_narrower_token_narrows_no_later_one(refresh: Refresh, token: str) -> None:
    first = refresh(token, scope="patient/Observation.r").get_json()

    second = refresh(first["refresh_token"]).get_json()

    assert second["scope"] == GRANTED


@pytest.mark.parametrize(
    "scope",
    [
        "patient/*.cruds",
        "patient/*.rs patient/Observation.u",
        "patient/*.read patient/*.write",
        "user/*.rs",
        "system/*.rs",
        "openid",
        "patient/*.rs online_access",
        "patient/*.sr",
        "nonsense",
        "Offline_access",
    ],
)
def test_a_wider_scope_is_refused_and_the_token_stays_good(
    refresh: Refresh, token: str, audit: Audit, scope: str
) -> None:
    response = refresh(token, scope=scope)

    assert_refused(response, audit, "wider-scope", "invalid_scope")
    assert refresh(token).status_code == 200


@pytest.mark.parametrize(
    ("scope", "limit", "within"),
    [
        ("patient/Observation.rs", "patient/Observation.r patient/Device.rs", False),
        (
            "patient/Observation.rs",
            "patient/Observation.rs?category=urn:c|laboratory",
            False,
        ),
        ("patient/Observation.r patient/Device.s", "patient/*.read", True),
        ("patient/*.rs", "patient/Observation.rs patient/Device.rs", False),
    ],
)
def test_each_scope_lies_wholly_within_one(
    scope: str,
    limit: str,
    within: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_within(scope, limit) is within


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        (None, ("invalid_request", "no-refresh-token")),
        ("", ("invalid_request", "no-refresh-token")),
        (
            "5f0c5d9e-2f31-4b3c-8f5c-3e3a2f9b1c77",
            ("invalid_grant", "unknown-refresh-token"),
        ),
        ("\x00", ("invalid_grant", "unknown-refresh-token")),
    ],
)
def test_what_is_no_refresh_token_is_refused(
    refresh: Refresh, audit: Audit, token: str | None, refusal: tuple[str, str]
) -> None:
    error, reason = refusal

    assert_refused(refresh(token), audit, reason, error)


def test_another_clients_token_is_refused_and_stays_good(
    refresh: Refresh, token: str, register_app: Callable[..., Any], audit: Audit
) -> None:
    register_app(client_id="thief")

    assert_refused(refresh(token, ("thief", APP[1])), audit, "other-client")
    assert refresh(token).status_code == 200


def test_a_token_used_twice_ends_everything_of_its_authorization(
    refresh: Refresh,
    token: str,
    audit: Audit,
    allows: Callable[[str], bool],
) -> None:
    first = refresh(token).get_json()
    second = refresh(first["refresh_token"]).get_json()

    response = refresh(token)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_grant"
    assert audit.last == ("refresh-replayed", "used-before")
    assert audit.events[-1].patient == "demo-1"
    assert not allows(first["access_token"])
    assert not allows(second["access_token"])
    assert_refused(refresh(second["refresh_token"]), audit, "unknown-refresh-token")


def test_of_concurrent_refreshes_exactly_one_succeeds(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    token: str,
    audit: Audit,
    allows: Callable[[str], bool],
) -> None:
    data = {"grant_type": "refresh_token", "refresh_token": token}
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
    [granted] = [
        response.get_json() for response in responses if response.status_code == 200
    ]
    assert audit.last == ("refresh-replayed", "used-before")
    assert not allows(granted["access_token"])


def test_a_token_ends_with_its_authorization(
    refresh: Refresh, authorizer: Authorizer, clock: Clock
) -> None:
    token = authorizer.refresh_token(authorizer.authorize())
    clock.pass_s(30 * 86_400)

    assert refresh(token).get_json()["error"] == "invalid_grant"


def test_a_token_may_end_before_its_authorization(
    refresh: Refresh, authorizer: Authorizer, clock: Clock, audit: Audit
) -> None:
    authorization = authorizer.authorize()
    token = authorizer.refresh_token(authorization, expires=clock() + 1_000_000)
    clock.pass_s(0.5)
    assert refresh("BAD_TOKEN").status_code == 400  # purges; the next is soon after
    clock.pass_s(0.5)

    assert_refused(refresh(token), audit, "expired-refresh-token")


def test_a_token_that_was_revoked_is_refused(
    refresh: Refresh, authorizer: Authorizer, database: Database, audit: Audit
) -> None:
    authorization = authorizer.authorize()
    token = authorizer.refresh_token(authorization)
    database.write(
        lambda writing: authorizations.end(writing, authorization.authorization_id)
    )

    assert_refused(refresh(token), audit, "unknown-refresh-token")


def test_a_removed_person_gets_nothing(
    refresh: Refresh,
    authorizer: Authorizer,
    database: Database,
    clock: Clock,
    audit: Audit,
) -> None:
    token = authorizer.refresh_token(authorizer.authorize())
    user_id = authorizer.account.user_id
    database.write(lambda writing: accounts.remove_account(writing, user_id, clock()))

    assert_refused(refresh(token), audit, "user-removed")


SECRET = "session-secret"  # noqa: S105 - of a test's own login


@pytest.fixture
def logged_in(authorizer: Authorizer, services: AuthServices, clock: Clock) -> str:
    """A refresh token that ends with a login that holds."""
    session = hashlib.sha256(SECRET.encode()).digest()
    services.database.write(
        lambda writing: sessions.open_session(
            services, writing, authorizer.account, SECRET, clock()
        )
    )
    scopes = "patient/*.rs online_access"
    authorization = authorizer.authorize(scopes=scopes, session=session)
    token: str = authorizer.refresh_token(authorization)
    return token


def test_online_access_lasts_as_long_as_the_login(
    refresh: Refresh, logged_in: str, clock: Clock, audit: Audit
) -> None:
    clock.pass_s(1700)
    token = refresh(logged_in).get_json()["refresh_token"]
    clock.pass_s(200)

    assert_refused(refresh(token), audit, "session-ended")


def test_online_access_ends_with_logging_out(
    refresh: Refresh,
    logged_in: str,
    services: AuthServices,
    authorizer: Authorizer,
    allows: Callable[[str], bool],
) -> None:
    body = refresh(logged_in).get_json()
    assert allows(body["access_token"])

    sessions.log_out(services, SECRET, authorizer.account, "192.0.2.1")

    assert not allows(body["access_token"])
    assert refresh(body["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_a_public_app_refreshes_by_its_name(
    refresh: Refresh,
    register_app: Callable[..., Any],
    authorizer: Authorizer,
) -> None:
    register_app(client_id="phone", auth_method=AuthMethod.NONE, secret=None)
    phone = replace(authorizer, client_id="phone")
    token = phone.refresh_token(phone.authorize())

    assert refresh(token, None, client_id="phone").status_code == 200


def test_a_backend_service_refreshes_nothing(
    http: FlaskClient,
    sign: Any,
    token_form: Callable[..., dict[str, str]],
    authorizer: Authorizer,
    audit: Audit,
) -> None:
    service = replace(authorizer, client_id="ehr")
    token = service.refresh_token(service.authorize())
    data = token_form(
        sign(), grant_type="refresh_token", refresh_token=token, scope=None
    )

    response = http.post("/auth/token", data=data)

    assert_refused(response, audit, "no-app", "unauthorized_client")


def test_no_event_holds_a_secret(refresh: Refresh, token: str, audit: Audit) -> None:
    body = refresh(token).get_json()
    refresh(token)

    told = repr(audit.events)
    for secret in (token, APP[1], body["access_token"], body["refresh_token"]):
        assert secret not in told
