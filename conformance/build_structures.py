"""StructureDefinitions of a release → one compact record a type.

Elements that a type inherits unchanged are left to its base, constraints likewise,
so that each fact is written once.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.build_packages import Package

_ROOT = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = f"{_ROOT}structuredefinition-fhir-type"
_REGEX = f"{_ROOT}regex"
_SYSTEM = "http://hl7.org/fhirpath/System."

_QUANTITY_PROFILES = ("SimpleQuantity", "MoneyQuantity")
"""Profiles that R4 uses as the type of elements; written as types of their own."""

_TYPE_OF = {"Resource.id": "id", "Extension.url": "uri"}
"""Elements whose type the 4.0.1 definitions give wrongly or not at all."""


def type_name(url: str) -> str:
    """Return the type that a StructureDefinition URL of the release names."""
    return url.rsplit("/", 1)[-1]


def extension_value(extensions: list[dict[str, Any]], url: str) -> Any:
    """Return the value of the first extension `url`, or None."""
    for extension in extensions:
        if extension["url"] == url:
            return next(
                (value for key, value in extension.items() if key != "url"), None
            )
    return None


def element_types(element: Mapping[str, Any]) -> list[str]:
    """Return the type names an element allows, in the order of the definition."""
    names: list[str] = []
    for type_ in element.get("type", []):
        code = type_["code"]
        profiles = [type_name(profile) for profile in type_.get("profile", [])]
        if element["path"] in _TYPE_OF:
            code = _TYPE_OF[element["path"]]
        elif code.startswith(_SYSTEM):
            code = extension_value(type_.get("extension", []), _FHIR_TYPE) or "string"
        elif code == "Quantity" and profiles and profiles[0] in _QUANTITY_PROFILES:
            code = profiles[0]
        if code not in names:
            names.append(code)
    return names


def reference_targets(element: Mapping[str, Any]) -> list[str]:
    """Return the canonical URLs that references of an element may point at."""
    targets: list[str] = []
    for type_ in element.get("type", []):
        if type_["code"] == "Reference":
            targets += type_.get("targetProfile", [])
    return targets


def constraint(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an evaluator and a client need of one constraint."""
    record = {
        "key": source["key"],
        "expression": source.get("expression"),
        "human": source["human"],
    }
    if source["severity"] != "error":
        record["severity"] = source["severity"]
    return record


class Structures:
    """The types of one release, as records."""

    def __init__(self, package: Package) -> None:
        self._definitions = {
            definition["id"]: definition
            for definition in package.of_type("StructureDefinition")
            if definition["kind"] != "logical"
            and (
                definition.get("derivation") != "constraint"
                or definition["id"] in _QUANTITY_PROFILES
            )
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the record of each type, ordered by name."""
        for name in sorted(self._definitions):
            yield self._record(self._definitions[name])

    def _root_constraints(self, name: str) -> set[str]:
        """Return the keys that a type, or a type it is based on, states."""
        keys: set[str] = set()
        definition = self._definitions.get(name)
        if definition is not None:
            root = definition["snapshot"]["element"][0]
            keys = {item["key"] for item in root.get("constraint", [])}
        return keys

    def _inherited(self, name: str) -> set[str]:
        """Return the element names that come from a type's base."""
        if name not in self._definitions or name in _QUANTITY_PROFILES:
            return set()
        return {
            element["path"].split(".")[1]
            for element in self._definitions[name]["snapshot"]["element"][1:]
            if element["path"].count(".") == 1
        }

    def _record(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        name = definition["id"]
        record: dict[str, Any] = {"name": name, "kind": definition["kind"]}
        if definition.get("abstract"):
            record["abstract"] = True
        if "baseDefinition" in definition:
            record["base"] = type_name(definition["baseDefinition"])
        elements = definition["snapshot"]["element"]
        if definition["kind"] == "primitive-type":
            return record | self._primitive(elements, record.get("base"))
        parents = {element["path"].rpartition(".")[0] for element in elements}
        structures: dict[str, Any] = {}
        for element in elements:
            path = element["path"]
            if path == elements[0]["path"] or path in parents:
                structures[self._renamed(path, name)] = self._structure(
                    element, record.get("base") if path == elements[0]["path"] else None
                )
            parent, _, last = path.rpartition(".")
            if parent:
                structure = structures[self._renamed(parent, name)]
                self._add(structure, last, element, is_parent=path in parents)
        return record | {"structures": structures}

    @staticmethod
    def _renamed(path: str, name: str) -> str:
        return name if name in _QUANTITY_PROFILES and "." not in path else path

    @staticmethod
    def _primitive(elements: list[dict[str, Any]], base: str | None) -> dict[str, Any]:
        [value] = [item for item in elements if item["path"].endswith(".value")]
        facts: dict[str, Any] = {}
        regex = extension_value(value["type"][0].get("extension", []), _REGEX)
        if regex is not None:
            facts["regex"] = regex
        if base == "Element":
            facts["system"] = type_name(value["type"][0]["code"]).split(".")[1].lower()
        if "maxLength" in value:
            facts["maxLength"] = value["maxLength"]
        for bound in ("minValueInteger", "maxValueInteger"):
            if bound in value:
                facts[bound] = value[bound]
        return facts

    def _structure(
        self, element: Mapping[str, Any], base: str | None
    ) -> dict[str, Any]:
        parent = base or next(iter(element_types(element)), None)
        structure: dict[str, Any] = {"elements": {}}
        if parent is not None:
            structure["base"] = parent
        inherited = self._root_constraints(parent) if parent else set()
        constraints = [
            constraint(item)
            for item in element.get("constraint", [])
            if item["key"] not in inherited
        ]
        if constraints:
            structure["constraints"] = constraints
        return structure

    def _add(
        self,
        structure: dict[str, Any],
        last: str,
        element: Mapping[str, Any],
        *,
        is_parent: bool,
    ) -> None:
        if last in self._inherited(structure.get("base", "")):
            return
        facts: dict[str, Any] = {}
        if "contentReference" in element:
            facts["types"] = [element["contentReference"].removeprefix("#")]
        elif is_parent:
            facts["types"] = [element["path"]]
        else:
            facts["types"] = element_types(element)
        facts |= self._cardinality(element) | self._facts(element)
        constraints = [] if is_parent else self._element_constraints(element, facts)
        if constraints:
            facts["constraints"] = constraints
        structure["elements"][last.removesuffix("[x]")] = facts
        if last.endswith("[x]"):
            facts["choice"] = True

    def _element_constraints(
        self, element: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        inherited = {"ele-1"}
        for name in facts["types"]:
            inherited |= self._root_constraints(name)
        return [
            constraint(item)
            for item in element.get("constraint", [])
            if item["key"] not in inherited
        ]

    @staticmethod
    def _cardinality(element: Mapping[str, Any]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if element["min"]:
            facts["min"] = element["min"]
        if element["max"] != "1":
            facts["max"] = element["max"]
        return facts

    @staticmethod
    def _facts(element: Mapping[str, Any]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        targets = [type_name(url) for url in reference_targets(element)]
        if targets and "Resource" not in targets:
            facts["targets"] = targets
        binding = element.get("binding", {})
        if binding.get("strength") == "required":
            facts["binding"] = binding["valueSet"]
        if element.get("isModifier"):
            facts["modifier"] = True
        if element.get("isSummary"):
            facts["summary"] = True
        return facts
