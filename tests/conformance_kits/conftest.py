"""The worlds of the service's tests, filled with what US Core's profiles describe."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The worlds are shared by the tests of several folders.
sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))
sys.path.insert(0, str(Path(__file__).parent))

from us_core_seed import Seeded, seed
from worlds import furnish, make_template, opened_world


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """Yield a clinic of two patients with resources of every profile that is served."""
    folder = tmp_path_factory.mktemp("us-core")
    with opened_world(folder, make_template(folder)) as world:
        yield seed(furnish(world))
