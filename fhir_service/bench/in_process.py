"""Latency of reads without a server: how it grows with the database."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from conformance import fhir_json
from fhir_service.bench.figures import Measured
from fhir_service.bench.stage import BenchError, Stage, request
from fhir_service.routes import respond

PAGE = 50
"""Observations of a page."""

_BATCH = 50
"""Searches in one database before it is the other's turn."""

OBSERVATIONS = "/fhir/Observation"


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A deployment with its searches and how many Observations it has."""

    stage: Stage
    searches: list[str]
    rows: int


def timed_us(stage: Stage, path: str, query: str = "") -> float:
    """Return the time of one answer; its audit row is awaited untimed.

    Raises:
        BenchError: for any answer but a good one.

    """
    asked = request("GET", path, stage.reader, query=query)
    began = time.perf_counter_ns()
    response = respond(stage.deployment.services, asked)
    took = (time.perf_counter_ns() - began) / 1000
    for ticket in response.tickets:
        ticket.result()
    if response.status != 200:  # noqa: PLR2004 - HTTP's
        raise BenchError(f"GET {path} was answered with {response.status}.")
    return took


def growth(small: Sized, large: Sized, timed: int) -> list[Measured]:
    """Return the medians in both databases, measured in turn, and their ratio."""
    times: dict[int, list[float]] = {small.rows: [], large.rows: []}
    for first in range(-_BATCH, timed, _BATCH):
        for one in (small, large):
            took = [
                timed_us(one.stage, OBSERVATIONS, query)
                for query in _cycled(one.searches, first, _BATCH)
            ]
            if first >= 0:  # The first batch warms up.
                times[one.rows] += took
    of_small, of_large = (median(times[one.rows]) for one in (small, large))
    sizes = f"{large.rows} rows against {small.rows}"
    return [
        Measured(key="growth.ratio", value=of_large / of_small, note=sizes),
        Measured(key="growth.small", value=of_small, note=f"{small.rows} rows"),
        Measured(key="growth.large", value=of_large, note=f"{large.rows} rows"),
        Measured(key="growth.read", value=_read_us(large)),
    ]


def _cycled(searches: list[str], first: int, count: int) -> Iterable[str]:
    return (searches[number % len(searches)] for number in range(first, first + count))


def _read_us(large: Sized) -> float:
    ids = [
        entry["resource"]["id"]
        for query in large.searches[:_BATCH]
        for entry in fhir_json.loads(page(large.stage, query))["entry"][:2]
    ]
    return median(timed_us(large.stage, f"{OBSERVATIONS}/{id_}") for id_ in ids)


def page(stage: Stage, query: str) -> bytes:
    """Return the answer to a search, which has to be a full page.

    Raises:
        BenchError: where it is not.

    """
    body = stage.ask("GET", OBSERVATIONS, stage.reader, query=query).body
    if body.count(b'"fullUrl"') != PAGE:
        raise BenchError("A search of the bench did not find a full page.")
    return body


def usual_page(stage: Stage, searches: list[str]) -> bytes:
    """Return the answer of median length, of the first searches."""
    pages = sorted((page(stage, query) for query in searches[:_BATCH]), key=len)
    return pages[len(pages) // 2]
