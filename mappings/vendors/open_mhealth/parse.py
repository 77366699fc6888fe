"""Open mHealth and IEEE 1752.1 data points to readings.

https://www.openmhealth.org/documentation/#/schema-docs/schema-library
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from mappings.measurement import Measurement, OutOfScope, Reading, Reason, Refusal
from mappings.payload import (
    DAY_US,
    Unreadable,
)
from mappings.vendors.open_mhealth import granola
from mappings.vendors.open_mhealth.episodes import EPISODES, episode_of
from mappings.vendors.open_mhealth.header import Header, header_of, numbered
from mappings.vendors.open_mhealth.measures import (
    AT_REST,
    BY_MEMBER,
    BY_SCHEMA,
    GLUCOSE_KINDS,
    OUT_OF_SCOPE,
    OUT_OF_SCOPE_MEMBERS,
    STATISTICS,
    Measure,
)
from mappings.vendors.open_mhealth.quantity import unit_value
from mappings.vendors.open_mhealth.time_frame import time_frame

Json = dict[str, object]


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - likewise
) -> Iterator[Reading]:
    """Yield the readings of a data point, of a list of them, or of bare bodies.

    Args:
        payload: What `conformance.fhir_json.loads` gave.
        received_at: When the payload arrived; a data point has its own time.
        zone: A data point names its own offset.

    """
    if isinstance(payload, list):
        for index, point in enumerate(payload):
            yield from _point(point, f"$[{index}]")
    else:
        yield from _point(payload, "$")


def _point(point: object, position: str) -> Iterable[Reading]:
    if not isinstance(point, dict):
        detail = "A data point is a JSON object."
        return (Refusal(position, Reason.MALFORMED, None, detail, point),)
    if "body" not in point:
        return _body(point, NO_HEADER, position, point)
    body, header = point["body"], header_of(point.get("header"))
    if isinstance(body, list):
        return _series(point, body, header, position)
    return _body(body, header, f"{position}.body", point)


NO_HEADER = header_of(None)


def _series(
    point: Json, bodies: list[object], header: Header, position: str
) -> Iterator[Reading]:
    """Yield the readings of many bodies under one header (IEEE 1752.1)."""
    for index, body in enumerate(bodies):
        part = header.part(index)
        kept = {"header": numbered(point.get("header"), part), "body": body}
        yield from _body(body, part, f"{position}.body[{index}]", kept)


def _body(body: object, header: Header, position: str, kept: Json) -> Iterable[Reading]:
    if not isinstance(body, dict):
        detail = "The body is not a JSON object."
        return (Refusal(position, Reason.MALFORMED, None, detail, kept),)
    measure = BY_SCHEMA.get(header.schema)
    try:
        if measure is not None:
            return (_measurement(measure, body, header, position),)
        if granola.is_sample(body):
            return granola.readings(body, header, position, kept)
        return (_other(body, header, position),)
    except Unreadable as error:
        return (error.refusal(position, kept),)


def _other(body: Json, header: Header, position: str) -> Reading:
    """Return the reading of a body whose header names no single measure."""
    measure = None if header.schema else _measure_of(body)
    if measure is not None:
        return _measurement(measure, body, header, position)
    episode = episode_of(header.schema, body)
    if episode is not None:
        return header.complete(EPISODES[episode](body), position)
    return _out_of_scope(header.schema, body, position)


def _measure_of(body: Json) -> Measure | None:
    """Return the only measure that the body has a member of."""
    found = [BY_MEMBER[member] for member in body if member in BY_MEMBER]
    return found[0] if len(found) == 1 and episode_of("", body) is None else None


def _out_of_scope(schema: str, body: Json, position: str) -> OutOfScope:
    """Return what is recognised and never stored.

    Raises:
        Unreadable: `unknown-kind` for anything else.

    """
    what = OUT_OF_SCOPE.get(schema)
    if what is None and not schema:
        what = next(
            (
                OUT_OF_SCOPE_MEMBERS[name]
                for name in body
                if name in OUT_OF_SCOPE_MEMBERS
            ),
            None,
        )
    if what is None:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The schema is not one that is understood."
        )
    return OutOfScope(position, what)


def _measurement(
    measure: Measure,
    body: Json,
    header: Header,
    position: str,
) -> Measurement:
    kind = measure.kind
    value, unit, word = unit_value(body, measure.member, measure.units, kind)
    try:
        start, end = time_frame(body.get("effective_time_frame"))
    except Unreadable as error:
        raise error.of(kind) from None
    if end is None:
        if measure.is_interval:
            raise Unreadable(
                Reason.NO_TIME, f"{measure.schema} needs a time_interval.", kind
            )
        end_text, end_us = None, start.us
    else:
        end_text, end_us = end
    if len(body) > PLAIN:
        kind = _specific_kind(measure, body, end_us - start.us)
    return Measurement(
        kind,
        value,
        unit,
        start.text,
        start.us,
        end_text,
        end_us,
        position,
        header.source_id,
        None,
        (),
        measure.methods.get(word),
        None,
        header.is_self_reported,
        None,
        1,
        header.patient,
    )


PLAIN = 2
"""Members of a body that has nothing beside its value and its time."""


def _specific_kind(measure: Measure, body: Json, us: int) -> str:
    """Return the kind that the body's other members narrow a measure down to.

    Raises:
        Unreadable: `unknown-kind` where that kind has no code of its own.

    """
    statistic = body.get("descriptive_statistic")
    if statistic is not None:
        return _statistic_kind(measure, statistic, us)
    if measure.schema == "blood-glucose":
        return _glucose_kind(body.get("specimen_source"))
    if body.get("temporal_relationship_to_physical_activity") == "at rest":
        return AT_REST.get(measure.schema, measure.kind)
    return measure.kind


def _statistic_kind(measure: Measure, statistic: object, us: int) -> str:
    kind = STATISTICS.get((measure.schema, str(statistic), us == DAY_US))
    if kind is None:
        raise Unreadable(
            Reason.UNKNOWN_KIND,
            f"This descriptive_statistic of {measure.schema} has no code of its own.",
            measure.kind,
        )
    return kind


def _glucose_kind(specimen: object) -> str:
    kind = "glucose" if specimen is None else GLUCOSE_KINDS.get(str(specimen))
    if kind is None:
        raise Unreadable(
            Reason.UNKNOWN_KIND,
            "Glucose of this specimen_source has no code of its own.",
            "glucose",
        )
    return kind
