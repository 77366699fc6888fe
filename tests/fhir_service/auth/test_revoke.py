"""Revocation: what a client gives back has ended everywhere, at once."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from held import Held, app, backend_token, hold
from joserfc.jwk import ECKey

from conformance.issues import FHIRError
from fhir_service.auth import clients
from fhir_service.auth.bearer import authenticate
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import Code
from fhir_service.storage.engine import Database

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any
Clock = Any

SECRET = "s" * 43
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def basic(client_id: str, secret: str = SECRET) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.fixture
def held(services: AuthServices, practitioner: Account) -> Held:
    app(services)
    return hold(services, "growth", practitioner)


def revoke(
    http: FlaskClient, token: str, client_id: str = "growth", **form: str
) -> Any:
    data = {"token": token, "client_id": client_id, **form}
    return http.post("/auth/revoke", data=data)


def opens(services: AuthServices, token: str) -> bool:
    """Whether the FHIR door takes the token."""
    with services.database.read() as snapshot:
        try:
            authenticate(snapshot, f"Bearer {token}", services.clock())
        except FHIRError:
            return False
    return True


def is_whole(services: AuthServices, held: Held) -> bool:
    """Whether authorization, access and refresh token are all there."""
    with services.database.read() as snapshot:
        return opens(services, held.access) and (
            authorizations.find(snapshot, held.authorization_id) is not None
            and authorizations.find_refresh_token(snapshot, token_hash(held.refresh))
            is not None
        )


def is_gone(services: AuthServices, held: Held) -> bool:
    """Whether nothing of it is left."""
    with services.database.read() as snapshot:
        return (
            not opens(services, held.access)
            and authorizations.find(snapshot, held.authorization_id) is None
            and authorizations.find_refresh_token(snapshot, token_hash(held.refresh))
            is None
        )


@pytest.mark.parametrize("which", ["access", "refresh"])
@pytest.mark.parametrize(
    "hint", [None, "access_token", "refresh_token", "something else"]
)
def test_either_token_ends_the_whole_authorization(
    services: AuthServices, http: FlaskClient, held: Held, which: str, hint: str | None
) -> None:
    assert is_whole(services, held)
    form = {} if hint is None else {"token_type_hint": hint}

    response = revoke(http, getattr(held, which), **form)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json() == {}
    assert is_gone(services, held)


@on_sqlite
def test_another_authorization_of_the_same_client_stays(
    services: AuthServices, http: FlaskClient, held: Held, practitioner: Account
) -> None:
    other = hold(services, "growth", practitioner)

    revoke(http, held.access)

    assert is_whole(services, other)


def test_a_code_that_was_not_exchanged_ends_too(
    services: AuthServices, http: FlaskClient, held: Held, database: Database
) -> None:
    now = services.clock()
    code = Code(
        hash=token_hash("code"),
        authorization_id=held.authorization_id,
        redirect_uri="https://app.test/cb",
        code_challenge=None,
        nonce=None,
        expires=now + 60_000_000,
        used=None,
        forgotten=now + 600_000_000,
    )
    database.write(lambda transaction: authorizations.add_code(transaction, code))

    revoke(http, held.refresh)

    with database.read() as snapshot:
        found = authorizations.find_code(snapshot, token_hash("code"))
    assert found == replace(code, used=0)


@on_sqlite
def test_a_used_refresh_token_ends_what_it_belonged_to(
    services: AuthServices, http: FlaskClient, held: Held, database: Database
) -> None:
    database.write(
        lambda transaction: authorizations.use_refresh_token(
            transaction, token_hash(held.refresh), services.clock()
        )
    )

    revoke(http, held.refresh)

    assert is_gone(services, held)


@on_sqlite
def test_an_expired_access_token_ends_what_it_belonged_to(
    services: AuthServices, http: FlaskClient, held: Held, clock: Clock
) -> None:
    clock.pass_s(301)

    revoke(http, held.access)

    assert is_gone(services, held)


def test_a_backend_service_gives_back_one_token_alone(
    services: AuthServices, http: FlaskClient, ehr: registrations.Client, sign: Any
) -> None:
    one, other = (
        backend_token(services, ehr.client_id, "system/Patient.r") for _ in range(2)
    )

    response = http.post(
        "/auth/revoke",
        data={
            "token": one,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": sign(),
        },
    )

    assert response.status_code == 200
    assert not opens(services, one)
    assert opens(services, other)


@on_sqlite
def test_an_app_with_a_secret_proves_itself_by_it(
    services: AuthServices, http: FlaskClient, practitioner: Account
) -> None:
    app(services, auth_method=clients.AuthMethod.SECRET, secret=SECRET)
    held = hold(services, "growth", practitioner)
    form = {"token": held.access}

    wrong = http.post("/auth/revoke", data=form, headers=basic("growth", "t" * 43))
    nameless = revoke(http, held.access)
    still_there = is_whole(services, held)
    right = http.post("/auth/revoke", data=form, headers=basic("growth"))

    assert (wrong.status_code, wrong.get_json()["error"]) == (401, "invalid_client")
    assert wrong.headers["WWW-Authenticate"] == 'Basic realm="fhir"'
    assert (nameless.status_code, nameless.get_json()["error"]) == (
        400,
        "invalid_client",
    )
    assert still_there
    assert right.status_code == 200
    assert is_gone(services, held)


@on_sqlite
def test_an_app_with_a_key_proves_itself_by_it(
    services: AuthServices,
    http: FlaskClient,
    practitioner: Account,
    ec_key: ECKey,
    sign: Any,
) -> None:
    app(
        services,
        auth_method=clients.AuthMethod.KEY,
        jwks=json.dumps(ec_key.as_dict(private=False)).encode(),
    )
    held = hold(services, "growth", practitioner)
    signer = replace(sign, key=ec_key, algorithm="ES384")
    form = {
        "token": held.access,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signer(iss="growth", sub="growth"),
    }

    first, again = (http.post("/auth/revoke", data=form) for _ in range(2))

    assert first.status_code == 200
    assert is_gone(services, held)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_client")


@on_sqlite
@pytest.mark.parametrize("which", ["access", "refresh"])
def test_a_token_of_another_client_stays_and_is_not_told_from_an_unknown_one(
    services: AuthServices, http: FlaskClient, held: Held, audit: Audit, which: str
) -> None:
    app(services, "thief")

    response = revoke(http, getattr(held, which), "thief")
    unknown = revoke(http, "unknown", "thief")

    assert is_whole(services, held)
    assert response.status_code == unknown.status_code == 200
    assert response.get_json() == unknown.get_json() == {}
    event = audit.events[-1]
    assert (event.kind, event.reason) == ("revocation-refused", "other-client")
    assert (event.client_id, event.proven) == ("thief", True)
    assert event.patient == "pat-1"


@on_sqlite
def test_a_refresh_token_of_what_has_ended_is_unknown(
    services: AuthServices, http: FlaskClient, held: Held, database: Database
) -> None:
    orphan = authorizations.RefreshToken(
        hash=token_hash("orphan"),
        authorization_id="gone",
        issued=0,
        expires=services.clock() + 1,
    )
    database.write(
        lambda transaction: authorizations.add_refresh_token(transaction, orphan)
    )

    response = revoke(http, "orphan")

    assert response.status_code == 200
    assert is_whole(services, held)


@on_sqlite
@pytest.mark.parametrize(
    "data",
    [
        b"client_id=growth",
        b"client_id=growth&token=",
        b"client_id=growth&token=a&token=b",
    ],
)
def test_a_request_names_one_token(
    http: FlaskClient, held: Held, audit: Audit, data: bytes
) -> None:
    assert held.access
    response = http.post(
        "/auth/revoke", data=data, content_type="application/x-www-form-urlencoded"
    )

    assert (response.status_code, response.get_json()["error"]) == (
        400,
        "invalid_request",
    )
    assert audit.events[-1].kind == "revocation-refused"


@on_sqlite
@pytest.mark.parametrize("client_id", ["nobody", ""])
def test_a_stranger_ends_nothing(
    services: AuthServices, http: FlaskClient, held: Held, client_id: str
) -> None:
    response = revoke(http, held.access, client_id)

    assert (response.status_code, response.get_json()["error"]) == (
        400,
        "invalid_client",
    )
    assert is_whole(services, held)


def test_each_revocation_is_audited(
    http: FlaskClient, held: Held, audit: Audit, practitioner: Account
) -> None:
    revoke(http, held.access)

    event = audit.events[-1]
    assert event.kind == "token-revoked"
    assert (event.client_id, event.proven) == ("growth", True)
    assert event.user_id == practitioner.user_id
    assert event.patient == "pat-1"
    assert event.token_id == token_id(token_hash(held.access))
    assert held.access not in repr(event)
