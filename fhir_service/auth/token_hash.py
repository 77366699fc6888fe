"""Secrets that the service gives out, and what it keeps of them.

Access tokens and session secrets have 256 random bits, so a plain hash is enough: there
is nothing to guess, and a stolen table opens nothing.
"""

import base64
import hashlib
from collections.abc import Callable

SECRET_BYTES = 32

_ID_BYTES = 16


def new_token(random: Callable[[int], bytes]) -> str:
    """Return a fresh secret of URL-safe characters."""
    return base64.urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """Return what is stored in place of a secret: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def token_id(hashed: bytes) -> bytes:
    """Return the name of a secret in the audit log: half of its hash."""
    return hashed[:_ID_BYTES]
