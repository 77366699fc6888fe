"""Passwords: argon2id, and the same work whether or not the account exists.

https://www.rfc-editor.org/rfc/rfc9106
"""

import threading
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from conformance.issues import FHIRError, IssueType

MIN_LENGTH = 12
"""Characters; without a second factor, length is what protects."""

MAX_LENGTH = 256
"""Characters; a bound on the work that a stranger can ask for."""

CONCURRENT = 4
"""Hashes at a time in a process: 4 x 64 MiB at most."""


def normalized(password: str) -> str:
    """Return `password` as every keyboard spells it (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def checked(password: str) -> str:
    """Return a new password, normalized.

    Raises:
        FHIRError: `value` where it is too short or too long.

    """
    value = normalized(password)
    if not MIN_LENGTH <= len(value) <= MAX_LENGTH:
        raise FHIRError(
            IssueType.VALUE,
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.",
        )
    return value


@dataclass(frozen=True)
class Passwords:
    """Hashes and checks passwords.

    Attributes:
        hasher: argon2id with its costs; the default is RFC 9106's second choice.

    """

    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    _slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(CONCURRENT), repr=False
    )

    @cached_property
    def _nobody(self) -> str:
        """A hash at the same cost, for accounts that do not exist."""
        return self.hasher.hash("nobody's password")

    def hash(self, password: str) -> str:
        """Return the hash of a new password.

        Raises:
            FHIRError: `value` where it is too short or too long.

        """
        return self.hasher.hash(checked(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Return whether `password` is the one; `stored` None costs the same."""
        nobody = self._nobody
        candidate = normalized(password)
        with self._slots:
            try:
                self.hasher.verify(stored or nobody, candidate[:MAX_LENGTH])
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None and len(candidate) <= MAX_LENGTH
