"""A compiler for the FHIRPath that R4's invariants and search parameters use.

An expression becomes a Python closure once; types are inferred from FHIR's own
definitions, so that `Observation.value` looks for `valueQuantity` and its fellows
and `is`, `as` and `ofType` are mostly decided before a resource is seen. What is
not understood raises when compiled, never when evaluated.

https://hl7.org/fhirpath/N1/
https://hl7.org/fhir/R4/fhirpath.html
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from conformance import definitions
from conformance.definitions import Element
from conformance.fhirpath_functions import (
    FUNCTIONS,
    Items,
    Scope,
    items_at,
    member,
    resolved,
    type_of,
)
from conformance.fhirpath_syntax import (
    Binary,
    Call,
    Expression,
    External,
    FHIRPathSyntaxError,
    Indexer,
    Literal,
    Member,
    Negation,
    This,
    TypeTest,
    parse,
)
from conformance.fhirpath_values import (
    ARITHMETIC,
    Item,
    Node,
    compare,
    distinct,
    equal,
    key_of,
    text_of,
    value_of,
)

Run = Callable[[Item, Scope], Items]
Truth = Callable[[Item, Scope], bool | None]


class NotCompiled(ValueError):  # noqa: N818 - an answer the validator reports
    """Why an expression cannot be compiled."""


class _Code(NamedTuple):
    """A compiled expression: as items, as a truth, or both.

    Attributes:
        items: Focus → items; None where only the truth was compiled.
        truth: Focus → true, false or None; None where only items were compiled.
        type: Type of every item; None where items carry it or nobody knows.
        of_scope: Whether the result depends on the scope alone.

    """

    items: Run | None = None
    truth: Truth | None = None
    type: str | None = None
    of_scope: bool = False


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

_ABSTRACT = frozenset({"Resource", "DomainResource"})


def _true_of(items: Items) -> bool | None:
    """Return the truth of a collection: itself if boolean, else that it exists."""
    if not items:
        return None
    if len(items) == 1:
        value = value_of(items[0])
        return value if isinstance(value, bool) else True
    return True


def _items(code: _Code) -> Run:
    if code.items is not None:
        return code.items
    truth = _truth(code)

    def run(item: Item, scope: Scope) -> Items:
        answer = truth(item, scope)
        return [] if answer is None else [answer]

    return run


def _truth(code: _Code) -> Truth:
    if code.truth is not None:
        return code.truth
    run = code.items
    assert run is not None  # noqa: S101 - a _Code has one form or the other
    return lambda item, scope: _true_of(run(item, scope))


def _constant(value: Any, type_: str | None) -> _Code:
    items = [] if value is None else [value]
    return _Code(items=lambda _item, _scope: items, type=type_, of_scope=True)


# Path steps


def _complex_step(key: str) -> Run:
    def run(item: Item, _scope: Scope) -> Items:
        found = item.get(key)
        if found is None:
            return []
        return found if type(found) is list else [found]

    return run


def _primitive_step(key: str, type_: str) -> Run:
    beside_key = f"_{key}"

    def run(item: Item, _scope: Scope) -> Items:
        found = item.get(key)
        if beside_key in item:
            return list(items_at(item, key, type_))
        if found is None:
            return []
        return found if type(found) is list else [found]

    return run


def _choice_step(keys: Mapping[str, str]) -> Run:
    known = tuple((key, f"_{key}", type_) for key, type_ in keys.items())

    def run(item: Item, _scope: Scope) -> Items:
        return [
            found
            for key, beside, type_ in known
            if key in item or beside in item
            for found in items_at(item, key, type_)
        ]

    return run


def _dynamic_step(name: str) -> Run:
    return lambda item, _scope: member(item, name)


def _element_step(element: Element) -> _Code:
    if len(element.keys) > 1:
        return _Code(items=_choice_step(element.keys))
    [(key, type_)] = element.keys.items()
    if definitions.primitive(type_) is not None:
        return _Code(items=_primitive_step(key, type_), type=type_)
    return _Code(items=_complex_step(key), type=type_)


def _element_of(type_: str | None, name: str) -> Element | None:
    """Return the element that `name` is on every instance of a static type."""
    if type_ is None or definitions.primitive(type_) is not None:
        return None
    if type_ in _ABSTRACT:
        type_ = "DomainResource"
    return definitions.elements(type_).get(name)


def _step(type_: str | None, name: str) -> _Code:
    element = _element_of(type_, name)
    if element is not None:
        return _element_step(element)
    if type_ is None or type_ in _ABSTRACT or definitions.primitive(type_) is not None:
        return _Code(items=_dynamic_step(name))
    return _constant(None, None)._replace(of_scope=False)


def _chain(source: _Code, step: _Code) -> _Code:
    """Return `source.step`: the step on every item of the source."""
    first, then = _items(source), _items(step)

    def run(item: Item, scope: Scope) -> Items:
        found = first(item, scope)
        if not found:
            return found
        if len(found) == 1:
            return then(found[0], scope)
        return [below for above in found for below in then(above, scope)]

    return _Code(items=run, type=step.type, of_scope=source.of_scope)


@cache
def _memory_key(_tree: Expression) -> object:
    return object()


def _memoised(run: Run, memory_key: object) -> Run:
    """Return code that is run once a scope, being about nothing else."""

    def memoised(item: Item, scope: Scope) -> Items:
        found = scope.memory.get(memory_key)
        if found is None:
            found = scope.memory[memory_key] = run(item, scope)
        return found

    return memoised


def _present(element: Element) -> Truth:
    """Return whether an element has a value, without collecting it."""
    keys = [
        name
        for key, type_ in element.keys.items()
        for name in (
            (key,) if definitions.primitive(type_) is None else (key, f"_{key}")
        )
    ]
    if len(keys) == 1:
        [key] = keys
        return lambda item, _scope: bool(
            key in item and item[key] is not None and item[key] != []
        )
    names = frozenset(keys)

    def run(item: Item, _scope: Scope) -> bool:
        for key in item:
            if key in names and item[key] is not None and item[key] != []:
                return True
        return False

    return run


# Types


@lru_cache(maxsize=4096)
def _fits(type_: str, wanted: str) -> bool:
    return definitions.is_a(type_, wanted)


def _item_is(item: Item, static: str | None, wanted: str) -> bool:
    type_ = static if static is not None and static not in _ABSTRACT else type_of(item)
    return type_ is not None and _fits(type_, wanted)


def _untagged(item: Item) -> Item:
    """Return an item of a known type as plain JSON, unless it has extensions."""
    if type(item) is Node and (item.element is None or isinstance(item.value, dict)):
        return item.value
    return item


# Operators


def _and(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first = left(item, scope)
        if first is False:
            return False
        second = right(item, scope)
        return second if first or second is False else None

    return run


def _or(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first = left(item, scope)
        if first:
            return True
        second = right(item, scope)
        return second if first is False or second else None

    return run


def _xor(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first, second = left(item, scope), right(item, scope)
        return None if first is None or second is None else first is not second

    return run


def _not(operand: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        answer = operand(item, scope)
        return None if answer is None else not answer

    return run


def _implies(left: Truth, right: Truth) -> Truth:
    return _or(_not(left), right)


_LOGIC: Mapping[str, Callable[[Truth, Truth], Truth]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}

_ORDER: Mapping[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _ordered(operator: str, left: _Code, right: _Code) -> Truth:
    first, second, holds = _items(left), _items(right), _ORDER[operator]

    def run(item: Item, scope: Scope) -> bool | None:
        a, b = first(item, scope), second(item, scope)
        if len(a) != 1 or len(b) != 1:
            return None
        sign = compare(
            a[0], b[0], left.type or type_of(a[0]), right.type or type_of(b[0])
        )
        return None if sign is None else holds(sign)

    return run


def _equals(left: _Code, right: _Code) -> Truth:
    first, second = _items(left), _items(right)

    def run(item: Item, scope: Scope) -> bool | None:
        a, b = first(item, scope), second(item, scope)
        if not a or not b:
            return None
        if len(a) != len(b):
            return False
        answers = [
            equal(x, y, left.type or type_of(x), right.type or type_of(y))
            for x, y in zip(a, b, strict=True)
        ]
        if False in answers:
            return False
        return None if None in answers else True

    return run


def _keys(code: _Code) -> Callable[[Item, Scope], frozenset[Any]]:
    """Return the keys of a collection, computed once a scope where that is enough."""
    run = _items(code)
    if not code.of_scope:
        return lambda item, scope: frozenset(map(key_of, run(item, scope)))
    memory_key = object()

    def keys(item: Item, scope: Scope) -> frozenset[Any]:
        if memory_key not in scope.memory:
            scope.memory[memory_key] = frozenset(map(key_of, run(item, scope)))
        found: frozenset[Any] = scope.memory[memory_key]
        return found

    return keys


def _in(needle: _Code, haystack: _Code) -> Truth:
    first, keys = _items(needle), _keys(haystack)

    def run(item: Item, scope: Scope) -> bool | None:
        found = first(item, scope)
        if len(found) != 1:
            return None
        return key_of(found[0]) in keys(item, scope)

    return run


def _union(left: _Code, right: _Code) -> _Code:
    first, second = _tagged(left, right), _tagged(right, left)
    return _Code(
        items=lambda item, scope: distinct(first(item, scope) + second(item, scope)),
        type=left.type if left.type == right.type else None,
        of_scope=left.of_scope and right.of_scope,
    )


def _tagged(code: _Code, beside: _Code) -> Run:
    """Return items that carry their type where the other side's type differs."""
    run, type_ = _items(code), code.type
    if type_ is None or type_ == beside.type:
        return run
    return lambda item, scope: [
        found if type(found) is Node else Node(found, type_)
        for found in run(item, scope)
    ]


