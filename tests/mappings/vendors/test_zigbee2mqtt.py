import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.vendors.zigbee2mqtt.device import FRIENDLY_NAME, ZIGBEE_ADDRESS
from mappings.vendors.zigbee2mqtt.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "zigbee2mqtt"
)
SEEN = 1736928000123
SEEN_TEXT = "2025-01-15T08:00:00.123Z"


def message(topic: str = "zigbee2mqtt/Bedroom", **payload: object) -> object:
    return {"topic": topic, "payload": payload}


def readings(sent: object) -> list[object]:
    return list(parse(sent, received_at=NOW))


def one(sent: object) -> object:
    [reading] = readings(sent)
    return reading


def test_a_temperature_has_its_digits_its_device_and_no_patient():
    [sent] = loads(dumps([message(last_seen=SEEN, temperature=Number("20.70"))]))

    assert one(sent) == Measurement(
        kind="room-temperature",
        value=Number("20.70"),
        unit="Cel",
        start=SEEN_TEXT,
        start_us=SEEN * 1000,
        end=None,
        end_us=SEEN * 1000,
        position="$.payload.temperature",
        device=DeviceClue("Bedroom", FRIENDLY_NAME),
    )
    assert str(one(sent).value) == "20.70"


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("humidity", 44, ("relative-humidity", 44, "%", None)),
        ("pressure", 957, ("ambient-pressure", 957, "hPa", None)),
        ("illuminance", 35, ("illuminance", 35, "lx", None)),
        ("illuminance_lux", 35, ("illuminance", 35, "lx", None)),
        ("noise", 41, ("noise-level", 41, "dB[SPL]", "A-weighted")),
        ("co2", 612, ("carbon-dioxide", 612, "[ppm]", None)),
        ("pm25", 8, ("particulate-matter-2-5", 8, "ug/m3", None)),
        ("battery", 93, ("battery-level", 93, "%", None)),
        ("linkquality", 152, ("link-quality", 152, "{lqi}", None)),
        ("occupancy", True, ("occupancy", "occupied", "", None)),
        ("occupancy", False, ("occupancy", "unoccupied", "", None)),
        ("presence", True, ("presence", "occupied", "", None)),
        ("contact", True, ("contact", "closed", "", None)),
        ("contact", False, ("contact", "open", "", None)),
        ("battery_low", True, ("battery-low", "true", "", None)),
    ],
)
def test_each_property_is_its_kind_in_its_unit(member, value, expected):
    reading = one(message(last_seen=SEEN, **{member: value}))

    assert (reading.kind, reading.value, reading.unit, reading.method) == expected


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (SEEN, SEEN_TEXT),
        ("2025-01-15T08:00:00.123Z", "2025-01-15T08:00:00.123Z"),
        ("2025-01-15T09:00:00+01:00", "2025-01-15T09:00:00+01:00"),
    ],
)
def test_last_seen_is_read_in_each_of_its_formats(seen, text):
    assert one(message(last_seen=seen, humidity=44)).start == text


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ("2025-01-15T09:00:00", Reason.NO_OFFSET),
        (1736928000, Reason.MALFORMED),
        (Number("1736928000123.5"), Reason.MALFORMED),
        (True, Reason.MALFORMED),
        ("yesterday", Reason.MALFORMED),
    ],
)
def test_a_last_seen_that_is_no_time_is_refused_not_replaced(seen, reason):
    sent = message(last_seen=seen, humidity=44)
    sent["received_at"] = "2025-01-15T09:00:00+01:00"

    refusal = one(sent)

    assert (refusal.reason, refusal.kind) == (reason, "relative-humidity")


def test_received_at_stands_in_for_last_seen():
    sent = message(humidity=44, last_seen=None)
    sent["received_at"] = "2025-01-15T09:00:00+01:00"

    assert one(sent).start == "2025-01-15T09:00:00+01:00"


def test_without_a_time_each_property_is_refused_by_its_kind():
    found = readings(message(humidity=44, temperature=20))

    assert [(r.reason, r.kind, r.position) for r in found] == [
        (Reason.NO_TIME, "relative-humidity", "$.payload.humidity"),
        (Reason.NO_TIME, "room-temperature", "$.payload.temperature"),
    ]


@pytest.mark.parametrize("flag", ["retain", "retained"])
def test_a_retained_message_has_no_time_but_last_seen(flag):
    old = message(humidity=44) | {
        flag: True,
        "received_at": "2025-01-15T09:00:00+01:00",
    }
    told = message(humidity=44, last_seen=SEEN) | {flag: True}

    assert one(old).reason is Reason.NO_TIME
    assert one(told).start == SEEN_TEXT


