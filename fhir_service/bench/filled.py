"""A deployment full of device data, as the groups of the bench use it."""

from pathlib import Path
from typing import NamedTuple

from fhir_service.bench.in_process import ids_of, usual_page
from fhir_service.bench.ingest import Ingested, ingest
from fhir_service.bench.payloads import searches
from fhir_service.bench.plan import Plan
from fhir_service.bench.stage import Stage, stage


class Filled(NamedTuple):
    """A deployment with data, closed.

    Attributes:
        stage: Where it is.
        ingested: What was stored, and how fast.
        searches: Random searches in it.
        page: The usual answer to one.
        ids: Some of its Observations.

    """

    stage: Stage
    ingested: Ingested
    searches: list[str]
    page: bytes
    ids: list[str]


def fill(folder: Path, plan: Plan, rows: int, database_url: str = "") -> Filled:
    """Store Observations in an empty database, timed.

    Args:
        folder: Of the deployment.
        plan: Of the bench.
        rows: How many Observations.
        database_url: Where; empty for SQLite in the folder.

    """
    with stage(folder, database_url) as opened:
        ingested = ingest(opened, plan, rows)
        asked = searches(plan, ingested.patients)
        return Filled(
            stage=opened,
            ingested=ingested,
            searches=asked,
            page=usual_page(opened, asked),
            ids=ids_of(opened, asked),
        )
