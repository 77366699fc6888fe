"""What the authorization server offers: only what it does.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from collections.abc import Sequence
from typing import Any

from fhir_service.auth.keys import ALGORITHMS
from fhir_service.auth.token import GRANT_TYPES

CAPABILITIES = ("client-confidential-asymmetric", "permission-v1", "permission-v2")


def smart_configuration(
    token_url: str, scopes_supported: Sequence[str]
) -> dict[str, Any]:
    """Return the `.well-known/smart-configuration` document."""
    return {
        "token_endpoint": token_url,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": list(GRANT_TYPES),
        "scopes_supported": list(scopes_supported),
        "capabilities": list(CAPABILITIES),
    }
