"""What people are told of a coding or a reference: its name, or it itself in quotes.

The names come from outside, through `Sources`; they, and all that a consent says in
its own words, are shown as somebody's words and never as ours.

https://hl7.org/fhir/R4/datatypes.html#Coding
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.blocks import harmless
from consent.contents import coding_parts
from consent.elements import actor
from consent.references import Deployment, target
from consent.words import plain, said


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Names that the consent itself does not hold.

    Attributes:
        display: System, code, language → the code in plain words, if known.
        name: `Type/id` → how that is called, if known.

    """

    display: Callable[[str, str, str], str | None]
    name: Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Teller:
    """In which language a consent is told, where, and with which names.

    Attributes:
        language: One of `words.LANGUAGES`.
        deployment: Zone and bases, as the evaluator has them.
        sources: Names.
        patient: Whose the consent is, as `Type/id`.

    """

    language: str
    deployment: Deployment
    sources: Sources
    patient: str | None

    def say(self, key: str, **parts: object) -> str:
        """Return a sentence of our tables."""
        return said(key, self.language, **parts)

    def quote(self, text: str) -> str:
        """Return the words of others in quotes."""
        return self.say("quoted", text=harmless(text))

    def coding(self, entry: Mapping[str, Any]) -> str:
        """Return a Coding in words."""
        system, code = coding_parts(entry)
        known = self._known(system, code)
        if known is not None:
            return known
        display = _text(entry.get("display"))
        if display is None:
            return self.quote("|".join(part for part in (system, code) if part))
        if code is None:
            return self.quote(display)
        return self.say("coded", text=self.quote(display), code=harmless(code))

    def _known(self, system: str | None, code: str | None) -> str | None:
        if system is None or code is None:
            return None
        found = self.sources.display(system, code, self.language)
        return harmless(found) if found else plain((system, code), self.language)

    def concept(self, entry: Mapping[str, Any]) -> Iterator[str]:
        """Yield the codings of a CodeableConcept in words; without any, its text."""
        codings = entry.get("coding")
        listed = codings if isinstance(codings, list) else ()
        found = [each for each in listed if isinstance(each, dict)]
        for each in found:
            yield self.coding(each)
        if not found:
            yield self.quote(_text(entry.get("text")) or "?")

    def reference(self, value: object, patient: str = "you") -> str:
        """Return who or what a Reference names; its identifier too, if it has both.

        Args:
            value: The Reference.
            patient: Key of the sentence for the patient of the consent.

        """
        reference = value if isinstance(value, dict) else {}
        names = actor({"reference": reference}, self.deployment).names
        local = target(reference, self.deployment.own_bases)
        found = [
            *(self._named(name, reference, patient) for name in names & {local}),
            *(
                self.say("identified", text=self.quote(name))
                for name in names - {local}
            ),
        ]
        if not found:
            return self.quote(_own_words(reference))
        if len(found) == 1:
            return found[0]
        return self.say("or_else", first=found[0], second=found[1])

    def _named(self, local: str, reference: Mapping[str, Any], patient: str) -> str:
        if local == self.patient:
            return self.say(patient)
        name = self.sources.name(local)
        if name:
            return self.quote(name)
        display = _text(reference.get("display"))
        if display is None:
            return self.quote(local)
        return self.say("coded", text=self.quote(display), code=harmless(local))


def _own_words(reference: Mapping[str, Any]) -> str:
    """Return what a reference says that names nothing of ours."""
    texts = (reference.get("display"), reference.get("reference"))
    return " ".join(filter(None, map(_text, texts))) or "?"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
