import json

import pytest

from consent.audit.entry import Interaction, decode
from fhir_service.auth import local
from fhir_service.commands.import_file import _WORDS
from fhir_service.demo.seed import Size
from fhir_service.deployment import opened
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.ingest.receipt import Fate
from fhir_service.storage import audit_log

RECORD = (
    ' <Record type="HKQuantityTypeIdentifier{type}" sourceName="Watch"'
    ' unit="{unit}" startDate="{at}" endDate="{at}" creationDate="{at}"'
    ' value="{value}"/>\n'
)


def record(minute, value, type_="HeartRate", unit="count/min"):
    at = f"2026-02-01 10:{minute:02}:00 +0100"
    return RECORD.format(type=type_, unit=unit, at=at, value=value)


def export(*records):
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_US">\n'
        + "".join(records)
        + "</HealthData>\n"
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "export.xml"
    path.write_text(
        export(record(1, "72.50"), record(2, 71), record(3, 2, "UVExposure", "count"))
    )
    return path


@pytest.fixture
def importing(fhir_service):
    def run(settings, file, *words, patient="demo-patient-01"):
        words = ("apple-health", str(file), "--patient", patient, *words)
        return fhir_service(settings, "import", *words)

    return run


def counts(result):
    told = json.loads(result.stdout)
    return {fate.value: told[fate.value] for fate in Fate if told[fate.value]}


def test_a_file_is_imported_and_every_measurement_accounted_for(
    filled_on_either, file, importing
):
    result = importing(filled_on_either, file, "--json")

    assert result.exit_code == 0
    assert counts(result) == {"stored": 2, "quarantined": 1}


def test_a_second_import_of_the_same_file_changes_nothing(filled, file, importing):
    importing(filled, file)

    result = importing(filled, file, "--json")

    assert counts(result) == {"duplicate": 2, "quarantined": 1}
    assert json.loads(result.stdout)["changed"] is False


def test_people_read_what_became_of_the_measurements(filled, file, importing):
    result = importing(filled, file)

    assert result.stdout.splitlines()[:3] == [
        "         3  received from apple-health",
        "         2  stored",
        "             2  heart-rate",
    ]
    assert "Record[3]: unknown-kind: " in result.stdout


def test_the_progress_bar_is_on_standard_error_alone(filled, file, importing):
    result = importing(filled, file, "--json")

    assert "export.xml" in result.stderr
    json.loads(result.stdout)


def test_the_operator_is_audited_as_the_user_of_the_operating_system(
    filled, file, importing
):
    importing(filled, file)

    with opened(filled) as deployment, deployment.database.read() as snapshot:
        entries = [
            decode(leaf, unseal=lambda _: None)
            for _, leaf, _ in audit_log.entries(snapshot)
        ]
    imported = [one for one in entries if one.interaction is Interaction.IMPORT][-1]
    assert (imported.user, imported.client) == (local.user(), local.COMMAND_LINE)
    assert imported.organisation == "Organization/demo-clinic"
    assert imported.counts == (("stored", 2), ("quarantined", 1))


def test_what_the_patient_does_not_agree_to_is_withheld(
    settings, cohort, file, importing
):
    without_consent = Size(people=(PEOPLE[11],), days=1)
    with opened(settings) as deployment:
        cohort.fill(deployment, without_consent)

    result = importing(settings, file, "--json", patient="demo-patient-12")

    assert result.exit_code == 0
    assert counts(result) == {"withheld": 3}


def test_a_truncated_file_keeps_what_could_be_read(filled, file, importing):
    text = file.read_text()
    file.write_text(text[: text.index("UVExposure")])

    result = importing(filled, file, "--json")

    assert result.exit_code == 0
    assert counts(result) == {"stored": 2, "quarantined": 1}
    [fault] = [item for item in json.loads(result.stdout)["items"] if "reason" in item]
    assert fault["reason"] == "truncated"


def test_a_file_in_which_nothing_can_be_read_fails(filled, tmp_path, importing):
    path = tmp_path / "unknown.xml"
    path.write_text(export(record(3, 2, "UVExposure", "count")))

    result = importing(filled, path)

    assert result.exit_code == 1
    assert "Nothing in this file could be read." in result.stderr


def test_a_file_that_is_no_export_fails_with_a_sentence(filled, tmp_path, importing):
    path = tmp_path / "garbage.xml"
    path.write_bytes(b"\x00\x01 this is no export")

    result = importing(filled, path)

    assert result.exit_code == 1
    assert "fhir-service: The file is not the export.xml" in result.stderr


def test_an_unknown_patient_is_named(filled, file, importing):
    result = importing(filled, file, patient="nobody")

    assert result.exit_code == 1
    assert "fhir-service: There is no Patient/nobody here." in result.stderr


def test_a_source_that_nobody_knows_is_named(filled, file, fhir_service):
    words = ("import", "no-source", str(file), "--patient", "demo-patient-01")

    result = fhir_service(filled, *words)

    assert result.exit_code == 1
    assert "fhir-service: no-source is not imported from files." in result.stderr


def test_a_patient_may_be_named_as_a_reference(filled, file, importing):
    result = importing(filled, file, patient="Patient/demo-patient-01")

    assert result.exit_code == 0


def test_every_fate_has_words_for_people():
    assert set(_WORDS) == set(Fate)


PHD = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:0f1e2d3c-0000-4000-8000-000000000001",
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "identifier": [{"value": "spo2-1"}],
                "code": {
                    "coding": [
                        {"system": "urn:iso:std:iso:11073:10101", "code": "150456"}
                    ]
                },
                "subject": {"reference": "Patient/sisansarahId"},
                "effectiveDateTime": "2025-01-05T10:00:00Z",
                "valueQuantity": {
                    "value": 97,
                    "system": "http://unitsofmeasure.org",
                    "code": "%",
                },
            },
        }
    ],
}


def test_what_a_health_gateway_has_written_is_imported(filled, tmp_path, fhir_service):
    file = tmp_path / "upload.json"
    file.write_text(json.dumps(PHD))
    words = ("import", "hl7-phd", str(file), "--patient", "demo-patient-01", "--json")

    first, second = fhir_service(filled, *words), fhir_service(filled, *words)

    assert first.exit_code == 0, first.stderr
    assert (counts(first), counts(second)) == ({"stored": 1}, {"duplicate": 1})
