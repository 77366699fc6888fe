"""The log-in: a password, and a code where the person has a second factor.

A wrong password and an unknown name get the same answer after the same work. Attempts
are counted for each pair of account and address, and for each address: a stranger who
guesses slows down the place he guesses from, and never shuts the owner out elsewhere.
Codes are counted for each account besides, whatever the address; only who has the
password comes so far.

https://pages.nist.gov/800-63-4/sp800-63b.html
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fhir_service.auth import pending_login, rate_limit, second_factor, sessions
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.rate_limit import RateLimit
from fhir_service.auth.second_factor import Taken
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token
from fhir_service.auth.users import normalized
from fhir_service.storage import accounts, expiry, rate_buckets, second_factors
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Transaction

Bucket = tuple[bytes, RateLimit]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """Somebody at the login page.

    Attributes:
        username: As typed.
        password: As typed.
        address: Where the request came from.
        browser: Secret of the login form's cookie: who began must go on.

    """

    username: str
    password: str
    address: str
    browser: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeAttempt:
    """Somebody at the second page of a login.

    Attributes:
        pending: What the first page gave.
        code: As typed: of the authenticator, or a recovery code.
        address: Where the request came from.
        browser: Secret of the login form's cookie.

    """

    pending: str
    code: str
    address: str
    browser: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        session: The secret of the new session; None where there is none.
        pending: What the second page needs; None where no code is asked for.
        wait_us: Microseconds to wait before the next attempt; above zero, what was
            typed was not looked at.
        is_over: Whether the login must begin again.

    """

    session: str | None = None
    pending: str | None = None
    wait_us: int = 0
    is_over: bool = False


def log_in(services: AuthServices, attempt: Attempt) -> Outcome:
    """Return a new session, or a pending login, for the right name and password."""
    wait_us, account, is_right = _checked(services, attempt)
    if wait_us:
        return Outcome(wait_us=wait_us)
    return services.database.write(
        lambda transaction: _settle(
            services, transaction, account if is_right else None, attempt
        )
    )


def confirm_password(
    services: AuthServices, account: Account, password: str, address: str
) -> Outcome | None:
    """Return None where a person who is logged in has typed her password again.

    Else what is to be told; the attempt counts as one at the login page.
    """
    attempt = Attempt(username=account.username, password=password, address=address)
    wait_us, found, is_right = _checked(services, attempt)
    if wait_us:
        return Outcome(wait_us=wait_us)
    if not is_right or found is None or found.user_id != account.user_id:
        return Outcome()
    key = _pair_key(account.username, address)
    services.database.write(
        lambda transaction: rate_buckets.fill_bucket(transaction, key)
    )
    return None


def finish(services: AuthServices, attempt: CodeAttempt) -> Outcome:
    """Return the session of a pending login for the right code."""
    return services.database.write(
        lambda transaction: _finish(services, transaction, attempt)
    )


def remove_factor(
    services: AuthServices, account: Account, code: str, address: str
) -> Outcome | None:
    """Remove a person's second factor for one of its codes; None where it is done.

    Else what is to be told. The caller has asked her password.
    """

    def work(transaction: Transaction) -> Outcome | None:
        outcome, taken = _taken(services, transaction, account, code, address)
        if taken is None:
            return outcome
        second_factor.remove(services, transaction, account, address=address)
        return None

    return services.database.write(work)


def _checked(
    services: AuthServices, attempt: Attempt
) -> tuple[int, Account | None, bool]:
    """Return the wait, the account, and whether the password is its own.

    A failure is audited here; whatever the name, the same work is done.
    """
    username = normalized(attempt.username)
    wait_us = services.database.write(
        lambda transaction: _admit(
            services,
            transaction,
            _buckets(services, username, attempt.address),
            attempt.address,
        )
    )
    if wait_us:
        return wait_us, None, False
    with services.database.read() as snapshot:
        account = accounts.find_account(snapshot, username)
    stored = None if account is None else account.password_hash
    is_right = services.passwords.matches(stored, attempt.password)
    if not is_right:
        services.database.write(
            lambda transaction: _failed(services, transaction, account, attempt.address)
        )
    return 0, account, is_right


def _pair_key(username: str, address: str) -> bytes:
    return rate_limit.key("login", username, rate_limit.place(address))


