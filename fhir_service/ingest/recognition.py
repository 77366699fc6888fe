"""What a candidate is, by its key: new, sent before, or a correction.

A content that the source has once sent under a key is not news again: so each replay
changes nothing, whatever was corrected in between and in how many transactions. Where
the source says which version of its record is newer, that decides instead: an older
one never counts, and a newer one counts though its content has been there before.
"""

from collections.abc import Callable, Sequence

from fhir_service.ingest.candidates import Candidate
from fhir_service.ingest.constants import Constants
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.observing import Amended, Known, Shaped
from fhir_service.ingest.receipt import Fate
from fhir_service.ingest.tried import is_settled
from fhir_service.storage import resources, source_keys, source_wholes
from fhir_service.storage.engine import Transaction
from fhir_service.storage.resources import Stored
from mappings.source_version import is_newer, newest

CORRECTED = "corrected-since"
"""Reason of a duplicate that was tried again and is older than what is stored."""

OUTDATED = "older-version"
"""Reason of a duplicate of which the source has told a newer version before."""

NOT_ITS_OWN = frozenset({"stale", "recorded-later"})
"""Flags of a value at a time that is not its own."""

DELETED = "deleted"
"""Reason of a duplicate whose Observation was deleted: it does not come back."""


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
        batch: int | None,
    ) -> None:
        self._delivery = delivery
        self._batch = batch
        self._is_stale = is_stale
        self._transaction = transaction
        self._key = key
        self._known = known
        changed = {
            one.key
            for one in candidates
            if one.key in known and known[one.key].content != one.content
        }
        self._superseded = source_keys.superseded(transaction, key, list(changed))
        self._wholes = source_wholes.versions(
            transaction, key, _records(candidates, known)
        )
        self._renewed: dict[bytes, int] = {}
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
            return self._first(candidate, constants)
        told, version = self._told(at), candidate.version
        if candidate.content == current:
            self._renew(candidate, told)
            return Fate.DUPLICATE, None
        if self._follows(told, version):
            return Fate.DUPLICATE, OUTDATED
        if not self._follows(version, told) and (
            candidate.content in self._superseded.get(at, ())
        ):
            return Fate.DUPLICATE, None
        return self._changed(candidate, constants, current)

    def _first(
        self, candidate: Candidate, constants: Constants
    ) -> tuple[Fate, str | None]:
        """Place what is not known, unless a newer version of its record lacks it."""
        whole = self._wholes.get(candidate.record or b"")
        if is_newer(whole, candidate.version):
            return Fate.DUPLICATE, OUTDATED
        self.fresh[candidate.key] = (candidate, constants)
        return Fate.STORED, None

    def _changed(
        self, candidate: Candidate, constants: Constants, current: bytes
    ) -> tuple[Fate, str | None]:
        """Place what is known with another content."""
        at, told = candidate.key, self._told(candidate.key)
        if at in self.fresh:
            self.fresh[at] = (candidate, constants)
        else:
            old = self._version(at)
            if old is None:
                return Fate.DUPLICATE, DELETED
            is_news = self._follows(candidate.version, told)
            if self._is_settled(old, is_news=is_news):
                return Fate.DUPLICATE, CORRECTED
            if not is_news and self._is_worse(candidate, old):
                return Fate.DUPLICATE, CORRECTED
            version = newest(told, candidate.version)
            self.amended[at] = Amended(candidate, old, version)
        replaced = self._superseded.setdefault(at, set())
        if current not in replaced:
            replaced.add(current)
            self._newly.append((self._key, at, current))
        return Fate.AMENDED, None

    def _follows(self, one: int | None, other: int | None) -> bool:
        """Whether a version came after another, where that counts.

        In a replay it does not: there a payload amends what came of it, and of an
        unchanged record nothing tells which of its versions that was.
        """
        return self._delivery.of_batches is None and is_newer(one, other)

    def _renew(self, candidate: Candidate, told: int | None) -> None:
        """Remember that a newer version tells the same."""
        at, version = candidate.key, newest(told, candidate.version)
        if version is None or version == told:
            return
        if at in self.fresh:
            self.fresh[at] = (candidate, self.fresh[at][1])
        elif at in self.amended:
            self.amended[at] = self.amended[at]._replace(version=version)
        else:
            self._renewed[at] = version

    def _told(self, at: bytes) -> int | None:
        """Return the newest version that has told of a key so far."""
        if at in self.fresh:
            return self.fresh[at][0].version
        if at in self.amended:
            return self.amended[at].version
        return self._renewed.get(at, self._known[at].version)

    def _is_settled(self, old: Stored, *, is_news: bool) -> bool:
        """Whether what is stored came after what is tried again, and counts."""
        delivery = self._delivery
        if delivery.of_batches is not None:
            return old.batch_id not in delivery.of_batches
        return not is_news and is_settled(self._transaction, delivery, old, self._batch)

    def _is_worse(self, candidate: Candidate, old: Stored) -> bool:
        """Whether what comes repeats an old value at a time that is not its own."""
        flags = candidate.normalised.measurement.flags
        return not NOT_ITS_OWN.isdisjoint(flags) and not self._is_stale(old)

    def remember(self) -> None:
        """Record the contents that no longer count, and versions that told the same."""
        source_keys.supersede(self._transaction, self._newly)
        for at, version in self._renewed.items():
            source_keys.renew(self._transaction, self._key, at, version)

    def _current(self, at: bytes) -> bytes | None:
        """Return the content that counts under a key so far."""
        if at in self.fresh:
            return self.fresh[at][0].content
        if at in self.amended:
            return self.amended[at].candidate.content
        stored = self._known.get(at)
        return None if stored is None else stored.content

    def _version(self, at: bytes) -> Stored | None:
        """Return the current version under a key, unless it was deleted."""
        if at in self.amended:
            return self.amended[at].old
        found = resources.current(self._transaction, self._known[at].row)
        return None if found is None or found.deleted else found


def _records(candidates: Sequence[Candidate], known: Known) -> list[bytes]:
    """Return the records of which something new is told in a version."""
    found = {
        one.record
        for one in candidates
        if one.record is not None and one.version is not None and one.key not in known
    }
    return sorted(found)
