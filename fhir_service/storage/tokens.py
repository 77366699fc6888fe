"""What `token_index` holds of a resource, and the interval of the date index."""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from conformance.search_parameters import date_range
from fhir_service.storage.blind_index import BlindIndex

UNDATED = -(1 << 62)
"""Start and end of an Observation without a time: before every date."""

_OPEN_START = -(1 << 61)
_OPEN_END = 1 << 61


def of_resource(
    resource: Mapping[str, Any], blind: BlindIndex
) -> Iterator[tuple[str, bytes]]:
    """Yield (parameter, keyed hash) of identifiers, with and without their system."""
    for identifier in resource.get("identifier", ()):
        value = identifier.get("value") if isinstance(identifier, Mapping) else None
        if isinstance(value, str):
            yield "identifier", identifier_token(blind, None, value)
            system = identifier.get("system", "")
            yield "identifier", identifier_token(blind, system, value)


def identifier_token(blind: BlindIndex, system: str | None, value: str) -> bytes:
    """Return the keyed hash of an identifier; of its value alone without a system."""
    if system is None:
        return blind.identifier("value", value)
    return blind.identifier("system", system, value)


def effective_range(observation: Mapping[str, Any], zone: tzinfo) -> tuple[int, int]:
    """Return the interval of the `date` search parameter, in microseconds."""
    for name in ("effectiveDateTime", "effectiveInstant"):
        if name in observation:
            return date_range(observation[name], zone)
    period = observation.get("effectivePeriod")
    if isinstance(period, Mapping) and (period.get("start") or period.get("end")):
        start, end = period.get("start"), period.get("end")
        return (
            date_range(start, zone)[0] if start else _OPEN_START,
            date_range(end, zone)[1] if end else _OPEN_END,
        )
    return UNDATED, UNDATED
