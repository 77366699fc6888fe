"""Three-valued logic: `None` is what is not known.

A permit matches only what is certain, a deny matches everything it might mean. So
the match of a data selector is carried as a pair of formulas: that it is true, and
that it is not false.
"""

from collections.abc import Iterable
from typing import NamedTuple

from consent.formula import Formula, conjunction, disjunction

Truth = bool | None


def both(truths: Iterable[Truth]) -> Truth:
    """Return AND3: False if any is False, else unknown if any is unknown."""
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def either(truths: Iterable[Truth]) -> Truth:
    """Return OR3: True if any is True, else unknown if any is unknown."""
    result: Truth = False
    for truth in truths:
        if truth is True:
            return True
        if truth is None:
            result = None
    return result


class Match(NamedTuple):
    """A three-valued match that may depend on the row.

    Attributes:
        is_true: When the match is certain.
        not_false: When it cannot be ruled out; implied by `is_true`.

    """

    is_true: Formula
    not_false: Formula


MATCHES = Match(is_true=True, not_false=True)
UNKNOWN = Match(is_true=False, not_false=True)
DIFFERS = Match(is_true=False, not_false=False)

_CONSTANTS = {True: MATCHES, None: UNKNOWN, False: DIFFERS}


def constant(truth: Truth) -> Match:
    """Return the match that no row changes."""
    return _CONSTANTS[truth]


def exactly(formula: Formula) -> Match:
    """Return the match that is never unknown."""
    return Match(formula, formula)


def all_match(matches: Iterable[Match]) -> Match:
    """Return AND3 of the matches."""
    found = list(matches)
    return Match(
        conjunction([match.is_true for match in found]),
        conjunction([match.not_false for match in found]),
    )


def any_matches(matches: Iterable[Match]) -> Match:
    """Return OR3 of the matches."""
    found = list(matches)
    return Match(
        disjunction([match.is_true for match in found]),
        disjunction([match.not_false for match in found]),
    )
