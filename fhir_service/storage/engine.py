"""Connections, snapshots and the one writer.

Reads happen in a snapshot: BEGIN on SQLite, REPEATABLE READ on PostgreSQL, so that
a decision and the rows it governs belong together. Writes are jobs of one writer
thread a process, which runs all that wait in one transaction and makes them
durable with one fsync (group commit). On PostgreSQL an advisory lock makes jobs of
several processes follow each other, so that `seq` is in commit order; the audit
tail has a second, short lock of its own.

https://www.sqlite.org/wal.html
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy
import structlog
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import QueuePool

from conformance.issues import FHIRError, IssueType
from fhir_service.logs import describe
from fhir_service.storage.gathering import Gathering
from fhir_service.storage.statement import DialectName, Statement

_log = structlog.get_logger()

T = TypeVar("T")

WRITE_LOCK, AUDIT_LOCK = 0x46484952, 0x41554449
"""Advisory lock keys on PostgreSQL, always taken in this order."""

CHECKPOINT_PAGES = 8_192
"""Pages of 4 KiB in the write-ahead log before the checkpointer copies them."""

CHECKPOINT_EVERY_S = 1.0

RESTART_PAGES = 65_536
"""Pages in the write-ahead log (256 MiB) beyond which the writer stops for a moment so
that the log begins anew: while writes go on, copying alone never shortens it."""

RESTART_PATIENCE_MS = 200
"""How long that waits for readers of the old log."""

BUSY_MS = 10_000
"""How long SQLite waits for another process, such as a command, to finish writing."""

GROUP_JOBS = 256
"""Jobs in one transaction at most, so that the first does not wait for ever."""


class Snapshot:
    """One read transaction; all statements see the same state."""

    __slots__ = ("_cursor", "dialect")

    def __init__(self, cursor: Any, dialect: DialectName) -> None:
        self._cursor = cursor
        self.dialect = dialect

    def all(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """Return every row."""
        sql, parameters = statement.bind(self.dialect, values)
        self._cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def one(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        sql, parameters = statement.bind(self.dialect, values)
        self._cursor.execute(sql, parameters)
        row: tuple[Any, ...] | None = self._cursor.fetchone()
        return row

    def sql(self, text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a text that a statement shape has compiled."""
        self._cursor.execute(text, parameters)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows


