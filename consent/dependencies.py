"""What consents name in `data`: whose changes change what is released.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.data
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consent.data_references import DataSelector, Datum, Meaning
from consent.provisions import ParsedConsent, Rule
from consent.references import type_of

DEVICES = frozenset({"Device", "DeviceMetric"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependencies:
    """References that consents name in `data`, by what they need.

    Attributes:
        followed: Those whose own references select data: meaning `related`.
        devices: Devices and DeviceMetrics, which stand for what belongs to them.

    """

    followed: frozenset[str]
    devices: frozenset[str]


_NONE = Dependencies(followed=frozenset(), devices=frozenset())


def dependencies(consents: Iterable[ParsedConsent]) -> Dependencies:
    """Return what the consents name."""
    data = [
        (datum.meaning, datum.reference)
        for consent in consents
        if consent.root is not None
        for datum in _data(consent.root)
        if datum.reference is not None
    ]
    if not data:
        return _NONE
    return Dependencies(
        followed=frozenset(
            reference for meaning, reference in data if meaning is Meaning.RELATED
        ),
        devices=frozenset(
            reference for _, reference in data if type_of(reference) in DEVICES
        ),
    )


def _data(rule: Rule) -> Iterator[Datum]:
    for selector in rule.selectors:
        if isinstance(selector, DataSelector):
            yield from selector.entries
    for child in rule.children:
        yield from _data(child)
