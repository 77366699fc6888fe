from datetime import UTC, datetime
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
from mappings.vendors.awair.parse import DEVICE, parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
TAKEN = "2025-01-15T08:00:00.123Z"
CLOUD = "GET /v1/users/self/devices/awair-omni/7/air-data/latest?fahrenheit=false"
LOCAL = "GET /air-data/latest"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "awair"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the stored samples are not here"
)
STAND_INS = ("networkname", "70:88", "70886B", "192.168", "Living Room", "Cityname")
"""What the stored samples hold in place of networks, addresses and names."""

OMNI = DeviceClue(
    identifier="awair-omni_7", system=DEVICE, manufacturer="Awair", model="awair-omni"
)


def exchange(
    *sensors: tuple[str, object], request: str = CLOUD, **members: object
) -> dict[str, object]:
    """Return a synthetic answer of the cloud."""
    listed = [{"comp": comp, "value": value} for comp, value in sensors]
    body = {"data": [{"timestamp": TAKEN, "sensors": listed}]}
    return {"request": request, "status": 200, "body": body, **members}


def local(**values: object) -> dict[str, object]:
    """Return a synthetic answer of a device itself."""
    body = {"timestamp": TAKEN, **values}
    return {"request": LOCAL, "status": 200, "body": body}


def settings(**members: object) -> dict[str, object]:
    return {
        "request": "GET /settings/config/data",
        "status": 200,
        "body": {"device_uuid": "awair-element_9", "ssid": "networkname", **members},
    }


def readings(sent: object) -> list[object]:
    return list(parse(sent, received_at=NOW))


def one(sent: object) -> object:
    [reading] = readings(sent)
    return reading


def test_a_temperature_has_the_digits_and_the_time_of_the_answer():
    sent = exchange(("temp", Number("21.770000457763672")))

    assert one(sent) == Measurement(
        kind="room-temperature",
        value=Number("21.770000457763672"),
        unit="Cel",
        start=TAKEN,
        start_us=1736928000123000,
        end=None,
        end_us=1736928000123000,
        position="$.body.data[0].sensors[0]",
        device=OMNI,
    )


@pytest.mark.parametrize(
    ("comp", "value", "expected"),
    [
        ("humid", 41, ("relative-humidity", 41, "%", None)),
        ("co2", 436, ("carbon-dioxide", 436, "[ppm]", None)),
        ("voc", 171, ("volatile-organic-compounds", 171, "[ppb]", None)),
        ("pm25", 0, ("particulate-matter-2-5", 0, "ug/m3", None)),
        ("lux", 804, ("illuminance", 804, "lx", None)),
        ("spl_a", 47, ("noise-level", 47, "dB[SPL]", "A-weighted")),
    ],
)
def test_each_sensor_is_its_kind_in_its_unit(comp, value, expected):
    reading = one(exchange((comp, value)))

    assert (reading.kind, reading.value, reading.unit, reading.method) == expected


@pytest.mark.parametrize(
    ("query", "unit"),
    [("?fahrenheit=false", "Cel"), ("?fahrenheit=true&limit=1", "[degF]")],
)
def test_the_request_tells_the_unit_of_temperatures(query, unit):
    request = CLOUD.partition("?")[0] + query

    assert one(exchange(("temp", 70), request=request)).unit == unit


def test_a_temperature_whose_unit_was_not_asked_for_is_refused_and_only_it():
    request = CLOUD.partition("?")[0]

    refusal, kept = readings(exchange(("temp", 70), ("co2", 500), request=request))

    assert (refusal.reason, refusal.kind) == (Reason.NO_UNIT, "room-temperature")
    assert kept.kind == "carbon-dioxide"


def test_a_device_of_its_own_is_named_by_its_settings_before_it():
    sent = [settings(timezone="Europe/Berlin", fw_version="1.1.5"), local(temp=19)]

    _, reading = readings(sent)

    assert (reading.kind, reading.unit, reading.zone) == (
        "room-temperature",
        "Cel",
        "Europe/Berlin",
    )
    assert reading.device == DeviceClue(
        identifier="awair-element_9",
        system=DEVICE,
        manufacturer="Awair",
        model="awair-element",
        firmware="1.1.5",
    )


def test_a_device_of_its_own_may_be_named_beside_its_request():
    sent = {**local(co2=408), "device_uuid": "awair-element_9"}

    assert one(sent).device.identifier == "awair-element_9"


def test_a_device_of_its_own_that_nothing_names_is_not_claimed():
    assert one(local(co2=408)).device is None


def test_the_list_of_devices_tells_their_zones():
    listed = {"devices": [{"deviceUUID": "awair-omni_7", "timezone": "Europe/Berlin"}]}
    asked = {"request": "GET /v1/users/self/devices", "status": 200, "body": listed}

    found = readings([asked, exchange(("co2", 436))])

    assert found[0] == OutOfScope("$[0].body.devices[0]", "device description")
    assert found[1].zone == "Europe/Berlin"


