from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import dumps, loads
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.matter.attributes import lux
from mappings.vendors.matter.clusters import CLUSTERS, OUT_OF_SCOPE
from mappings.vendors.matter.node import SERIAL_NUMBER, UNIQUE_ID
from mappings.vendors.matter.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_TEXT = "2026-01-01T00:00:00Z"
NOW_US = 1767225600000000
HEARD = "2025-12-31T22:00:00+01:00"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "matter"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the stored samples are not here"
)
STAND_INS = ("10.1234", "20.9876", "140.9876", "UlJS", "XX", "My Sensor", "My Mock")
"""What the stored samples hold in place of positions, keys, addresses and labels."""

DEVICE = DeviceClue(
    identifier="unit-1",
    system=UNIQUE_ID,
    manufacturer="Synthetic",
    model="Sensor",
    hardware="v1",
    software="2.0",
    serial="S7",
)


def node(clusters: object, **members: object) -> dict[str, object]:
    """Return a synthetic node with one endpoint beside its own."""
    info = {
        "vendorName": "Synthetic",
        "vendorID": 4660,
        "productName": "Sensor",
        "nodeLabel": "My Sensor",
        "hardwareVersionString": "v1",
        "softwareVersionString": "2.0",
        "serialNumber": "S7",
        "uniqueID": "unit-1",
    }
    endpoints = {"0": {"Basic": info}, "1": clusters}
    return {"node_id": 7, "attributes": endpoints, **members}


def message(payload: object, **members: object) -> dict[str, object]:
    return {"topic": "matter/7", "payload": payload, "received_at": HEARD, **members}


def readings(sent: object) -> list[object]:
    return list(parse(sent, received_at=NOW))


def measured(sent: object) -> list[tuple[str, object, str]]:
    return [
        (r.kind, r.value if isinstance(r.value, str) else str(r.value), r.unit)
        for r in readings(sent)
        if isinstance(r, Measurement)
    ]


def of_endpoint(sent: object) -> list[object]:
    return [r for r in readings(sent) if ".attributes.1." in r.position]


def test_a_temperature_is_hundredths_of_a_degree_at_the_time_it_was_heard():
    sent = message(node({"TemperatureMeasurement": {"measuredValue": 2150}}))

    [reading] = of_endpoint(sent)

    assert reading == Measurement(
        kind="room-temperature",
        value=Decimal("21.50"),
        unit="Cel",
        start=HEARD,
        start_us=1767214800000000,
        end=None,
        end_us=1767214800000000,
        position="$.payload.attributes.1.TemperatureMeasurement.measuredValue",
        source_id="1#1767214800000000",
        device=DEVICE,
    )
    assert str(reading.value) == "21.50"


@pytest.mark.parametrize(
    ("cluster", "members", "expected"),
    [
        ("1026", {"0": -550}, ("room-temperature", "-5.50", "Cel")),
        ("1029", {"0": 4444}, ("relative-humidity", "44.44", "%")),
        ("1027", {"0": 1013}, ("ambient-pressure", "1013", "hPa")),
        ("1024", {"0": 10001}, ("illuminance", "10.00", "lx")),
        ("1030", {"0": 1}, ("occupancy", "occupied", "")),
        ("1030", {"0": 2}, ("occupancy", "unoccupied", "")),
        ("1037", {"0": 612, "8": 0}, ("carbon-dioxide", "612", "[ppm]")),
        ("1066", {"0": 8, "8": 4}, ("particulate-matter-2-5", "8", "ug/m3")),
        ("1069", {"0": 9, "8": 4}, ("particulate-matter-10", "9", "ug/m3")),
        ("1070", {"0": 90, "8": 1}, ("volatile-organic-compounds", "90", "[ppb]")),
    ],
)
def test_each_cluster_is_its_kind_in_its_unit(cluster, members, expected):
    sent = message(node({cluster: members}))

    assert measured(sent) == [expected]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (1, "1.000"),
        (2, "1.000"),
        (3011, "2.000"),
        (20001, "100.0"),
        (26991, "500.0"),
        (40001, "10000"),
    ],
)
def test_an_illuminance_is_the_power_of_ten_that_it_stands_for(told, expected):
    assert f"{lux(told):f}" == expected


def test_too_dark_to_be_measured_and_null_are_no_value_and_never_zero():
    sent = message(
        node(
            {
                "IlluminanceMeasurement": {"measuredValue": 0},
                "TemperatureMeasurement": {"measuredValue": None},
            }
        )
    )

    found = of_endpoint(sent)

    assert [(r.kind, r.value, r.absent) for r in found] == [
        ("illuminance", None, "unknown"),
        ("room-temperature", None, "unknown"),
    ]


