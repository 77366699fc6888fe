"""A deployment of a test's own, and a small cohort seeded into it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from fhir_service.demo import clients, seed
from fhir_service.demo.seed import Size
from fhir_service.deployment import Deployment, opened
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.settings import Settings, read_settings

LAST_DAY = date(2026, 3, 15)
"""A day of the month on which the cohort's faults are written."""

SMALL = Size(people=(PEOPLE[0], PEOPLE[6], PEOPLE[10]), days=2)
"""A watch's export, an app's data points, and somebody who denies sleep."""


def settings_for(data_dir: Path, database_url: str = "") -> Settings:
    return read_settings(
        {
            "FHIR_SERVICE_DATA_DIR": str(data_dir),
            "FHIR_SERVICE_DATABASE_URL": database_url,
        }
    )


def fill(deployment: Deployment, size: Size = SMALL) -> None:
    """Seed a small cohort, as the demonstration does."""
    folder = deployment.settings.data_dir / "demo"
    seeded = seed.begin(deployment, folder, LAST_DAY)
    clients.register(deployment.auth, folder)
    seed.create_resources(deployment, seeded, size)
    seed.take_payloads(deployment, folder, seeded, size, lambda _: None)


@pytest.fixture(scope="session")
def cohort() -> SimpleNamespace:
    """What the cohort of these tests is."""
    return SimpleNamespace(size=SMALL, last_day=LAST_DAY, fill=fill)


@pytest.fixture
def settings(tmp_data_dir: Path) -> Settings:
    return settings_for(tmp_data_dir)


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the small cohort in SQLite, to be copied."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    with opened(settings_for(folder)) as deployment:
        fill(deployment)
    return folder


@pytest.fixture
def filled(filled_folder: Path, tmp_path: Path) -> Settings:
    """Settings of a deployment of this test's own with the small cohort."""
    folder = tmp_path / "filled"
    shutil.copytree(filled_folder, folder)
    return settings_for(folder)


@pytest.fixture
def filled_on_either(
    request: pytest.FixtureRequest, tmp_data_dir: Path, database_url: str
) -> Settings:
    """The same, on SQLite and on PostgreSQL in turn."""
    if database_url.startswith("sqlite"):
        found: Settings = request.getfixturevalue("filled")
        return found
    settings = settings_for(tmp_data_dir, database_url)
    with opened(settings) as deployment:
        fill(deployment)
    return settings


@pytest.fixture
def deployment(filled: Settings) -> Iterator[Deployment]:
    with opened(filled) as deployment:
        yield deployment


@pytest.fixture
def fhir_service(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return what runs a command line of `fhir-service` over a data folder."""
    from click.testing import CliRunner  # noqa: PLC0415 - only these tests need it

    from fhir_service import cli  # noqa: PLC0415

    def run(settings: Settings, *words: str) -> object:
        monkeypatch.setenv("FHIR_SERVICE_DATA_DIR", str(settings.data_dir))
        monkeypatch.setenv("FHIR_SERVICE_DATABASE_URL", settings.database_url)
        return CliRunner().invoke(cli.main, words)

    return run
