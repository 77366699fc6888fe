"""Every figure of the bench: its name, its unit and what it has to reach.

docs/performance.md says how each is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Verdict(StrEnum):
    """How a figure compares with its target."""

    MET = "met"
    MISSED = "missed"
    NO_TARGET = ""
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound.

    Attributes:
        limit: In the unit of the figure.
        is_floor: Whether more is better.

    """

    limit: float
    is_floor: bool

    def is_met_by(self, value: float) -> bool:
        """Whether `value` reaches the bound, the bound itself included."""
        return value >= self.limit if self.is_floor else value <= self.limit

    @property
    def text(self) -> str:
        """The bound as the table shows it."""
        return f"{'≥' if self.is_floor else '≤'} {shown(self.limit)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        title: What is measured.
        unit: Unit of the value and of the target.
        target: What it has to reach; None where it is printed for information.

    """

    title: str
    unit: str
    target: Target | None = None


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


def shown(value: float) -> str:
    """Return a number in the digits that a reader can use."""
    if value == int(value) or abs(value) >= _WHOLE:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.2f}" if abs(value) < _TENTHS else f"{value:.1f}"


_TENTHS, _WHOLE = 10, 1000
"""From here one decimal is shown; from here none."""


def _at_least(limit: float) -> Target:
    return Target(limit, is_floor=True)


def _at_most(limit: float) -> Target:
    return Target(limit, is_floor=False)


def _search(engine: str, durable: float, not_awaited: float) -> dict[str, Row]:
    group = f"search-{engine.lower()}"
    rows = {
        "durable-share": Row(
            "search of 50, audit durable, of the static route",
            "%",
            _at_least(durable),
        ),
        "not-awaited-share": Row(
            "search of 50, audit not awaited, of the static route",
            "%",
            _at_least(not_awaited),
        ),
        "consent-cost": Row("consent on against consent off", "%", _at_most(10)),
        "static-rate": Row("static Flask route of the same size", "requests/s"),
        "durable-rate": Row("search of 50, audit durable", "requests/s"),
        "not-awaited-rate": Row("search of 50, audit not awaited", "requests/s"),
        "no-consent-rate": Row("search of 50, consent off", "requests/s"),
        "durable-p50": Row("search of 50, audit durable, median", "ms"),
        "durable-p99": Row("search of 50, audit durable, 99th percentile", "ms"),
        "static-cpu": Row("server's CPU time, a static answer", "µs"),
        "durable-cpu": Row("server's CPU time, a search, audit durable", "µs"),
        "not-awaited-cpu": Row("server's CPU time, a search, not awaited", "µs"),
        "no-consent-cpu": Row("server's CPU time, a search, consent off", "µs"),
        "memory": Row("memory of the server's processes (RSS)", "MB"),
    }
    return {
        f"{group}.{name}": Row(f"{engine}: {row.title}", row.unit, row.target)
        for name, row in rows.items()
    }


FIGURES: Mapping[str, Row] = MappingProxyType(
    {
        **_search("SQLite", 20, 30),
        **_search("PostgreSQL", 15, 20),
        "ingest-sqlite.rate": Row(
            "SQLite: durable ingest, parsed deliveries",
            "Observations/s",
            _at_least(15_000),
        ),
        "ingest-sqlite.rate-kept": Row(
            "SQLite: the last stretch's rate, of the first's", "%", _at_least(60)
        ),
        "ingest-sqlite.disk": Row(
            "SQLite: on disk, indexes and audit included",
            "bytes/Observation",
            _at_most(500),
        ),
        "ingest-sqlite.door-rate": Row(
            "SQLite: the same through the device door, from bytes to receipt",
            "Observations/s",
        ),
        "ingest-postgresql.rate": Row(
            "PostgreSQL: durable ingest, parsed deliveries", "Observations/s"
        ),
        "growth.ratio": Row(
            "search of 50 in process, median, large of small database",
            "times",
            _at_most(1.3),
        ),
        "growth.small": Row("the same, small database", "µs"),
        "growth.large": Row("the same, large database", "µs"),
        "growth.read": Row("read by id in process, median, large database", "µs"),
        "code.parse-open-mhealth": Row(
            "parsed payload to Measurement, Open mHealth", "µs", _at_most(5)
        ),
        "code.parse-zigbee2mqtt": Row(
            "parsed payload to Measurement, Zigbee2MQTT", "µs", _at_most(5)
        ),
        "code.parse-apple-health": Row(
            "parsed payload to Measurement, Apple Health", "µs", _at_most(5)
        ),
        "code.store": Row("Measurement to stored bytes", "µs", _at_most(10)),
        "code.validate": Row(
            "validation of an external heart rate Observation", "µs", _at_most(60)
        ),
        "code.help": Row("fhir-service --help", "ms", _at_most(100)),
        "import.records": Row("import of an Apple Health export", "records/s"),
        "audit.verify": Row("verification of the audit log", "rows/s"),
        "decision.cold-1": Row("decision, cold, 1 provision, 120 signatures", "µs"),
        "decision.cold-10": Row("decision, cold, 10 provisions", "µs"),
        "decision.cold-100": Row("decision, cold, 100 provisions", "µs"),
        "decision.warm": Row("decision, remembered", "µs"),
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
