import csv
import struct
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import dumps, loads
from conformance.issues import FHIRError
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import normalise
from mappings.vendors.fit import activity, messages, monitoring
from mappings.vendors.fit.decode import messages as decoded
from mappings.vendors.fit.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1_795_000_000_000_000
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "garmin-fit"
)
SEEN = sorted(SAMPLES.glob("*.fit"))
AT = 1_000_000_000
AT_TEXT = "2021-09-08T01:46:40Z"
AT_US = (AT + 631_065_600) * 1_000_000
REDACTED = (
    "10.1234",
    "20.9876",
    "140.9876",
    "120000000",
    "240000000",
    "Patient01",
    "user001",
)

needs_samples = pytest.mark.skipif(
    not SEEN, reason="the sample payloads are not beside this checkout"
)

# A FIT file, written from the protocol's documentation and by none of our code.

ENUM, UINT8, UINT16, SINT16, UINT32, STRING, BYTE = (
    0x00,
    0x02,
    0x84,
    0x83,
    0x86,
    0x07,
    0x0D,
)
UINT32Z = 0x8C
_FORMATS = {
    ENUM: "B",
    UINT8: "B",
    UINT16: "H",
    SINT16: "h",
    UINT32: "I",
    UINT32Z: "I",
    BYTE: "B",
}

FILE_ID, SESSION, RECORD, DEVICE_INFO = 0, 18, 20, 23
USER_PROFILE, WEIGHT_SCALE, ACTIVITY, BLOOD_PRESSURE = 3, 30, 34, 51
MONITORING, HRV, MONITORING_INFO, FIELD_DESCRIPTION = 55, 78, 103, 206
DEVELOPER_DATA_ID, STRESS_LEVEL, SLEEP_LEVEL = 207, 227, 275

TIME = (253, UINT32)
NIBBLES = (
    0x0000,
    0xCC01,
    0xD801,
    0x1400,
    0xF001,
    0x3C00,
    0x2800,
    0xE401,
    0xA001,
    0x6C00,
    0x7800,
    0xB401,
    0x5000,
    0x9C01,
    0x8801,
    0x4400,
)


def crc(data):
    value = 0
    for byte in data:
        for nibble in (byte & 0xF, byte >> 4):
            value = (value >> 4) & 0x0FFF ^ NIBBLES[value & 0xF] ^ NIBBLES[nibble]
    return value


def message(number, *members, developer=()):
    """Return definition and data of a message; members are (number, type), value."""
    flag = 0x20 if developer else 0
    definition = struct.pack("<BBBHB", 0x40 | flag, 0, 0, number, len(members))
    data = b"\x00"
    for (member, kind), value in members:
        values = value if isinstance(value, tuple) else (value,)
        packed = (
            value.encode() + b"\0"
            if kind == STRING
            else struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        )
        definition += struct.pack("<BBB", member, len(packed), kind)
        data += packed
    if developer:
        definition += struct.pack("<B", len(developer))
    for (member, application), packed in developer:
        definition += struct.pack("<BBB", member, len(packed), application)
        data += packed
    return definition + data


def fit(*messages, declared=None):
    """Return a whole FIT file."""
    body = b"".join(messages)
    size = len(body) if declared is None else declared
    header = struct.pack("<BBHI4s", 12, 0x10, 100, size, b".FIT")
    return header + body + struct.pack("<H", crc(header + body))


HEADER = message(
    FILE_ID,
    ((0, ENUM), 4),
    ((1, UINT16), 1),
    ((2, UINT16), 2697),
    ((3, UINT32Z), 4711),
    ((4, UINT32), AT),
)
LOCAL = message(ACTIVITY, (TIME, AT), ((5, UINT32), AT + 7200))
WATCH = DeviceClue(manufacturer="garmin", model="fenix5", serial="4711")


def readings(*parts, zone=None):
    return list(parse(fit(*parts), received_at=NOW, zone=zone))


def measured(*parts, zone=None):
    return [r for r in readings(*parts, zone=zone) if isinstance(r, Measurement)]


def refused(*parts, zone=None):
    return [r for r in readings(*parts, zone=zone) if isinstance(r, Refusal)]