def _buckets(
    services: AuthServices, username: str, address: str
) -> tuple[Bucket, Bucket]:
    limits, place = services.limits, rate_limit.place(address)
    return (
        (_pair_key(username, address), limits.login_pair),
        (rate_limit.key("login-address", place), limits.login_address),
    )


def _admit(
    services: AuthServices,
    transaction: Transaction,
    buckets: Iterable[Bucket],
    address: str,
) -> int:
    """Take one attempt from each bucket; return the microseconds to wait if none."""
    now = services.clock()
    expiry.purge_expired(transaction, now)
    wait_us = rate_limited(transaction, buckets, now)
    if wait_us:
        event = AuthEvent(
            kind=AuthEventKind.LOGIN_THROTTLED,
            at=now,
            address=address,
            reason="throttled",
        )
        transaction.audit(services.audit.leaf(event))
    return wait_us


def rate_limited(transaction: Transaction, buckets: Iterable[Bucket], now: int) -> int:
    """Take a token from every bucket, or from none; return how long to wait if none."""
    spent = [
        (
            key,
            *rate_limit.spend(
                limit, rate_buckets.bucket_full_at(transaction, key), now
            ),
        )
        for key, limit in buckets
    ]
    wait_us = max(wait for _, _, wait in spent)
    if not wait_us:
        for key, full_at, _ in spent:
            rate_buckets.set_bucket(transaction, key, full_at)
    return wait_us


def _settle(
    services: AuthServices,
    transaction: Transaction,
    account: Account | None,
    attempt: Attempt,
) -> Outcome:
    """Open the session, or ask for the code; the account is read again."""
    if account is None:
        return Outcome()
    if account != accounts.find_account(transaction, account.username):
        return _failed(services, transaction, account, attempt.address)
    if second_factors.confirmed(transaction, account.user_id) is not None:
        pending = pending_login.sealed(
            services, transaction, account, browser=attempt.browser
        )
        return Outcome(pending=pending)
    return _opened(services, transaction, account, attempt.address)


def _finish(
    services: AuthServices, transaction: Transaction, attempt: CodeAttempt
) -> Outcome:
    account = pending_login.opened(
        services, transaction, attempt.pending, browser=attempt.browser
    )
    if account is None:
        return Outcome(is_over=True)
    outcome, taken = _taken(
        services, transaction, account, attempt.code, attempt.address
    )
    if taken is None:
        return outcome
    return _opened(services, transaction, account, attempt.address, taken)


def _taken(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    code: str,
    address: str,
) -> tuple[Outcome, Taken | None]:
    """Use up a code, if one may be tried and it is right; else say what to tell."""
    by_account = rate_limit.key("second-factor", account.user_id)
    buckets = (
        (by_account, services.limits.second_factor),
        *_buckets(services, account.username, address),
    )
    wait_us = _admit(services, transaction, buckets, address)
    if wait_us:
        return Outcome(wait_us=wait_us), None
    taken = second_factor.take(services, transaction, account.user_id, code)
    if taken is not None:
        rate_buckets.fill_bucket(transaction, by_account)
        return Outcome(), taken
    event = AuthEvent(
        kind=AuthEventKind.SECOND_FACTOR_FAILED,
        at=services.clock(),
        user_id=account.user_id,
        address=address,
        reason="wrong-code",
    )
    transaction.audit(services.audit.leaf(event))
    return Outcome(), None


def _failed(
    services: AuthServices,
    transaction: Transaction,
    account: Account | None,
    address: str,
) -> Outcome:
    event = AuthEvent(
        kind=AuthEventKind.LOGIN_FAILED,
        at=services.clock(),
        user_id=None if account is None else account.user_id,
        address=address,
        reason="unknown-user" if account is None else "wrong-password",
    )
    transaction.audit(services.audit.leaf(event))
    return Outcome()


def _opened(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    address: str,
    taken: Taken | None = None,
) -> Outcome:
    """Open a session; its secret is new, so that nobody can have planted it."""
    now, secret = services.clock(), new_token(services.random)
    rate_buckets.fill_bucket(transaction, _pair_key(account.username, address))
    event = AuthEvent(
        kind=AuthEventKind.LOGIN,
        at=now,
        user_id=account.user_id,
        proven=True,
        address=address,
        token_id=sessions.open_session(services, transaction, account, secret, now),
        reason=Taken.RECOVERY_CODE.value if taken is Taken.RECOVERY_CODE else None,
    )
    transaction.audit(services.audit.leaf(event))
    return Outcome(session=secret)
