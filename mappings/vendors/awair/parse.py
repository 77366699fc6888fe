"""Awair's answers to readings.

https://docs.developer.getawair.com/
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import Instant, Unreadable, instant_of, number, zone_of
from mappings.records import UNNAMED
from mappings.vendors.awair.tables import OUT_OF_SCOPE, SENSORS, TEMPERATURE

DEVICE = "https://fhir-interop-service.org/fhir/sid/awair-device"
"""Our system of device ids: the type and the number of a device, `awair-omni_105`."""

MAX_VERSION_LENGTH = 40

_CLOUD = re.compile(
    r"(?:[A-Z]+ )?/v1/users/self/devices/"
    r"(?P<type>[a-z0-9-]{1,40})/(?P<id>[0-9]{1,20})/air-data/(?P<span>[a-z0-9-]+)"
    r"(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_UUID = re.compile(r"[a-z0-9-]{1,40}_[0-9]{1,20}")

_SPOT = frozenset({"latest", "raw"})
_AVERAGES = frozenset({"5-min-avg", "15-min-avg"})
_OK = 200


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - times are told with their offset
) -> Iterator[Reading]:
    """Yield the readings of an answer, or of a list of answers.

    Args:
        payload: `{request, status, body}` or a list of them: what was asked, and the
            answer. What an answer tells of devices holds for those after it.
        received_at: When the answers arrived; each value has its own time.
        zone: The readings are told in UTC.

    """
    known = _Known()
    if isinstance(payload, list):
        for index, exchange in enumerate(payload):
            yield from _exchange(exchange, known, f"$[{index}]")
    else:
        yield from _exchange(payload, known, "$")


class _Known:
    """What answers have told so far: the device itself, and devices' zones."""

    def __init__(self) -> None:
        self.zones: dict[str, str] = {}
        self.own: DeviceClue | None = None


class _Air(NamedTuple):
    """What holds for all values of an answer.

    Attributes:
        exchange: The answer, with what was asked.
        device: Whose values they are; None where nothing tells.
        zone: IANA name of the device's zone, where it is known.
        temperature: UCUM code of temperatures; None where nothing tells.

    """

    exchange: Mapping[str, object]
    device: DeviceClue | None
    zone: str | None
    temperature: str | None


def _exchange(exchange: object, known: _Known, place: str) -> Iterator[Reading]:
    if not isinstance(exchange, Mapping) or not isinstance(
        exchange.get("request"), str
    ):
        detail = "An answer of Awair comes with its request and status."
        yield Refusal(place, Reason.MALFORMED, None, detail, exchange)
        return
    if exchange.get("status") != _OK:
        yield OutOfScope(place, "error answer")
        return
    body, request = exchange.get("body"), exchange["request"]
    if not isinstance(body, Mapping):
        detail = "The answer is not a JSON object."
        yield Refusal(f"{place}.body", Reason.MALFORMED, None, detail, exchange)
        return
    yield from _answer(request, body, exchange, known, place)


def _answer(
    request: str,
    body: Mapping[str, object],
    exchange: Mapping[str, object],
    known: _Known,
    place: str,
) -> Iterator[Reading]:
    path = request.partition("?")[0].rpartition(" ")[2]
    cloud = _CLOUD.fullmatch(request)
    place = f"{place}.body"
    if path == "/air-data/latest":
        yield from _local(body, _local_air(exchange, known), place)
    elif path == "/settings/config/data":
        _learn_own(body, known)
        yield OutOfScope(place, "device description")
    elif path == "/v1/users/self/devices":
        yield from _devices(body, known, place)
    elif path == "/v1/users/self":
        yield OutOfScope(place, "account")
    elif cloud is not None and cloud["span"] in _SPOT:
        yield from _cloud(body, _cloud_air(cloud, exchange, known), place)
    elif cloud is not None and cloud["span"] in _AVERAGES:
        yield OutOfScope(place, "mean of values")
    else:
        detail = "The request is not one that is understood."
        yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, exchange)


def _devices(
    body: Mapping[str, object], known: _Known, place: str
) -> Iterator[Reading]:
    listed = body.get("devices")
    for index, device in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(device, Mapping):
            uuid, zone = device.get("deviceUUID"), _zone(device)
            if isinstance(uuid, str) and zone is not None:
                known.zones[uuid] = zone
        yield OutOfScope(f"{place}.devices[{index}]", "device description")
    if not listed:
        yield OutOfScope(place, "answer without a device")


def _zone(holder: Mapping[str, object]) -> str | None:
    """Return the zone that is named; it may be empty."""
    name = holder.get("timezone")
    return name if isinstance(name, str) and name and zone_of(name) else None


def _learn_own(config: Mapping[str, object], known: _Known) -> None:
    """Remember which device answers for itself; its network is not read."""
    version = config.get("fw_version")
    is_version = isinstance(version, str) and len(version) <= MAX_VERSION_LENGTH
    firmware = str(version) if is_version else None
    known.own = _device(config.get("device_uuid"), firmware)
    zone = _zone(config)
    if known.own is not None and known.own.identifier and zone is not None:
        known.zones[known.own.identifier] = zone


