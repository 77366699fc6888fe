import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.templates.compile import vendor
from mappings.templates.faults import TemplateError
from mappings.vendors.table import VENDORS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = "2025-03-04T05:06:07.1234567+01:00"
T_US = 1741061167123456
HEART = {"kind": "heart-rate", "value": "h", "unit": "/min"}
SYSTEM = "https://fhir-interop-service.org/fhir/sid/synthetic-device"


def part(payload: dict[str, object]) -> dict[str, object]:
    return {"fhir-service-part": payload}


def outline(readings: list[object]) -> list[tuple[object, ...]]:
    """Return what became of each: kind, value, unit; or reason; or what it is."""
    return [
        (one.kind, one.value if one.absent is None else one.absent, one.unit)
        if isinstance(one, Measurement)
        else (one.reason, one.kind, one.position)
        if isinstance(one, Refusal)
        else (one.what, one.position)
        for one in readings
    ]


def test_a_measurement_has_all_that_its_template_says(template, readings):
    written = template(
        {**HEART, "method": "Optical", "self_reported": "by_hand"},
        device={
            "identifier": "sn",
            "model": {"constant": "S1"},
            "firmware": "fw",
            "specialization": "heart-rate",
        },
        patient="user",
        id="id",
        metadata=["fw"],
    )
    message = {
        "t": T,
        "h": Number("72.50"),
        "sn": "A7",
        "fw": 12,
        "user": "u-1",
        "id": 9007199254740993,
        "by_hand": True,
    }

    [reading] = readings(written, message)

    assert reading == Measurement(
        kind="heart-rate",
        value=Number("72.50"),
        unit="/min",
        start=T,
        start_us=T_US,
        end=None,
        end_us=T_US,
        position="$.h",
        source_id="9007199254740993",
        device=DeviceClue(
            identifier="A7",
            system=SYSTEM,
            model="S1",
            firmware="12",
            specialization="heart-rate",
        ),
        method="Optical",
        self_reported=True,
        patient="u-1",
    )
    assert str(reading.value) == "72.50"


def test_a_vendor_is_made_of_a_template(template):
    written = template(HEART, name="synthetic-strap", registered=True)
    written["device"] = {"identifier": "sn"}

    made = vendor(written, version="3@abc")

    assert (made.source, made.title) == ("synthetic-strap", "A synthetic sensor")
    assert made.parser == "template/synthetic-strap/3@abc"
    assert made.system == "https://fhir-interop-service.org/fhir/sid/synthetic-strap"
    assert made.media_types == {"application/json"}
    assert made.is_registered


def test_a_template_of_files_is_not_taken_over_http(template):
    made = vendor(template(HEART, payload={"format": "csv"}), version="1")

    assert made.media_types == frozenset()


def test_a_faulty_template_is_never_compiled(template):
    with pytest.raises(TemplateError, match="There is no kind `nothing`"):
        vendor(template({**HEART, "kind": "nothing"}), version="1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (72, ("heart-rate", 72, "/min")),
        ("72.50", ("heart-rate", Number("72.50"), "/min")),
        ("1,200", (Reason.INVALID_VALUE, "heart-rate", "$.h")),
        (" 72", (Reason.INVALID_VALUE, "heart-rate", "$.h")),
        (True, (Reason.INVALID_VALUE, "heart-rate", "$.h")),
        ([72], (Reason.INVALID_VALUE, "heart-rate", "$.h")),
        ("NaN", (Reason.INVALID_VALUE, "heart-rate", "$.h")),
        (None, ("message without a value", "$")),
        ("", ("message without a value", "$")),
    ],
)
def test_a_number_may_be_a_text_and_nothing_else(template, readings, value, expected):
    found = readings(template(HEART), {"t": T, "h": value})

    assert outline(found) == [expected]


@pytest.mark.parametrize(
    ("scale", "value", "expected"),
    [
        ("1/100", 2345, "23.45"),
        ("0.01", 2345, "23.45"),
        ("1/100", Number("2345.0"), "23.450"),
        ("5/9", 9, "5.0"),
        ("1/3", 10, "3.3"),
        ("10", Number("2.5"), "25"),
    ],
)
def test_a_scale_is_exact_and_keeps_the_precision(
    template, readings, scale, value, expected
):
    written = template(
        {"kind": "room-temperature", "value": "v", "unit": "Cel", "scale": scale}
    )

    [reading] = readings(written, {"t": T, "v": value})

    assert str(reading.value) == expected


