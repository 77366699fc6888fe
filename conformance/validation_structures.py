"""Validators of R4's types, generated from the definitions on first use.

Each structure has a table from JSON member to a check that was put together for it;
a member's check is made when a resource first has it. What is found is returned,
`None` where there is nothing, and paths are written on the way out.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from conformance import definitions
from conformance.definitions import Constraint, Element
from conformance.fhirpath import compile_invariant
from conformance.fhirpath_guards import guards
from conformance.fhirpath_nodes import Scope
from conformance.issues import IssueType, Severity
from conformance.validation_bindings import binding_check, quick_binding
from conformance.validation_findings import (
    Check,
    Finding,
    Findings,
    MemberCheck,
    error,
    is_shapeless,
    joined,
    plain,
    sequence,
    then,
)
from conformance.validation_members import (
    array,
    exclusive,
    primitive_array,
    sibling,
    single,
    unknown,
    unsupported,
)
from conformance.validation_primitives import quick_test, value_check
from conformance.validation_references import (
    is_plain_reference,
    reference_text_check,
    target_check,
)

_NATIVE = frozenset({"ele-1", "ref-1", "txt-1", "txt-2"})
"""Invariants that the checks of objects, of references and of xhtml are."""


def invariant_check(constraint: Constraint, type_: str) -> Check | None:
    """Return the check of an invariant on values of a type; None where native.

    Raises:
        NotCompiled: where its expression is not understood.

    """
    if constraint.key in _NATIVE or constraint.expression is None:
        return None
    truth = compile_invariant(constraint.expression, type_)
    severity = Severity.ERROR if constraint.is_error else Severity.WARNING
    text = f"{constraint.key}: {constraint.human}"

    def check(value: Any, scope: Scope) -> Findings:
        if truth(value, scope) is False:
            return [Finding(IssueType.INVARIANT, text, "", severity)]
        return None

    return check


Guarded = list[tuple[str | None, Check]]


def _invariants(type_: str) -> Guarded:
    """Return the invariants of a structure, each with a member it needs to fail."""
    found: Guarded = []
    for constraint in definitions.structure(type_).constraints:
        check = invariant_check(constraint, type_)
        if check is not None:
            found.append((_guard(type_, constraint.expression or ""), check))
    return found


def _guard(type_: str, expression: str) -> str | None:
    """Return a JSON member without which an invariant cannot fail."""
    elements = definitions.elements(type_)
    candidates = [
        name
        for name in sorted(guards(expression))
        if name in elements
        and not elements[name].is_choice
        and definitions.primitive(elements[name].types[0]) is None
    ]
    return candidates[0] if candidates else None


_UNSUPPORTED = frozenset({"modifierExtension", "implicitRules"})
"""Who does not understand these may not go on (R4 §2.5.0.2, §2.27.3.3)."""


def _element_check(element: Element, type_: str) -> Check:
    """Return the check of one value: its type's, then what the element adds."""
    if definitions.primitive(type_) is not None:
        first = plain(value_check(type_))
    else:
        first = structure_check(type_)
    others: list[Check] = []
    if element.binding is not None:
        others += binding_check(element.binding, type_)
    if element.targets and type_ == "Reference":
        others.append(target_check(element.targets))
    for constraint in element.constraints:
        check = invariant_check(constraint, type_)
        if check is not None:
            others.append(check)
    return then(first, sequence(others)) if others else first


def _member_check(element: Element, key: str, type_: str) -> MemberCheck:
    check = _element_check(element, type_)
    if not element.is_array:
        run = single(element.name, check)
    elif definitions.primitive(type_) is not None:
        run = primitive_array(element, key, check)
    else:
        run = array(element, check)
    return exclusive(element, type_, run) if len(element.keys) > 1 else run


class _Members(dict[str, MemberCheck]):
    """JSON member → its check, made when it is first asked for."""

    def __init__(self, type_: str) -> None:
        super().__init__()
        structure = definitions.structure(type_)
        self._elements = {
            key: (element, key_type)
            for element in structure.elements.values()
            for key, key_type in element.keys.items()
        }
        self._type = type_
        if structure.is_resource:
            self["resourceType"] = lambda _value, _holder, _scope: None

    def __missing__(self, key: str) -> MemberCheck:
        plain = key.removeprefix("_")
        if plain not in self._elements:
            return unknown(key)
        element, type_ = self._elements[plain]
        if plain in _UNSUPPORTED:
            check = unsupported(plain)
        elif key == "contained":
            check = array(element, _contained)
        elif self._type == "Reference" and key == "reference":
            check = _reference_member()
        elif key == plain:
            check = _member_check(element, key, type_)
        elif definitions.primitive(type_) is None or type_ == "xhtml":
            return unknown(key)
        else:
            check = self._sibling(element, plain, type_)
        self[key] = check
        return check

    @staticmethod
    def _sibling(element: Element, key: str, type_: str) -> MemberCheck:
        run = sibling(element, key, structure_check("Element"))
        return exclusive(element, type_, run) if len(element.keys) > 1 else run


