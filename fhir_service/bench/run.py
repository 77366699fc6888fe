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
from typing import NamedTuple

from fhir_service.bench import code, machine
from fhir_service.bench.decisions import decisions
from fhir_service.bench.figures import FIGURES, GROUPS, Measured, not_measured
from fhir_service.bench.in_process import Sized, growth, usual_page
from fhir_service.bench.ingest import Ingested, door_rate, ingest
from fhir_service.bench.payloads import searches
from fhir_service.bench.plan import Plan
from fhir_service.bench.postgresql import NoPostgreSQL, postgresql
from fhir_service.bench.served import served
from fhir_service.bench.stage import Stage, reopened, stage
from fhir_service.bench.whole import importing, verifying

Tell = Callable[[str], None]
"""Told what is being measured."""


class Filled(NamedTuple):
    """A deployment with data, closed.

    Attributes:
        stage: Where it is.
        ingested: What was stored, and how fast.
        searches: Random searches in it.
        page: The usual answer to one.

    """

    stage: Stage
    ingested: Ingested
    searches: list[str]
    page: bytes


@dataclass
class Run:
    """One run of the bench, in a folder that is removed afterwards."""

    folder: Path
    plan: Plan
    tell: Tell

    @cached_property
    def sqlite(self) -> Filled:
        """The large database on SQLite."""
        self.tell(f"storing {self.plan.rows} Observations in SQLite")
        return self._filled("sqlite", self.plan.rows)

    def _filled(self, name: str, rows: int, database_url: str = "") -> Filled:
        with stage(self.folder / name, database_url) as opened:
            ingested = ingest(opened, self.plan, rows)
            asked = searches(self.plan, ingested.patients)
            return Filled(opened, ingested, asked, usual_page(opened, asked))

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
            key=f"{group}.disk", value=_size(filled.stage.folder) / done.rows
        )
        self.tell("storing through the device door")
        with stage(self.folder / "door") as opened:
            value = door_rate(opened, plan, plan.stretch)
        yield Measured(key=f"{group}.door-rate", value=value)

    def search_sqlite(self) -> Iterator[Measured]:
        """Yield what a search costs behind the server, on SQLite."""
        filled = self.sqlite
        self.tell("searching behind the server, on SQLite")
        yield from self._served("search-sqlite", filled)

    def _served(self, group: str, filled: Filled) -> Iterator[Measured]:
        yield from served(group, filled.stage, filled.page, filled.searches, self.plan)

    def postgresql(self) -> Iterator[Measured]:
        """Yield what ingest and search cost on PostgreSQL."""
        try:
            with postgresql(self.folder) as url:
                self.tell(f"storing {self.plan.rows} Observations in PostgreSQL")
                filled = self._filled("postgresql", self.plan.rows, url)
                yield Measured(key="ingest-postgresql.rate", value=filled.ingested.rate)
                self.tell("searching behind the server, on PostgreSQL")
                yield from self._served("search-postgresql", filled)
        except NoPostgreSQL as error:
            yield from not_measured("ingest-postgresql", str(error))
            yield from not_measured("search-postgresql", str(error))

    def growth(self) -> Iterator[Measured]:
        """Yield how the latency grows with the database."""
        large, plan = self.sqlite, self.plan
        small = self._filled("small", plan.small_rows)
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
        yield code.validation(repeats)
        yield code.help_time(repeats)

    def imported(self) -> Iterator[Measured]:
        """Yield how fast a file is imported."""
        self.tell("importing an export of Apple Health")
        with stage(self.folder / "import") as opened:
            yield importing(opened, self.plan.export_days)

    def audit(self) -> Iterator[Measured]:
        """Yield how fast the audit log is verified."""
        filled = self.sqlite
        self.tell("verifying the audit log")
        with reopened(filled.stage) as opened:
            yield verifying(opened)

    def decision(self) -> Iterator[Measured]:
        """Yield what decisions cost."""
        self.tell("deciding")
        with stage(self.folder / "decision") as opened:
            yield from decisions(opened, self.plan.repeats)


def _sized(filled: Filled, opened: Stage) -> Sized:
    return Sized(stage=opened, searches=filled.searches, rows=filled.ingested.rows)


def _size(folder: Path) -> int:
    """Return the bytes of the SQLite database, which is closed, in a folder."""
    return sum(path.stat().st_size for path in folder.glob("fhir.sqlite3*"))


_STEPS: Mapping[Callable[[Run], Iterator[Measured]], tuple[str, ...]] = (
    MappingProxyType(
        {
            Run.ingest_sqlite: ("ingest-sqlite",),
            Run.growth: ("growth",),
            Run.search_sqlite: ("search-sqlite",),
            Run.audit: ("audit",),
            Run.postgresql: ("ingest-postgresql", "search-postgresql"),
            Run.code: ("code",),
            Run.imported: ("import",),
            Run.decision: ("decision",),
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
    wanted = {group for group in GROUPS if group.startswith(only or "")}
    if not wanted:
        raise ValueError(f"There are the groups {', '.join(GROUPS)}.")
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="fhir-service-bench-") as folder:
        this = Run(Path(folder), plan, tell)
        loops = [machine.loop_ms()]
        for step, groups in _STEPS.items():
            if wanted.intersection(groups):
                found += step(this)
                loops.append(machine.loop_ms())
    wanted.add("machine")
    found += machine.figures(loops)
    kept = [one for one in found if one.key.split(".")[0] in wanted]
    return sorted(kept, key=lambda one: list(FIGURES).index(one.key))
