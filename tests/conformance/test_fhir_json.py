import json
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import fhir_json_faults
from conformance.fhir_json import (
    MAX_DEPTH,
    MAX_ITEMS,
    Number,
    dumps,
    loads,
    loads_foreign,
    loads_object,
    pretty,
)
from conformance.issues import FHIRError, IssueType

STRUCTURE, TOO_LONG = IssueType.STRUCTURE, IssueType.TOO_LONG

# The numbers are those of the bad-input list that the service promises to refuse.
REFUSED = {
    "1 empty": (b"", STRUCTURE, "The body is empty."),
    "1 white space": (b" \n", STRUCTURE, "The body is empty."),
    "2 byte order mark": (
        b'\xef\xbb\xbf{"a":1}',
        STRUCTURE,
        "The body starts with a byte order mark, at byte 0.",
    ),
    "3 UTF-16 with a mark": (
        '{"a":1}'.encode("utf-16"),
        STRUCTURE,
        "The body is UTF-16 or UTF-32, from byte 0, not UTF-8.",
    ),
    "3 UTF-16 without": (
        '{"a":1}'.encode("utf-16-le"),
        STRUCTURE,
        "The body is UTF-16 or UTF-32, from byte 0, not UTF-8.",
    ),
    "3 UTF-32": (
        '{"a":1}'.encode("utf-32-be"),
        STRUCTURE,
        "The body is UTF-16 or UTF-32, from byte 0, not UTF-8.",
    ),
    "3 Latin-1": (
        '{"a":"é"}'.encode("latin-1"),
        STRUCTURE,
        "The body is not UTF-8 at byte 6.",
    ),
    "4 overlong": (b'{"a":"\xc0\xaf"}', STRUCTURE, "The body is not UTF-8 at byte 6."),
    "4 encoded surrogate": (
        b'{"a":"\xed\xa0\x80"}',
        STRUCTURE,
        "The body is not UTF-8 at byte 6.",
    ),
    "4 escaped high surrogate": (
        b'{"a":\n "x\\ud800"}',
        STRUCTURE,
        "A surrogate without its pair is escaped at line 2, column 4.",
    ),
    "4 escaped low surrogate": (
        b'["\\uDC00"]',
        STRUCTURE,
        "A surrogate without its pair is escaped at line 1, column 3.",
    ),
    "4 two high surrogates": (
        b'["\\ud83d\\ud83d\\ude00"]',
        STRUCTURE,
        "A surrogate without its pair is escaped at line 1, column 3.",
    ),
    "5 raw NUL": (
        b'{"a":"b\x00"}',
        STRUCTURE,
        "Malformed JSON at line 1, column 8: Invalid control character at.",
    ),
    "5 raw tab": (
        b'{"a":"\t"}',
        STRUCTURE,
        "Malformed JSON at line 1, column 7: Invalid control character at.",
    ),
    "5 escaped NUL": (
        b'{"a":"\\u0000"}',
        STRUCTURE,
        "A control character is escaped at line 1, column 7.",
    ),
    "5 escaped unit separator": (
        b'{"\xc3\xa9":"\\u001F"}',
        STRUCTURE,
        "A control character is escaped at line 1, column 7.",
    ),
    "5 backspace": (
        b'["\\\\b\\b"]',
        STRUCTURE,
        "A control character is escaped at line 1, column 6.",
    ),
    "6 duplicate": (
        b'{"resourceType":"Observation","status":"final","status":"final"}',
        STRUCTURE,
        "The member 'status' appears twice, in Observation.",
    ),
    "6 deep duplicate": (
        b'{"resourceType":"Observation","component":[{},{"code":{"a":1,"a":1}}]}',
        STRUCTURE,
        "The member 'a' appears twice, in Observation.component[1].code.",
    ),
    "6 escaped duplicate": (
        b'[{"a":1,"\\u0061":1}]',
        STRUCTURE,
        "The member 'a' appears twice, in $[0].",
    ),
    "7 NaN": (
        b'{"a":"NaN","b":NaN}',
        STRUCTURE,
        "NaN is not a JSON number, at line 1, column 16.",
    ),
    "7 Infinity": (
        b"[Infinity]",
        STRUCTURE,
        "Infinity is not a JSON number, at line 1, column 2.",
    ),
    "7 -Infinity": (
        b"[\n-Infinity]",
        STRUCTURE,
        "-Infinity is not a JSON number, at line 2, column 1.",
    ),
    "8 1e400": (
        b'{"value":1e400}',
        STRUCTURE,
        "A number is too large or too small for most readers, at line 1, column 10.",
    ),
    "8 1e-400": (
        b"[1e-400]",
        STRUCTURE,
        "A number is too large or too small for most readers, at line 1, column 2.",
    ),
    "8 an exponent beyond Decimal": (
        b"[1e99999999999999999999]",
        STRUCTURE,
        "A number is too large or too small for most readers, at line 1, column 2.",
    ),
    "9 long integer": (
        b'["x",' + b"7" * 5000 + b"]",
        TOO_LONG,
        "A number has more than 64 characters, at line 1, column 6.",
    ),
    "9 long fraction": (
        b"[0." + b"7" * 5000 + b"]",
        TOO_LONG,
        "A number has more than 64 characters, at line 1, column 2.",
    ),
    "10 depth": (
        b"[" * 65 + b"]" * 65,
        TOO_LONG,
        "The JSON nests deeper than 64 levels, at line 1, column 65.",
    ),
    "10 depth, unclosed": (
        b'{"a":' * 100_000,
        TOO_LONG,
        "The JSON nests deeper than 64 levels, at line 1, column 321.",
    ),
    "11 items": (
        b"[" + b",".join([b"1"] * 100_000) + b"]",
        TOO_LONG,
        "An array has 100000 items or more, at line 1, column 199999.",
    ),
    "11 items of items": (
        b'{"a":[' + b",".join([b'[{"b":[]},"]"]'] * 100_000) + b"]}",
        TOO_LONG,
        "An array has 100000 items or more, at line 1, column 1499991.",
    ),
    "14 two documents": (
        b"{}{}",
        STRUCTURE,
        "Malformed JSON at line 1, column 3: Extra data.",
    ),
    "14 garbage": (
        b"{}\n;",
        STRUCTURE,
        "Malformed JSON at line 2, column 1: Extra data.",
    ),
    "15 single quotes": (
        b"{'a':1}",
        STRUCTURE,
        (
            "Malformed JSON at line 1, column 2: "
            "Expecting property name enclosed in double quotes."
        ),
    ),
    "15 comment": (
        b"{} // x",
        STRUCTURE,
        "Malformed JSON at line 1, column 4: Extra data.",
    ),
    "15 trailing comma": (
        b"[1,]",
        STRUCTURE,
        "Malformed JSON at line 1, column 4: Expecting value.",
    ),
    "18 resourceType twice": (
        b'{"resourceType":"Patient","resourceType":"Observation"}',
        STRUCTURE,
        "The member 'resourceType' appears twice, in Patient.",
    ),
    "19 __proto__": (
        b'{"resourceType":"Patient","name":[{"__proto__":{}}]}',
        STRUCTURE,
        "The member '__proto__' is refused, in Patient.name[0].",
    ),
    "19 escaped __proto__": (
        b'{"\\u005f_proto__":1}',
        STRUCTURE,
        "The member '__proto__' is refused, in $.",
    ),
    "19 constructor": (
        b'{"constructor":1}',
        STRUCTURE,
        "The member 'constructor' is refused, in $.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_its_place(name):
    data, type_, message = REFUSED[name]

    with pytest.raises(FHIRError) as refused:
        loads(data)

    assert (refused.value.type, str(refused.value)) == (type_, message)


def test_a_member_that_appears_twice_is_pointed_at():
    with pytest.raises(FHIRError) as refused:
        loads(b'{"a":{"b":1,"b":1},"resourceType":"Patient"}')

    assert refused.value.issues[0].expression == "Patient.a"


@pytest.mark.parametrize("data", [b"[]", b'"a"', b"null", b"7", b"true"])
def test_a_resource_is_an_object(data):
    with pytest.raises(FHIRError, match="not a JSON object") as refused:
        loads_object(data)

    assert refused.value.type is STRUCTURE


def test_an_object_is_read():
    assert loads_object(b'{"a":[1,null,true]}') == {"a": [1, None, True]}


ACCEPTED = {
    "tab, line feed and carriage return": (
        rb'"\t\n\r\u0009\u000a\u000D"',
        "\t\n\r" * 2,
    ),
    "a pair of surrogates": (rb'"\ud83d\ude00"', "\U0001f600"),
    "an escaped backslash before ud800": (rb'"\\ud800"', r"\ud800"),
    "an escaped backslash before u0000": (rb'"\\u0000"', r"\u0000"),
    "a value that is named as a prototype": (b'"__proto__"', "__proto__"),
    "a long run of digits in a string": (b'"' + b"1" * 99 + b'"', "1" * 99),
    "brackets in a string": (b'"' + b"[" * 99 + b'"', "[" * 99),
    "commas in a string": (b'"' + b"," * MAX_ITEMS + b'"', "," * MAX_ITEMS),
    "a quote in a string with brackets": (
        rb'["\"' + b"[" * 99 + b'"]',
        ['"' + "[" * 99],
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_looks_bad_and_is_not_is_read(name):
    data, value = ACCEPTED[name]

    assert loads(data) == value


def test_the_deepest_nesting_allowed_is_read():
    data = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert dumps(loads(data)) == data


def test_the_longest_array_allowed_is_read():
    data = b"[" + b",".join([b"[1,2]"] * (MAX_ITEMS - 1)) + b"]"

    assert len(loads(data)) == MAX_ITEMS - 1


def test_many_items_in_many_arrays_are_no_long_array():
    array = b"[" + b",".join([b"1"] * 1000) + b"]"
    data = b"[" + b",".join([array] * 101) + b"]"

    assert len(loads(data)) == 101


def test_a_depth_of_the_callers_choice_holds():
    with pytest.raises(FHIRError, match="deeper than 2 levels"):
        loads(b"[[[]]]", max_depth=2)


def test_nesting_beyond_the_interpreters_stack_is_refused():
    with pytest.raises(FHIRError, match="too deep or long"):
        loads(b"[" * 50_000, max_depth=50_000)


@pytest.mark.parametrize(
    "text",
    [
        "72.50",
        "1.0E+2",
        "-0.0",
        "-0",
        "0",
        "1e-7",
        "0.0000001",
        "12345678901234567890.10",
        "1E5",
        "100",
        "-5.0e0",
        "3.141592653589793238462643383279",
    ],
)
@pytest.mark.parametrize("frame", ["%s", "[%s]", '{"a":%s}', '[%s,"x"]'])
def test_a_number_leaves_with_the_characters_it_came_with(text, frame):
    data = (frame % text).encode()

    assert dumps(loads(data)) == data


def test_a_number_is_a_decimal():
    number = loads(b"72.50")

    assert (type(number), number, str(number)) == (Number, Decimal("72.5"), "72.50")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("72.50"), b"72.50"),
        (Decimal("1E+2"), b"100"),
        (Decimal("-0.0"), b"-0.0"),
    ],
)
def test_a_decimal_is_written_without_an_exponent(value, text):
    assert dumps(value) == text


digits = st.from_regex(
    r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?\Z"
)
strings = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r")
)
names = strings.filter(lambda name: name not in fhir_json_faults.RESERVED)


