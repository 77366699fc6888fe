"""All samples here are synthetic, after the public documentation."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.home_assistant.classes import (
    BINARY_SENSORS,
    CLASSES_OUT_OF_SCOPE,
    DOMAINS_OUT_OF_SCOPE,
    SENSORS,
)
from mappings.vendors.home_assistant.entity import ENTITY_ID, UNIQUE_ID
from mappings.vendors.home_assistant.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
HEARD = "2025-01-15T09:00:00+01:00"
UPDATED = "2025-01-15T07:59:58.920969+00:00"


def message(topic: str, payload: object, **members: object) -> dict[str, object]:
    return {"topic": topic, "payload": payload, "received_at": HEARD, **members}


def stream(state: object, **attributes: str) -> list[dict[str, object]]:
    """Return what the state stream sends when a sensor's state changes."""
    entity = "home-7/sensor/bedroom"
    return [
        message(f"{entity}/state", state),
        *(
            message(f"{entity}/{name}", json.dumps(value, ensure_ascii=False))
            for name, value in attributes.items()
        ),
    ]


def sensor(device_class: str, unit: str | None, state: object) -> object:
    told = {} if unit is None else {"unit_of_measurement": unit}
    return readings(stream(state, device_class=device_class, **told))[0]


def discovered(
    state: object, component: str = "sensor", **config: object
) -> list[object]:
    """Return the readings of a state whose topic was discovered."""
    whole = {"stat_t": "own/topic", "uniq_id": "unit-1", **config}
    return readings(
        [
            message(f"homeassistant/{component}/node/one/config", json.dumps(whole)),
            message("own/topic", state),
        ]
    )


def readings(sent: object) -> list[object]:
    return list(parse(sent, received_at=NOW))


def test_a_streamed_state_has_the_class_the_unit_and_the_time_of_its_attributes():
    sent = stream(
        "21.40",
        last_updated=UPDATED,
        unit_of_measurement="°C",
        device_class="temperature",
        friendly_name="Bedroom of a person",
    )

    found = readings(sent)

    assert found[0] == Measurement(
        kind="room-temperature",
        value=Number("21.40"),
        unit="Cel",
        start=UPDATED,
        start_us=1736927998920969,
        end=None,
        end_us=1736927998920969,
        position="$[0].payload",
        device=DeviceClue("home-7/sensor.bedroom", ENTITY_ID),
    )
    assert str(found[0].value) == "21.40"
    assert {(type(r), getattr(r, "what", None)) for r in found[1:]} == {
        (OutOfScope, "attribute of an entity")
    }


@pytest.mark.parametrize(
    ("device_class", "unit", "expected"),
    [
        ("temperature", "°F", ("room-temperature", 41, "[degF]", None)),
        ("humidity", "%", ("relative-humidity", 41, "%", None)),
        ("atmospheric_pressure", "mbar", ("ambient-pressure", 41, "hPa", None)),
        ("illuminance", "lx", ("illuminance", 41, "lx", None)),
        ("sound_pressure", "dB", ("noise-level", 41, "dB[SPL]", None)),
        ("sound_pressure", "dBA", ("noise-level", 41, "dB[SPL]", "A-weighted")),
        ("carbon_dioxide", "ppm", ("carbon-dioxide", 41, "[ppm]", None)),
        ("pm25", "µg/m³", ("particulate-matter-2-5", 41, "ug/m3", None)),
        ("pm10", "\u03bcg/m³", ("particulate-matter-10", 41, "ug/m3", None)),
        (
            "volatile_organic_compounds",
            "µg/m³",
            ("volatile-organic-compounds-mass", 41, "ug/m3", None),
        ),
        (
            "volatile_organic_compounds_parts",
            "ppb",
            ("volatile-organic-compounds", 41, "[ppb]", None),
        ),
        ("aqi", None, ("air-quality-index", 41, "{index}", None)),
        ("battery", "%", ("battery-level", 41, "%", None)),
        ("signal_strength", "dBm", ("signal-strength", 11, "dB[W]", None)),
    ],
)
@pytest.mark.parametrize("state", ["41", 41, '"41"'])
def test_each_class_is_its_kind_in_its_unit(device_class, unit, expected, state):
    reading = sensor(device_class, unit, state)

    assert (reading.kind, reading.value, reading.unit, reading.method) == expected


