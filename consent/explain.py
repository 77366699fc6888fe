"""One resource decided, with every reason that supports the outcome.

The same votes as for signatures, taken over the row's own facts.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterator

from consent.data_references import Context
from consent.decision import Because, Decision, DefaultPolicy, Reason
from consent.engine import Poll, PreparedRequest, falls_back, vote
from consent.facets import Facets
from consent.formula import Row, evaluate
from consent.in_force import Ballot
from consent.restrictions import PART_2, is_restricted, may_permit
from consent.selectors import Selector
from consent.truth import Match
from consent.votes import Matcher, Question, deciding, votes


def decide_resource(prepared: PreparedRequest, facets: Facets, row: Row) -> Decision:
    """Return the decision for one resource, with every reason that supports it."""
    if prepared.refusal is not None:
        return Decision(is_permitted=False, reasons=(prepared.refusal,))
    opening = prepared.opening(facets)
    if opening is not None:
        opened = Reason(because=Because.OVERLAY, name=opening.name)
        return Decision(is_permitted=True, reasons=(opened,))
    facets = prepared.as_asked(facets)
    match = _row_matcher(facets, row, prepared.context)
    answers = [
        _answer(poll, match, facets, prepared.default) for poll in prepared.polls
    ]
    denied = [answer for answer in answers if not answer.is_permitted]
    return Decision(
        is_permitted=not denied,
        reasons=tuple(
            reason for answer in denied or answers for reason in answer.reasons
        ),
    )


def _row_matcher(facets: Facets, row: Row, context: Context) -> Matcher:
    def match(selector: Selector) -> Match:
        found = selector.matches(facets, context)
        return Match(evaluate(found.is_true, row), evaluate(found.not_false, row))

    return match


def _answer(
    poll: Poll, match: Matcher, facets: Facets, default: DefaultPolicy
) -> Decision:
    """Return the decision on one question."""
    purpose = poll.question.purpose
    if poll.is_refused:
        refused = Reason(because=Because.BTG_NOT_ATTESTED, purpose=purpose)
        return Decision(is_permitted=False, reasons=(refused,))
    found = [
        (ballot, vote(ballot, match, facets, (purpose,))) for ballot in poll.ballots
    ]
    for is_permitted, side in ((False, "deny"), (True, "permit")):
        voters = [ballot for ballot, vote in found if getattr(vote, side)]
        if voters:
            return Decision(
                is_permitted=is_permitted,
                reasons=tuple(
                    reason
                    for ballot in voters
                    for reason in _vote_reasons(ballot, match, side, poll.question)
                ),
            )
    silent = _restricted if is_restricted(facets) else _fallen_back
    return silent(poll, match, facets, default)


def _fallen_back(
    poll: Poll, _: Matcher, facets: Facets, default: DefaultPolicy
) -> Decision:
    """Return what holds where no consent votes."""
    purpose, action = poll.question
    reason = Reason(
        because=Because.DEFAULT, name=default.value, purpose=purpose, action=action
    )
    return Decision(
        is_permitted=falls_back(default, purpose, facets), reasons=(reason,)
    )


def _restricted(
    poll: Poll, match: Matcher, facets: Facets, _: DefaultPolicy
) -> Decision:
    """Return the denial by law, with every consent that is not enough for it."""
    purpose, action = poll.question
    reasons = [
        Reason(
            because=Because.OVERLAY,
            name=PART_2,
            path=ballot.consent.reference,
            purpose=purpose,
            action=action,
        )
        for ballot in poll.ballots
        if ballot.live is not None
        and votes(ballot.live, match).permit
        and not may_permit(ballot.consent, facets, (purpose,))
    ]
    none = Reason(because=Because.OVERLAY, name=PART_2, purpose=purpose, action=action)
    return Decision(is_permitted=False, reasons=tuple(reasons) or (none,))


def _vote_reasons(
    ballot: Ballot, match: Matcher, side: str, question: Question
) -> Iterator[Reason]:
    consent = ballot.consent
    if ballot.live is None:
        because = Because.INDETERMINATE
        paths: list[str | None] = [None]
    else:
        because = Because(side)
        paths = list(deciding(ballot.live, match, side))
    for path in paths:
        yield Reason(
            because=because,
            name=consent.reference,
            version=consent.version,
            path=path,
            purpose=question.purpose,
            action=question.action,
        )
