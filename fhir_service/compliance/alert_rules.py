"""What an officer is alerted to: few rules, each with its bounds in one table.

Pure: a rule looks at one row of the log and at what went before it, and says what it
finds. Nothing here names a person or a patient: the numbers of the index stand for
them.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from consent.audit.entry import Interaction, Outcome
from fhir_service.compliance.explanation_codes import Code

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000

WINDOW_US = 10 * MINUTE_US
"""What belongs together: refusals in a row, and a second try by another purpose."""

DENIALS = 20
"""Refusals within the window; a clinic's systems are refused now and then."""

NOT_FOUNDS = 50
"""Answers 404 within the window; links that have gone stale are few."""

USUAL_DAYS = 30
"""Days with which a day of reading is compared; only those with readings count."""

TIMES_USUAL = 3
"""By how much a day must exceed the median of those."""

FEW_PATIENTS = 50
"""Patients of one day that are never too many."""

AFTER_DAYS = 30
"""Days after a withdrawal in which refusals of those who had read are told."""

UNDER_WAY_US = MINUTE_US
"""A request that was under way when a consent ended has done nothing wrong."""

JITTER_US = MINUTE_US
"""By how much rows may be out of order: requests overlap."""

_NOT_FOUND = 404


class Kind(StrEnum):
    """What is found."""

    UNEXPLAINED = "unexplained-access"
    DENIALS = "burst-of-denials"
    OTHER_PURPOSE = "denied-then-permitted"
    BREAK_GLASS = "break-glass"
    MASS_READING = "mass-reading"
    NEW_NETWORK = "new-network"
    CONSENT_LINT = "consent-indeterminate"
    LOG = "log-verification-failed"
    ENUMERATION = "enumeration"
    EXPORT = "audit-export"
    ATTEMPT = "attempt-after-withdrawal"
    RELEASE = "release-after-withdrawal"
    CHANGE = "configuration-change"
    CLOCK = "clock-went-back"
    GAP = "log-gap"


WORDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UNEXPLAINED: "Data of a patient left, and nothing explains why.",
        Kind.DENIALS: f"{DENIALS} or more requests were refused within 10 minutes.",
        Kind.OTHER_PURPOSE: "What was refused was permitted within 10 minutes by "
        "another purpose.",
        Kind.BREAK_GLASS: "An emergency was attested to open a record.",
        Kind.MASS_READING: f"Somebody read more than {FEW_PATIENTS} patients in a "
        f"day, and more than {TIMES_USUAL} times as many as usual.",
        Kind.NEW_NETWORK: "A client came from a network for the first time.",
        Kind.CONSENT_LINT: "A consent was stored that cannot be decided on: it denies.",
        Kind.LOG: "The audit log does not agree with what was signed.",
        Kind.ENUMERATION: f"{NOT_FOUNDS} or more requests within 10 minutes were for "
        "what is not there.",
        Kind.EXPORT: "Rows of the audit log left as a file.",
        Kind.ATTEMPT: "Who had read by a consent that the patient has withdrawn "
        f"asked again within {AFTER_DAYS} days, and was refused.",
        Kind.RELEASE: "Data left by a consent that the patient had withdrawn.",
        Kind.CHANGE: "The policy that decides, or the configuration, is another one.",
        Kind.CLOCK: "A row is more than a minute earlier than the one before it: a "
        "clock went back.",
        Kind.GAP: "Rows of the log are missing, or cannot be read.",
    }
)
"""Kind → one sentence, without names and health values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A row of the log, as rules look at it.

    Attributes:
        index: Its place.
        time_us: When.
        interaction: What was done.
        outcome: How it ended.
        status: HTTP status.
        user: Number of the person; 0 for none.
        client: Number of the client; 0 for none and for one that is only claimed.
        address: Number of the address; 0 for none.
        network: The network of the address; None where it has none.
        organisation: `Organization/id` whose officers it concerns; None for all.
        purposes: Codes that were claimed.
        subjects: Numbers of the patients.
        released: How many versions left.
        code: The explanation; None where none is needed.
        broken: Numbers of consents that were stored and cannot be decided on.
        ended: (patient, consent) of consents that were active, and are not any more.
        grounds: Numbers of the consents on which the decision rested.
        changed: What of the configuration was changed; empty for nothing.

    """

    index: int
    time_us: int
    interaction: Interaction
    outcome: Outcome
    status: int = 200
    user: int = 0
    client: int = 0
    address: int = 0
    network: int | None = None
    organisation: str | None = None
    purposes: frozenset[str] = frozenset()
    subjects: frozenset[int] = frozenset()
    released: int = 0
    code: Code | None = None
    broken: tuple[int, ...] = ()
    ended: tuple[tuple[int, int], ...] = ()
    grounds: frozenset[int] = frozenset()
    changed: str = ""

    @property
    def is_denied(self) -> bool:
        """Whether it was refused, and not for want of what was asked."""
        return self.outcome is Outcome.DENIED and self.status != _NOT_FOUND

    @property
    def is_absent(self) -> bool:
        """Whether what was asked for is not there, or hidden."""
        return self.outcome is Outcome.DENIED and self.status == _NOT_FOUND

    @property
    def actor(self) -> str:
        """Who did it: the person, else the client, else the address."""
        if self.user:
            return f"user {self.user}"
        return f"client {self.client}" if self.client else f"address {self.address}"

    @property
    def day(self) -> int:
        """Days since 1970, in UTC."""
        return self.time_us // DAY_US


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A consent that the patient had withdrawn before a row.

    Attributes:
        subject: Number of the patient.
        consent: Number of the consent.
        since_us: When it ended.
        has_read: Whether who asks had read by it.

    """

    subject: int
    consent: int
    since_us: int
    has_read: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What went before a row.

    Attributes:
        refused: Rows that were refused within the window, this one included.
        read: Of how many patients the person has read, by day, this row included.
        networks: From which the client had come before.
        ended: Consents of the row's patients that had ended.
        latest_us: The time of the row before; 0 for none.

    """

    refused: Sequence[Seen] = ()
    read: Mapping[int, int] = field(default_factory=dict)
    networks: frozenset[int] = frozenset()
    ended: tuple[Ended, ...] = ()
    latest_us: int = 0


