"""ID tokens, and the keys that sign them: made, published, replaced, forgotten."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import KeySet

from fhir_service.auth import signing, users
from fhir_service.auth.services import AuthServices
from fhir_service.storage import signing_keys
from fhir_service.storage.engine import Database, Transaction

Audit = Any
Authorizer = Any
Clock = Any
Signed = Callable[..., dict[str, Any]]

APP = ("portal", "of-the-example-portal_" + "x" * 21)
DAY_S = 86_400
NOW_S = 1_790_000_000


@pytest.fixture
def answer(http: FlaskClient, authorizer: Authorizer) -> Callable[..., dict[str, Any]]:
    """Exchange a code of an authorization for what it stands for."""

    def post(scopes: str, nonce: str | None = None, **changes: Any) -> dict[str, Any]:
        authorization = authorizer.authorize(scopes=scopes, **changes)
        data = {
            "grant_type": "authorization_code",
            "code": authorizer.code(authorization, nonce=nonce),
            "redirect_uri": "https://app.test/callback",
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        }
        response = http.post("/auth/token", data=data, auth=APP)
        assert response.status_code == 200
        body: dict[str, Any] = response.get_json()
        return body

    return post


def verified(token: str, jwks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token that one of the keys signed."""
    found = jws.deserialize_compact(
        token, KeySet.import_key_set(jwks), algorithms=["RS256"]
    )
    return dict(found.headers()), json.loads(found.payload)


def kids(services: AuthServices) -> list[str]:
    return [key["kid"] for key in signing.public_jwks(services)["keys"]]


def test_an_id_token_says_who_the_person_is(
    answer: Signed, services: AuthServices, authorizer: Authorizer
) -> None:
    body = answer("openid fhirUser launch/patient", nonce="n-0S6_WzA2Mj")

    header, claims = verified(body["id_token"], signing.public_jwks(services))
    assert header == {"alg": "RS256", "kid": kids(services)[0], "typ": "JWT"}
    assert claims == {
        "iss": "https://fhir.test",
        "sub": authorizer.account.user_id,
        "aud": "portal",
        "iat": NOW_S,
        "exp": NOW_S + 3600,
        "auth_time": NOW_S - 90,
        "nonce": "n-0S6_WzA2Mj",
        "fhirUser": "https://fhir.test/fhir/Practitioner/7",
    }
    assert "rowan" not in claims["sub"].casefold()
    assert len(claims["sub"]) < 256


def test_the_subject_is_the_same_each_time(
    answer: Signed, services: AuthServices
) -> None:
    tokens = [answer("openid")["id_token"] for _ in range(2)]

    jwks = signing.public_jwks(services)
    assert len({verified(token, jwks)[1]["sub"] for token in tokens}) == 1


def test_no_openid_is_no_id_token(answer: Signed) -> None:
    assert "id_token" not in answer("fhirUser profile patient/*.rs")


@pytest.mark.parametrize(
    ("scopes", "told"),
    [("openid", False), ("openid profile", True), ("openid fhirUser", True)],
)
def test_who_did_not_ask_is_not_told_the_persons_resource(
    answer: Signed,
    services: AuthServices,
    scopes: str,
    told: bool,  # noqa: FBT001 - a case of the test
) -> None:
    token = answer(scopes)["id_token"]

    claims = verified(token, signing.public_jwks(services))[1]
    assert ("fhirUser" in claims) is told
    assert "nonce" not in claims


def test_a_person_without_a_resource_has_none_told(
    answer: Signed, services: AuthServices
) -> None:
    account = users.register(
        services,
        users.NewUser(
            username="Alex",
            name="Example Administrator",
            role=users.Role.ADMINISTRATOR,
            password="a long enough password",  # noqa: S106 - of an example
        ),
    )

    token = answer("openid fhirUser", user_id=account.user_id)["id_token"]

    assert "fhirUser" not in verified(token, signing.public_jwks(services))[1]


def test_a_refresh_gets_an_id_token_without_the_nonce(
    answer: Signed, http: FlaskClient, services: AuthServices, clock: Clock
) -> None:
    body = answer("openid offline_access", nonce="once")
    clock.pass_s(100)
    data = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}

    refreshed = http.post("/auth/token", data=data, auth=APP).get_json()

    jwks = signing.public_jwks(services)
    before = verified(body["id_token"], jwks)[1]
    after = verified(refreshed["id_token"], jwks)[1]
    assert before.pop("nonce") == "once"
    assert after == before | {"iat": NOW_S + 100, "exp": NOW_S + 3700}


