"""What a bearer token allows, read in the snapshot of the rows it opens.

There is no cache of tokens: one indexed read a request makes every revocation hold at
once in every process. Only the parsing of a row is remembered, by the row itself.

https://www.rfc-editor.org/rfc/rfc6750
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from conformance.issues import FHIRError, IssueType
from consent.membership import CLIENT_SYSTEM
from fhir_service.auth.scopes import Filters, Scopes, parse_scopes
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.storage import authorizations
from fhir_service.storage.engine import Snapshot

REALM = "fhir"

_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,512}=*) *", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Who asks, and what for.

    Attributes:
        client_id: The client.
        client_name: The client's name for people.
        user: The person behind the request, as `Type/id`; None for a backend service.
        scopes: What the token may touch.
        purposes: v3-ActReason codes; none where the client has none.
        organization: `Organization/id` behind the client.
        sources: Device sources that the client may speak for.
        actors: Everything a Consent may call the requester: references, and
            identifiers as `system|value`.
        individual_known: Whether a person stands behind the request.
        token_id: Names the token in the audit log.
        expires: Microseconds since 1970.
        possible: What a deny may mean the requester by besides.
        role: What the person is here; None where there is none.
        patient: Id of the Patient in context; None for none.
        is_attested: Whether a break-glass claim was attested for that patient.
        user_id: The account of the person behind the request; None for a service.
        topology: Version of who belongs to whom, in the snapshot of the token; None
            where it is not known.

    """

    client_id: str
    client_name: str
    user: str | None
    scopes: Scopes
    purposes: tuple[str, ...]
    organization: str | None
    sources: frozenset[str]
    actors: frozenset[str]
    individual_known: bool
    token_id: bytes
    expires: int
    possible: frozenset[str] = frozenset()
    role: str | None = None
    patient: str | None = None
    is_attested: bool = False
    topology: int | None = None
    user_id: str | None = None

    @property
    def holder(self) -> tuple[str, str, str]:
        """Who holds it and for whom: what a page link is bound to."""
        return self.client_id, self.user or "", self.patient or ""


class AuthenticationError(FHIRError):
    """A request that needs a token, or a better one.

    Attributes:
        headers: The challenge to send: (name in lower case, value).

    """

    def __init__(self, type_: IssueType, diagnostics: str, challenge: str) -> None:
        super().__init__(type_, diagnostics)
        self.headers: tuple[tuple[str, str], ...] = (("www-authenticate", challenge),)


class InsufficientScope(AuthenticationError):  # noqa: N818 - RFC 6750's word for it
    """The token is good; its scopes do not allow what was asked."""

    def __init__(
        self, diagnostics: str = "The token's scopes do not allow this."
    ) -> None:
        super().__init__(
            IssueType.FORBIDDEN,
            diagnostics,
            f'Bearer realm="{REALM}", error="insufficient_scope"',
        )


def _no_token() -> AuthenticationError:
    """A request without credentials gets no error code (RFC 6750 §3.1)."""
    return AuthenticationError(
        IssueType.LOGIN, "A bearer token is needed.", f'Bearer realm="{REALM}"'
    )


def _invalid_token() -> AuthenticationError:
    return AuthenticationError(
        IssueType.LOGIN,
        "The access token is unknown, expired or revoked.",
        f'Bearer realm="{REALM}", error="invalid_token"',
    )


def authenticate(snapshot: Snapshot, authorization: str | None, now_us: int) -> Grant:
    """Return what the token of an `Authorization` header allows.

    Raises:
        AuthenticationError: `login` where there is no token, or it is unknown,
            expired or revoked.

    """
    if not authorization or authorization[:6].lower() != "bearer":
        raise _no_token()
    match = _CREDENTIALS.fullmatch(authorization)
    if match is None:
        raise _invalid_token()
    hashed = token_hash(match[1])
    row = authorizations.find_token(snapshot, hashed)
    if row is None or row[6] <= now_us:
        raise _invalid_token()
    return _grant(hashed, row)


_OF_STAFF = frozenset({"practitioner", "compliance-officer", "administrator"})
"""Roles that act for an organization; nobody else does, whatever the account says."""


def acts_for(role: str | None, organization: str | None) -> str | None:
    """Return the organization that a person acts for, whose account names it."""
    return organization if role in _OF_STAFF else None


@lru_cache(maxsize=4096)
def _grant(hashed: bytes, row: authorizations.TokenRow) -> Grant:
    """Return the row as a grant: a pure function of the row just read.

    A person acts for her own organization; the client's may only be meant by a deny.
    """
    client_id, name, scopes, purposes, behind, sources, expires, topology = row[:8]
    user_id, patient, is_attested, user, organization, role = row[8:]
    of_client = frozenset(() if behind is None else (behind,))
    organization = behind if user_id is None else acts_for(role, organization)
    of_requester = frozenset(() if organization is None else (organization,))
    return Grant(
        client_id=client_id,
        client_name=name,
        user=user,
        user_id=user_id,
        scopes=parse_scopes(
            scopes, of_person=user_id is not None, patient=patient, user=user
        ),
        purposes=tuple(purposes.split()),
        organization=organization,
        sources=frozenset(sources.split()),
        actors=of_requester | {f"{CLIENT_SYSTEM}|{client_id}"},
        possible=of_client - of_requester,
        individual_known=user is not None,
        token_id=token_id(hashed),
        expires=expires,
        role=role,
        patient=patient,
        is_attested=bool(is_attested),
        topology=topology,
    )


def require(grant: Grant, type_: str, interaction: str) -> tuple[Filters, ...]:
    """Return the alternative filters under which the grant allows `interaction`.

    Raises:
        InsufficientScope: `forbidden` where no scope allows it.

    """
    filters = grant.scopes.allows(type_, interaction)
    if filters is None:
        raise InsufficientScope
    return filters
