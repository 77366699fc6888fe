"""What the stored readings of one transaction tell of their Devices.

Collected reading by reading, as cheaply as can be, and added to what is known by one
statement at the end: readings come in any order, and several transactions at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from fhir_service.ingest.candidates import Candidate
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.device_health import AMISS
from fhir_service.storage.device_states import Aspect, DeviceState
from mappings.device_metric import CALIBRATIONS, METRICS
from mappings.measurement import DeviceClue
from mappings.normalise import MAX_SKEW_US, Normalised

_NEVER = -(1 << 62)


class _Telling(NamedTuple):
    """How a kind of measurement tells an aspect of its device."""

    aspect: str
    value: Callable[[str], int]


_TOLD: Mapping[str, _Telling] = MappingProxyType(
    {
        "battery-level": _Telling("battery", lambda text: int(Decimal(text))),
        "battery-low": _Telling("low", lambda text: int(text == "true")),
        "device-worn": _Telling("worn", lambda text: int(text == "true")),
        "device-clock-offset": _Telling(
            "clock", lambda text: int(Decimal(text) * 1_000_000)
        ),
    }
)

_VERSION = "firmware-version"
"""The kind whose value is a version of the device."""


class Note:
    """What the readings of one Device tell.

    Attributes:
        key: Whose Device it is.
        times: Ends of the readings, microseconds since 1970.
        marks: Aspect → (time, value) of what was said of it.
        versions_at: End of the reading that told the newest versions.
        clue: What that reading told.
        calibrations: Kind → (time, state) of what was said of its sensor last.

    """

    __slots__ = ("calibrations", "clue", "key", "marks", "times", "versions_at")

    def __init__(self, key: int) -> None:
        self.key = key
        self.times: list[int] = []
        self.marks: dict[str, list[tuple[int, int]]] = {}
        self.versions_at = _NEVER
        self.clue: DeviceClue | None = None
        self.calibrations: dict[str, tuple[int, str]] = {}

    def calibrate(self, kind: str, at_us: int, state: str) -> None:
        """Take the state of a sensor's calibration, unless a newer one is known."""
        if kind not in METRICS or state not in CALIBRATIONS:
            return
        if at_us >= self.calibrations.get(kind, (at_us, ""))[0]:
            self.calibrations[kind] = (at_us, state)

    def describe(self, at_us: int, clue: DeviceClue) -> None:
        """Take the versions that a reading tells, unless a newer one told some."""
        if at_us >= self.versions_at and (
            clue.firmware or clue.software or clue.hardware
        ):
            self.versions_at, self.clue = at_us, clue

    def tell(self, normalised: Normalised, at_us: int) -> None:
        """Take what a reading of the device itself says."""
        name, value = normalised.kind.name, normalised.value
        if value is None:
            return
        if name == _VERSION:
            clue = normalised.measurement.device or DeviceClue()
            self.describe(at_us, clue._replace(firmware=value))
        elif (telling := _TOLD.get(name)) is not None:
            mark = (at_us, telling.value(value))
            self.marks.setdefault(telling.aspect, []).append(mark)


class DeviceNotes:
    """The notes of one transaction, by the Device's reference."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.of: dict[str, Note] = {}

    def stored(self, key: int, candidates: Iterable[Candidate]) -> None:
        """Note a patient's readings that are stored."""
        of = self.of
        for normalised, _, device, *_ in candidates:
            if device is None:
                continue
            note = of.get(device)
            if note is None:
                note = of[device] = Note(key)
            measurement = normalised.measurement
            at_us = measurement.end_us
            note.times.append(at_us)
            clue = measurement.device
            if clue is not None and at_us >= note.versions_at:
                if clue is note.clue:
                    note.versions_at = at_us
                else:
                    note.describe(at_us, clue)
            if normalised.kind.data_class == "device-status":
                note.tell(normalised, at_us)
            if measurement.calibration is not None:
                note.calibrate(normalised.kind.name, at_us, measurement.calibration)

    def ahead(self, key: int, device: str, at_us: int) -> None:
        """Note a reading that was refused, since it is of a time to come."""
        received = self._delivery.received_us
        note = self.of.setdefault(device, Note(key))
        note.marks.setdefault("clock", []).append((received, at_us - received))

    def states(self, row_of: Callable[[str], int | None]) -> Iterator[DeviceState]:
        """Yield what is to be added to what is known, in its order."""
        for reference, note in self.of.items():
            row = row_of(reference)
            if row is not None:
                yield from self._states(note, row)

    def _states(self, note: Note, row: int) -> Iterator[DeviceState]:
        source, received = self._delivery.source, self._delivery.received_us
        newest = max(note.times, default=None)
        marks = note.marks
        if "clock" not in marks and newest and abs(received - newest) <= MAX_SKEW_US:
            marks = {**marks, "clock": [(received, 0)]}
        whole = DeviceState(
            patient_key=note.key,
            row=row,
            source=source,
            last_taken=newest,
            last_received=received,
            usual_gap=_gap(note.times),
            versions_at=None if note.clue is None else note.versions_at,
        )
        bare = replace(
            whole, last_taken=None, last_received=0, usual_gap=None, versions_at=None
        )
        last: dict[str, Any] = {}
        for name, told in marks.items():
            *earlier, last[name] = _folded(name, told)
            before: list[dict[str, Any]] = [{name: aspect} for aspect in earlier]
            yield from (replace(bare, **one) for one in before)
        yield replace(whole, **last)


def _gap(times: Sequence[int]) -> int | None:
    """Return the mean distance of the readings: all that a first delivery tells."""
    if len(times) < 2:  # noqa: PLR2004 - one has no distance
        return None
    return (max(times) - min(times)) // (len(times) - 1) or None


def _folded(name: str, marks: list[tuple[int, int]]) -> list[Aspect]:
    """Return the last thing said of an aspect, after the last that was not amiss.

    Without the latter it would count as one stretch with what was amiss before.
    """
    ordered = sorted(marks, key=lambda mark: mark[0])
    amiss = AMISS[name]
    good: Aspect | None = None
    since: int | None = None
    at_us, value = ordered[-1]
    for at_us, value in ordered:
        if not amiss(value):
            good, since = Aspect(value, at_us, None), None
        elif since is None:
            since = at_us
    last = Aspect(value, at_us, since)
    return [good, last] if good is not None and since is not None else [last]
