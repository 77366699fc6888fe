import json
from pathlib import Path

import pytest

from conformance.fhir_json import loads
from conformance.validation import validate
from consent.audit.entry import Interaction, decode
from fhir_service.auth import local
from fhir_service.deployment import opened
from fhir_service.storage import audit_log

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "mappings" / "templates" / "examples").glob("*.json"))

STATE = {"ts": 1736928000123, "noise": 41, "noise_unit": "dBA", "radon": 7, "led": 1}
MINUTE = "user,datetime,steps\nu-1,2025-01-02 03:04:00,12\n"
HUB_TIME = "2025-01-02T03:04:05.1234567Z"

PAYLOADS = {
    "csv-minute-steps": MINUTE,
    "iot-central": {
        "messageSource": "telemetry",
        "deviceId": "d-1",
        "enqueuedTime": HUB_TIME,
        "telemetry": {"HeartRate": "72"},
    },
    "iot-hub": {"Body": {"heartRate": "72", "endDate": HUB_TIME, "deviceId": "d-1"}},
    "iot-hub-list": {
        "Body": [{"heartRate": "72", "endDate": HUB_TIME, "deviceId": "d-1"}]
    },
    "mqtt-noise-light": {"topic": "sensors/kitchen/state", "payload": STATE},
    "ndjson-heart-rate": {
        "type": "hr",
        "tz": "Europe/Berlin",
        "samples": [{"t": 1736928000, "bpm": 61}],
    },
    "ring-night": {
        "night": "n1",
        "bedtime": {
            "start": "2025-03-29T22:00:00+01:00",
            "end": "2025-03-29T22:10:00+01:00",
        },
        "hypnogram": "41",
        "pulse": {"every_s": 300, "values": [61, 55]},
    },
}
"""A synthetic payload of each example."""

STORED = {
    "csv-minute-steps": ("steps", {"value": 12, "unit": "steps"}),
    "iot-central": ("heart-rate", {"value": 72, "unit": "beats/minute"}),
    "iot-hub": ("heart-rate", {"value": 72, "unit": "beats/minute"}),
    "iot-hub-list": ("heart-rate", {"value": 72, "unit": "beats/minute"}),
    "mqtt-noise-light": ("noise-level", {"value": 41, "unit": "dB SPL"}),
    "ring-night": ("sleep-session", {}),
    "ndjson-heart-rate": ("heart-rate", {"value": 61, "unit": "beats/minute"}),
}


def written(folder: Path, content: object) -> str:
    path = folder / "payload"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return str(path)


def example(name: str) -> str:
    [path] = [one for one in EXAMPLES if one.stem == name]
    return str(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_walks_through_a_dry_run(fhir_service, settings, tmp_path, path):
    payload = written(tmp_path, PAYLOADS[path.stem])
    zone = ["--zone", "Europe/Berlin"] if path.stem == "csv-minute-steps" else []

    result = fhir_service(
        settings, "mapping", "test", str(path), payload, "--json", *zone
    )

    told = loads(result.stdout.encode())
    [stored, *_] = [one for one in told["items"] if one["outcome"] == "stored"]
    kind, quantity = STORED[path.stem]
    assert result.exit_code == 0
    assert told["source"] == path.stem
    assert stored["kind"] == kind
    assert {
        name: stored["resource"]["valueQuantity"][name] for name in quantity
    } == quantity
    assert [
        issue.diagnostics
        for issue in validate(stored["resource"])
        if issue.severity.value == "error"
    ] == []


def test_a_dry_run_shows_each_measurement_and_what_matched_nothing(
    fhir_service, settings, tmp_path
):
    payload = written(tmp_path, PAYLOADS["mqtt-noise-light"])

    result = fhir_service(
        settings, "mapping", "test", example("mqtt-noise-light"), payload
    )

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        (
            "stored       $.payload.noise  noise-level  41 dB[SPL]  "
            "2025-01-15T08:00:00.123Z  device kitchen"
        ),
        "outOfScope   $.payload.led  light",
        (
            "quarantined  $.payload.radon  no kind  unknown-kind: The template does "
            "not say what this member is."
        ),
        "         1  would be stored, as far as consent permits",
        "         1  would be quarantined",
        "         1  recognised and never stored",
        (
            "Of the template, these matched nothing: illuminance, room-temperature, "
            "contact, battery-level."
        ),
    ]


