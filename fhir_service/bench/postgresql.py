"""A PostgreSQL for the bench: the one that is named, or a cluster of its own.

A cluster of its own keeps the defaults of the program, durable commits included, and
is removed afterwards. PostgreSQL refuses to run as root; there it runs as another
user.

https://www.postgresql.org/docs/15/app-postgres.html
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_service.bench.processes import free_port
from fhir_service.bench.stage import BenchError
from fhir_service.storage import migrations
from fhir_service.storage.engine import Database

URL_VARIABLE = "FHIR_SERVICE_TEST_BENCH_POSTGRES_URL"
"""Names an empty database that the bench fills, and in which it makes schemas."""

_START_S = 60


class NoPostgreSQL(Exception):  # noqa: N818 - a state of the machine, not a fault
    """There is none that can be used on this machine; the text says why."""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database.

    Raises:
        NoPostgreSQL: where none is named and none is installed.
        BenchError: where the database that is named is not empty.

    """
    named = os.environ.get(URL_VARIABLE, "")  # noqa: TID251 - the bench's own, no setting of the service
    if named:
        url = named.replace("postgresql://", "postgresql+psycopg://", 1)
        _refuse_used(url)
        yield url
        return
    programs = _programs()
    if programs is None:
        raise NoPostgreSQL("no PostgreSQL on this machine")
    with _cluster(programs, folder) as url:
        yield url


def schema(url: str, name: str) -> str:
    """Return the URL of a new, empty schema of a database."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    finally:
        database.close()
    options = {"options": f"-csearch_path={name}"}
    return database.url.update_query_dict(options).render_as_string(hide_password=False)


def _refuse_used(url: str) -> None:
    database = Database(url)
    try:
        if migrations.applied(database.engine) is not None:
            raise BenchError(f"The database that {URL_VARIABLE} names is not empty.")
    finally:
        database.close()


def _programs() -> Path | None:
    """Return the folder of the newest PostgreSQL that Debian's packages installed."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max(
        (path.parent for path in found),
        key=lambda path: int(path.parent.name),
        default=None,
    )


def _ordinary_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def _cluster(programs: Path, folder: Path) -> Iterator[str]:
    user = _ordinary_user()
    # Not in the bench's own folder, which another user cannot enter.
    own = Path(tempfile.mkdtemp(prefix="fhir-bench-postgresql-", dir=folder.parent))
    try:
        if user is not None:
            shutil.chown(own, user)
        _create(programs, own, user)
        with _running(programs, own, user) as url:
            yield url
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _create(programs: Path, own: Path, user: str | None) -> None:
    """Make the files of the cluster.

    Raises:
        NoPostgreSQL: where that fails, as it does in a folder closed to the user.

    """
    done = subprocess.run(  # noqa: S603 - the program that was found
        [
            programs / "initdb",
            f"--pgdata={own / 'data'}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=own,
        user=user,
    )
    if done.returncode:
        raise NoPostgreSQL(f"initdb failed: {done.stderr.strip()[-200:]}")


@contextmanager
def _running(programs: Path, own: Path, user: str | None) -> Iterator[str]:
    port = free_port()
    with (own / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - the program that was found
            [
                *(programs / "postgres", "-D", own / "data", "-k", own),
                *("-h", "127.0.0.1", "-p", str(port)),
            ],
            stdout=log,
            stderr=log,
            cwd=own,
            user=user,
        )
    try:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        _await(url, server)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(_START_S)


def _await(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        database = Database(url)
        try:
            migrations.applied(database.engine)
        except Exception:  # noqa: BLE001 - not yet, whatever the driver calls it
            time.sleep(0.1)
        else:
            return
        finally:
            database.close()
    raise BenchError("PostgreSQL did not start.")
