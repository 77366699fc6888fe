from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number
from mappings.kinds import ValueType, kinds
from mappings.measurement import Component, Measurement, Reason, Refusal
from mappings.normalise import MAX_SKEW_US, Normalised, normalise

HOUR_US = 3_600_000_000
START_US = 1_767_603_600_000_000  # 2026-01-05T09:00:00Z
NOW_US = START_US + 24 * HOUR_US


def measurement(kind="heart-rate", value=72, unit="/min", **changes):
    return Measurement(
        kind=kind,
        value=value,
        unit=unit,
        start="2026-01-05T10:00:00+01:00",
        start_us=START_US,
        end=None,
        end_us=START_US,
        position="$[3].body",
    )._replace(**changes)


def interval(kind, value, unit, hours=8, **changes):
    return measurement(
        kind,
        value,
        unit,
        end=f"2026-01-05T{10 + hours:02}:00:00+01:00",
        end_us=START_US + hours * HOUR_US,
        **changes,
    )


def stored(value):
    result = normalise(value, now_us=NOW_US)
    assert isinstance(result, Normalised), result
    return result


def reason(value):
    result = normalise(value, now_us=NOW_US)
    assert isinstance(result, Refusal), result
    assert (result.position, result.kind) == (value.position, value.kind)
    return result.reason


@pytest.mark.parametrize(
    "text", ["72.50", "72", "7.25E1", "72.5e0", "0.7250e+2", "100.000"]
)
def test_a_value_in_the_unit_of_its_kind_keeps_its_text(text):
    result = stored(measurement(value=Number(text)))

    assert (result.value, result.unit) == (text, "/min")


@given(
    st.decimals(
        min_value=1, max_value=400, places=6, allow_nan=False, allow_infinity=False
    ),
    st.integers(0, 6),
)
def test_every_decimal_keeps_its_digits(value, digits):
    text = format(round(value, digits), "f")

    assert stored(measurement(value=Number(text))).value == text
    assert stored(measurement(value=Decimal(text))).value == text


@pytest.mark.parametrize(
    ("text", "expected"), [("+72.5", "72.5"), (".5E2", "50"), ("072", "72")]
)
def test_a_number_that_json_cannot_carry_is_written_so_that_it_can(text, expected):
    assert stored(measurement(value=Number(text))).value == expected


@pytest.mark.parametrize(
    ("kind", "value", "unit", "expected"),
    [
        ("body-temperature", "98.6", "[degF]", ("98.6", "[degF]")),
        ("body-temperature", "310.15", "K", ("37.00", "Cel")),
        ("body-weight", "154.20", "[lb_av]", ("154.20", "[lb_av]")),
        ("body-weight", "70000", "g", ("70000", "g")),
        ("body-weight", "11.0", "[stone_av]", ("69.9", "kg")),
        ("body-height", "70", "[in_i]", ("70", "[in_i]")),
        ("body-height", "1.83", "m", ("183", "cm")),
        ("oxygen-saturation", "0.97", "1", ("97", "%")),
        ("room-temperature", "75", "[degF]", ("23.9", "Cel")),
        ("hrv-sdnn", "0.0425", "s", ("42.5", "ms")),
        ("vo2-max", "41.20", "mL/min/kg", ("41.20", "mL/kg/min")),
        ("glucose", "5.4", "mmol/L", ("5.4", "mmol/L")),
        ("glucose-moles", "95", "mg/dL", ("95", "mg/dL")),
    ],
)
def test_a_unit_is_kept_where_the_kind_allows_it_else_converted(
    kind, value, unit, expected
):
    result = stored(measurement(kind, Number(value), unit))

    assert (result.value, result.unit) == expected


@pytest.mark.parametrize(
    ("kind", "value", "unit", "expected"),
    [
        ("steps-24h", "10432", "{steps}", ("10432", "/d")),
        ("distance", "1.50", "[mi_i]", ("2414", "m")),
        ("active-energy", "209.2", "kJ", ("50.00", "kcal")),
        ("sleep-duration", "7.5", "h", ("7.5", "h")),
        ("sleep-duration", "27000", "s", ("450.00", "min")),
    ],
)
def test_an_interval_in_another_unit(kind, value, unit, expected):
    result = stored(interval(kind, Number(value), unit))

    assert (result.value, result.unit) == expected