@lru_cache(maxsize=1024)
def _clue(uuid: str, firmware: str | None) -> DeviceClue | None:
    if not _UUID.fullmatch(uuid):
        return None
    return DeviceClue(
        identifier=uuid,
        system=DEVICE,
        manufacturer="Awair",
        model=uuid.partition("_")[0],
        firmware=firmware,
    )


def _device(uuid: object, firmware: str | None = None) -> DeviceClue | None:
    return _clue(uuid, firmware) if isinstance(uuid, str) else None


def _local_air(exchange: Mapping[str, object], known: _Known) -> _Air:
    device = _device(exchange.get("device_uuid")) or known.own
    zone = _zone(exchange)
    if zone is None and device is not None:
        zone = known.zones.get(device.identifier or "")
    return _Air(exchange, device, zone, "Cel")


def _cloud_air(
    asked: re.Match[str], exchange: Mapping[str, object], known: _Known
) -> _Air:
    uuid = f"{asked['type']}_{asked['id']}"
    said = parse_qs(asked["query"] or "").get("fahrenheit", [""])[-1].lower()
    unit = {"false": "Cel", "true": "[degF]"}.get(said)
    zone = _zone(exchange) or known.zones.get(uuid)
    return _Air(exchange, _device(uuid), zone, unit)


def _local(body: Mapping[str, object], air: _Air, place: str) -> Iterator[Reading]:
    time = _time(body)
    values = [name for name in body if name != "timestamp"]
    for name in values:
        is_named = name in SENSORS or name in OUT_OF_SCOPE
        at = f"{place}.{name if is_named else UNNAMED}"
        one = _One(name, body[name], time, at)
        kept = {"timestamp": body.get("timestamp"), name: body[name]}
        yield _value(one, air, kept)
    if not values:
        yield OutOfScope(place, "answer without a value")


def _cloud(body: Mapping[str, object], air: _Air, place: str) -> Iterator[Reading]:
    data = body.get("data")
    for index, item in enumerate(data if isinstance(data, list) else ()):
        yield from _item(item, air, f"{place}.data[{index}]")
    if not data or not isinstance(data, list):
        yield OutOfScope(place, "answer without a value")


def _item(item: object, air: _Air, place: str) -> Iterator[Reading]:
    sensors = item.get("sensors") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(sensors, list):
        detail = "A reading is an object with a list of sensors."
        kept = {**air.exchange, "body": {"data": [item]}}
        yield Refusal(place, Reason.MALFORMED, None, detail, kept)
        return
    time = _time(item)
    for index, sensor in enumerate(sensors):
        at = f"{place}.sensors[{index}]"
        told = {"timestamp": item.get("timestamp"), "sensors": [sensor]}
        kept = {"data": [told]}
        if not isinstance(sensor, Mapping) or not isinstance(sensor.get("comp"), str):
            detail = "A sensor is an object with comp and value."
            refused = {**air.exchange, "body": kept}
            yield Refusal(at, Reason.MALFORMED, None, detail, refused)
            continue
        one = _One(sensor["comp"], sensor.get("value"), time, at)
        yield _value(one, air, kept)
    for name in ("score", "indices"):
        if name in item:
            grades = item[name]
            count = len(grades) if isinstance(grades, list) else 1
            yield OutOfScope(f"{place}.{name}", OUT_OF_SCOPE[name], max(count, 1))


class _One(NamedTuple):
    """One value."""

    name: str
    value: object
    time: Instant | Unreadable
    place: str


def _time(holder: Mapping[str, object]) -> Instant | Unreadable:
    try:
        return instant_of(holder.get("timestamp"))
    except Unreadable as error:
        return error


def _value(one: _One, air: _Air, kept: Mapping[str, object]) -> Reading:
    what = OUT_OF_SCOPE.get(one.name)
    if what is not None:
        return OutOfScope(one.place, what)
    if one.value is None:
        return OutOfScope(one.place, "property without a value")
    try:
        return _measurement(one, air)
    except Unreadable as error:
        return error.refusal(one.place, _again(air, kept))


def _measurement(one: _One, air: _Air) -> Measurement:
    """Return the reading of a value.

    Raises:
        Unreadable: `unknown-kind`, `no-unit`, `invalid-value`, or what is wrong with
            the time.

    """
    name, value, time, place = one
    sensor = SENSORS.get(name)
    if sensor is None:
        detail = "The sensor is not one that is understood."
        raise Unreadable(Reason.UNKNOWN_KIND, detail)
    kind, unit, method = sensor
    if name == TEMPERATURE:
        unit = air.temperature or ""
        if not unit:
            detail = "The request does not tell the unit of temperatures."
            raise Unreadable(Reason.NO_UNIT, detail, kind)
    if isinstance(time, Unreadable):
        raise time.of(kind)
    try:
        told = number(value)
    except Unreadable as error:
        raise error.of(kind) from None
    return Measurement(
        kind,
        told,
        unit,
        time.text,
        time.us,
        None,
        time.us,
        place,
        None,
        air.device,
        (),
        method,
        zone=air.zone,
    )


def _again(air: _Air, body: Mapping[str, object]) -> dict[str, object]:
    """Return an exchange with one value, so that it can be tried again."""
    again: dict[str, object] = {
        "request": air.exchange["request"],
        "status": _OK,
        "body": body,
    }
    if air.device is not None:
        again["device_uuid"] = air.device.identifier
    if air.zone is not None:
        again["timezone"] = air.zone
    return again
