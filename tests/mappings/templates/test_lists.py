"""What a template makes of a list: a signal, or the stages of a night."""

from decimal import Decimal

import pytest

from conformance.fhir_json import dumps, loads
from mappings.measurement import Component, OutOfScope, Reason, Refusal, Samples
from mappings.normalise import Normalised, normalise
from mappings.templates.check import faults_of

NOW_US = 1767225600000000
START, END = "2025-03-29T22:00:00+01:00", "2025-03-29T22:05:00+01:00"
BEAT = {
    "kind": "heart-rate-series",
    "value": "hr",
    "unit": "/min",
    "signal": {"period": {"constant": 15}, "period_unit": "s"},
}
NIGHT = {
    "kind": "sleep-session",
    "time": {"format": "iso", "start": "from", "end": "to"},
    "stages": {
        "each": "levels",
        "value": "level",
        "values": {"l": "light", "d": "deep", "w": "awake"},
        "time": {"format": "iso", "at": "at"},
    },
}
EPOCHS = {
    **NIGHT,
    "stages": {
        "each": "levels",
        "values": {"1": "deep", "2": "light", "4": "awake"},
        "epoch": "step",
        "epoch_unit": "s",
    },
}


def stage(code, offset_s):
    return Component("sleep-stage", code, offset_ms=offset_s * 1000)


def slept(*levels, **more):
    return {"from": START, "to": END, "levels": list(levels), **more}


def faults(template):
    return [(one.pointer, one.message) for one in faults_of(loads(dumps(template)))]


def test_a_list_is_a_signal_that_ends_with_its_last_value(template, readings):
    [found] = readings(template(BEAT), {"t": START, "hr": [60, 61, None, 62]})

    assert found.value == Samples(15_000, (60, 61, "E", 62))
    assert (found.start, found.end) == (START, "2025-03-29T22:01:00+01:00")
    assert found.end_us - found.start_us == 60_000_000
    assert isinstance(normalise(found, now_us=NOW_US), Normalised)


def test_an_end_that_is_told_stays(template, readings):
    time = {"format": "iso", "start": "from", "end": "to"}

    [found] = readings(
        template({**BEAT, "time": time}), {"from": START, "to": END, "hr": [60]}
    )

    assert found.end == END


def test_a_zone_writes_both_ends(template, readings):
    time = {"format": "epoch-s", "at": "t", "zone": {"constant": "Europe/Berlin"}}

    [found] = readings(template(BEAT, time=time), {"t": 1743282000, "hr": [60, 61]})

    assert (found.start, found.end) == (
        "2025-03-29T22:00:00+01:00",
        "2025-03-29T22:00:30+01:00",
    )


def test_a_word_may_be_a_gap_and_a_period_be_told(template, readings):
    signal = {"period": "grain", "period_unit": "us", "gaps": ["-1", "x"]}

    [found] = readings(
        template({**BEAT, "signal": signal}),
        {"t": START, "hr": [-1, "61", "x"], "grain": 1500},
    )

    assert found.value.period_ms == Decimal("1.5")
    assert found.value.data == ("E", 61, "E")


def test_a_scale_is_exact(template, readings):
    spec = {
        "kind": "noise-level-series",
        "value": "db",
        "unit": "dB[SPL]",
        "scale": "1/10",
        "signal": BEAT["signal"],
    }

    [found] = readings(template(spec), {"t": START, "db": [401, 402]})

    assert [str(one) for one in found.value.data] == ["40.1", "40.2"]


@pytest.mark.parametrize(
    ("grain", "period_ms"),
    [
        ("0.001953125", "1.953125"),
        (Decimal("0.0078125"), "7.8125"),
        (Decimal("1.0"), "1000"),
        (60, "60000"),
    ],
)
def test_a_period_keeps_all_of_its_digits(template, readings, grain, period_ms):
    signal = {"period": "grain", "period_unit": "s"}
    body = loads(dumps({"t": START, "hr": [60, 61], "grain": grain}))

    [found] = readings(template({**BEAT, "signal": signal}), body)

    assert str(found.value.period_ms) == period_ms


