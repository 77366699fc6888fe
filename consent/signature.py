"""A resource's signature, and what its row holds beside it.

Beside the facets, for the row's own columns and indexes: the clinical interval, the
references and the codings that the facets do not hold.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from consent.contents import concept_codings, walk
from consent.facets import (
    Codes,
    Content,
    Facets,
    codes_of,
    content_of,
    facets_of_parts,
    origin_of,
)
from consent.formula import Coding
from consent.labels import Labels, policy_tags
from consent.moments import bounds, period
from consent.references import Deployment, attribution, local, target

UNDATED_US = 0
"""Sentinel of both time columns of an undated row; no formula asks for it."""


class Description(NamedTuple):
    """All that storage writes beside a resource for consent's sake.

    Attributes:
        patient: The Patient whose consent decides; None for nobody's.
        facets: The signature.
        start_us: First microsecond of the clinical interval, `UNDATED_US` if undated.
        end_us: Last microsecond of it, `UNDATED_US` if undated.
        mentions: Rows of the mention index.
        codings: Rows of the coding index.

    """

    patient: str | None
    facets: Facets
    start_us: int
    end_us: int
    mentions: frozenset[str]
    codings: frozenset[Coding]


def describe(
    resource: Mapping[str, Any],
    *,
    labels: Labels,
    deployment: Deployment,
    agents: Iterable[str] = (),
) -> Description:
    """Return signature, consent times and index rows of a resource.

    Args:
        resource: The resource as it will be stored.
        labels: What the labeller said of it.
        deployment: Our bases, and the zone of dates without a time.
        agents: Provenance agents and authors' organisations, as `Type/id`.

    """
    bases = deployment.own_bases
    references, found = walk(resource)
    patient = attribution(resource, bases)
    performers = _performers(resource, bases)
    device = _device(resource, bases)
    named = {local(text, bases) for text in references}
    mentions = _texts(named.difference(performers, (patient, device)))
    codes, codings = _codes_in(resource, found)
    start_us, end_us, is_dated = clinical_interval(resource, deployment.zone)
    facets = facets_of_parts(
        _content_of(resource),
        codes,
        labels,
        origin_of(device, performers, frozenset(agents), bool(mentions)),
        is_dated,
        policy_tags(resource),
    )
    return Description(patient, facets, start_us, end_us, mentions, codings)


def with_agents(described: Description, agents: frozenset[str]) -> Description:
    """Return the description of what these agents, too, have authored."""
    facets = described.facets
    origin = facets.origin
    if agents <= origin.agents:
        return described
    return described._replace(
        facets=facets_of_parts(
            facets.content,
            facets.codes,
            facets.labels,
            origin_of(
                origin.device,
                origin.performers,
                origin.agents | agents,
                origin.has_mentions,
            ),
            facets.is_dated,
            facets.tags,
        )
    )


def facets_of(
    resource: Mapping[str, Any], *, labels: Labels, deployment: Deployment
) -> Facets:
    """Return the signature of a resource that no Provenance names."""
    return describe(resource, labels=labels, deployment=deployment).facets


def clinical_interval(
    resource: Mapping[str, Any], zone: tzinfo
) -> tuple[int, int, bool]:
    """Return first and last microsecond of the clinical time, and whether it is known.

    effectiveDateTime, else effectivePeriod, else effectiveInstant, else issued;
    never ingestion time. A Timing, a Period open at either end and an inverted one
    are unknown.
    """
    element = next((name for name in _CLINICAL_TIMES if name in resource), None)
    value = resource.get(element or "")
    if element == "effectivePeriod":
        start_us, end_us = period(value, zone) or (None, None)
    elif element == "effectiveTiming":
        start_us, end_us = None, None
    else:
        start_us, end_us = bounds(value, zone) or (None, None)
    if start_us is None or end_us is None:
        return UNDATED_US, UNDATED_US, False
    return start_us, end_us, True


_CLINICAL_TIMES = (
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "effectiveTiming",
    "issued",
)


def _content_of(resource: Mapping[str, Any]) -> Content:
    profiles = _items(_member(resource.get("meta"), "profile"))
    return content_of(
        str(resource.get("resourceType")),
        tuple([profile for profile in profiles if isinstance(profile, str)]),
    )


def _codes_in(
    resource: Mapping[str, Any], found: Iterable[Coding]
) -> tuple[Codes, frozenset[Coding]]:
    """Return the codes of the signature, and the codings that it does not hold."""
    principal = frozenset(concept_codings(resource.get("code")))
    categories: frozenset[Coding] = _NOTHING.union(
        *[concept_codings(concept) for concept in _items(resource.get("category"))]
    )
    components = frozenset(
        [
            frozenset(concept_codings(_member(component, "code")))
            for component in _items(resource.get("component"))
        ]
    )
    others = frozenset(found).difference(principal, categories, *components)
    is_coded = bool(principal) or not _should_be_coded(resource)
    return codes_of(principal, components, categories, is_coded, bool(others)), others


_NOTHING: frozenset[Any] = frozenset()


def _should_be_coded(resource: Mapping[str, Any]) -> bool:
    return (
        isinstance(resource.get("code"), Mapping)
        or resource.get("resourceType") == "Observation"
    )


def _device(resource: Mapping[str, Any], bases: tuple[str, ...]) -> str | None:
    if resource.get("resourceType") != "Observation":
        return None
    return target(resource.get("device"), bases)


def _performers(resource: Mapping[str, Any], bases: tuple[str, ...]) -> frozenset[str]:
    """Return who performed or wrote it: `performer`, `performer.actor`, `author`."""
    if "performer" not in resource and "author" not in resource:
        return _NOTHING
    entries = [*_one_or_many(resource.get("performer"))]
    entries += _one_or_many(resource.get("author"))
    entries += [_member(entry, "actor") for entry in entries]
    return _texts({target(entry, bases) for entry in entries})


def _texts(found: set[str | None]) -> frozenset[str]:
    return frozenset([text for text in found if text is not None])


def _one_or_many(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