@pytest.mark.parametrize(
    ("kind", "unit", "sibling"),
    [
        ("glucose", "mmol/L", "glucose-moles"),
        ("glucose-capillary", "mmol/L", "glucose-moles"),
        ("glucose-moles", "mg/dL", "glucose"),
        (
            "volatile-organic-compounds",
            "ug/m3",
            "volatile-organic-compounds-mass",
        ),
    ],
)
def test_the_unit_may_make_another_kind(kind, unit, sibling):
    assert stored(measurement(kind, 20, unit)).kind is kinds()[sibling]


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        ("heart-rate", "", Reason.NO_UNIT),
        ("heart-rate", "bpm", Reason.UNKNOWN_UNIT),
        ("heart-rate", "mm[Hg]", Reason.UNKNOWN_UNIT),
        ("glucose-interstitial", "mmol/L", Reason.UNKNOWN_UNIT),
        ("no-such-kind", "/min", Reason.UNKNOWN_KIND),
    ],
)
def test_a_unit_or_kind_that_is_not_known_is_refused(kind, unit, expected):
    assert reason(measurement(kind, 72, unit)) is expected


@pytest.mark.parametrize(
    ("kind", "value", "unit"),
    [
        ("heart-rate", "0", "/min"),
        ("heart-rate", "-1", "/min"),
        ("heart-rate", "401", "/min"),
        ("oxygen-saturation", "101", "%"),
        ("oxygen-saturation", "1.01", "1"),
        ("body-temperature", "20.0", "[degF]"),
        ("skin-temperature-deviation", "0.3", "Cel"),
        ("battery-level", "255", "%"),
        ("relative-humidity", "-0.1", "%"),
        ("heart-rate", "9e99", "/min"),
    ],
)
def test_an_impossible_value_is_refused(kind, value, unit):
    make = interval if kind == "skin-temperature-deviation" else measurement

    assert reason(make(kind, Number(value), unit)) is Reason.IMPOSSIBLE


@pytest.mark.parametrize(
    ("kind", "value", "unit", "expected"),
    [
        ("heart-rate", "25", "/min", False),
        ("heart-rate", "24", "/min", True),
        ("heart-rate", "241", "/min", True),
        ("body-temperature", "98.6", "[degF]", False),
        ("body-temperature", "60", "[degF]", True),
        ("body-temperature", "36.6", "Cel", False),
        ("body-weight", "900", "[lb_av]", True),
        ("oxygen-saturation", "0.60", "1", True),
    ],
)
def test_an_implausible_value_is_flagged(kind, value, unit, expected):
    assert stored(measurement(kind, Number(value), unit)).implausible is expected


def test_a_duration_that_is_longer_than_its_interval_is_flagged():
    assert stored(interval("sleep-duration", 481, "min")).implausible is False
    assert stored(interval("sleep-duration", 482, "min")).implausible is True


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_the_bounds_of_the_possible_range_are_possible(kind):
    if kind.value is not ValueType.QUANTITY:
        return
    step = Decimal("0.0000001")

    for bound, outside in (
        (kind.possible.low, kind.possible.low - step),
        (kind.possible.high, kind.possible.high + step),
    ):
        assert stored(interval(kind.name, bound, kind.unit)).value is not None
        assert reason(interval(kind.name, outside, kind.unit)) is Reason.IMPOSSIBLE


@pytest.mark.parametrize(
    "value",
    [
        True,
        72.5,
        "72",
        b"72",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1E999999"),
        Number("1e-999999"),
    ],
)
def test_what_is_no_number_is_refused(value):
    assert reason(measurement(value=value)) is Reason.INVALID_VALUE


def test_a_number_too_long_to_convert_is_refused():
    absurd = measurement("room-temperature", 10**60, "[degF]")

    assert reason(absurd) is Reason.INVALID_VALUE


@pytest.mark.parametrize(
    "start",
    [
        "2026-01-05T10:00:00",
        "2026-01-05T10:00:00 +01:00",
        "2026-01-05 10:00:00+01:00",
        "2026-01-05",
        "2026-01-05T10:00+01:00",
        "2026-01-05T10:00:00+0100",
        "2026-01-05T25:00:00Z",
        "2026-13-05T10:00:00Z",
        "0000-01-05T10:00:00Z",
        '2026-01-05T10:00:00Z"',
        "2026-01-05T10:00:00Z\n",
        "",
    ],
)
def test_a_time_without_offset_or_form_is_refused(start):
    assert reason(measurement(start=start)) is Reason.NO_OFFSET
    assert (
        reason(interval("steps", 5, "{steps}")._replace(end=start)) is Reason.NO_OFFSET
    )


@pytest.mark.parametrize(
    "start", ["2026-01-05T09:00:00Z", "2026-01-05T09:00:00.1200-00:00"]
)
def test_a_time_with_an_offset_is_stored(start):
    assert stored(measurement(start=start)).measurement.start == start


