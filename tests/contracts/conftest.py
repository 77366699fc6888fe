"""Worlds on SQLite and on PostgreSQL in turn, for what both must keep."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from worlds import World, make_template, opened_world


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(
    request: pytest.FixtureRequest, tmp_path: Path, template: Path
) -> Iterator[World]:
    """Yield an empty world on each database."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated_postgres_url")
    with opened_world(tmp_path, template, name="own", database_url=url) as world:
        yield world
