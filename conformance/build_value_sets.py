"""ValueSets → code lists, and the reason where that cannot be done.

https://hl7.org/fhir/R4/valueset.html#expansion
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.build_packages import Package

Codes = dict[str, list[str]]


class NotExpandable(Exception):  # noqa: N818 - an answer, not a mistake
    """Why a value set has no complete list of codes here."""


def _concepts(concepts: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for concept in concepts:
        yield concept
        yield from _concepts(concept.get("concept", []))


def _below(
    concepts: Sequence[Mapping[str, Any]], code: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the concepts beneath `code`, in the tree and by `subsumedBy`."""
    everything = list(_concepts(concepts))
    children: dict[str, list[Mapping[str, Any]]] = {}
    for concept in everything:
        for child in concept.get("concept", []):
            children.setdefault(concept["code"], []).append(child)
        for item in concept.get("property", []):
            if item["code"] in {"subsumedBy", "parent"}:
                children.setdefault(item["valueCode"], []).append(concept)
    waiting, seen = [code], {code}
    while waiting:
        for concept in children.get(waiting.pop(), []):
            if concept["code"] not in seen:
                seen.add(concept["code"])
                waiting.append(concept["code"])
                yield concept


def _filtered(
    concepts: Sequence[Mapping[str, Any]], condition: Mapping[str, Any]
) -> set[str]:
    operator, value = condition["op"], condition["value"]
    if condition["property"] != "concept" or operator not in {"is-a", "descendent-of"}:
        raise NotExpandable(f"filter {condition['property']} {operator}")
    codes = {concept["code"] for concept in _below(concepts, value)}
    return codes | {value} if operator == "is-a" else codes


class ValueSets:
    """Expands the value sets of some packages; the first package that knows wins."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self._packages = packages

    def record(self, canonical: str) -> dict[str, Any]:
        """Return the codes of a value set by system, or why there is no list."""
        url, _, _ = canonical.partition("|")
        definition = self._find(url, "ValueSet")
        version = definition.get("version") if definition else None
        record: dict[str, Any] = {"url": url}
        if version is not None:
            record["version"] = version
        try:
            codes = self._expand(url, frozenset())
        except NotExpandable as reason:
            return record | {"not_checked": str(reason)}
        return record | {
            "systems": {system: sorted(set(codes[system])) for system in sorted(codes)}
        }

    def _find(self, url: str, type_: str) -> Mapping[str, Any] | None:
        for package in self._packages:
            found = package.definitions.get(url)
            if found is not None and found["resourceType"] == type_:
                return found
        return None

    def _expand(self, canonical: str, above: frozenset[str]) -> Codes:
        url, _, _ = canonical.partition("|")
        definition = self._find(url, "ValueSet")
        if definition is None:
            raise NotExpandable(f"{url} is in none of the packages")
        if url in above:
            raise NotExpandable(f"{url} includes itself")
        if "compose" not in definition:
            raise NotExpandable(f"{url} has no compose")
        codes: Codes = {}
        for include in definition["compose"]["include"]:
            for system, found in self._include(include, above | {url}).items():
                codes.setdefault(system, []).extend(found)
        for exclude in definition["compose"].get("exclude", []):
            for system, found in self._include(exclude, above | {url}).items():
                kept = set(codes.get(system, [])) - set(found)
                codes[system] = [code for code in codes.get(system, []) if code in kept]
        return codes

    def _include(self, include: Mapping[str, Any], above: frozenset[str]) -> Codes:
        parts: list[Codes] = [
            self._expand(url, above) for url in include.get("valueSet", [])
        ]
        if "system" in include:
            parts.append({include["system"]: self._system(include)})
        first, *others = parts
        for other in others:
            first = {
                system: [code for code in codes if code in other.get(system, [])]
                for system, codes in first.items()
            }
        return first

    def _system(self, include: Mapping[str, Any]) -> list[str]:
        if "concept" in include:
            return [concept["code"] for concept in include["concept"]]
        system = self._find(include["system"], "CodeSystem")
        if system is None:
            raise NotExpandable(f"{include['system']} is in none of the packages")
        if system["content"] != "complete":
            raise NotExpandable(f"{include['system']} is not complete in its package")
        codes = [concept["code"] for concept in _concepts(system.get("concept", []))]
        for condition in include.get("filter", []):
            kept = _filtered(system.get("concept", []), condition)
            codes = [code for code in codes if code in kept]
        return codes
