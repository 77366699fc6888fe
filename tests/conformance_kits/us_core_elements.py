"""Where the elements of a resource are that a matrix names, slices among them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

CHOICES = ("effective",)
"""Elements of several types that a matrix names without `[x]`."""


def at(resource: Json, path: str, slices: Sequence[Json] = ()) -> list[Any]:
    """Return what a resource has at a path such as `component:systolic.valueQuantity`.

    What only says why it is absent does not count.
    """
    found: list[Any] = [resource]
    walked: list[str] = []
    for step in path.split("."):
        name, _, slice_name = step.partition(":")
        walked.append(name)
        found = [one for parent in found for one in _children(parent, name)]
        for one in slices:
            if (one["path"], one["slice_name"]) == (".".join(walked), slice_name):
                found = [element for element in found if is_in_slice(one, element)]
    return [one for one in found if not _is_only_absent(one)]


def _children(parent: Any, name: str) -> Iterator[Any]:
    for key, value in parent.items() if isinstance(parent, dict) else ():
        if _is_named(key, name):
            yield from value if isinstance(value, list) else [value]


def _is_named(key: str, name: str) -> bool:
    stem = name.removesuffix("[x]")
    if stem == name and name not in CHOICES:
        return key.removeprefix("_") == name
    return key.startswith(stem) and key[len(stem) :][:1].isupper()


def _is_only_absent(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"extension"}:
        return False
    return all(one["url"].endswith("/data-absent-reason") for one in value["extension"])


def is_in_slice(one: Json, element: Any) -> bool:
    """Tell whether an element is in a slice."""
    return _SLICES[one["discriminator"]["type"]](one["discriminator"], element)


def codings(element: Any) -> set[tuple[str | None, str | None]]:
    """Return system and code of a CodeableConcept or a Coding."""
    found = element.get("coding", [element])
    return {(coding.get("system"), coding.get("code")) for coding in found}


def _is_pattern(wanted: Json, element: Any) -> bool:
    inner = at(element, wanted["path"]) if wanted["path"] else [element]
    return any((wanted["system"], wanted["code"]) in codings(one) for one in inner)


def _is_bound(wanted: Json, element: Any) -> bool:
    return any(
        (one["system"], one["code"]) in codings(element) for one in wanted["values"]
    )


def _has_values(wanted: Json, element: Any) -> bool:
    return all(one["value"] in at(element, one["path"]) for one in wanted["values"])


def _is_of_type(wanted: Json, element: Any) -> bool:
    marks = {"Quantity": "value", "CodeableConcept": "coding"}
    return isinstance(element, dict) and marks[wanted["code"]] in element


_SLICES: Mapping[str, Callable[[Json, Any], bool]] = {
    "patternCodeableConcept": _is_pattern,
    "patternCoding": _is_pattern,
    "patternIdentifier": lambda wanted, one: bool(one["system"] == wanted["system"]),
    "requiredBinding": _is_bound,
    "value": _has_values,
    "type": _is_of_type,
}