@pytest.mark.parametrize(("state", "word"), [(True, "closed"), (False, "open")])
def test_a_boolean_state_of_a_contact_sensor_is_true_where_it_is_closed(state, word):
    clusters = {
        "Descriptor": {"deviceTypeList": [{"type": 21, "revision": 1}]},
        "BooleanState": {"stateValue": state},
    }

    assert measured(message(node(clusters))) == [("contact", word, "")]


def test_a_boolean_state_of_a_leak_detector_is_no_contact():
    clusters = {"29": {"0": [{"0": 67, "1": 1}]}, "69": {"0": True}}

    assert of_endpoint(message(node(clusters)))[1] == OutOfScope(
        "$.payload.attributes.1.BooleanState.stateValue", "leak detector"
    )


def test_a_boolean_state_without_a_device_type_is_refused():
    [refusal] = of_endpoint(message(node({"BooleanState": {"stateValue": True}})))

    assert refusal.reason is Reason.UNKNOWN_KIND
    assert refusal.payload == {
        "topic": "matter/7",
        "payload": {
            "endpoint": "1",
            "cluster": "BooleanState",
            "attribute": "stateValue",
            "value": True,
            "unique_id": "unit-1",
        },
        "received_at": HEARD,
    }


def test_a_battery_counts_half_percents_and_words():
    clusters = {
        "TemperatureMeasurement": {"measuredValue": 2000},
        "PowerSource": {
            "batPercentRemaining": 187,
            "batVoltage": 2950,
            "batChargeLevel": 1,
            "batChargeState": 3,
            "batTimeRemaining": None,
        },
    }

    found = of_endpoint(message(node(clusters)))

    assert [(r.kind, str(r.value), r.unit) for r in found[1:5]] == [
        ("battery-level", "93.5", "%"),
        ("battery-voltage", "2950", "mV"),
        ("battery-low", "true", ""),
        ("battery-charging", "false", ""),
    ]
    assert found[5].what == "attribute without a value"


def test_signal_strength_over_a_milliwatt_becomes_one_over_a_watt():
    clusters = {
        "OccupancySensing": {"occupancy": 0},
        "WiFiNetworkDiagnostics": {"rssi": -60, "bssid": "UlJS"},
    }

    assert measured(message(node(clusters)))[1] == ("signal-strength", "-90", "dB[W]")


def test_the_health_of_a_light_is_not_stored():
    clusters = {"OnOff": {"onOff": True}, "WiFiNetworkDiagnostics": {"rssi": -60}}

    found = of_endpoint(message(node(clusters, available=True)))

    assert [r.what for r in found] == ["light or switch", "network and certificates"]


def test_a_node_that_does_not_answer_gives_no_old_values():
    clusters = {"TemperatureMeasurement": {"measuredValue": 2000}}

    found = readings(message(node(clusters, available=False)))

    assert [(type(r), getattr(r, "what", None) or r.kind) for r in found] == [
        (OutOfScope, "device description"),
        (OutOfScope, "old value of a device that does not answer"),
        (Measurement, "device-available"),
    ]
    assert found[2].value == "false"


def test_a_device_behind_a_bridge_is_named_by_itself_and_never_by_the_bridge():
    sent = node({"OnOff": {"onOff": True}})
    sent["attributes"] |= {
        "2": {
            "BridgedDeviceBasic": {"uniqueID": "behind", "reachable": True},
            "Descriptor": {"partsList": [3]},
        },
        "3": {"TemperatureMeasurement": {"measuredValue": 2000}},
        "4": {
            "BridgedDeviceBasic": {"nodeLabel": "My Sensor"},
            "TemperatureMeasurement": {"measuredValue": 2000},
        },
    }

    found = [r for r in readings(message(sent)) if isinstance(r, Measurement)]

    behind = DeviceClue(identifier="behind", system=UNIQUE_ID)
    assert [(r.kind, r.device) for r in found] == [
        ("device-available", behind),
        ("room-temperature", behind),
        ("room-temperature", None),
    ]


def test_two_sensors_of_one_node_are_told_apart():
    sent = node({"TemperatureMeasurement": {"measuredValue": 2000}})
    sent["attributes"]["2"] = {"TemperatureMeasurement": {"measuredValue": 2100}}

    found = [r for r in readings(message(sent)) if isinstance(r, Measurement)]

    assert len({r.source_id for r in found}) == len(found) == 2


def test_a_serial_number_stands_behind_its_makers_number():
    sent = node({"TemperatureMeasurement": {"measuredValue": 2000}})
    del sent["attributes"]["0"]["Basic"]["uniqueID"]

    [reading] = of_endpoint(message(sent))

    assert (reading.device.system, reading.device.identifier) == (
        SERIAL_NUMBER,
        "4660/S7",
    )


