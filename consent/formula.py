"""Boolean formulas over what a signature leaves open: a row's time and its links.

A formula is `True`, `False`, an atom, or `And`, `Or` and `Not` over formulas.
Atoms are facts about one row: they are never unknown, so two-valued logic is enough
and SQL needs no NULL. Times are the row's consent times in microseconds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Coding = tuple[str, str]
"""Code system and code."""


@dataclass(frozen=True, slots=True)
class StartGE:
    """The row's clinical interval starts at or after the moment."""

    us: int


@dataclass(frozen=True, slots=True)
class StartLE:
    """The row's clinical interval starts at or before the moment."""

    us: int


@dataclass(frozen=True, slots=True)
class EndGE:
    """The row's clinical interval ends at or after the moment."""

    us: int


@dataclass(frozen=True, slots=True)
class EndLE:
    """The row's clinical interval ends at or before the moment."""

    us: int


@dataclass(frozen=True, slots=True)
class Instance:
    """The row is this resource."""

    reference: str


@dataclass(frozen=True, slots=True)
class RefersTo:
    """This resource refers to the row, from anywhere in its JSON."""

    reference: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """The row refers to this resource otherwise than its signature tells."""

    reference: str


@dataclass(frozen=True, slots=True)
class AuthoredBy:
    """A Provenance of the row names this agent, which its signature may not tell."""

    reference: str


@dataclass(frozen=True, slots=True)
class HasCoding:
    """The row holds this coding otherwise than its signature tells."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds; two parts or more, none a constant, none an `And`."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds; two parts or more, none a constant, none an `Or`."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; never a constant, a time or a `Not`."""

    part: "Formula"


Link = Instance | RefersTo | Mentions | AuthoredBy | HasCoding
Atom = StartGE | StartLE | EndGE | EndLE | Link
Formula = bool | Atom | And | Or | Not

TIMES: frozenset[type] = frozenset({StartGE, StartLE, EndGE, EndLE})
"""Atoms that ask for the row's times."""

LINKS: frozenset[type] = frozenset(
    {Instance, RefersTo, Mentions, AuthoredBy, HasCoding}
)
"""Atoms that ask for the row's identity, references, authors or other codings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The facts of one row that atoms ask for.

    Attributes:
        reference: The row itself, as `Type/id`.
        start_us: First microsecond of its clinical interval; any value if undated.
        end_us: Last microsecond of it.
        mentions: What it refers to, the signature's references left out or not.
        referred_by: Resources that refer to it.
        authors: Agents that its Provenances name.
        codings: Codings that its signature does not hold.

    """

    reference: str
    start_us: int = 0
    end_us: int = 0
    mentions: frozenset[str] = field(default=frozenset())
    referred_by: frozenset[str] = field(default=frozenset())
    authors: frozenset[str] = field(default=frozenset())
    codings: frozenset[Coding] = field(default=frozenset())


def conjunction(parts: Iterable[Formula]) -> Formula:
    """Return the simplest formula that holds when every part does."""
    kept: dict[int, Formula] = {}
    for part in parts:
        if part is False:
            return False
        if type(part) is And:
            kept.update((id(inner), inner) for inner in part.parts)
        elif part is not True:
            kept[id(part)] = part
    if len(kept) > 1:
        return And(tuple(kept.values()))
    return next(iter(kept.values()), True)


def disjunction(parts: Iterable[Formula]) -> Formula:
    """Return the simplest formula that holds when some part does."""
    kept: dict[int, Formula] = {}
    for part in parts:
        if part is True:
            return True
        if type(part) is Or:
            kept.update((id(inner), inner) for inner in part.parts)
        elif part is not False:
            kept[id(part)] = part
    if len(kept) > 1:
        return Or(tuple(kept.values()))
    return next(iter(kept.values()), False)


def negation(part: Formula) -> Formula:
    """Return the simplest formula that holds when the part does not."""
    match part:
        case bool():
            return not part
        case Not():
            return part.part
        case StartGE() | StartLE() | EndGE() | EndLE():
            return _OPPOSITES[type(part)](part.us)
        case _:
            return Not(part)


_OPPOSITES: dict[type, Callable[[int], Atom]] = {
    StartGE: lambda us: StartLE(us - 1),
    StartLE: lambda us: StartGE(us + 1),
    EndGE: lambda us: EndLE(us - 1),
    EndLE: lambda us: EndGE(us + 1),
}


def evaluate(formula: Formula, row: Row) -> bool:
    """Return whether the formula holds for the row."""
    if formula is True or formula is False:
        return formula
    return _EVALUATORS[type(formula)](formula, row)


_EVALUATORS: dict[type, Callable[..., bool]] = {
    StartGE: lambda atom, row: row.start_us >= atom.us,
    StartLE: lambda atom, row: row.start_us <= atom.us,
    EndGE: lambda atom, row: row.end_us >= atom.us,
    EndLE: lambda atom, row: row.end_us <= atom.us,
    Instance: lambda atom, row: row.reference == atom.reference,
    RefersTo: lambda atom, row: atom.reference in row.referred_by,
    Mentions: lambda atom, row: atom.reference in row.mentions,
    AuthoredBy: lambda atom, row: atom.reference in row.authors,
    HasCoding: lambda atom, row: (atom.system, atom.code) in row.codings,
    And: lambda node, row: all(evaluate(part, row) for part in node.parts),
    Or: lambda node, row: any(evaluate(part, row) for part in node.parts),
    Not: lambda node, row: not evaluate(node.part, row),
}


def replaced(formula: Formula, atom: Callable[[Any], Formula]) -> Formula:
    """Return the formula with another one in the place of each atom."""
    if isinstance(formula, bool):
        return formula
    if isinstance(formula, And):
        return conjunction([replaced(part, atom) for part in formula.parts])
    if isinstance(formula, Or):
        return disjunction([replaced(part, atom) for part in formula.parts])
    if isinstance(formula, Not):
        return negation(replaced(formula.part, atom))
    return atom(formula)


def strengthen(formula: Formula, supported: frozenset[type]) -> Formula:
    """Return a formula of `supported` atoms that implies the given one.

    For a store that cannot ask for some atoms: what they would have decided is
    withheld, never released.
    """
    return _approximate(formula, supported, floor=True)


def _approximate(
    formula: Formula, supported: frozenset[type], *, floor: bool
) -> Formula:
    match formula:
        case bool():
            return formula
        case And(parts):
            return conjunction(_approximate(p, supported, floor=floor) for p in parts)
        case Or(parts):
            return disjunction(_approximate(p, supported, floor=floor) for p in parts)
        case Not(part):
            return negation(_approximate(part, supported, floor=not floor))
        case _:
            return formula if type(formula) in supported else not floor