class Finding(NamedTuple):
    """What a rule found.

    Attributes:
        kind: Which rule.
        key: What is alike of all that an alert counts.

    """

    kind: Kind
    key: str


def findings(seen: Seen, past: Past) -> Iterator[Finding]:
    """Yield everything that the rules find in a row."""
    for kind, rule in RULES.items():
        for key in rule(seen, past):
            yield Finding(kind, key)


def _unexplained(seen: Seen, _: Past) -> Iterator[str]:
    if seen.code is Code.UNEXPLAINED and seen.outcome is Outcome.ALLOWED:
        for subject in sorted(seen.subjects)[:1] if seen.released else ():
            yield f"{seen.actor} subject {subject}"


def _denials(seen: Seen, past: Past) -> Iterator[str]:
    if seen.is_denied and _same(seen, past, absent=False) >= DENIALS:
        yield seen.actor


def _enumeration(seen: Seen, past: Past) -> Iterator[str]:
    if seen.is_absent and _same(seen, past, absent=True) >= NOT_FOUNDS:
        yield seen.actor


def _same(seen: Seen, past: Past, *, absent: bool) -> int:
    """Return how many of the refused rows are by the same, and of the same sort."""
    return sum(
        one.actor == seen.actor and one.is_absent is absent and _near(one, seen)
        for one in past.refused
    )


def _near(earlier: Seen, seen: Seen) -> bool:
    return 0 <= seen.time_us - earlier.time_us <= WINDOW_US


def _other_purpose(seen: Seen, past: Past) -> Iterator[str]:
    if seen.outcome is not Outcome.ALLOWED or not seen.released:
        return
    for one in past.refused:
        is_other = bool(seen.purposes) and seen.purposes != one.purposes
        if is_other and one.actor == seen.actor and _near(one, seen):
            for subject in sorted(one.subjects & seen.subjects):
                yield f"{seen.actor} subject {subject}"
                return


def _break_glass(seen: Seen, _: Past) -> Iterator[str]:
    if seen.interaction is Interaction.BREAK_GLASS and seen.outcome is Outcome.ALLOWED:
        for subject in sorted(seen.subjects) or (0,):
            yield f"{seen.actor} subject {subject}"


