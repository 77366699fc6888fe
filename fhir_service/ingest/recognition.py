"""What a candidate is, by its key: new, sent before, or a correction.

A content that the source has once sent under a key is not news again: so each replay
changes nothing, whatever was corrected in between and in how many transactions.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fhir_service.ingest.candidates import Candidate
from fhir_service.ingest.constants import Constants
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.observing import Known, Shaped
from fhir_service.ingest.receipt import Fate
from fhir_service.storage import resources, source_keys
from fhir_service.storage.engine import Transaction
from fhir_service.storage.resources import Stored

CORRECTED = "corrected-since"
"""Reason of a duplicate that was tried again and is older than what is stored."""

STALE = "stale"
"""The flag of a value at a time that is not its own."""

DELETED = "deleted"
"""Reason of a duplicate whose Observation was deleted: it does not come back."""


class Amended(NamedTuple):
    """A correction, and the version that it follows."""

    candidate: Candidate
    old: Stored


class Recognition:
    """Sorts the candidates of one patient in one transaction.

    Attributes:
        fresh: Key → what is to be stored for the first time.
        amended: Key → what is to be stored as the next version.

    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it decides by
        self,
        transaction: Transaction,
        key: int,
        known: Known,
        candidates: Sequence[Candidate],
        delivery: Delivery,
        is_stale: Callable[[Stored], bool],
    ) -> None:
        self._delivery = delivery
        self._is_stale = is_stale
        self._transaction = transaction
        self._key = key
        self._known = known
        changed = {
            one.key
            for one in candidates
            if one.key in known and known[one.key][1] != one.content
        }
        self._superseded = source_keys.superseded(transaction, key, list(changed))
        self._newly: list[tuple[int, bytes, bytes]] = []
        self.fresh: dict[bytes, Shaped] = {}
        self.amended: dict[bytes, Amended] = {}

    def place(
        self, candidate: Candidate, constants: Constants
    ) -> tuple[Fate, str | None]:
        """Put a candidate where it belongs; return what becomes of it, and why."""
        at = candidate.key
        current = self._current(at)
        if current is None:
            self.fresh[at] = (candidate, constants)
            return Fate.STORED, None
        if candidate.content == current or (
            candidate.content in self._superseded.get(at, ())
        ):
            return Fate.DUPLICATE, None
        if at in self.fresh:
            self.fresh[at] = (candidate, constants)
        else:
            old = self._version(at)
            if old is None:
                return Fate.DUPLICATE, DELETED
            if self._is_settled(old) or self._is_worse(candidate, old):
                return Fate.DUPLICATE, CORRECTED
            self.amended[at] = Amended(candidate, old)
        self._superseded.setdefault(at, set()).add(current)
        self._newly.append((self._key, at, current))
        return Fate.AMENDED, None

    def _is_settled(self, old: Stored) -> bool:
        """Whether what is stored came after what is tried again, and counts."""
        delivery = self._delivery
        if delivery.settled_us is not None and old.last_updated >= delivery.settled_us:
            return True
        return (
            delivery.of_batches is not None and old.batch_id not in delivery.of_batches
        )

    def _is_worse(self, candidate: Candidate, old: Stored) -> bool:
        """Whether what comes repeats an old value at a time that is not its own."""
        flags = candidate.normalised.measurement.flags
        return STALE in flags and not self._is_stale(old)

    def remember(self) -> None:
        """Record the contents that are no longer the current ones."""
        source_keys.supersede(self._transaction, self._newly)

    def _current(self, at: bytes) -> bytes | None:
        """Return the content that counts under a key so far."""
        if at in self.fresh:
            return self.fresh[at][0].content
        if at in self.amended:
            return self.amended[at].candidate.content
        stored = self._known.get(at)
        return None if stored is None else stored[1]

    def _version(self, at: bytes) -> Stored | None:
        """Return the current version under a key, unless it was deleted."""
        if at in self.amended:
            return self.amended[at].old
        found = resources.current(self._transaction, self._known[at][0])
        return None if found is None or found.deleted else found
