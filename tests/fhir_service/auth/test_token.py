"""The token endpoint over HTTP: what gets a token, and what ends it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select

from fhir_service.auth import clients
from fhir_service.auth.bearer import AuthenticationError, Grant, authenticate
from fhir_service.auth.rate_limit import RateLimit
from fhir_service.auth.services import AuthServices, RateLimits
from fhir_service.errors import OAUTH_STATUS, OAuthError
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.engine import Database, Transaction
from fhir_service.storage.statement import Statement

Sign = Any
Ask = Callable[..., Any]
Audit = Any
Clock = Any


@pytest.fixture
def ask_anew(ask: Ask, sign: Sign) -> Ask:
    """Ask with a fresh assertion of the example client."""
    return lambda **changes: ask(sign(), **changes)


@pytest.fixture
def allows(database: Database, clock: Clock) -> Callable[[str], bool]:
    """Whether a token is good now."""

    def check(token: str) -> bool:
        with database.read() as snapshot:
            try:
                authenticate(snapshot, f"Bearer {token}", clock())
            except AuthenticationError:
                return False
        return True

    return check


@pytest.fixture
def grant_of(database: Database, clock: Clock) -> Callable[[str], Grant]:
    """Return what a token allows now."""

    def find(token: str) -> Grant:
        with database.read() as snapshot:
            return authenticate(snapshot, f"Bearer {token}", clock())

    return find


@pytest.fixture
def limited(
    services: AuthServices, make_app: Callable[[AuthServices], Flask]
) -> Callable[[RateLimit], FlaskClient]:
    """The service, with another limit for each client."""

    def make(limit: RateLimit) -> FlaskClient:
        limits = RateLimits(token_client=limit)
        return make_app(replace(services, limits=limits)).test_client()

    return make


def assert_refused(response: Any, audit: Audit, reason: str) -> None:
    assert response.status_code == OAUTH_STATUS[OAuthError.INVALID_CLIENT]
    assert response.get_json() == {
        "error": "invalid_client",
        "error_description": "The client did not prove its identity.",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert audit.last == ("token-refused", reason)


def test_a_signed_assertion_gets_a_token(ask: Ask, sign: Sign, audit: Audit) -> None:
    response = ask(sign())

    body = response.get_json()
    assert response.status_code == 200
    assert len(body.pop("access_token")) == 43
    assert body == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/Observation.rs",
    }
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert audit.last == ("token-granted", None)
    event = audit.events[-1]
    assert (event.client_id, event.proven, event.scopes, event.purposes) == (
        "ehr",
        True,
        "system/Observation.rs",
        ("TREAT",),
    )


@pytest.mark.parametrize("path", ["/auth/token", "/auth/introspect"])
def test_a_store_that_cannot_be_written_gives_nothing(  # noqa: PLR0913, PLR0917 - the path and the parts
    path: str,
    http: FlaskClient,
    sign: Sign,
    token_form: Callable[..., dict[str, str]],
    database: Database,
    audit: Audit,
) -> None:
    database.tail = _BrokenTail()

    refused = http.post(path, data=token_form(sign()) | {"token": "t"})

    assert refused.status_code == 503
    assert refused.get_json()["error"] == "temporarily_unavailable"
    assert refused.headers["Retry-After"] == "5"
    assert refused.headers["Cache-Control"] == "no-store"
    database.tail = audit
    with database.engine.connect() as connection:
        tokens = connection.execute(select(authorizations.access_token)).all()
        used = connection.execute(select(registrations.client_assertion)).all()
    assert (tokens, used) == ([], [])


class _BrokenTail:
    """What should append to the audit log, and cannot."""

    def append(self, _transaction: Transaction, _leaves: object) -> None:
        raise OSError


def test_es384_is_accepted_too(ask: Ask, sign: Sign, ec_key: ECKey) -> None:
    response = ask(replace(sign, key=ec_key, algorithm="ES384")())

    assert response.status_code == 200


def test_a_token_is_stored_by_its_hash_alone(
    ask: Ask, sign: Sign, database: Database
) -> None:
    token = ask(sign()).get_json()["access_token"]

    with database.engine.connect() as connection:
        rows = str(list(connection.execute(authorizations.access_token.select())))
    assert token not in rows


def test_a_token_opens_what_it_was_granted(
    ask: Ask, sign: Sign, grant_of: Callable[[str], Grant], audit: Audit
) -> None:
    token = ask(sign()).get_json()["access_token"]

    grant = grant_of(token)

    assert (grant.client_id, grant.client_name, grant.user) == (
        "ehr",
        "Example EHR",
        None,
    )
    assert grant.purposes == ("TREAT",)
    assert grant.sources == {"open-mhealth"}
    assert grant.actors == {
        "Organization/clinic",
        "https://fhir-interop-service.org/fhir/sid/client|ehr",
    }
    assert not grant.individual_known
    assert grant.scopes.allows("Observation", "search-type") == ((),)
    assert grant.scopes.allows("Patient", "read") is None
    assert grant.token_id == audit.events[-1].token_id


def test_no_kid_is_enough_where_there_is_one_key(
    services: AuthServices,
    ask: Ask,
    sign: Sign,
    rsa_key: RSAKey,
    public_jwks: Callable[..., bytes],
) -> None:
    clients.rotate(services, "ehr", public_jwks(rsa_key))

    assert ask(sign({"kid": None})).status_code == 200


def test_a_replay_is_refused(ask: Ask, sign: Sign, audit: Audit, clock: Clock) -> None:
    assertion = sign()
    assert ask(assertion).status_code == 200

    assert_refused(ask(assertion), audit, "replayed")
    clock.pass_s(300)
    assert_refused(ask(assertion), audit, "replayed")
    clock.pass_s(9)
    assert_refused(ask(assertion), audit, "replayed")


def test_the_same_jti_under_another_expiry_is_a_replay(
    ask: Ask, sign: Sign, audit: Audit, clock: Clock
) -> None:
    assert ask(sign(jti="once")).status_code == 200
    clock.pass_s(30)

    assert_refused(ask(sign(jti="once")), audit, "replayed")


def test_of_concurrent_replays_one_gets_a_token(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    token_form: Callable[..., dict[str, str]],
    sign: Sign,
    audit: Audit,
) -> None:
    data = token_form(sign())
    app = make_app(services)
    barrier = threading.Barrier(8)
    statuses: list[int] = []

    def replay() -> None:
        barrier.wait()
        response = app.test_client().post("/auth/token", data=data)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=replay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [400] * 7
    assert [event.reason for event in audit.events].count("replayed") == 7


def test_an_assertion_is_used_up_by_a_refused_scope(
    ask: Ask, sign: Sign, audit: Audit
) -> None:
    assertion = sign()
    assert ask(assertion, scope="system/Patient.u").status_code == 400

    assert_refused(ask(assertion), audit, "replayed")


def test_what_is_granted_is_said(ask: Ask, sign: Sign) -> None:
    response = ask(sign(), scope="system/*.read openid user/Patient.rs")

    assert response.get_json()["scope"] == "system/Observation.read system/Patient.r"


@pytest.fixture
def for_two_purposes(
    services: AuthServices, ehr: registrations.Client
) -> registrations.Client:
    """The example client, had it been registered for more."""
    wider = replace(
        ehr, purposes=("TREAT", "HRESCH"), scopes=f"{ehr.scopes} introspect"
    )

    def work(transaction: Transaction) -> None:
        table = registrations.client
        transaction.run(
            Statement(
                table.update()
                .where(table.c.client_id == ehr.client_id)
                .values(purposes="TREAT HRESCH", scopes=wider.scopes)
            )
        )

    services.database.write(work)
    return wider


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, ("TREAT", "HRESCH")),
        ("", ("TREAT", "HRESCH")),
        ("HRESCH", ("HRESCH",)),
        ("TREAT TREAT", ("TREAT",)),
        (" HRESCH  TREAT ", ("HRESCH", "TREAT")),
    ],
)
def test_a_token_may_be_for_fewer_purposes(
    ask_anew: Ask,
    for_two_purposes: registrations.Client,
    grant_of: Callable[[str], Grant],
    asked: str | None,
    granted: tuple[str, ...],
) -> None:
    assert for_two_purposes.purposes == ("TREAT", "HRESCH")

    response = ask_anew(purpose_of_use=asked)

    assert grant_of(response.get_json()["access_token"]).purposes == granted


@pytest.mark.parametrize("asked", ["HPAYMT", "TREAT HPAYMT", "treat", "BTG", "*"])
def test_a_purpose_of_another_is_an_invalid_scope(
    ask_anew: Ask, audit: Audit, asked: str
) -> None:
    response = ask_anew(purpose_of_use=asked)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_scope"
    assert audit.last == ("token-refused", "other-purpose")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("introspect", "introspect"),
        ("introspect system/Patient.r", "system/Patient.r introspect"),
        ("introspect openid offline_access", "introspect"),
    ],
)
def test_a_service_may_be_granted_to_introspect(
    ask_anew: Ask, for_two_purposes: registrations.Client, asked: str, told: str
) -> None:
    assert "introspect" in for_two_purposes.scopes

    assert ask_anew(scope=asked).get_json()["scope"] == told


def test_who_is_not_registered_to_introspect_is_not_granted_it(ask_anew: Ask) -> None:
    response = ask_anew(scope="introspect system/Patient.r")

    assert response.get_json()["scope"] == "system/Patient.r"


def test_an_app_gets_no_token_of_its_own(
    http: FlaskClient, portal: registrations.Client, audit: Audit
) -> None:
    data = {"grant_type": "client_credentials", "scope": portal.scopes}
    auth = ("portal", "of-the-example-portal_" + "x" * 21)

    response = http.post("/auth/token", data=data, auth=auth)

    assert response.status_code == 400
    assert response.get_json()["error"] == "unauthorized_client"
    assert audit.last == ("token-refused", "no-backend-service")


def test_the_client_id_may_be_said_too(ask: Ask, sign: Sign) -> None:
    assert ask(sign(), client_id="ehr").status_code == 200


def test_a_token_is_asked_for_by_post_alone(http: FlaskClient) -> None:
    assert http.get("/auth/token").status_code == 405


def test_a_removed_client_gets_no_token(
    ask: Ask, sign: Sign, services: AuthServices, audit: Audit
) -> None:
    clients.remove(services, "ehr")

    assert_refused(ask(sign()), audit, "unknown-client")


def test_a_client_removed_between_proof_and_issue_gets_no_token(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    sign: Sign,
    token_form: Callable[..., dict[str, str]],
    audit: Audit,
) -> None:
    def random(count: int) -> bytes:
        clients.remove(services, "ehr")
        return b"r" * count

    app = make_app(replace(services, random=random))

    response = app.test_client().post("/auth/token", data=token_form(sign()))

    assert_refused(response, audit, "client-changed")


def test_removing_a_client_ends_its_tokens_at_once(
    ask_anew: Ask, services: AuthServices, allows: Callable[[str], bool]
) -> None:
    token = ask_anew().get_json()["access_token"]
    assert allows(token)

    clients.remove(services, "ehr")

    assert not allows(token)


def test_new_keys_end_the_tokens_of_the_old_ones(
    ask_anew: Ask,
    services: AuthServices,
    allows: Callable[[str], bool],
    ec_key: ECKey,
    public_jwks: Callable[..., bytes],
) -> None:
    token = ask_anew().get_json()["access_token"]

    clients.rotate(services, "ehr", public_jwks(ec_key))

    assert not allows(token)


def test_new_keys_replace_the_old_ones(
    ask: Ask,
    sign: Sign,
    services: AuthServices,
    ec_key: ECKey,
    public_jwks: Callable[..., bytes],
) -> None:
    clients.rotate(services, "ehr", public_jwks(ec_key))

    assert ask(sign()).status_code == 400
    assert ask(replace(sign, key=ec_key, algorithm="ES384")()).status_code == 200


def test_a_client_that_asks_too_often_waits(
    limited: Callable[[RateLimit], FlaskClient],
    sign: Sign,
    token_form: Callable[..., dict[str, str]],
    clock: Clock,
    audit: Audit,
) -> None:
    http = limited(RateLimit(burst=2, interval_us=1_500_000))
    for _ in range(2):
        assert http.post("/auth/token", data=token_form(sign())).status_code == 200

    response = http.post("/auth/token", data=token_form(sign()))

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "2"
    assert audit.last == ("token-refused", "throttled")
    clock.pass_s(2)
    assert http.post("/auth/token", data=token_form(sign())).status_code == 200


def test_a_strangers_failures_do_not_slow_a_client_down(
    limited: Callable[[RateLimit], FlaskClient],
    sign: Sign,
    token_form: Callable[..., dict[str, str]],
) -> None:
    http = limited(RateLimit(burst=1, interval_us=60_000_000))
    stranger = replace(sign, key=RSAKey.generate_key(2048, parameters={"kid": "rsa-1"}))
    for _ in range(5):
        response = http.post("/auth/token", data=token_form(stranger()))
        assert response.status_code == 400

    assert http.post("/auth/token", data=token_form(sign())).status_code == 200


def test_no_token_leaves_without_its_audit_row(
    ask: Ask, sign: Sign, database: Database
) -> None:
    database.tail = None

    assert ask(sign()).status_code == 503
    with database.engine.connect() as connection:
        assert not list(connection.execute(authorizations.access_token.select()))


def test_what_has_expired_is_removed(
    ask: Ask, sign: Sign, database: Database, clock: Clock
) -> None:
    for _ in range(3):
        assert ask(sign()).status_code == 200
    clock.pass_s(1000)

    assert ask(sign()).status_code == 200

    with database.engine.connect() as connection:
        assert len(list(connection.execute(authorizations.access_token.select()))) == 1
        assert (
            len(list(connection.execute(registrations.client_assertion.select()))) == 1
        )


def test_what_expires_is_removed_as_fast_as_it_comes(
    ask: Ask, sign: Sign, database: Database, clock: Clock
) -> None:
    for _ in range(40):
        assert ask(sign()).status_code == 200
    clock.pass_s(1000)
    for _ in range(2):  # The first removes all; the second need not look.
        assert ask(sign()).status_code == 200

    with database.engine.connect() as connection:
        assert len(list(connection.execute(authorizations.access_token.select()))) == 2


def test_a_purge_is_due_after_many_grants_too(
    ask_anew: Ask, database: Database, clock: Clock
) -> None:
    ask_anew()
    old = authorizations.AccessToken(
        hash=b"old",
        client_id="ehr",
        scopes="system/*.rs",
        purposes=(),
        issued=0,
        expires=clock() - 1,
    )
    database.write(lambda writing: authorizations.add_token(writing, old))

    def is_kept() -> bool:
        with database.read() as snapshot:
            return authorizations.issued_token(snapshot, b"old") is not None

    for _ in range(31):
        ask_anew()
    assert is_kept()
    ask_anew()
    assert not is_kept()


def test_no_event_holds_a_secret(ask: Ask, sign: Sign, audit: Audit) -> None:
    assertion = sign()
    token = ask(assertion).get_json()["access_token"]
    ask(assertion)

    told = repr(audit.events)
    assert token not in told
    assert assertion not in told
    assert assertion.rpartition(".")[2] not in told