@pytest.mark.parametrize(
    ("topic", "payload", "device"),
    [
        (
            "zigbee2mqtt/Bedroom temperature, humidity and pressure sensor",
            {},
            DeviceClue(
                "Bedroom temperature, humidity and pressure sensor", FRIENDLY_NAME
            ),
        ),
        (
            "zigbee2mqtt/upstairs/bed room",
            {},
            DeviceClue("upstairs/bed room", FRIENDLY_NAME),
        ),
        ("home/zigbee2mqtt/Bed", {}, DeviceClue("Bed", FRIENDLY_NAME)),
        ("house/Bed", {}, DeviceClue("Bed", FRIENDLY_NAME)),
        (
            "zigbee2mqtt/0x00158d0000000007",
            {},
            DeviceClue("00:15:8D:00:00:00:00:07", ZIGBEE_ADDRESS),
        ),
        (
            "zigbee2mqtt/Bed",
            {"ieee_address": "0x00158D0000000007"},
            DeviceClue("00:15:8D:00:00:00:00:07", ZIGBEE_ADDRESS),
        ),
        (
            "zigbee2mqtt/Bed",
            {
                "device": {
                    "friendlyName": "Bed",
                    "ieeeAddr": "0x00158d0000000007",
                    "manufacturerName": "LUMI",
                    "modelID": "lumi.weather",
                    "softwareBuildID": "3000-0001",
                    "hardwareVersion": 30,
                }
            },
            DeviceClue(
                "00:15:8D:00:00:00:00:07",
                ZIGBEE_ADDRESS,
                manufacturer="LUMI",
                model="lumi.weather",
                hardware="30",
                software="3000-0001",
            ),
        ),
    ],
)
def test_a_device_is_its_address_else_its_friendly_name(topic, payload, device):
    reading = one(message(topic, last_seen=SEEN, humidity=44, **payload))

    assert reading.device == device


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("zigbee2mqtt/bridge/devices", "bridge information"),
        ("zigbee2mqtt/bridge/state", "bridge information"),
        ("zigbee2mqtt/Bed/availability", "availability"),
        ("zigbee2mqtt/Bed/set", "command"),
        ("zigbee2mqtt/Bed/get", "command"),
    ],
)
def test_a_topic_without_a_state_is_out_of_scope(topic, what):
    assert one({"topic": topic, "payload": "online"}) == OutOfScope("$", what)


@pytest.mark.parametrize("payload", ["", " ", None, {}, {"last_seen": SEEN}])
def test_an_empty_message_is_out_of_scope(payload):
    sent = {"topic": "zigbee2mqtt/Bed", "payload": payload}

    assert one(sent) == OutOfScope("$", "message without a property")


@pytest.mark.parametrize("payload", ['{"humidity":44.50}', b'{"humidity":44.50}'])
def test_a_payload_as_mqtt_delivers_it_is_read(payload):
    sent = {
        "topic": "zigbee2mqtt/Bed",
        "payload": payload,
        "received_at": "2025-01-15T09:00:00Z",
    }

    assert str(one(sent).value) == "44.50"


@pytest.mark.parametrize("payload", ["online", "{", "[1]", 7, [], "\ud800"])
def test_a_payload_that_is_no_object_is_refused(payload):
    refusal = one({"topic": "zigbee2mqtt/Bed", "payload": payload})

    assert refusal.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "sent", [7, None, {"topic": 1, "payload": {}}, {"payload": {}}]
)
def test_what_is_no_message_is_refused(sent):
    assert one(sent).reason is Reason.MALFORMED


@pytest.mark.parametrize("topic", ["zigbee2mqtt", "zigbee2mqtt/", "x/" + "n" * 201])
def test_a_topic_that_names_no_device_is_refused(topic):
    assert one(message(topic, humidity=44)).reason is Reason.UNKNOWN_DEVICE


def test_lights_and_plugs_give_nothing_and_good_values_beside_them_are_kept():
    found = readings(
        message(last_seen=SEEN, state="ON", power=3, voltage=230, humidity=44)
    )

    assert [getattr(r, "what", None) or r.kind for r in found] == [
        "light or switch",
        "mains power",
        "mains power",
        "relative-humidity",
    ]


def test_voltage_is_that_of_the_battery_only_beside_a_battery():
    beside = readings(message(last_seen=SEEN, battery=93, voltage=3005))
    alone = one(message(last_seen=SEEN, voltage=3005))

    assert (beside[1].kind, beside[1].unit) == ("battery-voltage", "mV")
    assert alone.reason is Reason.NO_UNIT


