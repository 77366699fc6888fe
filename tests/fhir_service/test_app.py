"""The application as a whole: probes, unknown paths, a stop in good order."""

import threading

import pytest
from worlds import settings_of

from fhir_service.app import create_service, probes, probes_of
from fhir_service.deployment import SchemaError, open_deployment
from fhir_service.storage import migrations


def test_a_deployment_is_ready_when_it_is_open(clinic):
    answer = clinic.world.http.get("/readyz")

    assert answer.status_code == 200
    assert answer.json["ready"] is True
    assert len(answer.json["checks"]) == 4
    assert clinic.world.http.get("/livez").status_code == 200


def test_a_deployment_that_cannot_write_is_not_ready(clinic):
    database = clinic.world.deployment.database
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE UPDATE ON counter "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        connection.commit()

    answer = clinic.world.http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["ready"] is False
    assert clinic.world.http.get("/livez").status_code == 200


def test_the_doctor_sees_a_deployment_that_cannot_be_opened_fail_every_probe(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "fhir.sqlite3").write_bytes(b"no database" * 1000)

    with probes(settings_of(tmp_path / "data")) as found:
        assert len(found) == 4
        for probe in found.values():
            with pytest.raises(Exception, match="database"):
                probe()


def test_the_probes_are_those_of_the_doctor(world):
    with probes(settings_of(world.data)) as found:
        assert found.keys() == probes_of(world.deployment).keys()
        for probe in found.values():
            probe()


@pytest.mark.parametrize("path", ["/nothing", "/fhirx/Patient", "/auth/nothing"])
def test_a_path_of_nobody_is_404(clinic, path):
    answer = clinic.world.http.get(path)

    assert answer.status_code == 404
    assert answer.json["resourceType"] == "OperationOutcome"


def test_another_schema_is_not_served(world):
    database = world.deployment.database
    with database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")
        connection.commit()

    with pytest.raises(SchemaError, match="migrate"):
        open_deployment(settings_of(world.data))
    assert migrations.newest() != "x"


def test_a_service_that_is_closed_has_exported_its_last_checkpoint(tmp_path, template):
    del template
    before = threading.active_count()
    service = create_service(settings_of(tmp_path / "data"))
    folder = tmp_path / "data" / "checkpoints"

    service.close()

    assert threading.active_count() == before
    assert not folder.exists() or list(folder.glob("*.checkpoint"))
