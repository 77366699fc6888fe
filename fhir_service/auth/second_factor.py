"""The second factor: codes of an authenticator, and recovery codes for its loss.

A code is of the current step of 30 seconds or of one beside it, and is taken once. The
secret is sealed; it is bound to its person, so that a row that was moved opens nothing.

https://www.rfc-editor.org/rfc/rfc6238
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from fhir_service.auth import sessions
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import second_factors
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.second_factors import SecondFactor
from fhir_service.storage.tables import SHARED

SECRET_BYTES: Final = 20
"""160 bits, as RFC 4226 §4 recommends."""

STEP_S: Final = 30
"""Seconds that a code is shown for (RFC 6238 §5.2)."""

DIGITS: Final = 6
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 bits: enough that a plain hash of a code tells nothing."""

ISSUER: Final = "FHIR interoperability service"
"""What an authenticator calls the account."""

_GROUP = 4


class Taken(StrEnum):
    """What a person proved to have."""

    CODE = "code"
    RECOVERY_CODE = "recovery-code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """What a person gives her authenticator.

    Attributes:
        text: The secret in base32, to be typed.
        uri: The same as an `otpauth` URI, to be scanned.

    """

    text: str
    uri: str


def begin(services: AuthServices, account: Account) -> bool:
    """Make a secret that is yet to be confirmed; False where one guards already."""
    secret = services.random(SECRET_BYTES)

    def work(transaction: Transaction) -> bool:
        if second_factors.confirmed(transaction, account.user_id) is not None:
            return False
        seal = services.secrets.sealer(transaction, SHARED)
        sealed = seal(_bond(account.user_id) + secret)
        second_factors.replace(transaction, account.user_id, sealed)
        return True

    return services.database.write(work)


def enrolment(services: AuthServices, account: Account) -> Enrolment | None:
    """Return the secret that waits for its first code; None where none does."""
    with services.database.read() as snapshot:
        factor = second_factors.find(snapshot, account.user_id)
        if factor is None or factor.confirmed is not None:
            return None
        secret = _secret(services, snapshot, factor)
    if secret is None:
        return None
    return Enrolment(
        text=_grouped(base64.b32encode(secret).decode(), " "),
        uri=_totp(secret).get_provisioning_uri(account.username, ISSUER),
    )


def confirm(
    services: AuthServices,
    account: Account,
    code: str,
    address: str,
    kept: bytes = b"",
) -> tuple[str, ...] | None:
    """Put the second factor in force; return its recovery codes, or None if wrong.

    The codes are told here and never again. Logins for which the password was enough
    end, but for the one whose hash is `kept`.
    """
    now = services.clock()
    codes = tuple(_recovery_code(services.random) for _ in range(RECOVERY_CODES))

    def work(transaction: Transaction) -> tuple[str, ...] | None:
        factor = second_factors.find(transaction, account.user_id)
        if factor is None or factor.confirmed is not None:
            return None
        if not _take_code(services, transaction, factor, _typed(code), now):
            return None
        second_factors.confirm(transaction, account.user_id, now)
        sessions.end_others(transaction, account, kept)
        hashes = (_code_hash(account.user_id, _typed(one)) for one in codes)
        second_factors.add_codes(transaction, account.user_id, hashes)
        _audit(services, transaction, AuthEventKind.SECOND_FACTOR_SET, account, address)
        return codes

    return services.database.write(work)


def take(
    services: AuthServices, transaction: Transaction, user_id: str, typed: str
) -> Taken | None:
    """Use up what a person typed as her second factor; None where it is not right."""
    factor = second_factors.confirmed(transaction, user_id)
    if factor is None:
        return None
    code = _typed(typed)
    if _take_code(services, transaction, factor, code, services.clock()):
        return Taken.CODE
    if second_factors.use_code(transaction, user_id, _code_hash(user_id, code)):
        return Taken.RECOVERY_CODE
    return None


def remove(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    *,
    address: str | None,
    reason: str | None = None,
) -> bool:
    """Remove a second factor with its recovery codes; False where there was none."""
    if not second_factors.remove(transaction, account.user_id):
        return False
    kind = AuthEventKind.SECOND_FACTOR_REMOVED
    _audit(services, transaction, kind, account, address, reason)
    return True


def _audit(  # noqa: PLR0913, PLR0917 - what is told, and in which transaction
    services: AuthServices,
    transaction: Transaction,
    kind: AuthEventKind,
    account: Account,
    address: str | None,
    reason: str | None = None,
) -> None:
    event = AuthEvent(
        kind=kind,
        at=services.clock(),
        user_id=account.user_id,
        proven=True,
        address=address,
        reason=reason,
    )
    transaction.audit(services.audit.leaf(event))


def _take_code(
    services: AuthServices,
    transaction: Transaction,
    factor: SecondFactor,
    typed: str,
    now: int,
) -> bool:
    secret = _secret(services, transaction, factor)
    if secret is None:
        return False
    step = _step_of(secret, typed, now)
    return step is not None and second_factors.take_step(
        transaction, factor.user_id, step
    )


def _step_of(secret: bytes, typed: str, now: int) -> int | None:
    """Return the newest step near `now` whose code was typed."""
    current = now // 1_000_000 // STEP_S
    totp = _totp(secret)
    right = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(totp.generate(step * STEP_S), typed.encode())
    ]
    return max(right, default=None)


def _totp(secret: bytes) -> TOTP:
    # SHA-1 is what every authenticator has; in HMAC its collisions do no harm.
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303


def _bond(user_id: str) -> bytes:
    return b"second factor\x00" + user_id.encode() + b"\x00"


def _secret(
    services: AuthServices, snapshot: Snapshot, factor: SecondFactor
) -> bytes | None:
    """Return the secret; None where it cannot be read, or is another person's."""
    opened = services.secrets.unsealer(snapshot)(factor.secret)
    bond = _bond(factor.user_id)
    if opened is None or not opened.startswith(bond):
        return None
    return opened[len(bond) :]


def _typed(code: str) -> str:
    """Return a code without what only makes it readable."""
    return "".join(code.split()).replace("-", "").upper()


def _recovery_code(random: Callable[[int], bytes]) -> str:
    return _grouped(base64.b32encode(random(RECOVERY_BYTES)).decode(), "-")


def _grouped(text: str, separator: str) -> str:
    groups = range(0, len(text), _GROUP)
    return separator.join(text[start : start + _GROUP] for start in groups)


def _code_hash(user_id: str, code: str) -> bytes:
    return token_hash(f"{user_id}\x00{code}")
