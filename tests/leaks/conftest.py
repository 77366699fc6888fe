"""Pairs of twin worlds, filled once a database and copied for each test."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# The worlds are shared by the tests of several folders.
sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))
sys.path.insert(0, str(Path(__file__).parent))

from leak_copies import Copies
from leak_script import PATIENT, ROWS, WITHDRAWN
from leak_worlds import Pair
from worlds import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def sqlite_copies(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Copies:
    """Return what copies filled worlds on SQLite."""
    folder = tmp_path_factory.mktemp("sqlite")
    return Copies(folder=folder, template=template, server=None)


@pytest.fixture(scope="session")
def postgresql_copies(
    tmp_path_factory: pytest.TempPathFactory, template: Path, postgres_url: str
) -> Copies:
    """Return what copies filled worlds on PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgresql")
    return Copies(folder=folder, template=template, server=postgres_url)


def of_database(request: pytest.FixtureRequest, name: str) -> Copies:
    copies: Copies = request.getfixturevalue(f"{name}_copies")
    return copies


@pytest.fixture(params=["sqlite", "postgresql"])
def copies(request: pytest.FixtureRequest) -> Copies:
    """Return what copies filled worlds, on each database."""
    return of_database(request, request.param)


VARIETIES = (("sqlite", ROWS), ("sqlite", PATIENT), ("postgresql", ROWS, PATIENT))
"""One variety by itself shows what a single row changes; PostgreSQL has both."""


def twins(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Yield twins: many rows are hidden, or a patient and a single row; or all."""
    database, *hiding = request.param
    with ExitStack() as stack:
        yield of_database(request, database).pair(stack, *hiding)


@pytest.fixture(params=VARIETIES, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Yield fresh twins, for who writes."""
    yield from twins(request)


@pytest.fixture(scope="module", params=VARIETIES, ids="-".join)
def read_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Yield twins that are only read."""
    yield from twins(request)


@pytest.fixture
def withdrawn(copies: Copies) -> Iterator[Pair]:
    """Yield twins that differ in what one consent permits, until it is withdrawn."""
    with ExitStack() as stack:
        yield copies.pair(stack, WITHDRAWN)