@pytest.mark.parametrize(
    ("device_class", "state", "expected"),
    [
        ("motion", "on", ("occupancy", "occupied")),
        ("occupancy", "off", ("occupancy", "unoccupied")),
        ("presence", "on", ("presence", "occupied")),
        ("door", "on", ("contact", "open")),
        ("window", "off", ("contact", "closed")),
        ("battery", "on", ("battery-low", "true")),
        ("battery_charging", "off", ("battery-charging", "false")),
        ("connectivity", "off", ("device-available", "false")),
        ("motion", "unavailable", ("device-available", "false")),
    ],
)
def test_a_binary_sensor_is_on_or_off_in_the_way_of_its_class(
    device_class, state, expected
):
    entity = "home-7/binary_sensor/one"

    [reading, _] = readings(
        [
            message(f"{entity}/state", state),
            message(f"{entity}/device_class", device_class),
        ]
    )

    assert (reading.kind, reading.value) == expected


def test_each_state_has_the_time_that_follows_it():
    one, two = (
        [message("h/sensor/a/state", value), message("h/sensor/a/last_updated", at)]
        for value, at in (("1", UPDATED), ("2", "2025-01-15T08:30:00+00:00"))
    )
    told = [
        message("h/sensor/a/device_class", "humidity"),
        message("h/sensor/a/unit_of_measurement", "%"),
        message("h/sensor/a/state", "3"),
    ]

    found = readings([*one, *two, *told])

    assert [(r.value, r.start) for r in found if isinstance(r, Measurement)] == [
        (1, UPDATED),
        (2, "2025-01-15T08:30:00+00:00"),
        (3, HEARD),
    ]


def test_a_retained_state_has_only_the_time_that_it_tells():
    topic = "h/sensor/a/state"
    told = {"device_class": "humidity", "unit_of_measurement": "%", "retain": True}

    [refusal] = readings(message(topic, "41", **told))
    [reading] = readings(message(topic, "41", **told, last_updated=UPDATED))

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, "relative-humidity")
    assert reading.start == UPDATED


def test_one_message_may_say_beside_its_topic_what_others_told_before():
    told = {"device_class": "humidity", "unit_of_measurement": "%"}

    [reading] = readings(message("h/sensor/a/state", "41", **told))

    assert (reading.kind, reading.value, reading.start) == (
        "relative-humidity",
        41,
        HEARD,
    )


@pytest.mark.parametrize("state", ["unknown", "", "None", None])
def test_a_state_without_a_value_is_out_of_scope(state):
    assert sensor("humidity", "%", state).what == "state without a value"


def test_a_sensor_that_is_not_available_says_so():
    reading = sensor("humidity", "%", "unavailable")

    assert (reading.kind, reading.value) == ("device-available", "false")


@pytest.mark.parametrize(
    ("device_class", "unit", "state", "reason"),
    [
        ("humidity", None, "41", Reason.NO_UNIT),
        ("humidity", "g/m³", "41", Reason.UNKNOWN_UNIT),
        ("humidity", "%", "wet", Reason.INVALID_VALUE),
        ("humidity", "%", True, Reason.INVALID_VALUE),
        ("pressure", "hPa", "1013", Reason.UNKNOWN_KIND),
        ("signal_strength", "dB", "7", Reason.UNKNOWN_UNIT),
    ],
)
def test_what_is_not_understood_is_refused_and_can_be_tried_again(
    device_class, unit, state, reason
):
    refusal = sensor(device_class, unit, state)

    [again] = readings(refusal.payload)

    assert (refusal.reason, again.reason) == (reason, reason)
    assert refusal.payload["device_class"] == device_class


