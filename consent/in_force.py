"""Which of a patient's consents may vote on a question, and until when.

Active, of the patient, of a scope that speaks for the purpose, written and begun, not
ended. A broken period counts as one that contains every moment, so that the linter
sees it.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from consent.codes import RESEARCH, is_purpose
from consent.decision import DefaultPolicy
from consent.formula import Coding
from consent.overlays import Overlay
from consent.provisions import ParsedConsent, Scope
from consent.request import AccessRequest
from consent.request_selectors import Kind, match_purpose
from consent.topology import NO_DEVICES, Topology
from consent.truth import Truth
from consent.votes import Live, Question, prune


@dataclass(frozen=True, kw_only=True)
class Enforced:
    """What a store can enforce; a consent that asks for more is indeterminate.

    Attributes:
        elements: Names of provision elements.
        depth: Levels of provisions below the root.

    """

    elements: frozenset[str]
    depth: int

    def covers(self, consent: ParsedConsent) -> bool:
        """Whether every element of the consent is enforced."""
        return consent.elements <= self.elements and consent.depth <= self.depth


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The deployment's choices; changing one is a new policy version.

    Attributes:
        default: What applies where no consent votes.
        enforced: What the store can enforce; None where it is everything.

    """

    default: DefaultPolicy = DefaultPolicy.DENY
    enforced: Enforced | None = None

    def enforces(self, consent: ParsedConsent) -> bool:
        """Whether every element of the consent is enforced."""
        return self.enforced is None or self.enforced.covers(consent)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose rows are asked for.

    Attributes:
        patient: As `Type/id`; None for rows that are nobody's.
        topology: The patient's devices.
        managing_organization: `Patient.managingOrganization`, as `Type/id`.
        standing: What the person behind the request is to the patient.

    """

    patient: str | None
    topology: Topology = NO_DEVICES
    managing_organization: str | None = None
    standing: Overlay | None = None


class Ballot(NamedTuple):
    """A consent that may vote.

    Attributes:
        consent: The consent.
        live: Its tree; None where it is indeterminate, which is a deny.

    """

    consent: ParsedConsent
    live: Live | None


def ballots(
    consents: Sequence[ParsedConsent],
    question: Question,
    request: AccessRequest,
    subject: Subject,
    policy: Policy,
) -> Iterator[Ballot]:
    """Yield the consents that are in force for the question and not silent."""
    for consent in consents:
        speaks = _speaks_for(consent.scope, question.purpose)
        if speaks is False or not _is_in_force(consent, subject, request.at_us):
            continue
        if consent.root is None or not policy.enforces(consent):
            yield Ballot(consent, None)
            continue
        live = prune(consent.root, question, request, above=speaks is True)
        if live is not None:
            yield Ballot(consent, live)


def _is_in_force(consent: ParsedConsent, subject: Subject, at_us: int) -> bool:
    return (
        consent.is_active
        and consent.patient is not None
        and consent.patient == subject.patient
        and (consent.from_us is None or consent.from_us <= at_us)
        and consent.period.contains(at_us)
    )


def _speaks_for(scope: Scope, purpose: Coding | None) -> Truth:
    """Return whether a consent of the scope speaks for the purpose.

    Unknown where a research consent may be meant: it may deny, but not permit.
    """
    if scope is not Scope.RESEARCH:
        return scope is not Scope.OTHER
    if purpose is not None and is_purpose(purpose, RESEARCH):
        return True
    may_be = match_purpose(RESEARCH, purpose, Kind.DENY)
    return False if may_be is False else None


def validity(
    consents: Sequence[ParsedConsent], at_us: int
) -> tuple[int | None, int | None]:
    """Return from when, and until before when, time alone changes no answer.

    Both in microseconds; None is open. A cached decision is used in [from, until).
    """
    moments = [moment for consent in consents for moment in consent.boundaries]
    return (
        max((moment for moment in moments if moment <= at_us), default=None),
        min((moment for moment in moments if moment > at_us), default=None),
    )
