"""Backend services: a signed statement for a token, nobody at a browser.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import json
import math
import time
import uuid

import pytest
import requests
from smart_app import ASSERTION_TYPE, basic
from smart_assertion import Signer, new_key, packed, public
from smart_seed import OBSERVATION_CATEGORY, US_CORE_SCOPES
from smart_service import TIMEOUT_S

REGISTERED = "system/Patient.rs system/Observation.rs"


@pytest.fixture(scope="module")
def add_backend(service, clinic, tmp_path_factory):
    """Return what registers a backend client with keys of its own."""
    folder = tmp_path_factory.mktemp("jwks")

    def add(client_id, *keys, scope=REGISTERED, words=()):
        path = folder / f"{client_id}.json"
        path.write_text(json.dumps({"keys": [public(key) for key in keys]}))
        service.add_client(
            client_id,
            scope,
            *("--jwks", str(path), "--organization", clinic.organization),
            *("--purpose", "TREAT", *words),
        )
        return Signer(service=service, client_id=client_id, key=keys[0])

    return add


@pytest.fixture(scope="module")
def keys():
    return {name: new_key(name, f"key-{name}") for name in ("ES384", "RS384")}


@pytest.fixture(scope="module")
def backend(add_backend, keys):
    """Return a client with one key of each kind; it signs with ES384."""
    return add_backend("backend", keys["ES384"], keys["RS384"])


@pytest.fixture(scope="module")
def other(add_backend):
    return add_backend("other-backend", new_key("ES384", "key-ES384"))


@pytest.fixture(scope="module")
def granular_one(add_backend):
    """Return a client that may see every Observation and Condition."""
    scope = "system/Observation.rs system/Condition.rs"
    return add_backend("granular", new_key("ES384", "k"), scope=scope)


def refused(answer):
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "access_token" not in answer.json()
    return answer.status_code, answer.json()["error"]


INVALID_CLIENT = (400, "invalid_client")


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_signed_statement_gets_a_token(algorithm, backend, keys):
    signer = Signer(
        service=backend.service, client_id=backend.client_id, key=keys[algorithm]
    )

    answer = signer.ask()

    assert answer.status_code == 200
    body = answer.json()
    assert isinstance(body["access_token"], str)
    assert body["token_type"].lower() == "bearer"
    assert body["expires_in"] == 300
    assert isinstance(body["expires_in"], int)
    assert set(body["scope"].split()) == set(REGISTERED.split())
    assert "refresh_token" not in body
    assert "id_token" not in body
    assert "no-store" in answer.headers["Cache-Control"]
    assert "no-cache" in answer.headers["Pragma"]


def test_the_token_opens_what_its_scope_says(backend, service, clinic):
    token = backend.ask(scope="system/Patient.rs").json()["access_token"]

    assert service.get(f"Patient/{clinic.patient}", token).status_code == 200
    query = f"Observation?patient={clinic.patient}"
    assert service.get(query, token).status_code == 403


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("system/*.rs", set(REGISTERED.split())),
        ("system/*.read", {"system/Patient.read", "system/Observation.read"}),
        ("system/Patient.rs", {"system/Patient.rs"}),
        ("system/Patient.read", {"system/Patient.read"}),
        ("system/Patient.cruds", {"system/Patient.rs"}),
        ("system/Patient.rs system/Device.rs", {"system/Patient.rs"}),
    ],
)
def test_what_is_granted_is_within_what_was_registered(asked, given, backend):
    answer = backend.ask(scope=asked)

    assert answer.status_code == 200
    assert set(answer.json()["scope"].split()) == given


@pytest.mark.parametrize("granular", US_CORE_SCOPES)
def test_every_granular_scope_of_us_core_is_granted_to_a_system(granular, granular_one):
    answer = granular_one.ask(scope=f"system/{granular}")

    assert answer.status_code == 200
    assert answer.json()["scope"] == f"system/{granular}"


def test_a_granular_scope_of_a_system_is_a_limit(granular_one, service, clinic):
    category = f"{OBSERVATION_CATEGORY}|survey"
    answer = granular_one.ask(scope=f"system/Observation.rs?category={category}")
    token = answer.json()["access_token"]

    found = service.ids(f"Observation?patient={clinic.patient}", token)

    assert found == set(clinic.observations["survey"])
    hidden = clinic.observations["vital-signs"][0]
    assert service.get(f"Observation/{hidden}", token).status_code in {403, 404}


@pytest.mark.parametrize(
    "asked",
    ["system/Device.rs", "patient/*.rs", "user/*.rs", "nothing", "openid", "launch"],
)
def test_what_was_not_registered_is_invalid_scope(asked, backend):
    assert refused(backend.ask(scope=asked)) == (400, "invalid_scope")


def test_an_unknown_grant_type_is_400(backend):
    assert refused(backend.ask(grant_type="not_a_grant_type")) == (
        400,
        "unsupported_grant_type",
    )


def test_an_unknown_assertion_type_is_400(backend):
    answer = backend.ask(client_assertion_type="not_an_assertion_type")

    assert refused(answer)[0] in {400, 401}


def test_a_client_that_is_not_known_is_refused(backend):
    stranger = Signer(service=backend.service, client_id="nobody", key=backend.key)

    assert refused(stranger.ask()) == INVALID_CLIENT


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "other-backend"},
        {"sub": "other-backend"},
        {"iss": None},
        {"sub": None},
        {"iss": "https://evil.example"},
        {"iss": ["backend"]},
        {"aud": None},
        {"aud": "https://evil.example/auth/token"},
        {"aud": ""},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e308},
        {"exp": -1},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"nbf": 99_999_999_999},
        {"iat": 99_999_999_999},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_is_refused(changes, backend):
    assert refused(backend.ask(backend.signed(backend.claims(**changes)))) == (
        INVALID_CLIENT
    )


@pytest.mark.parametrize("seconds", [-120, -3600, 600, 86_400])
def test_a_statement_is_good_for_five_minutes_and_not_later(seconds, backend):
    claims = backend.claims(exp=int(time.time()) + seconds)

    assert refused(backend.ask(backend.signed(claims))) == INVALID_CLIENT


@pytest.mark.parametrize("seconds", [300, 303, 60])
def test_a_clock_may_be_seconds_ahead(seconds, backend):
    claims = backend.claims(exp=int(time.time()) + seconds)

    assert backend.ask(backend.signed(claims)).status_code == 200


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused(value, backend):
    assert refused(backend.ask(backend.signed(backend.claims(exp=value)))) == (
        INVALID_CLIENT
    )


def test_an_audience_that_names_others_too_is_refused(backend):
    audience = [f"{backend.service.url}/auth/token", "https://evil.example"]

    assert refused(backend.ask(backend.signed(backend.claims(aud=audience)))) == (
        INVALID_CLIENT
    )


def test_a_claim_that_stands_twice_is_refused(backend):
    text = json.dumps(backend.claims())
    doubled = text[:-1] + ', "sub": "other-backend"}'

    assert refused(backend.ask(backend.signed(doubled.encode()))) == INVALID_CLIENT


def test_a_statement_is_good_once(backend):
    assertion = backend.signed()

    assert backend.ask(assertion).status_code == 200
    assert refused(backend.ask(assertion)) == INVALID_CLIENT


def test_a_jti_is_remembered_for_each_client_by_itself(backend, other):
    jti = f"shared-{time.time()}"

    for signer in (backend, other):
        claims = signer.claims(jti=jti)
        assert signer.ask(signer.signed(claims)).status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_a_statement_without_a_signature_is_refused(algorithm, backend):
    assert refused(backend.ask(backend.unsigned(algorithm))) == INVALID_CLIENT


def test_a_mac_with_the_public_key_is_refused(backend):
    known = public(backend.key)
    for secret in (json.dumps(known).encode(), known["x"].encode(), b""):
        assert refused(backend.ask(backend.by_mac(secret))) == INVALID_CLIENT


def test_a_signature_by_another_key_is_refused(backend):
    forged = Signer(
        service=backend.service,
        client_id=backend.client_id,
        key=new_key("ES384", backend.key["kid"]),
    )

    assert refused(forged.ask()) == INVALID_CLIENT


def test_another_client_s_key_is_refused(backend, other):
    forged = Signer(service=backend.service, client_id=backend.client_id, key=other.key)

    assert refused(forged.ask()) == INVALID_CLIENT


def test_a_changed_signature_is_refused(backend):
    head, body, signature = backend.signed().split(".")
    changed = "A" if signature[10] != "A" else "B"
    forged = f"{head}.{body}.{signature[:10]}{changed}{signature[11:]}"

    assert refused(backend.ask(forged)) == INVALID_CLIENT


def test_changed_claims_are_refused(backend):
    head, _, signature = backend.signed().split(".")
    claims = packed(backend.claims(exp=int(time.time()) + 100))

    assert refused(backend.ask(f"{head}.{claims}.{signature}")) == INVALID_CLIENT


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": "unknown"},
        {"kid": None},
        {"kid": ""},
        {"kid": "key-RS384"},
        {"kid": "../../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": "https://evil.example/key"},
        {"kid": "key-ES384\x00"},
        {"typ": "at+jwt"},
        {"typ": "id_token+jwt"},
        {"typ": "dpop+jwt"},
        {"jku": "https://evil.example/jwks.json"},
        {"jku": "http://169.254.169.254/latest/meta-data"},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"jku": "file:///etc/passwd"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "https://evil.example/x5"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
    ],
    ids=str,
)
def test_a_header_that_would_change_the_rules_is_refused(changes, backend):
    assertion = backend.signed(header=backend.header(**changes))

    assert refused(backend.ask(assertion)) == INVALID_CLIENT


def test_a_key_in_the_header_is_not_believed(backend):
    own = new_key("ES384", "key-ES384")
    forged = Signer(service=backend.service, client_id=backend.client_id, key=own)
    header = forged.header(jwk=public(own))

    assert refused(forged.ask(forged.signed(header=header))) == INVALID_CLIENT


@pytest.mark.parametrize("algorithm", ["RS256", "PS384"])
def test_an_algorithm_that_is_not_offered_is_refused(algorithm, backend, keys):
    key = {**keys["RS384"], "alg": algorithm}
    signer = Signer(service=backend.service, client_id=backend.client_id, key=key)

    assert refused(signer.ask()) == INVALID_CLIENT


@pytest.mark.parametrize(
    "assertion",
    ["x", "..", "a.b.c", "a.b.c.d.e", "x" * 20_000, "é.é.é"],
    ids=["word", "dots", "abc", "five", "long", "letters"],
)
def test_what_is_no_statement_is_refused(assertion, backend):
    status, _ = refused(backend.ask(assertion))

    assert status == 400


def test_a_statement_of_another_purpose_is_no_token(backend, service, clinic):
    answer = service.get(f"Patient/{clinic.patient}", backend.signed())

    assert answer.status_code == 401


def test_a_backend_client_has_no_secret(backend, service):
    answer = requests.post(
        f"{service.url}/auth/token",
        data={"grant_type": "client_credentials", "scope": "system/*.rs"},
        headers=basic(backend.client_id, "guessed"),
        timeout=TIMEOUT_S,
    )

    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == "invalid_client"


def test_a_backend_client_has_no_code_to_exchange(backend):
    answer = backend.ask(grant_type="authorization_code", code="x")

    assert refused(answer)[0] == 400


def test_a_backend_client_refreshes_nothing(backend):
    form = {"grant_type": "refresh_token", "refresh_token": "x"}

    answer = backend.ask(**form)

    assert refused(answer)[0] == 400


@pytest.fixture(scope="module")
def both(add_backend):
    """Return a client of two purposes, of which patients allow one."""
    words = ("--purpose", "HRESCH")
    return add_backend("both-purposes", new_key("ES384", "k"), words=words)


@pytest.mark.parametrize(("purpose", "status"), [("TREAT", 200), ("HRESCH", 404)])
def test_a_purpose_of_the_client_is_named_and_narrows(
    purpose, status, both, service, clinic
):
    answer = both.ask(purpose_of_use=purpose)

    assert answer.status_code == 200
    path = f"Observation/{clinic.observations['survey'][0]}"
    read = service.get(path, answer.json()["access_token"])
    assert read.status_code == status


@pytest.mark.parametrize("purpose", ["HMARKT", "BTG", "nothing", "TREAT HMARKT"])
def test_a_purpose_that_was_not_registered_is_invalid_scope(purpose, backend):
    assert refused(backend.ask(purpose_of_use=purpose)) == (400, "invalid_scope")


def test_new_keys_take_the_place_of_the_old(add_backend, service, tmp_path, clinic):
    old, new = new_key("ES384", "old"), new_key("ES384", "new")
    signer = add_backend("rotated", old)
    token = signer.ask().json()["access_token"]
    path = tmp_path / "new.json"
    path.write_text(json.dumps({"keys": [public(new)]}))

    service.command("client", "rotate", "rotated", "--jwks", str(path))

    assert service.get(f"Patient/{clinic.patient}", token).status_code == 401
    assert refused(signer.ask()) == INVALID_CLIENT
    renewed = Signer(service=service, client_id="rotated", key=new)
    assert renewed.ask().status_code == 200


def test_a_removed_client_is_refused_at_once(add_backend, service, clinic):
    signer = add_backend("removed-backend", new_key("ES384", "k"))
    token = signer.ask().json()["access_token"]
    assert service.get(f"Patient/{clinic.patient}", token).status_code == 200

    service.command("client", "remove", "removed-backend")

    assert service.get(f"Patient/{clinic.patient}", token).status_code == 401
    assert refused(signer.ask()) == INVALID_CLIENT


def test_a_backend_token_lives_as_long_as_the_registration_says(add_backend):
    signer = add_backend(
        "brief", new_key("ES384", "k"), words=("--token-lifetime", "60")
    )

    assert signer.ask().json()["expires_in"] == 60


def test_smart_fetch_gets_its_token(backend, service, clinic):
    """Its requests, one by one: discovery, v1 scopes by type, no `iat`, no `jku`."""
    configuration = requests.get(
        f"{service.base}/.well-known/smart-configuration",
        headers={"Accept": "application/json"},
        timeout=TIMEOUT_S,
    ).json()
    claims = backend.claims(
        aud=configuration["token_endpoint"],
        exp=int(time.time()) + 299,
        jti=str(uuid.uuid4()),
    )

    answer = requests.post(
        configuration["token_endpoint"],
        data={
            "grant_type": "client_credentials",
            "scope": "system/Observation.read system/Patient.read",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": backend.signed(claims),
        },
        timeout=TIMEOUT_S,
    )

    assert answer.status_code == 200
    token = answer.json()["access_token"]
    found = service.ids(f"Observation?patient={clinic.patient}", token)
    assert found >= clinic.everything_observed
