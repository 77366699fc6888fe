"""What the consent page shows: each scope a sentence, each with its box to tick.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from dataclasses import dataclass

from fhir_service.auth.authorize_grant import Lifetimes
from fhir_service.auth.authorize_held import Held
from fhir_service.auth.grantable import OFFLINE, ONLINE, Offer, repeated
from fhir_service.auth.scope_parts import parts
from fhir_service.pages.scope_texts import part_words, sentence
from fhir_service.pages.texts import duration, said
from fhir_service.storage.launches import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Something to tick.

    Attributes:
        value: The scope that it stands for.
        words: What that is in plain words.
        is_ticked: Whether it is ticked before the person does anything.

    """

    value: str
    words: str
    is_ticked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A scope on the page.

    Attributes:
        box: The scope as a whole.
        parts: What it can be narrowed to.
        is_narrowed: Whether some of the parts are ticked.

    """

    box: Box
    parts: tuple[Box, ...]
    is_narrowed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What a person is asked.

    Attributes:
        lines: The scopes.
        missing: Scopes that cannot be granted, as they were written.
        lasting: For how long it is.

    """

    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    lasting: str


def patient_name(held: Held, language: str) -> str:
    """Return what the patient in context is called."""
    context = held.context
    if context.patient is None or context.patient_name:
        return context.patient_name
    return said("patient.unnamed", language, id=context.patient)


def consent_form(
    held: Held,
    offered: Offer,
    earlier: Choice | None,
    lasting: Lifetimes,
    language: str,
) -> Form:
    """Return what to ask; an earlier choice decides what is ticked."""
    patient = patient_name(held, language)
    offline = duration(lasting.offline_s, language)
    before = None if earlier is None else _Before(offered, earlier)
    lines = []
    for text in offered.words:
        words = sentence(text, language, patient=patient, offline=offline)
        lines.append(_line(text, words, (), before))
    for scope in offered.scopes:
        words = sentence(scope.text, language, patient=patient, offline=offline)
        pieces = tuple((part.text, part_words(part, language)) for part in parts(scope))
        lines.append(_line(scope.text, words, pieces, before))
    return Form(
        lines=tuple(lines),
        missing=offered.missing,
        lasting=_lasting(offered, lasting, language),
    )


class _Before:
    """What an earlier choice ticks; what it was not asked about is ticked too."""

    def __init__(self, offered: Offer, earlier: Choice) -> None:
        self.chosen = frozenset(repeated(offered, earlier.chosen))
        self.asked = frozenset(earlier.asked.split())


def _line(
    text: str, words: str, pieces: tuple[tuple[str, str], ...], before: _Before | None
) -> Line:
    chosen = frozenset[str]() if before is None else before.chosen
    boxes = tuple(
        Box(value=value, words=said_of, is_ticked=value in chosen)
        for value, said_of in pieces
    )
    is_narrowed = any(box.is_ticked for box in boxes)
    is_new = before is None or text not in before.asked
    # Not for some of it: who takes that tick away wants none of the parts either.
    box = Box(value=text, words=words, is_ticked=is_new or text in chosen)
    return Line(box=box, parts=boxes, is_narrowed=is_narrowed)


def _lasting(offered: Offer, lasting: Lifetimes, language: str) -> str:
    token = duration(lasting.token_s, language)
    offline = duration(lasting.offline_s, language)
    if OFFLINE in offered.words:
        return said("authorize.offline", language, offline=offline, token=token)
    if ONLINE in offered.words:
        return said("authorize.online", language)
    return said("authorize.token", language, token=token)
