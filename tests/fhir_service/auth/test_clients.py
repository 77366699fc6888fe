"""Registering clients, and the commands that do it."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import clients, keys
from fhir_service.auth.services import AuthServices
from fhir_service.commands import client as command
from fhir_service.storage import registrations
from fhir_service.storage.engine import Database

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any
Clock = Any


@pytest.fixture
def registration(
    ec_key: ECKey, public_jwks: Callable[..., bytes]
) -> clients.Registration:
    return clients.Registration(
        client_id="phone",
        name="Phone app",
        jwks=public_jwks(ec_key),
        scopes=("system/Observation.c system/Device.c",),
        purposes=("TREAT", "TREAT"),
        organization="Organization/clinic",
        sources=("open-mhealth", "zigbee2mqtt"),
    )


def test_a_client_is_stored_as_registered(
    services: AuthServices,
    database: Database,
    registration: clients.Registration,
    audit: Audit,
    clock: Clock,
) -> None:
    registered = clients.register(services, registration)

    with database.read() as snapshot:
        assert registrations.find_client(snapshot, "phone") == registered
    assert registered.purposes == ("TREAT",)
    assert registered.scopes == "system/Observation.c system/Device.c"
    assert registered.sources == ("open-mhealth", "zigbee2mqtt")
    assert registered.created == clock()
    assert audit.last == ("client-added", None)


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_id": "../phone"},
        {"client_id": "a" * 65},
        {"client_id": "pho ne"},
        {"client_id": "phone\n"},
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "n" * 129},
        {"scopes": ()},
        {"scopes": ("system/Observation.sr",)},
        {"scopes": ("patient/Observation.rs",)},
        {"scopes": ("openid",)},
        {"purposes": ("treat",)},
        {"purposes": ("",)},
        {"organization": "clinic"},
        {"organization": "Practitioner/7"},
        {"organization": "Organization/a/b"},
        {"sources": ("Open mHealth",)},
        {"jwks": b"{}"},
        {"jwks": b"[]"},
        {"jwks": b'{"keys": []}'},
        {"jwks": b'{"keys": [1]}'},
        {"jwks": b'{"keys": [{"kty": "RSA"}]}'},
        {"jwks": b'{"keys": [{"kty": 7}]}'},
        {"jwks": b'{"keys": [{"kty": ["RSA"]}]}'},
        {"jwks": b'{"kty": "EC", "crv": "P-384", "x": 1, "y": 2}'},
    ],
)
def test_what_cannot_be_registered_is_refused(
    services: AuthServices,
    database: Database,
    registration: clients.Registration,
    changes: dict[str, Any],
) -> None:
    with pytest.raises(FHIRError) as caught:
        clients.register(services, replace(registration, **changes))

    assert caught.value.type is IssueType.VALUE
    with database.read() as snapshot:
        assert registrations.all_clients(snapshot) == []


def unusable_keys() -> dict[str, bytes]:
    p384 = ECKey.generate_key("P-384", parameters={"kid": "one"})
    public = p384.as_dict(private=False)
    odd = RSAKey.generate_key(2048).as_dict(private=False)
    keys = {
        "private": p384.as_dict(private=True),
        "symmetric": OctKey.generate_key(256).as_dict(),
        "P-256": ECKey.generate_key("P-256").as_dict(private=False),
        "for encryption": public | {"use": "enc"},
        "for another algorithm": public | {"alg": "ES256"},
        "kid with a space": public | {"kid": "a b"},
        "even exponent": odd | {"e": "Ag"},
        "Ed25519": OKPKey.generate_key("Ed25519").as_dict(private=False),
    }
    documents: dict[str, Any] = {name: {"keys": [key]} for name, key in keys.items()}
    documents["same kid twice"] = {"keys": [public, public]}
    nameless = {name: value for name, value in public.items() if name != "kid"}
    documents["several without kid"] = {"keys": [public, nameless]}
    documents["too many"] = {"keys": [public | {"kid": str(n)} for n in range(17)]}
    return {name: json.dumps(value).encode() for name, value in documents.items()}


UNUSABLE = unusable_keys()


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_that_cannot_be_used_is_refused(name: str) -> None:
    with pytest.raises(FHIRError) as caught:
        keys.canonical_jwks(UNUSABLE[name])

    assert caught.value.type is IssueType.VALUE


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_short_rsa_key_is_refused() -> None:
    short = RSAKey.generate_key(1024).as_dict(private=False)

    with pytest.raises(FHIRError):
        keys.canonical_jwks(json.dumps(short).encode())


def test_a_registered_jwks_holds_nothing_but_public_numbers(ec_key: ECKey) -> None:
    key = ec_key.as_dict(private=False) | {"x5u": "https://evil.test", "use": "sig"}

    stored = keys.canonical_jwks(json.dumps(key).encode())

    assert set(json.loads(stored)["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use"}


def test_an_id_is_given_once(
    services: AuthServices, registration: clients.Registration
) -> None:
    clients.register(services, registration)
    clients.remove(services, "phone")

    with pytest.raises(FHIRError) as caught:
        clients.register(services, registration)

    assert caught.value.type is IssueType.DUPLICATE


@pytest.mark.parametrize("removed", [True, False])
def test_only_an_active_client_is_changed(
    services: AuthServices,
    registration: clients.Registration,
    audit: Audit,
    removed: bool,  # noqa: FBT001 - a case of the test
) -> None:
    if removed:
        clients.register(services, registration)
        clients.remove(services, "phone")
    before = len(audit.events)

    with pytest.raises(FHIRError) as gone:
        clients.remove(services, "phone")
    with pytest.raises(FHIRError) as stale:
        clients.rotate(services, "phone", registration.jwks)

    assert gone.value.type is stale.value.type is IssueType.NOT_FOUND
    assert len(audit.events) == before


def test_each_change_is_audited(
    services: AuthServices, registration: clients.Registration, audit: Audit
) -> None:
    clients.register(services, registration)
    clients.rotate(services, "phone", registration.jwks)
    clients.remove(services, "phone")

    assert [(event.kind.value, event.client_id) for event in audit.events] == [
        ("client-added", "phone"),
        ("client-rotated", "phone"),
        ("client-removed", "phone"),
    ]


def added(services: AuthServices, key: command.KeySource, client_id: str = "x") -> None:
    command.add(
        services,
        client_id=client_id,
        name=None,
        scopes=["system/*.rs"],
        purposes=["TREAT"],
        organization=None,
        sources=[],
        key=key,
    )


@on_sqlite
@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_generated_key_is_kept_by_its_owner_alone(
    services: AuthServices, key_folder: Path, algorithm: str
) -> None:
    added(services, command.KeySource(directory=key_folder, algorithm=algorithm))

    [path] = key_folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_folder.stat().st_mode) == 0o700
    assert json.loads(path.read_bytes())["alg"] == algorithm
    assert "d" in json.loads(path.read_bytes())


@on_sqlite
@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_generated_key_gets_a_token(
    services: AuthServices,
    key_folder: Path,
    algorithm: str,
    ask: Callable[..., Any],
    sign: Any,
) -> None:
    added(services, command.KeySource(directory=key_folder, algorithm=algorithm))
    [path] = key_folder.iterdir()
    key = import_key(json.loads(path.read_bytes()))

    response = ask(replace(sign, key=key, algorithm=algorithm)(iss="x", sub="x"))

    assert response.status_code == 200


def test_a_key_is_not_left_behind_by_a_refusal(
    services: AuthServices, key_folder: Path
) -> None:
    added(services, command.KeySource(directory=key_folder))

    with pytest.raises(FHIRError):
        added(services, command.KeySource(directory=key_folder))

    assert len(list(key_folder.iterdir())) == 1


@on_sqlite
def test_keys_come_from_one_place(services: AuthServices, key_folder: Path) -> None:
    for key in (
        command.KeySource(),
        command.KeySource(jwks=key_folder, directory=key_folder),
        command.KeySource(jwks=key_folder / "absent"),
        command.KeySource(directory=key_folder, algorithm="HS256"),
    ):
        with pytest.raises(FHIRError) as caught:
            added(services, key)

        assert caught.value.type is IssueType.VALUE


def test_a_jwks_file_is_registered_and_replaced(
    services: AuthServices,
    database: Database,
    tmp_path: Path,
    ec_key: ECKey,
    public_jwks: Callable[..., bytes],
) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(public_jwks(ec_key))
    added(services, command.KeySource(directory=tmp_path / "keys"))

    command.rotate(services, client_id="x", key=command.KeySource(jwks=path))

    with database.read() as snapshot:
        client = registrations.find_client(snapshot, "x")
    assert client is not None
    assert client.jwks == keys.canonical_jwks(public_jwks(ec_key))


def test_a_listing_shows_everything_but_keys(
    services: AuthServices,
    ehr: registrations.Client,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clients.remove(services, ehr.client_id)

    command.listing(services, as_json=True)

    assert json.loads(capsys.readouterr().out) == [
        {
            "client_id": "ehr",
            "name": "Example EHR",
            "kind": "backend",
            "active": False,
            "scopes": ["system/Observation.rs", "system/Patient.r"],
            "purposes": ["TREAT"],
            "organization": "Organization/clinic",
            "sources": ["open-mhealth"],
            "auth_method": "private_key_jwt",
            "jwks_uri": None,
            "redirect_uris": [],
            "launch_uri": None,
            "origins": [],
            "needs_pkce": True,
            "token_lifetime_s": None,
            "refresh_lifetime_s": None,
            "created": clock(),
            "rotated": None,
            "removed": clock(),
        }
    ]


def test_a_listing_for_people_has_a_line_a_client(
    services: AuthServices,
    ehr: registrations.Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.listing(services, as_json=False)

    assert capsys.readouterr().out == (
        "ehr  active  TREAT  Organization/clinic  "
        "system/Observation.rs system/Patient.r\n"
    )
    command.remove(services, client_id=ehr.client_id)
    assert "removed" in capsys.readouterr().out


def test_a_client_without_purpose_is_told_what_that_means(
    services: AuthServices, key_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.add(
        services,
        client_id="x",
        name="X",
        scopes=["system/*.rs"],
        purposes=[],
        organization=None,
        sources=[],
        key=command.KeySource(directory=key_folder),
    )

    assert "consent permits it nothing" in capsys.readouterr().out
