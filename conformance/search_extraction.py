"""Compiled paths of search parameters → functions that find their values.

A parameter has branches: a path of JSON members and the type of the elements at its
end. A branch that several parameters share is followed once a resource, and only
where the resource has its first member.

https://hl7.org/fhir/R4/search.html#2.21.1.2
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, Final, TypeVar

from conformance.fhir_json import dumps
from conformance.issues import FHIRError, IssueType
from conformance.search_conversions import boolean_token, conversion
from conformance.search_values import Composite, Convert, Reader, Token, Value

Resource = dict[str, Any]
Extract = Callable[[Resource], list[Value]]
ExtractAll = Callable[[Resource], dict[str, list[Value]]]
Record = Mapping[str, Any]

MAX_COMBINATIONS: Final = 10_000
"""Values of one composite in one element; more is a bomb, not a panel."""

_new = tuple.__new__
_MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_Found = TypeVar("_Found")


def _guarded(extract: Callable[[Resource], _Found]) -> Callable[[Resource], _Found]:
    def guarded(resource: Resource) -> _Found:
        try:
            return extract(resource)
        except _MISSHAPEN:
            raise FHIRError(
                IssueType.STRUCTURE,
                "An element that search looks at has not the shape of its type.",
            ) from None

    return guarded


def _member(step: str) -> str:
    return step.removesuffix("*")


def along(steps: Sequence[str], convert: Convert) -> Convert:
    """Return what follows `steps` from an object and converts what it reaches."""
    if not steps:
        return convert
    step, name = steps[0], _member(steps[0])
    if step.startswith("?"):
        return _where(step, along(steps[1:], convert))
    inner = _from_value(steps, convert)
    return lambda node: inner(node[name]) if name in node else []


def _from_value(steps: Sequence[str], convert: Convert) -> Convert:
    """Return what follows `steps` from the value of the first member."""
    rest = steps[1:]
    if not steps[0].endswith("*"):
        return along(rest, convert)
    if rest and rest[0].startswith("#"):
        return _item(int(rest[0][1:]), along(rest[1:], convert))
    return _each(along(rest, convert))


def _each(inner: Convert) -> Convert:
    def find(items: Any) -> list[Value]:
        if len(items) == 1 and items[0] is not None:
            return inner(items[0])
        return [value for item in items if item is not None for value in inner(item)]

    return find


def _item(index: int, inner: Convert) -> Convert:
    return lambda items: inner(items[index]) if index < len(items) else []


def _where(step: str, inner: Convert) -> Convert:
    key, _, wanted = step[1:].partition("=")
    return lambda node: inner(node) if node.get(key) == wanted else []


def _presence(branches: Sequence[Record]) -> Extract:
    names = [branch["path"][0] for branch in branches]
    true, false = boolean_token(value=True), boolean_token(value=False)

    def find(resource: Resource) -> list[Value]:
        values = [resource[name] for name in names if name in resource]
        return [true] if values and values[0] is not False else [false]

    return find


def _combined(parts: Sequence[Sequence[Value]]) -> list[Value]:
    """Return every combination, without the texts of concepts.

    No composite can ask for those.
    """
    if prod(map(len, parts)) > MAX_COMBINATIONS:
        raise FHIRError(
            IssueType.TOO_COSTLY, "An element has too many codings to be searched."
        )
    useful = [
        [value for value in part if type(value) is not Token or value[1] is not None]
        for part in parts
    ]
    return [_new(Composite, (values,)) for values in product(*useful)]


def _composite(composite: Record, reader: Reader) -> Extract:
    contexts: Callable[[Any], list[Any]]
    contexts = along(composite["path"], lambda element: [element])
    parts = [
        [
            (
                branch.get("root", False),
                along(branch["path"], conversion(part["type"], branch, reader)),
            )
            for branch in part["branches"]
        ]
        for part in composite["components"]
    ]

    def find(resource: Resource) -> list[Value]:
        found: list[Value] = []
        for context in contexts(resource):
            found += _combined(
                [
                    [
                        value
                        for from_root, find_part in part
                        for value in find_part(resource if from_root else context)
                    ]
                    for part in parts
                ]
            )
        return found

    return find


def _finders(record: Record, reader: Reader) -> list[Extract]:
    branches = record.get("branches", [])
    if branches and branches[0].get("present"):
        return [_presence(branches)]
    return [
        along(branch["path"], conversion(record["type"], branch, reader))
        for branch in branches
    ] + [_composite(item, reader) for item in record.get("composites", ())]


def extractor_of(record: Record, reader: Reader) -> Extract:
    """Return what finds the values of one parameter."""
    finders = _finders(record, reader)

    def extract(resource: Resource) -> list[Value]:
        return [value for find in finders for value in find(resource)]

    return _guarded(extract)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What to do with a resource of one type.

    Attributes:
        members: Member → slot, codes and finder (on the member's value) of branches.
        composites: Codes and, for each component, slots, of composites whose
            element is the resource itself.
        others: Codes and finder (on the resource) of what is neither.

    """

    members: dict[str, list[tuple[int, list[str], Convert]]] = field(
        default_factory=dict
    )
    composites: list[tuple[list[str], list[list[int]]]] = field(default_factory=list)
    others: list[tuple[str, list[str], Extract]] = field(default_factory=list)


