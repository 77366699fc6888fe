"""Validators of profiles, generated from their reduced snapshots on first use.

A profile is checked on top of its base type: cardinality, types, fixed values and
patterns, required bindings, reference targets, invariants, slices.

https://hl7.org/fhir/R4/profiling.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from conformance import definitions
from conformance.codes import UCUM
from conformance.definitions import Element, constraints_of
from conformance.fhirpath import NotCompiled
from conformance.fhirpath_nodes import Scope
from conformance.issues import IssueType
from conformance.validation_bindings import binding_check
from conformance.validation_findings import (
    Check,
    Finding,
    Findings,
    error,
    is_refused,
    joined,
    sequence,
    under,
)
from conformance.validation_references import target_check
from conformance.validation_rules import UNLIMITED, Rule, rule_tree
from conformance.validation_slices import (
    Matcher,
    UnsupportedSlicing,
    matcher,
)
from conformance.validation_structures import invariant_check
from conformance.validation_values import (
    Item,
    fixed_check,
    items_of_element,
    pattern_check,
    type_check,
)

_ItemsCheck = Callable[[list[Item], Scope], Findings]


def _profile_check(url: str) -> Check:
    """Return the check of a value against another profile, looked up when needed."""
    return lambda value, scope: (
        profile_findings(profile(url), value, scope) if type(value) is dict else None
    )


def _value_checks(rule: Rule, type_: str) -> Iterator[Check]:
    if rule.fixed is not None:
        yield fixed_check(rule.fixed)
    if rule.pattern is not None:
        yield pattern_check(rule.pattern)
    if rule.binding is not None and not _is_of_units(rule.binding, type_):
        yield from binding_check(rule.binding, type_)
    if rule.targets:
        yield target_check(rule.targets)
    yield from _invariant_checks(rule, type_)
    yield from _nested_checks(rule, type_)


def _nested_checks(rule: Rule, type_: str) -> Iterator[Check]:
    if type_ == "Extension":
        yield from map(_profile_check, rule.profiles)
    if rule.children and definitions.primitive(type_) is None:
        children = _children_check(rule, type_)
        if children is not None:
            yield children


def _is_of_units(binding: str, type_: str) -> bool:
    """Return whether a binding lists units while the value is a concept.

    R4 binds `component.value[x]` of vital signs to units; an answer in concepts has
    none.
    """
    units = {UCUM}
    return type_ == "CodeableConcept" and (
        definitions.value_set(binding).systems.keys() == units
    )


def _invariant_checks(rule: Rule, type_: str) -> Iterator[Check]:
    for constraint in constraints_of(rule.constraints):
        check = invariant_check(constraint, type_)
        if check is not None:
            yield _present(check)


def _present(check: Check) -> Check:
    return lambda value, scope: None if value is None else check(value, scope)


class _ValueCheck:
    """The checks of one rule on a value, by the types the value may have."""

    __slots__ = ("_by_type", "_name", "_types", "is_idle")

    def __init__(self, rule: Rule, types: Iterable[str]) -> None:
        self._name = rule.name
        self._by_type = {type_: tuple(_value_checks(rule, type_)) for type_ in types}
        self._types = type_check(rule.types, rule.name) if rule.types else None
        self.is_idle = self._types is None and not any(self._by_type.values())

    def __call__(self, item: Item, scope: Scope) -> Findings:
        index, value, type_ = item
        found = None if self._types is None else self._types(type_)
        for check in self._by_type.get(type_, ()):
            problems = check(value, scope)
            if problems is not None:
                found = joined(found, problems)
        if found is None:
            return None
        return under(self._name if index is None else f"{self._name}[{index}]", found)


def _count_problem(rule: Rule, count: int) -> list[Finding]:
    what = f"The slice {rule.slice}" if rule.slice else "The element"
    if count < rule.min:
        text = f"{what} needs at least {rule.min} in this profile."
        return error(IssueType.REQUIRED, text, rule.name)
    text = f"{what} may occur {rule.max} times at most."
    return error(IssueType.STRUCTURE, text, rule.name)


class _Slice(NamedTuple):
    """A slice: which values are its own, and what is asked of them."""

    rule: Rule
    least: int
    most: int
    matches: Matcher
    check: _ValueCheck


def _slices(rule: Rule, types: Sequence[str]) -> list[_Slice]:
    return [
        _Slice(
            slice_,
            slice_.min,
            slice_.max,
            matcher(rule, slice_),
            _ValueCheck(slice_, slice_.types or types),
        )
        for slice_ in rule.slices.values()
    ]


def _sliced(rule: Rule, slices: Sequence[_Slice]) -> _ItemsCheck:
    """Return the check of the values of an element that is sliced."""
    is_closed, name = rule.is_closed, rule.name

    def check(items: list[Item], scope: Scope) -> Findings:
        found: Findings = None
        matched = 0
        for part, least, most, matches, value_check in slices:
            own = [item for item in items if matches(item[1], item[2])]
            matched += len(own)
            if not least <= len(own) <= most:
                found = joined(found, _count_problem(part, len(own)))
            for item in own:
                problems = value_check(item, scope)
                if problems is not None:
                    found = joined(found, problems)
        if is_closed and matched < len(items):
            text = "The profile allows none but the slices it names."
            found = joined(found, error(IssueType.STRUCTURE, text, name))
        return found

    return check


def _element_check(rule: Rule, element: Element) -> Check | None:
    """Return the check of what an object has for an element; None for nothing."""
    least, most = rule.min, rule.max
    types = rule.types or tuple(element.keys.values())
    value_check = _ValueCheck(rule, types)
    slices = _slices(rule, types)
    if not least and most == UNLIMITED and not slices and value_check.is_idle:
        return None
    items_of, sliced = items_of_element(element), _sliced(rule, slices)
    is_idle = value_check.is_idle

    def check(node: dict[str, Any], scope: Scope) -> Findings:
        items = items_of(node)
        found: Findings = None
        if not least <= len(items) <= most:
            found = _count_problem(rule, len(items))
        if not is_idle:
            for item in items:
                problems = value_check(item, scope)
                if problems is not None:
                    found = joined(found, problems)
        return joined(found, sliced(items, scope)) if slices else found

    if element.is_choice or element.is_array:
        return check
    return _quick(rule, check, is_idle=is_idle)


def _quick(rule: Rule, check: Check, *, is_idle: bool) -> Check:
    """Return a check that says at once that a single value is what it should be."""
    name, fixed = rule.name, rule.fixed
    if rule.slices or rule.max < 1:
        return check
    if is_idle:
        return lambda node, scope: None if name in node else check(node, scope)
    if fixed is not None and not rule.children:
        return lambda node, scope: (
            None if node.get(name) == fixed else check(node, scope)
        )
    return check


def _children_check(rule: Rule, type_: str) -> Check | None:
    elements = definitions.elements(type_)
    made = [
        _element_check(child, elements[name])
        for name, child in rule.children.items()
        if name in elements
    ]
    checks = tuple(check for check in made if check is not None)
    if not checks:
        return None

    def check(node: Any, scope: Scope) -> Findings:
        if type(node) is not dict:
            return None
        found: Findings = None
        for child in checks:
            problems = child(node, scope)
            if problems is not None:
                found = joined(found, problems)
        return found

    return check


def _profile(record: Mapping[str, Any]) -> Check:
    rule = rule_tree(record)
    type_ = record["type"]
    return sequence(tuple(_value_checks(rule, type_)))


class Profile(NamedTuple):
    """A profile that can be checked, or why it cannot.

    Attributes:
        type: Type it is about; empty where the profile is not known.
        checks: A check for each version that differs, newest first.
        not_checked: Why there is no check; None where there is.

    """

    type: str
    checks: tuple[Check, ...]
    not_checked: str | None


def derives_with_code(canonical: str, ancestor: str) -> bool:
    """Return whether a profile derives from another and says which code it is about."""
    return canonical in _canonicals() and _derives_with_code(canonical, ancestor)


@cache
def _derives_with_code(canonical: str, ancestor: str) -> bool:
    records = definitions.profile_records(canonical.partition("|")[0])
    if not any(_fixes_code(record) for record in records):
        return False
    above: str | None = records[0]["base"]
    while above is not None and above != ancestor:
        bases = definitions.profile_records(above)
        above = bases[0]["base"] if bases else None
    return above is not None


def _fixes_code(record: Mapping[str, Any]) -> bool:
    prefixes = (f"{record['type']}.code.", f"{record['type']}.code:")
    return any(
        ("fixed" in element or "pattern" in element)
        and (element["id"] + ".").startswith(prefixes)
        for element in record["elements"]
    )


_UNKNOWN = Profile("", (), "it is not known here")


@cache
def _canonicals() -> frozenset[str]:
    """Return what the profiles that are known may be called, with and without version.

    Only these are remembered: what a client claims may be anything.
    """
    return frozenset(
        canonical
        for url in definitions.profile_urls()
        for canonical in (
            url,
            *(f"{url}|{version}" for version in definitions.profile_versions(url)),
        )
    )


@cache
def _known_profile(canonical: str) -> Profile:
    url, _, version = canonical.partition("|")
    records = [
        record
        for record in definitions.profile_records(url)
        if not version or version in record["versions"]
    ]
    try:
        checks = tuple(_profile(record) for record in records)
    except (UnsupportedSlicing, NotCompiled) as error:
        return Profile(records[0]["type"], (), f"it uses {error}")
    return Profile(records[0]["type"], checks, None)


def profile(canonical: str) -> Profile:
    """Return a profile; a version after `|` selects one of those that are known."""
    return _known_profile(canonical) if canonical in _canonicals() else _UNKNOWN


def profile_findings(known: Profile, value: Any, scope: Scope) -> Findings:
    """Return what keeps a value from meeting a profile.

    A canonical without version is met when any version that is known is met; the
    findings are those of the newest.
    """
    found: Findings = None
    for check in known.checks:
        problems = check(value, scope)
        if problems is None or not is_refused(problems):
            return problems
        found = found or problems
    return found
