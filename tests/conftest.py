"""Fixtures for every test: databases, a data folder, a clock that stands still."""

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

URL_VARIABLE = "FHIR_SERVICE_TEST_POSTGRES_URL"
REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_POSTGRES"
START_S = 60
SQLITE = "fhir.sqlite3"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def _environment(name: str) -> str:
    return os.environ.get(name, "")  # noqa: TID251 - the tests' own variables


@dataclass
class FrozenClock:
    """A clock that moves when it is told to."""

    now: datetime = NEW_YEAR

    def __call__(self) -> datetime:
        return self.now

    def microseconds(self) -> int:
        """Return the time as microseconds since 1970."""
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            microseconds=1
        )

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def tmp_data_dir(tmp_path: Path) -> Path:
    """Return an empty data folder with the mode that the service gives it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def _programs() -> Path | None:
    """Return the folder of the newest PostgreSQL that Debian's packages installed."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=_version, default=None)


def _version(programs: Path) -> int:
    return int(programs.parent.name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ordinary_user() -> str | None:
    """Return whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server: the one named, or one of our own."""
    named = _environment(URL_VARIABLE)
    programs = _programs()
    if named:
        yield named
    elif programs is not None:
        yield from _own_server(programs)
    elif _environment(REQUIRE_VARIABLE):
        pytest.fail("PostgreSQL is required here and is not installed")
    else:
        pytest.skip(
            "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb) "
            f"and {URL_VARIABLE} names none"
        )


def _own_server(programs: Path) -> Iterator[str]:
    user = _ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="fhir-postgres-"))
    if user is not None:
        shutil.chown(folder, user)
    port = _free_port()
    try:
        subprocess.run(  # noqa: S603 - the program that was found above
            [
                programs / "initdb",
                f"--pgdata={folder / 'data'}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603 - as above
                [
                    programs / "postgres",
                    "-D",
                    folder / "data",
                    "-k",
                    folder,
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-F",
                ],
                stdout=log,
                stderr=log,
                cwd=folder,
                user=user,
            )
        try:
            url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
            _await_server(url, server, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def _await_server(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            psycopg.connect(_plain(url)).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


_numbers = itertools.count(1)

_COPY = "CREATE DATABASE {} TEMPLATE {}"


def _created(url: str, template: str) -> Iterator[str]:
    """Yield the URL of a new database, a copy of another."""
    name = f"fhir_test_{os.getpid()}_{next(_numbers)}"
    identifiers = sql.Identifier(name), sql.Identifier(template)
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(sql.SQL(_COPY).format(*identifiers))
    yield f"{url.rpartition('/')[0]}/{name}"
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """Yield the URL of an empty PostgreSQL database of this test's own."""
    yield from _created(postgres_url, "template1")


@pytest.fixture
def empty_sqlite_url(tmp_data_dir: Path) -> str:
    """Return the URL of an empty SQLite database."""
    return f"sqlite:///{tmp_data_dir / SQLITE}"


def _migrate(url: str) -> None:
    engine = create_engine(url)
    # Only tests of the service need it, and it takes a second to import.
    from fhir_service.storage.migrations import upgrade  # noqa: PLC0415

    upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """Yield the name of a database that has the service's tables."""
    for url in _created(postgres_url, "template1"):
        _migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def migrated_postgres_url(postgres_url: str, migrated_postgres: str) -> Iterator[str]:
    """Yield the URL of a PostgreSQL database with the tables, of this test's own."""
    yield from _created(postgres_url, migrated_postgres)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file that has the service's tables."""
    path = tmp_path_factory.mktemp("migrated") / SQLITE
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_data_dir: Path, migrated_sqlite: Path) -> str:
    """Return the URL of a SQLite database with the tables, of this test's own."""
    path = tmp_data_dir / SQLITE
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


def _either(request: pytest.FixtureRequest, **fixtures: str) -> str:
    url: str = request.getfixturevalue(fixtures[request.param])
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database with the service's tables, on each in turn."""
    return _either(request, sqlite="sqlite_url", postgresql="migrated_postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, on SQLite and on PostgreSQL in turn."""
    return _either(request, sqlite="empty_sqlite_url", postgresql="empty_postgres_url")
