"""Netatmo's answers to readings.

https://dev.netatmo.com/apidocumentation/weather
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import zone_of
from mappings.vendors.netatmo.indoor import Indoor, Source, again
from mappings.vendors.netatmo.tables import DEVICES_OUT_OF_SCOPE, INDOOR


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - an answer names its own, or none
) -> Iterator[Reading]:
    """Yield the readings of an answer, or of a list of answers.

    Args:
        payload: The body of `getstationsdata`, `gethomecoachsdata` or `homestatus`.
        received_at: When the answer arrived; each device tells its own time.
        zone: Times are seconds since 1970.

    """
    if isinstance(payload, list):
        for index, answer in enumerate(payload):
            yield from _answer(answer, f"$[{index}]")
    else:
        yield from _answer(payload, "$")


def _answer(answer: object, place: str) -> Iterator[Reading]:
    if not isinstance(answer, Mapping):
        detail = "An answer of Netatmo is a JSON object."
        yield Refusal(place, Reason.MALFORMED, None, detail, answer)
        return
    if "error" in answer:
        yield OutOfScope(f"{place}.error", "error answer")
    body = answer.get("body")
    found = False
    if isinstance(body, Mapping):
        for one in _body(body, answer, f"{place}.body"):
            found = True
            yield one
    elif body is not None:
        detail = "The answer is not one that is understood."
        yield Refusal(f"{place}.body", Reason.UNKNOWN_KIND, None, detail, answer)
        return
    if not found and "error" not in answer:
        yield _nothing(answer, place)


def _nothing(answer: Mapping[str, object], place: str) -> Reading:
    """Return what an answer is that lists nothing: an empty one, or none at all."""
    if "status" in answer or "body" in answer:
        return OutOfScope(place, "answer without a device")
    detail = "An answer of Netatmo has a body."
    return Refusal(place, Reason.MALFORMED, None, detail, answer)


def _body(
    body: Mapping[str, object], answer: Mapping[str, object], place: str
) -> Iterator[Reading]:
    source = Source(answer.get("time_server"))
    for device, at in _listed(body, "devices", place):
        yield from _station(device, source, at)
    home = body.get("home")
    if isinstance(home, Mapping):
        yield from _home(home, source, f"{place}.home")
    for _, at in _listed(body, "homes", place):
        yield OutOfScope(at, "home without its status")
    for _, at in _listed(body, "errors", place):
        yield OutOfScope(at, "error of a device")


def _listed(
    holder: Mapping[str, object], name: str, place: str
) -> Iterator[tuple[object, str]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        yield one, f"{place}.{name}[{index}]"


def _station(station: object, source: Source, place: str) -> Iterator[Reading]:
    """Yield the readings of a station and of its modules, which are in its zone."""
    source = source._replace(zone=_zone(station))
    yield from _device(station, source, place)
    if isinstance(station, Mapping):
        for module, at in _listed(station, "modules", place):
            yield from _device(module, source, at)


def _zone(station: object) -> ZoneInfo | None:
    where = station.get("place") if isinstance(station, Mapping) else None
    name = where.get("timezone") if isinstance(where, Mapping) else None
    return zone_of(name) if isinstance(name, str) and name else None


def _home(home: Mapping[str, object], source: Source, place: str) -> Iterator[Reading]:
    for module, at in _listed(home, "modules", place):
        yield from _device(module, source._replace(is_home=True), at)
    for _, at in _listed(home, "rooms", place):
        yield OutOfScope(at, "heating, cover or lock")
    for _, at in _listed(home, "persons", place):
        yield OutOfScope(at, "person")


def _device(device: object, source: Source, place: str) -> Iterator[Reading]:
    """Yield the readings of a device: at least one."""
    if not isinstance(device, Mapping):
        detail = "A device is a JSON object."
        yield Refusal(place, Reason.MALFORMED, None, detail, again(device, source))
        return
    type_ = device.get("type")
    what = DEVICES_OUT_OF_SCOPE.get(type_) if isinstance(type_, str) else None
    if what is not None:
        yield OutOfScope(place, what)
    elif not isinstance(type_, str) or type_ not in INDOOR:
        detail = "The type of device is not one that is understood."
        kept = again(device, source)
        yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, kept)
    else:
        yield from Indoor(device, source, place).readings()
