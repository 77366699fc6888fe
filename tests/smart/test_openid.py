"""OpenID Connect: who the person is, in a token that anybody can check.

https://openid.net/specs/openid-connect-core-1_0.html
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-identity-data
"""

import time

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet
from smart_flow import STANDALONE, tokens
from smart_person import Wish
from smart_service import TIMEOUT_S

NONCE = "n-0S6_WzA2Mj"


@pytest.fixture(scope="module")
def configuration(service):
    answer = requests.get(
        f"{service.url}/.well-known/openid-configuration", timeout=TIMEOUT_S
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.json()


@pytest.fixture(scope="module")
def keys(configuration):
    return requests.get(configuration["jwks_uri"], timeout=TIMEOUT_S).json()


@pytest.fixture(scope="module")
def read(keys):
    """Return what checks the signature of an ID token and reads it."""

    def decode(token):
        return jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"])

    return decode


def test_the_configuration_says_what_openid_demands(configuration, service):
    assert configuration["issuer"] == service.url
    assert configuration["authorization_endpoint"] == f"{service.url}/auth/authorize"
    assert configuration["token_endpoint"] == f"{service.url}/auth/token"
    assert configuration["jwks_uri"] == f"{service.url}/auth/jwks"
    assert configuration["response_types_supported"] == ["code"]
    assert configuration["subject_types_supported"]
    assert "RS256" in configuration["id_token_signing_alg_values_supported"]


def test_the_metadata_of_rfc_8414_agree(configuration, service):
    url = f"{service.url}/.well-known/oauth-authorization-server"

    told = requests.get(url, timeout=TIMEOUT_S).json()

    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert told[name] == configuration[name]
    assert told["authorization_response_iss_parameter_supported"] is True


def test_the_public_keys_are_bare_and_nothing_private(keys):
    rsa = [key for key in keys["keys"] if key["kty"] == "RSA"]

    assert rsa
    for key in keys["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
        assert key["kid"]
    assert len({key["kid"] for key in keys["keys"]}) == len(keys["keys"])


def test_an_id_token_is_signed_with_rs256_by_a_published_key(standalone, read, keys):
    token = read(standalone["id_token"])

    assert token.header["alg"] == "RS256"
    assert token.header["kid"] in {key["kid"] for key in keys["keys"]}


def test_an_id_token_says_who_for_whom_and_how_long(standalone, read, configuration):
    claims = read(standalone["id_token"]).claims

    assert claims["iss"] == configuration["issuer"]
    assert claims["aud"] == "secret-app"
    assert 0 < len(claims["sub"]) < 256
    assert claims["iat"] <= time.time() + 5
    assert claims["exp"] > time.time()


def test_the_nonce_is_repeated(patient, apps, read):
    given = tokens(patient, apps["public-app"], "openid", nonce=NONCE)

    assert read(given["id_token"]).claims["nonce"] == NONCE


def test_without_a_nonce_there_is_none(standalone, read):
    assert "nonce" not in read(standalone["id_token"]).claims


@pytest.mark.parametrize("who", ["patient", "practitioner", "related"])
def test_the_own_resource_is_named_and_can_be_read(who, request, apps, read, clinic):
    person = request.getfixturevalue(who)
    own = {
        "patient": f"Patient/{clinic.patient}",
        "practitioner": f"Practitioner/{clinic.practitioner}",
        "related": f"RelatedPerson/{clinic.related}",
    }[who]
    given = tokens(person, apps["secret-app"], "openid fhirUser")

    user = read(given["id_token"]).claims["fhirUser"]

    assert user in {own, f"{clinic.service.base}/{own}"}
    answer = clinic.service.get(own, given["access_token"])
    assert answer.status_code == 200
    assert answer.json()["resourceType"] == own.partition("/")[0]


def test_nothing_but_the_own_resource_is_read_by_fhir_user(
    practitioner, apps, service, clinic
):
    given = tokens(practitioner, apps["secret-app"], "openid fhirUser")
    token = given["access_token"]
    other = clinic.create({"resourceType": "Practitioner", "active": True})

    assert service.get(f"Practitioner/{other}", token).status_code in {403, 404}
    assert service.get("Practitioner", token).status_code == 403
    assert service.get(f"Patient/{clinic.patient}", token).status_code == 403


def test_without_the_scope_the_person_is_not_named(patient, apps, read):
    given = tokens(
        patient,
        apps["public-app"],
        "openid fhirUser",
        Wish(without=frozenset({"fhirUser"})),
    )

    assert "fhirUser" not in read(given["id_token"]).claims


def test_who_has_no_resource_is_not_named(add_person, apps, read):
    officer = add_person("unnamed", "administrator").log_in()
    given = tokens(officer, apps["public-app"], "openid fhirUser")

    assert given["scope"] == "openid"
    assert "fhirUser" not in read(given["id_token"]).claims


def test_without_openid_there_is_no_id_token(patient, apps):
    given = tokens(patient, apps["public-app"], "patient/Patient.rs")

    assert "id_token" not in given


def test_a_person_is_the_same_to_one_app_each_time(patient, apps, read):
    subjects = {
        read(tokens(patient, apps["public-app"], "openid")["id_token"]).claims["sub"]
        for _ in range(2)
    }

    assert len(subjects) == 1


@pytest.mark.parametrize("client", ["key-app", "rsa-app"])
def test_an_asymmetric_app_gets_an_id_token_too(client, patient, apps, read):
    given = tokens(patient, apps[client], STANDALONE)

    assert read(given["id_token"]).claims["aud"] == client


def test_an_id_token_reads_nothing(standalone, service, clinic):
    answer = service.get(f"Patient/{clinic.patient}", standalone["id_token"])

    assert answer.status_code == 401
