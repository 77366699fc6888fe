"""Every figure of the bench: its name, its unit and what it has to reach.

docs/performance.md says how each is measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from fhir_service.bench.targets import Row, Target, at_least, at_most
from fhir_service.compliance.questions import QUESTIONS


class Verdict(StrEnum):
    """How a figure compares with its target."""

    MET = "met"
    MISSED = "missed"
    NO_TARGET = ""
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A figure of this run.

    Attributes:
        key: Row of `FIGURES`.
        value: What was measured; None where it could not be.
        note: What one has to know to read it.

    """

    key: str
    value: float | None
    note: str = ""

    @property
    def row(self) -> Row:
        """The line that the figure belongs to."""
        return FIGURES[self.key]

    @property
    def verdict(self) -> Verdict:
        """How the figure compares with its target."""
        if self.value is None:
            return Verdict.NOT_MEASURED
        target = self.row.target
        if target is None:
            return Verdict.NO_TARGET
        return Verdict.MET if target.is_met_by(self.value) else Verdict.MISSED


def _search(engine: str, durable: float, not_awaited: float) -> dict[str, Row]:
    rows = {
        "durable-share": Row(
            "search of 50, audit durable, of the static route",
            "%",
            at_least(durable),
        ),
        "not-awaited-share": Row(
            "search of 50, audit not awaited, of the static route",
            "%",
            at_least(not_awaited),
        ),
        "rendered-share": Row(
            "the same, every page rendered anew, of the static route", "%"
        ),
        "read-multiple": Row(
            "read by id, of the search of 50, both not awaited", "times", at_least(3)
        ),
        "consent-cost": Row("consent on against consent off", "%", at_most(10)),
        "static-rate": Row("static Flask route of the same size", "requests/s"),
        "durable-rate": Row("search of 50, audit durable", "requests/s"),
        "not-awaited-rate": Row("search of 50, audit not awaited", "requests/s"),
        "rendered-rate": Row("the same, every page rendered anew", "requests/s"),
        "token-cost": Row(
            "token looked up against remembered, in a search", "%", at_most(10)
        ),
        "durable-of-not-awaited": Row(
            "search of 50, audit durable, of not awaited", "%", at_least(55)
        ),
        "no-consent-rate": Row("search of 50, consent off", "requests/s"),
        "known-token-rate": Row("search of 50, token remembered", "requests/s"),
        "read-rate": Row("read by id, audit not awaited", "requests/s"),
        "durable-p50": Row("search of 50, audit durable, median", "ms"),
        "durable-p99": Row("search of 50, audit durable, 99th percentile", "ms"),
        "static-cpu": Row("server's CPU time, a static answer", "µs"),
        "durable-cpu": Row("server's CPU time, a search, audit durable", "µs"),
        "not-awaited-cpu": Row("server's CPU time, a search, not awaited", "µs"),
        "rendered-cpu": Row("server's CPU time, a search, rendered anew", "µs"),
        "no-consent-cpu": Row("server's CPU time, a search, consent off", "µs"),
        "known-token-cpu": Row("server's CPU time, a search, token remembered", "µs"),
        "read-cpu": Row("server's CPU time, a read, not awaited", "µs"),
        "worker-memory": Row("memory of one worker (RSS)", "MB", at_most(150)),
        "worker-private": Row("the same, without pages of files", "MB"),
        "memory": Row("memory of the server's processes (RSS)", "MB"),
    }
    return _of("search", engine, rows)


def _tokens(algorithm: str) -> dict[str, Row]:
    name = algorithm.lower()
    return {
        f"tokens.{name}-rate": Row(
            f"tokens for a backend service, {algorithm}, 16 connections",
            "tokens/s",
            at_least(300),
        ),
        f"tokens.{name}-p99": Row("the same, 99th percentile", "ms"),
        f"tokens.{name}-cpu": Row("server's CPU time, the same", "µs"),
    }


