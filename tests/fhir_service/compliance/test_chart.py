"""A chart of a long time: counted newest first, for as long as an officer waits."""

from collections.abc import Callable
from datetime import UTC

import pytest
from worlds import Clinic

from fhir_service.compliance.chart import Chart, chart
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader
from fhir_service.storage.audit_filter import AuditFilter

DAY_S = 86_400
DAYS = 40


@pytest.fixture
def long(clinic: Clinic) -> Clinic:
    """Return a clinic of which a patient is read once a day for forty days."""
    for _ in range(DAYS):
        clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)
        clinic.world.clock.pass_s(DAY_S)
    services = clinic.world.deployment.services
    services.audit_index.catch_up(services.database)
    return clinic


def drawn(
    clinic: Clinic, asked: AuditFilter, is_enough: Callable[[], bool] = lambda: False
) -> Chart:
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        reader = Reader(services, snapshot, Officer(user="olga", organizations=None))
        return chart(reader, asked, UTC, is_enough)


def after(looks: int) -> Callable[[], bool]:
    """Return what is enough after so many looks at the clock."""
    left = iter([False] * looks)
    return lambda: next(left, True)


def test_a_chart_that_takes_too_long_has_its_newest_bars(long):
    asked = AuditFilter(clients=("ehr",))
    whole = drawn(long, asked)

    cut = drawn(long, asked, after(10))

    assert whole.events >= DAYS
    assert whole.cut is None
    assert cut.bars[-1].counts == whole.bars[-1].counts
    assert [bar.since for bar in cut.bars] == [bar.since for bar in whole.bars[-10:]]
    assert cut.events == sum(bar.events for bar in whole.bars[-10:])
    assert cut.cut == whole.bars[-11].since


def test_a_bar_that_was_counted_in_part_is_left_out(long):
    asked = AuditFilter(clients=("ehr",), since_us=0)
    whole = drawn(long, asked)

    cut = drawn(long, asked, after(1))

    assert whole.unit == "year"
    assert (cut.bars, cut.events) == ((), 0)
    assert cut.cut == whole.bars[-1].since


def test_what_the_tallies_tell_is_told_at_once(long):
    whole = drawn(long, AuditFilter())

    cut = drawn(long, AuditFilter(), after(0))

    assert cut == whole
