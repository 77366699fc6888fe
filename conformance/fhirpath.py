"""A compiler for the FHIRPath that R4's invariants and search parameters use.

An expression becomes a Python closure once; types are inferred from FHIR's own
definitions, so that `Observation.value` looks for `valueQuantity` and its fellows
and `is`, `as` and `ofType` are mostly decided before a resource is seen. What is
not understood raises when compiled, never when evaluated.

https://hl7.org/fhirpath/N1/
https://hl7.org/fhir/R4/fhirpath.html
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from conformance import definitions
from conformance.fhirpath_code import Code, NotCompiled, Truth, items_of, truth_of
from conformance.fhirpath_compiler import Compiler
from conformance.fhirpath_nodes import Scope
from conformance.fhirpath_syntax import FHIRPathSyntaxError, parse
from conformance.fhirpath_values import Item, value_of

__all__ = ["NotCompiled", "Uncompiled", "compile", "compile_invariant", "not_compiled"]


@cache
def _compiled(expression: str, type_: str | None) -> Code:
    try:
        return Compiler(type_, type_).code(parse(expression))
    except FHIRPathSyntaxError as error:
        raise NotCompiled(str(error)) from error


def compile(expression: str, type_: str | None = None) -> Callable[[Any], list[Any]]:  # noqa: A001 - read as fhirpath.compile
    """Return a function from a resource (plain JSON) to what an expression selects.

    The results are plain JSON values in document order; a primitive that has
    extensions but no value is left out. `type_` is the type of what the function
    will be given; without it an expression that begins with a type name gives
    nothing for other types.

    Raises:
        NotCompiled: where the expression uses what this compiler does not know.

    """
    run = items_of(_compiled(expression, type_))

    def select(resource: Any) -> list[Any]:
        found = map(value_of, run(resource, Scope(resource, resource)))
        return [value for value in found if value is not None]

    return select


def compile_invariant(expression: str, type_: str) -> Truth:
    """Return a function that tells whether an invariant holds for an item.

    None is FHIRPath's empty: the invariant does not tell, as with two dates of
    different precision.

    Raises:
        NotCompiled: where the expression uses what this compiler does not know.

    """
    truth = truth_of(_compiled(expression, type_))
    if "%context" not in expression:
        return truth

    def run(item: Item, scope: Scope) -> bool | None:
        scope.context = item
        return truth(item, scope)

    return run


class Uncompiled(NamedTuple):
    """An invariant that is not checked.

    Attributes:
        where: Type or profile that states it.
        key: FHIR's name for it.
        reason: What is missing.

    """

    where: str
    key: str
    reason: str


def _stated() -> Iterator[tuple[str, str, definitions.Constraint]]:
    """Yield what states a constraint, the type it is about, and the constraint."""
    for name in definitions.structure_names():
        structure = definitions.structure(name)
        for constraint in structure.constraints:
            yield name, name, constraint
        for element in structure.elements.values():
            for constraint in element.constraints:
                for type_ in element.keys.values():
                    yield f"{name}.{element.name}", type_, constraint


@cache
def not_compiled() -> tuple[Uncompiled, ...]:
    """Return the invariants of the base definitions that are not checked, and why."""
    found: dict[Uncompiled, None] = {}
    for where, type_, constraint in _stated():
        if constraint.expression is None:
            found[Uncompiled(where, constraint.key, "has no expression")] = None
            continue
        try:
            compile_invariant(constraint.expression, type_)
        except NotCompiled as error:
            found[Uncompiled(where, constraint.key, str(error))] = None
    return tuple(found)