@pytest.mark.parametrize(
    ("value", "absent"),
    [(-1, "error"), ("-1", "error"), ("--", "unknown"), (None, "not-performed")],
)
def test_a_sentinel_is_an_absent_value_never_a_number(
    template, readings, value, absent
):
    words = {"-1": "error", "--": "unknown", "null": "not-performed"}

    [reading] = readings(template({**HEART, "absent": words}), {"t": T, "h": value})

    assert (reading.value, reading.absent) == (None, absent)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, ("contact", "closed", "")),
        (False, ("contact", "open", "")),
        (1, ("contact", "closed", "")),
        ("OPEN", ("contact", "open", "")),
        ("ajar", (Reason.INVALID_VALUE, "contact", "$.c")),
        ([], (Reason.INVALID_VALUE, "contact", "$.c")),
    ],
)
def test_a_word_of_the_sensor_becomes_a_code(template, readings, value, expected):
    values = {"true": "closed", "false": "open", "1": "closed", "OPEN": "open"}
    written = template({"kind": "contact", "value": "c", "values": values})

    assert outline(readings(written, {"t": T, "c": value})) == [expected]


def test_true_is_not_the_number_one(template, readings):
    written = template({**HEART, "absent": {"1": "error"}})

    assert outline(readings(written, {"t": T, "h": True})) == [
        (Reason.INVALID_VALUE, "heart-rate", "$.h")
    ]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("dBA", ("noise-level", 41, "dB[SPL]")),
        ("dB", (Reason.UNKNOWN_UNIT, "noise-level", "$.n")),
        (3, (Reason.UNKNOWN_UNIT, "noise-level", "$.n")),
        (None, (Reason.NO_UNIT, "noise-level", "$.n")),
        ("", (Reason.NO_UNIT, "noise-level", "$.n")),
    ],
)
def test_a_unit_is_looked_up_and_never_guessed(template, readings, unit, expected):
    words = {"from": "u", "words": {"dBA": "dB[SPL]"}}
    written = template({"kind": "noise-level", "value": "n", "unit": words})

    assert outline(readings(written, {"t": T, "n": 41, "u": unit})) == [expected]


def test_the_usual_words_of_units_need_no_table(template, readings):
    written = template({"kind": "body-weight", "value": "w", "unit": {"from": "u"}})

    assert outline(readings(written, {"t": T, "w": 150, "u": "lb"})) == [
        ("body-weight", 150, "[lb_av]")
    ]


