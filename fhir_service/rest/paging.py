"""Continuation tokens: opaque, authenticated, expiring, bound to who asked what.

A token says where the next page begins and nothing else; it is never a proof of
access. The request that carries it is decided like any other.
"""

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conformance.issues import FHIRError, IssueType

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Position:
    """The last entry of a page: the sort key and the row."""

    key: int
    row: int


@lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def seal(
    key: bytes, position: Position, *, bound_to: str, now_us: int, lifetime_s: int
) -> str:
    """Return the token of the page after `position`.

    It holds longer than an access token, which a client may renew between pages.
    """
    return seal_numbers(
        key,
        (position.key, position.row),
        bound_to=bound_to,
        now_us=now_us,
        lifetime_s=lifetime_s,
    )


def seal_numbers(
    key: bytes,
    numbers: Iterable[int],
    *,
    bound_to: str,
    now_us: int,
    lifetime_s: int,
) -> str:
    """Return the token of the page after the entry at a place of several numbers."""
    nonce = secrets.token_bytes(_NONCE)
    expires = now_us // 1_000_000 + lifetime_s
    plain = json.dumps([*numbers, expires]).encode()
    sealed = _cipher(key).encrypt(nonce, plain, bound_to.encode())
    return _text(nonce + sealed)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unseal(key: bytes, token: str, *, bound_to: str, now_us: int) -> Position:
    """Return the position that `token` holds.

    Raises:
        FHIRError: as `unseal_numbers`.

    """
    sort_key, row = unseal_numbers(key, token, bound_to=bound_to, now_us=now_us)
    return Position(sort_key, row)


def unseal_numbers(
    key: bytes, token: str, *, bound_to: str, now_us: int
) -> tuple[int, ...]:
    """Return the numbers that `token` holds.

    Raises:
        FHIRError: `invalid` for a token that is not ours, was altered, belongs to
            another client or another search, or is too old.

    """
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        if _text(raw) != token:
            raise ValueError("not as it was written")  # noqa: TRY301 - one refusal for all
        plain = _cipher(key).decrypt(raw[:_NONCE], raw[_NONCE:], bound_to.encode())
    except (ValueError, InvalidTag):
        raise FHIRError(
            IssueType.INVALID, "The page token is not one of this search."
        ) from None
    *numbers, expires = json.loads(plain)
    if now_us // 1_000_000 > expires:
        raise FHIRError(IssueType.INVALID, "The page token has expired; search again.")
    return tuple(numbers)
