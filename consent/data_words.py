"""The element `data` in words: a named record, and what belongs to it.

https://hl7.org/fhir/R4/valueset-consent-data-meaning.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from consent.named import Teller
from consent.references import target, type_of
from consent.request_selectors import Kind
from consent.words import first_said, sentences

_KINDS: Mapping[str, str] = {
    "CarePlan": "recorded",
    "Encounter": "recorded",
    "EpisodeOfCare": "recorded",
    "Device": "device",
    "DeviceMetric": "device",
}
"""Types for which a meaning has a sentence of its own."""


def datum_words(teller: Teller, entry: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    """Yield an entry of `data`; one whose meaning we do not know by its name alone."""
    value, meaning = entry.get("reference"), entry.get("meaning")
    name = teller.reference(value, "you.record")
    voice = Kind.DENY if kind is Kind.DENY else Kind.PERMIT
    general = f"{meaning}.{voice.value}"
    if general not in sentences():
        yield f"{teller.quote(str(meaning))} {name}"
        return
    local = target(value, teller.deployment.own_bases) or ""
    special = f"{general}.{_KINDS.get(type_of(local))}"
    yield first_said((special, general), teller.language, name=name)
