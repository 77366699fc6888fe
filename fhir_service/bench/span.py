"""When the Observations of a deployment were stored, and pages from then on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from conformance import fhir_json
from fhir_service.bench.in_process import OBSERVATIONS, PAGE
from fhir_service.bench.resources import Resource
from fhir_service.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Span:
    """Two instants.

    Attributes:
        first: When the first Observation was stored.
        last: When the last one was from which a full page follows.

    """

    first: datetime
    last: datetime

    def page(self, random: Random) -> str:
        """Return the query of a page from some instant between them on."""
        return page_from(self.first + random.random() * (self.last - self.first))


def page_from(instant: datetime) -> str:
    """Return the query of the first page of what was stored from an instant on."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return f"_lastUpdated=ge{text.replace('+00:00', 'Z')}&_count={PAGE}"


def span(stage: Stage) -> Span:
    """Return when what the reader may see was stored."""
    return Span(
        _stored(stage, "_lastUpdated", 1), _stored(stage, "-_lastUpdated", PAGE)
    )


def _stored(stage: Stage, order: str, count: int) -> datetime:
    """Return when so many in an order were stored."""
    query = f"_sort={order}&_count={count}"
    body = stage.ask("GET", OBSERVATIONS, stage.reader, query=query).body
    return stored_at(fhir_json.loads(body)["entry"][count - 1]["resource"])


def stored_at(resource: Resource) -> datetime:
    """Return when this version of a resource was stored."""
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])
