"""What people and clients did before a row, while rows are looked at in their order.

What is stored is read once for each of them; what the rows teach is kept beside it,
and stored with what they found.
"""

from collections.abc import Mapping

from fhir_service.compliance.alert_rules import USUAL_DAYS, Seen
from fhir_service.storage import habits
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.habits import Habit

Learnt = tuple[Habit, int, int, int]
"""(habit, number of the name, day, value)."""


class Usual:
    """Habits in one snapshot, and those that were learnt since.

    Args:
        snapshot: Where they are read.

    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._networks: dict[int, set[int]] = {}
        self._before: dict[tuple[int, int], dict[int, int]] = {}
        self._subjects: dict[int, dict[int, set[int]]] = {}
        self._ended: dict[int, set[int]] = {}
        self.learnt: dict[Learnt, None] = {}

    def read(self, seen: Seen) -> Mapping[int, int]:
        """Return of how many patients the person has read, by day, the row included."""
        if not (seen.user and seen.released):
            return {}
        of_user = self._subjects.setdefault(seen.user, {})
        if seen.day not in of_user:
            of_user[seen.day] = habits.subjects(self._snapshot, seen.user, seen.day)
        new = seen.subjects - of_user[seen.day]
        of_user[seen.day] |= new
        self.learnt |= {
            (Habit.READING, seen.user, seen.day, one): None for one in sorted(new)
        }
        first = seen.day - USUAL_DAYS
        now = {
            day: len(found)
            for day, found in of_user.items()
            if first <= day <= seen.day
        }
        return {**self._stored(seen.user, seen.day), **now}

    def _stored(self, user: int, day: int) -> dict[int, int]:
        found = self._before.get((user, day))
        if found is None:
            found = habits.read_by_day(self._snapshot, user, day - USUAL_DAYS, day)
            self._before[user, day] = found
        return found

    def networks(self, seen: Seen) -> frozenset[int]:
        """Return from which networks the client had come before the row."""
        if not seen.client:
            return frozenset()
        known = self._networks.get(seen.client)
        if known is None:
            known = set(habits.networks(self._snapshot, seen.client))
            self._networks[seen.client] = known
        before = frozenset(known)
        network = seen.network
        if network is not None and network not in known and not seen.is_denied:
            known.add(network)
            self.learnt[Habit.NETWORK, seen.client, 0, network] = None
        return before

    def ended(self, subject: int) -> set[int]:
        """Return the consents of a patient that are known to have ended."""
        if subject not in self._ended:
            self._ended[subject] = habits.ended(self._snapshot, subject)
        return self._ended[subject]

    def end(self, seen: Seen) -> None:
        """Learn which consents a row has ended."""
        for subject, consent in seen.ended:
            self.ended(subject).add(consent)
            self.learnt[Habit.ENDED, subject, seen.day, consent] = None
