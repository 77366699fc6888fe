"""Worlds of their own for the tests that ask the whole service."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The worlds are shared by the tests of several folders.
sys.path.insert(0, str(Path(__file__).parent))

from worlds import Clinic, World, furnish, make_template, opened_world


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(tmp_path: Path, template: Path) -> Iterator[World]:
    with opened_world(tmp_path, template) as world:
        yield world


@pytest.fixture
def clinic(world: World) -> Clinic:
    return furnish(world)
