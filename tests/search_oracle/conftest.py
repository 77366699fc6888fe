"""The worlds of the service's tests, beside a model of R4 search of its own."""

import sys
from pathlib import Path

import pytest

# The worlds are shared by the tests of several folders.
sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))
sys.path.insert(0, str(Path(__file__).parent))

from worlds import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))