def test_a_dry_run_shows_components_flags_and_absent_values(
    fhir_service, settings, tmp_path
):
    hub = {
        "Body": {"systolic": "71", "diastolic": 7, "endDate": HUB_TIME},
        "Properties": {"tz": "Europe/Berlin"},
    }
    session = {
        "type": "hr",
        "account": "a-1",
        "strap": "S9",
        "samples": [{"t": 1736928000, "bpm": 0}],
    }

    panel = fhir_service(
        settings, "mapping", "test", example("iot-hub"), written(tmp_path, hub)
    )
    absent = fhir_service(
        settings,
        "mapping",
        "test",
        example("ndjson-heart-rate"),
        written(tmp_path, session),
    )

    assert panel.stdout.splitlines()[:3] == [
        f"stored       $ (blood-pressure)  blood-pressure  {HUB_TIME}",
        "               systolic-blood-pressure 71 mm[Hg]",
        "               diastolic-blood-pressure 7 mm[Hg]",
    ]
    assert absent.stdout.splitlines()[0] == (
        "stored       line[1].samples[0].bpm  heart-rate  (error)  "
        "2025-01-15T08:00:00Z  device S9  patient a-1"
    )


def test_a_dry_run_needs_no_database(fhir_service, settings, tmp_path):
    payload = written(tmp_path, PAYLOADS["iot-hub"])

    fhir_service(settings, "mapping", "test", example("iot-hub"), payload)

    assert not settings.data_dir.exists() or not any(settings.data_dir.iterdir())


def test_a_dry_run_refuses_what_the_service_would(fhir_service, settings, tmp_path):
    late = {"Body": {"heartRate": "900", "endDate": HUB_TIME, "deviceId": "d-1"}}

    result = fhir_service(
        settings, "mapping", "test", example("iot-hub"), written(tmp_path, late)
    )

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        "quarantined  $ (heart-rate)  heart-rate  impossible: The value is outside "
        "what a heart-rate can be."
    )


def test_local_times_need_a_zone_that_is_known(fhir_service, settings, tmp_path):
    payload = written(tmp_path, MINUTE)
    words = ("mapping", "test", example("csv-minute-steps"), payload)

    without = fhir_service(settings, *words)
    unknown = fhir_service(settings, *words, "--zone", "Atlantis")

    assert (without.exit_code, unknown.exit_code) == (1, 1)
    assert "no-offset" in without.stdout
    assert unknown.stderr == ("fhir-service: The time zone is not one of IANA's.\n")


FAULTY = """{
  "format": "fhir-service-mapping/1",
  "name": "faulty",
  "title": "Faulty",
  "time": {"format": "arrival"},
  "measurements": [{"kind": "nois", "value": "a..b", "unit": "dB"},
                   {"kind": "contact", "value": "a..b"}]
}"""


@pytest.mark.parametrize("command", [("test",), ("add",)])
def test_the_faults_of_a_template_are_told_with_their_places(
    fhir_service, settings, tmp_path, command
):
    template = tmp_path / "faulty.json"
    template.write_text(FAULTY)
    more = (written(tmp_path, {}),) if command == ("test",) else ()

    result = fhir_service(settings, "mapping", *command, str(template), *more)
    as_json = fhir_service(
        settings, "mapping", *command, str(template), *more, "--json"
    )

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        (
            "faulty.json: line 6, column 21: /measurements/0/kind: There is no kind "
            "`nois`."
        ),
        (
            "faulty.json: line 7, column 40: /measurements/1/value: At character 3: "
            "The expression is not JMESPath: `.` is not expected."
        ),
    ]
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["faults"][0] == {
        "pointer": "/measurements/0/kind",
        "message": "There is no kind `nois`.",
        "line": 6,
        "column": 21,
    }


