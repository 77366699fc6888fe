"""What each requester gains and loses by a change of consents, in kinds of data.

Told of every kind of data that the service maps, whether the patient has any or not,
and of the other kinds that the patient has; then the rows are counted. So the answer
before a consent is filed is the answer after.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.issues import FHIRError, IssueType
from consent.codes import ACT_REASON
from consent.engine import PreparedRequest
from consent.facets import Facets
from consent.formula import Coding, Formula
from consent.membership import CLIENT_SYSTEM
from consent.provisions import ParsedConsent, Rule
from consent.references import type_of
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.auth.closure import topology_now
from fhir_service.auth.scopes import parse_scopes
from fhir_service.explaining.displays import class_of_data, name_of, sorts
from fhir_service.explaining.evaluation import permitted, purpose_name
from fhir_service.explaining.question import Question, Requester
from fhir_service.storage import registrations

Json = dict[str, Any]

MOST_REQUESTERS = 50
"""Requesters of one comparison."""

PERSONS = frozenset({"Patient", "Practitioner", "PractitionerRole", "RelatedPerson"})
"""Types of which a requester is an individual."""

_TREATMENT: Coding = (ACT_REASON, "TREAT")
_NEVER = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """A kind of data that is compared: its name, its class, what a consent asks."""

    name: str
    data_class: str | None
    facets: Facets


def changes(before: Question, after: Question) -> list[Json]:
    """Return what each requester that either version names gains and loses."""
    compared = _Compared(tuple(_pieces(before)))
    return [
        told
        for requester in requesters(before, after)
        if (told := _change(before.by(requester), after.by(requester), compared))
    ]


def _pieces(question: Question) -> Iterator[_Piece]:
    """Yield the kinds that the service maps, and what else the patient has."""
    for sort in sorts(question.repository.deployment):
        yield _Piece(name=sort.name, data_class=sort.data_class, facets=sort.facets)
    for ones in question.signatures.values():
        for one, _ in ones:
            if class_of_data(one.facets) is None:
                name = name_of(one.facets)
                yield _Piece(name=name, data_class=None, facets=one.facets)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Difference:
    """What becomes of the kinds of data, in their words."""

    gained: Sequence[str]
    lost: Sequence[str]
    other: Sequence[str]

    @property
    def is_none(self) -> bool:
        """Whether nothing becomes of any."""
        return not (self.gained or self.lost or self.other)


class _Compared:
    """The kinds of data that are compared, and what was found for requesters alike.

    Many clients of one organization are the same to every consent.
    """

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces
        self._rulings: list[tuple[Hashable, Sequence[Formula]]] = []
        self._differences: dict[tuple[int, int], _Difference] = {}

    def difference(self, old: PreparedRequest, new: PreparedRequest) -> _Difference:
        """Return what `new` changes."""
        pair = self._number(old), self._number(new)
        found = self._differences.get(pair)
        if found is None:
            found = self._differences[pair] = self._difference(*pair)
        return found

    def _difference(self, old: int, new: int) -> _Difference:
        formulas = zip(self._rulings[old][1], self._rulings[new][1], strict=True)
        gained, lost, other = [], [], []
        for piece, (before, after) in zip(self._pieces, formulas, strict=True):
            rank = _rank(after) - _rank(before)
            if rank > 0:
                gained.append(piece)
            elif rank < 0:
                lost.append(piece)
            elif after != before:
                other.append(piece)
        return _Difference(
            gained=tuple(_words(gained, self._pieces)),
            lost=tuple(_words(lost, self._pieces)),
            other=tuple(_words(other, self._pieces)),
        )

    def _number(self, prepared: PreparedRequest) -> int:
        """Return the place of the first ruling that is the same."""
        ruling = prepared.ruling
        for number, (known, _) in enumerate(self._rulings):
            if known == ruling:
                return number
        found = [prepared.formula(piece.facets) for piece in self._pieces]
        self._rulings.append((ruling, found))
        return len(self._rulings) - 1


def _change(before: Question, after: Question, compared: _Compared) -> Json | None:
    """Return what changes for one requester; None where nothing does."""
    found = compared.difference(before.prepared, after.prepared)
    rows = [_rows(question) for question in (before, after)]
    if found.is_none and rows[0] == rows[1]:
        return None
    return {
        **_who(before),
        "gains": list(found.gained),
        "loses": list(found.lost),
        "changesInPart": list(found.other),
        "rowsBefore": sum(rows[0].values()),
        "rowsAfter": sum(rows[1].values()),
    }


def _rank(formula: Formula) -> int:
    """Return how much is released: nothing, some rows, or all of them."""
    if isinstance(formula, bool):
        return 2 if formula else 0
    return 1


def _rows(question: Question) -> dict[int, int]:
    """Return signature → rows that the requester gets."""
    found: dict[int, int] = {}
    for type_, ones in question.signatures.items():
        rows, _ = permitted(question, type_)
        covered = [one.id for one, _ in ones if question.requester.covers(one)]
        found |= {id_: rows[id_] for id_ in covered if id_ in rows}
    return found


def _words(found: Sequence[_Piece], pieces: Sequence[_Piece]) -> Iterator[str]:
    """Yield a class by its name where all of it changes, else kind by kind."""
    names = {piece.name for piece in found}
    told: dict[str, None] = {}
    for piece in found:
        whole = {one.name for one in pieces if one.data_class == piece.data_class}
        is_whole = piece.data_class is not None and whole <= names
        told[str(piece.data_class) if is_whole else piece.name] = None
    yield from told


def _who(question: Question) -> Json:
    requester = question.requester
    return {
        "who": _name(requester),
        "purposes": list(map(purpose_name, requester.purposes)),
        "actions": list(question.request.actions),
    }


def _name(requester: Requester) -> str:
    if requester.is_client:
        return requester.grant.client_id
    return " ".join(sorted(requester.grant.actors)) or "anybody else"


def requesters(before: Question, after: Question) -> list[Requester]:
    """Return whose answers are compared.

    The clients of the managing organization, every client, organization and person
    whom either version names, and anybody else; those who are no client for each
    purpose that is named, and for treatment where none is.

    Raises:
        FHIRError: `too-costly` for more than `MOST_REQUESTERS`.

    """
    topology = topology_now(before.instant.snapshot)
    consents = {id(one): one for one in (*before.consents, *after.consents)}
    rules = [rule for one in consents.values() for rule in _rules(one)]
    named = {name for rule in rules for name in _actors(rule)}
    purposes = sorted({one for rule in rules for one in _purposes(rule)})
    clients = list(_clients(before, named))
    theirs = {f"{CLIENT_SYSTEM}|{one.grant.client_id}" for one in clients}
    others = [frozenset({name}) for name in sorted(named - theirs)]
    found = [
        *clients,
        *(
            _unregistered(actors, purpose)
            for actors in (*others, frozenset[str]())
            for purpose in purposes or [_TREATMENT]
        ),
    ]
    if len(found) > MOST_REQUESTERS:
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"A comparison is of at most {MOST_REQUESTERS} requesters.",
        )
    return [replace(one, grant=replace(one.grant, topology=topology)) for one in found]


def _clients(question: Question, named: set[str]) -> Iterator[Requester]:
    """Yield the managing organization's clients, and those named as themselves."""
    snapshot, managing = question.instant.snapshot, question.state.organization
    for one in registrations.all_clients(snapshot):
        is_own = managing is not None and one.organization == managing
        if one.removed is None and (
            is_own or f"{CLIENT_SYSTEM}|{one.client_id}" in named
        ):
            yield registered(local.of_client(one))


