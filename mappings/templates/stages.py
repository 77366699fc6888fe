"""The stages of a night, from a list that a template finds.

Each element tells its stage and its time, or the elements lie at a constant distance;
a text is a list of its characters. One that tells a moment holds until the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from conformance.fhir_json import MAX_ITEMS
from mappings.hypnogram import Segment, night
from mappings.kinds import Kind, kinds
from mappings.measurement import Measurement, Reason
from mappings.payload import Unreadable
from mappings.templates.expression import Expression, Step
from mappings.templates.faults import below
from mappings.templates.making import Make
from mappings.templates.moment import check_moments, when
from mappings.templates.number import coded
from mappings.templates.scope import Compiling, Message
from mappings.templates.signal import period_us

STAGE = "sleep-stage"

Night = tuple[Any, Message, Measurement]
"""The item of a session, its message, and what is known of it."""

_Segments = Callable[[Sequence[Any], Night], Iterator[Segment]]


def with_stages(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, make: Make, pointer: str
) -> Make:
    """Return what makes a session with its stages and, where asked for, their totals.

    Args:
        compiling: Where faults go.
        spec: `stages` of the measurement.
        kind: Its kind.
        make: Makes the session without them.
        pointer: To `stages`.

    """
    if STAGE not in kind.components:
        compiling.faults.add(pointer, f"{kind.name} has no stages.")
    each = compiling.expression(spec["each"], f"{pointer}/each")
    segments = _segments(compiling, spec, each, pointer)
    has_totals = spec.get("totals", False)

    def whole(item: Any, message: Message, position: str) -> Measurement | None:
        session = make(item, message, position)
        if session is None:
            return None
        found = _list(each.find(item))
        if not found:
            return session if session.components else None
        known = night(
            session.start_us,
            session.end_us,
            segments(found, (item, message, session)),
        )
        told = {part.kind for part in session.components}
        totals = known.totals() if has_totals else ()
        parts = [one for one in totals if one.kind not in told]
        if known.disputes(session.components):
            session = session._replace(flags=(*session.flags, "totals-disputed"))
        return session._replace(
            components=(*session.components, *parts, *known.stages())
        )

    return whole


def _list(found: Any) -> Sequence[Any]:
    if found is None:
        return ()
    if not isinstance(found, list | str):
        raise Unreadable(Reason.MALFORMED, "The stages are no list.")
    if len(found) >= MAX_ITEMS:
        detail = f"The stages are more than a list may hold: {MAX_ITEMS:,}."
        raise Unreadable(Reason.MALFORMED, detail)
    return found


def _segments(
    compiling: Compiling, spec: Mapping[str, Any], each: Expression, pointer: str
) -> _Segments:
    """Return what finds the segments; what it reads of an element is noted."""
    of_stage = Compiling(faults=compiling.faults, has_topic=compiling.has_topic)
    stage = of_stage.get(spec.get("value", "@"), f"{pointer}/value")
    _check_codes(compiling, spec["values"], f"{pointer}/values")
    code = coded(spec["values"])

    def read(element: Any, message: Message) -> str:
        return code(stage(element, message))

    if "epoch" in spec:
        found = _at_epochs(compiling, spec, read, pointer)
    else:
        found = _at_times(of_stage, spec["time"], read, f"{pointer}/time")
    compiling.message += of_stage.message
    compiling.item += _paths(each, of_stage.item)
    return found


def _paths(
    each: Expression, reads: Sequence[tuple[Step, ...]]
) -> list[tuple[Step, ...]]:
    if each.path is None:
        return list(each.reads)
    return [(*each.path, *read) for read in reads] or [each.path]


def _check_codes(compiling: Compiling, values: Mapping[str, str], pointer: str) -> None:
    known = kinds()[STAGE].values
    for word, code in values.items():
        if code not in known:
            compiling.faults.add(
                below(pointer, word),
                f"`{code}` is no stage; these are: {', '.join(known)}.",
            )


def _at_epochs(
    compiling: Compiling,
    spec: Mapping[str, Any],
    read: Callable[[Any, Message], str],
    pointer: str,
) -> _Segments:
    epoch = period_us(compiling, spec, "epoch", pointer)

    def segments(found: Sequence[Any], of: Night) -> Iterator[Segment]:
        item, message, session = of
        length_us, at_us = epoch(item, message), session.start_us
        start_us, count = at_us, 0
        for code, run in groupby(read(element, message) for element in found):
            count += sum(1 for _ in run)
            end_us = at_us + int(length_us * count)
            yield Segment(start_us, end_us, code)
            start_us = end_us

    return segments


def _at_times(
    of_stage: Compiling,
    spec: Mapping[str, Any],
    read: Callable[[Any, Message], str],
    pointer: str,
) -> _Segments:
    check_moments(of_stage, spec, pointer)
    span = when(of_stage, spec, pointer)

    def segments(found: Sequence[Any], of: Night) -> Iterator[Segment]:
        _, message, session = of
        spans = [span(element, message) for element in found]
        starts = sorted({one.start.us for one in spans} | {session.end_us})
        following = dict(pairwise(starts))
        for element, (start, end, _, _) in zip(found, spans, strict=True):
            until = following.get(start.us, start.us) if end is None else end.us
            yield Segment(start.us, until, read(element, message))

    return segments