def listed(fhir_service, settings):
    result = fhir_service(settings, "mapping", "list", "--json")
    return [
        (one["name"], one["version"], one["ended"] is None)
        for one in json.loads(result.stdout)
    ]


def test_a_template_is_added_listed_replaced_and_removed(
    fhir_service, settings, tmp_path
):
    first = example("iot-hub")
    second = tmp_path / "second.json"
    second.write_text(Path(first).read_text().replace("Messages in", "Messages of"))

    added = fhir_service(settings, "mapping", "add", first)
    again = fhir_service(settings, "mapping", "add", first)
    replaced = fhir_service(settings, "mapping", "add", str(second), "--json")
    between = listed(fhir_service, settings)
    removed = fhir_service(settings, "mapping", "remove", "iot-hub")
    gone = fhir_service(settings, "mapping", "remove", "iot-hub")
    back = fhir_service(settings, "mapping", "add", first)

    assert added.stdout == "Version 1 of iot-hub is in force.\n"
    assert again.stdout == "Version 1 of iot-hub was in force already.\n"
    assert json.loads(replaced.stdout)["version"] == 2
    assert between == [("iot-hub", 1, False), ("iot-hub", 2, True)]
    assert removed.stdout == ("Template iot-hub is removed; its versions are kept.\n")
    assert gone.exit_code == 1
    assert gone.stderr == "fhir-service: There is no template iot-hub in force.\n"
    assert back.stdout == "Version 3 of iot-hub is in force.\n"
    assert listed(fhir_service, settings) == [
        ("iot-hub", 1, False),
        ("iot-hub", 2, False),
        ("iot-hub", 3, True),
    ]


def test_the_listing_for_people_names_state_and_hash(fhir_service, settings):
    fhir_service(settings, "mapping", "add", example("iot-hub"))
    fhir_service(settings, "mapping", "remove", "iot-hub")
    fhir_service(settings, "mapping", "add", example("iot-hub"))

    ended, current = fhir_service(settings, "mapping", "list").stdout.splitlines()

    assert ended.startswith("iot-hub  version 1  ended 20")
    assert current.startswith("iot-hub  version 2  in force  ")
    assert ended.rpartition("  ")[2] == current.rpartition("  ")[2]


def test_each_change_of_a_template_is_audited(fhir_service, settings):
    fhir_service(settings, "mapping", "add", example("iot-hub"))
    fhir_service(settings, "mapping", "add", example("iot-hub"))
    [row] = json.loads(fhir_service(settings, "mapping", "list", "--json").stdout)
    fhir_service(settings, "mapping", "remove", "iot-hub")

    with opened(settings) as deployment, deployment.database.read() as snapshot:
        unseal = deployment.services.seal.unsealer(snapshot)
        told = [
            (record.user, record.request)
            for _, leaf, _ in audit_log.entries(snapshot)
            if (record := decode(leaf, unseal=unseal)).interaction is Interaction.CONFIG
            and str(record.request).startswith("mapping")
        ]

    sha256 = row["sha256"]
    assert told == [
        (local.user(), f"mapping add iot-hub version 1 sha256 {sha256}"),
        (local.user(), f"mapping remove iot-hub version 1 sha256 {sha256}"),
    ]


def test_a_template_never_takes_the_name_of_a_source_that_is_built_in(
    fhir_service, settings, tmp_path
):
    template = tmp_path / "shadow.json"
    text = Path(example("iot-hub")).read_text()
    template.write_text(text.replace('"iot-hub"', '"zigbee2mqtt"'))

    result = fhir_service(settings, "mapping", "add", str(template))

    assert result.exit_code == 1
    assert "`zigbee2mqtt` is a source that is built in." in result.stderr
    assert listed(fhir_service, settings) == []
