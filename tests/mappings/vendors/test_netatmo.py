from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, loads
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.netatmo.indoor import DEVICE
from mappings.vendors.netatmo.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
TAKEN = 1736928000
TAKEN_TEXT = "2025-01-15T09:00:00+01:00"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "netatmo"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the stored samples are not here"
)
STAND_INS = ("10.1234", "20.9876", "ab@c.example", "Bedroom", "Kitchen", "City")
"""What the stored samples hold in place of positions, accounts and names."""

CLUE = DeviceClue(
    identifier="00:00:5e:00:53:01",
    system=DEVICE,
    manufacturer="Netatmo",
    model="NAMain",
    name="Smart Home Weather Station",
    firmware="137",
)


def station(data: object, **members: object) -> dict[str, object]:
    """Return a synthetic station."""
    return {
        "_id": "00:00:5E:00:53:01",
        "type": "NAMain",
        "firmware": 137,
        "station_name": "Bedroom of a person",
        "place": {"timezone": "Europe/Berlin", "location": [10.1, 20.9]},
        **({} if data is None else {"dashboard_data": {"time_utc": TAKEN, **data}}),
        **members,
    }


def answer(*devices: object, **members: object) -> dict[str, object]:
    return {
        "body": {"devices": list(devices), **members},
        "status": "ok",
        "time_server": TAKEN + 60,
    }


def readings(sent: object) -> list[object]:
    return list(parse(sent, received_at=NOW))


def one(sent: object) -> object:
    [reading] = readings(sent)
    return reading


def test_a_temperature_has_its_digits_its_zone_and_its_device():
    sent = answer(station({"Temperature": Number("20.30")}))

    reading = one(sent)

    assert reading == Measurement(
        kind="room-temperature",
        value=Number("20.30"),
        unit="Cel",
        start=TAKEN_TEXT,
        start_us=TAKEN * 1_000_000,
        end=None,
        end_us=TAKEN * 1_000_000,
        position="$.body.devices[0].dashboard_data.Temperature",
        device=CLUE,
        zone="Europe/Berlin",
    )
    assert str(reading.value) == "20.30"


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("CO2", 494, ("carbon-dioxide", 494, "[ppm]")),
        ("Humidity", 63, ("relative-humidity", 63, "%")),
        ("Noise", 42, ("noise-level", 42, "dB[SPL]")),
        ("AbsolutePressure", 1004, ("ambient-pressure", 1004, "hPa")),
    ],
)
def test_each_value_is_its_kind_in_its_unit(member, value, expected):
    reading = one(answer(station({member: value})))

    assert (reading.kind, reading.value, reading.unit) == expected


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("Pressure", "pressure reduced to sea level"),
        ("health_idx", "grade of the vendor"),
        ("min_temp", "derived value"),
        ("temp_trend", "derived value"),
    ],
)
def test_what_is_derived_from_values_is_out_of_scope(member, what):
    assert one(answer(station({member: 1}))) == OutOfScope(
        f"$.body.devices[0].dashboard_data.{member}", what
    )


def test_a_co2_sensor_that_calibrates_has_no_value_for_now():
    reading = one(answer(station({"CO2": 5000}, co2_calibrating=True)))

    assert (reading.kind, reading.value, reading.absent) == (
        "carbon-dioxide",
        None,
        "temp-unknown",
    )


def test_a_device_that_does_not_answer_gives_no_old_values():
    sent = answer(station({"Temperature": 20}, reachable=False, battery_percent=17))

    said, rest = readings(sent)

    assert (said.kind, said.value, said.start) == (
        "device-available",
        "false",
        "2025-01-15T09:01:00+01:00",
    )
    assert rest == OutOfScope(
        "$.body.devices[0]", "old value of a device that does not answer"
    )


def test_a_device_without_data_has_no_value():
    assert one(answer(station(None))) == OutOfScope(
        "$.body.devices[0]", "device without a value"
    )


def test_battery_and_radio_are_of_when_the_device_was_last_heard():
    module = {
        "_id": "00:00:5e:00:53:02",
        "type": "NAModule4",
        "last_seen": TAKEN - 60,
        "rf_status": 73,
        "battery_vp": 5687,
        "battery_percent": 83,
    }
    sent = answer(station(None, modules=[module]))

    found = readings(sent)[1:]

    assert [(r.kind, r.value, r.unit, r.method) for r in found] == [
        (
            "signal-strength",
            -103,
            "dB[W]",
            "radio status of the vendor, read as -dBm",
        ),
        ("battery-voltage", 5687, "mV", None),
        ("battery-level", 83, "%", None),
    ]
    assert {(r.start, r.zone) for r in found} == {
        ("2025-01-15T08:59:00+01:00", "Europe/Berlin")
    }


@pytest.mark.parametrize(
    ("type_", "what"),
    [("NAModule1", "outdoor weather"), ("NAModule2", "wind"), ("NAModule3", "rain")],
)
def test_what_stands_outdoors_is_out_of_scope(type_, what):
    sent = answer(station({"Temperature": 20}, type=type_))

    assert one(sent) == OutOfScope("$.body.devices[0]", what)


def test_a_home_status_names_its_values_in_its_own_way_and_has_no_zone():
    module = {
        "id": "00:00:5e:00:53:03",
        "type": "NHC",
        "ts": TAKEN,
        "temperature": 21,
        "pressure": 1013,
        "wifi_strength": 40,
    }
    sent = {"status": "ok", "body": {"home": {"modules": [module]}}}

    room, sea_level, radio = readings(sent)

    assert (room.kind, room.start, room.zone) == (
        "room-temperature",
        "2025-01-15T08:00:00Z",
        None,
    )
    assert sea_level.what == "pressure reduced to sea level"
    assert (radio.value, radio.start) == (-70, "2025-01-15T08:00:00Z")


