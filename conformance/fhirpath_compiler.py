"""Syntax tree → compiled expression, for a focus whose type is known or not.

https://hl7.org/fhirpath/N1/#expressions
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance import definitions
from conformance.fhirpath_code import (
    ABSTRACT,
    Code,
    NotCompiled,
    Run,
    Truth,
    chain,
    constant,
    element_of,
    fits,
    item_is,
    items_of,
    memoised,
    memory_key_of,
    presence,
    step_code,
    truth_of,
    untagged,
)
from conformance.fhirpath_criteria import (
    choose,
    every,
    repeat,
    this_items,
    url_of,
    uses_context,
    where,
)
from conformance.fhirpath_functions import FUNCTIONS
from conformance.fhirpath_nodes import Items, Scope, resolved
from conformance.fhirpath_operators import binary, negated, tagged, union
from conformance.fhirpath_syntax import (
    Binary,
    Call,
    Expression,
    External,
    Indexer,
    Literal,
    Member,
    Negation,
    This,
    TypeTest,
)
from conformance.fhirpath_values import Item, value_of

_EXTERNALS: Mapping[str, str] = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}

_SYSTEM_TYPES: Mapping[str, str] = {
    "Boolean": "boolean",
    "String": "string",
    "Integer": "integer",
    "Decimal": "decimal",
    "Date": "date",
    "DateTime": "dateTime",
    "Time": "time",
}
"""FHIRPath's own types, which FHIR's convert to (R4 §2.9.2)."""


class Compiler:
    """Compiles the parts of one expression for a focus of a known type."""

    def __init__(self, focus: str | None, context: str | None) -> None:
        self._focus = focus
        self._context = context

    def code(self, tree: Expression) -> Code:
        """Return the code of a tree.

        Raises:
            NotCompiled: where something in it is not understood.

        """
        forms: Mapping[type, Callable[[Any], Code]] = {
            Literal: self._literal,
            External: self._external,
            This: self._focused,
            Member: self._member,
            Call: self._call,
            Indexer: self._indexer,
            Binary: self._operator,
            TypeTest: self._type_test,
            Negation: self._negation,
        }
        code = forms[type(tree)](tree)
        if code.of_scope and isinstance(tree, Member | Call):
            items = memoised(items_of(code), memory_key_of(tree))
            return Code(items=items, type=code.type, of_scope=True)
        return code

    def _focused(self, _tree: This) -> Code:
        return self._this()

    def _this(self) -> Code:
        return Code(items=this_items, type=self._focus)

    def _source(self, source: Expression | None) -> Code:
        return self._this() if source is None else self.code(source)

    @staticmethod
    def _literal(tree: Literal) -> Code:
        types = {str: "string", int: "integer", bool: "boolean"}
        return constant(tree.value, types.get(type(tree.value)))

    def _external(self, tree: External) -> Code:
        if tree.name in _EXTERNALS:
            return constant(_EXTERNALS[tree.name], "string")
        if tree.name == "context":
            return Code(items=lambda _item, scope: [scope.context], type=self._context)
        if tree.name == "resource":
            return Code(items=lambda _item, scope: [scope.resource], of_scope=True)
        if tree.name == "rootResource":
            return Code(items=lambda _item, scope: [scope.root], of_scope=True)
        raise NotCompiled(f"%{tree.name}")

    def _member(self, tree: Member) -> Code:
        if tree.source is None:
            if tree.name[0].isupper() and definitions.is_known(tree.name):
                return self._cast(self._this(), tree.name)
            return step_code(self._focus, tree.name)
        source = self.code(tree.source)
        return chain(source, step_code(source.type, tree.name))

    def _cast(self, source: Code, name: str) -> Code:
        wanted = _SYSTEM_TYPES.get(name, name)
        if not definitions.is_known(wanted):
            raise NotCompiled(f"the type {name}")
        run, static = items_of(source), source.type
        if static is not None and static not in ABSTRACT:
            if fits(static, wanted):
                return source
            return constant(None, wanted)._replace(of_scope=False)
        return Code(
            items=lambda item, scope: [
                untagged(found)
                for found in run(item, scope)
                if item_is(found, static, wanted)
            ],
            type=wanted,
            of_scope=source.of_scope,
        )

    def _type_test(self, tree: TypeTest) -> Code:
        source = self.code(tree.operand)
        return self._tested(tree.operator, source, tree.type)

    def _tested(self, operator: str, source: Code, name: str) -> Code:
        if operator != "is":
            return self._cast(source, name)
        wanted = _SYSTEM_TYPES.get(name, name)
        if not definitions.is_known(wanted):
            raise NotCompiled(f"the type {name}")
        run, static = items_of(source), source.type

        def truth(item: Item, scope: Scope) -> bool | None:
            found = run(item, scope)
            return item_is(found[0], static, wanted) if len(found) == 1 else None

        return Code(truth=truth, type="boolean", of_scope=source.of_scope)

    def _indexer(self, tree: Indexer) -> Code:
        source = self.code(tree.source)
        run, index = items_of(source), items_of(self.code(tree.index))

        def at(item: Item, scope: Scope) -> Items:
            found, [number] = run(item, scope), index(item, scope)
            return found[number : number + 1]

        return Code(items=at, type=source.type, of_scope=source.of_scope)

    def _operator(self, tree: Binary) -> Code:
        return binary(tree.operator, self.code(tree.left), self.code(tree.right))

    def _negation(self, tree: Negation) -> Code:
        return binary("-", constant(0, "integer"), self.code(tree.operand))

    def _call(self, tree: Call) -> Code:
        special = {
            "exists": self._exists,
            "empty": self._empty,
            "not": self._negated,
            "where": self._filtered,
            "all": self._every,
            "select": self._selected,
            "repeat": self._repeated,
            "iif": self._conditional,
            "trace": lambda call: self._source(call.source),
            "union": self._combined,
            "combine": self._combined,
            "resolve": self._resolved,
            "extension": self._extension,
            "startsWith": self._starts_with,
            "is": self._type_call,
            "as": self._type_call,
            "ofType": self._type_call,
        }
        if tree.name in special:
            return special[tree.name](tree)
        return self._plain(tree)

    def _plain(self, tree: Call) -> Code:
        function = FUNCTIONS.get(tree.name)
        if function is None:
            raise NotCompiled(f"the function {tree.name}()")
        least, most = function.arguments
        if not least <= len(tree.arguments) <= most:
            raise NotCompiled(f"{tree.name}() with {len(tree.arguments)} arguments")
        source = self._source(tree.source)
        codes = [self.code(argument) for argument in tree.arguments]
        run = items_of(source)
        if function.result is None:
            run = tagged(source, Code())
        call, arguments = function.run, [items_of(code) for code in codes]
        if arguments:
            items: Run = lambda item, scope: call(  # noqa: E731 - two forms of one
                run(item, scope), [argument(item, scope) for argument in arguments]
            )
        else:
            items = lambda item, scope: call(run(item, scope), [])  # noqa: E731 - the other
        of_scope = source.of_scope and all(code.of_scope for code in codes)
        return Code(
            items=items,
            type=source.type if function.result == "" else function.result,
            of_scope=of_scope,
        )

    @staticmethod
    def _argument(tree: Call, count: int = 1) -> Expression:
        if len(tree.arguments) != count:
            raise NotCompiled(f"{tree.name}() with {len(tree.arguments)} arguments")
        return tree.arguments[0]

    def _within(self, type_: str | None, tree: Expression) -> Code:
        return Compiler(type_, self._context).code(tree)

    def _exists(self, tree: Call) -> Code:
        if tree.arguments:
            return Code(truth=self._any(self._filtered(tree)), type="boolean")
        source = tree.source
        if isinstance(source, Member) and source.source is None:
            element = element_of(self._focus, source.name)
            if element is not None:
                return Code(truth=presence(element), type="boolean")
        return Code(truth=self._any(self._source(source)), type="boolean")

    @staticmethod
    def _any(source: Code) -> Truth:
        run = items_of(source)
        return lambda item, scope: bool(run(item, scope))

    def _empty(self, tree: Call) -> Code:
        exists = self._exists(Call(tree.source, "exists", ()))
        return Code(truth=negated(truth_of(exists)), type="boolean")

    def _negated(self, tree: Call) -> Code:
        source = self._source(tree.source)
        return Code(truth=negated(truth_of(source)), type="boolean")

    def _filtered(self, tree: Call) -> Code:
        source = self._source(tree.source)
        criterion = self._within(source.type, self._argument(tree))
        return Code(
            items=where(items_of(source), truth_of(criterion)),
            type=source.type,
            of_scope=source.of_scope and not uses_context(tree.arguments),
        )

    def _every(self, tree: Call) -> Code:
        source = self._source(tree.source)
        criterion = self._within(source.type, self._argument(tree))
        return Code(truth=every(items_of(source), truth_of(criterion)), type="boolean")

    def _selected(self, tree: Call) -> Code:
        source = self._source(tree.source)
        step = self._within(source.type, self._argument(tree))
        if uses_context(tree.arguments):
            source = source._replace(of_scope=False)
        return chain(source, step)

    def _repeated(self, tree: Call) -> Code:
        source = self._source(tree.source)
        step = self._within(None, self._argument(tree))
        return Code(items=repeat(tagged(source, Code()), items_of(step)))

    def _conditional(self, tree: Call) -> Code:
        source = self._source(tree.source)
        if len(tree.arguments) not in {2, 3}:
            raise NotCompiled("iif() without two or three arguments")
        condition, *branches = [
            self._within(source.type, argument) for argument in tree.arguments
        ]
        then, otherwise = (*branches, constant(None, None))[:2]
        types = {then.type, otherwise.type} - {None}
        return Code(
            items=choose(
                items_of(source),
                truth_of(condition),
                items_of(then),
                items_of(otherwise),
            ),
            type=types.pop() if len(types) == 1 else None,
        )

    def _combined(self, tree: Call) -> Code:
        left, right = self._source(tree.source), self.code(self._argument(tree))
        if tree.name == "union":
            return union(left, right)
        first, second = tagged(left, right), tagged(right, left)
        return Code(
            items=lambda item, scope: first(item, scope) + second(item, scope),
            type=left.type if left.type == right.type else None,
        )

    def _resolved(self, tree: Call) -> Code:
        run = items_of(self._source(tree.source))

        def items(item: Item, scope: Scope) -> Items:
            found = (resolved(reference, scope) for reference in run(item, scope))
            return [resource for resource in found if resource is not None]

        return Code(items=items, type="Resource")

    def _extension(self, tree: Call) -> Code:
        url = self.code(self._argument(tree))
        source = self._source(tree.source)
        extensions = chain(source, step_code(source.type, "extension"))
        run, wanted = items_of(extensions), items_of(url)

        def items(item: Item, scope: Scope) -> Items:
            urls = wanted(item, scope)
            return [
                untagged(found)
                for found in run(item, scope)
                if url_of(value_of(found)) in urls
            ]

        return Code(items=items, type="Extension")

    def _starts_with(self, tree: Call) -> Code:
        argument = self._argument(tree)
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            return self._plain(tree)
        run, prefix = items_of(self._source(tree.source)), argument.value

        def truth(item: Item, scope: Scope) -> bool | None:
            found = run(item, scope)
            value = value_of(found[0]) if len(found) == 1 else None
            return value.startswith(prefix) if isinstance(value, str) else None

        return Code(truth=truth, type="boolean")

    def _type_call(self, tree: Call) -> Code:
        argument = self._argument(tree)
        if isinstance(argument, Member) and (
            argument.source is None
            or argument.source in {Member(None, "FHIR"), Member(None, "System")}
        ):
            source = self._source(tree.source)
            return self._tested(tree.name, source, argument.name)
        raise NotCompiled(f"{tree.name}() of something that is not a type")
