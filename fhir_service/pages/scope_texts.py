"""Scopes as sentences that a person understands.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from conformance.classes import SHARED
from fhir_service.auth.scope_parts import CATEGORIES
from fhir_service.auth.scopes import Filter, Scope, parse_scope
from fhir_service.pages.texts import said

_VERBS = (("rs", "verb.see"), ("c", "verb.c"), ("u", "verb.u"), ("d", "verb.d"))
"""Letters → what they let somebody do; to search is a way to see."""

KNOWN = frozenset(one for some in CATEGORIES.values() for one in some)
"""The categories (system, code) that have words of their own; a test walks it."""


def sentence(text: str, language: str, *, patient: str, offline: str) -> str:
    """Return what a scope allows.

    Args:
        text: The scope, as it is written.
        language: One of `texts.LANGUAGES`.
        patient: What the patient in context is called.
        offline: For how long `offline_access` holds.

    """
    scope = parse_scope(text)
    if scope is None:
        return said(f"word.{text}", language, offline=offline)
    told = said(
        f"sentence.{_place(scope)}",
        language,
        verbs=_verbs(scope.letters, language),
        what=_what(scope, language),
        patient=patient,
    )
    return told[0].upper() + told[1:]


def part_words(part: Scope, language: str) -> str:
    """Return what a part of a scope is about, to stand beside a box to tick."""
    if part.filters:
        return _category(part.filters[0], language)
    return said(f"type.{part.type}", language)


def _place(scope: Scope) -> str:
    return "shared" if scope.type in SHARED else scope.level


def _verbs(letters: str, language: str) -> str:
    words = [said(key, language) for some, key in _VERBS if set(some) & set(letters)]
    joint = f" {said('and', language)} "
    return joint.join(filter(None, (", ".join(words[:-1]), words[-1])))


def _what(scope: Scope, language: str) -> str:
    what = said(f"type.{scope.type}", language)
    if not scope.filters:
        return what
    joint = f" {said('and', language)} "
    kinds = joint.join(_category(held, language) for held in scope.filters)
    return said("filtered", language, what=what, kinds=kinds)


def _category(held: Filter, language: str) -> str:
    if (held.system, held.code) in KNOWN:
        return said(f"category.{held.code}", language)
    return said("other-category", language, code=held.code)
