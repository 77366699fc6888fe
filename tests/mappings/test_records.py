import pytest

from mappings.measurement import Component, Measurement, OutOfScope, Reason, Refusal
from mappings.payload import Instant, Unreadable
from mappings.records import Field, Found, Record, Shape, day_text, found_in, moment
from mappings.times import Span

SHAPE = Shape(
    fields={"pulse": Field("heart-rate", "/min", "by hand")},
    parts={"light": Field("light-sleep-duration", "s")},
    context=frozenset({"id"}),
    out_of_scope={"goal": "goal"},
    nested=frozenset({"score"}),
)
AT = Span(Instant("2025-01-15T08:00:00Z", 1736928000000000))


def record(**members: object) -> Record:
    return Record(members, SHAPE, "$.data[0]", lambda one: {"data": [one]})


def test_a_field_is_a_measurement_of_its_own():
    [reading] = record(id="r", pulse=61).measured(AT, source_id="r")

    assert reading == Measurement(
        kind="heart-rate",
        value=61,
        unit="/min",
        start="2025-01-15T08:00:00Z",
        start_us=1736928000000000,
        end=None,
        end_us=1736928000000000,
        position="$.data[0].pulse",
        source_id="r",
        method="by hand",
    )


def test_a_field_without_a_value_is_counted():
    assert list(record(pulse=None).measured(AT)) == [
        OutOfScope("$.data[0].pulse", "property without a value")
    ]


def test_a_field_that_is_no_number_is_refused_with_its_context_alone():
    [refusal] = record(id="r", pulse="61", light=4).measured(AT)

    assert refusal == Refusal(
        "$.data[0].pulse",
        Reason.INVALID_VALUE,
        "heart-rate",
        "The value is not a number.",
        {"data": [{"id": "r", "pulse": "61"}]},
    )


def test_parts_are_components_and_those_without_a_value_are_none():
    assert record(light=60).components() == (
        Component("light-sleep-duration", 60, "s"),
    )
    assert record(light=None).components() == ()


def test_a_part_that_is_no_number_says_of_which_kind():
    with pytest.raises(Unreadable) as caught:
        record(light="60").components()

    assert (caught.value.reason, caught.value.kind) == (
        Reason.INVALID_VALUE,
        "light-sleep-duration",
    )


def test_what_is_left_over_is_counted_refused_or_metadata():
    left = record(
        id="r", light=None, goal=9, score={}, novel=3, colour="red", worn=True, gap=None
    ).left_over()

    assert list(left) == [
        OutOfScope("$.data[0].light", "property without a value"),
        OutOfScope("$.data[0].goal", "goal"),
        Refusal(
            "$.data[0].?",
            Reason.UNKNOWN_KIND,
            None,
            "The member is not one that is understood.",
            {"data": [{"id": "r", "novel": 3}]},
        ),
    ]


def test_a_record_within_a_record_is_wrapped_in_both():
    inner = record(id="r", score={"pulse": "x"}).nested("score", SHAPE)

    [refusal] = inner.measured(AT)

    assert (refusal.position, refusal.payload) == (
        "$.data[0].score.pulse",
        {"data": [{"id": "r", "score": {"pulse": "x"}}]},
    )


def test_what_is_no_record_within_a_record_has_no_members():
    assert record(score=3).nested("score", SHAPE).members == {}


def test_a_refused_record_counts_what_it_would_have_stored():
    error = Unreadable(Reason.NO_TIME, "There is no time.")

    whole = record(id="r", pulse=61, light=4)

    assert whole.refusal(error, whole).records == 4
    assert record(id="r").refusal(error).records == 1


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"id": 1}, [Found(None, {"id": 1}, "$")]),
        ([{"id": 1}], [Found(None, {"id": 1}, "$[0]")]),
        ({"data": [7], "data_type": "x"}, [Found("x", 7, "$.data[0]")]),
        ({"data": [7], "data_type": 3}, [Found(None, 7, "$.data[0]")]),
        ({"sleeps": [7]}, [Found("sleep", 7, "$.sleeps[0]")]),
        ({"input": {"data": [7]}}, [Found(None, 7, "$.input.data[0]")]),
        ([{"data": [7]}, 8], [Found(None, 7, "$[0].data[0]"), Found(None, 8, "$[1]")]),
        ({"data": []}, []),
    ],
)
def test_records_are_found_wherever_an_answer_holds_them(payload, expected):
    assert list(found_in(payload, {"data": None, "sleeps": "sleep"})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-15T09:00:00+01:00", "2025-01-15T09:00:00+01:00"),
        ("2025-01-15T08:00:00.120Z", "2025-01-15T08:00:00.120Z"),
        ("2025-01-15T09:00:00.0000001+0100", "2025-01-15T09:00:00.0000001+01:00"),
    ],
)
def test_a_moment_keeps_its_digits(text, expected):
    assert moment(text).text == expected


def test_a_fraction_is_a_part_of_the_moment():
    assert moment("2025-01-15T08:00:00.123456789Z").us == 1736928000123456


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1969-07-20T20:17:40Z", Reason.MALFORMED),
        ("9999-12-31T23:59:59Z", Reason.MALFORMED),
        ("2025-01-15T08:00:00..5Z", Reason.MALFORMED),
        ("2025-01-15T08:00:00.1.5Z", Reason.MALFORMED),
        ("2025-01-15T08:00:00.Z", Reason.MALFORMED),
        ("2025-01-15T08:00:00.5", Reason.NO_OFFSET),
        ("2025-01-15", Reason.NO_TIME),
        (None, Reason.NO_TIME),
        (3, Reason.MALFORMED),
    ],
)
def test_what_is_no_moment_is_refused_by_name(value, reason):
    with pytest.raises(Unreadable) as caught:
        moment(value)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, Reason.NO_TIME), ("1999-01-01", Reason.MALFORMED), ([], Reason.MALFORMED)],
)
def test_what_is_no_day_is_refused_by_name(value, reason):
    with pytest.raises(Unreadable) as caught:
        day_text(value)

    assert caught.value.reason == reason
