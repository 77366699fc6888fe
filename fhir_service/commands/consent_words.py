"""A patient's consents in plain sentences, and how easy these are to read.

https://hl7.org/fhir/R4/narrative.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance import fhir_json
from consent import blocks
from consent.capture import ENFORCED
from consent.readability import MEASURES
from consent.text import text
from fhir_service.exchange import Services
from fhir_service.interactions.consent_text import sources
from fhir_service.storage.engine import Snapshot

Json = dict[str, Any]


def told(services: Services, snapshot: Snapshot, body: bytes) -> Json:
    """Return a stored Consent in words, by language, names of others included."""
    consent = fhir_json.loads_object(body)
    return {
        language: _told(services, snapshot, consent, language) for language in MEASURES
    }


def _told(
    services: Services, snapshot: Snapshot, consent: Mapping[str, Any], language: str
) -> Json:
    made = text(
        consent,
        language=language,
        deployment=services.repository.deployment,
        sources=sources(services, snapshot, lambda _: True),
        enforced=ENFORCED,
    )
    measure = MEASURES[language]
    ease = measure.of(sentence for block in made for sentence in block.texts)
    return {
        "lines": list(blocks.lines(made)),
        measure.name: ease,
        "isEasy": measure.meets(ease),
    }


def lines(shown: Iterable[Json], language: str) -> Iterator[str]:
    """Yield the consents that `consent show` lists, in the words of a language."""
    for one in shown:
        yield f"{one['consent']}/_history/{one['version']}"
        yield from one["text"][language]["lines"]
        yield ""
