"""Runs the groups that are asked for, each on data of its own making.

The large SQLite database is made once: making it is the measurement of the ingest,
and the searches and the audit log's verification use it afterwards.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from fhir_service.bench import code, machine, mqtt
from fhir_service.bench.audit import large_log
from fhir_service.bench.audit_cost import audit_cost
from fhir_service.bench.consents import mixed_page, withdrawals
from fhir_service.bench.decisions import decisions
from fhir_service.bench.figures import FIGURES, GROUPS, Measured, not_measured
from fhir_service.bench.filled import Filled, fill
from fhir_service.bench.in_process import Sized, growth
from fhir_service.bench.ingest import door_rate
from fhir_service.bench.plan import Plan
from fhir_service.bench.postgresql import NoPostgreSQL, postgresql, schema
from fhir_service.bench.served import served
from fhir_service.bench.shapes import shapes
from fhir_service.bench.stage import Stage, reopened, stage
from fhir_service.bench.tokens import tokens
from fhir_service.bench.whole import importing
from fhir_service.bench.writes import size_of, writes

Tell = Callable[[str], None]
"""Told what is being measured."""


@dataclass
class Run:
    """One run of the bench, in a folder that is removed afterwards.

    Attributes:
        folder: The folder.
        plan: How large.
        tell: Told what is being measured.
        wanted: Groups that are asked for.

    """

    folder: Path
    plan: Plan
    tell: Tell
    wanted: frozenset[str]

    @cached_property
    def sqlite(self) -> Filled:
        """The large database on SQLite."""
        self.tell(f"storing {self.plan.rows} Observations in SQLite")
        return fill(self.folder / "sqlite", self.plan, self.plan.rows)

    @cached_property
    def small(self) -> Filled:
        """The small database on SQLite."""
        return fill(self.folder / "small", self.plan, self.plan.small_rows)

    def ingest_sqlite(self) -> Iterator[Measured]:
        """Yield what ingest costs on SQLite, in time and on disk."""
        group, plan = "ingest-sqlite", self.plan
        filled = self.sqlite
        done = filled.ingested
        last = done.rate_before(done.rows, plan.stretch)
        first = done.rate_before(plan.stretch, plan.stretch)
        yield Measured(
            key=f"{group}.rate",
            value=done.rate,
            note=f"{done.rows} Observations, {plan.in_flight} deliveries in flight",
        )
        yield Measured(
            key=f"{group}.rate-kept",
            value=100 * last / first,
            note=f"the {plan.stretch} up to {done.rows}, of the first {plan.stretch}",
        )
        yield Measured(
            key=f"{group}.disk", value=size_of(filled.stage.folder) / done.rows
        )
        self.tell("storing through the device door")
        with stage(self.folder / "door") as opened:
            value = door_rate(opened, plan, plan.stretch)
        yield Measured(key=f"{group}.door-rate", value=value)

    def search_sqlite(self) -> Iterator[Measured]:
        """Yield what a search costs behind the server, on SQLite."""
        filled = self.sqlite
        self.tell("searching behind the server, on SQLite")
        yield from served("search-sqlite", filled, self.plan)

    def writes_sqlite(self) -> Iterator[Measured]:
        """Yield what writes cost behind the server, on SQLite."""
        self.tell("writing behind the server, on SQLite")
        yield from writes("sqlite", self.folder / "writes", self.plan)

    def shapes_sqlite(self) -> Iterator[Measured]:
        """Yield what other searches cost, on SQLite."""
        large, small = self.sqlite, self.small
        self.tell("searching in other ways in process, on SQLite")
        yield from shapes("shapes-sqlite", small, large, self.plan)

    def postgresql(self) -> Iterator[Measured]:
        """Yield what is measured on PostgreSQL, all of it in one server."""
        try:
            with postgresql(self.folder) as url:
                yield from self._postgresql(url)
        except NoPostgreSQL as error:
            for group in POSTGRESQL:
                yield from not_measured(group, str(error))

    def _postgresql(self, url: str) -> Iterator[Measured]:
        plan, folder = self.plan, self.folder / "postgresql"
        self.tell(f"storing {plan.rows} Observations in PostgreSQL")
        large = fill(folder / "large", plan, plan.rows, url)
        yield Measured(key="ingest-postgresql.rate", value=large.ingested.rate)
        if "search-postgresql" in self.wanted:
            self.tell("searching behind the server, on PostgreSQL")
            yield from served("search-postgresql", large, plan)
        if "writes-postgresql" in self.wanted:
            self.tell("writing behind the server, on PostgreSQL")
            empty = schema(url, "writes")
            yield from writes("postgresql", folder / "writes", plan, empty)
        if "shapes-postgresql" in self.wanted:
            empty = schema(url, "small")
            small = fill(folder / "small", plan, plan.small_rows, empty)
            self.tell("searching in other ways in process, on PostgreSQL")
            yield from shapes("shapes-postgresql", small, large, plan)
        if "audit-postgresql" in self.wanted:
            empty = schema(url, "log")
            self.tell(f"asking of an audit log of {plan.log_rows} rows, on PostgreSQL")
            yield from large_log("audit-postgresql", folder / "log", plan, empty)

    def growth(self) -> Iterator[Measured]:
        """Yield how the latency grows with the database."""
        large, small = self.sqlite, self.small
        self.tell("searching in process, in a small and a large database")
        with reopened(small.stage) as few, reopened(large.stage) as many:
            yield from growth(_sized(small, few), _sized(large, many), self.plan.timed)

    def code(self) -> Iterator[Measured]:
        """Yield what single steps cost."""
        repeats = self.plan.repeats
        self.tell("measuring single steps")
        yield from code.parsing(repeats)
        with stage(self.folder / "code") as opened:
            yield code.storing(opened, repeats)
            yield code.validate_operation(opened, repeats)
        yield code.validation(repeats)
        yield code.help_time(repeats)

    def imported(self) -> Iterator[Measured]:
        """Yield how fast a file is imported."""
        self.tell("importing an export of Apple Health")
        with stage(self.folder / "import") as opened:
            yield importing(opened, self.plan.export_days)

    def mqtt(self) -> Iterator[Measured]:
        """Yield how fast messages of a broker are stored."""
        self.tell("taking messages from an MQTT broker")
        try:
            with stage(self.folder / "mqtt") as opened:
                yield mqtt.rate(opened, self.folder, self.plan.stretch)
        except mqtt.NoMosquitto as error:
            yield from not_measured("mqtt", str(error))

    def audit_sqlite(self) -> Iterator[Measured]:
        """Yield what a large audit log costs on SQLite, its verification included."""
        self.tell(f"asking of an audit log of {self.plan.log_rows} rows, on SQLite")
        yield from large_log("audit-sqlite", self.folder / "log", self.plan)

    def audit(self) -> Iterator[Measured]:
        """Yield what the audit log takes of the throughput of hot reads."""
        self.tell("searching behind the server, the audit log in memory")
        yield from audit_cost(self.small, self.folder, self.plan)

    def decision(self) -> Iterator[Measured]:
        """Yield what decisions cost."""
        self.tell("deciding")
        with stage(self.folder / "decision") as opened:
            yield from decisions(opened, self.plan.repeats)

    def tokens(self) -> Iterator[Measured]:
        """Yield what a token costs behind the server."""
        self.tell("asking for tokens")
        yield from tokens(self.folder / "tokens", self.plan)

    def consents(self) -> Iterator[Measured]:
        """Yield what consents cost where many patients are asked about."""
        self.tell("asking about many patients with mixed consents")
        with stage(self.folder / "mixed") as opened:
            yield from mixed_page(opened, self.plan)
        self.tell("withdrawing among many patients")
        with stage(self.folder / "withdrawals") as opened:
            yield from withdrawals(opened, self.plan)


def _sized(filled: Filled, opened: Stage) -> Sized:
    return Sized(stage=opened, searches=filled.searches, rows=filled.ingested.rows)


POSTGRESQL = (
    "search-postgresql",
    "ingest-postgresql",
    "writes-postgresql",
    "shapes-postgresql",
    "audit-postgresql",
)
"""Groups that are measured on PostgreSQL."""

_STEPS: Mapping[Callable[[Run], Iterator[Measured]], tuple[str, ...]] = (
    MappingProxyType(
        {
            Run.ingest_sqlite: ("ingest-sqlite",),
            Run.growth: ("growth",),
            Run.search_sqlite: ("search-sqlite",),
            Run.shapes_sqlite: ("shapes-sqlite",),
            Run.writes_sqlite: ("writes-sqlite",),
            Run.audit_sqlite: ("audit-sqlite", "audit"),
            Run.audit: ("audit",),
            Run.postgresql: POSTGRESQL,
            Run.code: ("code",),
            Run.imported: ("import",),
            Run.mqtt: ("mqtt",),
            Run.decision: ("decision",),
            Run.consents: ("consents",),
            Run.tokens: ("tokens",),
        }
    )
)
"""What is run, in this order, and the groups that it measures."""


def run(plan: Plan, tell: Tell, only: str | None = None) -> list[Measured]:
    """Return the figures, in the order of the table.

    Args:
        plan: How large.
        tell: Told what is being measured.
        only: A group, or the beginning of the names of some; None for all.

    Raises:
        ValueError: where there is no such group.

    """
    wanted = frozenset(group for group in GROUPS if group.startswith(only or ""))
    if not wanted:
        raise ValueError(f"There are the groups {', '.join(GROUPS)}.")
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="fhir-service-bench-") as folder:
        this = Run(Path(folder), plan, tell, wanted)
        loops = [machine.loop_ms()]
        for step, groups in _STEPS.items():
            if wanted.intersection(groups):
                found += step(this)
                loops.append(machine.loop_ms())
    found += machine.figures(loops)
    told = {*wanted, "machine"}
    kept = [one for one in found if one.key.split(".")[0] in told]
    return sorted(kept, key=lambda one: list(FIGURES).index(one.key))
