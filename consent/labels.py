"""Confidentiality and sensitivity of a resource, set by our own rules at write.

What a client sends may raise a label, never lower it and never vouch: a resource
that our tables do not know stays unlabelled, which a permit by label never matches
and a deny by label always does.

https://hl7.org/fhir/R4/security-labels.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import (
    ACT_CODE,
    CONFIDENTIALITY,
    LABEL_SYSTEM_ALIASES,
    LEVELS,
    RESTRICTED,
    SENSITIVITIES,
)
from consent.contents import coding_parts, concept_codings, walk
from consent.formula import Coding
from consent.label_tables import (
    CODE_LABELS,
    NORMAL_CODES,
    POLICY_OBLIGATIONS,
    TYPE_LABELS,
)

LABELLER_VERSION = "3"
"""Part of every decision; a change of the tables is a new version."""

POLICY_TAGS = frozenset(POLICY_OBLIGATIONS)
"""v3-ActCode policies in meta.security that overlays ask for."""

_LEVEL_CODES = tuple(LEVELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """How confidential a resource is.

    Attributes:
        level: Place in U < L < M < N < R < V, a sensitivity counting as at least R;
            None where nothing was said.
        is_labelled: Whether our own labeller vouches; if not, the labels only raise.
        sensitivities: Codes of v3-ActCode's information sensitivity policy.

    """

    level: int | None
    is_labelled: bool
    sensitivities: frozenset[str]


def labels_of(
    level: int | None, sensitivities: Iterable[str], *, is_labelled: bool
) -> Labels:
    """Return the labels, a sensitivity lifting the level to at least R."""
    kept = frozenset(sensitivities)
    if kept and (level is None or level < RESTRICTED):
        level = RESTRICTED
    return Labels(
        level=level,
        is_labelled=is_labelled and level is not None,
        sensitivities=kept,
    )


UNLABELLED = labels_of(None, (), is_labelled=False)


def stated_labels(resource: Mapping[str, Any]) -> Labels:
    """Return what meta.security says, as if our own labeller had set it."""
    level: int | None = None
    sensitivities: list[str] = []
    for system, code in _security_codings(resource):
        if system == CONFIDENTIALITY and code in LEVELS:
            level = max(LEVELS[code], -1 if level is None else level)
        elif system == ACT_CODE and code in SENSITIVITIES:
            sensitivities.append(code)
    return labels_of(level, sensitivities, is_labelled=True)


def policy_tags(resource: Mapping[str, Any]) -> frozenset[str]:
    """Return the policies of meta.security that overlays ask for."""
    return frozenset(
        [
            coding["code"]
            for coding in _security(resource)
            if isinstance(coding, dict)
            and coding.get("code") in POLICY_TAGS
            and coding.get("system") == ACT_CODE
        ]
    )


def _security(resource: Mapping[str, Any]) -> list[Any]:
    meta = resource.get("meta")
    security = meta.get("security") if isinstance(meta, dict) else None
    return security if isinstance(security, list) else []


def _security_codings(resource: Mapping[str, Any]) -> list[Coding]:
    return [
        (LABEL_SYSTEM_ALIASES.get(system, system), code)
        for system, code in concept_codings({"coding": _security(resource)})
    ]


def label(resource: Mapping[str, Any]) -> Labels:
    """Return the resource's labels: our tables, raised by what the client sent."""
    client = stated_labels(resource)
    rows = list(_rows(resource))
    is_vouched = _is_vouched(resource)
    if is_vouched:
        rows.append(TYPE_LABELS.get(str(resource.get("resourceType")), ("N", ())))
    levels = [LEVELS[level] for level, _ in rows]
    if client.level is not None:
        levels.append(client.level)
    return labels_of(
        max(levels, default=None),
        client.sensitivities.union(*(codes for _, codes in rows)),
        is_labelled=is_vouched,
    )


