"""Records that an app reads from HealthKit and sends as JSON, a few at a time.

The form is that of the `health` plug-in for Flutter: `HEART_RATE` with a value, a unit
and times in milliseconds. A percentage is one here, not a ratio as in the export.

https://pub.dev/packages/health
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mappings.measurement import (
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import (
    Instant,
    Unreadable,
    epoch_ms,
    number,
    seconds,
    zone_of,
)
from mappings.times import Span, in_zone
from mappings.times import reading as measured
from mappings.vendors.apple_health import blood_pressure, sleep
from mappings.vendors.apple_health.elements import Element
from mappings.vendors.apple_health.types import BLOOD_PRESSURE, QUANTITIES, Quantity

RECORDS = "health_data"

MAX_ID_LENGTH = 128
"""Characters of an identifier."""

_WORDS = {"bpm": "/min", "breaths/min": "/min", "mL/min/kg": "mL/kg/min"}
"""Unit words of the app alone."""

_RATIO = {"%": "1"}


def _as_sent(quantity: Quantity) -> Quantity:
    """Return a type of the export with the unit words of the app."""
    units = dict(quantity.units)
    if units == _RATIO:
        units = {"%": "%"}
    codes = set(units.values())
    units |= {word: code for word, code in _WORDS.items() if code in codes}
    return quantity._replace(units=MappingProxyType(units))


_NAMES = {
    "ACTIVE_ENERGY_BURNED": "ActiveEnergyBurned",
    "APPLE_STAND_TIME": "AppleStandTime",
    "BASAL_ENERGY_BURNED": "BasalEnergyBurned",
    "BLOOD_GLUCOSE": "BloodGlucose",
    "BLOOD_OXYGEN": "OxygenSaturation",
    "BODY_FAT_PERCENTAGE": "BodyFatPercentage",
    "BODY_MASS_INDEX": "BodyMassIndex",
    "BODY_TEMPERATURE": "BodyTemperature",
    "DISTANCE_CYCLING": "DistanceCycling",
    "DISTANCE_SWIMMING": "DistanceSwimming",
    "DISTANCE_WALKING_RUNNING": "DistanceWalkingRunning",
    "EXERCISE_TIME": "AppleExerciseTime",
    "FLIGHTS_CLIMBED": "FlightsClimbed",
    "HEART_RATE": "HeartRate",
    "HEART_RATE_VARIABILITY_SDNN": "HeartRateVariabilitySDNN",
    "HEIGHT": "Height",
    "LEAN_BODY_MASS": "LeanBodyMass",
    "PERIPHERAL_PERFUSION_INDEX": "PeripheralPerfusionIndex",
    "RESPIRATORY_RATE": "RespiratoryRate",
    "RESTING_HEART_RATE": "RestingHeartRate",
    "STEPS": "StepCount",
    "VO2_MAX": "VO2Max",
    "WAIST_CIRCUMFERENCE": "WaistCircumference",
    "WALKING_HEART_RATE": "WalkingHeartRateAverage",
    "WALKING_SPEED": "WalkingSpeed",
    "WEIGHT": "BodyMass",
}

TYPES: Mapping[str, Quantity] = MappingProxyType(
    {name: _as_sent(QUANTITIES[type_]) for name, type_ in _NAMES.items()}
)
"""The app's names of the types that have a kind."""

HALVES: Mapping[str, Quantity] = MappingProxyType(
    {
        "BLOOD_PRESSURE_SYSTOLIC": BLOOD_PRESSURE["BloodPressureSystolic"],
        "BLOOD_PRESSURE_DIASTOLIC": BLOOD_PRESSURE["BloodPressureDiastolic"],
    }
)
"""The app's names of the halves of a blood pressure."""

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "SLEEP_IN_BED": "InBed",
        "SLEEP_ASLEEP": "AsleepUnspecified",
        "SLEEP_AWAKE": "Awake",
        "SLEEP_DEEP": "AsleepDeep",
        "SLEEP_LIGHT": "AsleepCore",
        "SLEEP_REM": "AsleepREM",
    }
)
"""The app's names of the stages of sleep, and HealthKit's."""

MINDFUL = "MINDFULNESS"

TYPES_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "AUDIOGRAM": "audiogram",
        "BIRTH_DATE": "person",
        "BLOOD_TYPE": "person",
        "GENDER": "person",
        "MENSTRUATION_FLOW": "reproductive health",
        "NUTRITION": "nutrition",
        "WATER": "nutrition",
        "WORKOUT_ROUTE": "workout route",
    }
)
"""Types that are recognised and never stored."""

PREFIX_OUT_OF_SCOPE = "DIETARY_"


class _At(NamedTuple):
    """What holds for a whole delivery.

    Attributes:
        place: Of the list of records.
        patient: The app's own name for the person.
        zone: IANA name of the zone of records that tell none.
        told: The same in the app's words, to be kept for a retry.

    """

    place: str
    patient: str | None
    zone: str | None
    told: Mapping[str, object]


def is_delivery(payload: Mapping[str, object]) -> bool:
    """Whether a JSON object holds records of such an app."""
    return isinstance(payload.get(RECORDS), list)


def readings(
    payload: Mapping[str, object], place: str, zone: str | None
) -> Iterator[Reading]:
    """Yield the readings of a delivery.

    Args:
        payload: `{user_id?, meta_info?, health_data}`.
        place: Its place in what was sent.
        zone: The caller's zone, for records that do not tell theirs.

    """
    meta = payload.get("meta_info")
    named = meta.get("timezone") if isinstance(meta, Mapping) else None
    user = payload.get("user_id")
    patient = str(user) if isinstance(user, str | int) and user != "" else None
    at = _At(
        f"{place}.{RECORDS}",
        None if patient is None or len(patient) > MAX_ID_LENGTH else patient,
        named if isinstance(named, str) and zone_of(named) else zone,
        {"user_id": user, "meta_info": {"timezone": named}},
    )
    records = payload[RECORDS]
    if isinstance(records, list) and records:
        for one in _App(at).readings(records):
            if isinstance(one, Measurement):
                yield one._replace(patient=at.patient)
            else:
                yield one
    else:
        yield OutOfScope(at.place, "delivery without a record")