def _shapes(engine: str) -> dict[str, Row]:
    rows = {"plain": Row("plain search of 50, rendered anew, in process", "µs")}
    for name, title in _SHAPES.items():
        rows |= {
            f"{name}-cost": Row(f"{title}, of the plain search", "times", at_most(2)),
            f"{name}-growth": Row(
                f"{title}, large of small database", "times", at_most(1.3)
            ),
            name: Row(f"{title}, in process", "µs"),
        }
    return _of("shapes", engine, rows)


_SHAPES = {
    "category": "page of patient and category",
    "codes": "page of patient and three codes",
    "updated": "page of _lastUpdated over all patients",
    "lastn": "$lastn of 20 codes",
}


def _writes(engine: str, target: Callable[[float], Target | None]) -> dict[str, Row]:
    rows = {
        "create-rate": Row(
            "create of one Observation, 16 connections",
            "resources/s",
            target(1_000),
        ),
        "transaction-rate": Row(
            "transaction of 100 Observations, 4 connections",
            "resources/s",
            target(1_200),
        ),
        "create-p50": Row("create of one Observation, median", "ms"),
        "create-p99": Row("create of one Observation, 99th percentile", "ms"),
        "create-cpu": Row("server's CPU time, a create", "µs"),
    }
    return _of("writes", engine, rows)


def _audit(engine: str) -> dict[str, Row]:
    rows = {
        f"{number.lower()}": Row(
            f"audit {number}, 95th percentile: {question.text}", "ms", at_most(1_000)
        )
        for number, question in QUESTIONS.items()
    }
    rows |= {
        "search": Row(
            "slowest search of the audit log, 95th percentile", "ms", at_most(1_000)
        ),
        "page": Row(
            "first page of the compliance console, 95th percentile",
            "ms",
            at_most(1_000),
        ),
        "proof": Row("proof of one row of the audit log, 95th percentile", "ms"),
        "row-bytes": Row("on disk for a row of the audit log", "bytes", at_most(300)),
        "index-bytes": Row(
            "on disk for the indexes of a row of the audit log", "bytes", at_most(300)
        ),
        "catch-up": Row("index of the audit log, catching up", "rows/s"),
        "catch-up-cost": Row(
            "wait for a durable row beside that, of the wait alone", "times"
        ),
        "made": Row("audit log of the bench, made and indexed", "rows/s"),
    }
    return _of("audit", engine, rows)


def _no_target(_limit: float) -> None:
    """Set no target: the figure is printed for information."""


def _of(group: str, engine: str, rows: Mapping[str, Row]) -> dict[str, Row]:
    """Return the rows of a group as those of one engine."""
    return {
        f"{group}-{engine.lower()}.{name}": Row(
            f"{engine}: {row.title}", row.unit, row.target
        )
        for name, row in rows.items()
    }