def weight(raw, at=AT):
    return message(WEIGHT_SCALE, (TIME, at), ((0, UINT16), raw))


def record(rate, at):
    return message(RECORD, (TIME, at), ((3, UINT8), rate))


def test_a_weight_is_exact_and_knows_its_device_and_its_file():
    [reading] = measured(HEADER, weight(7580))

    assert reading == Measurement(
        kind="body-weight",
        value=Decimal("75.80"),
        unit="kg",
        start=AT_TEXT,
        start_us=AT_US,
        end=None,
        end_us=AT_US,
        position="message[1].weight",
        source_id=f"4711-{AT}#{AT_US // 1_000_000}",
        device=WATCH,
    )
    assert str(reading.value) == "75.80"


def test_the_offset_is_that_of_the_local_timestamp():
    [reading] = measured(HEADER, weight(7580), LOCAL)

    assert reading.start == "2021-09-08T03:46:40+02:00"


@pytest.mark.parametrize("distance", [7201, 15 * 3600, -15 * 3600])
def test_a_local_timestamp_that_cannot_be_is_flagged_and_not_believed(distance):
    wrong = message(ACTIVITY, (TIME, AT), ((5, UINT32), AT + distance))

    [reading] = measured(HEADER, weight(7580), wrong)

    assert (reading.start, reading.flags) == (AT_TEXT, ("zone-disputed",))


def test_a_named_zone_stands_in_where_the_file_tells_no_local_time():
    [bare] = measured(weight(7580), zone="Europe/Berlin")
    [told] = measured(weight(7580), LOCAL, zone="America/New_York")

    assert (bare.start, bare.zone) == ("2021-09-08T03:46:40+02:00", "Europe/Berlin")
    assert (told.start, told.zone) == ("2021-09-08T03:46:40+02:00", None)


def test_a_device_that_counts_from_its_start_needs_a_local_time_and_a_zone():
    local = message(ACTIVITY, (TIME, 1000), ((5, UINT32), AT))
    parts = (weight(7580, at=1060), local)

    [no_offset] = refused(*parts)
    [no_time] = refused(weight(7580, at=1060))
    [reading] = measured(*parts, zone="Europe/Berlin")

    assert (no_offset.reason, no_time.reason) == (Reason.NO_OFFSET, Reason.NO_TIME)
    assert reading.start == "2021-09-08T01:47:40+02:00"


def test_an_unknown_zone_is_refused_before_the_file_is_read():
    with pytest.raises(FHIRError):
        parse(b"", received_at=NOW, zone="Mars/Olympus")


def test_all_ones_are_no_value():
    [reading] = readings(weight(0xFFFF))

    assert reading == OutOfScope("message[0]", "message without a value")


def test_a_scale_that_is_still_weighing_has_no_value():
    [reading] = measured(weight(0xFFFE))

    assert (reading.value, reading.unit, reading.absent) == (None, "", "unknown")


def test_a_scale_of_several_people_binds_none_of_them():
    people = [
        message(USER_PROFILE, ((254, UINT16), i), ((2, UINT8), 47)) for i in (0, 1)
    ]

    [refusal] = refused(HEADER, *people, weight(7580))

    assert (refusal.reason, refusal.records) == (Reason.AMBIGUOUS_WEARER, 1)
    assert not measured(HEADER, *people, weight(7580))
    assert len(measured(HEADER, people[0], weight(7580))) == 1


def test_a_refused_message_is_kept_so_that_it_can_be_tried_again():
    people = [
        message(USER_PROFILE, ((254, UINT16), i), ((2, UINT8), 47)) for i in (0, 1)
    ]
    [refusal] = refused(HEADER, *people, weight(7580), LOCAL)
    payload = loads(dumps(refusal.payload))

    [still] = parse(payload, received_at=NOW)
    [bound] = parse({**payload, "wearers": 1}, received_at=NOW)

    assert still.reason is Reason.AMBIGUOUS_WEARER
    assert (bound.kind, str(bound.value), bound.start) == (
        "body-weight",
        "75.80",
        "2021-09-08T03:46:40+02:00",
    )