class _App:
    """Turns records into readings; keeps what waits for others."""

    def __init__(self, at: _At) -> None:
        self._at = at
        self._nights = sleep.Nights()
        self._halves = blood_pressure.Halves()

    def readings(self, records: list[object]) -> Iterator[Reading]:
        for index, record in enumerate(records):
            place = f"{self._at.place}[{index}]"
            try:
                yield from self._record(record, index, place)
            except Unreadable as error:
                yield error.refusal(place, {**self._at.told, RECORDS: [record]})
        yield from self._halves.rest()
        yield from self._nights.rest()

    def _record(self, record: object, index: int, place: str) -> Iterable[Reading]:
        if not isinstance(record, Mapping) or not isinstance(record.get("type"), str):
            raise Unreadable(Reason.MALFORMED, "A record is an object with a type.")
        name = record["type"]
        if name in TYPES:
            return (self._quantity(record, TYPES[name], place),)
        if name in HALVES:
            half = self._quantity(record, HALVES[name], place)
            bare = half._replace(source_id=None)
            panel = self._halves.add(bare, str(record.get("sourceId")))
            return () if panel is None else (panel,)
        if name in STAGES:
            return self._stage(record, index, STAGES[name])
        if name == MINDFUL:
            return (self._mindful(record, place),)
        return (_never_stored(name, place),)

    def _quantity(
        self, record: Mapping[str, object], quantity: Quantity, place: str
    ) -> Measurement:
        kind, units, method = quantity
        try:
            unit = _unit(record, units)
            value = record.get("value")
            told = value.get("numericValue") if isinstance(value, Mapping) else value
            span = self._span(record)
            return measured(
                kind,
                number(told),
                unit,
                span if span.end != span.start else span._replace(end=None),
                place,
                source_id=_id(record),
                method=method,
                self_reported=_is_entered(record),
            )
        except Unreadable as error:
            raise error.of(kind) from None

    def _mindful(self, record: Mapping[str, object], place: str) -> Measurement:
        span = self._span(record)
        end = span.end or span.start
        length = seconds(end.us - span.start.us)
        return measured(
            "mindful-duration", length, "s", span, place, source_id=_id(record)
        )

    def _stage(
        self, record: Mapping[str, object], index: int, stage: str
    ) -> Iterator[Reading]:
        try:
            span = self._span(record)
        except Unreadable as error:
            raise error.of("sleep-session") from None
        attributes = {"value": sleep.VALUE + stage}
        element = Element(self._at.place, index, attributes, {}, [])
        source = sleep.Source(str(record.get("sourceId")), None, _is_entered(record))
        times = span.start, span.end or span.start, span.zone
        return self._nights.add(element, times, source)

    def _span(self, record: Mapping[str, object]) -> Span:
        """Return when a record was measured, in its zone or else the delivery's.

        Raises:
            Unreadable: `no-time`, `malformed`, `negative-interval`.

        """
        named = record.get("timezone")
        zone = named if isinstance(named, str) and zone_of(named) else self._at.zone
        start, end = (_moment(record.get(at), zone) for at in ("dateFrom", "dateTo"))
        if end.us < start.us:
            detail = "The record ends before it starts."
            raise Unreadable(Reason.NEGATIVE_INTERVAL, detail)
        return Span(start, end, zone)


def _moment(milliseconds: object, zone: str | None) -> Instant:
    if milliseconds is None:
        raise Unreadable(Reason.NO_TIME, "The record lacks dateFrom or dateTo.")
    if type(milliseconds) is not int:
        raise Unreadable(Reason.MALFORMED, "The time is not in milliseconds.")
    moment = epoch_ms(milliseconds)
    info = zone_of(zone) if zone else None
    return moment if info is None else in_zone(moment.us, info)


def _unit(record: Mapping[str, object], units: Mapping[str, str]) -> str:
    word = record.get("unitSymbol")
    if not isinstance(word, str) or not word:
        raise Unreadable(Reason.NO_UNIT, "The record has no unit.")
    unit = units.get(word)
    if unit is None:
        detail = "The unit is not one in which the app gives this type."
        raise Unreadable(Reason.UNKNOWN_UNIT, detail)
    return unit


def _id(record: Mapping[str, object]) -> str | None:
    id_ = record.get("uuid")
    return id_ if isinstance(id_, str) and 0 < len(id_) <= MAX_ID_LENGTH else None


def _is_entered(record: Mapping[str, object]) -> bool:
    return record.get("recordingMethod", record.get("recording_method")) == "manual"


def _never_stored(name: str, place: str) -> Reading:
    """Return what a type is that is never stored.

    Raises:
        Unreadable: `unknown-kind` for any other.

    """
    what = TYPES_OUT_OF_SCOPE.get(name)
    if what is None and name.startswith(PREFIX_OUT_OF_SCOPE):
        what = "nutrition"
    if what is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The type has no kind.")
    return OutOfScope(place, what)


def refused(payload: object, place: str) -> Refusal:
    """Return the refusal of JSON that is nothing of Apple Health."""
    detail = "This is no part of an Apple Health export, and no list of its records."
    return Refusal(place, Reason.MALFORMED, None, detail, payload)