def _reference_member() -> MemberCheck:
    text = plain(value_check("string"))
    return single("reference", then(text, reference_text_check))


def _required(type_: str) -> list[tuple[frozenset[str], str]]:
    """Return, an element that must be there, the members that satisfy it."""
    return [
        (
            frozenset(
                name
                for key, key_type in element.keys.items()
                for name in (
                    (key,)
                    if definitions.primitive(key_type) is None
                    else (key, f"_{key}")
                )
            ),
            element.name,
        )
        for element in definitions.elements(type_).values()
        if element.min > 0
    ]


def _resource(value: Any, scope: Scope) -> Findings:
    """Check a contained resource, by its own type."""
    return resource_check(value, scope.within(value))


def _independent(value: Any, _scope: Scope) -> Findings:
    """Check a resource that a Bundle or a Parameters carries."""
    return resource_check(value, Scope(value, value))


def _contained(value: Any, scope: Scope) -> Findings:
    found = _resource(value, scope)
    if type(value) is dict and "id" not in value:
        text = "A contained resource has an id by which it is referred to (dom-3)."
        found = joined(found, error(IssueType.REQUIRED, text, "id"))
    return found


class _Plan:
    """What is made once to check a structure.

    Attributes:
        quick: Member → a test that tells at once that its text is right.
        members: Member → its check.
        required: Members that are mostly there; where one lacks, `missing` decides.
        invariants: Invariants and what guards them.

    """

    __slots__ = ("_alternatives", "invariants", "members", "quick", "required")

    def __init__(self, type_: str) -> None:
        self.members = _Members(type_)
        self._alternatives = _required(type_)
        self.required = frozenset(name for _, name in self._alternatives)
        self.invariants = _invariants(type_)
        self.quick = {
            element.name: test
            for element in definitions.elements(type_).values()
            if (test := _quick(type_, element)) is not None
        }
        if definitions.structure(type_).is_resource:
            self.quick["resourceType"] = bool

    def broken(self, node: dict[str, Any], scope: Scope, found: Findings) -> Findings:
        """Return what was found before, and the invariants that do not hold."""
        for guard, invariant in self.invariants:
            if guard is None or guard in node:
                problems = invariant(node, scope)
                if problems is not None:
                    found = joined(found, problems)
        return found

    def missing(self, node: dict[str, Any]) -> Findings:
        """Return the required elements that an object has in no form."""
        found: Findings = None
        for keys, name in self._alternatives:
            if keys.isdisjoint(node):
                lacking = error(IssueType.REQUIRED, "The element is required.", name)
                found = joined(found, lacking)
        return found


def _quick(type_: str, element: Element) -> Callable[[str], object] | None:
    """Return the quick test of a single text that nothing else is asked of."""
    if element.is_array or element.is_choice or element.constraints:
        return None
    if element.name in _UNSUPPORTED:
        return None
    if type_ == "Reference" and element.name == "reference":
        return is_plain_reference
    if element.binding is not None:
        return quick_binding(element.binding, element.types[0])
    if definitions.primitive(element.types[0]) is None:
        return None
    return quick_test(element.types[0])


@cache
def structure_check(type_: str) -> Check:  # noqa: C901 - the one loop that is hot
    """Return the check of a structure's JSON object."""
    if type_ == "Resource":
        return _independent
    plans: list[_Plan] = []
    is_element = not definitions.structure(type_).is_resource

    def check(node: Any, scope: Scope) -> Findings:
        if type(node) is not dict:
            return error(IssueType.STRUCTURE, "An object is expected.")
        if is_element and (not node or (len(node) == 1 and "id" in node)):
            return error(IssueType.STRUCTURE, _EMPTY)
        plan = plans[0] if plans else prepare()
        quick, members = plan.quick, plan.members
        found: Findings = None
        for key, value in node.items():
            if key in quick and type(value) is str and quick[key](value):
                continue
            problems = members[key](value, node, scope)
            if problems is not None:
                found = joined(found, problems)
        if plan.required and not plan.required <= node.keys():
            found = joined(found, plan.missing(node))
        if found is not None and is_shapeless(found):
            return found
        return plan.broken(node, scope, found) if plan.invariants else found

    def prepare() -> _Plan:
        plans.append(_Plan(type_))
        return plans[0]

    return check


_EMPTY = "ele-1: An element has a value or children."


def resource_check(value: Any, scope: Scope) -> Findings:
    """Check a resource against the definition of its type."""
    if type(value) is not dict:
        return error(IssueType.STRUCTURE, "A resource is a JSON object.")
    type_ = value.get("resourceType")
    if type(type_) is not str or not definitions.is_resource_type(type_):
        return error(
            IssueType.STRUCTURE, "resourceType names no type of R4.", "resourceType"
        )
    return structure_check(type_)(value, scope)