@pytest.mark.parametrize(
    ("spec", "value", "zone", "expected"),
    [
        ({"format": "iso"}, "2025-01-02T03:04:05Z", None, ("2025-01-02T03:04:05Z",)),
        ({"format": "iso"}, "2025-01-02T03:04:05", "Europe/Berlin", Reason.NO_OFFSET),
        ({"format": "iso"}, None, None, Reason.NO_TIME),
        ({"format": "iso"}, 3, None, Reason.MALFORMED),
        (
            {"format": "iso", "zone": {"constant": "Europe/Berlin"}},
            "2025-01-02T03:04:05Z",
            None,
            ("2025-01-02T03:04:05Z", "Europe/Berlin"),
        ),
        (
            {"format": "iso", "zone": {"constant": "Atlantis"}},
            "2025-01-02T03:04:05Z",
            None,
            ("2025-01-02T03:04:05Z",),
        ),
        ({"format": "epoch-s"}, 1736928000, None, ("2025-01-15T08:00:00Z",)),
        ({"format": "epoch-s"}, "1736928000", None, ("2025-01-15T08:00:00Z",)),
        (
            {"format": "epoch-s"},
            Number("1736928000.25"),
            None,
            ("2025-01-15T08:00:00.25Z",),
        ),
        ({"format": "epoch-s"}, 1736928000000, None, Reason.MALFORMED),
        ({"format": "epoch-s"}, "soon", None, Reason.MALFORMED),
        ({"format": "epoch-s"}, None, None, Reason.NO_TIME),
        (
            {"format": "epoch-s", "zone": {"constant": "Asia/Kolkata"}},
            1736928000,
            None,
            ("2025-01-15T13:30:00+05:30", "Asia/Kolkata"),
        ),
        ({"format": "epoch-ms"}, 1736928000123, None, ("2025-01-15T08:00:00.123Z",)),
        ({"format": "epoch-ms"}, "1736928000123", None, ("2025-01-15T08:00:00.123Z",)),
        ({"format": "epoch-ms"}, 1736928000, None, Reason.MALFORMED),
        (
            {"format": "epoch-us"},
            1736928000123456,
            None,
            ("2025-01-15T08:00:00.123456Z",),
        ),
        (
            {"format": "epoch-ns"},
            1736928000123456789,
            None,
            ("2025-01-15T08:00:00.123456Z",),
        ),
        ({"format": "local"}, "2025-01-02 03:04", None, Reason.NO_OFFSET),
        (
            {"format": "local"},
            "2025-01-02 03:04",
            "Europe/Berlin",
            ("2025-01-02T03:04:00+01:00", "Europe/Berlin"),
        ),
        (
            {"format": "local", "zone": "z"},
            "2025-07-02T03:04:05",
            None,
            ("2025-07-02T03:04:05-04:00", "America/New_York"),
        ),
        ({"format": "local"}, "2025-03-30T02:30:00", "Europe/Berlin", Reason.MALFORMED),
        ({"format": "local"}, "0001-01-01T00:00:00", "Asia/Tokyo", Reason.MALFORMED),
    ],
)
def test_a_time_is_read_in_its_format(  # noqa: PLR0913, PLR0917 - a row of the table
    template, readings, spec, value, zone, expected
):
    written = template(HEART, time={"at": "t", **spec}, metadata=["z"])

    [found] = readings(written, {"t": value, "h": 60, "z": "America/New_York"}, zone)

    told = (
        found.reason
        if isinstance(found, Refusal)
        else (found.start, *([found.zone] if found.zone else []))
    )
    assert told == expected


def test_an_hour_that_the_clocks_show_twice_is_disputed(template, readings):
    written = template(HEART, time={"format": "local", "at": "t"})

    [found] = readings(written, {"t": "2025-10-26 02:30", "h": 60}, "Europe/Berlin")

    assert found.start == "2025-10-26T02:30:00+02:00"
    assert found.flags == ("zone-disputed",)


STEPS = {"kind": "steps", "value": "s", "unit": "{steps}"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"format": "iso", "start": "a", "end": "b"},
            ("2025-01-01T10:00:00Z", "2025-01-01T10:15:00Z"),
        ),
        (
            {"format": "iso", "start": "a", "duration": "min", "duration_unit": "min"},
            ("2025-01-01T10:00:00Z", "2025-01-01T10:05:00Z"),
        ),
        (
            {
                "format": "iso",
                "end": "b",
                "duration": {"constant": 60},
                "duration_unit": "s",
            },
            ("2025-01-01T10:14:00Z", "2025-01-01T10:15:00Z"),
        ),
        (
            {"format": "iso", "start": "a", "duration": "x", "duration_unit": "s"},
            Reason.NO_TIME,
        ),
        (
            {"format": "iso", "start": "a", "duration": "a", "duration_unit": "s"},
            Reason.MALFORMED,
        ),
        (
            {"format": "iso", "start": "a", "duration": "neg", "duration_unit": "s"},
            Reason.MALFORMED,
        ),
        (
            {"format": "iso", "start": "last", "duration": "min", "duration_unit": "h"},
            Reason.MALFORMED,
        ),
        (
            {"day": "d", "zone": {"constant": "Europe/Berlin"}},
            ("2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"),
        ),
        ({"day": "d"}, Reason.NO_OFFSET),
        ({"day": "l", "zone": {"constant": "Europe/Berlin"}}, Reason.MALFORMED),
    ],
)
def test_an_interval_is_read_in_each_of_its_forms(template, readings, spec, expected):
    written = template({**STEPS, "time": spec}, unlisted="pass")
    message = {
        "s": 30,
        "a": "2025-01-01T10:00:00Z",
        "b": "2025-01-01T10:15:00Z",
        "last": "9999-12-31T23:00:00Z",
        "min": "5",
        "neg": -5,
        "d": "2025-03-30",
        "l": [],
    }

    [found] = readings(written, message)

    told = found.reason if isinstance(found, Refusal) else (found.start, found.end)
    assert told == expected


