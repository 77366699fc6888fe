"""A device that stands in a room: its values, and what it tells of itself.

https://dev.netatmo.com/apidocumentation/weather
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
)
from mappings.payload import Instant, Unreadable, number
from mappings.records import UNNAMED
from mappings.times import epoch_s, in_zone
from mappings.vendors.netatmo.tables import (
    CARBON_DIOXIDE,
    HEALTH,
    INDOOR,
    NOT_COUNTED,
    QUANTITIES,
    RADIO,
    RADIO_METHOD,
    VALUES_OUT_OF_SCOPE,
)

DEVICE = "https://fhir-interop-service.org/fhir/sid/netatmo-device"
"""Our system of the ids that Netatmo gives to devices."""

MAX_ID_LENGTH = 64


class Source(NamedTuple):
    """What holds for all that one answer lists.

    Attributes:
        answered: When the answer was given, or None.
        zone: Of the station.
        is_home: It is the status of a home, which names things in its own way.

    """

    answered: object
    zone: ZoneInfo | None = None
    is_home: bool = False


def again(device: object, source: Source) -> dict[str, object]:
    """Return an answer with one device, so that it can be tried again."""
    if source.is_home:
        body: dict[str, object] = {"home": {"modules": [device]}}
    else:
        body = {"devices": [_bare(device, source)]}
    return {"status": "ok", "time_server": source.answered, "body": body}


def _bare(device: object, source: Source) -> object:
    """Return a device without its modules, its name and its position."""
    if not isinstance(device, Mapping):
        return device
    bare = {name: device[name] for name in device if name not in _NOT_KEPT}
    return bare | {"place": {"timezone": source.zone.key if source.zone else None}}


_NOT_KEPT = frozenset({"modules", "place", "station_name", "module_name", "cipher_id"})


class Indoor:
    """A device that stands in a room.

    Args:
        device: As the answer lists it; its type is one of `INDOOR`.
        source: What holds for the whole answer.
        place: Where it stands in the answer.

    """

    def __init__(
        self, device: Mapping[str, object], source: Source, place: str
    ) -> None:
        self._device = device
        self._source = source
        self._place = place
        self._clue = _clue(device)
        values = device if source.is_home else device.get("dashboard_data")
        self._values = values if isinstance(values, Mapping) else {}
        self._time = "ts" if source.is_home else "time_utc"
        self._inner = place if source.is_home else f"{place}.dashboard_data"

    def readings(self) -> Iterator[Reading]:
        """Yield the readings: at least one."""
        reachable = self._device.get("reachable")
        if isinstance(reachable, bool):
            place = f"{self._place}.reachable"
            word = "true" if reachable else "false"
            yield self._said("device-available", word, self._source.answered, place)
        if reachable is False:
            yield OutOfScope(self._place, "old value of a device that does not answer")
            return
        found = False
        for one in self._all():
            found = True
            yield one
        if not found:
            yield OutOfScope(self._place, "device without a value")

    def _all(self) -> Iterator[Reading]:
        members = self._values if not self._source.is_home else self._known()
        for name in members:
            if name not in NOT_COUNTED:
                is_named = name in QUANTITIES or name in VALUES_OUT_OF_SCOPE
                place = f"{self._inner}.{name if is_named else UNNAMED}"
                yield self._value(name, place)
        for name in self._device:
            if name in HEALTH or name in RADIO:
                yield self._health(name, f"{self._place}.{name}")

    def _known(self) -> Iterator[str]:
        """Yield the values among a module's members, as a home's status mixes them."""
        for name in self._device:
            if name in QUANTITIES or name in VALUES_OUT_OF_SCOPE:
                yield name

    def _value(self, name: str, place: str) -> Reading:
        what = VALUES_OUT_OF_SCOPE.get(name)
        if what is not None:
            return OutOfScope(place, what)
        value = self._values[name]
        try:
            kind, unit = _kind_of(name)
            taken = self._values.get(self._time)
            state = self._calibration(kind)
            if state == "not-calibrated":
                return self._read(
                    kind,
                    None,
                    "",
                    taken,
                    place,
                    absent="temp-unknown",
                    calibration=state,
                )
            if value is None:
                return OutOfScope(place, "property without a value")
            number = _number(value, kind)
            return self._read(kind, number, unit, taken, place, calibration=state)
        except Unreadable as error:
            return error.refusal(place, self._kept(name))

    def _calibration(self, kind: str) -> str | None:
        """Return the state of the CO2 sensor, where the station tells it."""
        told = self._device.get("co2_calibrating")
        if kind != CARBON_DIOXIDE or not isinstance(told, bool):
            return None
        return "not-calibrated" if told else "calibrated"

    def _kept(self, name: str) -> dict[str, object]:
        """Return an answer with one value of the device."""
        times = {
            at: self._values[at] for at in ("time_utc", "ts") if at in self._values
        }
        one = {name: self._values[name], **times}
        device = {
            key: self._device[key]
            for key in ("_id", "id", "type", "co2_calibrating", "firmware")
            if key in self._device
        }
        if self._source.is_home:
            return again(device | one, self._source)
        return again(device | {"dashboard_data": one}, self._source)

    def _health(self, name: str, place: str) -> Reading:
        value = self._device[name]
        told = [self._device.get(at) for at in _HEARD]
        heard = next((one for one in told if one is not None), self._source.answered)
        if value is None:
            return OutOfScope(place, "property without a value")
        try:
            kind, told_value, unit = _health_of(name, value)
            method = RADIO_METHOD if name in RADIO else None
            return self._read(kind, told_value, unit, heard, place, method)
        except Unreadable as error:
            kept = ("_id", "id", "type", name, *_HEARD)
            device = {key: self._device[key] for key in kept if key in self._device}
            return error.refusal(place, again(device, self._source))

    def _said(self, kind: str, word: str, taken: object, place: str) -> Reading:
        try:
            return self._read(kind, word, "", taken, place)
        except Unreadable:
            return OutOfScope(place, "availability without a time")

    def _read(  # noqa: PLR0913, PLR0917 - what a Measurement is made of
        self,
        kind: str,
        value: Decimal | int | str | None,
        unit: str,
        taken: object,
        place: str,
        method: str | None = None,
        absent: str | None = None,
        calibration: str | None = None,
    ) -> Measurement:
        """Return a reading of the device.

        Raises:
            Unreadable: `no-time`, `malformed`.

        """
        zone = self._source.zone
        if type(taken) is not int:
            raise _NO_TIME[taken is None].of(kind)
        try:
            moment = _moment(taken, zone)
        except Unreadable as error:
            raise error.of(kind) from None
        return Measurement(
            kind,
            value,
            unit,
            moment.text,
            moment.us,
            None,
            moment.us,
            place,
            None,
            self._clue,
            (),
            method,
            absent,
            zone=None if zone is None else zone.key,
            calibration=calibration,
        )


_NO_TIME = (
    Unreadable(Reason.MALFORMED, "The time is not a number of seconds since 1970."),
    Unreadable(Reason.NO_TIME, "There is no time."),
)


@lru_cache(maxsize=4096)
def _moment(taken: int, zone: ZoneInfo | None) -> Instant:
    """Return the moment as the station's clock shows it; all values share it."""
    moment = epoch_s(taken)
    return moment if zone is None else in_zone(moment.us, zone)