@pytest.mark.parametrize(
    "report",
    [
        {"attribute_path": "1/1026/0", "value": 2150, "unique_id": "unit-1"},
        {
            "endpoint": 1,
            "cluster": "TemperatureMeasurement",
            "attribute": "measuredValue",
            "value": 2150,
            "unique_id": "unit-1",
        },
        {
            "event": "attribute_updated",
            "data": {
                "endpoint_id": 1,
                "cluster_id": 1026,
                "attribute_id": 0,
                "value": 2150,
                "unique_id": "unit-1",
            },
        },
    ],
)
def test_a_report_is_read_in_each_of_its_forms(report):
    [reading] = readings(message(report))

    assert (reading.kind, str(reading.value), reading.start, reading.device) == (
        "room-temperature",
        "21.50",
        HEARD,
        DeviceClue(identifier="unit-1", system=UNIQUE_ID),
    )


def test_a_report_is_of_the_node_that_the_same_payload_described():
    clusters = {
        "Descriptor": {"deviceTypeList": [{"type": 21}]},
        "BooleanState": {"stateValue": False},
    }
    report = {"event": "attribute_updated", "data": [7, "1/69/0", True]}

    found = readings([message(node(clusters)), message(report)])

    assert (found[-1].kind, found[-1].value) == ("contact", "closed")
    assert found[-1].device == DEVICE


def test_a_report_that_names_itself_is_not_taken_for_another_node():
    described = node({"TemperatureMeasurement": {"measuredValue": 2000}})
    del described["node_id"]
    report = {"attribute_path": "1/1026/0", "value": 2150, "read_at": HEARD}

    named = readings([described, report | {"unique_id": "unit-2"}])[-1]
    nameless = readings([described, report])[-1]

    assert (named.device.identifier, nameless.device) == ("unit-2", None)


@pytest.mark.parametrize("sent", [message([]), {"result": []}, message({"result": 7})])
def test_a_message_that_lists_nothing_is_accounted_for(sent):
    [found] = readings(sent)

    assert isinstance(found, OutOfScope)


def test_a_report_of_an_unknown_node_claims_no_device():
    report = {"event": "attribute_updated", "data": [8, "1/1026/0", 2150]}

    assert readings(message(report))[0].device is None


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("1/6/0", "light or switch"),
        ("0/62/1", "network and certificates"),
        ("1/1026/1", "attribute that is no measurement"),
    ],
)
def test_a_report_of_something_else_is_out_of_scope(path, what):
    report = {"attribute_path": path, "value": 1}

    assert readings(message(report)) == [OutOfScope("$.payload.value", what)]


@pytest.mark.parametrize("second", [0, 1, 59])
def test_a_node_that_nobody_has_dated_is_of_the_minute_of_its_arrival(second):
    sent = node({"TemperatureMeasurement": {"measuredValue": 2150}})
    arrived = NOW.replace(second=second)

    *_, reading = parse(sent, received_at=arrived)

    assert (reading.start, reading.start_us, reading.source_id) == (
        NOW_TEXT,
        NOW_US,
        f"1#{NOW_US}",
    )


@pytest.mark.parametrize("name", ["read_at", "received_at"])
def test_a_node_that_says_when_it_was_read_was_read_then(name):
    sent = node({"TemperatureMeasurement": {"measuredValue": 2150}}, **{name: HEARD})

    *_, reading = readings(sent)

    assert (reading.kind, reading.start) == ("room-temperature", HEARD)


@pytest.mark.parametrize(
    ("report", "place"),
    [
        ({"attribute_path": "1/1026/0", "value": 2150}, "$.value"),
        (
            {"event": "attribute_updated", "data": [8, "1/1026/0", 2150]},
            "$.data.value",
        ),
    ],
)
def test_a_report_that_nobody_has_dated_is_refused(report, place):
    [refusal] = readings(report)

    assert refusal[:3] == (place, Reason.NO_TIME, "room-temperature")
    assert [one.reason for one in readings(refusal.payload)] == [Reason.NO_TIME]


@pytest.mark.parametrize("type_", [[21], {"0": 21}, "21", None, True])
def test_a_type_of_device_that_is_no_number_is_none(type_):
    clusters = {
        "Descriptor": {"deviceTypeList": [{"type": type_}, {"type": 21}]},
        "BooleanState": {"stateValue": True},
    }

    assert measured(message(node(clusters))) == [("contact", "closed", "")]


def test_a_name_that_no_table_has_is_in_no_position():
    sent = message({"attributes": {"Jane": {"Roe": {"0": 1}, "1026": {"0": 2150}}}})

    assert [r.position for r in readings(sent)] == [
        "$.payload.attributes.?.?",
        "$.payload.attributes.?.TemperatureMeasurement.measuredValue",
    ]


