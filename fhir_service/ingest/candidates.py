"""A measurement on its way into an Observation, with what it is recognised by."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.resolve import Wearer
from fhir_service.search.postings import Posting, key_of
from fhir_service.storage import rows
from fhir_service.storage.index_sets import QuantityRow
from fhir_service.storage.observations import Entry
from mappings.kinds import Coding, Effective, ValueType
from mappings.normalise import Normalised, Part
from mappings.observation import render

CONTENT_KEY = "https://fhir-interop-service.org/fhir/sid/content-key"
"""Identifier system of a measurement whose source gives it no id."""


VALUE_QUANTITY = key_of("value-quantity")
COMPONENT_QUANTITY = key_of("component-value-quantity")


class Candidate(NamedTuple):
    """A measurement that may be stored.

    Attributes:
        normalised: What was measured.
        wearer: Whose it is.
        device: `Device/id`, where a Device may be named.
        key: By which a repeat is recognised.
        content: Differs where the source has corrected it.
        sources: Keys, as hexadecimal text, of what it was taken from.
        record: Key of the record that gives several like it; None where it is alone.

    """

    normalised: Normalised
    wearer: Wearer
    device: str | None
    key: bytes
    content: bytes
    sources: tuple[str, ...]
    record: bytes | None = None

    @property
    def version(self) -> int | None:
        """Which version of its record it is of, where the source says so."""
        return self.normalised.measurement.source_version


class Written(NamedTuple):
    """What an Observation says besides its measurement."""

    id: str
    version: str
    instant: str
    security: tuple[Coding, ...]
    status: str


def rendered(candidate: Candidate, delivery: Delivery, written: Written) -> bytes:
    """Return the Observation of a candidate as canonical JSON."""
    source_id = candidate.normalised.measurement.source_id
    return render(
        candidate.normalised,
        id=written.id,
        version=written.version,
        last_updated=written.instant,
        subject=f"Patient/{candidate.wearer.state.id}",
        identifier_system=(
            CONTENT_KEY if source_id is None else delivery.identifier_system
        ),
        identifier_value=source_id or candidate.key.hex(),
        device=candidate.device,
        focus=candidate.wearer.room,
        status=written.status,
        derived_from=candidate.sources,
        security=written.security,
    )


def alike(candidate: Candidate) -> tuple[object, ...]:
    """Return what decides on labels, signature and indexes of an Observation."""
    normalised, wearer = candidate.normalised, candidate.wearer
    measurement = normalised.measurement
    return (
        wearer.state.key,
        normalised.kind.name,
        candidate.device,
        wearer.room,
        measurement.self_reported,
        normalised.implausible,
        normalised.unit,
        measurement.method,
        measurement.absent,
        measurement.flags,
        bool(candidate.sources),
        None if normalised.unit else normalised.value,
        normalised.parts
        and frozenset(
            (part.kind.name, part.absent, None if part.unit else part.value)
            for part in normalised.parts
        ),
    )


def with_sources(candidate: Candidate, rows_of: dict[str, int]) -> Candidate:
    """Return the candidate with its sources named by their public ids."""
    if not candidate.sources:
        return candidate
    return candidate._replace(
        sources=tuple(
            f"Observation/{rows.public_id(rows_of[source])}"
            for source in candidate.sources
            if source in rows_of
        )
    )


def index_entry(
    candidate: Candidate, row: int, *, signature_id: int, code: int, set_id: int
) -> Entry:
    """Return what the indexes hold of the Observation at `row`."""
    measurement = candidate.normalised.measurement
    start = measurement.start_us
    return (
        candidate.wearer.state.key,
        code,
        start,
        row,
        signature_id,
        _search_end(candidate.normalised) - start,
        start,
        measurement.end_us,
        set_id,
    )


def own_postings(candidate: Candidate) -> Iterator[Posting]:
    """Yield what search finds in this Observation and in no other of its shape.

    `candidate` names its sources by their ids, as `with_sources` returns it.
    """
    source_id = candidate.normalised.measurement.source_id
    yield ("identifier", "code", source_id or candidate.key.hex())
    for source in candidate.sources:
        yield ("derived-from", "to", source)
        yield ("derived-from", "id", source.partition("/")[2])


def quantities(
    candidate: Candidate, row: int, units: Mapping[str, int]
) -> Iterator[QuantityRow]:
    """Yield what the index of quantities holds of the Observation at `row`."""
    key, normalised = candidate.wearer.state.key, candidate.normalised
    if normalised.value is not None and _is_quantity(normalised):
        value = float(normalised.value)
        yield (key, row, VALUE_QUANTITY, units[normalised.unit], value, value)
    for part in normalised.parts:
        if part.value is not None and _is_quantity(part):
            value = float(part.value)
            yield (key, row, COMPONENT_QUANTITY, units[part.unit], value, value)


def _is_quantity(one: Normalised | Part) -> bool:
    return one.kind.value is ValueType.QUANTITY


def _search_end(normalised: Normalised) -> int:
    """Return the last microsecond that the written time covers."""
    measurement = normalised.measurement
    text = measurement.start
    if measurement.end is not None and (
        measurement.end_us != measurement.start_us
        or normalised.kind.effective is Effective.PERIOD
    ):
        text = measurement.end
    return measurement.end_us + _width(text) - 1


def _width(text: str) -> int:
    """Return how many microseconds a dateTime with an offset covers."""
    if len(text) <= 20 or text[19] != ".":  # noqa: PLR2004 - YYYY-MM-DDThh:mm:ss
        return 1_000_000
    fraction = text[20:].rstrip("Z").partition("+")[0].partition("-")[0]
    return 10 ** (6 - len(fraction)) if len(fraction) < 6 else 1  # noqa: PLR2004 - digits of a microsecond
