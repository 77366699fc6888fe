"""Days with data: which local days of a patient hold what, by kind and device.

Counted over the index of Observations, under the view of whoever asks. A measurement
belongs to the day on which it begins, sleep to that of waking. That a day is valid is
the project's choice of a rule, after ActiWearCheck: 600 minutes with a heart rate, or
10 hours with steps; zero steps of a device that nobody wears are no drop.

https://doi.org/10.2196/46149
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fhir_service.access import Decided
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.interactions.planner import Planner
from fhir_service.search.parse import parse
from fhir_service.storage import day_counts, observations, patients, types
from fhir_service.storage.day_counts import Day
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.signatures import Signature
from mappings.kinds import kinds
from mappings.payload import microseconds

WINDOW = 30
"""Local days in a window."""

HEART_RATE_MINUTES = 600
STEP_HOURS = 10
"""What makes a day valid; either suffices."""

_HEART_RATE = frozenset({"heart-rate", "heart-rate-mean", "heart-rate-series"})
_STEPS = frozenset({"steps"})
_SLEEP = "sleep"

_REMEMBERED = 4_096
"""Sets of codings whose kind is not looked up twice."""


class Held(NamedTuple):
    """What a day holds of one kind from one device.

    Attributes:
        kind: Row of kinds.csv; `system|code` of what is none.
        data_class: What consent calls such data; empty where that is not known.
        device: `Device/id`; empty where none is named.
        measurements: How many.
        first_us: Start of the first, microseconds since 1970.
        last_us: End of the last.

    """

    kind: str
    data_class: str
    device: str
    measurements: int
    first_us: int
    last_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalDay:
    """One day of a zone, and what it holds.

    Attributes:
        on: The date.
        start_us: Its midnight, microseconds since 1970.
        end_us: The next one, 23 to 25 hours later.
        heart_rate_minutes: Minutes with a heart rate; at least so many.
        step_hours: Hours with steps; likewise.
        held: By kind and device.

    """

    on: date
    start_us: int
    end_us: int
    heart_rate_minutes: int = 0
    step_hours: int = 0
    held: tuple[Held, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether the day counts for trends."""
        return (
            self.heart_rate_minutes >= HEART_RATE_MINUTES
            or self.step_hours >= STEP_HOURS
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The days of a patient, and what they rest on.

    Attributes:
        days: In their order, without gaps.
        decided: The decision on the Observations; None where nothing can be seen.
        signatures: Those that were counted.

    """

    days: Sequence[LocalDay]
    decided: Decided | None = None
    signatures: frozenset[int] = frozenset()

    @property
    def windows(self) -> list[Sequence[LocalDay]]:
        """The same in windows; the last may be shorter."""
        return [
            self.days[first : first + WINDOW]
            for first in range(0, len(self.days), WINDOW)
        ]


def local_days(start: date, end: date, zone: ZoneInfo) -> list[LocalDay]:
    """Return the days of a zone from one date to another, both included."""
    dates = [start + timedelta(days=n) for n in range((end - start).days + 2)]
    edges = [
        microseconds(datetime(one.year, one.month, one.day, tzinfo=zone))
        for one in dates
    ]
    return [
        LocalDay(on=on, start_us=low, end_us=high)
        for on, low, high in zip(dates[:-1], edges[:-1], edges[1:], strict=True)
    ]


def report(  # noqa: PLR0913, PLR0917 - whose days, who asks, and which days
    services: Services,
    snapshot: Snapshot,
    grant: Grant,
    patient: str,
    days: Sequence[LocalDay],
    now_us: int,
) -> Report:
    """Return what the days of a patient hold that a grant may see.

    Raises:
        FHIRError: `forbidden` where no scope covers Observations.

    """
    place = services.repository.deployment
    query = parse(
        ("Observation",),
        (("patient", f"Patient/{patient}"),),
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=now_us,
        strict=True,
    )
    plan = Planner(services, snapshot, grant).plan("Observation", query.conditions)
    state = patients.by_id(snapshot, types.number_of("Patient"), patient)
    if plan is None or state is None or not isinstance(plan.source, Question):
        return Report(days=days, decided=None if plan is None else plan.decided)
    number = types.number_of("Observation")
    own = {
        one.id: one
        for one in services.repository.signatures.of(snapshot, state)
        if one.type_id == number
    }
    counter = _Counter(snapshot, plan.source, own)
    return Report(
        days=[counter.counted(day) for day in days],
        decided=plan.decided,
        signatures=frozenset(counter.met),
    )


class _Counter:
    """Counts one day after the other for one question."""

    def __init__(
        self, snapshot: Snapshot, question: Question, own: Mapping[int, Signature]
    ) -> None:
        self._snapshot = snapshot
        self._question = question
        self._own = own
        self._asleep = self._of(lambda _, data_class: data_class == _SLEEP)
        self._awake = self._of(lambda _, data_class: data_class != _SLEEP)
        self._heart = self._of(lambda kind, _: kind in _HEART_RATE)
        self._steps = self._of(lambda kind, _: kind in _STEPS)
        self._longest = max(
            observations.lengths(snapshot, question.patient_key).values(), default=0
        )
        self.met: set[int] = set()

    def _of(self, wanted: Callable[[str, str], bool]) -> list[int]:
        return [id_ for id_, one in self._own.items() if wanted(*_named(one))]

    def counted(self, day: LocalDay) -> LocalDay:
        """Return a day with what it holds."""
        snapshot = self._snapshot
        asked = Day(
            patient_key=self._question.patient_key,
            low=day.start_us,
            high=day.end_us,
            where=self._question.where,
        )
        found = day_counts.begun(snapshot, asked, self._awake)
        found += day_counts.ended(snapshot, asked, self._asleep, self._longest)
        of_day = {one.signature_id for one in found}
        self.met |= of_day
        return LocalDay(
            on=day.on,
            start_us=day.start_us,
            end_us=day.end_us,
            heart_rate_minutes=self._heart_rate_minutes(asked, of_day),
            step_hours=self._step_hours(asked, of_day),
            held=tuple(_summed(found, self._own)),
        )

    def _heart_rate_minutes(self, day: Day, met: set[int]) -> int:
        """Return the minutes with a heart rate, none of them counted twice.

        Longer readings of one device may overlap those of another: the device that
        has most counts alone.
        """
        own = [id_ for id_ in self._heart if id_ in met]
        if not own:
            return 0
        covered: dict[tuple[str, str], int] = {}
        for id_, minutes in day_counts.lasting(self._snapshot, day, own).items():
            signature = self._own[id_]
            at = (_named(signature)[0], signature.facets.origin.device or "")
            covered[at] = covered.get(at, 0) + minutes
        shorter = day_counts.minutes(self._snapshot, day, own)
        whole = (day.high - day.low) // day_counts.MINUTE_US
        return min(max(shorter, *covered.values(), 0), whole)

    def _step_hours(self, day: Day, met: set[int]) -> int:
        own = [id_ for id_ in self._steps if id_ in met]
        return day_counts.hours_above_zero(self._snapshot, day, own) if own else 0


def _summed(
    found: Iterable[day_counts.Tally], own: Mapping[int, Signature]
) -> list[Held]:
    """Return the tallies of signatures that differ in other things as one."""
    held: dict[tuple[str, str, str], Held] = {}
    for tally in found:
        signature = own[tally.signature_id]
        at = (*_named(signature), signature.facets.origin.device or "")
        before = held.get(at) or Held(*at, 0, tally.first_us, tally.last_us)
        held[at] = Held(
            *at,
            before.measurements + tally.measurements,
            min(before.first_us, tally.first_us),
            max(before.last_us, tally.last_us),
        )
    return [held[at] for at in sorted(held)]


def _named(signature: Signature) -> tuple[str, str]:
    """Return kind and data class of a signature."""
    return _kind_of(signature.facets.codes.principal)


@cache
def _by_coding() -> Mapping[frozenset[tuple[str, str]], tuple[str, str]]:
    """Return the kinds, by all of their codings and by each that names one alone."""
    whole = {
        frozenset((one.system, one.code) for one in kind.codings): kind
        for kind in kinds().values()
    }
    alone: dict[frozenset[tuple[str, str]], set[str]] = {}
    for codings, kind in whole.items():
        for coding in codings:
            alone.setdefault(frozenset({coding}), set()).add(kind.name)
    named = {
        coding: kinds()[next(iter(names))]
        for coding, names in alone.items()
        if len(names) == 1
    }
    return {
        codings: (kind.name, kind.data_class)
        for codings, kind in {**named, **whole}.items()
    }


@lru_cache(maxsize=_REMEMBERED)
def _kind_of(codings: frozenset[tuple[str, str]]) -> tuple[str, str]:
    known = _by_coding()
    found = known.get(codings)
    if found is None:
        alone = {known.get(frozenset({coding})) for coding in codings} - {None}
        found = alone.pop() if len(alone) == 1 else None
    if found is None:
        return "|".join(min(codings, default=("", ""))), ""
    return found