def test_an_interval_that_ends_before_it_starts_is_refused():
    backwards = interval("steps", 5, "{steps}", hours=1)._replace(end_us=START_US - 1)

    assert reason(backwards) is Reason.NEGATIVE_INTERVAL


def test_a_clock_may_be_five_minutes_fast_and_no_more():
    fast = NOW_US + MAX_SKEW_US

    assert stored(measurement(start_us=fast, end_us=fast))
    assert reason(measurement(start_us=fast, end_us=fast + 1)) is Reason.FUTURE


def test_a_count_needs_the_interval_it_was_counted_in():
    assert reason(measurement("steps", 5, "{steps}")) is Reason.NO_TIME


def test_a_missing_value_is_stored_with_its_reason():
    result = stored(measurement(value=None, unit="", absent="temp-unknown"))

    assert (result.value, result.unit) == (None, "")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("heart-rate", {"value": None}),
        ("heart-rate", {"value": None, "absent": "because"}),
        ("heart-rate", {"value": 72, "absent": "unknown"}),
        ("battery-level", {"value": None, "absent": "unknown"}),
        ("body-mass-index", {"value": None, "absent": "unknown"}),
        ("contact", {"value": "ajar", "unit": ""}),
        ("contact", {"value": "open", "unit": "%"}),
        ("battery-low", {"value": "yes", "unit": ""}),
        ("blood-pressure", {"value": 120, "unit": "mm[Hg]"}),
        ("blood-pressure", {"value": None, "unit": ""}),
    ],
)
def test_a_value_that_does_not_fit_its_kind_is_refused(kind, changes):
    assert reason(measurement(kind, **changes)) is Reason.INVALID_VALUE


def test_a_coded_value_is_one_of_its_kind():
    assert stored(measurement("contact", "open", "")).value == "open"
    assert stored(measurement("battery-low", "true", "")).value == "true"


def panel(kind, *components, **changes):
    return measurement(kind, None, "", components=components, **changes)


def test_a_part_of_a_panel_is_converted_and_flagged_like_any_value():
    result = stored(
        panel(
            "blood-pressure",
            Component("systolic-blood-pressure", Number("36.0"), "kPa"),
            Component("diastolic-blood-pressure", 80, "mm[Hg]"),
        )
    )

    assert [(part.value, part.unit, part.implausible) for part in result.parts] == [
        ("270.0", "mm[Hg]", True),
        ("80", "mm[Hg]", False),
    ]


def test_a_required_part_that_is_missing_is_said_to_be_unknown():
    result = stored(
        panel("blood-pressure", Component("systolic-blood-pressure", 120, "mm[Hg]"))
    )

    assert [(part.kind.name, part.absent) for part in result.parts] == [
        ("systolic-blood-pressure", None),
        ("diastolic-blood-pressure", "unknown"),
    ]


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Component("heart-rate", 72, "/min"), Reason.UNKNOWN_KIND),
        (Component("systolic-blood-pressure", 120, "%"), Reason.UNKNOWN_UNIT),
        (Component("systolic-blood-pressure", 0, "mm[Hg]"), Reason.IMPOSSIBLE),
        (Component("systolic-blood-pressure", None), Reason.INVALID_VALUE),
    ],
)
def test_a_part_that_cannot_be_stored_refuses_the_panel(component, expected):
    assert reason(panel("blood-pressure", component)) is expected


@pytest.mark.parametrize("offset_ms", [-1, 8 * 3_600_000 + 1, 2**31])
def test_a_stage_outside_its_session_is_refused(offset_ms):
    stage = Component("sleep-stage", "deep", offset_ms=offset_ms)
    night = interval("sleep-session", None, "", components=(stage,))

    assert reason(night) is Reason.MALFORMED


def test_a_refusal_accounts_for_every_record_and_tells_no_value():
    refused = normalise(measurement(value=Number("987.125"), records=7), now_us=NOW_US)

    assert refused.records == 7
    assert "987" not in refused.detail


@given(
    value=st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.decimals()),
    unit=st.sampled_from(["/min", "", "Cel", "[degF]", "%"]),
    kind=st.sampled_from(sorted(kinds())),
    absent=st.sampled_from([None, "unknown"]),
)
def test_whatever_comes_is_stored_or_refused(value, unit, kind, absent):
    result = normalise(interval(kind, value, unit, absent=absent), now_us=NOW_US)

    assert isinstance(result, Normalised | Refusal)
