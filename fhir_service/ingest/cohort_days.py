"""A day in the life of a synthetic patient: what wearables and sensors would see.

All numbers come from a seeded generator and are whole: tenths where a device gives
one decimal place. No real person's data is behind them.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import NamedTuple

DAYS = 90
"""Days of the cohort, the last one included."""

MINUTES = 24 * 60

HEART_RATE_EVERY = 20
"""Minutes between two heart rates."""

ROOM_EVERY = 120
"""Minutes between two messages of a room sensor."""


class Change(NamedTuple):
    """What becomes different in the last days of a patient's record.

    Attributes:
        days: How many days before the end it begins; 0 for no change.
        sleep_minutes: Added to the length of sleep.
        resting_rate: Added to the resting heart rate.
        steps_percent: Steps in percent of those before.
        restless: Further awakenings a night.

    """

    days: int = 0
    sleep_minutes: int = 0
    resting_rate: int = 0
    steps_percent: int = 100
    restless: int = 0


NO_CHANGE = Change()


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """What is usual for a patient.

    Attributes:
        resting_rate: Beats a minute at rest.
        variability: SDNN in milliseconds.
        bedtime: Minute of the day of falling asleep, counted from the day before.
        sleep_minutes: Length of the night.
        steps: Steps a day.
        room_tenths: Temperature of the bedroom, tenths of a degree Celsius.
        change: What becomes different at the end.

    """

    resting_rate: int
    variability: int
    bedtime: int
    sleep_minutes: int
    steps: int
    room_tenths: int
    change: Change = NO_CHANGE


class Stage(NamedTuple):
    """A stretch of sleep, in minutes after the day's midnight; negative before it."""

    start: int
    end: int
    name: str


class Room(NamedTuple):
    """A message of the bedroom's sensor; temperature and humidity in tenths."""

    minute: int
    temperature: int
    humidity: int
    illuminance: int
    noise: int
    occupied: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One day; each list holds (minute after midnight, value).

    Attributes:
        night: Stages of the night that ended this day.
        resting_rate: Beats a minute.
        heart_rates: Beats a minute.
        variabilities: SDNN, milliseconds.
        breaths: Breaths a minute, tenths.
        saturations: Oxygen saturation, percent.
        temperature: Body temperature in the morning, tenths of a degree Celsius.
        steps: Steps of the hour that begins then.
        energies: Kilocalories of the hour that begins then, tenths.
        rooms: Messages of the bedroom's sensor.
        battery: Charge of the sensor, percent.

    """

    night: tuple[Stage, ...]
    resting_rate: int
    temperature: int
    heart_rates: list[tuple[int, int]] = field(default_factory=list)
    variabilities: list[tuple[int, int]] = field(default_factory=list)
    breaths: list[tuple[int, int]] = field(default_factory=list)
    saturations: list[tuple[int, int]] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)
    energies: list[tuple[int, int]] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)
    battery: int = 100


def day(habits: Habits, days_before_end: int, random: Random) -> Day:
    """Return one day of a patient; 0 days before the end is the last one."""
    change = habits.change if days_before_end < habits.change.days else NO_CHANGE
    night = _night(habits, change, random)
    resting = habits.resting_rate + change.resting_rate + random.randint(-2, 2)
    hours = _steps(habits.steps * change.steps_percent // 100, random)
    asleep = list(range(0, night[-1].end, 60))
    return Day(
        night=night,
        resting_rate=resting,
        temperature=random.randint(362, 369),
        heart_rates=_heart_rates(night, resting, dict(hours), random),
        variabilities=[
            (minute, habits.variability + random.randint(-9, 9))
            for minute in (*asleep[1:4], 15 * 60)
        ],
        breaths=[(minute, random.randint(128, 168)) for minute in asleep],
        saturations=[(minute + 30, random.randint(94, 99)) for minute in asleep],
        steps=hours,
        energies=[(hour, 60 + steps // 3) for hour, steps in hours],
        rooms=[
            _room(habits, night, minute, random)
            for minute in range(0, MINUTES, ROOM_EVERY)
        ],
        battery=max(5, 100 - (DAYS - days_before_end) * 85 // DAYS),
    )


def _night(habits: Habits, change: Change, random: Random) -> tuple[Stage, ...]:
    """Return the stages of a night: cycles of light, deep and REM, some awakenings."""
    start = habits.bedtime - MINUTES + random.randint(-35, 35)
    length = habits.sleep_minutes + change.sleep_minutes + random.randint(-30, 30)
    cycles = max(3, length // 90)
    marks = [start + length * part // (cycles * 3) for part in range(cycles * 3 + 1)]
    stages = [
        Stage(first, last, ("light", "deep", "rem")[part % 3])
        for part, (first, last) in enumerate(pairwise(marks))
    ]
    for _ in range(random.randint(1, 3) + change.restless):
        at = random.randrange(1, len(stages) - 1)
        whole = stages[at]
        if whole.end - whole.start > _AWAKE + 2:
            stages[at : at + 1] = [
                Stage(whole.start, whole.end - _AWAKE, whole.name),
                Stage(whole.end - _AWAKE, whole.end, "awake"),
            ]
    return tuple(stages)


_AWAKE = 6
"""Minutes of one awakening."""


def _steps(total: int, random: Random) -> list[tuple[int, int]]:
    """Return the steps of each waking hour; they add up to about `total`."""
    weights = [(hour * 60, random.randint(2, 12)) for hour in range(8, 22)]
    whole = sum(weight for _, weight in weights)
    return [(minute, total * weight // whole) for minute, weight in weights]


def _heart_rates(
    night: tuple[Stage, ...], resting: int, steps: dict[int, int], random: Random
) -> list[tuple[int, int]]:
    end = night[-1].end
    return [
        (
            minute,
            resting - 3 + random.randint(0, 6)
            if minute < end
            else resting
            + 10
            + steps.get(minute // 60 * 60, 0) // 60
            + random.randint(0, 12),
        )
        for minute in range(0, MINUTES, HEART_RATE_EVERY)
    ]


def _room(
    habits: Habits, night: tuple[Stage, ...], minute: int, random: Random
) -> Room:
    is_night = minute < night[-1].end or minute >= habits.bedtime
    return Room(
        minute=minute,
        temperature=habits.room_tenths + random.randint(-4, 4) - 12 * is_night,
        humidity=random.randint(380, 520),
        illuminance=random.randint(0, 2) if is_night else random.randint(60, 420),
        noise=random.randint(27, 36) if is_night else random.randint(38, 58),
        occupied=is_night,
    )
