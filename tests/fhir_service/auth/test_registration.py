"""Registering apps: which addresses, scopes and ways of proof are taken."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from conformance.issues import FHIRError, IssueType
from fhir_service import cli
from fhir_service.auth import client_uris, clients
from fhir_service.auth.services import AuthServices
from fhir_service.commands import client as command
from fhir_service.storage import registrations
from fhir_service.storage.engine import Database

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any

SECRET = "s" * 43
KEY = json.dumps(ECKey.generate_key("P-384").as_dict(private=False)).encode()

PUBLIC = clients.Registration(
    client_id="growth",
    name="Growth chart",
    kind=clients.ClientKind.APP,
    auth_method=clients.AuthMethod.NONE,
    scopes=("launch/patient openid fhirUser offline_access patient/*.rs",),
    purposes=("PATRQT",),
    redirect_uris=("https://app.test/callback", "com.example.growth:/callback"),
    launch_uri="https://app.test/launch",
)
SYMMETRIC = replace(PUBLIC, auth_method=clients.AuthMethod.SECRET, secret=SECRET)
ASYMMETRIC = replace(PUBLIC, auth_method=clients.AuthMethod.KEY, jwks=KEY)
BACKEND = clients.Registration(
    client_id="export", name="Export", jwks=KEY, scopes=("system/*.rs",)
)


def stored(database: Database, client_id: str) -> registrations.Client:
    with database.read() as snapshot:
        found = registrations.find_client(snapshot, client_id)
    assert found is not None
    return found


def test_a_public_app_is_stored_as_registered(
    services: AuthServices, database: Database
) -> None:
    registered = clients.register(services, PUBLIC)

    assert stored(database, "growth") == registered
    assert registered == registrations.Client(
        client_id="growth",
        name="Growth chart",
        kind="app",
        auth_method="none",
        scopes="launch/patient openid fhirUser offline_access patient/*.rs",
        purposes=("PATRQT",),
        organization=None,
        sources=(),
        redirect_uris=("https://app.test/callback", "com.example.growth:/callback"),
        launch_uri="https://app.test/launch",
        origins=("https://app.test",),
        needs_pkce=True,
        created=services.clock(),
    )


def test_a_secret_is_kept_as_a_hash(services: AuthServices, database: Database) -> None:
    clients.register(services, SYMMETRIC)

    found = stored(database, "growth")

    assert found.secret_hash == hashlib.sha256(SECRET.encode()).digest()
    assert SECRET not in repr(found)
    assert SECRET not in repr(SYMMETRIC)


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"needs_pkce": False},
        {"launch_uri": None},
        {"token_lifetime_s": 60, "refresh_lifetime_s": 300},
        {"token_lifetime_s": 3600, "refresh_lifetime_s": 366 * 86_400},
        {"origins": ("https://other.test:8443", "http://localhost:3000")},
        {"origins": ()},
        {
            "scopes": (
                "openid fhirUser profile launch launch/patient launch/encounter",
                "offline_access online_access introspect",
            )
        },
        {"scopes": ("user/Observation.rs?category=http://x.test/c|a",)},
    ],
)
def test_what_an_app_may_choose_is_taken(
    services: AuthServices, changes: dict[str, Any]
) -> None:
    registered = clients.register(services, replace(PUBLIC, **changes))

    for member in changes.keys() - {"scopes"}:
        assert getattr(registered, member) == changes[member]


@on_sqlite
@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (PUBLIC, {"redirect_uris": ()}),
        (PUBLIC, {"redirect_uris": tuple(f"https://a.test/{n}" for n in range(17))}),
        (PUBLIC, {"scopes": ("system/*.rs",)}),
        (PUBLIC, {"scopes": ("patient/*.sr",)}),
        (PUBLIC, {"scopes": ("launch/practitioner",)}),
        (PUBLIC, {"secret": SECRET}),
        (PUBLIC, {"jwks": KEY}),
        (PUBLIC, {"jwks_uri": "https://app.test/jwks"}),
        (PUBLIC, {"launch_uri": "com.example.growth:/launch"}),
        (PUBLIC, {"launch_uri": "http://app.test/launch"}),
        (PUBLIC, {"origins": ("null",)}),
        (PUBLIC, {"origins": ("*",)}),
        (PUBLIC, {"origins": ("https://app.test/",)}),
        (PUBLIC, {"origins": ("https://APP.test",)}),
        (PUBLIC, {"origins": ("https://app.test:443",)}),
        (PUBLIC, {"origins": ("com.example.growth:/",)}),
        (PUBLIC, {"token_lifetime_s": 59}),
        (PUBLIC, {"token_lifetime_s": 3601}),
        (PUBLIC, {"refresh_lifetime_s": 299}),
        (PUBLIC, {"refresh_lifetime_s": 366 * 86_400 + 1}),
        (PUBLIC, {"purposes": ("NONSENSE",)}),
        (PUBLIC, {"purposes": ("PurposeOfUse",)}),
        (SYMMETRIC, {"secret": None}),
        (SYMMETRIC, {"secret": "password"}),
        (SYMMETRIC, {"secret": "s" * 42}),
        (SYMMETRIC, {"jwks": KEY}),
        (ASYMMETRIC, {"jwks": b""}),
        (ASYMMETRIC, {"jwks_uri": "https://app.test/jwks"}),
        (ASYMMETRIC, {"jwks": b"", "jwks_uri": "http://app.test/jwks"}),
        (ASYMMETRIC, {"jwks": b"", "jwks_uri": "http://127.0.0.1/jwks"}),
        (ASYMMETRIC, {"secret": SECRET}),
        (BACKEND, {"scopes": ("patient/*.rs",)}),
        (BACKEND, {"scopes": ("user/*.rs",)}),
        (BACKEND, {"scopes": ("openid",)}),
        (BACKEND, {"auth_method": clients.AuthMethod.NONE, "jwks": b""}),
        (
            BACKEND,
            {"auth_method": clients.AuthMethod.SECRET, "jwks": b"", "secret": SECRET},
        ),
        (BACKEND, {"redirect_uris": ("https://a.test/",)}),
        (BACKEND, {"launch_uri": "https://a.test/"}),
        (BACKEND, {"origins": ("https://a.test",)}),
        (BACKEND, {"needs_pkce": False}),
        (BACKEND, {"refresh_lifetime_s": 3600}),
    ],
)
def test_what_makes_no_sense_is_refused(
    services: AuthServices,
    database: Database,
    base: clients.Registration,
    changes: dict[str, Any],
) -> None:
    with pytest.raises(FHIRError) as caught:
        clients.register(services, replace(base, **changes))

    assert caught.value.type is IssueType.VALUE
    with database.read() as snapshot:
        assert registrations.all_clients(snapshot) == []


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.test",
        "https://app.test/cb?from=here",
        "https://app.test:8443/cb",
        "https://[2001:db8::1]/cb",
        "http://127.0.0.1:8888/cb",
        "http://[::1]/cb",
        "http://localhost:3000/",
        "com.example.app:/cb",
        "com.example.app://cb",
    ],
)
def test_an_exact_address_is_a_redirect_uri(uri: str) -> None:
    assert client_uris.redirect_uri(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/cb",
        "app.test/cb",
        "//app.test/cb",
        "https://",
        "https:///cb",
        "https://app.test/cb#",
        "https://app.test/cb#x",
        "https://*.app.test/cb",
        "https://app.test/*",
        "https://user@app.test/cb",
        "https://app.test@evil.test/cb",
        "https://app.test\\@evil.test/",
        "https://app.test:99999/cb",
        "https://app.test:x/cb",
        "https://app test/cb",
        "https://app.test/cb\n",
        "https://app..test/cb",
        "https://аpp.test/cb",  # noqa: RUF001 - the first letter is Cyrillic
        "https://[::1/cb",
        "https://[zz::1]/cb",
        "https://[v1.a:b]/cb",
        "http://app.test/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://localhost.evil.test/cb",
        "http://2130706433/cb",
        "http://127.1/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/hosts",
        "ftp://app.test/",
        "growth:/cb",
        "com.example.app:cb",
        "urn:ietf:wg:oauth:2.0:oob",
        f"https://app.test/{'a' * 2048}",
        f"https://{'a' * 2000}_",
    ],
)
def test_anything_else_is_no_redirect_uri(uri: str) -> None:
    with pytest.raises(FHIRError) as caught:
        client_uris.redirect_uri(uri)

    assert caught.value.type is IssueType.VALUE


def test_origins_follow_from_redirect_uris() -> None:
    origins = client_uris.origins_of(
        [
            "https://App.test:443/a",
            "https://app.test/b",
            "http://[::1]:3000/cb",
            "com.example.app:/cb",
        ]
    )

    assert origins == ("https://app.test", "http://[::1]:3000")


@on_sqlite
def test_keys_over_http_are_for_this_machine_alone(services: AuthServices) -> None:
    here = replace(services, public_url="http://localhost:8000")
    asked = replace(ASYMMETRIC, jwks=b"", jwks_uri="http://127.0.0.1:9/jwks")

    registered = clients.register(here, asked)

    assert registered.jwks_uri == "http://127.0.0.1:9/jwks"
    with pytest.raises(FHIRError):
        clients.rotate_uri(services, "growth", "http://127.0.0.1:9/jwks")


def test_a_new_secret_replaces_the_old_one(
    services: AuthServices, database: Database, audit: Audit
) -> None:
    clients.register(services, SYMMETRIC)

    clients.rotate_secret(services, "growth", "t" * 43)

    assert stored(database, "growth").secret_hash == hashlib.sha256(b"t" * 43).digest()
    assert audit.last == ("client-rotated", None)


def test_keys_at_an_address_replace_those_here(
    services: AuthServices, database: Database
) -> None:
    clients.register(services, ASYMMETRIC)

    clients.rotate_uri(services, "growth", "https://app.test/jwks")

    found = stored(database, "growth")
    assert (found.jwks, found.jwks_uri) == ("", "https://app.test/jwks")


@on_sqlite
def test_a_client_is_not_given_another_way_to_prove_itself(
    services: AuthServices, database: Database
) -> None:
    before = clients.register(services, SYMMETRIC)

    with pytest.raises(FHIRError) as caught:
        clients.rotate(services, "growth", KEY)

    assert caught.value.type is IssueType.BUSINESS_RULE
    assert stored(database, "growth") == before


def add(services: AuthServices, **changes: Any) -> None:
    options: dict[str, Any] = {
        "client_id": "growth",
        "name": "Growth chart",
        "scopes": ["launch/patient patient/*.rs"],
        "purposes": ["PATRQT"],
        "organization": None,
        "sources": [],
        "key": command.KeySource(),
        "app": command.AppOptions(
            kind="app", auth="secret", redirect_uris=["https://app.test/cb"]
        ),
    }
    command.add(services, **(options | changes))


@on_sqlite
def test_the_command_shows_a_secret_once(
    services: AuthServices, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    add(services, as_json=True)
    told = json.loads(capsys.readouterr().out)

    command.listing(services, as_json=True)

    listed = capsys.readouterr().out
    assert told["client_id"] == "growth"
    assert (
        stored(database, "growth").secret_hash
        == hashlib.sha256(told["secret"].encode()).digest()
    )
    assert told["secret"] not in listed
    assert "secret_hash" not in listed


@on_sqlite
def test_the_command_says_a_new_secret(
    services: AuthServices, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    add(services)
    first = capsys.readouterr().out

    command.rotate(services, client_id="growth", key=command.KeySource(), secret=True)

    said = capsys.readouterr().out
    secret = said.splitlines()[0].rpartition(" ")[2]
    assert secret not in first
    assert (
        stored(database, "growth").secret_hash
        == hashlib.sha256(secret.encode()).digest()
    )


@on_sqlite
def test_a_public_app_is_told_no_secret(
    services: AuthServices, capsys: pytest.CaptureFixture[str]
) -> None:
    app = command.AppOptions(
        kind="app",
        auth="none",
        redirect_uris=["https://app.test/cb"],
        without_pkce=True,
        token_lifetime_s=600,
    )

    add(services, app=app, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"client_id": "growth"}


@on_sqlite
def test_an_app_without_purpose_is_for_patients(
    services: AuthServices, capsys: pytest.CaptureFixture[str]
) -> None:
    add(services, purposes=[])

    assert "consent permits it to patients alone" in capsys.readouterr().out


@on_sqlite
def test_a_client_without_keys_is_given_none(
    services: AuthServices, tmp_path: Path
) -> None:
    with pytest.raises(FHIRError):
        add(services, key=command.KeySource(directory=tmp_path / "keys"))

    assert not (tmp_path / "keys").exists()


@on_sqlite
def test_a_key_at_an_address_is_registered_and_replaced_by_the_command(
    services: AuthServices, database: Database
) -> None:
    app = command.AppOptions(kind="app", redirect_uris=["https://app.test/cb"])
    add(services, app=app, key=command.KeySource(uri="https://app.test/one"))

    command.rotate(
        services,
        client_id="growth",
        key=command.KeySource(uri="https://app.test/two"),
    )

    assert stored(database, "growth").jwks_uri == "https://app.test/two"


def test_the_command_line_has_an_option_for_each_choice_of_an_app() -> None:
    assert tuple(field.name for field in fields(command.AppOptions)) == cli.APP_OPTIONS
    shown = CliRunner().invoke(cli.main, ["client", "add", "--help"]).output
    for option in (
        "--kind",
        "--auth",
        "--redirect-uri",
        "--launch-uri",
        "--origin",
        "--jwks-uri",
        "--without-pkce",
        "--token-lifetime",
        "--refresh-lifetime",
        "--json",
    ):
        assert option in shown