@pytest.mark.parametrize(
    "payload",
    [{}, {"message": "record", "values": {}}, {"message": ["x"], "values": 1}],
)
def test_what_is_no_message_cannot_be_tried_again(payload):
    [refusal] = parse(payload, received_at=NOW)

    assert refusal.reason is Reason.MALFORMED


def test_a_blood_pressure_is_a_panel_and_a_heart_rate():
    panel, pulse = measured(
        message(
            BLOOD_PRESSURE,
            (TIME, AT),
            ((0, UINT16), 120),
            ((1, UINT16), 80),
            ((2, UINT16), 93),
            ((6, UINT8), 61),
        )
    )

    assert panel.components == (
        Component("systolic-blood-pressure", 120, "mm[Hg]"),
        Component("diastolic-blood-pressure", 80, "mm[Hg]"),
        Component("mean-blood-pressure", 93, "mm[Hg]"),
    )
    assert (pulse.kind, pulse.value) == ("heart-rate", 61)


def test_negative_stress_is_no_stress():
    parts = [
        message(STRESS_LEVEL, ((0, SINT16), value), ((1, UINT32), AT))
        for value in (25, -2)
    ]

    assert [(r.kind, r.value, r.absent) for r in measured(*parts)] == [
        ("garmin-stress-level", 25, None),
        ("garmin-stress-level", None, "unknown"),
    ]


def test_a_battery_is_that_of_the_sensor_that_has_it():
    sensor = message(
        DEVICE_INFO,
        (TIME, AT),
        ((0, UINT8), 3),
        ((2, UINT16), 32),
        ((3, UINT32Z), 815),
        ((5, UINT16), 210),
        ((10, UINT16), 755),
        ((11, UINT8), 4),
    )

    voltage, low = measured(HEADER, sensor)

    assert (voltage.kind, voltage.value, voltage.unit) == (
        "battery-voltage",
        Decimal("2949.21875"),
        "mV",
    )
    assert (low.kind, low.value, low.unit) == ("battery-low", "true", "")
    assert voltage.device == DeviceClue(
        manufacturer="wahoo_fitness", serial="815", firmware="2.10"
    )


def test_the_watch_knows_its_firmware_from_its_own_device_info():
    own = message(DEVICE_INFO, (TIME, AT), ((0, UINT8), 0), ((5, UINT16), 410))

    [reading] = measured(HEADER, own, weight(7580))

    assert reading.device == WATCH._replace(firmware="4.10")


def test_records_of_every_second_are_one_signal_and_no_spot_heart_rates():
    parts = [record(60, AT), record(61, AT + 1), record(0, AT + 2), record(64, AT + 3)]

    [signal] = measured(HEADER, *parts)

    assert signal == Measurement(
        kind="heart-rate-series",
        value=Samples(1000, (60, 61, "E", 64)),
        unit="/min",
        start=AT_TEXT,
        start_us=AT_US,
        end="2021-09-08T01:46:44Z",
        end_us=AT_US + 4_000_000,
        position="record.heart_rate",
        source_id=f"4711-{AT}#{AT_US // 3_600_000_000 * 3600}",
        device=WATCH,
        components=(
            Component("heart-rate-minimum", 60, "/min"),
            Component("heart-rate-mean", Decimal("61.7"), "/min"),
            Component("heart-rate-maximum", 64, "/min"),
        ),
        records=3,
    )


def test_positions_are_counted_and_dropped():
    place = message(RECORD, (TIME, AT), ((0, UINT32), 120_000_000), ((3, UINT8), 60))

    found = readings(place)

    assert OutOfScope("record", "geoposition", 1) in found
    assert "120000000" not in repr(found)


def test_records_without_a_time_are_refused_and_counted():
    parts = [message(RECORD, ((3, UINT8), 60)), message(RECORD, ((3, UINT8), 61))]

    [refusal] = refused(*parts)

    assert (refusal.reason, refusal.kind, refusal.records) == (
        Reason.NO_TIME,
        "heart-rate-series",
        2,
    )