def test_epochs_that_are_no_whole_microseconds_do_not_drift(template, readings):
    levels = "1" * 12_800 + "2" * 12_800

    [found] = readings(
        template(EPOCHS), slept() | {"levels": levels, "step": "0.0078125"}
    )

    assert found.components == (
        stage("deep", 0),
        stage("light", 100),
        stage("unknown", 200),
    )


@pytest.mark.parametrize("values", [[], [None, None], None, ""])
def test_a_list_without_a_value_is_none(template, readings, values):
    [found] = readings(template(BEAT), {"t": START, "hr": values})

    assert found == OutOfScope("$", "message without a value")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"hr": 60}, Reason.MALFORMED),
        ({"hr": [60, {}]}, Reason.INVALID_VALUE),
        ({"hr": [60, "sixty"]}, Reason.INVALID_VALUE),
    ],
)
def test_what_is_no_signal_is_refused(template, readings, body, reason):
    [found] = readings(template(BEAT), {"t": START, **body})

    assert (found.reason, found.kind) == (reason, "heart-rate-series")


@pytest.mark.parametrize("grain", [0, -1, 3601, "often", None])
def test_a_period_is_more_than_nothing_and_at_most_an_hour(template, readings, grain):
    signal = {"period": "grain", "period_unit": "s"}

    [found] = readings(
        template({**BEAT, "signal": signal}), {"t": START, "hr": [1], "grain": grain}
    )

    assert (type(found), found.reason) == (Refusal, Reason.MALFORMED)


def test_a_component_may_be_a_signal(template, readings):
    lead = {
        "kind": "ecg-lead-i",
        "value": "mv",
        "unit": "mV",
        "signal": {"period": {"constant": 2}, "period_unit": "ms"},
    }
    time = {"format": "iso", "start": "from", "end": "to"}

    [found] = readings(
        template({"kind": "ecg", "components": [lead], "time": time}),
        {"from": START, "to": END, "mv": [1, 2]},
    )

    assert found.components == (Component("ecg-lead-i", Samples(2, (1, 2)), "mV"),)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"signal": None},
            ("/measurements/0", "heart-rate-series is a signal and needs `signal`, "),
        ),
        (
            {"unit": "Hz"},
            ("/measurements/0/unit", "heart-rate-series is in `/min` alone; "),
        ),
        (
            {"unit": None},
            ("/measurements/0", "heart-rate-series is in `/min` alone; "),
        ),
        (
            {"values": {"a": "b"}},
            ("/measurements/0/values", "heart-rate-series is a signal."),
        ),
        (
            {"kind": "heart-rate"},
            ("/measurements/0/signal", "heart-rate is a number."),
        ),
    ],
)
def test_a_signal_that_cannot_be_is_a_fault(template, more, expected):
    spec = {name: one for name, one in {**BEAT, **more}.items() if one is not None}

    [(pointer, detail)] = faults(template(spec))

    assert (pointer, detail[: len(expected[1])]) == expected


def test_stages_hold_until_the_next_one(template, readings):
    levels = [
        {"at": "2025-03-29T22:01:00+01:00", "level": "l"},
        {"at": "2025-03-29T22:00:00+01:00", "level": "w"},
        {"at": "2025-03-29T22:03:00+01:00", "level": "d"},
    ]

    [found] = readings(template(NIGHT), slept(*levels))

    assert found.components == (
        stage("awake", 0),
        stage("light", 60),
        stage("deep", 180),
    )
    assert (found.start, found.end) == (START, END)
    assert isinstance(normalise(found, now_us=NOW_US), Normalised)


def test_stages_with_an_end_leave_what_is_unknown(template, readings):
    time = {
        "format": "iso",
        "start": "at",
        "duration": "for",
        "duration_unit": "s",
    }
    spec = {**NIGHT, "stages": {**NIGHT["stages"], "time": time}}

    [found] = readings(template(spec), slept({"at": START, "level": "l", "for": 60}))

    assert found.components == (stage("light", 0), stage("unknown", 60))


