"""Logins that last: a secret in a cookie, its hash in the database.

A session ends after `session_lifetime_s` whatever happens and after `session_idle_s`
without a request. Every form carries a token derived from the cookie's secret, which
another site can neither read nor guess.

https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

import hashlib
import hmac
from dataclasses import dataclass

from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.storage import accounts, authorizations, second_factors
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Snapshot, Transaction

TOUCH_US = 60_000_000
"""How stale `seen` may be: one write a minute and session, not one a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A login that holds.

    Attributes:
        account: Who is logged in, as of this moment.
        hash: SHA-256 of its secret: the name of what is to end with it.
        created: When the person proved who she is, in microseconds since 1970.

    """

    account: Account
    hash: bytes
    created: int


def form_token(secret: str) -> str:
    """Return what a form of the holder of `secret` carries."""
    key = secret.encode("utf-8", "replace")
    return hmac.new(key, b"form", hashlib.sha256).hexdigest()


def is_own_form(secret: str | None, token: str) -> bool:
    """Return whether a form with `token` was given to the holder of `secret`."""
    if not secret:
        return False
    return hmac.compare_digest(
        form_token(secret).encode(), token.encode("utf-8", "replace")
    )


def open_session(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    secret: str,
    now: int,
) -> bytes:
    """Store a session and return its name for the audit log."""
    accounts.add_session(
        transaction,
        token_hash(secret),
        user_id=account.user_id,
        now=now,
        expires=now + services.session_lifetime_s * 1_000_000,
    )
    return token_id(token_hash(secret))


def current(services: AuthServices, secret: str | None) -> Session | None:
    """Return the login of `secret`; None once it ended, or while it opens nothing.

    It opens nothing while the person still owes a second factor.
    """
    session = entered(services, secret)
    if session is None:
        return None
    with services.database.read() as snapshot:
        return None if owes_factor(services, snapshot, session.account) else session


def entered(services: AuthServices, secret: str | None) -> Session | None:
    """Return the login of `secret`, one that opens nothing yet too."""
    if not secret:
        return None
    now, hashed = services.clock(), token_hash(secret)
    with services.database.read() as snapshot:
        found = _found(services, snapshot, hashed, now)
    if found is None:
        return None
    account, seen, created = found
    if now - seen > TOUCH_US:
        services.database.write(
            lambda transaction: accounts.touch_session(transaction, hashed, now)
        )
    return Session(account=account, hash=hashed, created=created)


def holds(services: AuthServices, snapshot: Snapshot, session_hash: bytes) -> bool:
    """Whether a login still holds, for what is to end with it; it is not prolonged."""
    return _found(services, snapshot, session_hash, services.clock()) is not None


def _found(
    services: AuthServices, snapshot: Snapshot, session_hash: bytes, now: int
) -> tuple[Account, int, int] | None:
    return accounts.find_session(
        snapshot,
        session_hash,
        now=now,
        idle_since=now - services.session_idle_s * 1_000_000,
    )


def owes_factor(services: AuthServices, snapshot: Snapshot, account: Account) -> bool:
    """Whether the person must set up a second factor before anything else."""
    return (
        account.role in services.second_factor_roles
        and second_factors.confirmed(snapshot, account.user_id) is None
    )


def log_out(
    services: AuthServices, secret: str, account: Account, address: str
) -> None:
    """End the session of `secret`, and what apps hold for as long as it lasts."""
    now, hashed = services.clock(), token_hash(secret)
    event = AuthEvent(
        kind=AuthEventKind.LOGOUT,
        at=now,
        user_id=account.user_id,
        proven=True,
        address=address,
        token_id=token_id(hashed),
    )

    def work(transaction: Transaction) -> None:
        authorizations.end_of_session(transaction, hashed)
        if accounts.end_session(transaction, hashed):
            transaction.audit(services.audit.leaf(event))

    services.database.write(work)


def end_others(transaction: Transaction, account: Account, kept: bytes) -> None:
    """End the logins of a person but one, and what apps hold as long as they last."""
    for hashed in accounts.other_sessions(transaction, account.user_id, kept):
        authorizations.end_of_session(transaction, hashed)
        accounts.end_session(transaction, hashed)
