"""Latency of reads without a server: how it grows with the database.

Every page is rendered anew: how many are asked for twice is not the database's.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import TypeVar

from conformance import fhir_json
from fhir_service.bench.figures import Measured
from fhir_service.bench.stage import BenchError, Stage, request
from fhir_service.routes import respond

Key = TypeVar("Key", bound=Hashable)

PAGE = 50
"""Observations of a page."""

_WARM, _TURN = 50, 10
"""Answers that are not counted, and those in one database before the other's turn."""

_PAGES = 50
"""Pages that are looked into for what else is asked."""

_OF_PAGE = 20
"""Observations of a page that are read by id."""

OBSERVATIONS = "/fhir/Observation"


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A deployment with its searches and how many Observations it has."""

    stage: Stage
    searches: list[str]
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """An answer.

    Attributes:
        us: How long it took, in microseconds.
        body: What it was.

    """

    us: float
    body: bytes

    @property
    def entries(self) -> int:
        """How many resources it shows."""
        return self.body.count(b'"fullUrl"')


def timed(stage: Stage, path: str, query: str = "") -> Timed:
    """Return one answer, rendered anew; its audit row is awaited untimed.

    Raises:
        BenchError: for any answer but a good one.

    """
    asked = request("GET", path, stage.reader, query=query)
    services = stage.deployment.services
    services.pages.forget()
    began = time.perf_counter_ns()
    response = respond(services, asked)
    took = (time.perf_counter_ns() - began) / 1000
    for ticket in response.tickets:
        ticket.result()
    if response.status != 200:  # noqa: PLR2004 - HTTP's
        raise BenchError(f"GET {path} was answered with {response.status}.")
    return Timed(us=took, body=response.body)


def in_turn(asked: Mapping[Key, Callable[[], Timed]], count: int) -> dict[Key, float]:
    """Return the median of each, in microseconds, taking turns.

    Args:
        asked: What is answered each time that it is called.
        count: How often each is timed, after some that warm up.

    """
    seen: dict[Key, list[float]] = {key: [] for key in asked}
    for first in range(-min(count, _WARM), count, _TURN):
        for key, ask in asked.items():
            took = [ask().us for _ in range(_TURN)]
            if first >= 0:
                seen[key] += took
    return {key: median(times) for key, times in seen.items()}


def growth(small: Sized, large: Sized, count: int) -> list[Measured]:
    """Return the medians in both databases, measured in turn, and their ratio."""
    of = in_turn({one.rows: _asking(one) for one in (small, large)}, count)
    of_small, of_large = of[small.rows], of[large.rows]
    sizes = f"{large.rows} rows against {small.rows}"
    return [
        Measured(key="growth.ratio", value=of_large / of_small, note=sizes),
        Measured(key="growth.small", value=of_small, note=f"{small.rows} rows"),
        Measured(key="growth.large", value=of_large, note=f"{large.rows} rows"),
        Measured(key="growth.read", value=_read_us(large)),
    ]


def _asking(one: Sized) -> Callable[[], Timed]:
    searches = cycle(one.searches)
    return lambda: timed(one.stage, OBSERVATIONS, next(searches))


def _read_us(large: Sized) -> float:
    ids = ids_of(large.stage, large.searches)[:: _OF_PAGE // 2]
    return median(timed(large.stage, f"{OBSERVATIONS}/{id_}").us for id_ in ids)


def ids_of(stage: Stage, searches: list[str]) -> list[str]:
    """Return the ids of some Observations of each of the first pages."""
    pages = (page(stage, query) for query in searches[:_PAGES])
    return [
        entry["resource"]["id"]
        for body in pages
        for entry in fhir_json.loads(body)["entry"][:_OF_PAGE]
    ]


def page(stage: Stage, query: str) -> bytes:
    """Return the answer to a search, which has to be a full page.

    Raises:
        BenchError: where it is not.

    """
    found = timed(stage, OBSERVATIONS, query)
    if found.entries != PAGE:
        raise BenchError("A search of the bench did not find a full page.")
    return found.body


def usual_page(stage: Stage, searches: list[str]) -> bytes:
    """Return the answer of median length, of the first searches."""
    pages = sorted((page(stage, query) for query in searches[:_PAGES]), key=len)
    return pages[len(pages) // 2]