class Transaction(Snapshot):
    """One job's part of a write transaction."""

    __slots__ = ("_effects", "_endings", "_leaves", "has_written", "numbers", "pending")

    def __init__(self, cursor: Any, dialect: DialectName) -> None:
        super().__init__(cursor, dialect)
        self._leaves: list[bytes] = []
        self._effects: list[Callable[[], None]] = []
        self._endings: dict[str, Callable[[], None]] = {}
        self.has_written = False
        self.numbers: dict[str, int] = {}
        """What `storage.counters` has handed out and not written yet."""
        self.pending: dict[Any, Any] = {}
        """What `storage.remembered` keeps once the transaction is durable."""

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute and return the number of rows touched."""
        self.has_written = True
        sql, parameters = statement.bind(self.dialect, values)
        self._cursor.execute(sql, parameters)
        count: int = self._cursor.rowcount
        return count

    def run_many(self, statement: Statement, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once a row; each a tuple in the order of the parameters."""
        if rows:
            self.has_written = True
            self._cursor.executemany(statement.text(self.dialect), rows)

    def copy(
        self,
        statement: Statement,
        table: str,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        """Insert many rows the fastest way: COPY on PostgreSQL."""
        if self.dialect == "sqlite" or not rows:
            self.run_many(statement, rows)
            return
        self.has_written = True
        with self._cursor.copy(
            f"COPY {table} ({','.join(columns)}) FROM STDIN"
        ) as sink:
            for row in rows:
                sink.write_row(row)

    def audit(self, leaf: bytes) -> None:
        """Append `leaf` to the audit log, in this same transaction."""
        self._leaves.append(leaf)

    def at_end(self, name: str, effect: Callable[[], None]) -> None:
        """Call `effect` once before the job ends, however often it is asked for."""
        self._endings[name] = effect

    def end(self) -> None:
        """Do what was put off to the end of the job."""
        for effect in self._endings.values():
            effect()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Call `effect` once the transaction is durable."""
        self._effects.append(effect)


class Tail(Protocol):
    """What appends audit leaves at the end of a write transaction."""

    def append(self, transaction: Transaction, leaves: Sequence[bytes]) -> None:
        """Write `leaves` and the new signed head."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Transaction], Any] | None
    leaves: Sequence[bytes]
    future: "Future[Any]"


class _Stop(Exception):  # noqa: N818 - a signal, not an error
    pass


class Database:
    """A database, its readers and its writer.

    Args:
        url: SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://…`.
        readers: Read connections a process may hold.

    """

    def __init__(self, url: str, *, readers: int = 16) -> None:
        self.url = make_url(url)
        self.dialect: DialectName = (
            "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        )
        self.engine = _engine(url, self.dialect, readers)
        self._local = threading.local()
        self._connections: list[Any] = []
        self._guard = threading.Lock()
        self._writer: _Writer | None = None
        self.tail: Tail | None = None
        self.on_lost_work: list[Callable[[], None]] = []
        """Called in the writer when a job that had written was undone: the next job is
        given the same numbers, for other things."""
        self.on_rollback: list[Callable[[], None]] = []
        """Called in the writer when a transaction of several jobs was lost: what was
        remembered of its uncommitted state must be forgotten."""

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Open a snapshot; it sees one state of the database until it ends."""
        depth = getattr(self._local, "snapshot", None)
        if depth is not None:
            yield depth
            return
        cursor = self._begun()
        snapshot = Snapshot(cursor, self.dialect)
        self._local.snapshot = snapshot
        try:
            yield snapshot
        finally:
            self._local.snapshot = None
            self._end(cursor)

    @contextmanager
    def within(self, transaction: "Transaction") -> Iterator[None]:
        """Let what this thread reads see the transaction that it is writing."""
        self._local.snapshot = transaction
        try:
            yield
        finally:
            self._local.snapshot = None

    def _begun(self) -> Any:
        """Return a cursor in a new snapshot; a connection that was lost is replaced."""
        begin = _BEGIN_READ[self.dialect]
        try:
            cursor = self._cursor()
            cursor.execute(begin)
        except self.engine.dialect.dbapi.Error:  # type: ignore[union-attr]  # there is a driver
            self._drop()
            cursor = self._cursor()
            cursor.execute(begin)
        return cursor

    def _end(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except self.engine.dialect.dbapi.Error:  # type: ignore[union-attr]  # there is a driver
            # The snapshot has ended with the connection; the next read gets another.
            self._drop()

    def _drop(self) -> None:
        connection, self._local.connection = self._local.connection, None
        self._local.cursor = None
        if connection is not None:
            with self._guard:
                self._connections.remove(connection)
            connection.invalidate()

    def _cursor(self) -> Any:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            connection = self.engine.raw_connection()
            with self._guard:
                self._connections.append(connection)
            self._local.connection = connection
            cursor = self._local.cursor = connection.cursor()
        return cursor

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer; return its result once it is durable."""
        return self.submit(work).result()

    def submit(self, work: Callable[[Transaction], T]) -> "Future[T]":
        """Queue `work` for the writer; the future is done when it is durable."""
        return self._start().put(work, ())

    def log(self, leaves: Sequence[bytes]) -> "Future[Any]":
        """Queue audit leaves; the future is done when they are durable."""
        return self._start().put(None, leaves)

    def _start(self) -> "_Writer":
        writer = self._writer
        if writer is None:
            with self._guard:
                if self._writer is None:
                    self._writer = _Writer(self)
                writer = self._writer
        return writer

    def close(self) -> None:
        """Finish what is queued, then close every connection."""
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
        with self._guard:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        self._local = threading.local()
        self.engine.dispose()


_BEGIN_READ: Mapping[DialectName, str] = {
    "sqlite": "BEGIN",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}

_BEGIN_WRITE: Mapping[DialectName, str] = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED",
}

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=0",
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA cache_size=-65536",
    "PRAGMA mmap_size=1073741824",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)


def _engine(url: str, dialect: DialectName, readers: int) -> Engine:
    if dialect == "sqlite":
        engine = sqlalchemy.create_engine(
            url,
            poolclass=QueuePool,
            pool_size=readers,
            max_overflow=-1,
            connect_args={"check_same_thread": False, "isolation_level": None},
        )
    else:
        engine = sqlalchemy.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=readers,
            max_overflow=-1,
            connect_args={"prepare_threshold": 1},
        )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        if dialect == "sqlite":
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        else:
            connection.autocommit = True

    return engine


