"""How a tree of provisions votes: EVAL of the published algorithm.

Children speak before their parent; among siblings a deny wins. A nested rule is part
of the rule above it for request selectors; an exception lives inside the rule that it
excepts. Votes are formulas; over one row's booleans they are booleans.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from consent.formula import Coding, Formula, conjunction, disjunction, negation
from consent.provisions import Rule
from consent.request import AccessRequest
from consent.request_selectors import Kind, any_actor, match_purpose
from consent.selectors import Selector
from consent.truth import MATCHES, Match, Truth, all_match, both, either


class Question(NamedTuple):
    """One purpose and one action, which must come out permitted.

    Attributes:
        purpose: None where the request states none.
        action: Code of consentaction.

    """

    purpose: Coding | None
    action: str


class Live(NamedTuple):
    """A rule that the request does not rule out.

    Attributes:
        rule: The rule.
        is_certain: Whether its request selectors, and all above, are certain.
        children: Those of its nested rules that are not ruled out.

    """

    rule: Rule
    is_certain: bool
    children: tuple["Live", ...]


class Votes(NamedTuple):
    """When a rule, or several, deny and when they permit; never both."""

    deny: Formula
    permit: Formula


Matcher = Callable[[Selector], Match]


def prune(
    rule: Rule, question: Question, request: AccessRequest, *, above: bool
) -> Live | None:
    """Return what is left of the tree; None where the rule is silent.

    Args:
        rule: A rule.
        question: The purpose and the action.
        request: Who asks, and when.
        above: Whether everything above the rule is certain.

    """
    truth = both(_request_matches(rule, question, request))
    if truth is False:
        return None
    is_certain = above and truth is True
    children = [
        prune(child, question, request, above=is_certain) for child in rule.children
    ]
    return Live(rule, is_certain, tuple([live for live in children if live]))


def _request_matches(
    rule: Rule, question: Question, request: AccessRequest
) -> Iterator[Truth]:
    yield rule.period.contains(request.at_us)
    if rule.actors is not None:
        yield any_actor(rule.actors, request, rule.kind)
    if rule.purposes is not None:
        yield either(
            match_purpose(listed, question.purpose, rule.kind)
            for listed in rule.purposes
        )
    if rule.actions is not None:
        yield rule.actions.matches(question.action)


def votes(live: Live, match: Matcher, up: Formula = True) -> Votes:  # noqa: FBT002 - a formula
    """Return when the rule denies and when it permits; children speak first.

    Args:
        live: The rule.
        match: How a selector matches.
        up: When the rule above certainly matches, if it is a deny: an exception
            lives inside the rule that it excepts.

    """
    rule = live.rule
    matched = _matched(rule, match)
    if not live.children:
        return _leaf(live, matched, up)
    deny, permit = _below(live, match, matched)
    if rule.kind is Kind.DENY:
        own = conjunction((negation(permit), matched.not_false))
        return Votes(disjunction((deny, own)), conjunction((negation(deny), permit)))
    if rule.kind is Kind.PERMIT and live.is_certain:
        permit = disjunction((permit, conjunction((matched.is_true, up))))
    return Votes(deny, conjunction((negation(deny), permit)))


def _leaf(live: Live, matched: Match, up: Formula) -> Votes:
    kind = live.rule.kind
    if kind is Kind.DENY:
        return Votes(matched.not_false, permit=False)
    if kind is Kind.NONE or not live.is_certain or matched.is_true is False:
        return _SILENT
    return Votes(False, conjunction((matched.is_true, up)))  # noqa: FBT003 - a formula


_SILENT = Votes(deny=False, permit=False)
_DENIED = Votes(deny=True, permit=False)


def _matched(rule: Rule, match: Matcher) -> Match:
    selectors = rule.selectors
    if len(selectors) == 1:
        return match(selectors[0])
    found = []
    for selector in selectors:
        matched = match(selector)
        if matched.not_false is False:
            return matched
        found.append(matched)
    return all_match(found) if found else MATCHES


def _below(live: Live, match: Matcher, matched: Match) -> Votes:
    inside = _inside(live.rule, matched)
    denies: list[Formula] = []
    permits: list[Formula] = []
    for child in live.children:
        deny, permit = votes(child, match, inside)
        if deny is True:
            return _DENIED
        if deny is not False:
            denies.append(deny)
        if permit is not False:
            permits.append(permit)
    return Votes(disjunction(denies), disjunction(permits))


def _inside(rule: Rule, matched: Match) -> Formula:
    return matched.is_true if rule.kind is Kind.DENY else True


def deciding(live: Live, match: Matcher, side: str) -> Iterator[str]:
    """Yield the paths of the provisions that decide a vote, the innermost ones."""
    inside = _inside(live.rule, _matched(live.rule, match))
    found = [
        child for child in live.children if getattr(votes(child, match, inside), side)
    ]
    for child in found:
        yield from deciding(child, match, side)
    if not found:
        yield live.rule.path