_HEARD = ("last_seen", "last_status_store", "ts")
"""When a device was last heard, the surest first."""

_WATT = 30
"""Decibels by which a watt is above a milliwatt."""


def _kind_of(name: str) -> tuple[str, str]:
    found = QUANTITIES.get(name)
    if found is None:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The value is not one that is understood."
        )
    return found


def _health_of(name: str, value: object) -> tuple[str, Decimal | int, str]:
    """Return kind, value and unit of what a device tells of itself."""
    if name in RADIO:
        below = _number(value, "signal-strength")
        return "signal-strength", -below - _WATT, "dB[W]"
    kind, unit = HEALTH[name]
    return kind, _number(value, kind), unit


def _number(value: object, kind: str) -> Decimal | int:
    try:
        return number(value)
    except Unreadable as error:
        raise error.of(kind) from None


def _clue(device: Mapping[str, object]) -> DeviceClue | None:
    """Return which unit it is; names are the owner's and are not read."""
    id_ = device.get("_id", device.get("id"))
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_LENGTH:
        return None
    firmware = device.get("firmware", device.get("firmware_revision"))
    known = str(firmware) if type(firmware) is int else None
    return _unit(id_, str(device["type"]), known)


@lru_cache(maxsize=1024)
def _unit(id_: str, type_: str, firmware: str | None) -> DeviceClue:
    return DeviceClue(
        identifier=id_.lower(),
        system=DEVICE,
        manufacturer="Netatmo",
        model=type_,
        name=INDOOR[type_],
        firmware=firmware,
    )
