from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from mappings.units import (
    CONVERSIONS,
    MAX_PLACES,
    WORDS,
    conversion,
    convert,
    places,
    ucum,
)

PAIRS = sorted(CONVERSIONS)

VALUES = st.decimals(
    min_value=Decimal(-100_000),
    max_value=Decimal(100_000),
    places=4,
    allow_nan=False,
    allow_infinity=False,
).flatmap(lambda value: st.integers(0, 4).map(lambda digits: round(value, digits)))


@pytest.fixture(scope="module")
def registry():
    return PintUcumRegistry()


@pytest.mark.parametrize("code", sorted(set(WORDS.values())))
def test_every_word_becomes_a_ucum_code(code, registry):
    assert registry.from_ucum(code) is not None


@pytest.mark.parametrize(
    "word", ["count", "dB", "dBm", "beats", "", "mmH", "lbs/min", "MIN", "step"]
)
def test_a_word_with_no_one_meaning_is_unknown(word):
    assert ucum(word) is None


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("98.6", "[degF]", "Cel", "37.00"),
        ("96.5", "[degF]", "Cel", "35.83"),
        ("75", "[degF]", "Cel", "23.9"),
        ("-40", "[degF]", "Cel", "-40.0"),
        ("0.97", "1", "%", "97"),
        ("0.965", "1", "%", "96.5"),
        ("26.2", "[mi_i]", "m", "42165"),
        ("0.50", "[mi_i]", "m", "805"),
        ("0.497174", "[mi_i]", "m", "800.124"),
        ("7.5", "h", "min", "450"),
        ("17.5", "min", "s", "1050"),
        ("11231", "s", "min", "187.18"),
        ("1000", "kJ", "kcal", "239.0"),
        ("8368.0", "kJ", "kcal", "2000.00"),
        ("0.042", "s", "ms", "42"),
        ("154", "[lb_av]", "kg", "69.9"),
        ("3.025", "V", "mV", "3025"),
        ("101.325", "kPa", "hPa", "1013.25"),
        ("1.2", "Hz", "/min", "72"),
        ("1.0E2", "cm", "m", "1.00"),
    ],
)
def test_a_conversion_keeps_the_precision_of_the_source(
    value, source, target, expected
):
    assert format(convert(Decimal(value), conversion(source, target)), "f") == expected


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_conversion_agrees_with_an_independent_implementation(
    source, target, registry
):
    # UCUM's column of mercury is 133.3220 kPa a metre, pint's is 133.3224.
    tolerance = 3e-6 if "mm[Hg]" in {source, target} else 1e-9
    for magnitude in (0, 36.6, 1000):
        quantity = registry.Quantity(magnitude, registry.from_ucum(source).units)
        exact = conversion(source, target)

        ours = float(
            Fraction(Decimal(str(magnitude)) * exact.multiplier + exact.summand)
            / exact.divisor
        )

        theirs = quantity.to(registry.from_ucum(target).units).magnitude
        assert ours == pytest.approx(theirs, rel=tolerance, abs=1e-9)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("mg/dL", "mmol/L"),
        ("mm[Hg]", "Cel"),
        ("dB[SPL]", "%"),
        ("kcal", "kcal/d"),
        ("/min", "{steps}"),
        ("bpm", "/min"),
        ("", "%"),
    ],
)
def test_units_of_different_dimensions_do_not_convert(source, target):
    assert conversion(source, target) is None


@given(value=VALUES, pair=st.sampled_from(PAIRS))
def test_converting_back_gives_the_number_of_the_source(value, pair):
    source, target = pair

    there = convert(value, conversion(source, target))

    back = conversion(target, source)
    numerator, denominator = there.as_integer_ratio()
    exact = Fraction(
        numerator * back.multiplier + denominator * back.summand,
        denominator * back.divisor,
    )
    error = abs(exact - Fraction(value))
    assert error <= Fraction(1, 2 * 10 ** places(value))


@given(value=VALUES, pair=st.sampled_from(PAIRS))
def test_a_conversion_is_exact_but_for_its_last_place(value, pair):
    exact = conversion(*pair)

    result = convert(value, exact)

    truth = (Fraction(value) * exact.multiplier + exact.summand) / exact.divisor
    assert abs(Fraction(result) - truth) <= Fraction(1, 2 * 10 ** places(result))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_does_not_convert(text):
    with pytest.raises(ValueError, match="finite"):
        convert(Decimal(text), conversion("[mi_i]", "m"))


@pytest.mark.parametrize("text", ["1E999999", "1E-999999", "0E999999", "1E+41"])
def test_a_number_of_absurd_size_does_not_convert(text):
    with pytest.raises(ValueError, match="places"):
        convert(Decimal(text), conversion("[mi_i]", "m"))


def test_the_longest_number_converts_without_loss():
    longest = Decimal("1." + "1" * MAX_PLACES)

    result = convert(longest, conversion("m", "mm"))

    assert Fraction(result) == Fraction(longest) * 1000