def test_illuminance_is_one_property_under_two_names():
    found = readings(message(last_seen=SEEN, illuminance=16994, illuminance_lux=49))

    assert found[0] == OutOfScope(
        "$.payload.illuminance", "raw illuminance beside illuminance_lux"
    )
    assert (found[1].kind, found[1].value) == ("illuminance", 49)


def test_a_property_without_a_value_is_out_of_scope():
    assert one(message(last_seen=SEEN, humidity=None)) == OutOfScope(
        "$.payload.humidity", "property without a value"
    )


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("humidity", "44", Reason.INVALID_VALUE),
        ("humidity", True, Reason.INVALID_VALUE),
        ("occupancy", 1, Reason.INVALID_VALUE),
        ("contact", "true", Reason.INVALID_VALUE),
        ("voc", 12, Reason.NO_UNIT),
        ("soil_moisture", 12, Reason.UNKNOWN_KIND),
    ],
)
def test_what_is_not_understood_is_refused_and_kept_alone(member, value, reason):
    sent = message(last_seen=SEEN, temperature=20, **{member: value})

    _, refusal = readings(sent)

    assert refusal.reason is reason
    assert refusal.payload == message(last_seen=SEEN, **{member: value})


def test_a_name_that_no_table_has_is_in_no_position():
    refusal = one(message(last_seen=SEEN, **{"Jane Roe " * 50: 7}))

    assert (refusal.position, refusal.reason) == ("$.payload.?", Reason.UNKNOWN_KIND)


def test_a_refusal_can_be_tried_again():
    refusal = one(message(humidity=44))

    sent = refusal.payload | {"received_at": "2025-01-15T09:00:00Z"}

    assert one(sent).kind == "relative-humidity"


def test_messages_of_a_list_have_their_places():
    found = readings([message(last_seen=SEEN, humidity=44), 7])

    assert [reading.position for reading in found] == [
        "$[0].payload.humidity",
        "$[1]",
    ]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_message_is_accounted_for_to_the_last_property():
    sent = loads((SAMPLES / "message-temperature-humidity-pressure.json").read_bytes())

    untimed = {
        r.position.rpartition(".")[2]: getattr(r, "reason", None)
        for r in readings(sent)
    }
    timed = readings(sent | {"received_at": "2025-01-15T09:00:00Z"})

    no_time = Reason.NO_TIME
    assert untimed == {
        "battery": no_time,
        "humidity": no_time,
        "linkquality": no_time,
        "power_outage_count": None,
        "pressure": no_time,
        "temperature": no_time,
        "voltage": no_time,
    }
    assert {r.kind: str(r.value) for r in timed if isinstance(r, Measurement)} == {
        "battery-level": "100",
        "relative-humidity": "44.43",
        "link-quality": "152",
        "ambient-pressure": "957.4",
        "room-temperature": "20.74",
        "battery-voltage": "3025",
    }


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
@pytest.mark.parametrize(
    ("name", "count"), [("bridge-devices.json", 12), ("bridge-info.json", 1)]
)
def test_what_the_bridge_tells_of_itself_is_out_of_scope(name, count):
    # The device list holds a control character, which strict JSON for FHIR refuses.
    sent = json.loads((SAMPLES / name).read_bytes())

    found = readings(sent)

    assert len(found) == count
    assert not [r for r in found if not isinstance(r, OutOfScope)]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_a_device_list_under_its_topic_is_out_of_scope_in_one():
    devices = json.loads((SAMPLES / "bridge-devices.json").read_bytes())
    sent = {"topic": "zigbee2mqtt/bridge/devices", "payload": devices}

    assert one(sent) == OutOfScope("$", "bridge information")


def test_a_refusal_never_repeats_a_value():
    refusal = one(message(last_seen=SEEN, humidity="my-secret-value"))

    assert isinstance(refusal, Refusal)
    assert "secret" not in refusal.detail


def bridge(*exposes: object, **device: object) -> dict[str, object]:
    """Return a synthetic list of one device, as a bridge publishes it."""
    listed = {
        "friendly_name": "Bedroom",
        "ieee_address": "0x00158d0000000007",
        "definition": {"model": "M1", "exposes": list(exposes)},
        **device,
    }
    return {"topic": "zigbee2mqtt/bridge/devices", "payload": [listed]}


def numeric(name: str, unit: str) -> dict[str, object]:
    return {"type": "numeric", "property": name, "unit": unit}


