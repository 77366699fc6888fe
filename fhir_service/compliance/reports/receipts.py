"""What a patient's consents said in words: which text, in which language, how hard.

https://hl7.org/fhir/R4/narrative.html
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from consent.capture import ENFORCED
from consent.readability import MEASURES
from consent.text import text
from fhir_service.compliance.reports.report import (
    Report,
    heading,
    moment,
    patient,
    table,
)
from fhir_service.compliance.reports.timeline import Filed, filings
from fhir_service.compliance.rows import Reader
from fhir_service.interactions.consent_text import sources

if TYPE_CHECKING:
    from decimal import Decimal

_LANG = re.compile(r'\blang="([A-Za-z-]{2,35})"')


class Receipt(NamedTuple):
    """The text that is stored with a version of a consent."""

    when: datetime
    consent: str
    text_status: str
    text_sha256: str
    languages: tuple[str, ...]
    signed_document: str


class Grade(NamedTuple):
    """How hard the same rules are to read, as this service says them."""

    consent: str
    language: str
    measure: str
    grade: str
    is_easy: bool


def report(reader: Reader, patient_id: str) -> Report:
    """Return what text stands with each version of a patient's consents.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state = patient(reader, patient_id)
    filed = [one for one in filings(reader, state) if not one.stored.deleted]
    return Report(
        heading=heading(reader, "Consent receipts", about=f"Patient/{state.id}"),
        tables=(
            table("texts", Receipt, [_receipt(reader, one) for one in filed]),
            table(
                "grades",
                Grade,
                [grade for one in filed for grade in _grades(reader, one)],
            ),
        ),
        notes=(
            (
                "Low is easy in English (Flesch-Kincaid grade), high is easy in "
                "Spanish (Fernández Huerta)."
            ),
        ),
        not_recorded=(
            (
                "Which page the patient read, and in which of the languages: the "
                "stored text has all of them, and a signature on paper is kept "
                "elsewhere."
            ),
        ),
    )


def _receipt(reader: Reader, one: Filed) -> Receipt:
    narrative = one.body.get("text", {})
    div = str(narrative.get("div", ""))
    attachment = one.body.get("sourceAttachment", {})
    paper = attachment.get("title") or attachment.get("hash") or attachment.get("url")
    reference = one.body.get("sourceReference", {}).get("reference")
    return Receipt(
        when=moment(reader, one.stored.last_updated),
        consent=one.name,
        text_status=str(narrative.get("status", "none")),
        text_sha256=hashlib.sha256(div.encode()).hexdigest() if div else "",
        languages=tuple(dict.fromkeys(_LANG.findall(div))),
        signed_document=str(reference or paper or ""),
    )


def _grades(reader: Reader, one: Filed) -> Iterator[Grade]:
    for language, measure in MEASURES.items():
        made = text(
            one.body,
            language=language,
            deployment=reader.services.repository.deployment,
            sources=sources(reader.services, reader.snapshot, lambda _: True),
            enforced=ENFORCED,
        )
        grade: Decimal = measure.of(line for block in made for line in block.texts)
        yield Grade(
            consent=one.name,
            language=language,
            measure=measure.name,
            grade=str(grade),
            is_easy=measure.meets(grade),
        )