def test_a_session_has_its_totals_and_what_the_records_add():
    session = message(
        SESSION,
        (TIME, AT + 2),
        ((2, UINT32), AT),
        ((7, UINT32), 2500),
        ((8, UINT32), 2000),
        ((9, UINT32), 15_756),
        ((10, UINT32), 78),
        ((16, UINT8), 90),
        ((14, UINT16), 2770),
        ((18, UINT8), 83),
        ((92, UINT8), 86),
        ((5, ENUM), 1),
    )

    [workout, _] = measured(record(60, AT), record(70, AT + 1), session)

    assert (workout.kind, workout.value, workout.start, workout.end) == (
        "workout",
        "running",
        AT_TEXT,
        "2021-09-08T01:46:42.5Z",
    )
    assert workout.components == (
        Component("heart-rate-minimum", 60, "/min"),
        Component("heart-rate-mean", 90, "/min"),
        Component("heart-rate-maximum", 70, "/min"),
        Component("workout-duration", Decimal("2.000"), "s"),
        Component("distance", Decimal("157.56"), "m"),
        Component("speed", Decimal("2.770"), "m/s"),
        Component("steps", 156, "{steps}"),
        Component("cadence", Decimal("167.34375"), "{steps}/min"),
    )


def test_strokes_and_pedals_are_no_steps():
    session = message(
        SESSION,
        ((2, UINT32), AT),
        ((7, UINT32), 2500),
        ((10, UINT32), 78),
        ((18, UINT8), 83),
        ((5, ENUM), 2),
    )

    [workout] = measured(session)

    assert (workout.value, workout.components) == ("cycling", ())


@pytest.mark.parametrize(
    ("sport", "part", "code"),
    [
        (1, 0, "running"),
        (11, 0, "walking"),
        (4, 20, "traditional-strength-training"),
        (13, 0, "downhill-skiing"),
        (24, 0, "other"),
        (None, None, "other"),
        (251, 251, "other"),
    ],
)
def test_a_sport_has_a_code_of_ours(sport, part, code):
    assert activity.sport_code(sport, part) == code


def test_a_session_without_a_start_is_refused():
    [refusal] = refused(message(SESSION, ((7, UINT32), 2500), ((9, UINT32), 100)))

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, "workout")


def test_heartbeats_are_a_signal_without_what_fills_the_message_up():
    beats = message(HRV, ((0, UINT16), (1093, 1165, 0xFFFF, 0xFFFF, 0xFFFF)))

    [_, signal] = measured(record(60, AT), beats, beats)

    assert (signal.kind, signal.value, signal.unit) == (
        "rr-interval-series",
        Samples(Decimal("1129.000"), (1093, 1165, 1093, 1165)),
        "ms",
    )
    assert (signal.start, signal.end, signal.records) == (
        AT_TEXT,
        "2021-09-08T01:46:44.516Z",
        4,
    )


def test_a_single_heartbeat_of_a_message_counts_too():
    beat = message(HRV, ((0, UINT16), 1093))

    [_, signal] = measured(record(60, AT), beat)

    assert signal.value.data == (1093,)


def test_a_second_heart_rate_of_a_moment_is_counted_and_not_stored():
    found = readings(record(60, AT), record(62, AT))

    assert found[0].value.data == (62,)
    assert found[1] == OutOfScope("record.heart_rate", "second value of a moment")


def test_a_session_without_a_length_is_refused():
    [refusal] = refused(message(SESSION, ((2, UINT32), AT), ((9, UINT32), 100)))

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, "workout")


def test_a_heart_rate_of_zero_is_none():
    rate = message(MONITORING, (TIME, AT), ((27, UINT8), 0))

    assert readings(rate) == [
        OutOfScope("message[0].heart_rate", "message without a value")
    ]


def test_a_count_that_falls_at_an_unknown_offset_starts_at_the_last_one():
    begin = message(MONITORING_INFO, (TIME, AT))

    found = measured(begin, cycles(100, AT + 60), cycles(40, AT + 120))

    assert [(r.value, r.start) for r in found] == [
        (100, AT_TEXT),
        (40, "2021-09-08T01:47:40Z"),
    ]


