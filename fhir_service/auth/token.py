"""The token endpoint: who asks, what for, and one transaction for the answer.

Whatever the answer is, its audit leaf is in the transaction that makes it so. A
refusal is an answer like any other: what it ended, and that it was given, stays.

https://www.rfc-editor.org/rfc/rfc6749#section-3.2
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fhir_service.auth.client_authentication import confirm, prove
from fhir_service.auth.client_credentials import client_credentials
from fhir_service.auth.code_exchange import exchange_code
from fhir_service.auth.refresh import refresh
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_hash import new_token
from fhir_service.auth.token_message import (
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    read_form,
    refusal_answer,
    refusal_event,
)
from fhir_service.errors import OAuthError
from fhir_service.storage.engine import Transaction

_Grant = Callable[[Ask, Transaction], TokenAnswer]

GRANTS: Mapping[str, _Grant] = MappingProxyType(
    {
        "client_credentials": client_credentials,
        "authorization_code": exchange_code,
        "refresh_token": refresh,
    }
)

GRANT_TYPES = tuple(GRANTS)
"""The grant types that the endpoint serves."""


def answer(services: AuthServices, request: TokenRequest) -> TokenAnswer:
    """Return the response to `request`; whatever it is, it is audited first."""
    now = services.clock()
    try:
        form = read_form(request)
        grant = _grant(form)
        ask = Ask(
            services=services,
            proof=prove(services, form, request, now),
            form=form,
            request=request,
            now=now,
            access_token=new_token(services.random),
        )
    except TokenRefused as refused:
        leaf = services.audit.leaf(refusal_event(refused, request, now))
        services.database.log([leaf]).result()
        return refusal_answer(refused)
    return services.database.write(lambda transaction: _issued(grant, ask, transaction))


def _grant(form: Mapping[str, str]) -> _Grant:
    if "grant_type" not in form:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "no-grant-type")
    grant = GRANTS.get(form["grant_type"])
    if grant is None:
        raise TokenRefused(OAuthError.UNSUPPORTED_GRANT_TYPE, "unknown-grant-type")
    return grant


def _issued(grant: _Grant, ask: Ask, transaction: Transaction) -> TokenAnswer:
    services = ask.services
    services.purge(transaction, ask.now)
    try:
        confirm(services, transaction, ask.proof, ask.request, ask.now)
        return grant(ask, transaction)
    except TokenRefused as refused:
        event = refusal_event(refused, ask.request, ask.now)
        transaction.audit(services.audit.leaf(event))
        return refusal_answer(refused)
