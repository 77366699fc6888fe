"""A request for a token, once it is known which client asks.

https://www.rfc-editor.org/rfc/rfc6749#section-4
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_service.auth.client_authentication import Proof
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.auth.token_message import About, TokenRefused, TokenRequest
from fhir_service.errors import OAuthError
from fhir_service.storage import authorizations
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What is asked, and what it is answered with.

    Attributes:
        services: What authorization takes from outside.
        proof: The client, proven.
        form: The parameters.
        request: The request.
        now: Microseconds since 1970.
        access_token: What the client gets, should it be granted.

    """

    services: AuthServices
    proof: Proof
    form: Mapping[str, str]
    request: TokenRequest
    now: int
    access_token: str

    @property
    def client(self) -> Client:
        """The client that asks."""
        return self.proof.client

    @property
    def lifetime_s(self) -> int:
        """How long an access token of the client holds."""
        lifetime_s = self.client.token_lifetime_s
        return self.services.token_lifetime_s if lifetime_s is None else lifetime_s

    def refused(
        self,
        error: OAuthError,
        reason: str,
        *,
        user_id: str | None = None,
        patient: str | None = None,
        kind: AuthEventKind = AuthEventKind.TOKEN_REFUSED,
    ) -> TokenRefused:
        """Return the refusal to raise: the client is known to have asked."""
        about = About(
            client_id=self.client.client_id,
            proven=True,
            user_id=user_id,
            patient=patient,
        )
        return TokenRefused(error, reason, about=about, kind=kind)

    def grant(self, transaction: Transaction, granted: AccessToken) -> None:
        """Store the access token and tell the audit log of it."""
        authorizations.add_token(transaction, granted)
        event = AuthEvent(
            kind=AuthEventKind.TOKEN_GRANTED,
            at=self.now,
            client_id=granted.client_id,
            proven=True,
            user_id=granted.user_id,
            address=self.request.address,
            token_id=token_id(token_hash(self.access_token)),
            scopes=granted.scopes,
            purposes=granted.purposes,
            patient=granted.patient,
        )
        transaction.audit(self.services.audit.leaf(event))