def _rows(resource: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for coding in walk(resource).codings:
        if coding in CODE_LABELS:
            yield CODE_LABELS[coding]
        elif coding[0] == ACT_CODE and coding[1] in SENSITIVITIES:
            yield "R", (coding[1],)


def _is_vouched(resource: Mapping[str, Any]) -> bool:
    """Whether our tables know all that the resource is about."""
    resource_type = resource.get("resourceType")
    if resource_type in TYPE_LABELS:
        return True
    concepts = list(_subjects(resource, str(resource_type)))
    return bool(concepts) and all(_is_known(concept) for concept in concepts)


def _subjects(resource: Mapping[str, Any], resource_type: str) -> Iterator[object]:
    if resource_type == "Device":
        yield resource.get("type")
    elif resource_type == "Observation":
        yield resource.get("code")
        components = resource.get("component")
        for component in components if isinstance(components, list) else ():
            yield component.get("code") if isinstance(component, Mapping) else None


def _is_known(concept: object) -> bool:
    return any(
        coding in CODE_LABELS or coding in NORMAL_CODES
        for coding in concept_codings(concept)
    )


def labelled(resource: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """Return the resource with the labels in meta.security.

    Codings of other systems, such as HTEST, stay where they were.
    """
    meta = resource.get("meta")
    kept = dict(meta) if isinstance(meta, Mapping) else {}
    others = [
        coding for coding in _security(resource) if not _is_label(*coding_parts(coding))
    ]
    obliged = [dict(coding) for coding in _obligations(resource)]
    others = [coding for coding in others if coding not in obliged] + obliged
    security = others + _label_codings(labels)
    if security:
        kept["security"] = security
    return {**resource, "meta": kept} if kept else dict(resource)


def _obligations(resource: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """Yield what a policy asks to be said wherever the resource goes."""
    for tag in sorted(policy_tags(resource)):
        yield from POLICY_OBLIGATIONS[tag]


def tagged(resource: Mapping[str, Any], tag: str) -> dict[str, Any]:
    """Return the resource under a policy of v3-ActCode."""
    if tag in policy_tags(resource):
        return dict(resource)
    return _with_security(resource, [{"system": ACT_CODE, "code": tag}])


def _with_security(
    resource: Mapping[str, Any], more: list[dict[str, str]]
) -> dict[str, Any]:
    meta = resource.get("meta")
    kept = dict(meta) if isinstance(meta, Mapping) else {}
    kept["security"] = [*_security(resource), *more]
    return {**resource, "meta": kept}


def carried(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the next version with what clients have raised the one before to.

    What our tables say of the old version is not carried: they say it of the new one.
    """
    stated, ours, told = stated_labels(old), label(_bare(old)), stated_labels(new)
    is_raised = _order(stated.level) > max(_order(ours.level), _order(told.level))
    raised = Labels(
        level=stated.level if is_raised else None,
        is_labelled=False,
        sensitivities=stated.sensitivities - ours.sensitivities - told.sensitivities,
    )
    more = _label_codings(raised)
    more += [
        {"system": ACT_CODE, "code": tag}
        for tag in sorted(policy_tags(old) - policy_tags(new))
    ]
    return _with_security(new, more) if more else dict(new)


def _order(level: int | None) -> int:
    return -1 if level is None else level


def _bare(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resource as if no client had said anything of its labels."""
    return {name: value for name, value in resource.items() if name != "meta"}


def _is_label(system: str | None, code: str | None) -> bool:
    known = LABEL_SYSTEM_ALIASES.get(system or "", system)
    return known == CONFIDENTIALITY or (known == ACT_CODE and code in SENSITIVITIES)


def _label_codings(labels: Labels) -> list[dict[str, str]]:
    codings = [
        {"system": ACT_CODE, "code": code} for code in sorted(labels.sensitivities)
    ]
    if labels.level is not None:
        codings.append({"system": CONFIDENTIALITY, "code": _LEVEL_CODES[labels.level]})
    return codings
