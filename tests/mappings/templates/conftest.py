"""Templates of these tests, and what reads a payload by one."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from conformance.fhir_json import dumps, loads
from mappings.templates.check import faults_of
from mappings.templates.compile import vendor

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def template() -> Callable[..., dict[str, object]]:
    """Return what makes a template of a measurement and what else is said."""

    def make(*measurements: dict[str, object], **more: object) -> dict[str, object]:
        return {
            "format": "fhir-service-mapping/1",
            "name": "synthetic",
            "title": "A synthetic sensor",
            "time": {"format": "iso", "at": "t"},
            "measurements": list(measurements),
        } | more

    return make


@pytest.fixture
def readings() -> Callable[..., list[object]]:
    """Return what reads a payload by a template, its numbers with their digits."""

    def read(
        template: dict[str, object], payload: object, zone: str | None = None
    ) -> list[object]:
        template = loads(dumps(template))
        assert faults_of(template) == ()
        source = vendor(template, version="1")
        return list(source.parse(loads(dumps(payload)), received_at=NOW, zone=zone))

    return read