class _Planner:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._branches: dict[bytes, tuple[int, list[str]]] = {}
        self._composites: dict[bytes, list[str]] = {}
        self.plan = _Plan()

    def add(self, code: str, record: Record) -> None:
        branches = record.get("branches", [])
        if branches and branches[0].get("present"):
            finder = _presence(branches)
            self.plan.others.append(("resourceType", [code], finder))
            return
        for branch in branches:
            self._slot(record["type"], branch)[1].append(code)
        for composite in record.get("composites", ()):
            self._add_composite(composite).append(code)

    def _slot(self, type_: str, branch: Record) -> tuple[int, list[str]]:
        key = dumps([type_, branch])
        if key not in self._branches:
            slot, codes = len(self._branches), list[str]()
            convert = conversion(type_, branch, self._reader)
            entry = slot, codes, _from_value(branch["path"], convert)
            self.plan.members.setdefault(_member(branch["path"][0]), []).append(entry)
            self._branches[key] = slot, codes
        return self._branches[key]

    def _add_composite(self, composite: Record) -> list[str]:
        key = dumps(composite)
        if key not in self._composites:
            codes = self._composites[key] = []
            if composite["path"]:
                member = _member(composite["path"][0])
                finder = _composite(composite, self._reader)
                self.plan.others.append((member, codes, finder))
            else:
                self.plan.composites.append((codes, self._parts(composite)))
        return self._composites[key]

    def _parts(self, composite: Record) -> list[list[int]]:
        return [
            [self._slot(part["type"], branch)[0] for branch in part["branches"]]
            for part in composite["components"]
        ]


def extractor_of_all(records: Mapping[str, Record], reader: Reader) -> ExtractAll:
    """Return what finds the values of all parameters of a type, by code.

    It is written out as one function: a loop over a table takes twice as long.
    """
    planner = _Planner(reader)
    for code, record in records.items():
        planner.add(code, record)
    namespace: dict[str, Any] = {"combined": _combined, "merge": _merge}
    source = "\n".join(_source(planner.plan, namespace))
    exec(source, namespace)  # noqa: S102 - its text is made of the committed table alone
    return _guarded(namespace["extract"])


def _source(plan: _Plan, namespace: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the function; the finders it calls go into `namespace`."""
    yield "def extract(resource):"
    yield "    found = {}"
    used = {slot for _, parts in plan.composites for part in parts for slot in part}
    for slot in sorted(used):
        yield f"    values_{slot} = []"
    for member, entries in plan.members.items():
        yield f"    if {member!r} in resource:"
        yield f"        element = resource[{member!r}]"
        for slot, codes, find in entries:
            namespace[f"find_{slot}"] = find
            yield f"        values_{slot} = find_{slot}(element)"
            yield f"        if values_{slot}:"
            yield from (
                f"            {line}" for line in _assignments(slot, codes, plan)
            )
    for codes, parts in plan.composites:
        values = [" + ".join(f"values_{slot}" for slot in part) for part in parts]
        yield f"    if {' and '.join(f'({value})' for value in reversed(values))}:"
        yield f"        merge(found, {codes!r}, combined([{', '.join(values)}]))"
    for number, (member, codes, find) in enumerate(plan.others):
        namespace[f"find_other_{number}"] = find
        yield f"    if {member!r} in resource:"
        yield f"        merge(found, {codes!r}, find_other_{number}(resource))"
    yield "    return found"


def _assignments(slot: int, codes: Sequence[str], plan: _Plan) -> Iterator[str]:
    entries = [entry for entries in plan.members.values() for entry in entries]
    branches = Counter(code for _, others, _ in entries for code in others)
    for code in codes:
        earlier = f"found.get({code!r}, []) + " if branches[code] > 1 else ""
        yield f"found[{code!r}] = {earlier}values_{slot}"


def _merge(
    found: dict[str, list[Value]], codes: Sequence[str], values: list[Value]
) -> None:
    if values:
        for code in codes:
            found[code] = found.get(code, []) + values