def test_heartbeats_before_any_record_have_no_time():
    [refusal] = refused(message(HRV, ((0, UINT16), (1093, 1165, 0xFFFF))))

    assert (refusal.reason, refusal.kind, refusal.records) == (
        Reason.NO_TIME,
        "rr-interval-series",
        2,
    )


def developer(native, unit):
    return (
        message(DEVELOPER_DATA_ID, ((3, UINT8), 0)),
        message(
            FIELD_DESCRIPTION,
            ((0, UINT8), 0),
            ((1, UINT8), 7),
            ((2, UINT8), UINT8),
            ((3, STRING), "made up"),
            ((8, STRING), unit),
            ((15, UINT8), native),
        ),
        message(RECORD, (TIME, AT), developer=(((7, 0), b"\x63"),)),
    )


def test_a_developer_field_that_stands_for_the_heart_rate_is_one():
    [signal] = measured(*developer(3, "bpm"))

    assert signal.value == Samples(1000, (99,))


@pytest.mark.parametrize(("native", "unit"), [(3, "doughnuts"), (7, "bpm"), (255, "W")])
def test_any_other_developer_field_is_refused_and_counted(native, unit):
    [refusal] = refused(*developer(native, unit))

    assert refusal == Refusal(
        "record.developer[0][7]",
        Reason.UNKNOWN_KIND,
        None,
        "A developer field is not one that is understood.",
    )


def start(at=AT, offset=7200):
    return message(MONITORING_INFO, (TIME, at), ((0, UINT32), at + offset))


def cycles(count, at, kind=6):
    return message(
        MONITORING,
        ((26, UINT16), at % 65_536),
        ((24, BYTE), kind | 2 << 5),
        ((3, UINT32), count),
    )


def test_counts_become_the_steps_of_each_interval():
    found = measured(start(), cycles(100, AT + 60), cycles(315, AT + 120))

    assert [(r.kind, r.value, r.unit, r.start, r.end, r.method) for r in found] == [
        (
            "steps",
            100,
            "{steps}",
            "2021-09-08T03:46:40+02:00",
            "2021-09-08T03:47:40+02:00",
            "walking",
        ),
        (
            "steps",
            215,
            "{steps}",
            "2021-09-08T03:47:40+02:00",
            "2021-09-08T03:48:40+02:00",
            "walking",
        ),
    ]


def test_each_kind_of_movement_has_a_count_of_its_own():
    found = measured(
        start(),
        cycles(100, AT + 60),
        cycles(30, AT + 90, kind=1),
        cycles(110, AT + 120),
    )

    assert [(r.value, r.method) for r in found] == [
        (100, "walking"),
        (30, "running"),
        (10, "walking"),
    ]


def test_cycles_of_other_movements_are_no_steps():
    _, reading = readings(start(), cycles(100, AT + 60, kind=2))

    assert reading.what == "cycles that are no steps"


def test_a_time_of_16_bits_goes_on_over_its_end():
    roll = AT - AT % 65_536 + 65_536
    times = [roll - 60, roll + 60, roll + 65_000, roll + 65_536 + 60]

    found = measured(start(), *(cycles(i + 1, at) for i, at in enumerate(times)))

    assert [r.end_us for r in found] == [(at + 631_065_600) * 1_000_000 for at in times]


def test_a_time_of_16_bits_after_no_full_one_is_refused():
    [refusal] = refused(cycles(100, AT))

    assert refusal.reason is Reason.NO_TIME


def test_a_count_that_falls_began_anew_at_midnight():
    midnight = AT + 80_000
    midnight -= (midnight + 7200) % 86_400

    found = measured(
        start(AT + 40_000), cycles(100, midnight - 600), cycles(40, midnight + 600)
    )

    assert [(r.value, r.start, r.end) for r in found[1:]] == [
        (40, "2021-09-09T00:00:00+02:00", "2021-09-09T00:10:00+02:00")
    ]


