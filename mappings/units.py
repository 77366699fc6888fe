"""Units: the words that sources use, and exact conversion between UCUM units.

A word that could mean two things (`count`, `dB`, a percentage that is a ratio) is not
in the table: the vendor's parser knows the context and says the UCUM code.

https://ucum.org/ucum
"""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

WORDS = MappingProxyType(
    {
        # Rates.
        "/min": "/min",
        "count/min": "/min",
        "beats/min": "/min",
        "beats/minute": "/min",
        "beats per minute": "/min",
        "bpm": "/min",
        "breaths/min": "/min",
        "breaths/minute": "/min",
        "breaths per minute": "/min",
        "count/s": "/s",
        "Hz": "Hz",
        # Counts.
        "steps": "{steps}",
        "{steps}": "{steps}",
        "lqi": "{lqi}",
        "{lqi}": "{lqi}",
        # Fractions; a source that says `%` and means a ratio must say `1`.
        "%": "%",
        "percent": "%",
        "1": "1",
        "ppm": "[ppm]",
        "[ppm]": "[ppm]",
        "ppb": "[ppb]",
        "[ppb]": "[ppb]",
        # Temperature.
        "Cel": "Cel",
        "C": "Cel",
        "degC": "Cel",
        "°C": "Cel",
        "℃": "Cel",
        "[degF]": "[degF]",
        "F": "[degF]",
        "degF": "[degF]",
        "°F": "[degF]",
        "℉": "[degF]",
        "K": "K",
        # Length.
        "m": "m",
        "cm": "cm",
        "mm": "mm",
        "km": "km",
        "in": "[in_i]",
        "[in_i]": "[in_i]",
        "ft": "[ft_i]",
        "[ft_i]": "[ft_i]",
        "yd": "[yd_i]",
        "[yd_i]": "[yd_i]",
        "mi": "[mi_i]",
        "[mi_i]": "[mi_i]",
        # Mass.
        "kg": "kg",
        "g": "g",
        "lb": "[lb_av]",
        "[lb_av]": "[lb_av]",
        "oz": "[oz_av]",
        "[oz_av]": "[oz_av]",
        "st": "[stone_av]",
        "[stone_av]": "[stone_av]",
        "kg/m2": "kg/m2",
        "kg/m^2": "kg/m2",
        "kg/m²": "kg/m2",
        # Time.
        "us": "us",
        "ms": "ms",
        "s": "s",
        "sec": "s",
        "min": "min",
        "h": "h",
        "hr": "h",
        "d": "d",
        # Energy; the capital Cal of food labels is a kilocalorie.
        "kcal": "kcal",
        "Cal": "kcal",
        "cal": "cal",
        "kJ": "kJ",
        "J": "J",
        "kcal/d": "kcal/d",
        # Pressure.
        "mmHg": "mm[Hg]",
        "mm[Hg]": "mm[Hg]",
        "hPa": "hPa",
        "kPa": "kPa",
        "Pa": "Pa",
        "mbar": "mbar",
        # Concentration.
        "mg/dL": "mg/dL",
        "mg/dl": "mg/dL",
        "mmol/L": "mmol/L",
        "mmol/l": "mmol/L",
        "ug/m3": "ug/m3",
        "µg/m³": "ug/m3",  # The micro sign.
        "μg/m³": "ug/m3",  # The Greek letter.
        "mg/m3": "mg/m3",
        "mg/m³": "mg/m3",
        # Speed, oxygen uptake.
        "m/s": "m/s",
        "km/h": "km/h",
        "km/hr": "km/h",
        "mi/h": "[mi_i]/h",
        "mi/hr": "[mi_i]/h",
        "mL/kg/min": "mL/kg/min",
        "mL/min/kg": "mL/kg/min",
        "mL/min·kg": "mL/kg/min",
        "ml/kg/min": "mL/kg/min",
        # Sound, light, electricity; the weighting of a sound level is its method.
        "dB[SPL]": "dB[SPL]",
        "dBASPL": "dB[SPL]",
        "dB(A)": "dB[SPL]",
        "dBA": "dB[SPL]",
        "lx": "lx",
        "lux": "lx",
        "V": "V",
        "mV": "mV",
    }
)
"""A source's word to its UCUM code; only words with one meaning."""

UNIT_TEXT = MappingProxyType(
    {
        "[degF]": "°F",
        "[lb_av]": "lb",
        "[in_i]": "in",
        "g": "g",
        "h": "h",
    }
)
"""How people write the units that kinds keep beside their own."""


class Step(NamedTuple):
    """A unit as `factor` · base + `offset`, both exact."""

    factor: Fraction
    offset: Fraction = Fraction(0)


def _scale(text: str) -> Step:
    return Step(Fraction(text))