def test_an_interval_of_local_times_crosses_the_change_of_clocks(template, readings):
    time_ = {"format": "local", "start": "t", "duration": "n", "duration_unit": "h"}
    written = template({**STEPS, "time": time_})

    [found] = readings(
        written, {"s": 3, "t": "2025-03-30 01:30", "n": 1}, "Europe/Berlin"
    )

    assert found.start == "2025-03-30T01:30:00+01:00"
    assert found.end == "2025-03-30T03:30:00+02:00"


def test_a_panel_has_its_components_and_no_value(template, readings):
    pressure = {
        "kind": "blood-pressure",
        "components": [
            {"kind": "systolic-blood-pressure", "value": "bp.s", "unit": "mm[Hg]"},
            {
                "kind": "diastolic-blood-pressure",
                "value": "bp.d",
                "unit": {"from": "bp.u", "words": {"kpa": "kPa"}},
                "absent": {"0": "error"},
            },
            {"kind": "mean-blood-pressure", "value": "bp.m", "unit": "mm[Hg]"},
        ],
    }
    message = {"t": T, "bp": {"s": "120", "d": Number("10.5"), "u": "kpa"}}

    [found] = readings(template(pressure), message)
    [sentinel] = readings(template(pressure), {"t": T, "bp": {"s": "120", "d": 0}})

    assert (found.kind, found.value, found.unit) == ("blood-pressure", None, "")
    assert found.components == (
        Component("systolic-blood-pressure", 120, "mm[Hg]"),
        Component("diastolic-blood-pressure", Number("10.5"), "kPa"),
    )
    assert sentinel.components[1] == Component(
        "diastolic-blood-pressure", None, absent="error"
    )
    assert isinstance(normalise(found, now_us=T_US), Normalised)


def test_a_value_may_have_components_beside_it(template, readings):
    resting = {
        "kind": "resting-heart-rate",
        "value": "h",
        "unit": "/min",
        "components": [
            {"kind": "device-active-percentage", "value": "worn", "unit": "%"}
        ],
    }

    [found] = readings(template(resting), {"t": T, "h": 61, "worn": 80})

    assert found.value == 61
    assert found.components == (Component("device-active-percentage", 80, "%"),)
    assert outline(readings(template(resting), {"t": T, "worn": 80})) == [
        ("message without a value", "$")
    ]


SERIES = {
    "kind": "heart-rate",
    "each": "data.rows",
    "value": "h",
    "unit": "/min",
    "time": {"format": "epoch-s", "at": "t", "zone": {"message": "tz"}},
}
ROWS = {
    "tz": "Europe/Berlin",
    "id": "night-7",
    "data": {"rows": [{"t": 1736928000, "h": 60}, {"t": 1736928060, "h": "x"}]},
}


def test_each_element_of_a_list_is_a_measurement(template, readings):
    first, second = readings(template(SERIES, id="id"), ROWS)

    assert (first.start, first.value) == ("2025-01-15T09:00:00+01:00", 60)
    assert first.position == "$.data.rows[0].h"
    assert first.source_id == "night-7#1736928000000000"
    assert second == Refusal(
        "$.data.rows[1].h",
        Reason.INVALID_VALUE,
        "heart-rate",
        "The value is not a number.",
        part(
            {
                "message": {"tz": "Europe/Berlin", "id": "night-7", "data": {}},
                "kind": "heart-rate",
                "item": {"t": 1736928060, "h": "x"},
            }
        ),
    )


def test_an_object_of_samples_is_taken_apart(template, readings):
    samples = {
        "kind": "heart-rate",
        "each": "items(samples)",
        "value": "[1]",
        "unit": "/min",
        "time": {"format": "epoch-s", "at": "[0]"},
    }

    found = readings(template(samples), {"samples": {"1736928000": 61}})

    assert [(one.start, one.value, one.position) for one in found] == [
        ("2025-01-15T08:00:00Z", 61, "$.each[0][1]")
    ]


def test_what_each_finds_alone_is_one_element(template, readings):
    found = readings(template(SERIES), {"data": {"rows": {"t": 1736928000, "h": 1}}})

    assert outline(found) == [("heart-rate", 1, "/min")]