def test_totals_are_worked_out_where_none_is_told(template, readings):
    total = {"kind": "deep-sleep-duration", "value": "deep", "unit": "s"}
    spec = {
        **EPOCHS,
        "components": [total],
        "stages": {**EPOCHS["stages"], "totals": True},
    }

    [found] = readings(template(spec), slept(1, 1, 2, 4, step=60, deep=120))

    assert found.components == (
        Component("deep-sleep-duration", 120, "s"),
        Component("sleep-duration", 180, "s"),
        Component("light-sleep-duration", 60, "s"),
        Component("awake-duration", 60, "s"),
        stage("deep", 0),
        stage("light", 120),
        stage("awake", 180),
        stage("unknown", 240),
    )
    assert found.flags == ()


def test_a_total_that_misses_its_stages_is_flagged(template, readings):
    total = {"kind": "deep-sleep-duration", "value": "deep", "unit": "h"}

    [found] = readings(
        template({**EPOCHS, "components": [total]}), slept(1, 2, step=60, deep=3)
    )

    assert found.flags == ("totals-disputed",)


def test_a_text_is_a_list_of_its_characters(template, readings):
    [found] = readings(template(EPOCHS), slept() | {"levels": "11224", "step": "60"})

    assert found.components == (
        stage("deep", 0),
        stage("light", 120),
        stage("awake", 240),
    )


def test_a_session_may_have_totals_and_no_stages(template, readings):
    total = {"kind": "sleep-duration", "value": "asleep", "unit": "min"}

    [found] = readings(template({**NIGHT, "components": [total]}), slept(asleep=4))

    assert found.components == (Component("sleep-duration", 4, "min"),)


def test_a_session_without_anything_is_none(template, readings):
    [found] = readings(template(NIGHT), slept())

    assert found == OutOfScope("$", "message without a value")


@pytest.mark.parametrize(
    ("spec", "body", "reason"),
    [
        (EPOCHS, slept(1, 9, step=60), Reason.INVALID_VALUE),
        (EPOCHS, slept(*[1] * 99, step=60), Reason.MALFORMED),
        (EPOCHS, slept(1, step=0), Reason.MALFORMED),
        (EPOCHS, slept() | {"levels": "12" * 50_000, "step": 60}, Reason.MALFORMED),
        (EPOCHS, {**slept(), "levels": 3, "step": 60}, Reason.MALFORMED),
        (NIGHT, slept({"level": "l"}), Reason.NO_TIME),
    ],
)
def test_stages_that_are_none_refuse_the_session(
    template, readings, spec, body, reason
):
    [found] = readings(template(spec), body)

    assert (found.reason, found.kind) == (reason, "sleep-session")


def test_a_member_of_a_stage_that_nobody_reads_is_refused(template, readings):
    _, found = readings(template(NIGHT), slept({"at": START, "level": "l", "new": 1}))

    assert (found.position, found.reason) == ("$.levels[0].new", Reason.UNKNOWN_KIND)


def test_a_refused_session_is_tried_again(template, readings):
    body = slept(1, 9, step=60)
    [refused] = readings(template(EPOCHS), body)
    known = {**EPOCHS["stages"], "values": {"1": "deep", "9": "rem"}}

    [found] = readings(template({**EPOCHS, "stages": known}), refused.payload)

    assert found.components[:2] == (stage("deep", 0), stage("rem", 60))


@pytest.mark.parametrize(
    ("spec", "pointer", "start"),
    [
        (
            {**NIGHT, "stages": {**NIGHT["stages"], "values": {"l": "dozing"}}},
            "/measurements/0/stages/values/l",
            "`dozing` is no stage; these are: ",
        ),
        (
            {**NIGHT, "kind": "blood-pressure"},
            "/measurements/0/stages",
            "blood-pressure has no stages.",
        ),
        (
            {**NIGHT, "stages": {**NIGHT["stages"], "time": {"day": "at"}}},
            "/measurements/0/stages/time",
            "Each stage has a time of its own.",
        ),
    ],
)
def test_stages_that_cannot_be_are_a_fault(template, spec, pointer, start):
    [(found, detail)] = faults(template(spec))

    assert (found, detail[: len(start)]) == (pointer, start)