def _concatenated(left: _Code, right: _Code) -> Run:
    first, second = _items(left), _items(right)

    def run(item: Item, scope: Scope) -> Items:
        texts = [
            (text_of(value_of(found[0])) if found else "") or ""
            for found in (first(item, scope), second(item, scope))
        ]
        return ["".join(texts)]

    return run


def _arithmetic(operator: str, left: _Code, right: _Code) -> Run:
    first, second, operation = _items(left), _items(right), ARITHMETIC[operator]

    def run(item: Item, scope: Scope) -> Items:
        a, b = first(item, scope), second(item, scope)
        if len(a) != 1 or len(b) != 1:
            return []
        answer = operation(value_of(a[0]), value_of(b[0]))
        return [] if answer is None else [answer]

    return run


def _binary(operator: str, left: _Code, right: _Code) -> _Code:
    of_scope = left.of_scope and right.of_scope
    if operator in _LOGIC:
        truth = _LOGIC[operator](_truth(left), _truth(right))
    elif operator in _ORDER:
        truth = _ordered(operator, left, right)
    elif operator in {"=", "!="}:
        truth = _equals(left, right)
        truth = truth if operator == "=" else _not(truth)
    elif operator in {"in", "contains"}:
        truth = _in(left, right) if operator == "in" else _in(right, left)
    else:
        return _collecting(operator, left, right)
    return _Code(truth=truth, type="boolean", of_scope=of_scope)