@given(st.lists(digits))
def test_any_numbers_leave_with_the_characters_they_came_with(numbers):
    data = f"[{','.join(numbers)}]".encode()

    assert dumps(loads(data)) == data


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | strings,
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
)


@given(values)
def test_any_value_comes_back_equal_from_any_layout(value):
    escaped = json.dumps(value).encode()

    assert loads(dumps(value)) == loads(pretty(value)) == loads(escaped) == value


@given(values)
def test_compact_json_is_what_the_standard_library_writes(value):
    expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    assert dumps(value) == expected.encode()


@given(values)
def test_pretty_json_is_what_the_standard_library_writes(value):
    expected = json.dumps(value, ensure_ascii=False, indent=2)

    assert pretty(value) == expected.encode()


@given(st.binary() | st.text(alphabet='[]{},:"\\u0d8ctrue1-.eNaI \n').map(str.encode))
def test_any_bytes_are_read_as_the_standard_library_does_or_refused(data):
    try:
        value = loads(data)
    except FHIRError:
        return

    assert value == json.loads(data, parse_float=Decimal)


@given(st.text(alphabet='[]{},:"\\ux', max_size=300).map(str.encode))
def test_depth_is_what_a_character_loop_counts(data):
    outside = fhir_json_faults._outside_strings(data)

    assert fhir_json_faults._is_deeper(outside, 3) == (_counted_depth(data) > 3)