def test_an_element_may_have_its_own_id_and_device(template, readings):
    own = {**SERIES, "id": "n", "device": {"identifier": "d", "system": "urn:x"}}
    message = {"data": {"rows": [{"t": 1736928000, "h": 60, "n": "a", "d": "D"}]}}

    [found] = readings(template(own, device={"identifier": {"constant": "X"}}), message)

    assert found.source_id == "a"
    assert found.device == DeviceClue("D", "urn:x")


def test_a_measurement_holds_only_when_its_condition_does(template, readings):
    written = template({**HEART, "when": "ok == `true`"})

    assert outline(readings(written, {"t": T, "h": 60, "ok": True})) == [
        ("heart-rate", 60, "/min")
    ]
    assert outline(readings(written, {"t": T, "h": 60, "ok": False})) == [
        ("message without a value", "$")
    ]


def test_what_no_expression_reads_is_refused_and_the_rest_kept(template, readings):
    written = template(HEART, ignore={"gps": "geoposition"}, metadata=["meta.seq"])
    message = {
        "t": T,
        "h": 60,
        "gps": {"lat": Number("10.1234")},
        "meta": {"seq": 1, "grown": {"x": 5}, "empty": None},
        "more": [1],
    }

    heart, gps, grown, more = readings(written, message)

    assert heart.kind == "heart-rate"
    assert gps == OutOfScope("$.gps", "geoposition")
    assert grown == Refusal(
        "$.meta.grown",
        Reason.UNKNOWN_KIND,
        None,
        "The template does not say what this member is.",
        part(
            {
                "message": {
                    "t": T,
                    "h": 60,
                    "gps": {"lat": Number("10.1234")},
                    "meta": {"seq": 1, "grown": {"x": 5}, "empty": None},
                },
                "member": ["meta", "grown"],
            }
        ),
    )
    assert (more.position, more.reason) == ("$.more", Reason.UNKNOWN_KIND)


def test_a_member_of_an_element_that_no_expression_reads_is_refused(template, readings):
    message = {"data": {"rows": [{"t": 1736928000, "h": 60, "spo2": 97}]}}

    _, grown = readings(template(SERIES), message)

    assert (grown.position, grown.reason) == (
        "$.data.rows[0].spo2",
        Reason.UNKNOWN_KIND,
    )
    assert grown.payload == part(
        {"message": message, "member": ["data", "rows", 0, "spo2"]}
    )


def test_a_thousand_unread_members_are_told_and_the_rest_counted(template, readings):
    message = {f"m{n}": n for n in range(1, 1011)} | {"t": T, "h": 60}

    found = readings(template(HEART), message)

    assert len(found) == 1002
    assert (found[-1].records, found[-1].reason) == (10, Reason.UNKNOWN_KIND)


def test_a_template_may_let_unread_members_pass_but_not_whole_messages(
    template, readings
):
    written = template(HEART, unlisted="pass")

    assert outline(readings(written, {"t": T, "h": 60, "x": 1})) == [
        ("heart-rate", 60, "/min")
    ]
    assert outline(readings(written, [{"t": T, "x": 1}])) == [
        (Reason.UNKNOWN_KIND, None, "$[0]")
    ]


def test_a_message_of_another_sort_is_told_apart(template, readings):
    where = {"where": "type == 'hr'"}
    other = {"type": "status", "t": T}

    assert outline(readings(template(HEART, match=where), other)) == [
        (Reason.UNKNOWN_KIND, None, "$")
    ]
    assert outline(
        readings(template(HEART, match={**where, "otherwise": "status"}), other)
    ) == [("status", "$")]


MQTT = {
    "match": {"topic": "home/+/air"},
    "time": {"format": "arrival"},
    "device": {"identifier": {"topic": 1}},
}


def message(payload: object, topic: str = "home/k1/air", **more: object) -> object:
    return {"topic": topic, "payload": payload, "received_at": T, **more}


def test_a_message_on_a_topic_names_its_device_and_its_arrival(template, readings):
    [found] = readings(template(HEART, **MQTT), message({"h": 60}))

    assert (found.start, found.position) == (T, "$.payload.h")
    assert found.device == DeviceClue("k1", SYSTEM)


