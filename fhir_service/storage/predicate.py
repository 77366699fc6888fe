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
from fhir_service.storage.statement import DialectName, array

Clause = tuple[str, tuple[object, ...]]
"""SQL text with `?` placeholders, and the values in their order."""

EVERYBODY = -1
"""The patient key of a view over all patients."""

NOTHING: Clause = ("1 = 0", ())
EVERYTHING: Clause = ("", ())


@dataclass(frozen=True, slots=True)
class HasCodingId:
    """The row is indexed under this coding, beside its signature."""

    coding_id: int


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
        text, bound = _members(ids, dialect)
        condition, more = _formula(formula, view.patient_key)
        texts.append(f"({text} AND {condition})" if condition else text)
        values += [*bound, *more]
    return f"({' OR '.join(texts)})", tuple(values)


def _members(ids: Sequence[int], dialect: DialectName) -> Clause:
    if dialect == "sqlite":
        text = "signature_id IN (SELECT value FROM json_each(?))"
    else:
        text = "signature_id = ANY(?)"
    return text, (array(ids, dialect),)


def _formula(formula: Formula, patient_key: int) -> Clause:
    if formula is True:
        return EVERYTHING
    if formula is False:
        return NOTHING
    return _ATOMS[type(formula)](formula, patient_key)


def _joined(word: str, parts: Sequence[Formula], patient_key: int) -> Clause:
    texts: list[str] = []
    values: list[object] = []
    for part in parts:
        text, bound = _formula(part, patient_key)
        texts.append(text or "1 = 1")
        values.extend(bound)
    return f"({word.join(texts)})", tuple(values)


def _coding(atom: HasCodingId, _patient_key: int) -> Clause:
    own = "c.patient_key = o.patient_key AND c.row = o.row"
    return (
        f"EXISTS (SELECT 1 FROM row_coding c WHERE {own} AND c.coding_id = ?)",  # noqa: S608 - fixed texts
        (atom.coding_id,),
    )


def _negated(node: Not, patient_key: int) -> Clause:
    text, values = _formula(node.part, patient_key)
    return f"NOT {text or '(1 = 1)'}", values


_ATOMS: Mapping[type, Callable[..., Clause]] = {
    StartGE: lambda atom, _: ("c_start >= ?", (atom.us,)),
    StartLE: lambda atom, _: ("c_start <= ?", (atom.us,)),
    EndGE: lambda atom, _: ("c_end >= ?", (atom.us,)),
    EndLE: lambda atom, _: ("c_end <= ?", (atom.us,)),
    HasCodingId: _coding,
    And: lambda node, key: _joined(" AND ", node.parts, key),
    Or: lambda node, key: _joined(" OR ", node.parts, key),
    Not: _negated,
}
