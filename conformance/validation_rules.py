"""The elements of a reduced profile as a tree: element → children and slices.

https://hl7.org/fhir/R4/elementdefinition.html#id
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

UNLIMITED = sys.maxsize
"""The `max` of `*`, and of what a profile does not restrict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a profile says of an element or of a slice of it.

    Attributes:
        name: Element name, without `[x]`.
        slice: Slice name; empty for the element itself.
        facts: The record of the table.
        children: Rules of the elements beneath, by name.
        slices: Rules of the slices, by name.

    """

    name: str
    slice: str
    facts: dict[str, Any] = field(default_factory=dict)
    children: dict[str, "Rule"] = field(default_factory=dict)
    slices: dict[str, "Rule"] = field(default_factory=dict)

    @property
    def min(self) -> int:
        """Least number of values."""
        return int(self.facts.get("min", 0))

    @property
    def max(self) -> int:
        """Greatest number of values."""
        found = self.facts.get("max", "*")
        return UNLIMITED if found == "*" else int(found)

    @property
    def types(self) -> Sequence[str]:
        """Types allowed; empty where the profile does not restrict them."""
        found: Sequence[str] = self.facts.get("types", ())
        return found

    @property
    def targets(self) -> Sequence[str]:
        """Types a reference may point at; empty where not restricted."""
        found: Sequence[str] = self.facts.get("targets", ())
        return found

    @property
    def profiles(self) -> Sequence[str]:
        """Canonicals of the profiles the value must meet."""
        found: Sequence[str] = self.facts.get("profiles", ())
        return found

    @property
    def constraints(self) -> Sequence[Mapping[str, Any]]:
        """Invariants, as records."""
        found: Sequence[Mapping[str, Any]] = self.facts.get("constraints", ())
        return found

    @property
    def fixed(self) -> Any:
        """The only value allowed."""
        return self.facts.get("fixed")

    @property
    def pattern(self) -> Any:
        """What the value must contain."""
        return self.facts.get("pattern")

    @property
    def binding(self) -> str | None:
        """Canonical of a required binding's value set."""
        found: str | None = self.facts.get("binding")
        return found

    @property
    def discriminators(self) -> Sequence[tuple[str, str]]:
        """Kind and path of what tells the slices apart."""
        pairs = self.facts.get("slicing", {}).get("discriminators", ())
        return [(kind, path) for kind, path in pairs]

    @property
    def is_closed(self) -> bool:
        """Whether every value must belong to a slice."""
        return bool(self.facts.get("slicing", {}).get("rules") == "closed")


def _below(parent: Rule, segment: str) -> Rule:
    """Return the rule of an id's segment, made where it is not there yet."""
    name, _, slice_ = segment.partition(":")
    name = name.removesuffix("[x]")
    element = parent.children.setdefault(name, Rule(name=name, slice=""))
    if not slice_:
        return element
    return element.slices.setdefault(slice_, Rule(name=name, slice=slice_))


def rule_tree(record: Mapping[str, Any]) -> Rule:
    """Return the tree of a profile's elements."""
    root = Rule(name=record["type"], slice="")
    for facts in record["elements"]:
        rule = root
        for segment in facts["id"].split(".")[1:]:
            rule = _below(rule, segment)
        rule.facts.update(facts)
    return root