def test_a_first_count_whose_start_is_not_known_is_no_interval():
    whole = message(
        MONITORING, (TIME, AT), ((5, ENUM), 6), ((3, UINT32), 100), ((27, UINT8), 61)
    )

    [rate] = measured(whole)

    assert (rate.kind, rate.value, rate.start) == ("heart-rate", 61, AT_TEXT)
    assert OutOfScope(
        "message[0].cycles", "first count, whose start is not known"
    ) in readings(whole)


def test_a_message_of_the_profile_that_nobody_reads_is_refused():
    [refusal] = refused(message(SLEEP_LEVEL, (TIME, AT), ((0, ENUM), 1)))

    assert refusal.reason is Reason.UNKNOWN_KIND


def test_a_message_outside_the_profile_is_counted():
    [reading] = readings(message(0xFF00, ((0, UINT8), 1)))

    assert reading.what == "message that is not in the public profile"


def test_chained_files_have_each_their_own_clock():
    data = fit(HEADER, weight(7580), LOCAL) + fit(weight(7600))

    found = [r for r in parse(data, received_at=NOW) if isinstance(r, Measurement)]

    assert [(r.start, r.device) for r in found] == [
        ("2021-09-08T03:46:40+02:00", WATCH),
        (AT_TEXT, None),
    ]


WHOLE = fit(HEADER, weight(7580), weight(7600, AT + 60))


@pytest.mark.parametrize(
    ("data", "reason", "records"),
    [
        (WHOLE[:-1], Reason.TRUNCATED, 3),
        (WHOLE[:-6], Reason.TRUNCATED, 2),
        (WHOLE[:5], Reason.TRUNCATED, 1),
        (WHOLE[:-1] + b"\x00", Reason.MALFORMED, 3),
        (WHOLE + b"\x00", Reason.TRUNCATED, 3),
        (WHOLE + WHOLE[:-1], Reason.TRUNCATED, 6),
        (WHOLE + bytes(20), Reason.MALFORMED, 3),
        (fit(HEADER, declared=0xFFFFFFFF), Reason.MALFORMED, 1),
        (fit(HEADER, weight(7580), declared=30), Reason.MALFORMED, 1),
        (b"", Reason.MALFORMED, 1),
        (b"PK\x03\x04 this is no FIT file", Reason.MALFORMED, 1),
    ],
)
def test_a_damaged_file_gives_one_refusal_with_its_place_and_nothing_else(
    data, reason, records
):
    [refusal] = parse(data, received_at=NOW)

    assert (refusal.reason, refusal.records) == (reason, records)
    assert refusal.position.startswith("byte ")
    assert int(refusal.position.removeprefix("byte ")) <= len(data)


def test_a_changed_byte_is_noticed_by_the_checksum():
    for index in range(12, len(WHOLE)):
        data = bytearray(WHOLE)
        data[index] ^= 0x01

        assert not [
            r for r in parse(bytes(data), received_at=NOW) if isinstance(r, Measurement)
        ]


def test_a_member_whose_size_does_not_fit_its_type_does_not_stop_the_file():
    odd = struct.pack(
        "<BBBHBBBBBBB", 0x40, 0, 0, WEIGHT_SCALE, 2, 253, 4, UINT32, 0, 3, UINT16
    )

    refusal, reading = readings(odd + struct.pack("<BI", 0, AT) + b"abc", weight(7580))

    assert (refusal.reason, refusal.kind) == (Reason.INVALID_VALUE, "body-weight")
    assert reading.value == Decimal("75.80")


def test_a_file_that_is_too_long_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "a.fit"
    path.write_bytes(WHOLE)
    monkeypatch.setattr("mappings.vendors.fit.parse.MAX_BYTES", 10)

    [refusal] = parse(path, received_at=NOW)

    assert (refusal.reason, refusal.position) == (Reason.MALFORMED, "byte 10")


def test_a_file_of_too_many_messages_is_refused(monkeypatch):
    monkeypatch.setattr("mappings.vendors.fit.decode.MAX_MESSAGES", 2)

    [refusal] = parse(WHOLE, received_at=NOW)

    assert (refusal.reason, refusal.records) == (Reason.MALFORMED, 2)