def test_a_state_without_a_class_is_not_guessed_from_its_name():
    [refusal] = readings(message("h/sensor/bedroom_temperature/state", "21"))

    assert refusal.reason is Reason.UNKNOWN_KIND


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("h/light/lamp/state", "light or switch"),
        ("h/device_tracker/phone/latitude", "person or position"),
        ("h/climate/room/current_temperature", "heating, cover or lock"),
        ("h/sensor/a/friendly_name", "attribute of an entity"),
        ("homeassistant/status", "availability"),
        ("h/sensor/plug/availability", "availability"),
    ],
)
def test_other_topics_are_out_of_scope(topic, what):
    [found] = readings(message(topic, "on"))

    assert (type(found), found.what) == (OutOfScope, what)


def test_a_class_that_is_never_stored_is_out_of_scope():
    assert sensor("power", "W", "3").what == "mains power"


def test_a_discovered_state_is_of_the_unique_id_of_its_entity():
    config, reading = discovered(
        '{"temperature": 21.40, "humidity": 44}',
        dev_cla="temperature",
        unit_of_meas="°C",
        val_tpl="{{ value_json.temperature }}",
        dev={"ids": ["x"], "name": "Bed of a person", "mf": "Maker", "mdl": "M1"},
    )

    assert config == OutOfScope("$[0]", "device description")
    assert reading == Measurement(
        kind="room-temperature",
        value=Number("21.40"),
        unit="Cel",
        start=HEARD,
        start_us=1736928000000000,
        end=None,
        end_us=1736928000000000,
        position="$[1].payload.temperature",
        device=DeviceClue("unit-1", UNIQUE_ID, manufacturer="Maker", model="M1"),
    )


def test_a_description_without_abbreviations_and_without_a_template_is_read():
    config = {
        "~": "own",
        "state_topic": "~/topic",
        "device_class": "humidity",
        "unit_of_measurement": "%",
    }
    sent = [
        message("homeassistant/sensor/one/config", config),
        message("own/topic", "44.5"),
    ]

    reading = readings(sent)[1]

    assert (reading.kind, str(reading.value)) == ("relative-humidity", "44.5")
    assert reading.device == DeviceClue("homeassistant/sensor.one", ENTITY_ID)


def test_a_device_may_describe_several_entities_of_one_topic():
    config = {
        "dev": {"ids": "x"},
        "stat_t": "own/topic",
        "cmps": {
            "t": {
                "p": "sensor",
                "uniq_id": "unit-t",
                "dev_cla": "temperature",
                "unit_of_meas": "°C",
                "val_tpl": "{{ value_json['t'] }}",
            },
            "o": {
                "p": "binary_sensor",
                "uniq_id": "unit-o",
                "dev_cla": "occupancy",
                "pl_on": True,
                "pl_off": False,
                "val_tpl": "{{ value_json.state.occupied }}",
            },
            "l": {"p": "light", "uniq_id": "unit-l"},
        },
    }
    state = {"t": 20, "state": {"occupied": False}}

    found = readings(
        [
            message("homeassistant/device/x/config", json.dumps(config)),
            message("own/topic", state),
        ]
    )

    assert [
        (r.device.identifier, r.kind, r.value)
        for r in found
        if isinstance(r, Measurement)
    ] == [
        ("unit-t", "room-temperature", 20),
        ("unit-o", "occupancy", "unoccupied"),
    ]
    assert found[-1] == OutOfScope("$[1].payload", "light or switch")


@pytest.mark.parametrize(
    ("template", "state", "reason"),
    [
        ("{{ value_json.t | float / 10 }}", '{"t": 1}', Reason.UNKNOWN_KIND),
        ("{{ states('sensor.x') }}", '{"t": 1}', Reason.UNKNOWN_KIND),
        ("{{ value_json.t }}", '{"h": 1}', Reason.MALFORMED),
        ("{{ value_json.t }}", "offline", Reason.MALFORMED),
        ("{{ value }}", "wet", Reason.INVALID_VALUE),
    ],
)
def test_a_discovered_state_that_cannot_be_taken_out_is_refused(
    template, state, reason
):
    described = {"dev_cla": "humidity", "unit_of_meas": "%", "val_tpl": template}

    refusal = discovered(state, **described, dev={"name": "Bed of a person"})[1]

    [again] = readings(refusal.payload)
    assert (refusal.reason, again.reason) == (reason, reason)
    assert "person" not in repr(refusal)