def _collecting(operator: str, left: _Code, right: _Code) -> _Code:
    of_scope = left.of_scope and right.of_scope
    if operator == "|":
        return _union(left, right)
    if operator == "&":
        return _Code(items=_concatenated(left, right), type="string", of_scope=of_scope)
    if operator in ARITHMETIC:
        return _Code(items=_arithmetic(operator, left, right), of_scope=of_scope)
    raise NotCompiled(f"the operator {operator}")


# Functions with a criterion


def _where(source: Run, criterion: Truth) -> Run:
    return lambda item, scope: [
        found for found in source(item, scope) if criterion(found, scope)
    ]


def _all(source: Run, criterion: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool:
        return all(criterion(found, scope) for found in source(item, scope))

    return run


def _repeat(source: Run, step: Run) -> Run:
    def run(item: Item, scope: Scope) -> Items:
        found: Items = []
        waiting = source(item, scope)
        while waiting:
            below = [new for old in waiting for new in step(old, scope)]
            found += below
            waiting = below
        return found

    return run


def _iif(source: Run, condition: Truth, then: Run, otherwise: Run) -> Run:
    def run(item: Item, scope: Scope) -> Items:
        focus = source(item, scope)
        chosen = then if condition(_collection(focus), scope) else otherwise
        return chosen(_collection(focus), scope)

    return run


class _Collection(list[Item]):
    """The whole input of `iif`, where `empty()` and the like look at all of it."""

    __slots__ = ()


def _url(extension: Any) -> Any:
    return extension.get("url") if isinstance(extension, dict) else None


def _uses_context(tree: object) -> bool:
    """Return whether a tree, or one of several, asks for `%context`."""
    if isinstance(tree, tuple):
        return any(map(_uses_context, tree))
    if isinstance(tree, External):
        return tree.name == "context"
    if isinstance(tree, Expression):
        return any(_uses_context(getattr(tree, name)) for name in tree.__slots__)
    return False


def _collection(items: Items) -> Item:
    return items[0] if len(items) == 1 else _Collection(items)


def _this_items(item: Item, _scope: Scope) -> Items:
    return item if type(item) is _Collection else [item]


class _Compiler:
    """Compiles the parts of one expression for a focus of a known type."""

    def __init__(self, focus: str | None, context: str | None) -> None:
        self._focus = focus
        self._context = context

    def code(self, tree: Expression) -> _Code:
        """Return the code of a tree.

        Raises:
            NotCompiled: where something in it is not understood.

        """
        forms: Mapping[type, Callable[[Any], _Code]] = {
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
            items = _memoised(_items(code), _memory_key(tree))
            return _Code(items=items, type=code.type, of_scope=True)
        return code

    def _focused(self, _tree: This) -> _Code:
        return self._this()

    def _this(self) -> _Code:
        return _Code(items=_this_items, type=self._focus)

    def _source(self, source: Expression | None) -> _Code:
        return self._this() if source is None else self.code(source)

    @staticmethod
    def _literal(tree: Literal) -> _Code:
        types = {str: "string", int: "integer", bool: "boolean"}
        return _constant(tree.value, types.get(type(tree.value)))

    def _external(self, tree: External) -> _Code:
        if tree.name in _EXTERNALS:
            return _constant(_EXTERNALS[tree.name], "string")
        if tree.name == "context":
            return _Code(items=lambda _item, scope: [scope.context], type=self._context)
        if tree.name == "resource":
            return _Code(items=lambda _item, scope: [scope.resource], of_scope=True)
        if tree.name == "rootResource":
            return _Code(items=lambda _item, scope: [scope.root], of_scope=True)
        raise NotCompiled(f"%{tree.name}")

    def _member(self, tree: Member) -> _Code:
        if tree.source is None:
            if tree.name[0].isupper() and definitions.is_known(tree.name):
                return self._cast(self._this(), tree.name)
            return _step(self._focus, tree.name)
        source = self.code(tree.source)
        return _chain(source, _step(source.type, tree.name))

    def _cast(self, source: _Code, name: str) -> _Code:
        wanted = _SYSTEM_TYPES.get(name, name)
        if not definitions.is_known(wanted):
            raise NotCompiled(f"the type {name}")
        run, static = _items(source), source.type
        if static is not None and static not in _ABSTRACT:
            if _fits(static, wanted):
                return source
            return _constant(None, wanted)._replace(of_scope=False)
        return _Code(
            items=lambda item, scope: [
                _untagged(found)
                for found in run(item, scope)
                if _item_is(found, static, wanted)
            ],
            type=wanted,
            of_scope=source.of_scope,
        )

    def _type_test(self, tree: TypeTest) -> _Code:
        source = self.code(tree.operand)
        return self._tested(tree.operator, source, tree.type)

    def _tested(self, operator: str, source: _Code, name: str) -> _Code:
        if operator != "is":
            return self._cast(source, name)
        wanted = _SYSTEM_TYPES.get(name, name)
        if not definitions.is_known(wanted):
            raise NotCompiled(f"the type {name}")
        run, static = _items(source), source.type

        def truth(item: Item, scope: Scope) -> bool | None:
            found = run(item, scope)
            return _item_is(found[0], static, wanted) if len(found) == 1 else None

        return _Code(truth=truth, type="boolean", of_scope=source.of_scope)

    def _indexer(self, tree: Indexer) -> _Code:
        source = self.code(tree.source)
        run, index = _items(source), _items(self.code(tree.index))

        def at(item: Item, scope: Scope) -> Items:
            found, [number] = run(item, scope), index(item, scope)
            return found[number : number + 1]

        return _Code(items=at, type=source.type, of_scope=source.of_scope)

    def _operator(self, tree: Binary) -> _Code:
        return _binary(tree.operator, self.code(tree.left), self.code(tree.right))

    def _negation(self, tree: Negation) -> _Code:
        return _binary("-", _constant(0, "integer"), self.code(tree.operand))

    def _call(self, tree: Call) -> _Code:
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

    def _plain(self, tree: Call) -> _Code:
        function = FUNCTIONS.get(tree.name)
        if function is None:
            raise NotCompiled(f"the function {tree.name}()")
        least, most = function.arguments
        if not least <= len(tree.arguments) <= most:
            raise NotCompiled(f"{tree.name}() with {len(tree.arguments)} arguments")
        source = self._source(tree.source)
        codes = [self.code(argument) for argument in tree.arguments]
        run = _items(source)
        if function.result is None:
            run = _tagged(source, _Code())
        call, arguments = function.run, [_items(code) for code in codes]
        if arguments:
            items: Run = lambda item, scope: call(  # noqa: E731 - two forms of one
                run(item, scope), [argument(item, scope) for argument in arguments]
            )
        else:
            items = lambda item, scope: call(run(item, scope), [])  # noqa: E731
        of_scope = source.of_scope and all(code.of_scope for code in codes)
        return _Code(
            items=items,
            type=source.type if function.result == "" else function.result,
            of_scope=of_scope,
        )

    @staticmethod
    def _argument(tree: Call, count: int = 1) -> Expression:
        if len(tree.arguments) != count:
            raise NotCompiled(f"{tree.name}() with {len(tree.arguments)} arguments")
        return tree.arguments[0]

    def _within(self, type_: str | None, tree: Expression) -> _Code:
        return _Compiler(type_, self._context).code(tree)

    def _exists(self, tree: Call) -> _Code:
        if tree.arguments:
            return _Code(truth=self._any(self._filtered(tree)), type="boolean")
        source = tree.source
        if isinstance(source, Member) and source.source is None:
            element = _element_of(self._focus, source.name)
            if element is not None:
                return _Code(truth=_present(element), type="boolean")
        return _Code(truth=self._any(self._source(source)), type="boolean")

    @staticmethod
    def _any(source: _Code) -> Truth:
        run = _items(source)
        return lambda item, scope: bool(run(item, scope))

    def _empty(self, tree: Call) -> _Code:
        exists = self._exists(Call(tree.source, "exists", ()))
        return _Code(truth=_not(_truth(exists)), type="boolean")

    def _negated(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        return _Code(truth=_not(_truth(source)), type="boolean")

    def _filtered(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        criterion = self._within(source.type, self._argument(tree))
        return _Code(
            items=_where(_items(source), _truth(criterion)),
            type=source.type,
            of_scope=source.of_scope and not _uses_context(tree.arguments),
        )

    def _every(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        criterion = self._within(source.type, self._argument(tree))
        return _Code(truth=_all(_items(source), _truth(criterion)), type="boolean")

    def _selected(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        step = self._within(source.type, self._argument(tree))
        if _uses_context(tree.arguments):
            source = source._replace(of_scope=False)
        return _chain(source, step)

    def _repeated(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        step = self._within(None, self._argument(tree))
        tagged = _tagged(source, _Code())
        return _Code(items=_repeat(tagged, _items(step)))

    def _conditional(self, tree: Call) -> _Code:
        source = self._source(tree.source)
        if len(tree.arguments) not in {2, 3}:
            raise NotCompiled("iif() without two or three arguments")
        condition, *branches = [
            self._within(source.type, argument) for argument in tree.arguments
        ]
        then, otherwise = (*branches, _constant(None, None))[:2]
        types = {then.type, otherwise.type} - {None}
        return _Code(
            items=_iif(
                _items(source), _truth(condition), _items(then), _items(otherwise)
            ),
            type=types.pop() if len(types) == 1 else None,
        )

    def _combined(self, tree: Call) -> _Code:
        left, right = self._source(tree.source), self.code(self._argument(tree))
        if tree.name == "union":
            return _union(left, right)
        first, second = _tagged(left, right), _tagged(right, left)
        return _Code(
            items=lambda item, scope: first(item, scope) + second(item, scope),
            type=left.type if left.type == right.type else None,
        )

    def _resolved(self, tree: Call) -> _Code:
        run = _items(self._source(tree.source))

        def items(item: Item, scope: Scope) -> Items:
            found = (resolved(reference, scope) for reference in run(item, scope))
            return [resource for resource in found if resource is not None]

        return _Code(items=items, type="Resource")

    def _extension(self, tree: Call) -> _Code:
        url = self.code(self._argument(tree))
        source = self._source(tree.source)
        extensions = _chain(source, _step(source.type, "extension"))
        run, wanted = _items(extensions), _items(url)

        def items(item: Item, scope: Scope) -> Items:
            urls = wanted(item, scope)
            return [
                _untagged(found)
                for found in run(item, scope)
                if _url(value_of(found)) in urls
            ]

        return _Code(items=items, type="Extension")

    def _starts_with(self, tree: Call) -> _Code:
        argument = self._argument(tree)
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            return self._plain(tree)
        run, prefix = _items(self._source(tree.source)), argument.value

        def truth(item: Item, scope: Scope) -> bool | None:
            found = run(item, scope)
            value = value_of(found[0]) if len(found) == 1 else None
            return value.startswith(prefix) if isinstance(value, str) else None

        return _Code(truth=truth, type="boolean")

    def _type_call(self, tree: Call) -> _Code:
        argument = self._argument(tree)
        if isinstance(argument, Member) and (
            argument.source is None
            or argument.source in {Member(None, "FHIR"), Member(None, "System")}
        ):
            source = self._source(tree.source)
            return self._tested(tree.name, source, argument.name)
        raise NotCompiled(f"{tree.name}() of something that is not a type")


@cache
def _compiled(expression: str, type_: str | None) -> _Code:
    try:
        return _Compiler(type_, type_).code(parse(expression))
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
    run = _items(_compiled(expression, type_))

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
    truth = _truth(_compiled(expression, type_))
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
