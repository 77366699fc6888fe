"""FHIR's own definitions, as data: read lazily from the tables in `definitions/`.

Each table is a file of JSON lines: a header that says from which packages it was
compiled and under which licence, then a record a line. A record is parsed when it
is first asked for.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from conformance.fhir_json import loads

_DIRECTORY = Path(__file__).parent / "definitions"

_remembered = lru_cache(maxsize=4096)
"""For what may be asked with names that a client made up."""

FHIR_VERSION = "4.0.1"
"""The release whose definitions these are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """An invariant.

    Attributes:
        key: FHIR's name for it, such as `obs-6`.
        expression: FHIRPath; None where only prose exists.
        human: What it demands, in FHIR's words.
        is_error: False where a breach is only a warning.

    """

    key: str
    expression: str | None
    human: str
    is_error: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """An element of a structure.

    Attributes:
        name: Name in FHIRPath, without `[x]`: `value`.
        types: Types it allows; a backbone element's type is its path.
        keys: JSON member → type: one for most, one a type for a choice.
        min: Least number of values.
        max: Greatest number of values; None without limit.
        targets: Types a reference may point at; empty for any.
        binding: Canonical of the value set of a required binding.
        is_choice: Whether it is a `[x]`.
        is_modifier: Whether it changes the meaning of what holds it.
        is_summary: Whether `_summary=true` returns it.
        constraints: Invariants stated on the element rather than on its type.

    """

    name: str
    types: tuple[str, ...]
    keys: Mapping[str, str]
    min: int
    max: int | None
    targets: tuple[str, ...]
    binding: str | None
    is_choice: bool
    is_modifier: bool
    is_summary: bool
    constraints: tuple[Constraint, ...]

    @property
    def is_array(self) -> bool:
        """Whether JSON writes it as an array."""
        return self.max != 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """A resource, a datatype or a backbone element.

    Attributes:
        name: Type name, or path of a backbone element.
        base: Name of the structure it specialises; None for a root.
        is_resource: Whether JSON writes it with `resourceType`.
        is_abstract: Whether no instance has exactly this type.
        elements: Own and inherited elements by name, in FHIR's order.
        constraints: Own and inherited invariants.

    """

    name: str
    base: str | None
    is_resource: bool
    is_abstract: bool
    elements: Mapping[str, Element]
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Primitive:
    """A primitive type.

    Attributes:
        name: Type name.
        base: Name of the type it specialises.
        system: `string`, `boolean`, `integer`, `decimal`, `date`, `datetime`, `time`.
        regex: Pattern of its text.

    """

    name: str
    base: str | None
    system: str
    regex: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueSet:
    """The codes of a value set.

    Attributes:
        url: Canonical, without version.
        systems: System → codes; empty where `not_checked` says why.
        codes: All codes, whatever their system.
        not_checked: Why there is no complete list; None where there is.

    """

    url: str
    systems: Mapping[str, frozenset[str]]
    codes: frozenset[str]
    not_checked: str | None


@cache
def _table(name: str) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    """Return the header of a table and its unparsed lines by their first value."""
    header, *lines = (_DIRECTORY / name).read_bytes().splitlines()
    records: dict[str, list[bytes]] = {}
    for line in lines:
        key = line[: line.index(b'"', line.index(b":") + 2)].rpartition(b'"')[2]
        records.setdefault(key.decode(), []).append(line)
    return _parsed(header), records


def _parsed(line: bytes) -> dict[str, Any]:
    record: dict[str, Any] = loads(line, max_depth=len(line))
    return record


def sources() -> Sequence[Mapping[str, str]]:
    """Return package, version and licence of what the tables were compiled from."""
    header, _ = _table("profiles.jsonl")
    found: Sequence[Mapping[str, str]] = header["sources"]
    return found


@cache
def type_names() -> tuple[str, ...]:
    """Return the names of R4's resource types, without the abstract ones."""
    header, _ = _table("types.jsonl")
    return tuple(header["resources"])


@cache
def datatype_names() -> tuple[str, ...]:
    """Return the names of R4's primitive and complex datatypes."""
    header, records = _table("types.jsonl")
    resources = {*header["resources"], "Resource", "DomainResource"}
    return tuple(name for name in records if name not in resources)


@cache
def structure_names() -> tuple[str, ...]:
    """Return resources, complex datatypes and backbone elements, by name."""
    _, records = _table("types.jsonl")
    return tuple(
        name for head in records for name in (_record(head) or {}).get("structures", ())
    )


def is_resource_type(name: str) -> bool:
    """Return whether `name` is a resource type with instances."""
    return name in _type_set()


@cache
def _type_set() -> frozenset[str]:
    return frozenset(type_names())


@_remembered
def _record(name: str) -> dict[str, Any] | None:
    _, records = _table("types.jsonl")
    lines = records.get(name)
    return _parsed(lines[0]) if lines else None


