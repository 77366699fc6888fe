"""The metadata of the authorization server in the words of OpenID Connect and OAuth.

One document for both: what OpenID Connect calls the provider is what OAuth calls the
authorization server.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
https://www.rfc-editor.org/rfc/rfc8414#section-2
"""

from typing import Any

from fhir_service.auth.authorize_checks import PROMPTS
from fhir_service.auth.endpoints import JWKS_PATH, OF_SMART, endpoints
from fhir_service.auth.keys import ALGORITHMS
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices
from fhir_service.auth.signing import ALGORITHM
from fhir_service.auth.smart_configuration import (
    AUTH_METHODS,
    CHALLENGE_METHODS,
    RESPONSE_TYPES,
)
from fhir_service.auth.token import GRANT_TYPES

CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser")
"""What an ID token can say."""

_PROVING = tuple(method for method in AUTH_METHODS if method != AuthMethod.NONE)


def openid_configuration(services: AuthServices) -> dict[str, Any]:
    """Return the document at both well-known paths."""
    algorithms = list(ALGORITHMS)
    return {
        "issuer": services.public_url,
        "jwks_uri": services.url(JWKS_PATH),
        **{name: url for name, url in endpoints(services).items() if name != OF_SMART},
        "scopes_supported": list(services.scopes_supported),
        "claims_supported": list(CLAIMS),
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "prompt_values_supported": sorted(PROMPTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": [*_PROVING, "Bearer"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
