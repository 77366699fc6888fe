"""What a large audit log costs: its disk, its questions, its proofs, its index.

The log is that of `fhir_service.bench.audit_fill`; an officer of one organisation asks,
as the console and the API let her.
"""

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from flask.testing import FlaskClient

from fhir_service.app import create_app
from fhir_service.auth import sessions, users
from fhir_service.bench import audit_fill
from fhir_service.bench.audit_asked import ASKED, SEARCHES, Ask, Wish, wish
from fhir_service.bench.audit_fill import Logged
from fhir_service.bench.figures import Measured
from fhir_service.bench.plan import Plan
from fhir_service.bench.stage import BenchError, Stage, reopened, stage
from fhir_service.bench.whole import examining, verifying
from fhir_service.compliance import proofs
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader
from fhir_service.metrics import Metrics
from fhir_service.storage import audit_search
from fhir_service.storage.engine import Database, Snapshot
from mappings.vendors.table import VENDORS

ENOUGH_S = 5.0
"""A question that has taken so long in all is not asked again."""

_ALONE = 100
"""Rows that are made durable one after the other."""

_BEHIND = 10_000
"""Rows by which the index is behind."""

SESSION_COOKIE = "fhir-session"
"""Of the console at an address without TLS."""

LEAF_TABLES = ("audit_entry",)
INDEX_TABLES = (
    "audit_row",
    "audit_patient",
    "audit_scope",
    "audit_tally",
    "audit_scope_tally",
    "audit_seal",
    "audit_tile",
)
"""Tables, each with its own indexes; the few names are not counted."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An open deployment with a large log, and who asks.

    Attributes:
        stage: The deployment.
        logged: The log.
        officer: Who asks.
        repeats: How often each question is asked.

    """

    stage: Stage
    logged: Logged
    officer: Officer
    repeats: int

    def times_ms(self, ask: Ask) -> list[float]:
        """Return how long a question takes, about something else each time.

        The first is not counted: it loads what later ones find loaded.
        """
        services, random = self.stage.deployment.services, Random(1)  # noqa: S311 - no secret
        times: list[float] = []
        while len(times) <= self.repeats and sum(times) < ENOUGH_S * 1000:
            with services.database.read() as snapshot:
                reader = Reader(services, snapshot, self.officer)
                at = wish(self.logged, reader, random)
                began = time.perf_counter()
                ask(reader, at)
                times.append((time.perf_counter() - began) * 1000)
        return times[1:] or times


def large_log(
    group: str, folder: Path, plan: Plan, url: str = ""
) -> Iterator[Measured]:
    """Yield the figures of a group.

    Args:
        group: `audit-sqlite` or `audit-postgresql`.
        folder: Of the deployment.
        plan: How large.
        url: Of an empty database; empty for SQLite in the folder.

    """
    with stage(folder, url, clock=audit_fill.before) as opened:
        logged = audit_fill.log(opened, plan.log_patients, plan.log_rows)
    with reopened(opened) as again:
        officer = Officer(user="officer", organizations=(again.clinic,))
        desk = Desk(
            stage=again, logged=logged, officer=officer, repeats=plan.log_repeats
        )
        for name, value, note in _figures(desk):
            yield Measured(
                key=f"{group}.{name}", value=value, note=note or f"{logged.rows} rows"
            )
        if not url:
            yield verifying(again)
            yield examining(again)


Figure = tuple[str, float, str]


def _figures(desk: Desk) -> Iterator[Figure]:
    yield "made", desk.logged.rate, ""
    for name, ask in ASKED.items():
        yield name.lower(), p95(desk.times_ms(ask)), ""
    slowest = {name: p95(desk.times_ms(ask)) for name, ask in SEARCHES.items()}
    name = max(slowest, key=slowest.__getitem__)
    yield "search", slowest[name], f"{name}; the slowest of {len(slowest)}"
    yield "proof", p95(desk.times_ms(_proof)), ""
    yield "page", p95(_first_paints(desk)), ""
    rows = desk.logged.first + desk.logged.rows
    yield "row-bytes", _bytes(desk, LEAF_TABLES) / rows, ""
    yield "index-bytes", _bytes(desk, INDEX_TABLES) / rows, ""
    yield from _catching_up(desk)


