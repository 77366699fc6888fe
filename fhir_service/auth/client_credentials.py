"""The grant of a backend service: an assertion in, a short-lived opaque token out.

Authlib's grant is not used here: it adds nothing to what the client has proved, and
this is the grant that is asked for hundreds of times a second.

`purpose_of_use` is our own parameter: v3-ActReason codes, space-separated, of those
that the client is registered for. Without it the token is for all of these.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from fhir_service.auth.registration import LEVELS, WORDS, AuthMethod, ClientKind
from fhir_service.auth.scopes import granted
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.token_message import TokenAnswer, token_answer
from fhir_service.errors import OAuthError
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Transaction

PURPOSE_OF_USE = "purpose_of_use"
"""Names the parameter that narrows the purposes of a token."""

_LEVELS, _WORDS = LEVELS[ClientKind.BACKEND], WORDS[ClientKind.BACKEND]


def client_credentials(ask: Ask, transaction: Transaction) -> TokenAnswer:
    """Return a token for the client itself.

    Raises:
        TokenRefused: where it is no backend service, or asks for what is not its own.

    """
    client = ask.client
    if (client.kind, client.auth_method) != (ClientKind.BACKEND, AuthMethod.KEY):
        raise ask.refused(OAuthError.UNAUTHORIZED_CLIENT, "no-backend-service")
    scope, purposes = _scope(ask), _purposes(ask)
    ask.grant(
        transaction,
        AccessToken(
            hash=token_hash(ask.access_token),
            client_id=client.client_id,
            scopes=scope,
            purposes=purposes,
            issued=ask.now,
            expires=ask.now + ask.lifetime_s * 1_000_000,
        ),
    )
    return token_answer(
        {
            "access_token": ask.access_token,
            "token_type": "bearer",
            "expires_in": ask.lifetime_s,
            "scope": scope,
        }
    )


def _scope(ask: Ask) -> str:
    asked, registered = ask.form.get("scope", ""), ask.client.scopes
    within = [
        str(scope) for scope in granted(asked, registered) if scope.level in _LEVELS
    ]
    within += sorted(_WORDS & set(asked.split()) & set(registered.split()))
    if not within:
        raise ask.refused(OAuthError.INVALID_SCOPE, "no-scope")
    return " ".join(within)


def _purposes(ask: Ask) -> tuple[str, ...]:
    """Return what the token is for; exactly what was asked, or nothing."""
    registered = ask.client.purposes
    asked = tuple(dict.fromkeys(ask.form.get(PURPOSE_OF_USE, "").split()))
    if not set(asked) <= set(registered):
        raise ask.refused(OAuthError.INVALID_SCOPE, "other-purpose")
    return asked or registered