def test_a_path_a_stream_and_bytes_are_read_alike(tmp_path):
    path = tmp_path / "a.fit"
    path.write_bytes(WHOLE)

    found = [
        list(parse(source, received_at=NOW)) for source in (path, BytesIO(WHOLE), WHOLE)
    ]

    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 3


@given(st.binary(max_size=300))
def test_no_bytes_after_a_header_raise_anything(body):
    found = readings(HEADER, body)

    assert sum(reading.records for reading in found) >= 1


# What was seen.


def seen(name, zone=None):
    return list(parse(SAMPLES / name, received_at=NOW, zone=zone))


def rows(name):
    with (SAMPLES / name).open(encoding="utf-8", newline="") as stream:
        return [[cell.strip() for cell in row] for row in csv.reader(stream)][1:]


def number(cell):
    return None if cell == "null" else Decimal(cell)


@needs_samples
def test_compressed_speed_and_distance_agree_with_another_program():
    with (SAMPLES / "compressed-speed-distance.fit").open("rb") as stream:
        found = [
            m.values for m in decoded(stream, lambda _: None) if m.name == "record"
        ]
    names = ("timestamp", "heart_rate", "speed", "distance", "cadence")

    ours = [[values.get(name) for name in names] for values in found[1:]]

    theirs = rows("compressed-speed-distance-records.csv")
    assert ours == [[number(cell) for cell in row] for row in theirs]


@needs_samples
def test_the_records_of_a_run_agree_with_another_program_up_to_its_floats():
    with (SAMPLES / "garmin-fenix-5-run.fit").open("rb") as stream:
        found = [
            m.values for m in decoded(stream, lambda _: None) if m.name == "record"
        ]
    names = ("heart_rate", "cadence", "speed", "distance", "altitude", "temperature")

    ours = [[values.get(name) for name in names] for values in found]

    theirs = [
        [number(cell).quantize(Decimal("0.001")) for cell in (*row[1:5], *row[7:9])]
        for row in rows("garmin-fenix-5-run-records.csv")
    ]
    assert ours == theirs
    assert str(found[0]["altitude"]) == "2.2"


@needs_samples
def test_the_run_that_was_seen_is_a_workout_a_signal_and_heartbeats():
    found = {
        r.kind: r for r in seen("garmin-fenix-5-run.fit") if isinstance(r, Measurement)
    }

    workout, signal = found["workout"], found["heart-rate-series"]
    beats = found["rr-interval-series"]
    assert (workout.value, workout.start, workout.end) == (
        "running",
        "2017-06-11T07:34:09-07:00",
        "2017-06-11T07:35:05.887-07:00",
    )
    assert Component("distance", Decimal("157.56"), "m") in workout.components
    assert signal.value.data[:8] == (61, 61, 58, "E", 56, 59, "E", 63)
    assert (signal.records, beats.records) == (21, 113)
    assert beats.value.data[:4] == (1093, 1165, 1063, 983)


@needs_samples
def test_the_weights_that_were_seen_are_exact():
    found = [r for r in seen("WeightScaleSingleUser.fit") if isinstance(r, Measurement)]

    assert [(r.kind, str(r.value), r.start) for r in found if r.unit != "mV"] == [
        ("body-weight", "75.80", "2009-09-09T21:38:00Z"),
        ("body-fat-percentage", "22.30", "2009-09-09T21:38:00Z"),
        ("body-weight", "76.09", "2009-09-09T22:38:00Z"),
        ("body-fat-percentage", "25.10", "2009-09-09T22:38:00Z"),
    ]


@needs_samples
def test_the_monitoring_that_was_seen_is_a_day_of_steps():
    found = [r for r in seen("MonitoringFile.fit") if isinstance(r, Measurement)]
    steps = [r for r in found if r.kind == "steps"]

    assert [(r.value, r.end) for r in steps[:3]] == [
        (100, "2014-12-27T08:15:00-06:00"),
        (215, "2014-12-27T08:23:00-06:00"),
        (7, "2014-12-27T08:33:00-06:00"),
    ]
    assert steps[0].start == "2014-12-27T00:00:00-06:00"
    assert max(r.end for r in steps) < "2014-12-28T00:00:01-06:00"
    assert found[0].device == DeviceClue(
        manufacturer="garmin",
        model="vivo_fit",
        hardware="1",
        firmware="3.60",
        serial="3900000013",
    )


