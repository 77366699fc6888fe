"""Decision vectors: files that say what is released, run through every decider.

`python -m consent.vectors FILE…` runs files of the format `consent-vectors/1`. A
decider is any implementation of the decision; others than this package's evaluator
register a factory in the entry-point group `consent.deciders`. A vector that only
one implementation passes proves little: fewer than two deciders is a failure.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from consent.explain import decide_resource
from consent.formula import evaluate
from consent.vector_cases import Case, case_questions, cases

GROUP = "consent.deciders"

_MIN_DECIDERS = 2


Decider = Callable[[Case], Mapping[str, bool]]
"""Returns whether each resource of `Case.expect`, by name, is released."""

Factory = Callable[[], AbstractContextManager[Decider | None]]
"""What an entry point loads; its context yields None where it cannot run here."""


class Disagreement(Exception):  # noqa: N818 - what it is, not that it is one
    """The formulas of signatures and the per-resource decision differ."""


def decide(case: Case) -> dict[str, bool]:
    """Return the evaluator's answers, by signature and by resource.

    Raises:
        Disagreement: where the two ways differ.

    """
    return {
        name: agreed(
            f"{case.id} {name}",
            by_signature=evaluate(prepared.formula(described.facets), row),
            by_resource=decide_resource(prepared, described.facets, row).is_permitted,
        )
        for name, prepared, described, row in case_questions(case)
    }


def agreed(label: str, *, by_signature: bool, by_resource: bool) -> bool:
    """Return the answer that both ways give.

    Raises:
        Disagreement: where they differ.

    """
    if by_signature is not by_resource:
        raise Disagreement(label)
    return by_signature


@contextmanager
def evaluator() -> Iterator[Decider]:
    """Offer this package's evaluator."""
    yield decide


BUILT_IN: Mapping[str, Factory] = {"evaluator": evaluator}
"""Deciders that need no installation."""


def factories() -> dict[str, Factory]:
    """Return the deciders known here: this package's, and the installed ones."""
    installed = {point.name: point.load() for point in entry_points(group=GROUP)}
    return {**installed, **BUILT_IN}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One expectation, put to one decider.

    Attributes:
        decider: Its name.
        case: The vector's id.
        resource: The resource's name.
        expected: Whether it should be released.
        got: Whether it was; None where the decider failed.
        error: How it failed.

    """

    decider: str
    case: str
    resource: str
    expected: bool
    got: bool | None
    error: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether the answer is the expected one."""
        return self.got is self.expected

    def __str__(self) -> str:
        got = _WORDS[self.got] + (f" ({self.error})" if self.error else "")
        return (
            f"{self.decider}: {self.case} {self.resource}: "
            f"expected {_WORDS[self.expected]}, got {got}"
        )


_WORDS = {True: "permit", False: "withhold", None: "no answer"}


def run(path: Path, decider: Decider, name: str = "decider") -> list[Outcome]:
    """Return an outcome for each expectation of the file."""
    return [outcome for case in cases(path) for outcome in _ask(case, decider, name)]


def _ask(case: Case, decider: Decider, name: str) -> Iterator[Outcome]:
    answers: Mapping[str, bool] = {}
    error = ""
    try:
        answers = decider(case)
    except Exception as failure:  # noqa: BLE001 - a decider that fails has not passed
        error = f"{type(failure).__name__}: {failure}"
    for resource, expected in case.expect.items():
        yield Outcome(
            decider=name,
            case=case.id,
            resource=resource,
            expected=expected,
            got=answers.get(resource),
            error=error,
        )


def main(
    arguments: Sequence[str] | None = None,
    known: Mapping[str, Factory] | None = None,
) -> int:
    """Run the files through the deciders; return 0 where all is well, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m consent.vectors",
        description="Run consent decision vectors through every registered decider.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    paths = parser.parse_args(arguments).files
    with ExitStack() as stack:
        deciders, absent = _open(factories() if known is None else known, stack)
        outcomes = [
            outcome
            for name, decider in deciders.items()
            for path in paths
            for outcome in run(path, decider, name)
        ]
    _say(_report(deciders, absent, outcomes))
    is_failed = any(not outcome.is_passed for outcome in outcomes)
    return 1 if is_failed or len(deciders) < _MIN_DECIDERS else 0


def _open(
    known: Mapping[str, Factory], stack: ExitStack
) -> tuple[dict[str, Decider], list[str]]:
    deciders = {}
    absent = []
    for name, factory in sorted(known.items()):
        decider = stack.enter_context(factory())
        if decider is None:
            absent.append(name)
        else:
            deciders[name] = decider
    return deciders, absent


def _report(
    deciders: Iterable[str], absent: Iterable[str], outcomes: Sequence[Outcome]
) -> Iterator[str]:
    names = list(deciders)
    yield f"Deciders: {', '.join(names)}"
    yield from (f"Not run here: {name}" for name in absent)
    if len(names) < _MIN_DECIDERS:
        yield f"At least {_MIN_DECIDERS} deciders must run."
    failures = [outcome for outcome in outcomes if not outcome.is_passed]
    yield from map(str, failures)
    yield f"{len(outcomes) - len(failures)} passed, {len(failures)} failed"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
