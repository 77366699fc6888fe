"""What a read costs: statements on the connection, and time of the thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from leak_catalogue import ABSENT
from leak_worlds import Ask, Side

from fhir_service.storage.engine import Snapshot

CURRENT = {
    "secret": "Observation",
    "pinned": "Observation",
    "strap": "Device",
    "stay": "Encounter",
    "bob": "Patient",
    "bobs-a": "Observation",
    "bob-consent": "Consent",
}
"""Hidden resources that are read as they are now."""

ROUNDS = 40


def hidden(name: str) -> Ask:
    """Return a read of what is hidden."""
    return Ask(path=f"{CURRENT[name]}/{{{name}}}")


def absent(name: str) -> Ask:
    """Return a read of what never existed."""
    return Ask(path=f"{CURRENT[name]}/{ABSENT}")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the statements that this thread asks the database for."""
    asked: list[str] = []
    own = threading.get_ident()

    def counting(method: Any) -> Any:
        def call(snapshot: Snapshot, statement: Any, *values: Any, **named: Any) -> Any:
            if threading.get_ident() == own:
                asked.append(str(statement))
            return method(snapshot, statement, *values, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("all", "one", "sql"):
            patch.setattr(Snapshot, name, counting(getattr(Snapshot, name)))
        yield asked


def statements(side: Side, ask: Ask, client: str) -> int:
    """Return how many statements a read takes once its decision is remembered."""
    side.send(ask, client)
    with counted() as asked:
        side.send(ask, client)
    return len(asked)


def least_ns(side: Side, client: str, *asks: Ask) -> list[int]:
    """Return the least time of this thread that each of several reads takes.

    They are asked in turn, so that whatever slows the machine slows all of them.
    """
    least = [1 << 60] * len(asks)
    for _ in range(ROUNDS):
        for number, ask in enumerate(asks):
            begun = time.thread_time_ns()
            side.send(ask, client)
            least[number] = min(least[number], time.thread_time_ns() - begun)
    return least
