"""What the authorization server offers: only what it does.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from typing import Any

from fhir_service.auth.endpoints import JWKS_PATH, endpoints
from fhir_service.auth.keys import ALGORITHMS
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token import GRANT_TYPES

CAPABILITIES = (
    "launch-standalone",
    "launch-ehr",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
"""Capabilities of SMART that are served (§Capabilities)."""

AUTH_METHODS = tuple(method.value for method in AuthMethod)
"""How clients prove who they are."""

RESPONSE_TYPES = ("code",)
CHALLENGE_METHODS = ("S256",)


def smart_configuration(services: AuthServices) -> dict[str, Any]:
    """Return the `.well-known/smart-configuration` document."""
    return {
        "issuer": services.public_url,
        "jwks_uri": services.url(JWKS_PATH),
        **endpoints(services),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": list(GRANT_TYPES),
        "response_types_supported": list(RESPONSE_TYPES),
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "scopes_supported": list(services.scopes_supported),
        "capabilities": list(CAPABILITIES),
    }