def test_a_retained_message_has_no_time():
    sent = message(node({"TemperatureMeasurement": {"measuredValue": 1}}), retain=True)

    [refusal] = of_endpoint(sent)

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, "room-temperature")
    assert refusal.payload["retain"] is True


def test_a_refusal_can_be_tried_again():
    sent = message(node({"TemperatureMeasurement": {"measuredValue": 2150}}))
    del sent["received_at"]
    [refusal] = of_endpoint(sent)

    [reading] = readings({**refusal.payload, "received_at": HEARD})

    assert (refusal.reason, str(reading.value)) == (Reason.NO_TIME, "21.50")
    assert reading.device == DeviceClue(identifier="unit-1", system=UNIQUE_ID)


@pytest.mark.parametrize(
    ("cluster", "members", "reason"),
    [
        ("TemperatureMeasurement", {"measuredValue": "21"}, Reason.INVALID_VALUE),
        ("TemperatureMeasurement", {"measuredValue": True}, Reason.INVALID_VALUE),
        ("IlluminanceMeasurement", {"measuredValue": 65535}, Reason.INVALID_VALUE),
        ("IlluminanceMeasurement", {"measuredValue": -1}, Reason.INVALID_VALUE),
        ("PowerSource", {"batChargeLevel": 3}, Reason.INVALID_VALUE),
        ("1037", {"0": 600}, Reason.NO_UNIT),
        ("1037", {"0": 600, "8": 6}, Reason.UNKNOWN_UNIT),
        ("4660", {"0": 1}, Reason.UNKNOWN_KIND),
    ],
)
def test_what_is_not_understood_is_refused_and_the_rest_is_kept(
    cluster, members, reason
):
    sensor = {"RelativeHumidityMeasurement": {"measuredValue": 4000}}
    sent = message(node({**sensor, cluster: members}))

    kept, refusal = of_endpoint(sent)

    assert kept.kind == "relative-humidity"
    assert refusal.reason is reason
    assert [r.reason for r in readings(refusal.payload)] == [reason]


@pytest.mark.parametrize("sent", [7, None, "x", {}, {"topic": "t", "payload": "{"}])
def test_what_is_no_node_is_accounted_for(sent):
    [reading] = readings(sent)

    assert isinstance(reading, Refusal | OutOfScope)


def test_no_cluster_is_both_read_and_out_of_scope():
    from mappings.vendors.matter.attributes import MEASURING  # noqa: PLC0415
    from mappings.vendors.matter.clusters import HEALTH  # noqa: PLC0415

    assert set(CLUSTERS.values()) >= MEASURING
    assert set(CLUSTERS.values()) - OUT_OF_SCOPE.keys() >= MEASURING - HEALTH


@needs_samples
@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        (
            "contact-sensor-example-app.json",
            28,
            [("signal-strength", "-68", "dB[W]"), ("contact", "open", "")],
        ),
        ("fake-bridge-two-light.json", 8, []),
        ("fake-temperature-sensor.json", 4, [("room-temperature", "21.00", "Cel")]),
        ("fake_extended_color_light.json", 5, []),
        ("fake_humidity_sensor.json", 4, [("relative-humidity", "30.00", "%")]),
        ("fake_pressure_sensor.json", 4, [("ambient-pressure", "0", "hPa")]),
    ],
)
def test_the_stored_nodes_are_accounted_for(name, count, expected):
    sent = loads((SAMPLES / name).read_bytes())

    found = readings(sent)

    assert sum(r.records for r in found) == count
    assert measured(sent) == expected
    kept = [r for r in found if isinstance(r, Measurement)]
    assert {r.start for r in kept} <= {NOW_TEXT}
    assert not [r for r in found if isinstance(r, Refusal)]
    assert not [one for one in STAND_INS if one in repr(kept)]


@needs_samples
def test_the_stored_measurements_are_stored_but_for_a_pressure_of_zero():
    found = [
        normalise(r, now_us=NOW_US)
        for path in sorted(SAMPLES.glob("*.json"))
        for r in readings(loads(path.read_bytes()))
        if isinstance(r, Measurement)
    ]

    assert [
        one.kind.name if isinstance(one, Normalised) else one.reason for one in found
    ] == [
        "signal-strength",
        "contact",
        "room-temperature",
        "relative-humidity",
        Reason.IMPOSSIBLE,
    ]


MEMBERS = (
    *("attributes", "0", "1", "29", "1026", "1/1026/0", "57", "payload", "topic"),
    *("event", "data", "result", "value", "attribute_path", "x"),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_value_is_accounted_for(sent):
    found = readings(sent)

    assert found or sent == []
    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)


def test_a_payload_as_text_is_read_as_the_same_object():
    content = node({"TemperatureMeasurement": {"measuredValue": 2150}})

    assert readings(message(dumps(content).decode())) == readings(message(content))