@pytest.mark.parametrize(
    ("property_", "unit", "expected"),
    [
        ("temperature", "°F", ("room-temperature", "[degF]")),
        ("temperature", "°C", ("room-temperature", "Cel")),
        ("pressure", "kPa", ("ambient-pressure", "kPa")),
        ("noise", "dB", ("noise-level", "dB[SPL]")),
        ("voc", "ppb", ("volatile-organic-compounds", "[ppb]")),
        ("voc", "µg/m³", ("volatile-organic-compounds", "ug/m3")),
        ("voltage", "mV", ("battery-voltage", "mV")),
    ],
)
@pytest.mark.parametrize("topic", ["Bedroom", "0x00158d0000000007"])
def test_the_units_of_the_bridges_list_hold_for_all_messages_beside_it(
    property_, unit, expected, topic
):
    state = message(f"zigbee2mqtt/{topic}", last_seen=SEEN, **{property_: 70})

    before = readings([bridge(numeric(property_, unit)), state])
    after = readings([state, bridge(numeric(property_, unit))])

    assert (before[1].kind, before[1].unit) == expected
    assert (after[0].kind, after[0].unit) == expected


def test_a_unit_within_a_feature_is_found():
    climate = {"type": "climate", "features": [numeric("temperature", "°F")]}
    state = message(last_seen=SEEN, temperature=70)

    assert readings([bridge(climate), state])[1].unit == "[degF]"


def test_a_list_as_text_with_a_control_character_is_read():
    sent = bridge(numeric("temperature", "°F"), date_code="2021\x00")
    sent["payload"] = json.dumps(sent["payload"])

    found = readings([sent, message(last_seen=SEEN, temperature=70)])

    assert [getattr(r, "what", None) or r.unit for r in found] == [
        "bridge information",
        "[degF]",
    ]


def test_the_list_of_one_bridge_says_nothing_of_anothers_devices():
    state = message("other/Bedroom", last_seen=SEEN, temperature=20)

    assert readings([bridge(numeric("temperature", "°F")), state])[1].unit == "Cel"


def test_a_unit_of_the_list_that_is_not_known_is_refused_and_kept():
    state = message(last_seen=SEEN, temperature=70)

    refusal = readings([bridge(numeric("temperature", "°Ré")), state])[1]

    assert (refusal.reason, refusal.kind) == (Reason.UNKNOWN_UNIT, "room-temperature")
    assert refusal.payload["units"] == {"temperature": "°Ré"}
    assert one(refusal.payload).reason is Reason.UNKNOWN_UNIT


@pytest.mark.parametrize(
    "told",
    [
        [
            bridge(definition={"model": "TS0601_bed_presence_sensor"}),
            message(last_seen=SEEN, occupancy=True),
        ],
        [
            bridge(manufacturer="_TZE200_seq9cm6u"),
            message(last_seen=SEEN, occupancy=True),
        ],
        [
            message(
                last_seen=SEEN,
                occupancy=True,
                device={"model": "TS0601_bed_presence_sensor"},
            )
        ],
        [
            message(last_seen=SEEN, occupancy=True)
            | {"model": "TS0601_bed_presence_sensor"}
        ],
    ],
)
def test_occupancy_of_a_strap_in_a_bed_is_presence_in_bed(told):
    reading = readings(told)[-1]

    assert (reading.kind, reading.value) == ("bed-presence", "occupied")


def test_a_refused_presence_in_bed_is_still_one_when_it_is_tried_again():
    told = [
        bridge(definition={"model": "TS0601_bed_presence_sensor"}),
        message(occupancy=False),
    ]

    refusal = readings(told)[1]
    reading = one(refusal.payload | {"received_at": "2025-01-15T09:00:00Z"})

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, "bed-presence")
    assert (reading.kind, reading.value) == ("bed-presence", "unoccupied")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_list_tells_the_units_of_its_devices():
    listed = json.loads((SAMPLES / "bridge-devices.json").read_bytes())
    state = message("zigbee2mqtt/Door Sensor", last_seen=SEEN, contact=True, voltage=3)

    found = readings([*listed, state])

    assert [(r.kind, r.unit) for r in found[-2:]] == [
        ("contact", ""),
        ("battery-voltage", "mV"),
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=9)
    | st.sampled_from(["zigbee2mqtt/bridge/devices", "zigbee2mqtt/Bed", "Bed", "°F"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("topic", "payload", "definition", "exposes", "features", "unit"),
                    *("property", "units", "model", "friendly_name", "temperature"),
                    *("device", "last_seen", "occupancy", "voc", "voltage"),
                )
            ),
            inner,
            max_size=5,
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