class _Writer:
    """The thread that writes; see the module's docstring."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.dialect
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._stopping = threading.Event()
        self._gathering = Gathering(time.sleep)
        self._restart_log = False
        self._checkpointer = threading.Thread(
            target=self._checkpoint_loop, name="checkpointer", daemon=True
        )
        self._thread.start()
        if self._dialect == "sqlite":
            self._checkpointer.start()

    def put(
        self, work: Callable[[Transaction], T] | None, leaves: Sequence[bytes]
    ) -> "Future[Any]":
        future: Future[Any] = Future()
        # A client that has gone cannot take back what is queued.
        future.set_running_or_notify_cancel()
        if self._stopping.is_set():
            future.set_exception(
                FHIRError(IssueType.TRANSIENT, "The service is stopping.")
            )
            return future
        self._queue.put(_Job(work, leaves, future))
        return future

    def stop(self) -> None:
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()
        if self._checkpointer.is_alive():
            self._checkpointer.join()

    def _loop(self) -> None:
        connection = None
        while True:
            try:
                jobs = self._take()
            except _Stop:
                break
            try:
                if connection is None:
                    connection = self._database.engine.raw_connection()
                self._commit(connection, jobs)
                self._begin_log_anew(connection)
            except Exception as error:  # noqa: BLE001 - every waiting client must learn of it
                _discard(connection)
                connection = None
                _log.error("not-durable", **describe(error))
                for forget in self._database.on_rollback:
                    forget()
                _fail(
                    jobs,
                    FHIRError(IssueType.NO_STORE, "The store cannot be written now."),
                )
        _discard(connection)

    def _begin_log_anew(self, connection: Any) -> None:
        if self._restart_log:
            self._restart_log = False
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={RESTART_PATIENCE_MS}")
            with suppress(sqlite3.OperationalError):
                # What was committed stands; the log begins anew another time.
                cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    def _take(self) -> list[_Job]:
        job = self._queue.get()
        if job is None:
            raise _Stop
        # One is in hand already.
        self._gathering.wait(lambda: self._queue.qsize() + 1)
        jobs = [job]
        while len(jobs) < GROUP_JOBS:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            jobs.append(job)
        self._gathering.took(len(jobs))
        return jobs

    def _commit(self, connection: Any, jobs: Sequence[_Job]) -> None:
        cursor = connection.cursor()
        cursor.execute(_BEGIN_WRITE[self._dialect])
        if self._dialect == "postgresql" and any(job.work for job in jobs):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        outcomes = [self._run(cursor, job) for job in jobs]
        leaves = [leaf for outcome in outcomes for leaf in outcome.leaves]
        if leaves:
            self._commit_with(self._tail(), cursor, leaves)
        else:
            cursor.execute("COMMIT")
        for job, outcome in zip(jobs, outcomes, strict=True):
            outcome.settle(job.future)

    def _tail(self) -> Tail:
        tail = self._database.tail
        if tail is None:
            raise FHIRError(IssueType.TRANSIENT, "No audit log is open.")
        return tail

    def _commit_with(self, tail: Tail, cursor: Any, leaves: Sequence[bytes]) -> None:
        if self._dialect == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (AUDIT_LOCK,))
        tail.append(Transaction(cursor, self._dialect), leaves)
        cursor.execute("COMMIT")

    def _run(self, cursor: Any, job: _Job) -> "_Outcome":
        if job.work is None:
            return _Outcome(None, None, list(job.leaves), [])
        transaction = Transaction(cursor, self._dialect)
        cursor.execute("SAVEPOINT job")
        try:
            result = job.work(transaction)
            transaction.end()
        except Exception as error:  # noqa: BLE001 - it belongs to the job's caller
            cursor.execute("ROLLBACK TO SAVEPOINT job")
            if transaction.has_written:
                for forget in self._database.on_lost_work:
                    forget()
            return _Outcome(None, error, [], [])
        cursor.execute("RELEASE SAVEPOINT job")
        return _Outcome(result, None, transaction._leaves, transaction._effects)  # noqa: SLF001 - the writer is the transaction's owner

    def _checkpoint_loop(self) -> None:
        connection = self._database.engine.raw_connection()
        cursor: Any = connection.cursor()
        path = f"{self._database.url.database}-wal"
        while not self._stopping.wait(CHECKPOINT_EVERY_S):
            self._restart_log = _size(path) > RESTART_PAGES * 4096
            if _size(path) > CHECKPOINT_PAGES * 4096:
                try:
                    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                except sqlite3.OperationalError:
                    time.sleep(CHECKPOINT_EVERY_S)
        connection.close()


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Any
    error: Exception | None
    leaves: Iterable[bytes]
    effects: Iterable[Callable[[], None]]

    def settle(self, future: "Future[Any]") -> None:
        if self.error is not None:
            future.set_exception(self.error)
            return
        for effect in self.effects:
            effect()
        future.set_result(self.result)


def _discard(connection: Any) -> None:
    """Give up a connection and its transaction.

    The rollback is said: SQLite keeps a closed connection, with its lock, for as long
    as somebody holds one of its statements, be it in the traceback of an error.
    """
    if connection is None:
        return
    with suppress(Exception):
        connection.cursor().execute("ROLLBACK")
    connection.invalidate()


def _fail(jobs: Sequence[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0
