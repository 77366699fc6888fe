"""Profiles → what a validator needs of them beyond the base definitions.

Every element of a snapshot that says no more than the release's own definition is
left out. Versions of a profile that come to the same are written once.

https://hl7.org/fhir/R4/profiling.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from conformance.build_packages import Package
from conformance.build_structures import (
    constraint,
    element_types,
    reference_targets,
    type_name,
)
from conformance.build_value_sets import ValueSets
from conformance.fhir_json import dumps

RELEASE_PROFILES = (
    "bmi",
    "bodyheight",
    "bodytemp",
    "bodyweight",
    "bp",
    "headcircum",
    "heartrate",
    "oxygensat",
    "resprate",
    "vitalsigns",
    "vitalspanel",
)
"""The vital-signs profiles that R4 itself publishes."""

_QUANTITY_TYPES = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}

Facts = dict[str, Any]


class _Base:
    """The release's own elements, inherited ones included."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._structures: dict[str, Mapping[str, Any]] = {}
        for record in records:
            self._structures |= record.get("structures", {})
            if record["kind"] == "primitive-type":
                self._structures[record["name"]] = {
                    "base": "Element",
                    "elements": {"value": {"types": [record["name"]]}},
                }

    def element(self, type_: str, name: str) -> Mapping[str, Any]:
        """Return the facts of an element of a type or of what it is based on."""
        above: str | None = type_
        while above is not None:
            structure = self._structures[above]
            if name in structure["elements"]:
                found: Mapping[str, Any] = structure["elements"][name]
                return found
            above = structure.get("base")
        raise KeyError(f"{type_}.{name}")

    def keys(self, type_: str) -> set[str]:
        """Return the keys of a type's own and inherited constraints."""
        keys: set[str] = set()
        above: str | None = type_
        while above is not None:
            structure = self._structures.get(above, {})
            keys |= {item["key"] for item in structure.get("constraints", [])}
            above = structure.get("base")
        return keys


def _split(segment: str) -> tuple[str, str]:
    """Return element name and slice name of a segment of an element id."""
    name, _, slice_ = segment.partition(":")
    return name.removesuffix("[x]"), slice_


def _wider(types: list[str]) -> list[str]:
    return [_QUANTITY_TYPES.get(name, name) for name in types]


def _value(element: Mapping[str, Any], prefix: str) -> Any:
    for key, value in element.items():
        if key.startswith(prefix) and key[len(prefix) :][:1].isupper():
            return value
    return None


