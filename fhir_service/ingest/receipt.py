"""The receipt: what became of every measurement that was received.

received = stored + duplicate + amended + withheld + quarantined + out of scope, and
deleted where the source takes back what it once sent.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

MAX_ITEMS = 10_000
"""Positions listed; the counts go on, and the receipt says that it was cut."""


MAX_POSITION = 200
"""Characters of a place in a payload; what is longer was chosen by the payload."""


def shortened(position: str) -> str:
    """Return a place in a payload, cut where it is long."""
    is_long = len(position) > MAX_POSITION
    return f"{position[:MAX_POSITION]}…" if is_long else position


class Fate(StrEnum):
    """What became of a measurement."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    AMENDED = "amended"
    WITHHELD = "withheld"
    QUARANTINED = "quarantined"
    OUT_OF_SCOPE = "outOfScope"
    DELETED = "deleted"

    @property
    def word(self) -> str:
        """Return the fate as metrics write it."""
        return self.name.lower().replace("_", "-")


CHANGES = (Fate.STORED, Fate.AMENDED, Fate.DELETED)
"""What leaves something else stored than there was."""


class Item(NamedTuple):
    """What became of one measurement, or of several that are stored as one.

    Attributes:
        position: Where in the payload.
        fate: What became of it.
        kind: Row of kinds.csv, or the name of what is out of scope.
        reason: Why it was withheld or quarantined.
        detail: A sentence without values.
        records: How many measurements it stands for.
        flags: What its data says against itself; `implausible` is ours.

    """

    position: str
    fate: Fate
    kind: str | None
    reason: str | None = None
    detail: str | None = None
    records: int = 1
    flags: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Receipt:
    """An account that grows while a payload is read.

    Attributes:
        source: The vendor's name.
        counts: Fate → measurements.
        kinds: (kind, fate, reason) → measurements.
        flags: Flag → measurements.
        items: Those that were not simply stored, and the stored ones of a small
            payload.
        is_cut: Whether there were more than `MAX_ITEMS`.

    """

    source: str
    counts: Counter[Fate] = field(default_factory=Counter)
    kinds: Counter[tuple[str, Fate, str]] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    items: list[Item] = field(default_factory=list)
    is_cut: bool = False

    def add(self, item: Item) -> None:
        """Account for `item`."""
        if not item.records:
            return
        if len(item.position) > MAX_POSITION:
            item = item._replace(position=shortened(item.position))
        self.counts[item.fate] += item.records
        self.kinds[(item.kind or "unknown", item.fate, item.reason or "")] += (
            item.records
        )
        for flag in item.flags:
            self.flags[flag] += item.records
        if len(self.items) < MAX_ITEMS:
            self.items.append(item)
        else:
            self.is_cut = True

    def merge(self, other: "Receipt") -> None:
        """Account for what another transaction of the same payload has done."""
        self.counts.update(other.counts)
        self.kinds.update(other.kinds)
        self.flags.update(other.flags)
        room = MAX_ITEMS - len(self.items)
        self.items += other.items[:room]
        self.is_cut = self.is_cut or other.is_cut or len(other.items) > room

    @property
    def received(self) -> int:
        """How many measurements the payload held."""
        return sum(self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as it is sent: counts, then kinds, then positions."""
        told: dict[str, Any] = {
            "source": self.source,
            "received": self.received,
            **{fate.value: self.counts[fate] for fate in Fate},
            "changed": any(self.counts[fate] for fate in CHANGES),
            "kinds": [
                {
                    "kind": kind,
                    "outcome": fate.value,
                    **({"reason": reason} if reason else {}),
                    "count": count,
                }
                for (kind, fate, reason), count in sorted(self.kinds.items())
            ],
            "items": [_item(item) for item in self.items],
        }
        if self.flags:
            told["flags"] = dict(sorted(self.flags.items()))
        if self.is_cut:
            told["itemsCut"] = True
        return told

    def counted(self) -> tuple[tuple[str, int], ...]:
        """Return what the audit log keeps: fates and their counts, without kinds."""
        return tuple(
            (fate.value, self.counts[fate]) for fate in Fate if self.counts[fate]
        )


def _item(item: Item) -> dict[str, Any]:
    told: dict[str, Any] = {
        "position": item.position,
        "outcome": item.fate.value,
        "kind": item.kind,
        "reason": item.reason,
        "detail": item.detail,
        "count": item.records if item.records != 1 else None,
        "flags": list(item.flags) or None,
    }
    return {name: value for name, value in told.items() if value is not None}
