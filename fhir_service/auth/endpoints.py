"""Where the authorization server answers: one table for whoever tells of it.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from conformance.capability_statement import Endpoints
from fhir_service.auth.services import AuthServices

ENDPOINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "authorization_endpoint": ("/auth/authorize", "authorize"),
        "token_endpoint": ("/auth/token", "token"),
        "introspection_endpoint": ("/auth/introspect", "introspect"),
        "revocation_endpoint": ("/auth/revoke", "revoke"),
        "management_endpoint": ("/apps", "manage"),
    }
)
"""Metadata name → path, and the name in the CapabilityStatement's `oauth-uris`."""

JWKS_PATH = "/auth/jwks"

OF_SMART = "management_endpoint"
"""What SMART alone knows: OAuth's own metadata leaves it out."""


def endpoints(services: AuthServices) -> Mapping[str, str]:
    """Return metadata name → absolute URL."""
    return {name: services.url(path) for name, (path, _) in ENDPOINTS.items()}


def oauth_uris(services: AuthServices) -> Endpoints:
    """Return the same for the CapabilityStatement, where the values must be equal."""
    return Endpoints(
        **{called: services.url(path) for path, called in ENDPOINTS.values()}
    )