def registered(grant: Grant) -> Requester:
    """Return a client as the requester that its token would make it."""
    return Requester(
        grant=grant,
        purposes=tuple((ACT_REASON, code) for code in grant.purposes),
        individual_known=grant.individual_known,
        btg_attested=grant.is_attested,
    )


def _unregistered(actors: frozenset[str], purpose: Coding) -> Requester:
    return Requester(
        grant=unregistered(actors),
        purposes=(purpose,),
        individual_known=any(type_of(name) in PERSONS for name in actors),
        is_client=False,
    )


def unregistered(actors: frozenset[str], managing: str | None = None) -> Grant:
    """Return the grant of somebody who is no client: only the actors matter.

    Args:
        actors: What a consent may call whoever asks.
        managing: The organization that counts as theirs if they belong to it.

    """
    houses = sorted(name for name in actors if name.startswith("Organization/"))
    house = managing if managing in houses else next(iter(houses), None)
    return Grant(
        client_id="",
        client_name="",
        user=None,
        scopes=parse_scopes("system/*.rs"),
        purposes=(),
        organization=house,
        sources=frozenset(),
        actors=actors,
        individual_known=False,
        token_id=b"",
        expires=_NEVER,
    )


def _rules(consent: ParsedConsent) -> Iterator[Rule]:
    waiting = [] if consent.root is None else [consent.root]
    for rule in waiting:
        yield rule
        waiting.extend(rule.children)


def _actors(rule: Rule) -> Iterable[str]:
    return {name for one in rule.actors or () for name in one.names}


def _purposes(rule: Rule) -> Iterator[Coding]:
    for system, code in rule.purposes or ():
        if system is not None and code is not None:
            yield system, code
