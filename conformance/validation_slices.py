"""Which slice a value belongs to.

https://hl7.org/fhir/R4/profiling.html#discriminator
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from conformance import definitions
from conformance.validation_rules import Rule

Matcher = Callable[[Any, str], bool]
"""Tells of a value and its type whether a slice is theirs."""


class UnsupportedSlicing(ValueError):  # noqa: N818 - an answer the validator reports
    """Slices that are told apart in a way that is not understood."""


def matches_pattern(pattern: Any, value: Any) -> bool:
    """Return whether a value has everything that a pattern has (§5.1.0.4)."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and matches_pattern(member, value[key])
            for key, member in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(matches_pattern(member, item) for item in value) for member in pattern
        )
    return bool(pattern == value)


Test = Callable[[Any], bool]


def _of_any(holds: Test) -> Test:
    """Return a test of a value, or of any item where it is an array."""

    def test(value: Any) -> bool:
        if type(value) is list:
            for item in value:  # noqa: SIM110 - no generator where it is hot
                if holds(item):
                    return True
            return False
        return holds(value)

    return test


def _of_member(name: str, holds: Test) -> Test:
    """Return a test of what an object has under a name."""

    def test(value: Any) -> bool:
        return type(value) is dict and name in value and holds(value[name])

    return test


def _test(path: tuple[str, ...], holds: Test) -> Matcher:
    """Return the test of any value that a path of element names leads to."""
    test = _of_any(holds)
    for name in reversed(path):
        test = _of_any(_of_member(name, test))
    return lambda value, _type: test(value)


def _own_test(rule: Rule, path: tuple[str, ...]) -> Matcher | None:
    """Return the test of a rule's own fixed value, pattern or binding."""
    fixed, pattern, binding = rule.fixed, rule.pattern, rule.binding
    if fixed is not None:
        return _test(path, lambda value: bool(value == fixed))
    if pattern is not None:
        return _test(path, lambda value: matches_pattern(pattern, value))
    if binding is not None:
        return _binding_test(binding, path)
    return None


def _binding_test(canonical: str, path: tuple[str, ...]) -> Matcher | None:
    value_set = definitions.value_set(canonical)
    if value_set.not_checked is not None:
        return None

    def holds(value: Any) -> bool:
        codings = value.get("coding", [value]) if isinstance(value, dict) else []
        return any(
            coding.get("code") in value_set.systems.get(coding.get("system", ""), ())
            for coding in codings
        )

    return _test(path, holds)


def _tests(rule: Rule, path: tuple[str, ...]) -> Iterator[Matcher]:
    """Yield the tests of all that a rule, and what is beneath it, fixes."""
    own = _own_test(rule, path)
    if own is not None:
        yield own
        return
    for below in rule.slices.values():
        yield from _tests(below, path)
    for name, child in rule.children.items():
        yield from _tests(child, (*path, name))


def _at(rule: Rule, path: tuple[str, ...]) -> Iterator[Rule]:
    """Yield the rules at the end of a path, through slices on the way."""
    if not path:
        yield rule
        return
    for holder in (rule, *rule.slices.values()):
        if path[0] in holder.children:
            yield from _at(holder.children[path[0]], path[1:])


def _by_value(slice_: Rule, path: str) -> list[Matcher]:
    steps = () if path == "$this" else tuple(path.split("."))
    tests = [
        test
        for rule in _at(slice_, steps)
        for part in (rule, *rule.slices.values())
        for test in _tests(part, steps)
    ]
    if not tests:
        tests = _above(slice_, steps)
    if not tests and path == "url" and slice_.profiles:
        url = slice_.profiles[0]
        tests = [_test(steps, lambda value: bool(value == url))]
    return tests


def _above(slice_: Rule, steps: tuple[str, ...]) -> list[Matcher]:
    """Return the test of a pattern that is stated above the path's end."""
    for length in range(len(steps) - 1, -1, -1):
        for rule in _at(slice_, steps[:length]):
            own = _own_test(rule, steps[:length])
            if own is not None:
                return [own]
    return []


def _by_type(slice_: Rule) -> list[Matcher]:
    wanted = frozenset(slice_.types)
    return [lambda _value, type_: type_ in wanted] if wanted else []


def matcher(element: Rule, slice_: Rule) -> Matcher:
    """Return the function that tells whether a value belongs to a slice.

    Raises:
        UnsupportedSlicing: where nothing that is understood tells the slices apart.

    """
    tests: list[Matcher] = []
    for kind, path in element.discriminators:
        found: list[Matcher] = []
        if kind in {"value", "pattern"}:
            found = _by_value(slice_, path)
        elif kind == "type" and path == "$this":
            found = _by_type(slice_)
        if not found:
            raise UnsupportedSlicing(f"{slice_.name}:{slice_.slice} by {kind} {path}")
        tests += found
    if not tests:
        raise UnsupportedSlicing(f"{slice_.name}:{slice_.slice} has no discriminator")
    return reduce(_both, tests)


def _both(first: Matcher, second: Matcher) -> Matcher:
    return lambda value, type_: first(value, type_) and second(value, type_)