@_remembered
def is_known(name: str) -> bool:
    """Return whether `name` is a type, or the path of a backbone element."""
    head = name.partition(".")[0]
    record = _record(head)
    return record is not None and (name == head or name in record["structures"])


@_remembered
def base(name: str) -> str | None:
    """Return the type that a type, or a backbone element, specialises."""
    record = _record(name.partition(".")[0])
    if record is None:
        return None
    structures = record.get("structures", {})
    facts = structures.get(name, record)
    found: str | None = facts.get("base")
    return found


@_remembered
def is_a(name: str, ancestor: str) -> bool:
    """Return whether `name` is `ancestor` or specialises it."""
    above: str | None = name
    while above is not None and above != ancestor:
        above = base(above)
    return above is not None


@_remembered
def primitive(name: str) -> Primitive | None:
    """Return a primitive type; None where the name is not one."""
    record = _record(name)
    if record is None or record["kind"] != "primitive-type":
        return None
    parent = primitive(record["base"])
    return Primitive(
        name=name,
        base=record["base"],
        system=record["system"] if parent is None else parent.system,
        regex=record.get("regex", parent.regex if parent else None),
    )


def constraints_of(records: Sequence[Mapping[str, Any]]) -> tuple[Constraint, ...]:
    """Return the constraints that records of a table describe."""
    return tuple(
        Constraint(
            key=record["key"],
            expression=record.get("expression"),
            human=record["human"],
            is_error=record.get("severity", "error") == "error",
        )
        for record in records
    )


def _json_suffix(type_: str) -> str:
    if type_ in {"SimpleQuantity", "MoneyQuantity"}:
        return "Quantity"
    return type_[0].upper() + type_[1:]


def _element(name: str, facts: Mapping[str, Any]) -> Element:
    types = tuple(facts["types"])
    is_choice = facts.get("choice", False)
    maximum = facts.get("max", "1")
    return Element(
        name=name,
        types=types,
        keys={name + _json_suffix(item): item for item in types}
        if is_choice
        else {name: types[0]},
        min=facts.get("min", 0),
        max=None if maximum == "*" else int(maximum),
        targets=tuple(facts.get("targets", ())),
        binding=facts.get("binding"),
        is_choice=is_choice,
        is_modifier=facts.get("modifier", False),
        is_summary=facts.get("summary", False),
        constraints=constraints_of(facts.get("constraints", ())),
    )


@cache
def structure(name: str) -> Structure:
    """Return a resource, a complex datatype or a backbone element.

    Raises:
        KeyError: where there is none of that name.

    """
    head = name.partition(".")[0]
    record = _record(head)
    if record is None:
        raise KeyError(name)
    facts = record["structures"][name]
    parent = structure(facts["base"]) if "base" in facts else None
    own = {key: _element(key, item) for key, item in facts["elements"].items()}
    return Structure(
        name=name,
        base=facts.get("base"),
        is_resource=record["kind"] == "resource" and name == head,
        is_abstract=name == head and record.get("abstract", False),
        elements=({} if parent is None else dict(parent.elements)) | own,
        constraints=(() if parent is None else parent.constraints)
        + constraints_of(facts.get("constraints", ())),
    )


def elements(name: str) -> Mapping[str, Element]:
    """Return the elements of a structure by name, inherited ones first."""
    return structure(name).elements


@cache
def value_set(canonical: str) -> ValueSet:
    """Return a value set; one that no table holds says so in `not_checked`.

    A version after `|` picks among the versions the tables hold; where it is not
    among them, or none is given, the first one answers.
    """
    url, _, version = canonical.partition("|")
    _, table = _table("value_sets.jsonl")
    records = [_parsed(line) for line in table.get(url, [])]
    if not records:
        return _value_set({"url": url, "not_checked": "the value set is not known"})
    matching = [item for item in records if item.get("version") == version]
    return _value_set((matching or records)[0])


def _value_set(record: Mapping[str, Any]) -> ValueSet:
    systems = {
        system: frozenset(codes) for system, codes in record.get("systems", {}).items()
    }
    return ValueSet(
        url=record["url"],
        systems=systems,
        codes=frozenset().union(*systems.values()),
        not_checked=record.get("not_checked"),
    )


@cache
def value_sets() -> tuple[ValueSet, ...]:
    """Return every value set that a required binding names."""
    _, table = _table("value_sets.jsonl")
    return tuple(
        _value_set(_parsed(line)) for lines in table.values() for line in lines
    )


@_remembered
def profile_records(url: str) -> tuple[Mapping[str, Any], ...]:
    """Return the reduced profiles of a canonical URL, newest version first."""
    _, table = _table("profiles.jsonl")
    return tuple(_parsed(line) for line in table.get(url, []))


@cache
def profile_urls() -> frozenset[str]:
    """Return the canonical URLs of the profiles that the tables hold."""
    _, table = _table("profiles.jsonl")
    return frozenset(table)


def profile_versions(url: str) -> tuple[str, ...]:
    """Return the versions of a profile that the tables hold."""
    return tuple(
        version for record in profile_records(url) for version in record["versions"]
    )
