"""Introspection: who may ask about a token, and what is told of it."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from held import SCOPES, Held, app, backend_token, hold
from joserfc.jwk import ECKey

from fhir_service.auth import clients, sessions, users
from fhir_service.auth.introspect import answer
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.auth.token_message import TokenRequest
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Database, Transaction

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any
Clock = Any

SECRET = "s" * 43
NOW_S = 1_790_000_000
CHALLENGE = 'Bearer realm="fhir", Basic realm="fhir"'
GATEWAY = "gateway"


def basic(client_id: str = GATEWAY, secret: str = SECRET) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def gateway(services: AuthServices) -> registrations.Client:
    """A client that may introspect, and proves itself by a secret."""
    return app(
        services,
        GATEWAY,
        auth_method=clients.AuthMethod.SECRET,
        secret=SECRET,
        scopes=("introspect openid",),
    )


@pytest.fixture
def held(
    services: AuthServices, practitioner: Account, gateway: registrations.Client
) -> Held:
    assert gateway.client_id == GATEWAY
    app(services)
    return hold(services, "growth", practitioner)


Ask = Callable[..., Any]


@pytest.fixture
def introspect(http: FlaskClient) -> Ask:
    def post(token: str, headers: dict[str, str] | None = None, **form: str) -> Any:
        return http.post(
            "/auth/introspect", data={"token": token, **form}, headers=headers
        )

    return post


def is_inactive(response: Any) -> bool:
    told = (response.status_code, response.get_json())
    return bool(told == (200, {"active": False}))


def test_everything_of_an_access_token_is_told(
    introspect: Ask, held: Held, practitioner: Account
) -> None:
    response = introspect(held.access, basic())

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert response.get_json() == {
        "active": True,
        "token_type": "bearer",
        "client_id": "growth",
        "scope": SCOPES,
        "iss": "https://fhir.test",
        "sub": practitioner.user_id,
        "fhirUser": "https://fhir.test/fhir/Practitioner/7",
        "iat": NOW_S,
        "exp": NOW_S + 300,
        "purpose_of_use": "TREAT HOPERAT",
        "patient": "pat-1",
        "encounter": "enc-1",
        "intent": "reconcile-medications",
        "need_patient_banner": True,
        "smart_style_url": "https://fhir.test/pages/smart-style.json",
    }


def test_a_refresh_token_is_told_without_a_type(
    introspect: Ask, held: Held, practitioner: Account
) -> None:
    told = introspect(held.refresh, basic()).get_json()

    assert told["active"] is True
    assert told["sub"] == practitioner.user_id
    assert told["exp"] == NOW_S + 3600
    assert "token_type" not in told


@on_sqlite
def test_the_context_names_neither_client_nor_scope(
    services: AuthServices,
    introspect: Ask,
    practitioner: Account,
    gateway: registrations.Client,
) -> None:
    assert gateway.client_id == GATEWAY
    app(services)
    odd = hold(
        services,
        "growth",
        practitioner,
        context='{"client_id":"other","scope":"system/*.cruds","sub":"x","exp":1}',
    )

    told = introspect(odd.access, basic()).get_json()

    assert (told["client_id"], told["scope"]) == ("growth", SCOPES)
    assert (told["sub"], told["exp"]) == (practitioner.user_id, NOW_S + 300)


@on_sqlite
def test_who_she_is_is_told_where_that_was_granted(
    services: AuthServices,
    introspect: Ask,
    practitioner: Account,
    gateway: registrations.Client,
) -> None:
    assert gateway.client_id == GATEWAY
    app(services)
    plain = hold(
        services,
        "growth",
        practitioner,
        scopes="patient/*.rs",
        purposes=(),
        patient=None,
    )

    told = introspect(plain.access, basic()).get_json()

    assert "fhirUser" not in told
    assert "purpose_of_use" not in told
    assert "patient" not in told


@on_sqlite
def test_a_token_of_a_backend_service_is_told(
    services: AuthServices,
    introspect: Ask,
    ehr: registrations.Client,
    gateway: registrations.Client,
) -> None:
    assert gateway.client_id == GATEWAY
    token = backend_token(services, ehr.client_id, "system/Observation.rs")

    assert introspect(token, basic()).get_json() == {
        "active": True,
        "token_type": "bearer",
        "client_id": "ehr",
        "scope": "system/Observation.rs",
        "iss": "https://fhir.test",
        "iat": NOW_S,
        "exp": NOW_S + 300,
    }


@on_sqlite
@pytest.mark.parametrize("token", ["invalid_token_value", "x" * 2000, " ", "ü", "\x00"])
def test_an_unknown_token_is_inactive(introspect: Ask, held: Held, token: str) -> None:
    assert held.access
    assert is_inactive(introspect(token, basic()))
    assert is_inactive(introspect(f" {held.access}", basic()))


@on_sqlite
def test_an_expired_token_is_inactive(
    introspect: Ask, held: Held, clock: Clock
) -> None:
    clock.pass_s(300)
    assert is_inactive(introspect(held.access, basic()))
    assert introspect(held.refresh, basic()).get_json()["active"] is True

    clock.pass_s(3300)

    assert is_inactive(introspect(held.refresh, basic()))


def test_what_was_ended_is_inactive_at_once(
    introspect: Ask, held: Held, database: Database
) -> None:
    database.write(
        lambda transaction: authorizations.end(transaction, held.authorization_id)
    )

    assert is_inactive(introspect(held.access, basic()))
    assert is_inactive(introspect(held.refresh, basic()))


@on_sqlite
def test_a_used_refresh_token_is_inactive(
    introspect: Ask, held: Held, database: Database, clock: Clock
) -> None:
    database.write(
        lambda transaction: authorizations.use_refresh_token(
            transaction, token_hash(held.refresh), clock()
        )
    )

    assert is_inactive(introspect(held.refresh, basic()))


@on_sqlite
def test_nothing_is_active_when_client_or_person_is_gone(
    services: AuthServices, introspect: Ask, held: Held, practitioner: Account
) -> None:
    other = users.register(
        services,
        users.NewUser(
            username="Other",
            name="Other",
            role=users.Role.PRACTITIONER,
            password="a long enough password",  # noqa: S106 - a test's
            reference="Practitioner/8",
        ),
    )
    second = hold(services, "growth", other)
    users.remove(services, "Other")

    assert is_inactive(introspect(second.access, basic()))
    assert is_inactive(introspect(second.refresh, basic()))
    assert introspect(held.access, basic()).get_json()["sub"] == practitioner.user_id
    clients.remove(services, "growth")
    assert is_inactive(introspect(held.access, basic()))
    assert is_inactive(introspect(held.refresh, basic()))


@on_sqlite
def test_a_token_that_outlived_its_authorization_or_its_person_is_inactive(
    services: AuthServices, introspect: Ask, held: Held, practitioner: Account
) -> None:
    orphan = replace(practitioner, user_id="nobody")
    nobodys = hold(services, "growth", orphan)

    def without_authorization(transaction: Transaction) -> None:
        issued = authorizations.issued_token(transaction, token_hash(held.access))
        assert issued is not None
        stray = replace(issued, hash=token_hash("stray"), authorization_id="gone")
        authorizations.add_token(transaction, stray)

    services.database.write(without_authorization)

    assert is_inactive(introspect("stray", basic()))
    assert is_inactive(introspect(nobodys.access, basic()))
    assert is_inactive(introspect(nobodys.refresh, basic()))
    assert introspect(held.access, basic()).get_json()["active"] is True


@on_sqlite
def test_online_access_is_inactive_when_the_login_has_ended(
    services: AuthServices,
    introspect: Ask,
    practitioner: Account,
    gateway: registrations.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert gateway.client_id == GATEWAY
    app(services)
    online = hold(services, "growth", practitioner, session=token_hash("a login"))
    monkeypatch.setattr(sessions, "holds", lambda *_: True)
    assert introspect(online.refresh, basic()).get_json()["active"] is True

    monkeypatch.undo()

    assert is_inactive(introspect(online.refresh, basic()))


@on_sqlite
def test_an_authorization_that_has_expired_is_inactive(
    introspect: Ask, held: Held, database: Database, clock: Clock
) -> None:
    database.write(
        lambda transaction: authorizations.add_refresh_token(
            transaction,
            authorizations.RefreshToken(
                hash=token_hash("longer"),
                authorization_id=held.authorization_id,
                issued=clock(),
                expires=clock() + 10 * 3_600_000_000,
            ),
        )
    )
    clock.pass_s(3600)

    assert is_inactive(introspect("longer", basic()))


@on_sqlite
def test_a_client_may_prove_itself_by_a_key(
    services: AuthServices,
    introspect: Ask,
    held: Held,
    ec_key: ECKey,
    sign: Any,
) -> None:
    clients.register(
        services,
        clients.Registration(
            client_id="server",
            name="Resource server",
            jwks=json.dumps(ec_key.as_dict(private=False)).encode(),
            scopes=("introspect",),
        ),
    )
    signer = replace(sign, key=ec_key, algorithm="ES384")
    form = {
        "client_assertion_type": (
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        ),
        "client_assertion": signer(iss="server", sub="server"),
    }

    first = introspect(held.access, **form)
    second = introspect(held.access, **form)

    assert (first.status_code, first.get_json()["active"]) == (200, True)
    assert second.status_code == 401
    assert second.get_json()["error"] == "invalid_client"


@on_sqlite
def test_whoever_holds_a_token_for_it_may_ask_about_every_token(
    services: AuthServices, introspect: Ask, held: Held, ehr: registrations.Client
) -> None:
    token = backend_token(services, ehr.client_id, "system/*.rs introspect")

    response = introspect(held.access, {"Authorization": f"bearer  {token}"})

    assert (response.status_code, response.get_json()["client_id"]) == (200, "growth")


@on_sqlite
def test_a_token_that_ends_meanwhile_asks_nothing(
    services: AuthServices, held: Held, ehr: registrations.Client, audit: Audit
) -> None:
    token = backend_token(services, ehr.client_id, "system/*.rs introspect")
    request = TokenRequest(
        content_type="application/x-www-form-urlencoded",
        body=f"token={held.access}".encode(),
        authorization=f"Bearer {token}",
    )
    ending = replace(services, database=_EndsTokens(services.database, token))

    told = answer(ending, request)

    assert told.status == 401
    assert b"growth" not in told.body
    assert audit.last == ("introspection-refused", "inactive-token")


class _EndsTokens:
    """A database in which a token ends between a read and the write that follows."""

    def __init__(self, database: Database, token: str) -> None:
        self._database = database
        self._hash = token_hash(token)
        self.read = database.read

    def write(self, work: Callable[[Transaction], Any]) -> Any:
        self._database.write(
            lambda transaction: authorizations.end_token(transaction, self._hash)
        )
        return self._database.write(work)


@on_sqlite
def test_everybody_may_ask_about_the_token_that_is_sent(
    introspect: Ask, held: Held
) -> None:
    response = introspect(held.access, bearer(held.access))

    assert (response.status_code, response.get_json()["active"]) == (200, True)


@on_sqlite
@pytest.mark.parametrize("asked", ["unknown", "refresh"])
def test_a_token_without_that_scope_opens_no_other(
    introspect: Ask, held: Held, audit: Audit, asked: str
) -> None:
    token = held.refresh if asked == "refresh" else asked

    response = introspect(token, bearer(held.access))

    assert response.status_code == 403
    assert response.get_json()["error"] == "insufficient_scope"
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="fhir", error="insufficient_scope"'
    )
    assert audit.last == ("introspection-refused", "another-token")


@on_sqlite
def test_a_client_that_did_not_register_for_it_may_not_ask(
    services: AuthServices, introspect: Ask, held: Held
) -> None:
    app(services, "plain", auth_method=clients.AuthMethod.SECRET, secret="t" * 43)

    response = introspect(held.access, basic("plain", "t" * 43))

    assert (response.status_code, response.get_json()["error"]) == (
        403,
        "insufficient_scope",
    )


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (None, {}),
        (None, {"client_id": "growth"}),
        (None, {"client_id": GATEWAY, "client_secret": SECRET}),
        (basic(secret="wrong"), {}),  # noqa: S106 - it is refused
        (basic("nobody"), {}),
        ({"Authorization": "Basic !"}, {}),
        ({"Authorization": "Digest x"}, {}),
    ],
)
def test_whoever_does_not_prove_itself_learns_nothing(
    introspect: Ask,
    held: Held,
    audit: Audit,
    headers: dict[str, str] | None,
    form: dict[str, str],
) -> None:
    response = introspect(held.access, headers, **form)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert response.get_json().keys() == {"error", "error_description"}
    assert response.get_json()["error"] == "invalid_client"
    assert audit.last[0] == "introspection-refused"


@on_sqlite
@pytest.mark.parametrize("token", ["unknown", "a b", ""])
def test_a_bearer_token_that_is_inactive_does_not_ask(
    introspect: Ask, held: Held, audit: Audit, token: str
) -> None:
    response = introspect(held.access, {"Authorization": f"Bearer {token} "})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="fhir", error="invalid_token"'
    )
    assert audit.last == ("introspection-refused", "inactive-token")


@on_sqlite
def test_a_refresh_token_does_not_ask(introspect: Ask, held: Held) -> None:
    assert introspect(held.refresh, bearer(held.refresh)).status_code == 401


@on_sqlite
def test_two_ways_of_proof_are_refused(introspect: Ask, held: Held) -> None:
    response = introspect(
        held.access, bearer(held.access), client_id="growth", client_secret=SECRET
    )

    assert (response.status_code, response.get_json()["error"]) == (
        400,
        "invalid_request",
    )


@on_sqlite
@pytest.mark.parametrize(
    ("body", "content_type", "query"),
    [
        (b"", "application/x-www-form-urlencoded", ""),
        (b"token=", "application/x-www-form-urlencoded", ""),
        (b"token=a&token=b", "application/x-www-form-urlencoded", ""),
        (b'{"token":"a"}', "application/json", ""),
        (b"token=a", "text/plain", ""),
        (b"token=a", "application/x-www-form-urlencoded", "?token=a"),
        (b"token=a&x=" + b"x" * 33_000, "application/x-www-form-urlencoded", ""),
    ],
)
def test_what_is_not_one_form_with_one_token_is_refused(
    http: FlaskClient,
    gateway: registrations.Client,
    body: bytes,
    content_type: str,
    query: str,
) -> None:
    assert gateway.client_id == GATEWAY
    response = http.post(
        f"/auth/introspect{query}",
        data=body,
        content_type=content_type,
        headers=basic(),
    )

    assert (response.status_code, response.get_json()["error"]) == (
        400,
        "invalid_request",
    )


def test_each_question_is_audited(
    introspect: Ask, held: Held, audit: Audit, clock: Clock
) -> None:
    introspect(held.access, basic())

    event = audit.events[-1]
    assert event.kind == "token-introspected"
    assert (event.client_id, event.proven) == (GATEWAY, True)
    assert event.at == clock()
    assert event.patient == "pat-1"
    assert event.token_id == token_id(token_hash(held.access))
    assert held.access not in repr(event)


@on_sqlite
def test_a_question_with_a_token_names_the_person_behind_it(
    introspect: Ask, held: Held, audit: Audit, practitioner: Account
) -> None:
    introspect(held.access, bearer(held.access))

    assert audit.events[-1].user_id == practitioner.user_id
