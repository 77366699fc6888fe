"""What was decided, and why."""

from dataclasses import dataclass
from enum import StrEnum

from consent.formula import Coding


class DefaultPolicy(StrEnum):
    """What applies where no consent votes; the first four are IHE PCF's.

    https://profiles.ihe.net/ITI/PCF/volume-1.html#1532-pcf-actor-options
    """

    DENY = "deny"
    BASIC_NORMAL = "basic-normal"
    ALL_NORMAL = "all-normal"
    BREAK_GLASS_ONLY = "break-glass-only"
    PERMIT = "permit"
    """Not to be offered: it makes "no consent votes" visible in the vectors."""


OFFERED_POLICIES = frozenset(DefaultPolicy) - {DefaultPolicy.PERMIT}
"""What a deployment may choose."""


class Because(StrEnum):
    """The kinds of reason."""

    PERMIT = "permit"
    DENY = "deny"
    INDETERMINATE = "indeterminate"
    DEFAULT = "default"
    UNATTRIBUTED = "unattributed"
    BTG_NOT_ATTESTED = "btg-not-attested"
    NO_ACTION = "no-action"
    OVERLAY = "overlay"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that supports the outcome.

    Attributes:
        because: The kind of reason.
        name: `Consent/x` that voted, or the name of the default policy or overlay.
        version: Version id of that Consent.
        path: Deciding provision, such as `provision.provision[0]`.
        purpose: The requested purpose it was decided for; None where none is stated
            or the reason holds for all.
        action: The implied action it was decided for; None where it holds for all.

    """

    because: Because
    name: str | None = None
    version: str | None = None
    path: str | None = None
    purpose: Coding | None = None
    action: str | None = None

    def __str__(self) -> str:
        words = (self.because.value, self.name, self.path)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer for one resource.

    Attributes:
        is_permitted: Whether the resource is released.
        reasons: Every reason that supports the outcome.

    """

    is_permitted: bool
    reasons: tuple[Reason, ...]