def _counted_depth(data):
    depth = deepest = 0
    in_string = escaped = False
    for character in data.decode():
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            in_string = not in_string
        elif not in_string:
            depth += (character in "[{") - (character in "]}")
            deepest = max(deepest, depth)
    return deepest


class Colour(StrEnum):
    RED = "red"


def test_a_string_enum_and_a_tuple_have_a_json_form():
    assert dumps({Colour.RED: (Colour.RED, 1)}) == b'{"red":["red",1]}'


@pytest.mark.parametrize("value", [1.5, {1: 2}, {"a": [0.1]}, b"x", {1, 2}, object()])
def test_what_json_has_no_form_for_is_refused(value):
    for write in (dumps, pretty):
        with pytest.raises(TypeError):
            write(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_not_finite_is_refused(text):
    with pytest.raises(ValueError, match="finite"):
        dumps(Decimal(text))


def test_twenty_megabytes_of_brackets_are_refused_without_recursion():
    with pytest.raises(FHIRError, match="deeper"):
        loads(b"[" * 20_000_000)


def test_control_characters_of_foreign_json_become_the_replacement_character():
    data = rb'{"build":"1.34\u0000","b\b":"\\u0000 \t\u001F\u000a","c":72.50}'

    assert loads_foreign(data) == {
        "build": "1.34\ufffd",
        "b\ufffd": "\\u0000 \t\ufffd\n",
        "c": Decimal("72.50"),
    }


def test_foreign_json_is_refused_for_every_other_fault():
    with pytest.raises(FHIRError):
        loads_foreign(rb'{"a":"\ud800"}')
    with pytest.raises(FHIRError):
        loads_foreign(b'{"a":1,"a":2}')