def _mass_reading(seen: Seen, past: Past) -> Iterator[str]:
    today = past.read.get(seen.day, 0)
    if seen.user and seen.released and today > most_usual(past.read, seen.day):
        yield f"{seen.actor} day {seen.day}"


def most_usual(read: Mapping[int, int], day: int) -> int:
    """Return how many patients somebody may read on a day without an alert."""
    before = [count for on, count in read.items() if day - USUAL_DAYS <= on < day]
    usual = int(TIMES_USUAL * median(before)) if before else 0
    return max(FEW_PATIENTS, usual)


def _new_network(seen: Seen, past: Past) -> Iterator[str]:
    is_strange = seen.network is not None and seen.network not in past.networks
    if seen.client and past.networks and is_strange and not seen.is_denied:
        yield f"client {seen.client} network {seen.network}"


def _consent_lint(seen: Seen, _: Past) -> Iterator[str]:
    for number in seen.broken:
        yield f"consent {number}"


def _export(seen: Seen, _: Past) -> Iterator[str]:
    if seen.interaction is Interaction.EXPORT and seen.outcome is Outcome.ALLOWED:
        yield seen.actor


def _attempt(seen: Seen, past: Past) -> Iterator[str]:
    if seen.outcome is Outcome.DENIED:
        for one in past.ended:
            if one.has_read and seen.time_us - one.since_us <= AFTER_DAYS * DAY_US:
                yield _of_ended(seen, one)


def _release(seen: Seen, past: Past) -> Iterator[str]:
    if seen.released:
        for one in past.ended:
            is_late = seen.time_us - one.since_us > UNDER_WAY_US
            if one.consent in seen.grounds and is_late:
                yield _of_ended(seen, one)


def _of_ended(seen: Seen, one: Ended) -> str:
    return f"{seen.actor} subject {one.subject} consent {one.consent}"


def _change(seen: Seen, _: Past) -> Iterator[str]:
    if seen.changed and seen.outcome is Outcome.ALLOWED:
        yield seen.changed


def _clock(seen: Seen, past: Past) -> Iterator[str]:
    if past.latest_us - seen.time_us > JITTER_US:
        yield "clock"


def next_latest(latest_us: int, seen: Seen) -> int:
    """Return the time by which the next row's clock is judged.

    A clock that went back is told once: the rows after it are compared with it.
    """
    has_gone_back = latest_us - seen.time_us > JITTER_US
    return seen.time_us if has_gone_back else max(latest_us, seen.time_us)


def gaps(first: int, end: int, found: Iterable[int]) -> Iterator[tuple[Finding, int]]:
    """Yield where rows are missing, with the first of them.

    Args:
        first: The first row that is looked at.
        end: The one after the last.
        found: Those that are there and can be read, ascending.

    """
    due = first
    for index in (*found, end):
        if index > due:
            yield Finding(Kind.GAP, f"row {due}"), due
        due = index + 1


RULES: Mapping[Kind, Callable[[Seen, Past], Iterator[str]]] = MappingProxyType(
    {
        Kind.UNEXPLAINED: _unexplained,
        Kind.DENIALS: _denials,
        Kind.OTHER_PURPOSE: _other_purpose,
        Kind.BREAK_GLASS: _break_glass,
        Kind.MASS_READING: _mass_reading,
        Kind.NEW_NETWORK: _new_network,
        Kind.CONSENT_LINT: _consent_lint,
        Kind.ENUMERATION: _enumeration,
        Kind.EXPORT: _export,
        Kind.ATTEMPT: _attempt,
        Kind.RELEASE: _release,
        Kind.CHANGE: _change,
        Kind.CLOCK: _clock,
    }
)
"""Kind → the rule; `Kind.LOG` is found by `compliance.log_watch`, `Kind.GAP` by
`gaps`: neither looks at one row."""

_IPV6 = 1 << 62
_LEFT_OUT = {4: 8, 6: 80}
"""Bits of an address that do not name its network: /24 and /48."""


def network_of(address: str) -> int | None:
    """Return the number of an address's network; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    number = int(parsed) >> _LEFT_OUT[parsed.version]
    return number | (_IPV6 if parsed.version == 6 else 0)  # noqa: PLR2004 - of IPv6