def test_a_topic_of_more_entities_than_a_device_has_is_refused():
    config = json.dumps({"stat_t": "own/topic", "dev_cla": "humidity"})
    described = [
        message(f"homeassistant/sensor/{number}/config", config)
        for number in range(201)
    ]

    found = readings([*described, message("own/topic", "41")])

    assert found[-1].reason is Reason.MALFORMED


def test_a_device_of_more_entities_than_a_device_has_describes_none():
    parts = {str(number): {"p": "sensor"} for number in range(201)}
    config = {"stat_t": "own/topic", "cmps": parts}

    found = readings(
        [message("homeassistant/device/x/config", config), message("own/topic", "41")]
    )

    assert [type(reading) for reading in found] == [OutOfScope, Refusal]


def test_a_topic_of_which_nothing_is_known_is_refused():
    [refusal] = readings(message("own/topic", "21"))

    assert refusal.reason is Reason.UNKNOWN_KIND


@pytest.mark.parametrize("payload", ["", "{}", {}])
def test_a_description_that_is_withdrawn_is_out_of_scope(payload):
    [found] = readings(message("homeassistant/sensor/one/config", payload))

    assert found == OutOfScope("$", "device description")


@pytest.mark.parametrize("sent", [7, None, "x", {}, {"topic": 1, "payload": 2}])
def test_what_is_no_message_is_refused(sent):
    [refusal] = readings(sent)

    assert refusal.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("device_class", "unit"),
    [(name, word or None) for name, (_, units) in SENSORS.items() for word in units],
)
def test_every_unit_can_be_stored_in_its_kind(device_class, unit):
    middle = {"atmospheric_pressure": 1000, "signal_strength": -60}
    value = middle.get(device_class, 50)
    if (device_class, unit) in {("temperature", "K"), ("atmospheric_pressure", "kPa")}:
        value = {"K": 293, "kPa": 101}[unit]
    elif device_class == "atmospheric_pressure":
        value = {"Pa": 101300, "mmHg": 760}.get(unit, 1013)

    reading = sensor(device_class, unit, value)

    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_no_class_is_both_stored_and_out_of_scope():
    stored = {("sensor", name) for name in SENSORS}
    stored |= {("binary_sensor", name) for name in BINARY_SENSORS}

    assert not stored & CLASSES_OUT_OF_SCOPE.keys()
    assert not {"sensor", "binary_sensor"} & DOMAINS_OUT_OF_SCOPE.keys()


TOPICS = st.sampled_from(
    [
        *(
            "homeassistant/sensor/a/config",
            "homeassistant/device/a/config",
            "own/topic",
        ),
        *("h/sensor/a/state", "h/sensor/a/device_class", "h/light/a/state", "config"),
        *("h/sensor/a/last_updated", "", "x", "sensor/config", "/////"),
    ]
)
MEMBERS = (
    *("stat_t", "~", "val_tpl", "cmps", "dev", "uniq_id", "dev_cla", "p", "unique_id"),
    *("components", "device", "payload_on", "state_topic", "a"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=9)
    | st.sampled_from(["own/topic", "humidity", "sensor", '{"a": 1}', "{{ value }}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=8,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"topic": TOPICS | JSON, "payload": JSON},
        optional={
            "received_at": st.just(HEARD) | JSON,
            "config": JSON,
            "device_class": JSON,
            "last_updated": JSON,
        },
    )
    | JSON,
    max_size=4,
)


@given(MESSAGES)
def test_any_messages_are_accounted_for(sent):
    found = readings(sent)

    assert len(found) >= len(sent)
    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)
