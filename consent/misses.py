"""Why a consent does not permit: the elements that are in the way, rule by rule.

What permits is told by `consent.explain`; where nothing does, this tells how far each
permit is from it. It decides nothing.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from consent.codes import RESEARCH, is_purpose
from consent.data_references import Context, DataSelector
from consent.facets import Facets
from consent.formula import Row, evaluate
from consent.provisions import ParsedConsent, Rule, Scope
from consent.request import AccessRequest
from consent.request_selectors import Kind, any_actor, match_purpose
from consent.selectors import (
    ClassSelector,
    CodeSelector,
    LabelSelector,
    PeriodSelector,
    Selector,
)
from consent.truth import either

ELEMENTS: Mapping[type, str] = {
    LabelSelector: "securityLabel",
    ClassSelector: "class",
    CodeSelector: "code",
    PeriodSelector: "dataPeriod",
    DataSelector: "data",
}
"""Selector → the element that it was read from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """A permit that does not reach the resource, or a consent that does not speak.

    Attributes:
        name: `Consent/x`.
        version: Its version id.
        path: The permit; None where the consent itself does not speak.
        elements: What is in the way, such as `actor` or `code`.

    """

    name: str
    version: str | None
    path: str | None
    elements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One resource that is asked for.

    Attributes:
        request: Who asks for what.
        facets: Its signature.
        row: Its own facts.
        context: Patient and devices.

    """

    request: AccessRequest
    facets: Facets
    row: Row
    context: Context


def misses(consents: Iterable[ParsedConsent], asked: Asked) -> Iterator[Miss]:
    """Yield what keeps each consent, and each permit in it, from permitting."""
    for consent in consents:
        silent = tuple(_not_in_force(consent, asked.request))
        if silent:
            yield _miss(consent, None, silent)
        elif consent.root is not None:
            yield from _of_rule(consent, consent.root, asked, ())


def _miss(consent: ParsedConsent, path: str | None, elements: Sequence[str]) -> Miss:
    return Miss(
        name=consent.reference,
        version=consent.version,
        path=path,
        elements=tuple(dict.fromkeys(elements)),
    )


def _not_in_force(consent: ParsedConsent, request: AccessRequest) -> Iterator[str]:
    if not consent.is_active:
        yield "status"
    if not _speaks(consent.scope, request):
        yield "scope"
    if consent.from_us is not None and request.at_us < consent.from_us:
        yield "dateTime"
    if not consent.period.contains(request.at_us):
        yield "provision.period"


def _speaks(scope: Scope, request: AccessRequest) -> bool:
    if scope is Scope.RESEARCH:
        return bool(request.purposes) and all(
            is_purpose(purpose, RESEARCH) for purpose in request.purposes
        )
    return scope is not Scope.OTHER


def _of_rule(
    consent: ParsedConsent, rule: Rule, asked: Asked, above: tuple[str, ...]
) -> Iterator[Miss]:
    """Yield what is in the way of a rule and of those nested in it."""
    around = (*above, *_request_elements(rule, asked.request))
    found = (*around, *_data_elements(rule, asked))
    if rule.kind is Kind.PERMIT and found:
        yield _miss(consent, rule.path, found)
    # A permit that is nested in a deny is an exception to what that deny covers.
    inside = found if rule.kind is Kind.DENY else around
    for child in rule.children:
        yield from _of_rule(consent, child, asked, inside)


def _request_elements(rule: Rule, request: AccessRequest) -> Iterator[str]:
    """Yield the elements that are not certain, of what the request is asked."""
    if not rule.period.contains(request.at_us):
        yield "period"
    actors = rule.actors
    if actors is not None and any_actor(actors, request, rule.kind) is not True:
        yield "actor"
    if not all(_covers(rule, purpose) for purpose in request.purposes or (None,)):
        yield "purpose"
    matches = rule.actions
    if matches is not None and not all(map(matches.matches, request.actions)):
        yield "action"


def _covers(rule: Rule, purpose: tuple[str, str] | None) -> bool:
    if rule.purposes is None:
        return True
    return either(match_purpose(one, purpose, rule.kind) for one in rule.purposes) is (
        True
    )


def _data_elements(rule: Rule, asked: Asked) -> Iterator[str]:
    for selector in rule.selectors:
        if not _is_certain(selector, asked):
            yield ELEMENTS[type(selector)]


def _is_certain(selector: Selector, asked: Asked) -> bool:
    found = selector.matches(asked.facets, asked.context)
    return evaluate(found.is_true, asked.row)