@needs_samples
def test_the_file_of_a_device_that_counted_from_its_start_needs_a_zone():
    bare = seen("compressed-speed-distance.fit")
    zoned = seen("compressed-speed-distance.fit", zone="America/Los_Angeles")

    assert not [r for r in bare if isinstance(r, Measurement)]
    assert {r.reason for r in bare if isinstance(r, Refusal)} == {Reason.NO_OFFSET}
    [workout] = [r for r in zoned if r.position == "message[2]"]
    assert workout.start == "2012-02-13T11:16:16-08:00"


@needs_samples
def test_developer_fields_that_were_seen_are_refused_and_the_rest_kept():
    found = seen("developer-types-sample.fit")

    fields = [r for r in found if isinstance(r, Refusal)]
    assert {(r.reason, r.records) for r in fields} == {(Reason.UNKNOWN_KIND, 3424)}
    assert len(fields) == 4
    assert [r.records for r in found if r.position == "record.heart_rate"] == [
        3193,
        231,
    ]


@needs_samples
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("Activity.fit", (4, 0, 77)),
        ("DeveloperData.fit", (0, 6, 12)),
        ("MonitoringFile.fit", (87, 0, 274)),
        ("Settings.fit", (0, 0, 16)),
        ("WeightScaleSingleUser.fit", (6, 0, 4)),
        ("activity-filecrc.fit", (0, 22, 0)),
        ("activity-settings-nodata.fit", (0, 22, 0)),
        ("activity-settings.fit", (4, 0, 80)),
        ("compressed-speed-distance.fit", (0, 763, 2282)),
        ("developer-types-sample.fit", (3429, 13_696, 30_828)),
        (
            "elemnt-bolt-no-application-id-inside-developer-data-id.fit",
            (6, 0, 1287),
        ),
        ("garmin-fenix-5-run.fit", (148, 0, 353)),
        ("sample-activity-indoor-trainer.fit", (2274, 0, 8994)),
    ],
)
def test_every_file_that_was_seen_is_accounted_for(name, counts):
    found = Counter()
    for reading in seen(name):
        found[type(reading)] += reading.records

    assert (found[Measurement], found[Refusal], found[OutOfScope]) == counts


@needs_samples
@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.name)
def test_what_was_seen_can_be_stored_and_tells_nothing_private(path):
    found = list(parse(path, received_at=NOW, zone="Europe/Berlin"))
    measured_ = [r for r in found if isinstance(r, Measurement)]
    told = repr([r._replace(start_us=0, end_us=0) for r in measured_])

    assert not [
        r for r in measured_ if isinstance(normalise(r, now_us=NOW_US), Refusal)
    ]
    assert not [word for word in REDACTED if word in told]


# Tables.


def test_every_kind_and_unit_of_the_tables_can_be_stored():
    pairs = {
        (member.kind, member.unit)
        for members in messages.POINTS.values()
        for member in members.values()
    }
    pairs |= {(counter.kind, counter.unit) for counter in monitoring.COUNTERS.values()}
    at = "2020-01-01T00:00:00Z"

    wrong = [
        (kind, unit)
        for kind, unit in sorted(pairs)
        if getattr(
            normalise(Measurement(kind, 50, unit, at, 0, at, 0, "$"), now_us=NOW_US),
            "reason",
            None,
        )
        in {Reason.UNKNOWN_UNIT, Reason.NO_UNIT, Reason.UNKNOWN_KIND}
    ]

    assert wrong == []


def test_every_part_of_a_workout_is_one_of_its_components():
    parts = {kind for kind, _ in activity.PARTS.values()}

    assert parts | {"speed", "cadence", "steps"} <= set(kinds()["workout"].components)


def test_no_message_is_both_read_and_out_of_scope():
    read = {*messages.POINTS, "record", "hrv", "session", "monitoring"}

    assert not read & messages.OUT_OF_SCOPE.keys()
