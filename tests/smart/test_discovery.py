"""What a client finds before it has a token.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

import pytest
import requests
from smart_flow import scopes, tokens
from smart_service import TIMEOUT_S

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"

STANDALONE = {
    "launch-standalone",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "authorize-post",
    "permission-v2",
    "permission-v1",
}
EHR = {
    "launch-ehr",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "permission-offline",
    "permission-user",
    "authorize-post",
    "permission-v2",
    "permission-v1",
}
LAUNCH, ENCOUNTER = "launch", "launch/encounter"
NOT_OFFERED = {"smart-app-state", "context-standalone-encounter"}


@pytest.fixture(scope="module")
def configuration(service):
    return requests.get(
        f"{service.base}/.well-known/smart-configuration",
        headers={"Accept": "application/json"},
        timeout=TIMEOUT_S,
    ).json()


@pytest.mark.parametrize(
    "accept",
    ["application/json", "application/fhir+json", "application/xml", "text/html", ""],
)
@pytest.mark.parametrize("place", ["/fhir", ""])
def test_the_configuration_is_json_whatever_is_accepted(place, accept, service):
    answer = requests.get(
        f"{service.url}{place}/.well-known/smart-configuration",
        headers={"Accept": accept},
        timeout=TIMEOUT_S,
    )

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["token_endpoint"] == f"{service.url}/auth/token"


def test_the_host_has_the_same_configuration_as_the_base(service, configuration):
    url = f"{service.url}/.well-known/smart-configuration"

    assert requests.get(url, timeout=TIMEOUT_S).json() == configuration


def test_every_endpoint_is_absolute_and_ours(service, configuration):
    endpoints = {
        name: value
        for name, value in configuration.items()
        if name.endswith(("_endpoint", "_uri"))
    }

    assert set(endpoints) == {
        "authorization_endpoint",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "management_endpoint",
        "jwks_uri",
    }
    assert all(url.startswith(f"{service.url}/") for url in endpoints.values())


def test_the_issuer_is_the_service(service, configuration):
    assert configuration["issuer"] == service.url


def test_the_grant_types_are_those_that_are_served(configuration):
    assert set(configuration["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
    }


def test_s256_is_the_only_challenge_method(configuration):
    assert configuration["code_challenge_methods_supported"] == ["S256"]


def test_code_is_the_only_response_type(configuration):
    assert configuration["response_types_supported"] == ["code"]


def test_what_an_asymmetric_client_needs_is_listed(configuration):
    methods = set(configuration["token_endpoint_auth_methods_supported"])
    algorithms = set(configuration["token_endpoint_auth_signing_alg_values_supported"])

    assert methods == {"private_key_jwt", "client_secret_basic", "none"}
    assert algorithms == {"RS384", "ES384"}


@pytest.mark.parametrize("demanded", [STANDALONE, EHR], ids=["standalone", "ehr"])
def test_the_capabilities_of_a_launch_are_listed(demanded, configuration):
    assert demanded <= set(configuration["capabilities"])


def test_nothing_is_listed_that_is_not_offered(configuration):
    assert not NOT_OFFERED & set(configuration["capabilities"])
    assert "registration_endpoint" not in configuration
    assert "user_access_brand_bundle" not in configuration
    assert "associated_endpoints" not in configuration


def test_scopes_of_every_level_are_listed(configuration):
    listed = set(configuration["scopes_supported"])

    assert {"openid", "fhirUser", "launch", "launch/patient"} <= listed
    assert {"offline_access", "online_access", "launch/encounter"} <= listed
    levels = {one.partition("/")[0] for one in listed if "." in one}
    assert levels == {"patient", "user", "system"}


def security(service):
    statement = service.get("metadata").json()
    [rest] = statement["rest"]
    return rest["security"]


def test_the_statement_says_smart_on_fhir(service):
    codings = [
        coding for one in security(service)["service"] for coding in one["coding"]
    ]

    assert {"system": SERVICE, "code": "SMART-on-FHIR"} in [
        {name: coding[name] for name in ("system", "code")} for coding in codings
    ]


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("authorize", "authorization_endpoint"),
        ("token", "token_endpoint"),
        ("introspect", "introspection_endpoint"),
        ("manage", "management_endpoint"),
        ("register", "registration_endpoint"),
        ("revoke", "revocation_endpoint"),
    ],
)
def test_the_statement_and_the_configuration_agree(
    uri, endpoint, service, configuration
):
    [extension] = [
        one for one in security(service)["extension"] if one["url"] == OAUTH_URIS
    ]
    told = {one["url"]: one["valueUri"] for one in extension["extension"]}

    assert told.get(uri) == configuration.get(endpoint)


def test_every_scope_that_is_listed_is_granted(configuration, practitioner, apps):
    """But for those of a launch, which are asked for in a launch."""
    asked = {
        scope
        for scope in configuration["scopes_supported"]
        if not scope.startswith("system/") and scope not in {LAUNCH, ENCOUNTER}
    }

    given = tokens(practitioner, apps["public-app"], " ".join(asked))

    assert scopes(given) == asked
