"""The elements of a provision, read into the selectors that match them.

Their shape is sound: the linter has refused what is not a list of objects.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Callable, Mapping
from typing import Any

from consent.codes import (
    ACT_CODE,
    ACTIONS,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    LABEL_SYSTEM_ALIASES,
    LEVELS,
    RESOURCE_TYPES,
    SELECTABLE_SENSITIVITIES,
    SENSITIVITIES,
    URI,
)
from consent.contents import PartialCoding, coding_parts, complete, concept_codings
from consent.data_references import DataSelector, Datum, Meaning
from consent.moments import Interval, period
from consent.references import Deployment, target, type_of
from consent.request_selectors import Actions, Actor, Kind
from consent.selectors import (
    ClassSelector,
    CodeSelector,
    LabelSelector,
    PeriodSelector,
    Selector,
    period_selector,
)

_NO_PERSONS = frozenset({"Organization", "Group", "Device"})


def actor(entry: Mapping[str, Any], deployment: Deployment) -> Actor:
    """Return an entry of `actor`; one that names nobody we can resolve is unknown."""
    value = entry.get("reference")
    reference = target(value, deployment.own_bases)
    identifier = _identifier(value)
    return Actor(
        names=frozenset(name for name in (reference, identifier) if name),
        may_be_person=reference is None or type_of(reference) not in _NO_PERSONS,
    )


def _identifier(reference: object) -> str | None:
    """Return `system|value` of a complete identifier without stray spaces."""
    identifier = reference.get("identifier") if isinstance(reference, dict) else None
    if not isinstance(identifier, dict):
        return None
    parts = (identifier.get("system"), identifier.get("value"))
    texts = [part for part in parts if isinstance(part, str) and part == part.strip()]
    return "|".join(texts) if len(texts) == len(parts) and all(texts) else None


def actions(entries: list[Any]) -> Actions:
    """Return the element `action`."""
    known = [_known_actions(entry) for entry in entries]
    return Actions(codes=frozenset().union(*known), has_unknown=not all(known))


def _known_actions(entry: object) -> frozenset[str]:
    return ACTIONS.intersection(
        code for system, code in concept_codings(entry) if system == CONSENT_ACTION
    )


def _labels(entries: list[Any], kind: Kind, _: Deployment) -> LabelSelector:
    codings = [label_coding(entry) for entry in entries]
    levels = [
        LEVELS[str(c)] for s, c in codings if s == CONFIDENTIALITY and c in LEVELS
    ]
    sensitivities = {
        str(code)
        for system, code in codings
        if system == ACT_CODE and code in SELECTABLE_SENSITIVITIES
    }
    covered = frozenset().union(*(SENSITIVITIES[code] for code in sensitivities))
    above = {code for code, below in SENSITIVITIES.items() if below & sensitivities}
    return LabelSelector(
        kind=kind,
        ceiling=max(levels, default=None),
        floor=min(levels, default=None),
        covered=covered,
        touching=covered | above,
        has_unknown=not all(is_label(coding) for coding in codings),
    )


def label_coding(entry: object) -> PartialCoding:
    """Return a label's coding, a ValueSet URL replaced by its code system."""
    system, code = coding_parts(entry)
    return LABEL_SYSTEM_ALIASES.get(system or "", system), code


def is_label(coding: PartialCoding) -> bool:
    """Whether the coding is a confidentiality or a sensitivity."""
    system, code = coding
    return (system == CONFIDENTIALITY and code in LEVELS) or (
        system == ACT_CODE and code in SELECTABLE_SENSITIVITIES
    )


def _class(entries: list[Any], _: Kind, __: Deployment) -> ClassSelector:
    codings = [coding_parts(entry) for entry in entries]
    known = [
        coding for coding in complete(codings) if coding[0] in (RESOURCE_TYPES, URI)
    ]
    return ClassSelector(
        types=frozenset(code for system, code in known if system == RESOURCE_TYPES),
        profiles=frozenset(code for system, code in known if system == URI),
        has_unknown=len(known) < len(codings),
    )


def _code(entries: list[Any], kind: Kind, _: Deployment) -> CodeSelector:
    concepts = [concept_codings(entry) for entry in entries]
    return CodeSelector(
        kind=kind,
        codings=frozenset().union(*concepts),
        has_unknown=not all(concepts),
    )


def _data_period(value: object, kind: Kind, deployment: Deployment) -> PeriodSelector:
    return period_selector(period(value, deployment.zone) or Interval(None, None), kind)


MEANINGS = {meaning.value: meaning for meaning in Meaning}
"""Codes of consent-data-meaning."""


def _data(entries: list[Any], kind: Kind, deployment: Deployment) -> DataSelector:
    return DataSelector(
        kind=kind,
        entries=tuple(
            Datum(
                meaning=MEANINGS.get(str(entry.get("meaning"))),
                reference=target(entry.get("reference"), deployment.own_bases),
            )
            for entry in entries
        ),
    )


DATA_SELECTORS: Mapping[str, Callable[[Any, Kind, Deployment], Selector]] = {
    "securityLabel": _labels,
    "class": _class,
    "code": _code,
    "dataPeriod": _data_period,
    "data": _data,
}
