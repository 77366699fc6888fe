"""Where the elements of a resource are, and how a value of a search is split.

https://hl7.org/fhir/R4/search.html#escaping
"""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_STEP = re.compile(r"(\w+)(?:\[(\w+)=(\w+)\])?")


def at(node: Any, path: str) -> list[Any]:
    """Return the elements at a path, `telecom[system=phone]` or `name.given`."""
    found = [node]
    for step in path.split(".") if path else ():
        name, key, value = _STEP.fullmatch(step).groups()
        found = [
            one
            for parent in found
            for one in _children(parent, name)
            if key is None or one.get(key) == value
        ]
    return found


def _children(node: Any, name: str) -> Iterator[Any]:
    child = node.get(name) if isinstance(node, dict) else None
    if isinstance(child, list):
        yield from (one for one in child if one is not None)
    elif child is not None:
        yield child


def split(value: str, separator: str) -> list[str]:
    r"""Return the parts between separators that no `\\` escapes, still escaped."""
    parts = [""]
    rest = iter(value)
    for character in rest:
        if character == separator:
            parts.append("")
        elif character == "\\":
            parts[-1] += character + next(rest, "")
        else:
            parts[-1] += character
    return parts


def unescaped(value: str) -> str:
    r"""Return what was escaped with `\\` as it is."""
    return re.sub(r"\\([,|$\\])", r"\1", value)


def escaped(value: str) -> str:
    r"""Return a value with `\\` before what a search would split it at."""
    return re.sub(r"([,|$\\])", r"\\\1", value)
