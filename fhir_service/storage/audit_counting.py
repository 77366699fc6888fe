"""What the tallies of the log's index say of rows: by hour, what was done, its end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

HOUR_US = 3_600_000_000

EVERYBODY = 0
"""The organisation in the tallies of rows that concern none."""

What = tuple[int, int, int]
"""Hour since 1970, code of what was done, code of how it ended."""


@dataclass(slots=True)
class Counting:
    """Counts rows of the index.

    Attributes:
        whole: Of each (hour, interaction, outcome): rows, AuditEvents, versions that
            left, the first row and the last.
        scopes: Of each organisation and the same: rows, AuditEvents that its officers
            see, versions that left.

    """

    whole: dict[What, list[int]] = field(default_factory=dict)
    scopes: dict[tuple[int, int, int, int], list[int]] = field(default_factory=dict)

    def add(
        self,
        index: int,
        what: What,
        released: int,
        actor: int,
        custodians: Sequence[int],
    ) -> None:
        """Count a row.

        Args:
            index: Its place.
            what: Where it is counted.
            released: Versions that left.
            actor: The organisation that acted, or 0.
            custodians: Of each of its patients, 0 where none is known.

        """
        counted = self.whole.get(what)
        if counted is None:
            counted = self.whole[what] = [0, 0, 0, index, index]
        counted[0] += 1
        counted[1] += len(custodians) or 1
        counted[2] += released
        counted[3] = min(counted[3], index)
        counted[4] = max(counted[4], index)
        concerned = {actor, *custodians} - {EVERYBODY} or {EVERYBODY}
        for organisation in concerned:
            of_scope = self.scopes.setdefault((organisation, *what), [0, 0, 0])
            of_scope[0] += 1
            of_scope[1] += (organisation and custodians.count(organisation)) or 1
            of_scope[2] += released
