"""What authorization tells the audit log.

An event names who, what and why; it never holds a password, a token, an assertion or
what somebody typed as a user name. Its leaf is written in the transaction it reports.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class AuthEventKind(StrEnum):
    """What happened."""

    TOKEN_GRANTED = "token-granted"  # noqa: S105 - the name of an event
    TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an event
    LOGIN = "login"
    LOGIN_FAILED = "login-failed"
    LOGIN_THROTTLED = "login-throttled"
    LOGOUT = "logout"
    CLIENT_ADDED = "client-added"
    CLIENT_ROTATED = "client-rotated"
    CLIENT_REMOVED = "client-removed"
    USER_ADDED = "user-added"
    USER_REMOVED = "user-removed"
    USER_CHANGED = "user-changed"
    AUTHORIZED = "authorized"
    AUTHORIZATION_REFUSED = "authorization-refused"
    AUTHORIZATION_ENDED = "authorization-ended"
    CODE_REPLAYED = "code-replayed"
    REFRESH_REPLAYED = "refresh-replayed"
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - the name of an event
    REVOCATION_REFUSED = "revocation-refused"
    TOKEN_INTROSPECTED = "token-introspected"  # noqa: S105 - the name of an event
    INTROSPECTION_REFUSED = "introspection-refused"
    LAUNCHED = "launched"
    PATIENT_CHOSEN = "patient-chosen"
    PATIENTS_LOOKED_UP = "patients-looked-up"
    SECOND_FACTOR_SET = "second-factor-set"
    SECOND_FACTOR_FAILED = "second-factor-failed"
    SECOND_FACTOR_REMOVED = "second-factor-removed"
    BREAK_GLASS = "break-glass"
    BREAK_GLASS_REFUSED = "break-glass-refused"
    BREAK_GLASS_LISTED = "break-glass-listed"
    BREAK_GLASS_REVIEWED = "break-glass-reviewed"
    SIGNING_KEY_ROTATED = "signing-key-rotated"


FAILURES = frozenset(
    {
        AuthEventKind.TOKEN_REFUSED,
        AuthEventKind.LOGIN_FAILED,
        AuthEventKind.LOGIN_THROTTLED,
        AuthEventKind.AUTHORIZATION_REFUSED,
        AuthEventKind.CODE_REPLAYED,
        AuthEventKind.REFRESH_REPLAYED,
        AuthEventKind.REVOCATION_REFUSED,
        AuthEventKind.INTROSPECTION_REFUSED,
        AuthEventKind.SECOND_FACTOR_FAILED,
        AuthEventKind.BREAK_GLASS_REFUSED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthEvent:
    """One grant, refusal, login or change of who may enter.

    Attributes:
        kind: What happened.
        at: When, in microseconds since 1970.
        client_id: The client; where it did not prove itself, the one it claimed to be.
        proven: Whether the client or user has proved to be who it says.
        user_id: The user, where known.
        address: Where the request came from; None on the command line.
        reason: Our own word for why it was refused; None where it was not.
        token_id: Names the token or session without being usable as one; or empty.
        scopes: The scopes granted or registered.
        purposes: Purposes of use granted or registered.
        patient: Id of the Patient concerned; None for nobody.

    """

    kind: AuthEventKind
    at: int
    client_id: str | None = None
    proven: bool = False
    user_id: str | None = None
    address: str | None = None
    reason: str | None = None
    token_id: bytes = b""
    scopes: str = ""
    purposes: tuple[str, ...] = ()
    patient: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether what was asked was done."""
        return self.kind not in FAILURES


class AuditSink(Protocol):
    """What turns an event into the bytes of an audit leaf."""

    def leaf(self, event: AuthEvent) -> bytes:
        """Return the leaf for `event`."""
