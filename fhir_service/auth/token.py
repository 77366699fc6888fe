"""The token endpoint: finds the grant that is asked for and audits every refusal.

https://www.rfc-editor.org/rfc/rfc6749#section-3.2
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fhir_service.auth.client_credentials import client_credentials
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_message import (
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    read_form,
    refusal_answer,
    refusal_event,
)
from fhir_service.errors import OAuthError

_Grant = Callable[
    [AuthServices, Mapping[str, str], TokenRequest, int],
    TokenAnswer,
]

GRANTS: Mapping[str, _Grant] = MappingProxyType(
    {"client_credentials": client_credentials}
)


def _grant(form: Mapping[str, str]) -> _Grant:
    if "grant_type" not in form:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "no-grant-type")
    grant = GRANTS.get(form["grant_type"])
    if grant is None:
        raise TokenRefused(OAuthError.UNSUPPORTED_GRANT_TYPE, "unknown-grant-type")
    return grant


GRANT_TYPES = tuple(GRANTS)
"""The grant types that the endpoint serves."""


def answer(services: AuthServices, request: TokenRequest) -> TokenAnswer:
    """Return the response to `request`; whatever it is, it is audited first."""
    now = services.clock()
    try:
        form = read_form(request)
        return _grant(form)(services, form, request, now)
    except TokenRefused as refused:
        leaf = services.audit.leaf(refusal_event(refused, request, now))
        services.database.log([leaf]).result()
        return refusal_answer(refused)
