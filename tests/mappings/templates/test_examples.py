"""The templates that are shipped, each with what it is for."""

import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from conformance.fhir_json import Number, dumps
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.templates.check import check, read
from mappings.templates.compile import vendor

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "mappings" / "templates" / "examples"
PAYLOADS = ROOT.parent / "shared" / "data" / "payloads"
IOMT, NIGHTSIGNAL = PAYLOADS / "iomt-fhir", PAYLOADS / "nightsignal"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
SID = "https://fhir-interop-service.org/fhir/sid"


def source(name):
    return vendor(read((EXAMPLES / f"{name}.json").read_bytes()), version="1")


def readings(name, payload, zone=None):
    return list(source(name).parse_file(payload, received_at=NOW, zone=zone))


def test_every_example_is_a_template_named_as_its_file_and_told_in_the_page():
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    found = sorted(EXAMPLES.glob("*.json"))

    assert len(found) == 7
    for path in found:
        assert check(path.read_bytes()) == (), path.name
        assert json.loads(path.read_bytes())["name"] == path.stem
        assert f"`{path.name}`" in page


def test_a_state_of_the_noise_and_light_sensor_is_read():
    state = {
        "ts": 1736928000123,
        "noise": Number("41.20"),
        "noise_unit": "dBA",
        "lux": 35,
        "temp_centi": 2345,
        "door": True,
        "battery": 93,
        "led": "on",
        "seq": 7,
        "model": "NL-1",
        "fw": "1.2",
    }
    payload = dumps({"topic": "sensors/kitchen/state", "payload": state})

    *measured, led = readings("mqtt-noise-light", BytesIO(payload))

    assert [(one.kind, str(one.value), one.unit, one.method) for one in measured] == [
        ("noise-level", "41.20", "dB[SPL]", "A-weighted"),
        ("illuminance", "35", "lx", None),
        ("room-temperature", "23.45", "Cel", None),
        ("contact", "closed", "", None),
        ("battery-level", "93", "%", None),
    ]
    assert {one.device for one in measured} == {
        DeviceClue(
            "kitchen", f"{SID}/mqtt-noise-light-device", model="NL-1", firmware="1.2"
        )
    }
    assert {one.start for one in measured} == {"2025-01-15T08:00:00.123Z"}
    assert led == OutOfScope("$.payload.led", "light")


def test_a_session_of_the_chest_strap_is_read():
    session = {
        "type": "hr",
        "account": "a-1",
        "strap": "S9",
        "session": "s-4",
        "tz": "Europe/Berlin",
        "samples": [{"t": 1736928000, "bpm": 61}, {"t": 1736928001, "bpm": 0}],
    }
    payload = dumps(session) + b'\n{"type":"status","account":"a-1"}\n'

    first, second, status = readings("ndjson-heart-rate", BytesIO(payload))

    assert (first.kind, first.value, first.start) == (
        "heart-rate",
        61,
        "2025-01-15T09:00:00+01:00",
    )
    assert (first.source_id, first.patient) == ("s-4#1736928000000000", "a-1")
    assert first.device == DeviceClue(
        serial="S9", manufacturer="Example", specialization="heart-rate"
    )
    assert (second.value, second.absent) == (None, "error")
    assert status == OutOfScope("line[2]", "status line")


needs_iomt = pytest.mark.skipif(
    not IOMT.exists(), reason="the payload folder is not here"
)

HUB, CENTRAL = f"{SID}/iot-hub-device", f"{SID}/iot-central-device"
CREATED, CREATED_US = "2019-01-30T22:45:02.6073744Z", 1548888302607374
ENDED, ENDED_US = "2019-02-01T22:46:01.8750000Z", 1549061161875000
QUEUED, QUEUED_US = "2020-08-05T22:26:55.455Z", 1596666415455000


def measured(kind, value, unit, position, device, at, us, **more):  # noqa: PLR0913, PLR0917 - what differs between measurements
    return Measurement(
        kind=kind,
        value=value,
        unit=unit,
        start=at,
        start_us=us,
        end=None,
        end_us=us,
        position=position,
        device=device,
        **more,
    )


