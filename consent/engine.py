"""The algorithm: which rows of a patient a request may see, and why.

A request is prepared once: whatever period, actor, purpose and action rule out is
pruned. Then each signature is folded into a formula over a row's time and links;
the same fold over one row's booleans decides that row and says why.

For every purpose and every action: a deny of any consent wins, else a permit of any,
else the default policy; all must come out permitted.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from consent.codes import BREAK_GLASS, is_purpose
from consent.data_references import Context
from consent.decision import Because, DefaultPolicy, Reason
from consent.defaults import permits_by_default
from consent.facets import Facets
from consent.formula import Coding, Formula, conjunction, disjunction, negation
from consent.in_force import Ballot, Policy, Subject, ballots
from consent.overlays import Overlay, speaking
from consent.projection import Projection, projection
from consent.provisions import ParsedConsent
from consent.request import AccessRequest
from consent.restrictions import is_restricted, may_permit
from consent.selectors import Selector
from consent.truth import Match
from consent.votes import Live, Matcher, Question, Votes, votes

ENGINE_VERSION = "1"
"""Part of every decision; a change of any answer is a new version."""


_DENIES = Votes(deny=True, permit=False)
_COLLECTING = {"collect"}


def vote(
    ballot: Ballot, match: Matcher, facets: Facets, purposes: Sequence[Coding | None]
) -> Votes:
    """Return when the consent denies and when it permits."""
    if ballot.live is None:
        return _DENIES
    found = votes(ballot.live, match)
    if may_permit(ballot.consent, facets, purposes):
        return found
    return found._replace(permit=False)


def _outcome(
    ballots: Sequence[Ballot],
    match: Matcher,
    facets: Facets,
    purposes: Sequence[Coding | None],
) -> Votes:
    """Return when some consent denies, and when some permits."""
    denies: list[Formula] = []
    permits: list[Formula] = []
    for ballot in ballots:
        deny, permit = vote(ballot, match, facets, purposes)
        if deny is True:
            return _DENIES
        denies.append(deny)
        permits.append(permit)
    return Votes(disjunction(denies), disjunction(permits))


class Poll(NamedTuple):
    """A question, and who may vote on it.

    Attributes:
        question: The purpose and the action.
        is_refused: Whether it claims break-glass without attestation.
        ballots: The consents in force that are not silent.

    """

    question: Question
    is_refused: bool
    ballots: tuple[Ballot, ...]


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """The signatures of one patient, by what a request may see of their rows.

    Attributes:
        permitted: Signatures of which every row is released.
        conditional: Formulas with the signatures whose rows they decide.

    """

    permitted: tuple[int, ...]
    conditional: tuple[tuple[Formula, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class PreparedRequest:
    """A request with the consents of one patient, pruned.

    Attributes:
        polls: One for each purpose and action.
        context: Patient and devices.
        refusal: Why nothing at all is released, if so.
        default: What applies where no consent votes.
        opened: The overlays that speak for the request.
        is_release: Whether data is to leave; restrictions are asked only then.

    """

    polls: tuple[Poll, ...]
    context: Context
    refusal: Reason | None
    default: DefaultPolicy
    opened: tuple[Overlay, ...]
    is_release: bool
    _elections: tuple[tuple[tuple[Ballot, ...], tuple[Coding | None, ...]], ...]
    _is_refused: bool
    _project: Projection
    _formulas: dict[Hashable, Formula] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def ruling(self) -> Hashable:
        """Everything that formulas depend on: requests alike in it have the same."""
        return (
            self.polls,
            self.context,
            self.refusal,
            self.default,
            self.opened,
            self.is_release,
        )

    def formula(self, facets: Facets) -> Formula:
        """Return when a row of the signature is released."""
        key = self._project(facets)
        found = self._formulas.get(key)
        if found is None:
            found = self._formulas[key] = self._fold(facets)
        return found

    def grouped(self, signatures: Mapping[int, Facets]) -> Grouped:
        """Return signatures, by their numbers, with what decides on their rows."""
        permitted: list[int] = []
        conditional: dict[int, tuple[Formula, list[int]]] = {}
        for number, facets in signatures.items():
            formula = self.formula(facets)
            if formula is True:
                permitted.append(number)
            elif formula is not False:
                conditional.setdefault(id(formula), (formula, []))[1].append(number)
        merged: dict[Formula, list[int]] = {}
        for formula, numbers in conditional.values():
            merged.setdefault(formula, []).extend(numbers)
        return Grouped(
            permitted=tuple(permitted),
            conditional=tuple(
                (formula, tuple(numbers)) for formula, numbers in merged.items()
            ),
        )

    def _fold(self, facets: Facets) -> Formula:
        if self.opening(facets) is not None:
            return True
        facets = self.as_asked(facets)
        if self._is_refused:
            return False
        context = self.context

        def match(selector: Selector) -> Match:
            return selector.matches(facets, context)

        released: list[Formula] = []
        for voters, purposes in self._elections:
            outcome = _outcome(voters, match, facets, purposes)
            if outcome.deny is True:
                return False
            released.append(self._released(outcome, purposes, facets))
        return conjunction(released)

    def _released(
        self, outcome: Votes, purposes: Sequence[Coding | None], facets: Facets
    ) -> Formula:
        """Return when no consent denies, and one permits or the default does."""
        permit = outcome.permit
        if permit is not True and all(
            falls_back(self.default, purpose, facets) for purpose in purposes
        ):
            permit = True
        return conjunction((negation(outcome.deny), permit))

    def as_asked(self, facets: Facets) -> Facets:
        """Return the signature with the tags that the request must respect."""
        return facets if self.is_release else replace(facets, tags=frozenset())

    def opening(self, facets: Facets) -> Overlay | None:
        """Return the overlay that opens the signature."""
        return next((one for one in self.opened if one.opens(facets)), None)


def prepare(
    consents: Sequence[ParsedConsent],
    request: AccessRequest,
    subject: Subject,
    policy: Policy,
) -> PreparedRequest:
    """Return the request ready to be asked about the subject's signatures.

    Args:
        consents: The subject's consents, each in the version current at the time;
            those of others are ignored.
        request: Who asks for what.
        subject: Whose rows are asked for.
        policy: The deployment's choices.

    """
    polls = tuple(
        Poll(
            question,
            _claims_break_glass(question, request),
            tuple(ballots(consents, question, request, subject, policy)),
        )
        for question in _questions(request)
    )
    refusal = _refusal(subject, request)
    opened = (
        speaking(request, subject.managing_organization, subject.standing)
        if refusal is None
        else ()
    )
    context = Context(patient=subject.patient or "", topology=subject.topology)
    return PreparedRequest(
        polls=polls,
        context=context,
        refusal=refusal,
        default=policy.default,
        opened=opened,
        is_release=set(request.actions) != _COLLECTING,
        _elections=_elections(polls),
        _is_refused=refusal is not None or any(poll.is_refused for poll in polls),
        _project=projection(
            (
                selector
                for poll in polls
                for ballot in poll.ballots
                for selector in _selectors(ballot.live)
            ),
            subject.topology,
            policy.default,
            opened=opened,
        ),
    )


def falls_back(default: DefaultPolicy, purpose: Coding | None, facets: Facets) -> bool:
    """Whether the default policy permits where no consent votes."""
    return not is_restricted(facets) and permits_by_default(
        default, purpose, facets.labels
    )


def _elections(
    polls: Sequence[Poll],
) -> tuple[tuple[tuple[Ballot, ...], tuple[Coding | None, ...]], ...]:
    """Return the purposes by their ballots: most questions are decided alike."""
    found: dict[tuple[Ballot, ...], list[Coding | None]] = {}
    for poll in polls:
        found.setdefault(poll.ballots, []).append(poll.question.purpose)
    return tuple((ballots, tuple(purposes)) for ballots, purposes in found.items())


def _refusal(subject: Subject, request: AccessRequest) -> Reason | None:
    if subject.patient is None:
        return Reason(because=Because.UNATTRIBUTED)
    return None if request.actions else Reason(because=Because.NO_ACTION)


def _questions(request: AccessRequest) -> Iterator[Question]:
    for purpose in request.purposes or (None,):
        for action in request.actions:
            yield Question(purpose, action)


def _claims_break_glass(question: Question, request: AccessRequest) -> bool:
    return (
        question.purpose is not None
        and is_purpose(question.purpose, BREAK_GLASS)
        and not request.btg_attested
    )


def _selectors(live: Live | None) -> Iterator[Selector]:
    """Yield the data selectors of a tree."""
    if live is None:
        return
    yield from live.rule.selectors
    for child in live.children:
        yield from _selectors(child)
