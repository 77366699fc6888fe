"""Memories of one process: of what was asked for last, and of no more than that.

What is remembered never changes, or is known by a number that does when it changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fhir_service.storage import patients
from fhir_service.storage.engine import Snapshot, Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """What was worked out last, by what it was worked out from.

    Args:
        most: How much is remembered.

    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[K, V] = OrderedDict()
        self._guard = threading.Lock()
        self.get = self._known.get

    def of(self, transaction: Transaction, key: K, find: Callable[[], V]) -> V:
        """Return the value of a key, found or made in this transaction if it is new.

        It is remembered once the transaction is durable, and by the transaction before.
        """
        known = self.get(key)
        if known is None:
            known = transaction.pending.get((self, key))
        if known is None:
            known = new = transaction.pending[self, key] = find()
            transaction.after_commit(lambda: self._keep(key, new))
        return known

    def keep(self, key: K, value: V) -> V:
        """Remember a value, and return it."""
        self._keep(key, value)
        return value

    def _keep(self, key: K, value: V) -> None:
        with self._guard:
            self._known[key] = value
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        with self._guard:
            self._known.clear()


class Standing(Generic[K, V]):
    """What stands until something changes that decisions rest on.

    That is any Organization, Practitioner, PractitionerRole or Device among others:
    see `patients.changes`.

    Args:
        most: How much is remembered.

    """

    def __init__(self, most: int) -> None:
        self._known: Remembered[tuple[int, K], tuple[V]] = Remembered(most)

    def of(self, snapshot: Snapshot, key: K, find: Callable[[], V]) -> V:
        """Return what `find` finds for a key in this snapshot.

        What a transaction finds is remembered once the transaction is durable.
        """
        at = (patients.changes(snapshot), key)
        if isinstance(snapshot, Transaction):
            return self._known.of(snapshot, at, lambda: (find(),))[0]
        return (self._known.get(at) or self._known.keep(at, (find(),)))[0]
