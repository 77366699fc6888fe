"""The synthetic cohort of the demonstration: twelve patients, ninety days each.

What vendors would send, not what the service stores: every reading of the cohort
goes through the same parsers, decisions and checks as that of a real device. The
same end date gives the same bytes. No real person is behind it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

from conformance.fhir_json import Number, dumps
from fhir_service.ingest.cohort_days import DAYS, Change, Habits, day
from fhir_service.ingest.cohort_formats import (
    AppleExport,
    Dated,
    Json,
    OpenMHealthPoints,
    dated,
    messages,
)
from mappings.payload import zone_offset_minutes

DAYS_A_PAYLOAD = 30
"""Days of data points or messages that are sent at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A synthetic patient.

    Attributes:
        number: 1 to 12.
        source: What the wearable's data comes through.
        zone: IANA name of the patient's zone.
        sensor: Zigbee address of the bedroom's sensor; None without one.
        habits: What is usual.

    """

    number: int
    source: str
    zone: str
    sensor: str | None
    habits: Habits

    @property
    def patient_id(self) -> str:
        """Return the logical id of the Patient."""
        return f"demo-patient-{self.number:02}"

    @property
    def location_id(self) -> str:
        """Return the logical id of the bedroom."""
        return f"demo-bedroom-{self.number:02}"

    @property
    def user(self) -> str:
        """Return the name that the wearable's app has for the patient."""
        return f"demo-user-{self.number:02}"


LESS_SLEEP = Change(days=21, sleep_minutes=-130, resting_rate=3, restless=5)
RISING_RATE = Change(days=14, resting_rate=9, steps_percent=60)
WITHDRAWN = Change(days=28, sleep_minutes=90, steps_percent=45)

_ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", "Europe/London")

_HABITS = (
    # Resting heart rate, SDNN, bedtime, sleep, steps, bedroom; then what changes.
    (58, 52, 1385, 455, 9200, 198, Change()),
    (64, 44, 1400, 430, 7400, 205, Change()),
    (61, 47, 1370, 460, 8100, 201, LESS_SLEEP),
    (70, 33, 1420, 405, 5200, 212, Change()),
    (56, 58, 1360, 470, 10400, 194, Change()),
    (66, 41, 1395, 440, 6900, 208, WITHDRAWN),
    (63, 45, 1380, 450, 7700, 203, Change()),
    (72, 31, 1430, 395, 4800, 215, Change()),
    (60, 49, 1375, 455, 8600, 199, RISING_RATE),
    (67, 39, 1410, 420, 6300, 209, Change()),
    (62, 46, 1390, 445, 7900, 204, LESS_SLEEP),
    (69, 35, 1415, 410, 5600, 211, Change()),
)

_WITH_EXPORT = 6
"""The first patients send an export of Apple Health, the others data points."""

_WITHOUT_SENSOR = frozenset({3, 6, 10, 12})
"""The last two do not consent to any collection, so none is registered for them."""


def _person(number: int) -> Person:
    *usual, change = _HABITS[number - 1]
    names = (
        "resting_rate",
        "variability",
        "bedtime",
        "sleep_minutes",
        "steps",
        "room_tenths",
    )
    return Person(
        number=number,
        source="apple-health" if number <= _WITH_EXPORT else "open-mhealth",
        zone=_ZONES[number % len(_ZONES)],
        sensor=None if number in _WITHOUT_SENSOR else f"0x00124b00{number:08x}",
        habits=Habits(**dict(zip(names, usual, strict=True)), change=change),
    )


PEOPLE = tuple(_person(number) for number in range(1, len(_HABITS) + 1))
"""The cohort."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """Bytes as a vendor sends them.

    Attributes:
        source: Name of the vendor, as in the URL.
        patient_id: The Patient that the request names; None where the payload or
            the device's registration tells.
        zone: Zone that the import names; None where the payload tells offsets.
        days: Days of data that it holds.
        body: An export, or the JSON of a request.

    """

    source: str
    patient_id: str | None
    zone: str | None
    days: int
    body: bytes


def payloads(
    last_day: date, people: Iterable[Person] = PEOPLE, count: int = DAYS
) -> Iterator[Payload]:
    """Yield everything that the cohort's devices send, patient by patient.

    Args:
        last_day: The last of the days, yesterday for a demonstration.
        people: Whose.
        count: How many days.

    """
    for person in people:
        days = list(_days(person, last_day, count))
        if person.source == "apple-health":
            yield _export(person, days)
        else:
            yield from _points(person, days)
        if person.sensor is not None:
            yield from _messages(person.sensor, days)


def patient_days(people: Iterable[Person] = PEOPLE, count: int = DAYS) -> int:
    """Return the sum of `days` of everything that `payloads` yields."""
    return sum(count if person.sensor is None else 2 * count for person in people)


def _days(person: Person, last_day: date, count: int) -> Iterator[Dated]:
    random = Random(f"cohort {last_day} {person.number}")  # noqa: S311 - no secret
    zone = ZoneInfo(person.zone)
    for before in range(count - 1, -1, -1):
        on = last_day - timedelta(days=before)
        yield dated(on, zone, day(person.habits, before, random))


def _export(person: Person, days: list[Dated]) -> Payload:
    offset = zone_offset_minutes(ZoneInfo(person.zone), days[-1].midnight_us) or 0
    export = AppleExport(offset, person.zone)
    return Payload(
        source="apple-health",
        patient_id=person.patient_id,
        zone=person.zone,
        days=len(days),
        body=b"".join(export.chunks(days)),
    )


def _points(person: Person, days: list[Dated]) -> Iterator[Payload]:
    writer = OpenMHealthPoints(person.user, Number)
    for part in _parts(days):
        points = [point for one in part for point in writer.points(one)]
        yield _sent("open-mhealth", part, points)


def _messages(address: str, days: list[Dated]) -> Iterator[Payload]:
    for part in _parts(days):
        sent = [message for one in part for message in messages(address, one, Number)]
        yield _sent("zigbee2mqtt", part, sent)


def _sent(source: str, part: list[Dated], parts: list[Json]) -> Payload:
    return Payload(
        source=source, patient_id=None, zone=None, days=len(part), body=dumps(parts)
    )


def _parts(days: list[Dated]) -> Iterator[list[Dated]]:
    for start in range(0, len(days), DAYS_A_PAYLOAD):
        yield days[start : start + DAYS_A_PAYLOAD]
