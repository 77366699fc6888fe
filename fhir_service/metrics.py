"""What Prometheus may ask: counts and durations by route, source and outcome.

A label is a route's template, a listed method, status, source, outcome or reason;
never a patient, a value or a text of a client.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from fhir_service.logs import METHODS, OTHER

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of the page that `render` returns."""

OUTCOMES = frozenset(
    {"stored", "duplicate", "amended", "withheld", "quarantined", "out-of-scope"}
)
"""What can become of a measurement; a receipt has the same words."""

REFUSALS = frozenset({"too-long", "timeout", "incomplete", "throttled", "late"})
"""Why the door answered a request without its handler."""

FACTS = frozenset({"silent", "battery-low", "not-worn", "clock-wrong"})
"""What can be said of a device; see `fhir_service.ingest.device_health`."""

FAILURES = frozenset({"audit", "consent", "durability", "handler", "indeterminate"})
"""What has failed closed; each is worth an alert."""

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram's buckets, in seconds."""


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self, *, sources: Iterable[str], shared: Path | None = None) -> None:
        """Create them.

        Args:
            sources: Device sources that get a label of their own.
            shared: Folder through which several processes add up, as
                `settings.shared_metrics` names it.

        """
        self._sources = frozenset(sources)
        self._shared = shared
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "fhir_service_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fhir_service_request_seconds",
            "Time from a request's head to its response.",
            ("route",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._refused = Counter(
            "fhir_service_refused",
            "Requests that the door answered without a handler.",
            ("reason",),
            registry=self.registry,
        )
        self._ingested = Counter(
            "fhir_service_measurements",
            "Measurements received, by what became of them.",
            ("source", "outcome"),
            registry=self.registry,
        )
        self._failed = Counter(
            "fhir_service_failures",
            "Failures that denied or refused a request.",
            ("part",),
            registry=self.registry,
        )
        self._devices = Gauge(
            "fhir_service_devices",
            "Devices of which a fact holds.",
            ("fact",),
            registry=self.registry,
            multiprocess_mode="livemostrecent",
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template."""
        key = (method, route, status)
        counter, histogram = self._children.get(key) or self._child(key)
        counter.inc()
        histogram.observe(seconds)

    def _child(self, key: tuple[str, str, int]) -> tuple[Counter, Histogram]:
        method, route, status = key
        known = method if method in METHODS else OTHER
        children = (
            self._requests.labels(route, known, str(status)),
            self._seconds.labels(route),
        )
        if known != OTHER:
            self._children[key] = children
        return children

    def refused(self, reason: str) -> None:
        """Count a request that met no handler."""
        self._refused.labels(_listed(reason, REFUSALS)).inc()

    def ingested(self, *, source: str, outcome: str, count: int) -> None:
        """Count measurements of one source and outcome."""
        self._ingested.labels(
            _listed(source, self._sources), _listed(outcome, OUTCOMES)
        ).inc(count)

    def failed(self, part: str) -> None:
        """Count a failure that was answered by a refusal."""
        self._failed.labels(_listed(part, FAILURES)).inc()

    def devices(self, counts: Mapping[str, int]) -> None:
        """Say of how many devices each fact holds."""
        for fact, count in counts.items():
            self._devices.labels(_listed(fact, FACTS)).set(count)

    def render(self) -> bytes:
        """Return the page that `/metrics` answers, for all processes."""
        if self._shared is None:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(  # type: ignore[no-untyped-call]  # the library's
            registry, str(self._shared)
        )
        return generate_latest(registry)


def _listed(value: str, listed: frozenset[str]) -> str:
    return value if value in listed else OTHER
