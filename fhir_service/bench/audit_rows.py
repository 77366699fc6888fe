"""Two years of a hospital's audit log: who asked for what, about whom, how it ended.

Nothing here is measured. Patients, people and programs are asked for as unevenly as
real ones, in the daytime of working days most of all; two rows of a hundred are
denials, and one of some thousand an emergency.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from consent.audit.entry import AuditRecord, Basis, BasisKind, Interaction, Outcome

HOUR_US = 3_600_000_000
HOURS = 730 * 24
"""Two years."""

_NIGHT, _DAY, _WEEKEND = 1, 12, 3
"""How busy an hour is beside one at night."""

_WEEK, _THURSDAY, _SATURDAY = 7, 3, 5
"""Days, counted from Monday; 1970 began on a Thursday."""

_OPENS, _CLOSES = 7, 18
"""Hours of the day, in UTC, between which it is busy."""

PAGE = 50
"""Versions that a search disclosed."""

DENIED, FAILED = 0.02, 0.002
"""Shares of the rows."""


class Kind(NamedTuple):
    """A kind of row.

    Attributes:
        interaction: What was done.
        weight: How many of a thousand.
        type: FHIR type that was asked for.
        path: What was asked; `{}` stands for the patient's id.
        disclosed: Versions that left.
        written: Versions that were stored.
        has_user: Whether a person stands behind the client.

    """

    interaction: Interaction
    weight: float
    type: str = ""
    path: str = ""
    disclosed: int = 0
    written: int = 0
    has_user: bool = True

    @property
    def is_about_a_patient(self) -> bool:
        """Whether a patient is concerned."""
        return bool(self.disclosed or self.written)


_OBSERVATIONS = "GET /fhir/Observation?patient={}&code=8867-4&_count=50"

KINDS = (
    Kind(Interaction.SEARCH, 390, "Observation", _OBSERVATIONS, disclosed=PAGE),
    Kind(Interaction.READ, 330, "Observation", "GET /fhir/Observation/{}", 1),
    Kind(Interaction.READ, 60, "Patient", "GET /fhir/Patient/{}", 1),
    Kind(
        Interaction.INGEST,
        90,
        "Observation",
        "POST /device-data/open-mhealth",
        written=24,
        has_user=False,
    ),
    Kind(Interaction.CREATE, 30, "Observation", "POST /fhir/Observation", written=1),
    Kind(Interaction.UPDATE, 15, "Consent", "PUT /fhir/Consent/{}", written=1),
    Kind(Interaction.OPERATION, 20, "Observation", "GET /fhir/Observation/$lastn", 20),
    Kind(Interaction.DELIVERY, 10, "Observation", "POST /notify", 5, has_user=False),
    Kind(Interaction.EXPORT, 1, "Observation", "GET /fhir/$export", 500),
    Kind(Interaction.TOKEN, 30, path="token-granted system/*.rs", has_user=False),
    Kind(Interaction.LOGIN, 15, path="login"),
    Kind(Interaction.CONSENT_DECISION, 2, "Consent", "explain {}"),
    Kind(Interaction.AUDIT_READ, 5, "AuditEvent", "GET /fhir/AuditEvent?date=ge2025"),
    Kind(Interaction.KEY_ROTATION, 0.2, path="client-rotated"),
    Kind(Interaction.CONFIG, 0.2, path="policy"),
    Kind(Interaction.BREAK_GLASS, 0.6, "Patient", "break-glass", 1),
)
"""What a log consists of."""

_PURPOSES = (("TREAT",), ("HPAYMT",), ("HRESCH",), ("PATRQT",), ("HOPERAT",))
_PURPOSE_STEPS = (0.78, 0.84, 0.9, 0.96, 1.0)
_EMERGENCY = ("ETREAT",)

REASONS = ("forbidden", "not-found", "login", "suppressed")
_STATUS_OF = {"forbidden": 403, "not-found": 404, "login": 401, "suppressed": 404}

_UNEVEN = 1.3
"""How much more than others some patients are asked about."""

_SEVERAL = 0.01
"""Share of the searches that show rows of a second patient."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A patient of the log.

    Attributes:
        pseudonym: By which the log names the patient.
        basis: What decisions about the patient rest on.
        requests: What is asked about the patient, for each of `KINDS`.

    """

    pseudonym: bytes
    basis: tuple[Basis, ...]
    requests: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A program of the log.

    Attributes:
        id: Its id.
        organisation: `Organization/id` behind it.
        address: Where it is.
        token: What stands for its token.

    """

    id: str
    organisation: str
    address: str
    token: bytes


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who appears in the log.

    Attributes:
        people: Patients.
        users: Who asks.
        clients: With what.

    """

    people: Sequence[Person]
    users: Sequence[str]
    clients: Sequence[Client]


def person(pseudonym: bytes, id_: str, consent: str, digest: str) -> Person:
    """Return a patient, and what is asked about the patient.

    Args:
        pseudonym: By which the log names the patient.
        id_: The Patient's id.
        consent: The consent's version.
        digest: Of what decisions rest on.

    """
    return Person(
        pseudonym=pseudonym,
        basis=(
            Basis(BasisKind.CONSENT, consent, "provision"),
            Basis(BasisKind.INPUTS, digest),
        ),
        requests=tuple(kind.path.replace("{}", id_) for kind in KINDS),
    )


def clients(organisations: Sequence[str], count: int, random: Random) -> list[Client]:
    """Return programs of organisations."""
    return [
        Client(
            id=f"client-{number:03}",
            organisation=organisations[number % len(organisations)],
            address=f"10.{number // 8}.{number % 8}.{1 + number % 200}",
            token=random.randbytes(16),
        )
        for number in range(count)
    ]


def users(count: int) -> list[str]:
    """Return people who ask."""
    return [f"Practitioner/p{number:05}" for number in range(count)]


def records(cast: Cast, count: int, random: Random) -> Iterator[AuditRecord]:
    """Yield what happens, one event after the other, without their times.

    Args:
        cast: Who appears.
        count: How many events.
        random: Where the chance comes from.

    """
    chance, seq = random.random, PAGE
    steps = list(accumulate(kind.weight for kind in KINDS))
    for _ in range(count):
        at = bisect(steps, chance() * steps[-1])
        seq += KINDS[at].written
        yield _record(_Row(cast, KINDS[at], at, seq), random)


def times(count: int, until: int, random: Random) -> Iterator[int]:
    """Yield the times of events in their order, as busy as the hours are.

    Args:
        count: How many events.
        until: The hour before which the two years end, counted from 1970.
        random: Where the chance comes from.

    """
    hours = range(until - HOURS, until)
    steps = list(accumulate(_weight(hour) for hour in hours))
    done = 0
    for hour, step in zip(hours, steps, strict=True):
        start, due = hour * HOUR_US, round(count * step / steps[-1])
        yield from sorted(
            start + int(random.random() * HOUR_US) for _ in range(due - done)
        )
        done = due


def _weight(hour: int) -> int:
    if (hour // 24 + _THURSDAY) % _WEEK >= _SATURDAY:
        return _WEEKEND
    return _DAY if _OPENS <= hour % 24 < _CLOSES else _NIGHT


class _Row(NamedTuple):
    """What is known of a row before chance decides the rest."""

    cast: Cast
    kind: Kind
    at: int
    newest: int


def _record(row: _Row, random: Random) -> AuditRecord:
    chance, cast, kind = random.random, row.cast, row.kind
    subject = int(chance() ** _UNEVEN * len(cast.people))
    about = cast.people[subject]
    # Few people and programs look after a patient.
    circle = subject * 7 + int(chance() ** 3 * 12)
    client = cast.clients[circle % len(cast.clients)]
    reason, outcome, status = _end(chance())
    is_allowed = outcome is Outcome.ALLOWED
    return AuditRecord(
        time_us=0,
        interaction=kind.interaction,
        outcome=outcome,
        status=status,
        request_id=f"{random.getrandbits(64):016x}",
        request=about.requests[row.at],
        resource_type=kind.type,
        user=cast.users[circle % len(cast.users)] if kind.has_user else "",
        client=client.id,
        organisation=client.organisation,
        address=client.address,
        user_agent="",
        token=client.token,
        purposes=_purposes(kind, chance()),
        patients=_patients(row, about, chance()),
        disclosed=_versions(row, kind.disclosed, chance()) if is_allowed else (),
        written=_written(row) if is_allowed else (),
        basis=about.basis if kind.is_about_a_patient else (),
        reason=reason,
    )


def _end(chance: float) -> tuple[str, Outcome, int]:
    if chance < DENIED:
        reason = REASONS[int(chance / DENIED * len(REASONS))]
        return reason, Outcome.DENIED, _STATUS_OF[reason]
    if chance < DENIED + FAILED:
        return "exception", Outcome.ERROR, 500
    return "", Outcome.ALLOWED, 200


def _purposes(kind: Kind, chance: float) -> tuple[str, ...]:
    if kind.interaction is Interaction.BREAK_GLASS:
        return _EMERGENCY
    return _PURPOSES[bisect(_PURPOSE_STEPS, chance)]


def _patients(row: _Row, about: Person, chance: float) -> tuple[bytes, ...]:
    if not row.kind.is_about_a_patient:
        return ()
    if chance < _SEVERAL and row.kind.disclosed > 1:
        people = row.cast.people
        other = people[int(chance / _SEVERAL * len(people))]
        return tuple(dict.fromkeys((about.pseudonym, other.pseudonym)))
    return (about.pseudonym,)


def _versions(row: _Row, count: int, chance: float) -> Sequence[int]:
    """Return versions that left: some of those that are there, a few apart."""
    first = int(chance * (row.newest - count * 5)) if row.newest > count * 5 else 0
    return range(first, first + count * 5, 5) if count > 1 else (first,) * count


def _written(row: _Row) -> Sequence[int]:
    return range(row.newest - row.kind.written, row.newest)
