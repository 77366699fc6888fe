"""Oura's nights: one session with totals and hypnogram, and what was measured in it.

https://cloud.ouraring.com/v2/docs#tag/Sleep-Routes
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any

from mappings.measurement import Component, OutOfScope, Reading, Reason
from mappings.payload import Unreadable
from mappings.records import NO_VALUE, Record, moment
from mappings.times import Span, reading
from mappings.vendors.oura.series import signal

STAGES = MappingProxyType({"1": "deep", "2": "light", "3": "rem", "4": "awake"})
"""Figures of a hypnogram."""

_HYPNOGRAMS = (("sleep_phase_30_sec", 30_000), ("sleep_phase_5_min", 300_000))
"""Hypnograms, the finer first, and the milliseconds of a figure."""

_TOTALS = MappingProxyType(
    {
        "deep": "deep_sleep_duration",
        "light": "light_sleep_duration",
        "rem": "rem_sleep_duration",
        "awake": "awake_time",
    }
)

_ROUNDING_S = 60
"""Seconds by which a sum of rounded totals may differ from the total."""


def night(record: Record, said: Mapping[str, Any]) -> Iterator[Reading]:
    """Yield the session of a night and the measurements that were taken in it."""
    members = record.members
    try:
        span = Span(
            moment(members.get("bedtime_start")),
            moment(members.get("bedtime_end")),
        )
        parts = record.components()
        name, runs, epoch_ms = _runs(members)
    except Unreadable as error:
        yield record.refusal(error.of("sleep-session"))
        return
    if parts or runs:
        yield reading(
            "sleep-session",
            None,
            "",
            span,
            record.position,
            components=(*parts, *_nap(members), *_stages(runs, epoch_ms)),
            method=_method(members),
            flags=_flags(members, runs, epoch_ms),
            records=len(parts) + bool(runs),
            **said,
        )
    yield from record.measured(span, **said)
    yield from _beside(record, span, name, said)


def _beside(
    record: Record, span: Span, hypnogram: str, said: Mapping[str, Any]
) -> Iterator[Reading]:
    """Yield the signals of a night, the ring's alert, and the coarser hypnogram."""
    members = record.members
    for name in ("heart_rate", "hrv"):
        if name in members:
            yield signal(record, name, said)
    for name, _ in _HYPNOGRAMS:
        if name in members and name != hypnogram:
            what = NO_VALUE if members[name] is None else "coarser hypnogram"
            yield OutOfScope(f"{record.position}.{name}", what)
    if "low_battery_alert" in members:
        yield alert(record, "low_battery_alert", "battery-low", span, said)


def alert(
    record: Record, name: str, kind: str, span: Span, said: Mapping[str, Any]
) -> Reading:
    """Return what a truth value says of the ring, at the end of `span`."""
    value, place = record.members[name], f"{record.position}.{name}"
    if value is None:
        return OutOfScope(place, NO_VALUE)
    if not isinstance(value, bool):
        error = Unreadable(Reason.INVALID_VALUE, f"{name} is no truth value.", kind)
        return error.refusal(place, record.kept(name))
    at = Span(span.end or span.start)
    return reading(kind, "true" if value else "false", "", at, place, **said)


def _runs(members: Mapping[str, Any]) -> tuple[str, list[tuple[str, int]], int]:
    """Return the hypnogram's name, its stages with their lengths, and its epoch.

    Raises:
        Unreadable: `invalid-value` for a figure that is no stage.

    """
    for name, epoch_ms in _HYPNOGRAMS:
        text = members.get(name)
        if not text:
            continue
        if not isinstance(text, str) or not set(text) <= STAGES.keys():
            raise Unreadable(Reason.INVALID_VALUE, f"{name} has a figure of no stage.")
        runs = [(figure, len(list(run))) for figure, run in groupby(text)]
        return name, runs, epoch_ms
    return "", [], 0


def _stages(runs: list[tuple[str, int]], epoch_ms: int) -> Iterator[Component]:
    epochs = 0
    for figure, length in runs:
        yield Component("sleep-stage", STAGES[figure], offset_ms=epochs * epoch_ms)
        epochs += length


def _nap(members: Mapping[str, Any]) -> Iterator[Component]:
    if members.get("type") == "late_nap":
        yield Component("nap", "true")


def _method(members: Mapping[str, Any]) -> str:
    version = members.get("sleep_algorithm_version")
    known = isinstance(version, str) and 0 < len(version) <= len("v100")
    return f"Oura sleep staging {version}" if known else "Oura sleep staging"


def _flags(
    members: Mapping[str, Any], runs: list[tuple[str, int]], epoch_ms: int
) -> tuple[str, ...]:
    """Say where totals disagree with their sum or with the hypnogram.

    Each run of a stage may be off by an epoch; totals by their rounding.
    """
    totals = {stage: members.get(name) for stage, name in _TOTALS.items()}
    asleep = members.get("total_sleep_duration")
    parts = [totals[stage] for stage in ("deep", "light", "rem")]
    known = [one for one in (asleep, *parts) if one is not None]
    is_disputed = len(known) > len(parts) and abs(2 * known[0] - sum(known)) > (
        _ROUNDING_S
    )
    for figure, stage in STAGES.items():
        total = totals[stage]
        lengths = [length for one, length in runs if one == figure]
        slack_ms = (len(lengths) + 1) * epoch_ms
        if runs and total is not None:
            is_disputed |= abs(sum(lengths) * epoch_ms - total * 1000) > slack_ms
    return ("totals-disputed",) if is_disputed else ()
