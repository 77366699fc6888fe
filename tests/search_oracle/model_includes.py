"""What comes beside the matches of a page.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterable
from dataclasses import dataclass

from model import Model
from model_paths import Json
from model_references import target
from model_table import PARAMETERS

Key = tuple[str, str]
"""Type and id."""


@dataclass(frozen=True, kw_only=True)
class Include:
    """One `_include` or `_revinclude`.

    Attributes:
        source: Type that refers.
        parameter: Its reference.
        target: Type that is referred to; None for any.
        is_reverse: Whether those who refer are asked for.
        iterates: Whether what was included is followed, too.

    """

    source: str
    parameter: str
    target: str | None = None
    is_reverse: bool = False
    iterates: bool = False

    @property
    def pair(self) -> tuple[str, str]:
        """Return it as a parameter of a search."""
        name = "_revinclude" if self.is_reverse else "_include"
        parts = (self.source, self.parameter, self.target)
        value = ":".join(one for one in parts if one)
        return (f"{name}:iterate" if self.iterates else name), value


def key(resource: Json) -> Key:
    return resource["resourceType"], resource["id"]


def included(model: Model, found: list[Json], asked: Iterable[Include]) -> set[Key]:
    """Return what comes beside matches: each once, and no match again."""
    every = {key(one): one for one in model.resources}
    includes = list(asked)
    matches = {key(one) for one in found}
    seen = set(matches)
    new = matches
    while new:
        steps = [one for one in includes if one.iterates or new is matches]
        led = {
            reached
            for step in steps
            for one in new
            for reached in _led(model, every[one], step)
            if reached in every
        }
        new = led - seen
        seen |= new
    return seen - matches


def _led(model: Model, resource: Json, step: Include) -> set[Key]:
    if not step.is_reverse:
        return {one for one in _targets(model, resource, step) if _fits(one, step)}
    own = key(resource)
    if not _fits(own, step):
        return set()
    return {key(one) for one in model.resources if own in _targets(model, one, step)}


def _fits(reached: Key, step: Include) -> bool:
    return step.target in (None, reached[0])


def _targets(model: Model, resource: Json, step: Include) -> set[Key]:
    if resource["resourceType"] != step.source:
        return set()
    parameter = PARAMETERS[step.source][step.parameter]
    named = (target(one, model.base) for one in model.elements(resource, parameter))
    return {one for one in named if one is not None}
