"""The element `data`: resources named, and what belongs to them.

A permit takes what certainly belongs, a deny every mention.

https://hl7.org/fhir/R4/valueset-consent-data-meaning.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consent.facets import Facets
from consent.formula import (
    AuthoredBy,
    Formula,
    Instance,
    Mentions,
    RefersTo,
    disjunction,
)
from consent.references import type_of
from consent.request_selectors import Kind
from consent.topology import Topology
from consent.truth import UNKNOWN, Match, any_matches, exactly


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a data selector knows beside the signature.

    Attributes:
        patient: The Patient whose rows are asked for.
        topology: Which devices belong together.

    """

    patient: str
    topology: Topology


class Meaning(StrEnum):
    """How `data.reference` selects. https://hl7.org/fhir/R4/valueset-consent-data-meaning.html."""

    INSTANCE = "instance"
    RELATED = "related"
    DEPENDENTS = "dependents"
    AUTHOREDBY = "authoredby"


_RECORDED_IN = frozenset({"Encounter", "EpisodeOfCare", "CarePlan"})
"""Types whose related data is what was recorded in them (IHE PCF 1.1)."""

_DEVICES = frozenset({"Device", "DeviceMetric"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Datum:
    """An entry of `provision.data`.

    Attributes:
        meaning: None where it is no code that we know.
        reference: `Type/id`; None where it cannot be resolved.

    """

    meaning: Meaning | None
    reference: str | None


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class DataSelector:
    """The element `data`.

    Attributes:
        kind: For which kind of provision it is asked.
        entries: The data named, as alternatives.

    """

    kind: Kind
    entries: tuple[Datum, ...]

    def matches(self, facets: Facets, context: Context) -> Match:
        """Return the match for rows of the signature."""
        return any_matches(
            [self._matches_one(entry, facets, context) for entry in self.entries]
        )

    def _matches_one(self, entry: Datum, facets: Facets, context: Context) -> Match:
        if entry.meaning is None or entry.reference is None:
            return UNKNOWN
        select = _MEANINGS[entry.meaning]
        return exactly(select(entry.reference, facets, context, self.kind))


def _instance(reference: str, facets: Facets, _: Context, __: Kind) -> Formula:
    return type_of(reference) == facets.content.type and Instance(reference)


def _related(reference: str, facets: Facets, context: Context, kind: Kind) -> Formula:
    """Select the datum, what it refers to and, for some, what refers to it."""
    parts = [_instance(reference, facets, context, kind), RefersTo(reference)]
    if kind is Kind.DENY or type_of(reference) in _RECORDED_IN:
        parts.append(_mentions(reference, facets, context))
    return disjunction(parts)


def _dependents(
    reference: str, facets: Facets, context: Context, kind: Kind
) -> Formula:
    """Select the datum and what refers to it; for a device, what it measured."""
    itself = _instance(reference, facets, context, kind)
    if type_of(reference) not in _DEVICES:
        return disjunction([itself, _mentions(reference, facets, context)])
    family = context.topology.family(reference)
    if facets.origin.device in family:
        return True
    if kind is not Kind.DENY:
        return itself
    mentions = [_mentions(member, facets, context) for member in sorted(family)]
    return disjunction([itself, *mentions])


def _authored_by(reference: str, facets: Facets, context: Context, _: Kind) -> Formula:
    """Select by performer, device with its closure, Provenance agent."""
    origin = facets.origin
    is_told = (
        reference in origin.performers
        or reference in origin.agents
        or (
            origin.device is not None
            and origin.device in context.topology.family(reference)
        )
    )
    return is_told or AuthoredBy(reference)


def _mentions(reference: str, facets: Facets, context: Context) -> Formula:
    origin = facets.origin
    if reference in (context.patient, origin.device) or reference in origin.performers:
        return True
    return origin.has_mentions and Mentions(reference)


_MEANINGS: Mapping[Meaning, Callable[[str, Facets, Context, Kind], Formula]] = {
    Meaning.INSTANCE: _instance,
    Meaning.RELATED: _related,
    Meaning.DEPENDENTS: _dependents,
    Meaning.AUTHOREDBY: _authored_by,
}
