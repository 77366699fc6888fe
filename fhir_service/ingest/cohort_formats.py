"""The synthetic days in the formats that vendors send.

Each writer gives what its vendor would: the export of Apple Health, data points of
Open mHealth, messages of Zigbee2MQTT. Some faults are written on purpose, so that
the quarantine of the demonstration is not empty.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fhir_service.ingest.cohort_days import Day
from mappings.payload import (
    MINUTE_US,
    at_offset,
    microseconds,
    offset_text,
    zone_offset_minutes,
)

Json = dict[str, object]


class Dated(NamedTuple):
    """A day with its place in time.

    Attributes:
        date: The local date.
        midnight_us: Its first moment, microseconds since 1970.
        zone: Where the patient is.
        day: What happened.

    """

    date: date
    midnight_us: int
    zone: ZoneInfo
    day: Day

    def us(self, minute: int) -> int:
        """Return the moment that lies some minutes after the day began."""
        return self.midnight_us + minute * MINUTE_US

    def time(self, minute: int) -> str:
        """Return that moment as text with the offset of the zone."""
        us = self.us(minute)
        return at_offset(us, zone_offset_minutes(self.zone, us) or 0).text


def dated(on: date, zone: ZoneInfo, day: Day) -> Dated:
    """Return a day with its place in time."""
    midnight = datetime(on.year, on.month, on.day, tzinfo=zone)
    return Dated(on, microseconds(midnight), zone, day)


# Apple Health.

_WATCH = (
    "&lt;&lt;HKDevice: 0x{pointer:x}&gt;, name:Apple Watch, manufacturer:Apple Inc.,"
    " model:Watch, hardware:Watch6,7, software:10.2&gt;"
)
_QUANTITY = "HKQuantityTypeIdentifier"
_STAGES = {
    "light": "AsleepCore",
    "deep": "AsleepDeep",
    "rem": "AsleepREM",
    "awake": "Awake",
}


class AppleExport:
    """Writes export.xml: every time with the offset at the time of export.

    Args:
        offset: Minutes from UTC when the export was made.
        zone: Name of the zone, for the records that tell it.

    """

    def __init__(self, offset: int, zone: str) -> None:
        self._offset = offset
        self._written = offset_text(offset).replace(":", "")
        self._zone = zone

    def chunks(self, days: Iterable[Dated]) -> Iterator[bytes]:
        """Yield the file, a day at a time."""
        yield (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b"<!DOCTYPE HealthData [\n<!-- HealthKit Export Version: 13 -->\n"
            b"<!ELEMENT HealthData (ExportDate,Me,(Record)*)>\n"
            b"<!ATTLIST HealthData locale CDATA #REQUIRED>\n]>\n"
            b'<HealthData locale="en_US">\n'
        )
        for one in days:
            yield "".join(self._day(one)).encode()
        yield b"</HealthData>\n"

    def _time(self, us: int) -> str:
        text = at_offset(us, self._offset).text
        return f"{text[:10]} {text[11:19]} {self._written}"

    def _record(
        self, type_: str, unit: str, value: object, start: int, end: int
    ) -> str:
        begins = self._time(start)
        ends = begins if end == start else self._time(end)
        device = _WATCH.format(pointer=0x300000000 + start // MINUTE_US % 0xFFFFFF)
        return (
            f' <Record type="{_QUANTITY}{type_}" sourceName="Demo Watch"'
            f' sourceVersion="10.2" device="{device}" unit="{unit}"'
            f' creationDate="{ends}" startDate="{begins}" endDate="{ends}"'
            f' value="{value}"/>\n'
        )

    def _day(self, one: Dated) -> Iterator[str]:
        day = one.day
        for type_, unit, values, minutes in (
            ("HeartRate", "count/min", day.heart_rates, 0),
            ("HeartRateVariabilitySDNN", "ms", day.variabilities, 1),
            ("RespiratoryRate", "count/min", _tenths(day.breaths), 0),
            ("OxygenSaturation", "%", _hundredths(day.saturations), 0),
            ("StepCount", "count", day.steps, 60),
            ("ActiveEnergyBurned", "kcal", _tenths(day.energies), 60),
        ):
            for minute, value in values:
                start = one.us(minute)
                end = start + minutes * MINUTE_US
                yield self._record(type_, unit, value, start, end)
        whole = one.us(0), one.us(24 * 60 - 1)
        yield self._record("RestingHeartRate", "count/min", day.resting_rate, *whole)
        for start, end, name in day.night:
            yield self._stage(one.us(start), one.us(end), _STAGES[name])
        yield from self._faults(one)

    def _stage(self, start: int, end: int, value: str) -> str:
        return (
            ' <Record type="HKCategoryTypeIdentifierSleepAnalysis"'
            ' sourceName="Demo Watch" sourceVersion="10.2"'
            f' device="{_WATCH.format(pointer=0x300000000 + start % 0xFFFF)}"'
            f' creationDate="{self._time(end)}" startDate="{self._time(start)}"'
            f' endDate="{self._time(end)}"'
            f' value="HKCategoryValueSleepAnalysis{value}">\n'
            f'  <MetadataEntry key="HKTimeZone" value="{self._zone}"/>\n </Record>\n'
        )

    def _faults(self, one: Dated) -> Iterator[str]:
        """Yield what will not be understood: a type, a unit, an impossible value."""
        if one.date.day == _FAULTY_DAY:
            noon = one.us(12 * 60)
            yield self._record("UVExposure", "count", 3, noon, noon)
            yield self._record("BodyMass", "grain", 1080, noon, noon)
            yield self._record("HeartRate", "count/min", 0, noon, noon)


_FAULTY_DAY = 15
"""Day of the month on which faults are written."""


def _tenths(values: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    return ((minute, _tenth(value)) for minute, value in values)


def _tenth(value: int) -> str:
    return f"{value // 10}.{value % 10}"


def _hundredths(values: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    return ((minute, f"0.{value:02}") for minute, value in values)


# Open mHealth.


class OpenMHealthPoints:
    """Writes data points of a patient.

    Args:
        user: The source's name for the patient.
        number: Turns a decimal text into a JSON number that keeps its digits.

    """

    def __init__(self, user: str, number: Callable[[str], object]) -> None:
        self._user = user
        self._number = number

    def points(self, one: Dated) -> Iterator[Json]:
        """Yield the data points of a day."""
        day = one.day
        for schema, member, unit, values, minutes in (
            ("heart-rate", "heart_rate", "beats/min", day.heart_rates, 0),
            (
                "respiratory-rate",
                "respiratory_rate",
                "breaths/min",
                self._decimals(_tenths(day.breaths)),
                0,
            ),
            ("oxygen-saturation", "oxygen_saturation", "%", day.saturations, 0),
            ("step-count", "step_count", "steps", day.steps, 60),
            (
                "calories-burned",
                "kcal_burned",
                "kcal",
                self._decimals(_tenths(day.energies)),
                60,
            ),
        ):
            for minute, value in values:
                body: Json = {
                    member: {"value": value, "unit": unit},
                    "effective_time_frame": _frame(one, minute, minute + minutes),
                }
                yield self._point(schema, one, f"{minute:04}", body)
        yield self._resting(one)
        yield self._temperature(one)
        yield self._episode(one)
        yield from self._faults(one)

    def _decimals(
        self, values: Iterable[tuple[int, str]]
    ) -> Iterator[tuple[int, object]]:
        return ((minute, self._number(text)) for minute, text in values)

    def _point(
        self, schema: str, one: Dated, key: str, body: Mapping[str, object]
    ) -> Json:
        return {
            "header": {
                "id": f"{self._user}-{one.date:%Y%m%d}-{schema}-{key}",
                "creation_date_time": one.time(24 * 60),
                "schema_id": {"namespace": "omh", "name": schema, "version": "2.0"},
                "acquisition_provenance": {
                    "source_name": "Demo app",
                    "modality": "sensed",
                },
                "user_id": self._user,
            },
            "body": body,
        }

    def _resting(self, one: Dated) -> Json:
        body: Json = {
            "heart_rate": {"value": one.day.resting_rate, "unit": "beats/min"},
            "effective_time_frame": _frame(one, 0, 24 * 60),
            "temporal_relationship_to_physical_activity": "at rest",
        }
        return self._point("heart-rate", one, "resting", body)

    def _temperature(self, one: Dated) -> Json:
        minute = one.day.night[-1].end
        value = self._number(_tenth(one.day.temperature))
        body: Json = {
            "body_temperature": {"value": value, "unit": "C"},
            "effective_time_frame": _frame(one, minute, minute),
            "temporal_relationship_to_sleep": "on waking",
        }
        return self._point("body-temperature", one, "waking", body)

    def _episode(self, one: Dated) -> Json:
        night = one.day.night
        start, end = night[0].start, night[-1].end
        awake = [stage for stage in night if stage.name == "awake"]
        minutes = sum(stage.end - stage.start for stage in awake)
        body: Json = {
            "effective_time_frame": _frame(one, start, end),
            "total_sleep_time": {"value": end - start - minutes, "unit": "min"},
            "wake_after_sleep_onset": {"value": minutes, "unit": "min"},
            "number_of_awakenings": len(awake),
            "is_main_sleep": True,
        }
        return self._point("sleep-episode", one, "night", body)

    def _faults(self, one: Dated) -> Iterator[Json]:
        """Yield a time without offset, a number as text, an unknown schema."""
        if one.date.day != _FAULTY_DAY:
            return
        noon = {"date_time": one.time(12 * 60)}
        local = {"date_time": one.time(12 * 60)[:19]}
        rate = {"value": 61, "unit": "beats/min"}
        faults: tuple[tuple[str, str, Json], ...] = (
            (
                "heart-rate",
                "no-offset",
                {"heart_rate": rate, "effective_time_frame": local},
            ),
            (
                "heart-rate",
                "text",
                {"heart_rate": {**rate, "value": "61"}, "effective_time_frame": noon},
            ),
            ("mood", "unknown", {"mood": "calm", "effective_time_frame": noon}),
        )
        for schema, key, body in faults:
            yield self._point(schema, one, key, body)


def _frame(one: Dated, start: int, end: int) -> Json:
    if start == end:
        return {"date_time": one.time(start)}
    return {
        "time_interval": {
            "start_date_time": one.time(start),
            "end_date_time": one.time(end),
        }
    }


# Zigbee2MQTT.


def messages(
    address: str, one: Dated, number: Callable[[str], object]
) -> Iterator[Json]:
    """Yield the messages of a day of one bedroom's sensor.

    Args:
        address: The sensor's Zigbee address, `0x` and 16 digits.
        one: The day.
        number: Turns a decimal text into a JSON number that keeps its digits.

    """
    for room in one.day.rooms:
        yield {
            "topic": "zigbee2mqtt/Bedroom sensor",
            "payload": {
                "last_seen": one.us(room.minute) // 1000,
                "ieee_address": address,
                "temperature": number(_tenth(room.temperature)),
                "humidity": number(_tenth(room.humidity)),
                "illuminance": room.illuminance,
                "noise": room.noise,
                "occupancy": room.occupied,
                "battery": one.day.battery,
            },
        }
    if one.date.day == _FAULTY_DAY:
        # A retained message without a time, and a sensor that nobody registered.
        warm = number("20.5")
        yield {
            "topic": "zigbee2mqtt/Bedroom sensor",
            "payload": {"ieee_address": address, "temperature": warm},
            "retain": True,
        }
        yield {
            "topic": "zigbee2mqtt/Sensor of nobody",
            "payload": {"last_seen": one.us(720) // 1000, "temperature": warm},
        }
