"""Compile SearchParameters and CompartmentDefinitions into tables.

`python -m conformance.build_search_parameters --out conformance/definitions
SOURCE...`: the first source is the release's own package, the others (guides, or a
Bundle of SearchParameters) add the parameters that the release does not have. Never
run at start-up. The same sources give the same bytes.

https://hl7.org/fhir/R4/searchparameter.html and
https://hl7.org/fhir/R4/compartmentdefinition.html
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from conformance.build_packages import Package, read_package
from conformance.build_search_expressions import (
    Elements,
    ExpressionError,
    Place,
    concerns,
    places,
    places_within,
    terms,
)
from conformance.fhir_json import dumps, loads

_STANDARDS_STATUS = (
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
)
"""What a release's own parameters have, and the examples beside them do not."""

_SELF = "{def}"
"""Stands where a compartment's own resource is listed among its members."""

_STRINGS = frozenset({"string", "markdown"})
_URIS = frozenset({"uri", "url", "canonical", "oid", "uuid"})
_CODED = frozenset({"CodeableConcept", "Coding", "Identifier", "ContactPoint", "code"})

INDEXED: Final[Mapping[str, frozenset[str]]] = {
    "token": _CODED | {"boolean", "id"} | _STRINGS | _URIS,
    "string": _STRINGS | {"HumanName", "Address"},
    "date": frozenset({"date", "dateTime", "instant", "Period", "Timing"}),
    "reference": _URIS | {"Reference", "Resource"},
    "quantity": frozenset(
        {"Quantity", "Age", "Duration", "Count", "Distance", "Money"}
        | {"Range", "SampledData"}
    ),
    "number": frozenset({"decimal", "integer", "positiveInt", "unsignedInt", "Range"}),
    "uri": _URIS,
}
"""Types of element that a search parameter of each type can look at."""


def _branch(place: Place) -> dict[str, Any]:
    branch: dict[str, Any] = {"path": list(place.steps), "type": place.type}
    for key in ("system", "target", "root", "present"):
        if value := getattr(place, key):
            branch[key] = value
    return branch


def _branches(type_: str, found: Sequence[Place]) -> list[dict[str, Any]]:
    indexed = [
        _branch(place)
        for place in found
        if place.present or place.type in INDEXED.get(type_, ())
    ]
    if not indexed:
        names = ", ".join(sorted({place.type for place in found}))
        raise ExpressionError(f"no {type_} search looks at {names or 'nothing'}")
    return [item for n, item in enumerate(indexed) if item not in indexed[:n]]


class _Compiler:
    def __init__(self, packages: Sequence[Package]) -> None:
        release, *guides = packages
        self._elements = Elements(release)
        own = [item for item in release.of_type("SearchParameter") if _is_own(item)]
        added = [item for guide in guides for item in guide.of_type("SearchParameter")]
        self._parameters = own + added
        self._by_url = {item["url"]: item for item in reversed(self._parameters)}

    def types(self) -> dict[str, dict[str, Any]]:
        """Return type → code → record; every type of the release is there."""
        names = sorted([*self._elements.resource_types, "DomainResource", "Resource"])
        table: dict[str, dict[str, Any]] = {name: {} for name in names}
        for parameter in self._parameters:
            for type_ in parameter["base"]:
                known = table["Resource"] | table["DomainResource"] | table[type_]
                if "refused" in known.get(parameter["code"], {"refused": ""}):
                    table[type_][parameter["code"]] = self._record(type_, parameter)
        return {type_: dict(sorted(codes.items())) for type_, codes in table.items()}

    def _record(self, type_: str, parameter: Mapping[str, Any]) -> dict[str, Any]:
        expression = parameter.get("expression", "")
        own = [term for term in terms(expression) if concerns(term, type_)]
        record: dict[str, Any] = {"type": parameter["type"], "url": parameter["url"]}
        if own:
            record["expression"] = " | ".join(own)
        if "target" in parameter:
            record["target"] = parameter["target"]
        try:
            return record | self._compiled(type_, parameter)
        except ExpressionError as error:
            return record | {"refused": str(error)}

    def _compiled(self, type_: str, parameter: Mapping[str, Any]) -> dict[str, Any]:
        expression = parameter.get("expression")
        if expression is None:
            raise ExpressionError("there is no expression")
        found = places(self._elements, type_, expression)
        if parameter["type"] != "composite":
            return {"branches": _branches(parameter["type"], found)}
        return {
            "component": [
                self._by_url[item["definition"]]["code"]
                for item in parameter["component"]
            ],
            "composites": [self._composite(place, parameter) for place in found],
        }

    def _composite(self, place: Place, parameter: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "path": list(place.steps),
            "components": [
                {"type": type_, "branches": _branches(type_, found)}
                for type_, found in self._components(place, parameter)
            ],
        }

    def _components(
        self, place: Place, parameter: Mapping[str, Any]
    ) -> Iterator[tuple[str, list[Place]]]:
        for component in parameter["component"]:
            definition = self._by_url[component["definition"]]
            yield (
                definition["type"],
                places_within(self._elements, place, component["expression"]),
            )


def _is_own(parameter: Mapping[str, Any]) -> bool:
    extensions = parameter.get("extension", [])
    return any(extension["url"] == _STANDARDS_STATUS for extension in extensions)


def _compartments(release: Package) -> dict[str, dict[str, list[str]]]:
    table = {}
    for definition in release.of_type("CompartmentDefinition"):
        if "/example" not in definition["url"]:
            members = (
                (
                    item["code"],
                    [code for code in item.get("param", ()) if code != _SELF],
                )
                for item in definition["resource"]
            )
            table[definition["code"]] = {
                type_: codes for type_, codes in members if codes
            }
    return dict(sorted(table.items()))


def search_parameter_tables(packages: Sequence[Package]) -> dict[str, Any]:
    """Return file name → content, for a release and the packages on top of it."""
    sources = [
        {"package": item.name, "version": item.version, "licence": item.licence}
        for item in packages
    ]
    return {
        "search_parameters.json": {
            "sources": sources,
            "types": _Compiler(packages).types(),
        },
        "compartments.json": {
            "sources": sources[:1],
            "compartments": _compartments(packages[0]),
        },
    }


def _source(path: Path) -> Package:
    if path.suffix != ".json":
        return read_package(path)
    bundle = loads(path.read_bytes())
    resources = [entry["resource"] for entry in bundle["entry"]]
    return Package(
        name=path.stem,
        version=resources[0]["version"],
        licence="CC0-1.0",
        definitions={resource["url"]: resource for resource in resources},
    )


def main(arguments: Sequence[str]) -> int:
    """Write the tables and say how large they are."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.build_search_parameters"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    options = parser.parse_args(arguments)
    found = search_parameter_tables([_source(path) for path in options.sources])
    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in sorted(found.items()):
        content = dumps(table) + b"\n"
        (options.out / name).write_bytes(content)
        sys.stdout.write(f"{len(content):>9} {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