def test_a_payload_on_a_topic_may_be_json_text(template, readings):
    written = template({**HEART, "value": "@"}, **MQTT)

    [found] = readings(written, message("72.50"))

    assert str(found.value) == "72.50"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            message({"h": 60}, retain=True),
            (Reason.NO_TIME, "heart-rate", "$.payload.h"),
        ),
        (
            {"topic": "home/k1/air", "payload": {"h": 60}},
            (Reason.NO_TIME, "heart-rate", "$.payload.h"),
        ),
        (message({"h": 60}, topic="home/a/b/air"), (Reason.UNKNOWN_KIND, None, "$")),
        (message({"h": 60}, topic="home/a"), (Reason.UNKNOWN_KIND, None, "$")),
        (message({"h": 60}, topic="x/a/air"), (Reason.UNKNOWN_KIND, None, "$")),
        (message("{"), (Reason.MALFORMED, None, "$")),
        (message(""), ("message without a value", "$.payload")),
        ({"payload": 1}, (Reason.MALFORMED, None, "$")),
        (17, (Reason.MALFORMED, None, "$")),
    ],
)
def test_a_message_on_a_topic_that_tells_nothing_is_accounted_for(
    template, readings, sent, expected
):
    assert outline(readings(template(HEART, **MQTT), sent)) == [expected]


def test_the_last_levels_of_a_topic_may_be_any(template, readings):
    written = template(HEART, **{**MQTT, "match": {"topic": "home/#"}})

    assert outline(readings(written, message({"h": 60}, topic="home"))) == [
        ("heart-rate", 60, "/min")
    ]
    assert outline(
        readings({**written, "match": {"topic": "#"}}, message({"h": 1}, topic="$SYS"))
    ) == [(Reason.UNKNOWN_KIND, None, "$")]


def test_a_bare_text_on_a_topic_is_a_word(template, readings):
    contact = {
        "kind": "contact",
        "value": "@",
        "values": {"ON": "open", "OFF": "closed"},
    }
    written = template(contact, payload={"format": "text"}, **MQTT)

    assert outline(readings(written, message("ON"))) == [("contact", "open", "")]


def test_arrival_over_http_is_when_it_came(template, readings):
    [found] = readings(template(HEART, time={"format": "arrival"}), {"h": 60})

    assert (found.start, found.start_us) == ("2026-01-01T00:00:00Z", 1767225600000000)


@pytest.mark.parametrize(
    "sent",
    [
        {"t": T, "h": "x"},
        ROWS,
        {"t": T, "h": 60, "grown": 5},
        message({"h": "x", "grown": [{"a": 1}, {"b": 2}]}),
    ],
)
def test_a_refused_part_is_refused_the_same_when_tried_again(template, readings, sent):
    more = MQTT if "topic" in sent else {}
    written = template(SERIES if sent is ROWS else HEART, **more)
    if sent is ROWS:
        written["metadata"] = ["id"]
    refused = [one for one in readings(written, sent) if isinstance(one, Refusal)]

    assert refused
    for one in refused:
        [again] = readings(written, one.payload)
        assert again._replace(position=one.position) == one


def test_a_refused_part_is_understood_once_its_template_is(template, readings):
    sent = {"t": T, "h": 60, "spo2": 97, "gps": 1}
    _, oxygen, position = readings(template(HEART), sent)
    grown = template(
        HEART,
        {"kind": "oxygen-saturation", "value": "spo2", "unit": "%"},
        metadata=["gps"],
    )

    assert outline(readings(grown, oxygen.payload)) == [("oxygen-saturation", 97, "%")]
    assert outline(readings(grown, position.payload)) == [
        ("member that is not stored", "$")
    ]


def test_what_is_no_part_is_refused(template, readings):
    assert outline(readings(template(HEART), part({"x": 1}))) == [
        (Reason.MALFORMED, None, "$")
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False).map(
        lambda number: Number("1.5") if abs(number) > 10**20 else number
    )
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "t",
                    "h",
                    "data",
                    "rows",
                    "topic",
                    "payload",
                    "fhir-service-part",
                    "message",
                    "member",
                    "item",
                    "kind",
                    "envelope",
                    "zone",
                    "line",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(payload=JSON, form=st.sampled_from(["json", "topic", "csv"]))