FIGURES: Mapping[str, Row] = MappingProxyType(
    {
        **_search("SQLite", 30, 45),
        **_search("PostgreSQL", 15, 20),
        "ingest-sqlite.rate": Row(
            "SQLite: durable ingest, parsed deliveries",
            "Observations/s",
            at_least(15_000),
        ),
        "ingest-sqlite.rate-kept": Row(
            "SQLite: the last stretch's rate, of the first's", "%", at_least(60)
        ),
        "ingest-sqlite.disk": Row(
            "SQLite: on disk, indexes and audit included",
            "bytes/Observation",
            at_most(500),
        ),
        "ingest-sqlite.door-rate": Row(
            "SQLite: the same through the device door, from bytes to receipt",
            "Observations/s",
        ),
        "ingest-postgresql.rate": Row(
            "PostgreSQL: durable ingest, parsed deliveries", "Observations/s"
        ),
        **_writes("SQLite", at_least),
        "writes-sqlite.disk": Row(
            "SQLite: on disk for an Observation that was created, all of it",
            "bytes/Observation",
            at_most(1_000),
        ),
        **_writes("PostgreSQL", _no_target),
        **_shapes("SQLite"),
        **_shapes("PostgreSQL"),
        "growth.ratio": Row(
            "search of 50 in process, median, large of small database",
            "times",
            at_most(1.3),
        ),
        "growth.small": Row("the same, small database", "µs"),
        "growth.large": Row("the same, large database", "µs"),
        "growth.read": Row("read by id in process, median, large database", "µs"),
        "code.parse-open-mhealth": Row(
            "parsed payload to Measurement, Open mHealth", "µs", at_most(5)
        ),
        "code.parse-zigbee2mqtt": Row(
            "parsed payload to Measurement, Zigbee2MQTT", "µs", at_most(5)
        ),
        "code.parse-apple-health": Row(
            "parsed payload to Measurement, Apple Health", "µs", at_most(5)
        ),
        "code.store": Row("Measurement to stored bytes", "µs", at_most(10)),
        "code.validate": Row(
            "validation of an external heart rate Observation", "µs", at_most(60)
        ),
        "code.validate-operation": Row(
            "$validate of an Observation against us-core-heart-rate, in process",
            "ms",
            at_most(2),
        ),
        "code.help": Row("fhir-service --help", "ms", at_most(100)),
        "import.records": Row("import of an Apple Health export", "records/s"),
        "mqtt.rate": Row(
            "SQLite: messages of an MQTT broker, stored and acknowledged",
            "messages/s",
            at_least(3_000),
        ),
        **_audit("SQLite"),
        **_audit("PostgreSQL"),
        "audit.verify": Row(
            "verification of the audit log", "rows/s", at_least(200_000)
        ),
        "audit.examine": Row(
            "the same with index and tallies, as `audit verify` does", "rows/s"
        ),
        "audit.cost": Row(
            "throughput that the audit log takes of a search of 50, in memory",
            "%",
            at_most(10),
        ),
        "audit.cost-read": Row(
            "throughput that the audit log takes of a read by id, in memory",
            "%",
        ),
        "audit.cpu": Row("server's CPU time, a search, audit in memory", "µs"),
        "audit.cpu-none": Row("server's CPU time, a search, audit off", "µs"),
        "decision.cold-1": Row("decision, cold, 1 provision, 120 signatures", "ms"),
        "decision.cold-10": Row("decision, cold, 10 provisions", "ms"),
        "decision.cold-100": Row("decision, cold, 100 provisions", "ms", at_most(60)),
        "decision.cold-five": Row(
            "decision, cold, five consents of 200 provisions, 300 signatures",
            "ms",
            at_most(1_500),
        ),
        "decision.warm": Row(
            "decision, remembered, 100 provisions", "µs", at_most(200)
        ),
        "decision.warm-five": Row(
            "decision, remembered, five consents of 200 provisions", "µs", at_most(200)
        ),
        "consents.page-ratio": Row(
            "page of _lastUpdated, mixed consents of 1 000 patients, of consent off",
            "times",
            at_most(2),
        ),
        "consents.page": Row("the same, mixed consents", "µs"),
        "consents.page-open": Row("the same, consent off", "µs"),
        "consents.withdrawn": Row(
            "withdrawals that the next request heeds, among 10 000 patients",
            "%",
            at_least(100),
        ),
        "consents.withdrawn-next": Row("that next request, of the patient", "ms"),
        "consents.withdrawn-page": Row("the next page of _lastUpdated of all", "ms"),
        **_tokens("RS384"),
        **_tokens("ES384"),
        "machine.loop": Row("this machine: a fixed loop of Python", "ms"),
        "machine.disturbance": Row("this machine: how much longer at worst", "%"),
    }
)
"""Figure by key; the part before the point is its group."""

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(key.split(".")[0] for key in FIGURES))
"""What `--only` takes, in the order of the table."""


def of_group(group: str) -> list[str]:
    """Return the keys of a group."""
    return [key for key in FIGURES if key.split(".")[0] == group]


def not_measured(group: str, why: str) -> list[Measured]:
    """Return a group without values."""
    return [Measured(key=key, value=None, note=why) for key in of_group(group)]