def pressure(systolic, diastolic, *where, **more):
    return measured(
        "blood-pressure",
        None,
        "",
        "$ (blood-pressure)",
        *where,
        components=(
            Component("systolic-blood-pressure", systolic, "mm[Hg]"),
            Component("diastolic-blood-pressure", diastolic, "mm[Hg]"),
        ),
        **more,
    )


BODY_DEVICE = DeviceClue("device123", HUB)
HUB_DEVICE = DeviceClue("ev-d795-1d04-55ae", HUB)
ZONE = "America/Los_Angeles"
NO_STEPS = ("$.Body.steps", Reason.NO_TIME, "steps")

DOCUMENTED = "data_Documentation_CalculatedFunction"

EXPECTED = {
    f"{DOCUMENTED}_BloodPressure_Payload.json": (
        "iot-hub",
        [pressure(123, 87, BODY_DEVICE, ENDED, ENDED_US)],
    ),
    f"{DOCUMENTED}_HeartRate_Payload.json": (
        "iot-hub",
        [
            measured(
                "heart-rate",
                78,
                "/min",
                "$ (heart-rate)",
                BODY_DEVICE,
                ENDED,
                ENDED_US,
            )
        ],
    ),
    f"{DOCUMENTED}_MultipleMeasurements_Payload.json": (
        "iot-hub",
        [
            measured(
                "heart-rate",
                78,
                "/min",
                "$ (heart-rate)",
                BODY_DEVICE,
                ENDED,
                ENDED_US,
            ),
            NO_STEPS,
        ],
    ),
    f"{DOCUMENTED}_MultipleMeasurements_FromArray_Payload.json": (
        "iot-hub-list",
        [
            measured(
                "heart-rate",
                value,
                "/min",
                f"$.Body[{index}].heartRate",
                BODY_DEVICE,
                f"2019-02-01T{20 + index}:46:01.8750000Z",
                ENDED_US - (2 - index) * 3_600_000_000,
            )
            for index, value in enumerate((78, 81, 72))
        ],
    ),
    "data_IotHubPayloadExample.json": (
        "iot-hub",
        [
            measured(
                "heart-rate",
                203,
                "/min",
                "$ (heart-rate)",
                HUB_DEVICE,
                CREATED,
                CREATED_US,
                zone=ZONE,
            )
        ],
    ),
    "data_IotHubPayloadMultiValueExample.json": (
        "iot-hub",
        [pressure(111, 75, HUB_DEVICE, CREATED, CREATED_US, zone=ZONE), NO_STEPS],
    ),
    "data_IotCentralPayloadExample.json": (
        "iot-central",
        [
            measured(
                "respiratory-rate",
                13,
                "/min",
                "$.telemetry.RespiratoryRate",
                DeviceClue("1vzb5ghlsg1", CENTRAL),
                QUEUED,
                QUEUED_US,
            ),
            pressure(71, 7, DeviceClue("1vzb5ghlsg1", CENTRAL), QUEUED, QUEUED_US),
            OutOfScope("$.telemetry.Activity", "activity without an interval"),
        ],
    ),
}


@needs_iomt
@pytest.mark.parametrize("name", EXPECTED)
def test_a_message_of_iomt_fhir_is_accounted_for_wholly(name):
    template, expected = EXPECTED[name]

    found = readings(template, IOMT / name)

    assert [
        (one.position, one.reason, one.kind) if isinstance(one, Refusal) else one
        for one in found
    ] == expected


@needs_iomt
def test_every_message_of_iomt_fhir_is_looked_at():
    assert {
        path.name for path in IOMT.glob("data_*") if "payload" in path.name.lower()
    } == set(EXPECTED)