def test_errors_beside_data_are_counted_and_the_data_is_kept():
    sent = answer(station({"CO2": 500}), errors=[{"code": 6, "id": "x"}])

    kept, error = readings(sent)

    assert kept.kind == "carbon-dioxide"
    assert error == OutOfScope("$.body.errors[0]", "error of a device")


def test_an_answer_that_is_an_error_is_out_of_scope():
    sent = {"error": {"code": 3, "message": "Access token expired"}}

    assert one(sent) == OutOfScope("$.error", "error answer")


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (station({"CO2": "500"}), Reason.INVALID_VALUE),
        (station({"CO2": 500, "time_utc": None}), Reason.NO_TIME),
        (station({"CO2": 500, "time_utc": TAKEN * 1000}), Reason.MALFORMED),
        (station({"Radon": 500}), Reason.UNKNOWN_KIND),
        (station({"CO2": 500}, type="NAModule9"), Reason.UNKNOWN_KIND),
        (station(None, battery_percent="83"), Reason.INVALID_VALUE),
        (7, Reason.MALFORMED),
    ],
)
def test_what_is_not_understood_is_refused_and_can_be_tried_again(device, reason):
    refusal = one(answer(device))

    again = one(refusal.payload)

    assert (refusal.reason, again.reason) == (reason, reason)
    assert "person" not in repr(refusal)


def test_one_refused_value_does_not_stop_the_others():
    found = readings(answer(station({"CO2": "x", "Humidity": 63}), station({"CO2": 1})))

    assert [getattr(r, "reason", None) for r in found] == [
        Reason.INVALID_VALUE,
        None,
        None,
    ]


@pytest.mark.parametrize("sent", [7, None, "x", {}, {"body": []}])
def test_what_is_no_answer_is_refused(sent):
    assert isinstance(one(sent), Refusal)


ROOM = ["room-temperature", "carbon-dioxide", "relative-humidity", "noise-level"]


@needs_samples
def test_the_stored_home_coaches_give_values_of_those_that_answer():
    found = readings(loads((SAMPLES / "gethomecoachsdata.json").read_bytes()))

    kept = [r for r in found if isinstance(r, Measurement)]
    assert len(found) == 28
    assert {r.device.identifier for r in kept if r.kind in ROOM} == {
        "12:34:56:3e:c5:46",
        "12:34:56:26:68:92",
    }
    assert [
        (r.kind, r.value, r.start)
        for r in kept
        if r.device.identifier == "12:34:56:26:68:92"
    ][1:] == [
        ("room-temperature", Decimal("21.6"), "2019-10-26T09:13:14+02:00"),
        ("carbon-dioxide", 1053, "2019-10-26T09:13:14+02:00"),
        ("relative-humidity", 66, "2019-10-26T09:13:14+02:00"),
        ("noise-level", 45, "2019-10-26T09:13:14+02:00"),
        ("ambient-pressure", 1011, "2019-10-26T09:13:14+02:00"),
        ("signal-strength", -98, "2019-10-26T09:13:15+02:00"),
    ]


@needs_samples
def test_the_stored_station_that_does_not_answer_gives_no_values():
    name = "weatherstation_data_unreachable_station.json"

    found = readings(loads((SAMPLES / name).read_bytes()))

    rooms = [r for r in found if isinstance(r, Measurement) and r.kind in ROOM]
    assert len(found) == 39
    assert [(r.device.identifier[-5:], r.kind, str(r.value)) for r in rooms] == [
        ("11:ca", "room-temperature", "24.6"),
        ("11:ca", "carbon-dioxide", "749"),
        ("11:ca", "relative-humidity", "36"),
        ("11:ca", "noise-level", "37"),
        ("bb:3e", "room-temperature", "28"),
        ("bb:3e", "carbon-dioxide", "503"),
        ("bb:3e", "relative-humidity", "26"),
        ("bb:0e", "room-temperature", "26.4"),
        ("bb:0e", "carbon-dioxide", "451"),
        ("bb:0e", "relative-humidity", "31"),
    ]


@needs_samples
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("home_status_error_and_data.json", 11),
        ("home_status_simple.json", 11),
        ("homesdata_empty.json", 1),
    ],
)
def test_the_stored_answers_without_a_room_are_out_of_scope(name, count):
    found = readings(loads((SAMPLES / name).read_bytes()))

    assert {type(r) for r in found} == {OutOfScope}
    assert sum(r.records for r in found) == count


@needs_samples
def test_the_stored_measurements_are_stored_and_tell_nothing_of_their_owner():
    found = [
        r
        for path in sorted(SAMPLES.glob("*.json"))
        for r in readings(loads(path.read_bytes()))
    ]
    kept = [r for r in found if isinstance(r, Measurement)]

    assert not [r for r in found if isinstance(r, Refusal)]
    assert {type(normalise(r, now_us=NOW_US)) for r in kept} == {Normalised}
    assert not [one for one in STAND_INS if one in repr(kept)]


MEMBERS = (
    *("body", "devices", "modules", "home", "homes", "errors", "error", "type"),
    *("dashboard_data", "time_utc", "CO2", "place", "timezone", "_id", "rf_status"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=9)
    | st.sampled_from(["NHC", "NAModule1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_value_is_accounted_for(sent):
    found = readings(sent)

    assert found or sent == []
    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)


@given(JSON)
def test_any_device_is_accounted_for(device):
    found = readings(answer({**station(None), "dashboard_data": device}, device))

    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)


def test_a_name_that_no_table_has_is_in_no_position():
    found = list(parse(answer(station({"Jane Roe": 4})), received_at=NOW))

    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert refusal.position == "$.body.devices[0].dashboard_data.?"
