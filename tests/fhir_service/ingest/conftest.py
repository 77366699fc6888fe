"""Clinics on SQLite and on PostgreSQL, and what another organisation brings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import Clinic, furnish, opened_world


@pytest.fixture
def either(tmp_path: Path, template: Path, database_url: str) -> Iterator[Clinic]:
    """Yield a clinic on each database."""
    with opened_world(
        tmp_path, template, name="world", database_url=database_url
    ) as world:
        yield furnish(world)


@pytest.fixture
def stranger(clinic: Clinic) -> Clinic:
    """Return the clinic as the gateway of another organisation meets it."""
    world = clinic.world
    other = world.client("elsewhere", "system/*.cruds", organization="Organization/b")
    return replace(
        clinic,
        organization="Organization/b",
        admin=other,
        gateway=world.client(
            "strange",
            "system/Observation.c",
            organization="Organization/b",
            sources=("open-mhealth", "zigbee2mqtt"),
        ),
    )