def p95(times: list[float]) -> float:
    """Return the least that 95 of 100 do not exceed (nearest rank)."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def _proof(reader: Reader, at: Wish) -> object:
    return proofs.bundle(reader, reader.rows(at.asked.rows))


def _first_paints(desk: Desk) -> list[float]:
    """Return how long the console's first page takes, in milliseconds.

    The very first is not counted: it loads the templates.
    """
    deployment, times = desk.stage.deployment, []
    application = create_app(deployment, Metrics(sources=VENDORS))
    with application.test_client() as browser:
        _log_in(desk.stage, browser)
        for _ in range(desk.repeats + 1):
            began = time.perf_counter()
            answer = browser.get("/compliance")
            times.append((time.perf_counter() - began) * 1000)
            if answer.status_code != 200:  # noqa: PLR2004 - HTTP's
                raise BenchError(f"The console answered {answer.status_code}.")
    return times[1:]


def _log_in(stage: Stage, browser: FlaskClient) -> None:
    """Open a session of an officer without the login, which is no part of the page."""
    auth, secret = stage.deployment.auth, secrets.token_urlsafe(32)
    account = users.register(
        auth,
        users.NewUser(
            username="officer",
            name="Officer",
            role=users.Role.COMPLIANCE_OFFICER,
            password=secrets.token_urlsafe(32),
            organization=stage.clinic,
        ),
    )
    auth.database.write(
        lambda transaction: sessions.open_session(
            auth, transaction, account, secret, auth.clock()
        )
    )
    browser.set_cookie(SESSION_COOKIE, secret)


def _bytes(desk: Desk, tables: Sequence[str]) -> int:
    """Return what tables take on disk, each with its own indexes."""
    with desk.stage.deployment.services.database.read() as snapshot:
        return sum(_size_of(snapshot, table) for table in tables)


def _size_of(snapshot: Snapshot, table: str) -> int:
    if snapshot.dialect == "postgresql":
        [(size,)] = snapshot.sql("SELECT pg_total_relation_size(%s)", (table,))
        return int(size)
    trees = snapshot.sql("SELECT name FROM sqlite_master WHERE tbl_name = ?", (table,))
    pages = "SELECT SUM(pgsize) FROM dbstat WHERE name = ?"
    return sum(int(snapshot.sql(pages, name)[0][0] or 0) for name in trees)


def _catching_up(desk: Desk) -> Iterator[Figure]:
    """Yield how fast the index follows, and what that costs whoever writes."""
    services = desk.stage.deployment.services
    database, index = services.database, services.audit_index
    with database.read() as snapshot:
        leaves = list(_some_leaves(snapshot, desk.logged, _BEHIND))
    alone = _waits_ms(database, leaves)
    index.catch_up(database)
    for first in range(0, len(leaves), audit_fill.PART):
        database.log(leaves[first : first + audit_fill.PART]).result()
    began = time.perf_counter()
    following = threading.Thread(target=index.catch_up, args=(database,))
    following.start()
    beside = _waits_ms(database, leaves, while_=following.is_alive)
    following.join()
    seconds = time.perf_counter() - began
    yield "catch-up", len(leaves) / seconds, f"{len(leaves)} rows, beside a writer"
    yield "catch-up-cost", median(beside) / median(alone), f"{len(beside)} rows"


def _some_leaves(snapshot: Snapshot, logged: Logged, count: int) -> Iterator[bytes]:
    for index in range(logged.first, logged.first + min(count, logged.rows)):
        leaf = audit_search.leaf(snapshot, index)
        if leaf is not None:
            yield leaf


def _waits_ms(
    database: Database,
    leaves: Sequence[bytes],
    while_: Callable[[], bool] = lambda: True,
) -> list[float]:
    """Return how long rows wait that are made durable one after the other."""
    times: list[float] = []
    for leaf in leaves[:_ALONE]:
        began = time.perf_counter()
        database.log([leaf]).result()
        times.append((time.perf_counter() - began) * 1000)
        if not while_():
            break
    return times
