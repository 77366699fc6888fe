"""Logins that last: a secret in a cookie, its hash in the database.

A session ends after `session_lifetime_s` whatever happens and after `session_idle_s`
without a request. Every form carries a token derived from the cookie's secret, which
another site can neither read nor guess.

https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

import hashlib
import hmac

from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.storage import accounts
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Transaction

TOUCH_US = 60_000_000
"""How stale `seen` may be: one write a minute and session, not one a request."""


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


def signed_in(services: AuthServices, secret: str | None) -> Account | None:
    """Return who holds the session of `secret`; None once it has ended."""
    if not secret:
        return None
    now, hashed = services.clock(), token_hash(secret)
    with services.database.read() as snapshot:
        found = accounts.find_session(
            snapshot,
            hashed,
            now=now,
            idle_since=now - services.session_idle_s * 1_000_000,
        )
    if found is None:
        return None
    account, seen = found
    if now - seen > TOUCH_US:
        services.database.write(
            lambda transaction: accounts.touch_session(transaction, hashed, now)
        )
    return account


def log_out(
    services: AuthServices, secret: str, account: Account, address: str
) -> None:
    """End the session of `secret`."""
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
        if accounts.end_session(transaction, hashed):
            transaction.audit(services.audit.leaf(event))

    services.database.write(work)
