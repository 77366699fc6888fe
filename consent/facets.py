"""Facets: everything a consent can ask of a resource but identity, links and time.

Rows with equal facets share a signature, and a decision is made once per signature.
Equal facets are one object in a process, as far as the caches reach, so that 10,000
patients cost no more memory than their distinct signatures.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from conformance.fhir_json import dumps, loads
from consent.formula import Coding
from consent.labels import Labels

_DIGEST_BYTES = 16
"""128 bits: no two of 10^9 signatures meet by accident."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What the resource is.

    Attributes:
        type: Resource type.
        profiles: meta.profile, as claimed.

    """

    type: str
    profiles: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """What the resource is about.

    Attributes:
        principal: Codings of `code`.
        is_coded: False where there is a `code` without a complete coding.
        components: The coding set of each component, every set once.
        categories: Codings of `category`.
        has_others: Whether the coding index holds further codings of the row.

    """

    principal: frozenset[Coding]
    is_coded: bool
    components: frozenset[frozenset[Coding]]
    categories: frozenset[Coding]
    has_others: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the resource comes from.

    Attributes:
        device: `Observation.device`, a Device or DeviceMetric, not its closure.
        performers: Who performed or wrote it.
        agents: Who its Provenance names, and the organisations of all those at
            authoring time.
        has_mentions: Whether the mention index holds further references of the row.

    """

    device: str | None
    performers: frozenset[str]
    agents: frozenset[str]
    has_mentions: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """A signature without its patient.

    Attributes:
        content: Type and profiles.
        codes: Principal, component and category codings.
        labels: Confidentiality and sensitivities.
        origin: Device, performers, Provenance agents.
        is_dated: Whether the clinical interval is known at both ends.
        tags: Policies that overlays ask for, such as 42CFRPart2.

    """

    content: Content
    codes: Codes
    labels: Labels
    origin: Origin
    is_dated: bool
    tags: frozenset[str]


@lru_cache(maxsize=65_536)
def content_of(type_: str, profiles: tuple[str, ...]) -> Content:
    """Return the one such Content."""
    return Content(type=type_, profiles=frozenset(profiles))


@lru_cache(maxsize=65_536)
def codes_of(
    principal: frozenset[Coding],
    components: frozenset[frozenset[Coding]],
    categories: frozenset[Coding],
    is_coded: bool,  # noqa: FBT001 - positional, so that the cache is fast
    has_others: bool,  # noqa: FBT001 - likewise
) -> Codes:
    """Return the one such Codes."""
    return Codes(
        principal=principal,
        is_coded=is_coded,
        components=components,
        categories=categories,
        has_others=has_others,
    )


@lru_cache(maxsize=65_536)
def origin_of(
    device: str | None,
    performers: frozenset[str],
    agents: frozenset[str],
    has_mentions: bool,  # noqa: FBT001 - positional, so that the cache is fast
) -> Origin:
    """Return the one such Origin."""
    return Origin(
        device=device, performers=performers, agents=agents, has_mentions=has_mentions
    )


@lru_cache(maxsize=65_536)
def facets_of_parts(  # noqa: PLR0913, PLR0917 - positional, so that the cache is fast
    content: Content,
    codes: Codes,
    labels: Labels,
    origin: Origin,
    is_dated: bool,  # noqa: FBT001 - likewise
    tags: frozenset[str],
) -> Facets:
    """Return the one such Facets."""
    return Facets(
        content=content,
        codes=codes,
        labels=labels,
        origin=origin,
        is_dated=is_dated,
        tags=tags,
    )


def to_json(facets: Facets) -> bytes:
    """Return the canonical JSON of the facets: equal facets, equal bytes."""
    content, codes, labels, origin = (
        facets.content,
        facets.codes,
        facets.labels,
        facets.origin,
    )
    return dumps(
        {
            "type": content.type,
            "profile": sorted(content.profiles),
            "code": sorted(codes.principal),
            "coded": codes.is_coded,
            "component": sorted(sorted(codings) for codings in codes.components),
            "category": sorted(codes.categories),
            "otherCodings": codes.has_others,
            "level": labels.level,
            "labelled": labels.is_labelled,
            "sensitivity": sorted(labels.sensitivities),
            "device": origin.device,
            "performer": sorted(origin.performers),
            "agent": sorted(origin.agents),
            "mentions": origin.has_mentions,
            "dated": facets.is_dated,
            "tag": sorted(facets.tags),
        }
    )


def from_json(data: bytes) -> Facets:
    """Return the facets that `to_json` wrote."""
    value = loads(data)
    return facets_of_parts(
        content_of(value["type"], tuple(value["profile"])),
        codes_of(
            _pairs(value["code"]),
            frozenset(_pairs(codings) for codings in value["component"]),
            _pairs(value["category"]),
            value["coded"],
            value["otherCodings"],
        ),
        Labels(
            level=value["level"],
            is_labelled=value["labelled"],
            sensitivities=frozenset(value["sensitivity"]),
        ),
        origin_of(
            value["device"],
            frozenset(value["performer"]),
            frozenset(value["agent"]),
            value["mentions"],
        ),
        value["dated"],
        frozenset(value["tag"]),
    )


def _pairs(values: list[list[str]]) -> frozenset[Coding]:
    return frozenset((system, code) for system, code in values)


def digest(facets_json: bytes) -> bytes:
    """Return the 16 bytes by which storage knows the facets."""
    return blake2b(facets_json, digest_size=_DIGEST_BYTES).digest()
