"""The view as SQL: which rows of one patient a request may see.

`signature_id IN (permitted)` plus the few atoms that a signature leaves open. It
fails closed: a signature that appears meanwhile is in no list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consent.formula import (
    And,
    EndGE,
    EndLE,
    Formula,
    Not,
    Or,
    StartGE,
    StartLE,
)
from fhir_service.storage.statement import DialectName, Scalar, array

Clause = tuple[str, tuple[object, ...]]
"""SQL text with `?` placeholders, and the values in their order."""

EVERYBODY = -1
"""The patient key of a view over all patients."""

NOTHING: Clause = ("1 = 0", ())
EVERYTHING: Clause = ("", ())


@dataclass(frozen=True, slots=True)
class Coded:
    """The row is indexed under one of these codings, beside its signature."""

    coding_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mentioning:
    """The row is indexed under one of these references, beside its signature."""

    hashes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Identified:
    """The row is the resource of one of these ids."""

    type_id: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authored:
    """A Provenance of the row, stored or rendered, names this agent."""

    agent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a request may see of one patient's rows of one type, or of everybody's.

    Attributes:
        patient_key: Whose; `EVERYBODY` for all patients.
        groups: (condition, signatures it governs); a row of no group is hidden.
        whole: Every signature of the type is permitted without condition, and the
            list of signatures is that of the same snapshot.

    """

    patient_key: int
    groups: tuple[tuple[Formula, tuple[int, ...]], ...]
    whole: bool

    @property
    def is_empty(self) -> bool:
        """Nothing can be seen."""
        return not self.groups

    @property
    def is_all_or_nothing(self) -> bool:
        """No row has to be looked at."""
        return self.whole or self.is_empty

    def formula(self, signature_id: int) -> Formula:
        """Return the condition for rows of a signature; never where it is in none."""
        for formula, ids in self.groups:
            if signature_id in ids:
                return formula
        return False

    def of_code(self, signatures: frozenset[int]) -> "View":
        """Return the part that concerns these signatures, the only possible ones."""
        groups = tuple(
            (formula, kept)
            for formula, ids in self.groups
            if (kept := tuple(id_ for id_ in ids if id_ in signatures))
        )
        return View(
            patient_key=self.patient_key,
            groups=groups,
            whole=self.whole,
        )


def clause(view: View, dialect: DialectName) -> Clause:
    """Return the predicate on the columns of the table whose alias is `o`."""
    if view.whole:
        return EVERYTHING
    if view.is_empty:
        return NOTHING
    texts: list[str] = []
    values: list[object] = []
    for formula, ids in view.groups:
        text, bound = _members("signature_id", ids, dialect)
        condition, more = _formula(formula, dialect)
        texts.append(f"({text} AND {condition})" if condition else text)
        values += [*bound, *more]
    return _balanced(" OR ", texts), tuple(values)


def _members(column: str, values: Sequence[Scalar], dialect: DialectName) -> Clause:
    """Return that a column is one of these numbers or texts."""
    if dialect == "sqlite":
        text = f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - fixed texts
    else:
        text = f"{column} = ANY(?)"
    return text, (array(values, dialect),)


def _formula(formula: Formula, dialect: DialectName) -> Clause:
    if formula is True:
        return EVERYTHING
    if formula is False:
        return NOTHING
    return _ATOMS[type(formula)](formula, dialect)


MOST_TERMS = 32
"""Terms of one flat AND or OR; SQLite refuses an expression of 1000 levels."""


def _balanced(word: str, texts: Sequence[str]) -> str:
    """Return the joined texts, nested so that no branch is deep."""
    while len(texts) > MOST_TERMS:
        texts = [
            f"({word.join(texts[at : at + MOST_TERMS])})"
            for at in range(0, len(texts), MOST_TERMS)
        ]
    return f"({word.join(texts)})"


def _joined(word: str, parts: Sequence[Formula], dialect: DialectName) -> Clause:
    texts: list[str] = []
    values: list[object] = []
    for part in parts:
        text, bound = _formula(part, dialect)
        texts.append(text or "1 = 1")
        values.extend(bound)
    return _balanced(word, texts), tuple(values)


_OWN = "x.patient_key = o.patient_key AND x.row = o.row"


def _coded(atom: Coded, dialect: DialectName) -> Clause:
    text, values = _members("x.coding_id", atom.coding_ids, dialect)
    return f"EXISTS (SELECT 1 FROM row_coding x WHERE {_OWN} AND {text})", values  # noqa: S608 - fixed texts


def _mentioning(atom: Mentioning, dialect: DialectName) -> Clause:
    text, values = _members("x.hash", atom.hashes, dialect)
    return f"EXISTS (SELECT 1 FROM row_mention x WHERE {_OWN} AND {text})", values  # noqa: S608 - fixed texts


def _identified(atom: Identified, dialect: DialectName) -> Clause:
    """Return that the row has one of the ids: asked of the live directory."""
    text, values = _members("d.id", atom.ids, dialect)
    return (
        f"o.row IN (SELECT d.row FROM directory d WHERE d.type = ? AND {text})",  # noqa: S608 - fixed texts
        (atom.type_id, *values),
    )


def _authored(atom: Authored, _: DialectName) -> Clause:
    """Return that a stored Provenance names the agent, or the batch of a version."""
    batches = " OR ".join(
        "EXISTS (SELECT 1 FROM "  # noqa: S608 - fixed texts
        f"{table} x JOIN ingest_batch b ON b.batch_id = x.batch_id "
        f"WHERE {_OWN} AND (b.organization = ? OR b.person = ?))"
        for table in ("resource", "resource_history")
    )
    named = (
        "o.row IN (SELECT d.row FROM provenance_agent a "
        "JOIN directory d ON d.type = a.type AND d.id = a.id "
        "WHERE a.agent = ?)"
    )
    return f"({named} OR {batches})", (atom.agent,) * 5


def _negated(node: Not, dialect: DialectName) -> Clause:
    text, values = _formula(node.part, dialect)
    return f"NOT {text or '(1 = 1)'}", values


_ATOMS: Mapping[type, Callable[..., Clause]] = {
    StartGE: lambda atom, _: ("c_start >= ?", (atom.us,)),
    StartLE: lambda atom, _: ("c_start <= ?", (atom.us,)),
    EndGE: lambda atom, _: ("c_end >= ?", (atom.us,)),
    EndLE: lambda atom, _: ("c_end <= ?", (atom.us,)),
    Coded: _coded,
    Mentioning: _mentioning,
    Identified: _identified,
    Authored: _authored,
    And: lambda node, dialect: _joined(" AND ", node.parts, dialect),
    Or: lambda node, dialect: _joined(" OR ", node.parts, dialect),
    Not: _negated,
}