class Profiles:
    """The profiles of a release and of the guides on top of it, as records."""

    def __init__(
        self,
        release: Package,
        guides: Sequence[Package],
        structures: Sequence[Mapping[str, Any]],
    ) -> None:
        self._release = release
        self._guides = guides
        self._base = _Base(structures)
        self._types = {
            definition["url"]: definition["type"]
            for package in (release, *guides)
            for definition in package.of_type("StructureDefinition")
        }
        self.value_sets: dict[str, dict[str, Any]] = {}

    def records(self) -> list[dict[str, Any]]:
        """Return the records, by URL, newest version first."""
        found: dict[tuple[str, bytes], dict[str, Any]] = {}
        for package, definition in self._definitions():
            record = self._record(package, definition)
            key = (record["url"], dumps(record))
            found.setdefault(key, record | {"versions": []})
            found[key]["versions"].append(definition["version"])
        for record in found.values():
            record["versions"].sort(key=_parts, reverse=True)
        newest_first = sorted(
            found.values(),
            key=lambda record: _parts(record["versions"][0]),
            reverse=True,
        )
        return sorted(newest_first, key=lambda record: str(record["url"]))

    def _definitions(self) -> Iterator[tuple[Package, Mapping[str, Any]]]:
        for definition in self._release.of_type("StructureDefinition"):
            if definition["id"] in RELEASE_PROFILES:
                yield self._release, definition
        for guide in self._guides:
            for definition in guide.of_type("StructureDefinition"):
                is_profile = definition.get("derivation") == "constraint"
                if is_profile and definition["kind"] != "logical":
                    yield guide, definition

    def _record(
        self, package: Package, definition: Mapping[str, Any]
    ) -> dict[str, Any]:
        types: dict[str, list[str]] = {}
        elements: list[Facts] = []
        for element in definition["snapshot"]["element"]:
            facts = self._facts(package, element, types)
            if facts:
                elements.append({"id": element["id"]} | facts)
        elements = [element for element in map(_pruned(elements), elements) if element]
        return {
            "url": definition["url"],
            "name": definition["name"],
            "type": definition["type"],
            "base": definition["baseDefinition"],
            "elements": elements,
        }

    def _facts(
        self,
        package: Package,
        element: Mapping[str, Any],
        types: dict[str, list[str]],
    ) -> Facts:
        id_ = element["id"]
        parent, _, segment = id_.rpartition(".")
        if not parent:
            types[id_] = [element["path"]]
            known = self._base.keys(element["path"])
            return _constraints(element, known) | _must_support(element)
        name, slice_ = _split(segment)
        base = self._base.element(types[parent][0], name)
        names = element_types(element) or base["types"]
        same = sorted(_wider(names)) == sorted(_wider(base["types"]))
        types[id_] = base["types"] if same or "." in base["types"][0] else names
        facts: Facts = {}
        if base.get("choice") and (slice_ or not same):
            facts["types"] = names
        known = {item["key"] for item in base.get("constraints", [])} | {"ele-1"}
        for type_ in types[id_]:
            known |= self._base.keys(type_)
        return (
            facts
            | _cardinality(element, base, slice_)
            | self._targets(element, base)
            | self._binding(package, element, base)
            | _values(element)
            | _slicing(element)
            | _constraints(element, known)
            | _profiles(element)
            | _must_support(element)
        )

    def _targets(self, element: Mapping[str, Any], base: Mapping[str, Any]) -> Facts:
        urls = reference_targets(element)
        targets = sorted({self._types.get(url, "Resource") for url in urls})
        if not targets or "Resource" in targets:
            return {}
        if targets == sorted(base.get("targets", [])):
            return {}
        return {"targets": targets}

    def _binding(
        self, package: Package, element: Mapping[str, Any], base: Mapping[str, Any]
    ) -> Facts:
        binding = element.get("binding", {})
        if binding.get("strength") != "required":
            return {}
        canonical = binding["valueSet"]
        url = canonical.partition("|")[0]
        if url == base.get("binding", "").partition("|")[0]:
            return {}
        record = ValueSets([package, self._release]).record(canonical)
        name = f"{url}|{record['version']}" if "version" in record else url
        self.value_sets[name] = record
        return {"binding": name}


def _pruned(elements: Sequence[Facts]) -> Callable[[Facts], Facts | None]:
    """Return a function that drops open slicing that nothing was sliced by."""
    ids = [element["id"] for element in elements]

    def pruned(element: Facts) -> Facts | None:
        id_ = element["id"]
        is_open = element.get("slicing", {}).get("rules") == "open"
        if is_open and not any(other.startswith(f"{id_}:") for other in ids):
            element = {key: value for key, value in element.items() if key != "slicing"}
        return element if len(element) > 1 else None

    return pruned


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _cardinality(
    element: Mapping[str, Any], base: Mapping[str, Any], slice_: str
) -> Facts:
    facts: Facts = {}
    if element["min"] > (0 if slice_ else base.get("min", 0)):
        facts["min"] = element["min"]
    if element["max"] != base.get("max", "1"):
        facts["max"] = element["max"]
    return facts


def _values(element: Mapping[str, Any]) -> Facts:
    found = {kind: _value(element, kind) for kind in ("fixed", "pattern")}
    return {kind: value for kind, value in found.items() if value is not None}


def _slicing(element: Mapping[str, Any]) -> Facts:
    slicing = element.get("slicing")
    if slicing is None:
        return {}
    pairs = [[item["type"], item["path"]] for item in slicing.get("discriminator", [])]
    return {"slicing": {"discriminators": pairs, "rules": slicing["rules"]}}


def _constraints(element: Mapping[str, Any], known: set[str]) -> Facts:
    found = [
        constraint(item)
        for item in element.get("constraint", [])
        if item["key"] not in known
    ]
    return {"constraints": found} if found else {}


def _profiles(element: Mapping[str, Any]) -> Facts:
    found = [
        url
        for type_ in element.get("type", [])
        for url in type_.get("profile", [])
        if type_name(url) not in _QUANTITY_TYPES
    ]
    return {"profiles": found} if found else {}


def _must_support(element: Mapping[str, Any]) -> Facts:
    return {"mustSupport": True} if element.get("mustSupport") else {}
