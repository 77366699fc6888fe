"""What an Authorization header opens."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_service.auth import clients
from fhir_service.auth.bearer import (
    AuthenticationError,
    Grant,
    InsufficientScope,
    authenticate,
    require,
)
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash
from fhir_service.errors import status_of
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Database, Transaction

BARE = 'Bearer realm="fhir"'
INVALID = 'Bearer realm="fhir", error="invalid_token"'

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Clock = Any


@pytest.fixture
def token(
    services: AuthServices, database: Database, ehr: registrations.Client, clock: Clock
) -> str:
    value = new_token(services.random)

    def work(transaction: Transaction) -> None:
        authorizations.add_token(
            transaction,
            AccessToken(
                hash=token_hash(value),
                client_id=ehr.client_id,
                scopes="system/Observation.rs",
                purposes=("TREAT",),
                issued=clock(),
                expires=clock() + 300_000_000,
            ),
        )

    database.write(work)
    return value


@pytest.fixture
def grant(database: Database, token: str, clock: Clock) -> Grant:
    with database.read() as snapshot:
        return authenticate(snapshot, f"Bearer {token}", clock())


@on_sqlite
@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (None, BARE),
        ("", BARE),
        ("Basic ZWhyOng=", BARE),
        ("Bear", BARE),
        ("Bearer", INVALID),
        ("Bearer ", INVALID),
        ("Bearer a b", INVALID),
        ("Bearer a,b", INVALID),
        ("Bearer a\nb", INVALID),
        ("Bearerabc", INVALID),
        ("Bearer unknown", INVALID),
        ("Bearer " + "a" * 513, INVALID),
        ("Bearer \u0661", INVALID),
    ],
)
def test_a_header_without_a_good_token_is_challenged(
    database: Database, clock: Clock, header: str | None, challenge: str
) -> None:
    with database.read() as snapshot, pytest.raises(AuthenticationError) as caught:
        authenticate(snapshot, header, clock())

    assert caught.value.headers == (("www-authenticate", challenge),)
    assert status_of(caught.value) == 401


@on_sqlite
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_scheme_is_spelt_in_any_case(
    database: Database, token: str, clock: Clock, scheme: str
) -> None:
    with database.read() as snapshot:
        grant = authenticate(snapshot, f"{scheme} {token}", clock())

    assert grant.client_id == "ehr"


@pytest.mark.parametrize("spoil", [str.swapcase, lambda token: token + "A"])
def test_a_token_is_compared_whole(
    database: Database, token: str, clock: Clock, spoil: Callable[[str], str]
) -> None:
    with database.read() as snapshot, pytest.raises(AuthenticationError):
        authenticate(snapshot, f"Bearer {spoil(token)}", clock())


def test_a_token_ends_when_it_expires(
    database: Database, token: str, clock: Clock
) -> None:
    clock.now += 300_000_000

    with database.read() as snapshot, pytest.raises(AuthenticationError):
        authenticate(snapshot, f"Bearer {token}", clock())


def test_a_snapshot_keeps_what_it_saw_and_the_next_one_does_not(
    services: AuthServices, database: Database, token: str, clock: Clock
) -> None:
    with database.read() as snapshot:
        authenticate(snapshot, f"Bearer {token}", clock())
        clients.remove(services, "ehr")
        authenticate(snapshot, f"Bearer {token}", clock())

    with database.read() as snapshot, pytest.raises(AuthenticationError):
        authenticate(snapshot, f"Bearer {token}", clock())


def test_a_client_without_purpose_gives_none(
    services: AuthServices,
    database: Database,
    clock: Clock,
    rsa_key: Any,
    public_jwks: Callable[..., bytes],
) -> None:
    registration = clients.Registration(
        client_id="bare",
        name="Bare",
        jwks=public_jwks(rsa_key),
        scopes=("system/*.rs",),
    )
    clients.register(services, registration)
    value = new_token(services.random)
    database.write(
        lambda transaction: authorizations.add_token(
            transaction,
            AccessToken(
                hash=token_hash(value),
                client_id="bare",
                scopes="system/*.rs",
                purposes=(),
                issued=clock(),
                expires=clock() + 1,
            ),
        )
    )

    with database.read() as snapshot:
        grant = authenticate(snapshot, f"Bearer {value}", clock())

    assert grant.purposes == ()
    assert grant.organization is None
    assert grant.sources == frozenset()
    assert grant.actors == {"https://fhir-interop-service.org/fhir/sid/client|bare"}


def test_what_the_scopes_allow_has_its_filters(grant: Grant) -> None:
    assert require(grant, "Observation", "read") == ((),)


@on_sqlite
@pytest.mark.parametrize(
    ("type_", "interaction"),
    [("Patient", "read"), ("Observation", "create"), ("Observation", "execute")],
)
def test_what_the_scopes_do_not_allow_is_forbidden(
    grant: Grant, type_: str, interaction: str
) -> None:
    with pytest.raises(InsufficientScope) as caught:
        require(grant, type_, interaction)

    challenge = 'Bearer realm="fhir", error="insufficient_scope"'
    assert caught.value.headers == (("www-authenticate", challenge),)
    assert status_of(caught.value) == 403