@pytest.mark.parametrize("zone", ["", "Nowhere/At_All", None, 7])
def test_a_zone_that_is_none_is_not_believed(zone):
    sent = [settings(timezone=zone), local(co2=408)]

    assert readings(sent)[1].zone is None


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("score", "grade of the vendor"),
        ("dew_point", "derived value"),
        ("abs_humid", "derived value"),
        ("co2_est", "estimate or raw signal"),
        ("voc_h2_raw", "estimate or raw signal"),
        ("voc_baseline", "estimate or raw signal"),
        ("pm10_est", "estimate or raw signal"),
        ("dust", "dust without a size of particles"),
    ],
)
def test_what_is_no_measurement_is_out_of_scope(name, what):
    assert one(local(**{name: 1})) == OutOfScope(f"$.body.{name}", what)


def test_means_repeat_values_and_are_out_of_scope():
    request = CLOUD.replace("latest", "5-min-avg")

    assert one(exchange(("co2", 436), request=request)) == OutOfScope(
        "$.body", "mean of values"
    )


@pytest.mark.parametrize("status", [400, 401, 429, 500, "200", None])
def test_an_error_is_counted_and_its_text_is_not_read(status):
    sent = {"request": CLOUD, "status": status, "body": "token my-secret is invalid"}

    assert one(sent) == OutOfScope("$", "error answer")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (exchange(("co2", "436")), Reason.INVALID_VALUE),
        (exchange(("radon", 4)), Reason.UNKNOWN_KIND),
        (local(timestamp=None, co2=4), Reason.NO_TIME),
        (local(timestamp="2025-01-15T08:00:00", co2=4), Reason.NO_OFFSET),
        (exchange(("co2", 4), request="GET /v1/orgs/1/devices"), Reason.UNKNOWN_KIND),
        ({"request": CLOUD, "status": 200, "body": "?"}, Reason.MALFORMED),
        ({"request": CLOUD, "status": 200, "body": {"data": [7]}}, Reason.MALFORMED),
    ],
)
def test_what_is_not_understood_is_refused_and_can_be_tried_again(sent, reason):
    refusal = one(sent)

    again = one(refusal.payload)

    assert (refusal.reason, again.reason) == (reason, reason)


def test_a_name_that_no_table_has_is_in_no_position():
    sent = local(**{"Jane Roe": 4})

    [refusal] = [r for r in readings(sent) if isinstance(r, Refusal)]

    assert refusal.position == "$.body.?"


def test_a_refused_value_of_a_device_of_its_own_keeps_whose_it_is():
    sent = [settings(), local(co2="408")]

    refusal = readings(sent)[1]

    assert refusal.payload == {
        "request": LOCAL,
        "status": 200,
        "body": {"timestamp": TAKEN, "co2": "408"},
        "device_uuid": "awair-element_9",
    }


@pytest.mark.parametrize("sent", [7, None, "x", {}, {"request": 1}])
def test_what_is_no_answer_is_refused(sent):
    assert one(sent).reason is Reason.MALFORMED


@needs_samples
@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        (
            "awair-r2.json",
            11,
            [
                ("room-temperature", "18.829999923706055"),
                ("relative-humidity", "50.52000045776367"),
                ("carbon-dioxide", "431.0"),
                ("volatile-organic-compounds", "57.0"),
                ("particulate-matter-2-5", "2.0"),
            ],
        ),
        (
            "omni.json",
            13,
            [
                ("room-temperature", "21.40999984741211"),
                ("relative-humidity", "42.7400016784668"),
                ("carbon-dioxide", "436.0"),
                ("volatile-organic-compounds", "171.0"),
                ("particulate-matter-2-5", "0.0"),
                ("illuminance", "804.9000244140625"),
                ("noise-level", "47.0"),
            ],
        ),
        (
            "latest.json",
            11,
            [
                ("room-temperature", "21.770000457763672"),
                ("relative-humidity", "41.59000015258789"),
                ("carbon-dioxide", "654.0"),
                ("volatile-organic-compounds", "366.0"),
            ],
        ),
        (
            "latest-local.json",
            14,
            [
                ("room-temperature", "19.59"),
                ("relative-humidity", "58.05"),
                ("carbon-dioxide", "408"),
                ("volatile-organic-compounds", "159"),
                ("particulate-matter-2-5", "2"),
            ],
        ),
        ("devices.json", 1, []),
        ("bad-auth.json", 1, []),
        ("bad-params.json", 1, []),
    ],
)
def test_the_stored_answers_are_accounted_for(name, count, expected):
    found = readings(loads((SAMPLES / name).read_bytes()))

    kept = [r for r in found if isinstance(r, Measurement)]
    assert sum(r.records for r in found) == count
    assert [(r.kind, str(r.value)) for r in kept] == expected
    assert not [r for r in found if isinstance(r, Refusal)]
    assert {type(normalise(r, now_us=NOW_US)) for r in kept} <= {Normalised}
    assert not [one for one in STAND_INS if one in repr(kept)]


MEMBERS = (
    *("request", "status", "body", "data", "sensors", "comp", "value", "timestamp"),
    *("devices", "deviceUUID", "timezone", "device_uuid", "indices", "co2"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=9)
    | st.sampled_from([CLOUD, LOCAL, "GET /v1/users/self/devices", 200, "co2"]),
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


@given(JSON, st.sampled_from([CLOUD, LOCAL, "GET /settings/config/data"]))
def test_any_body_is_accounted_for(body, request):
    found = readings({"request": request, "status": 200, "body": body})

    assert found
    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)
