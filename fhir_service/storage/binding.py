"""Formulas of consent in the terms of the indexes, and the facts of one row.

A consent speaks of codings and references; the indexes hold numbers and hashes. What
no row of the patient can have is false here already. The same bound formula is asked
of many rows as SQL (`storage.predicate`) and of one row here.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from conformance import fhir_json
from conformance.definitions import is_resource_type
from consent.contents import walk
from consent.formula import (
    LINKS,
    TIMES,
    And,
    AuthoredBy,
    Formula,
    HasCoding,
    Instance,
    Mentions,
    Not,
    Or,
    RefersTo,
    Row,
    conjunction,
    disjunction,
    evaluate,
    negation,
    replaced,
    strengthen,
)
from consent.labels import UNLABELLED
from consent.references import local
from consent.signature import Description, describe
from fhir_service.storage import authorship, concepts, mentions, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import Authored, Coded, Identified, Mentioning
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored

ASKABLE = TIMES | LINKS
"""Atoms that the indexes answer; what hangs on another is withheld."""


class Binder:
    """Binds formulas about one patient's rows, in one snapshot.

    Args:
        snapshot: Of the decision.
        repository: Where what a consent names is read.
        patient_key: Whose rows.

    """

    def __init__(
        self, snapshot: Snapshot, repository: Repository, patient_key: int
    ) -> None:
        self._snapshot = snapshot
        self._repository = repository
        self._patient_key = patient_key
        self._followed: dict[str, frozenset[str]] = {}

    def linked(self, formula: Formula) -> Formula:
        """Return the formula with what a named resource refers to told by name.

        Whatever the indexes cannot answer is withheld.
        """
        return replaced(strengthen(formula, ASKABLE), self._link)

    def bound(self, formula: Formula) -> Formula:
        """Return the formula over numbers and hashes."""
        return _merged(replaced(self.linked(formula), self._bind))

    def refers_to(self, reference: str) -> frozenset[str]:
        """Return what the current version of a resource refers to."""
        found = self._followed.get(reference)
        if found is None:
            found = self._followed[reference] = self._read(reference)
        return found

    def _read(self, reference: str) -> frozenset[str]:
        type_, _, id_ = reference.partition("/")
        if not is_resource_type(type_):
            return frozenset()
        stored = self._repository.read(self._snapshot, type_, id_)
        if stored is None or stored.deleted:
            return frozenset()
        body = fhir_json.loads(self._repository.body(self._snapshot, stored))
        bases = self._repository.deployment.own_bases
        found = {local(text, bases) for text in walk(body).references}
        return frozenset(text for text in found if text is not None)

    def _link(self, atom: Any) -> Formula:
        if not isinstance(atom, RefersTo):
            found: Formula = atom
            return found
        return disjunction(
            [Instance(target) for target in sorted(self.refers_to(atom.reference))]
        )

    @cached_property
    def _codings(self) -> Mapping[concepts.Coding, int]:
        return concepts.other_codings(self._snapshot, self._patient_key)

    def _bind(self, atom: Any) -> Any:
        bind = _BINDINGS.get(type(atom))
        return atom if bind is None else bind(self, atom)

    def _coded(self, atom: HasCoding) -> Any:
        number = self._codings.get((atom.system, atom.code))
        return False if number is None else Coded((number,))

    def _mentioning(self, atom: Mentions) -> Any:
        return Mentioning((mentions.hash_of(self._repository.blind, atom.reference),))

    def _identified(self, atom: Instance) -> Any:
        type_, _, id_ = atom.reference.partition("/")
        return is_resource_type(type_) and Identified(types.number_of(type_), (id_,))

    def _authored(self, atom: AuthoredBy) -> Any:
        return Authored(atom.reference)


_BINDINGS: Mapping[type, Any] = {
    HasCoding: Binder._coded,  # noqa: SLF001 - its own table
    Mentions: Binder._mentioning,  # noqa: SLF001 - likewise
    Instance: Binder._identified,  # noqa: SLF001 - likewise
    AuthoredBy: Binder._authored,  # noqa: SLF001 - likewise
}


def _merged(formula: Formula) -> Formula:
    """Return the formula with alternatives of one index asked at once."""
    if isinstance(formula, Or):
        return disjunction(_alternatives(_merged(part) for part in formula.parts))
    if isinstance(formula, And):
        return conjunction([_merged(part) for part in formula.parts])
    if isinstance(formula, Not):
        return negation(_merged(formula.part))
    return formula


def _alternatives(parts: Iterable[Any]) -> list[Any]:
    others: list[Any] = []
    codings: list[int] = []
    hashes: list[int] = []
    ids: dict[int, list[str]] = {}
    for part in parts:
        match part:
            case Coded(numbers):
                codings += numbers
            case Mentioning(found):
                hashes += found
            case Identified(type_id, named):
                ids.setdefault(type_id, []).extend(named)
            case _:
                others.append(part)
    if codings:
        others.append(Coded(tuple(codings)))
    if hashes:
        others.append(Mentioning(tuple(hashes)))
    others += [Identified(type_id, tuple(named)) for type_id, named in ids.items()]
    return others


class RowFacts:
    """What bound formulas ask of one stored version.

    Args:
        snapshot: Of the decision.
        repository: Of the same database.
        stored: The version.

    """

    def __init__(
        self, snapshot: Snapshot, repository: Repository, stored: Stored
    ) -> None:
        self._snapshot = snapshot
        self._repository = repository
        self._stored = stored

    def holds(self, formula: Formula) -> bool:
        """Whether the bound formula holds for the version."""
        times = Row(
            reference="", start_us=self._stored.c_start, end_us=self._stored.c_end
        )
        return evaluate(replaced(formula, self._settle), times)

    def row(self, followed: Iterable[str] = ()) -> Row:
        """Return the facts as a consent words them.

        Args:
            followed: Resources of which it is asked whether they refer to the row.

        """
        binder = Binder(self._snapshot, self._repository, self._stored.patient_key)
        described, reference = self._described, self._reference
        return Row(
            reference=reference,
            start_us=self._stored.c_start,
            end_us=self._stored.c_end,
            mentions=described.mentions,
            referred_by=frozenset(
                each for each in followed if reference in binder.refers_to(each)
            ),
            authors=self._authors,
            codings=described.codings,
        )

    @cached_property
    def _body(self) -> Mapping[str, Any]:
        body: Mapping[str, Any] = fhir_json.loads(
            self._repository.body(self._snapshot, self._stored)
        )
        return body

    @cached_property
    def _reference(self) -> str:
        return f"{self._body['resourceType']}/{self._body['id']}"

    @cached_property
    def _described(self) -> Description:
        return describe(
            self._body, labels=UNLABELLED, deployment=self._repository.deployment
        )

    @cached_property
    def _codings(self) -> frozenset[int]:
        known = concepts.other_codings(self._snapshot, self._stored.patient_key)
        held = self._described.codings
        return frozenset(known[coding] for coding in held if coding in known)

    @cached_property
    def _hashes(self) -> frozenset[int]:
        blind = self._repository.blind
        return frozenset(
            mentions.hash_of(blind, reference) for reference in self._described.mentions
        )

    @cached_property
    def _authors(self) -> frozenset[str]:
        id_ = self._body["id"]
        stored = self._stored
        return authorship.authors_of(self._snapshot, stored.type_id, id_, stored.row)

    def _settle(self, atom: Any) -> Formula:
        match atom:
            case Coded(numbers):
                return not self._codings.isdisjoint(numbers)
            case Mentioning(hashes):
                return not self._hashes.isdisjoint(hashes)
            case Identified(type_id, ids):
                return self._stored.type_id == type_id and self._body["id"] in ids
            case Authored(agent):
                return agent in self._authors
        found: Formula = atom
        return found