DIMENSIONS = MappingProxyType(
    {
        "temperature": {
            "Cel": Step(Fraction(1)),
            "[degF]": Step(Fraction(5, 9), Fraction(-160, 9)),
            "K": Step(Fraction(1), Fraction("-273.15")),
        },
        "length": {
            "m": _scale("1"),
            "cm": _scale("0.01"),
            "mm": _scale("0.001"),
            "km": _scale("1000"),
            "[in_i]": _scale("0.0254"),
            "[ft_i]": _scale("0.3048"),
            "[yd_i]": _scale("0.9144"),
            "[mi_i]": _scale("1609.344"),
        },
        "mass": {
            "kg": _scale("1"),
            "g": _scale("0.001"),
            "[lb_av]": _scale("0.45359237"),
            "[oz_av]": _scale("0.028349523125"),
            "[stone_av]": _scale("6.35029318"),
        },
        "time": {
            "s": _scale("1"),
            "us": _scale("0.000001"),
            "ms": _scale("0.001"),
            "min": _scale("60"),
            "h": _scale("3600"),
            "d": _scale("86400"),
        },
        "energy": {
            "J": _scale("1"),
            "kJ": _scale("1000"),
            "cal": _scale("4.184"),
            "kcal": _scale("4184"),
        },
        "fraction": {
            "1": _scale("1"),
            "%": _scale("0.01"),
            "[ppm]": _scale("0.000001"),
            "[ppb]": _scale("0.000000001"),
        },
        "pressure": {
            "Pa": _scale("1"),
            "hPa": _scale("100"),
            "kPa": _scale("1000"),
            "mbar": _scale("100"),
            "mm[Hg]": _scale("133.322"),
        },
        "rate": {
            "/s": _scale("1"),
            "Hz": _scale("1"),
            "/min": Step(Fraction(1, 60)),
            "/h": Step(Fraction(1, 3600)),
        },
        "speed": {
            "m/s": _scale("1"),
            "km/h": Step(Fraction(1000, 3600)),
            "[mi_i]/h": Step(Fraction("1609.344") / 3600),
        },
        "mass concentration": {
            "mg/m3": _scale("1"),
            "ug/m3": _scale("0.001"),
            "mg/dL": _scale("10000"),
        },
        "electric potential": {"V": _scale("1"), "mV": _scale("0.001")},
    }
)
"""Units of one dimension, as UCUM defines them; only these convert."""

MAX_PLACES = 40
"""Places before or after the decimal point; a measurement has fewer than ten."""


class Conversion(NamedTuple):
    """An exact linear conversion: (value · multiplier + summand) / divisor."""

    multiplier: int
    summand: int
    divisor: int


def ucum(word: str) -> str | None:
    """Return the UCUM code of a source's `word`; None where it is not known."""
    return WORDS.get(word)


def _conversion(source: Step, target: Step) -> Conversion:
    factor = source.factor / target.factor
    offset = (source.offset - target.offset) / target.factor
    divisor = factor.denominator * offset.denominator
    return Conversion(int(factor * divisor), int(offset * divisor), divisor)


CONVERSIONS = MappingProxyType(
    {
        (source, target): _conversion(steps[source], steps[target])
        for steps in DIMENSIONS.values()
        for source in steps
        for target in steps
        if source != target
    }
)
"""Each pair of different units of one dimension."""


def conversion(source: str, target: str) -> Conversion | None:
    """Return the exact conversion between two UCUM units; None where none exists."""
    return CONVERSIONS.get((source, target))


def places(value: Decimal) -> int:
    """Return the decimal places of `value`; 0 for a whole number.

    Raises:
        ValueError: where `value` is not finite or longer than `MAX_PLACES`.

    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")  # noqa: TRY004 - the value is wrong, not its type
    if exponent < -MAX_PLACES or value.adjusted() > MAX_PLACES:
        raise ValueError("more places than a measurement has")
    return max(0, -exponent)


@lru_cache(maxsize=1024)
def _target_places(conversion: Conversion, source_places: int) -> int:
    """Return the fewest places that resolve what the source resolved."""
    step = Fraction(conversion.multiplier, conversion.divisor * 10**source_places)
    decimals = 0
    while Fraction(1, 10**decimals) > step:
        decimals += 1
    return decimals


def _half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient


def convert(value: Decimal, conversion: Conversion) -> Decimal:
    """Return `value` converted, in the precision of the source.

    The exact rational result is rounded (half to even) to the fewest places whose
    last one is no coarser than the source's last one: no significant digit is lost,
    values that differed still differ, and converting back and rounding to the
    source's places gives the source's number. 98.6 [degF] is 37.00 Cel, 75 [degF] is
    23.9 Cel, 0.97 is 97 %, 26.2 [mi_i] is 42165 m.

    Raises:
        ValueError: where `value` is not finite or longer than `MAX_PLACES`.

    """
    decimals = _target_places(conversion, places(value))
    numerator, denominator = value.as_integer_ratio()
    rounded = _half_even(
        (numerator * conversion.multiplier + denominator * conversion.summand)
        * 10**decimals,
        denominator * conversion.divisor,
    )
    return Decimal(f"{rounded}E-{decimals}") if decimals else Decimal(rounded)