@settings(max_examples=150, deadline=None)
def test_any_json_is_accounted_for(payload, form):
    written = {
        "format": "fhir-service-mapping/1",
        "name": "synthetic",
        "title": "A synthetic sensor",
        "device": {"identifier": "h", "model": "payload"},
        "time": {"format": "local", "at": "t", "zone": "zone"},
        "id": "data",
        "patient": "item",
        "measurements": [
            {**HEART, "unit": {"from": "kind"}, "absent": {"0": "error"}},
            SERIES,
            {"kind": "contact", "value": "rows", "values": {"x": "open"}},
            {**HEART, "value": "join(',', rows)", "each": "items(data)"},
        ],
    }
    written |= {
        "topic": {"match": {"topic": "#"}},
        "csv": {"payload": {"format": "csv"}},
    }.get(form, {})
    source = vendor(written, version="1")
    found = list(source.parse(payload, received_at=NOW))

    count = len(payload) if isinstance(payload, list) else 1
    assert len(found) >= count
    assert all(one.records >= 1 for one in found)


def test_a_template_costs_less_than_twice_a_parser_written_by_hand(template):
    state = {
        "last_seen": 1736928000123,
        "temperature": Number("20.70"),
        "humidity": Number("44.1"),
        "pressure": 957,
        "illuminance": 35,
        "battery": 93,
        "contact": True,
        "linkquality": 152,
    }
    written = template(
        {"kind": "room-temperature", "value": "temperature", "unit": "Cel"},
        {"kind": "relative-humidity", "value": "humidity", "unit": "%"},
        {"kind": "ambient-pressure", "value": "pressure", "unit": "hPa"},
        {"kind": "illuminance", "value": "illuminance", "unit": "lx"},
        {"kind": "battery-level", "value": "battery", "unit": "%"},
        {
            "kind": "contact",
            "value": "contact",
            "values": {"true": "closed", "false": "open"},
        },
        {"kind": "link-quality", "value": "linkquality", "unit": "{lqi}"},
        match={"topic": "zigbee2mqtt/#"},
        device={
            "identifier": {"topic": 1},
            "system": (
                "https://fhir-interop-service.org/fhir/sid/zigbee2mqtt-friendly-name"
            ),
        },
        time={"format": "epoch-ms", "at": "last_seen"},
    )
    payload = [loads(dumps({"topic": "zigbee2mqtt/Bedroom", "payload": state}))] * 50
    by_template = vendor(written, version="1")
    by_hand = VENDORS["zigbee2mqtt"]

    def seconds(source) -> float:
        start = time.perf_counter()
        list(source.parse(payload, received_at=NOW))
        return time.perf_counter() - start

    quickest = min(seconds(by_template) for _ in range(15))
    compared = min(seconds(by_hand) for _ in range(15))

    assert list(by_template.parse(payload, received_at=NOW)) == list(
        by_hand.parse(payload, received_at=NOW)
    )
    assert quickest < 2 * compared


def test_a_message_that_is_no_object_is_refused(template, readings):
    assert outline(readings(template(HEART), [17, ["x"], None])) == [
        (Reason.UNKNOWN_KIND, None, "$[0]"),
        (Reason.UNKNOWN_KIND, None, "$[1]"),
        ("message without a value", "$[2]"),
    ]


def test_a_condition_or_a_list_that_does_not_fit_is_a_refusal(template, readings):
    where = template(HEART, match={"where": "join(',', x)"})
    each = template({**SERIES, "each": "items(x)"})

    assert outline(readings(where, {"t": T, "x": 1})) == [(Reason.MALFORMED, None, "$")]
    assert outline(readings(each, {"x": 1, "t": T})) == [
        (Reason.MALFORMED, "heart-rate", "$")
    ]
    [refused] = readings(each, {"x": 1})
    assert outline(readings(each, refused.payload)) == [
        (Reason.MALFORMED, "heart-rate", "$")
    ]


def test_the_elements_of_one_message_are_bounded(template, readings, monkeypatch):
    monkeypatch.setattr("mappings.templates.reader.MAX_ITEMS", 2)
    rows = [{"t": 1736928000 + n, "h": 60} for n in range(5)]

    *measured, further = readings(template(SERIES), {"data": {"rows": rows}})

    assert len(measured) == 2
    assert (further.records, further.kind, further.payload) == (3, "heart-rate", None)
