"""What of a message no expression of a template reads: it is told, never dropped."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mappings.templates.expression import Step

Tree = Mapping[str, Any]
"""Name of a member → what is known below it; None where all of it is."""

MAX_UNREAD = 1000
"""Members of one message that are told; a message has fewer."""


def tree_of(paths: Iterable[tuple[Step, ...]]) -> Tree | None:
    """Return what is known of a message whose `paths` are read.

    An index is left out: what holds for one element of a list holds for all.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        names = [step for step in path if isinstance(step, str)]
        if not names:
            return None
        _enter(tree, names)
    return tree


def _enter(tree: dict[str, Any], names: list[str]) -> None:
    *outer, last = names
    at: dict[str, Any] = tree
    for name in outer:
        below = at.setdefault(name, {})
        if below is None:
            return
        at = below
    at[last] = None


def unread(
    value: Any, tree: Tree | None, place: tuple[Step, ...] = ()
) -> Iterator[tuple[Step, ...]]:
    """Yield the paths of members that hold something and are not known."""
    if tree is None:
        return
    if type(value) is list:
        for index, element in enumerate(value):
            yield from unread(element, tree, (*place, index))
    elif type(value) is dict:
        for name, member in value.items():
            if name in tree:
                yield from unread(member, tree[name], (*place, name))
            elif _holds_something(member):
                yield (*place, name)


def _holds_something(value: Any) -> bool:
    return value is not None and value not in ("", [], {})


def told(path: Iterable[Step]) -> str:
    """Return a path as a position ends: `.Body.readings[3].value`."""
    return "".join(
        f".{step}" if isinstance(step, str) else f"[{step}]" for step in path
    )
