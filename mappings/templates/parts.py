"""A refused part of a message, as quarantine keeps it for a retry.

It holds what its measurement needs and no more: of a long list only the one element.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mappings.templates.expression import Step
from mappings.templates.rule import Rule

PART = "fhir-service-part"
"""The one member of a part; no sensor's message has it."""


def _part(envelope: Mapping[str, Any] | None, body: Any, **more: Any) -> dict[str, Any]:
    told = {} if envelope is None else {"envelope": dict(envelope)}
    return {PART: {**told, "message": body, **more}}


def of_message(
    envelope: Mapping[str, Any] | None, body: Any, kind: str
) -> dict[str, Any]:
    """Return the part of one measurement of a message."""
    return _part(envelope, body, kind=kind)


def of_item(
    envelope: Mapping[str, Any] | None, body: Any, rule: Rule, item: Any
) -> dict[str, Any]:
    """Return the part of one element of a list, without the rest of the list."""
    path = None if rule.each is None else rule.each.path
    rest = body if not path else _without(body, path)
    return _part(envelope, rest, kind=rule.kind, item=item)


def of_member(
    envelope: Mapping[str, Any] | None, body: Any, path: Sequence[Step]
) -> dict[str, Any]:
    """Return the part of a member that no expression reads."""
    return _part(envelope, body, member=list(path))


def narrowed(body: Any, path: Sequence[Step]) -> Any:
    """Return a message with the member at `path`, and without other lists."""
    if not path:
        return body
    step, *rest = path
    if isinstance(body, list):
        return [narrowed(body[int(step)], rest)]
    return {
        name: narrowed(member, rest) if name == step else _plain(member)
        for name, member in body.items()
        if name == step or not isinstance(member, list)
    }


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: _plain(member)
        for name, member in value.items()
        if not isinstance(member, list)
    }


def _without(body: Any, path: Sequence[Step]) -> Any:
    step, *rest = path
    if not isinstance(body, dict) or step not in body:
        return body
    if not rest:
        return {name: member for name, member in body.items() if name != step}
    return {**body, step: _without(body[step], rest)}


def touches(rule: Rule, member: Any) -> bool:
    """Return whether a measurement reads a member, given its path."""
    if not isinstance(member, list):
        return False
    names = [step for step in member if isinstance(step, str)]
    return any(_meet(path, names) for path in paths_of(rule))


def _meet(path: Sequence[Step], names: Sequence[str]) -> bool:
    read = [step for step in path if isinstance(step, str)]
    return bool(read) and all(
        one == other for one, other in zip(read, names, strict=False)
    )


def paths_of(rule: Rule) -> list[tuple[Step, ...]]:
    """Return what a measurement reads of its message."""
    if rule.each is None:
        return list(rule.reads)
    if rule.each.path is None:
        return list(rule.each.reads)
    return [(*rule.each.path, *read) for read in rule.reads] or [rule.each.path]
