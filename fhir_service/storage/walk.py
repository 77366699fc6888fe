"""A page over all patients: candidates first, and then what may be seen of them.

The index is walked in stretches without the predicate of consent, which grows with the
number of patients; the decisions are those on whom a stretch meets. Where most of it
is hidden, the rest is left to the predicate. It fails closed: what has no view, and a
signature that its view does not name, is hidden.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from consent.formula import Formula
from fhir_service.storage.conditions import all_of, members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import EVERYBODY, View, clause
from fhir_service.storage.views import Views

Place = tuple[int, int]
"""Key of the order, and row."""

Candidate = tuple[int, int, int, int]
"""Key of the order, row, patient and signature."""

_Formulas = Mapping[tuple[int, int], Formula]
"""Patient and signature → the condition under which rows may be seen."""

Stretch = Callable[[Place | None, int], list[Candidate]]
"""Returns up to so many candidates after a place, in order."""

LEAST, MOST = 50, 4_096
"""Candidates of a stretch."""

TIMES = 3
"""How much longer than the one before a stretch is at most."""

STRETCHES = 3
"""After so many, the predicate is asked for what is missing."""


def walked(
    snapshot: Snapshot, views: Views, count: int, stretch: Stretch
) -> tuple[list[Place], Place | None]:
    """Return up to `count` places that may be seen, in order.

    Beside them: where the walk was given up; None where nothing is missing.
    """
    found: list[Place] = []
    after: Place | None = None
    length = _bounded(count, MOST)
    for _ in range(STRETCHES):
        candidates = stretch(after, length)
        seen = _seen(snapshot, views, candidates)
        found += seen
        missing = count - len(found)
        if missing <= 0 or len(candidates) < length:
            return found[:count], None
        after = candidates[-1][:2]
        # Twice as many as it takes if as much of them is hidden as of those before.
        length = _bounded(2 * missing * length // (len(seen) + 1), TIMES * length)
    return found, after


def _bounded(length: int, most: int) -> int:
    return min(max(length, LEAST), most, MOST)


def _seen(
    snapshot: Snapshot, views: Views, candidates: Sequence[Candidate]
) -> list[Place]:
    """Return the candidates that may be seen."""
    formulas = _formulas(views, {one[2:] for one in candidates})
    held = _held(snapshot, candidates, formulas)
    return [
        one[:2] for one in candidates if formulas[one[2:]] is True or one[1] in held
    ]


def _formulas(views: Views, met: Collection[tuple[int, int]]) -> _Formulas:
    """Return on what condition rows of some patients' signatures may be seen."""
    of = views.of({patient_key for patient_key, _ in met})
    return {
        (patient_key, signature_id): patient_key in of
        and of[patient_key].formula(signature_id)
        for patient_key, signature_id in met
    }


def _held(
    snapshot: Snapshot, candidates: Iterable[Candidate], formulas: _Formulas
) -> frozenset[int]:
    """Return the rows whose condition has to be looked up, and holds."""
    groups: dict[Formula, list[int]] = defaultdict(list)
    for (_, signature_id), formula in formulas.items():
        if not isinstance(formula, bool):
            groups[formula].append(signature_id)
    rows = [one[1] for one in candidates if not isinstance(formulas[one[2:]], bool)]
    if not rows:
        return frozenset()
    view = View(
        patient_key=EVERYBODY,
        groups=tuple((formula, tuple(ids)) for formula, ids in groups.items()),
        whole=False,
    )
    dialect = snapshot.dialect
    text, values = all_of([members("o.row", rows, dialect), clause(view, dialect)])
    sql = f"SELECT o.row FROM resource o WHERE {text}"  # noqa: S608 - fixed texts
    return frozenset(row for (row,) in snapshot.sql(text_of(sql, dialect), values))
