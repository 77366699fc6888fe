from decimal import Decimal

import pytest

from conformance.fhir_json import Number
from mappings.measurement import Reason
from mappings.payload import Unreadable
from mappings.templates.expression import ExpressionError, compiled

MESSAGE = {
    "a": Number("1.50"),
    "b": {"c": Number("72.50"), "d-e": [10, Number("2.0E1")]},
    "rows": [{"v": Number("0.10")}, {"v": Number("0.20")}, {"w": 1}],
    "text": "12.340",
    "truth": True,
    "map": {"0": 61, "60": 62},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "1.50"),
        ("b.c", "72.50"),
        ('b."d-e"[1]', "2.0E1"),
        ('b."d-e"[-1]', "2.0E1"),
        ("rows[*].v | [1]", "0.20"),
        ("nowhere || b.c", "72.50"),
        ("to_number(text)", "12.340"),
        ("max([a, b.c])", "72.50"),
        ("sum(rows[].v)", "0.30"),
        ("add(a, `0.001`)", "1.501"),
        ("subtract(b.c, a)", "71.00"),
        ("multiply(a, `0.10`)", "0.1500"),
        ("`1.10`", "1.10"),
        ("to_string(b.c)", "72.50"),
        ("abs(`-3.40`)", "3.40"),
    ],
)
def test_a_number_keeps_its_digits_through_every_expression(text, expected):
    found = compiled(text).find(MESSAGE)

    assert type(found) is not float
    assert str(found) == expected


def test_digits_beyond_those_of_a_float_are_kept():
    long = "1234567890.12345678901234567890123"

    found = compiled("add(a, b)").find({"a": Number(long), "b": 0})

    assert found == Decimal(long)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a", [1], None),
        ("a", "text", None),
        ("a.b", {"a": "text"}, None),
        ("a.b", {"a": None}, None),
        ("a.b", [], None),
        ("a[0]", {"a": "text"}, None),
        ("a[0]", {"a": []}, None),
        ("a[0].b.c", {"a": [{"b": {"c": 3}}]}, 3),
        ("a[0].b.c", {"a": [7]}, None),
        ("@", 21, 21),
        ("items(map)[1]", MESSAGE, ["60", 62]),
        ("split(text, '.')", MESSAGE, ["12", "340"]),
        ("lower(text)", {"text": "OPEN"}, "open"),
        ("a > `1.4`", MESSAGE, True),
        ("a == `1.5`", MESSAGE, True),
        ("type(a)", MESSAGE, "number"),
        ("to_number(truth)", MESSAGE, None),
        ("to_number('1_0')", MESSAGE, None),
    ],
)
def test_an_expression_finds_what_jmespath_says(text, value, expected):
    assert compiled(text).find(value) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ('b."d-e"[1]', ("b", "d-e", 1)),
        ("@", ()),
        ("rows[*].v", None),
        ("a || b", None),
    ],
)
def test_only_a_plain_path_becomes_look_ups(text, path):
    assert compiled(text).path == path


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("a.b", (("a", "b"),)),
        ("rows[?v > `1`].w", (("rows",),)),
        ("a || b.c", (("a",), ("b", "c"))),
        ("a[0].b || c", (("a", 0, "b"), ("c",))),
        ("max([x, y])", (("x",), ("y",))),
        ("rows | [0].v", (("rows",),)),
        ("`1`", ()),
        ("keys(@)", ((),)),
        ("{x: a, y: b}", (("a",), ("b",))),
        ("sort_by(rows, &v)", (("rows",),)),
    ],
)
def test_an_expression_tells_where_it_reads(text, reads):
    assert compiled(text).reads == reads


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a ||", 5, "The expression is not JMESPath: it ends early."),
        ("a..b", 3, "The expression is not JMESPath: `.` is not expected."),
        ("", 1, "The expression is empty."),
        ("x || nothing(a)", 6, "There is no function `nothing`."),
        ("avg(a)", 1, "There is no function `avg`."),
        ("a.length(b, c)", 3, "`length` takes 1 arguments, not 2."),
        ("join(',')", 1, "`join` takes 2 arguments, not 1."),
        ("not_null()", 1, "`not_null` takes 1 or more arguments, not 0."),
        (
            "`{`",
            1,
            (
                "The expression is not JMESPath: what stands between backquotes is not "
                "JSON."
            ),
        ),
        ("a" * 513, 513, "The expression has more than 512 characters."),
        ("!" * 500 + "a", 1, "The expression is too deep."),
        ("!" * 40 + "a", 1, "The expression is too deep."),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(text, column, message):
    with pytest.raises(ExpressionError) as raised:
        compiled(text)

    assert (raised.value.column, str(raised.value)) == (column, message)


def test_an_expression_that_grows_without_bound_is_ended():
    doubling = compiled("[@,@][]" + " | [@,@][]" * 25)

    with pytest.raises(Unreadable) as raised:
        doubling.find([1])

    assert raised.value.reason is Reason.MALFORMED


def test_a_text_that_grows_without_bound_is_ended():
    doubling = compiled("join('',[@,@])" + " | join('',[@,@])" * 20)

    with pytest.raises(Unreadable):
        doubling.find("x" * 10)


def test_an_expression_that_takes_too_many_steps_is_ended():
    every = compiled("[*][*].[@,@]")

    with pytest.raises(Unreadable):
        every.find([[1] * 2000] * 100)


def test_an_expression_that_does_not_fit_shows_no_value():
    with pytest.raises(Unreadable) as raised:
        compiled("join(',', a)").find({"a": 61.789})

    assert raised.value.detail == (
        "An expression of the template does not fit the message."
    )
    assert raised.value.__cause__ is None