def test_a_refresh_without_openid_gets_none(answer: Signed, http: FlaskClient) -> None:
    token = answer("openid offline_access")["refresh_token"]
    data = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "scope": "offline_access",
    }

    assert "id_token" not in http.post("/auth/token", data=data, auth=APP).get_json()


def test_the_first_key_is_made_when_it_is_needed(
    services: AuthServices, audit: Audit
) -> None:
    published = signing.public_jwks(services)

    [key] = published["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}
    assert len(key["n"]) == 342  # 2048 bits in base64url
    assert audit.last == ("signing-key-rotated", None)
    assert signing.public_jwks(services) == published
    assert len(audit.events) == 1


def test_a_private_key_is_stored_sealed(
    services: AuthServices, database: Database
) -> None:
    signing.public_jwks(services)

    [key] = stored(database)
    assert b'"d"' not in key.private
    assert b"RSA" not in key.private
    assert '"d"' not in key.public
    with database.read() as snapshot:
        opened = services.secrets.unsealer(snapshot)(key.private)
    assert opened is not None
    assert json.loads(opened)["kid"] == key.kid
    assert "d" in json.loads(opened)


def stored(database: Database) -> list[signing_keys.SigningKey]:
    with database.read() as snapshot:
        return signing_keys.all_keys(snapshot)


def test_two_processes_agree_on_the_first_key(
    services: AuthServices, database_url: str, audit: Audit
) -> None:
    other = Database(database_url)
    other.tail = audit
    barrier = threading.Barrier(2)
    found: list[list[str]] = []

    def publish(own: AuthServices) -> None:
        barrier.wait()
        found.append(kids(own))

    threads = [
        threading.Thread(target=publish, args=(own,))
        for own in (services, replace(services, database=other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    assert len(found) == 2
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_a_rotation_signs_with_a_new_key_and_keeps_the_old_one_published(
    answer: Signed, services: AuthServices, audit: Audit, clock: Clock
) -> None:
    before = answer("openid")["id_token"]
    [old] = kids(services)
    clock.pass_s(10)

    new = signing.rotate(services)

    assert audit.last == ("signing-key-rotated", None)
    after = answer("openid")["id_token"]
    assert kids(services) == [old, new]
    jwks = signing.public_jwks(services)
    assert verified(before, jwks)[0]["kid"] == old
    assert verified(after, jwks)[0]["kid"] == new
    clock.pass_s(3600 + DAY_S - 1)
    assert kids(services) == [old, new]
    clock.pass_s(1)
    assert kids(services) == [new]


def test_a_key_is_replaced_after_90_days_and_announced_before(
    answer: Signed, services: AuthServices, clock: Clock
) -> None:
    def signs() -> str:
        token = answer("openid")["id_token"]
        name: str = verified(token, signing.public_jwks(services))[0]["kid"]
        return name

    first = signs()
    clock.pass_s(89 * DAY_S - 1)
    assert signs() == first
    assert kids(services) == [first]

    clock.pass_s(1)

    assert signs() == first
    [_, second] = kids(services)
    clock.pass_s(DAY_S - 1)
    assert signs() == first
    clock.pass_s(1)
    assert signs() == second
    assert kids(services) == [first, second]
    clock.pass_s(DAY_S + 3600)
    assert kids(services) == [second]


def test_publishing_announces_too_where_nobody_signs(
    services: AuthServices, clock: Clock
) -> None:
    [first] = kids(services)
    clock.pass_s(89 * DAY_S)

    assert kids(services)[0] == first
    assert len(kids(services)) == 2


def test_a_rotation_overtakes_the_key_that_was_announced(
    services: AuthServices, clock: Clock, database: Database
) -> None:
    [first] = kids(services)
    clock.pass_s(89 * DAY_S)
    [_, announced] = kids(services)

    new = signing.rotate(services)

    assert signs_now(services) == new
    clock.pass_s(2 * DAY_S)
    assert signs_now(services) == new
    signing.rotate(services)
    assert {first, announced}.isdisjoint(key.kid for key in stored(database))


def signs_now(services: AuthServices) -> str:
    def work(transaction: Transaction) -> str:
        return signing.signer(services, transaction, services.clock()).kid

    return services.database.write(work)


def test_a_key_that_cannot_be_opened_signs_nothing(
    services: AuthServices, database: Database
) -> None:
    signing.public_jwks(services)

    class Gone:
        def unsealer(self, _snapshot: object) -> Callable[[bytes], None]:
            return lambda _sealed: None

    broken = replace(services, secrets=Gone())  # type: ignore[arg-type]  # a stand-in

    with pytest.raises(LookupError):
        signs_now(broken)
    assert len(stored(database)) == 1
