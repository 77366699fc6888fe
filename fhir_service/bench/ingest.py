"""How fast device data becomes durable Observations, and what they weigh on disk.

A delivery goes through `intake.take`: parser, consent, duplicates, templates,
compression, encryption, indexes, audit, and one durable commit. Several are in
flight, so that they share a commit as they do behind the door.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from conformance import fhir_json
from consent.audit.entry import Interaction
from fhir_service.bench.payloads import Json, deliveries, patients_of
from fhir_service.bench.plan import Plan
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.receipt import Fate
from mappings.vendors.table import VENDORS

SOURCE = "open-mhealth"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 10
"""Deliveries that are made before the clock starts, so that they cost no memory."""


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What was stored.

    Attributes:
        patients: Ids of the patients.
        rows: How many Observations there are.
        marks: (Observations so far, seconds so far).

    """

    patients: list[str]
    rows: int
    marks: list[tuple[int, float]]

    @property
    def rate(self) -> float:
        """Observations a second over all of it."""
        return self.rows / self.marks[-1][1]

    def rate_before(self, rows: int, stretch: int) -> float:
        """Return the rate of the `stretch` Observations up to `rows`."""
        seconds = self._seconds(rows) - self._seconds(rows - stretch)
        return stretch / seconds

    def _seconds(self, rows: int) -> float:
        """Return when so many were stored, between two marks in proportion."""
        before = (0, 0.0)
        for mark in self.marks:
            if mark[0] >= rows:
                share = (rows - before[0]) / (mark[0] - before[0])
                return before[1] + share * (mark[1] - before[1])
            before = mark
        return before[1]


def ingest(stage: Stage, plan: Plan, rows: int) -> Ingested:
    """Store `rows` Observations in an empty deployment, timed.

    Raises:
        BenchError: where one of them was not stored.

    """
    patients = stage.add_patients(patients_of(plan, rows))
    store = _taker(stage)
    marks, stored, seconds = [], 0, 0.0
    with ThreadPoolExecutor(plan.in_flight) as pool:
        for group in _groups(deliveries(plan, rows)):
            began = time.perf_counter()
            counts = list(pool.map(store, group))
            seconds += time.perf_counter() - began
            if counts != [len(delivery) for delivery in group]:
                raise BenchError("The ingest did not store every data point.")
            stored += sum(counts)
            marks.append((stored, seconds))
    return Ingested(patients=patients, rows=stored, marks=marks)


def _groups(source: Iterator[list[Json]]) -> Iterator[list[list[Json]]]:
    while group := list(islice(source, _AT_ONCE)):
        yield group


def _taker(stage: Stage) -> Callable[[list[Json]], int]:
    """Return what takes one delivery and says how much of it was stored."""
    services, grant = stage.deployment.services, stage.grant(stage.gateway)
    vendor = VENDORS[SOURCE]
    origin = Origin(
        interaction=Interaction.INGEST,
        request=f"POST /device-data/{SOURCE}?",
        request_id="bench",
        address="127.0.0.1",
    )

    def store(payload: list[Json]) -> int:
        now_us = services.clock()
        delivery = Delivery(
            source=SOURCE,
            parser=vendor.parser,
            identifier_system=vendor.system,
            is_registered=vendor.is_registered,
            patient_id=None,
            grant=grant,
            payload_sha256=None,
            received_us=now_us,
        )
        readings = vendor.parse(
            payload, received_at=_EPOCH + timedelta(microseconds=now_us)
        )
        return take(services, delivery, origin, readings).counts[Fate.STORED]

    return store


def door_rate(stage: Stage, plan: Plan, rows: int) -> float:
    """Return Observations a second from bytes to receipt, into an empty deployment."""
    stage.add_patients(patients_of(plan, rows))
    bodies = [fhir_json.dumps(payload) for payload in deliveries(plan, rows)]

    def send(body: bytes) -> int:
        answer = stage.ask(
            "POST",
            f"/device-data/{SOURCE}",
            stage.gateway,
            body=body,
            content_type="application/json",
        )
        return int(fhir_json.loads(answer.body)["stored"])

    began = time.perf_counter()
    with ThreadPoolExecutor(plan.in_flight) as pool:
        stored = sum(pool.map(send, bodies))
    return stored / (time.perf_counter() - began)