@needs_iomt
def test_a_pressure_of_71_over_7_is_stored_and_flagged():
    _, found, _ = readings("iot-central", IOMT / "data_IotCentralPayloadExample.json")

    normalised = normalise(found, now_us=NOW_US)

    assert isinstance(normalised, Normalised)
    assert [
        (part.kind.name, part.value, part.unit, part.implausible)
        for part in normalised.parts
    ] == [
        ("systolic-blood-pressure", "71", "mm[Hg]", False),
        ("diastolic-blood-pressure", "7", "mm[Hg]", True),
    ]


@needs_iomt
def test_steps_are_read_where_their_length_of_time_is_told():
    message = json.loads(
        (IOMT / "data_IotHubPayloadMultiValueExample.json").read_text()
    )
    message["Properties"]["stepsseconds"] = "60"

    _, found = readings("iot-hub", BytesIO(json.dumps(message).encode()))

    assert (found.kind, found.value, found.start, found.end) == (
        "steps",
        30,
        "2019-01-30T22:44:02.607374Z",
        CREATED,
    )


def test_a_night_has_its_stages_and_its_pulse():
    night = {
        "user": "u1",
        "ring": "r1",
        "model": "Ring",
        "night": "n1",
        "bedtime": {
            "start": "2025-03-29T22:00:00+01:00",
            "end": "2025-03-29T22:20:00+01:00",
        },
        "latency_min": 3,
        "hypnogram": "4211",
        "pulse": {"every_s": 300, "values": [61, 0, 55, 54]},
        "battery": 80,
    }

    session, pulse, battery = readings("ring-night", BytesIO(dumps(night)))

    assert [(part.kind, part.value, part.offset_ms) for part in session.components] == [
        ("sleep-latency", 3, None),
        ("sleep-duration", 900, None),
        ("deep-sleep-duration", 600, None),
        ("light-sleep-duration", 300, None),
        ("awake-duration", 300, None),
        ("sleep-stage", "awake", 0),
        ("sleep-stage", "light", 300_000),
        ("sleep-stage", "deep", 600_000),
    ]
    assert pulse.value == Samples(300_000, (61, "E", 55, 54))
    assert (pulse.end, battery.start) == (session.end, session.end)
    assert {one.source_id for one in (session, pulse, battery)} == {"n1"}
    assert all(
        isinstance(normalise(one, now_us=NOW_US), Normalised)
        for one in (session, pulse, battery)
    )


needs_nightsignal = pytest.mark.skipif(
    not NIGHTSIGNAL.exists(), reason="the payload folder is not here"
)


@needs_nightsignal
def test_each_minute_of_steps_is_read():
    path = NIGHTSIGNAL / "fitbit-minute-steps.first3000lines.csv"
    with path.open(encoding="utf-8") as file:
        told = [line.strip().split(",") for line in file][1:]

    found = readings("csv-minute-steps", path, zone="America/Los_Angeles")

    assert [str(one.value) for one in found] == [steps for _, _, steps in told]
    assert [one.start for one in found] == [
        f"{time.replace(' ', 'T')}-07:00" for _, time, _ in told
    ]
    assert {one.end_us - one.start_us for one in found} == {60_000_000}
    assert {(one.kind, one.unit, one.patient) for one in found} == {
        ("steps", "{steps}", "USER001")
    }
    assert all(isinstance(normalise(one, now_us=NOW_US), Normalised) for one in found)
    assert len(found) == 2999


@needs_nightsignal
def test_minutes_without_a_zone_are_refused():
    path = NIGHTSIGNAL / "fitbit-minute-steps.first3000lines.csv"

    found = readings("csv-minute-steps", path)

    assert {one.reason for one in found} == {Reason.NO_OFFSET}
    assert len(found) == 2999


@needs_nightsignal
def test_the_hours_that_a_detector_found_are_no_steps():
    found = readings(
        "csv-minute-steps", NIGHTSIGNAL / "rhrad-anomalies.csv", zone="Europe/Berlin"
    )

    assert [(one.position, one.reason) for one in found] == [
        ("row[1]", Reason.MALFORMED)
    ]
