import csv
import re
from pathlib import Path

import pytest
from ucumvert import PintUcumRegistry

from mappings import code_system, units
from mappings.kinds import VALUE_SETS, Effective, ValueType, kinds

FIXTURES = Path(__file__).parent / "fixtures"

# Wrong in public projects: valid check digits, other meanings.
FORBIDDEN = {
    "97509-4",
    "93834-0",
    "93835-7",
    "80287-6",
    "87705-0",
    "97891-6",
    "95607-8",
    "93038-8",
    "95606-0",
    "100280-7",
    "76006-6",
    "105991-4",
    "65624",
    "65632",
    "65616",
    "68020",
}

# What the property of a LOINC code allows as a unit.
PROPERTY_UNITS = {
    "EngRat": {"kcal/d", "kcal/(h.kg)"},
    "Len": {"cm", "m"},
    "MCnc": {"mg/dL"},
    "MFr": {"%"},
    "Mass": {"kg"},
    "NRat": {"/min", "/d"},
    "Num": {"{#}", "{flights}"},
    "Pres": {"mm[Hg]", "hPa"},
    "Ratio": {"kg/m2"},
    "SCnc": {"mmol/L"},
    "Temp": {"Cel"},
    "RatDiff": set(),
    "Time": {"ms", "min"},
    "Vel": {"m/s"},
    "VRatCnt": {"mL/kg/min"},
    "VelRto": {"%"},
}

# LOINC's property is not what the code means, or the unit says what is counted.
PROPERTY_DEFECTS = {
    "55423-8": "{steps}",
    "103209-3": "%",
    "103207-7": "min",
    "103213-5": "min",
    "103214-3": "min",
    "103215-0": "min",
    "103216-8": "{#}",
    "103221-8": "{#}",
    "101687-2": "m",
    "101688-0": "min",
    "101689-8": "min",
    "101690-6": "min",
    "41981-2": "kcal",
}

PHYSICAL_ACTIVITY = (
    "http://hl7.org/fhir/us/physical-activity/CodeSystem/pa-temporary-codes"
)

SNOMED = {
    "248220008": "Asleep",
    "248218005": "Awake",
    "60984000": "NREM",
    "89129007": "REM",
    "261665006": "Unknown",
}

ALL = list(kinds().values())
QUANTITIES = [kind for kind in ALL if kind.value is ValueType.QUANTITY]


def table(name):
    with (FIXTURES / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    return {next(iter(row.values())): row for row in rows}


LOINC = table("loinc-axes.csv")
MDC = table("mdc.csv")


def loinc_codes():
    return [
        pytest.param(kind, coding, id=f"{kind.name} {coding.code}")
        for kind in ALL
        for coding in kind.codings
        if coding.system == "http://loinc.org"
    ]


def named(kind):
    return kind.name


@pytest.fixture(scope="module")
def registry():
    return PintUcumRegistry()


def test_every_row_of_the_table_has_every_column():
    path = Path(code_system.__file__).parent / "kinds.csv"
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file, strict=True))

    assert {len(row) for row in rows} == {len(header)}
    assert len({row[0] for row in rows}) == len(rows) == len(ALL)


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_a_name_is_in_kebab_case(kind):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.name)


@pytest.mark.parametrize(("kind", "coding"), loinc_codes())
def test_a_loinc_code_has_the_display_of_loinc(kind, coding):
    assert LOINC[coding.code]["LONG_COMMON_NAME"] == coding.display, kind.name


@pytest.mark.parametrize(("kind", "coding"), loinc_codes())
def test_a_loinc_code_has_the_scale_of_its_kind(kind, coding):
    scale = LOINC[coding.code]["SCALE_TYP"]

    # LOINC 2.83 calls the blood pressure panel quantitative, an ECG a document.
    expected = {ValueType.CODE: {"Nom"}, ValueType.NONE: {"Qn", "Doc"}}
    assert scale in expected.get(kind.value, {"Qn"})


@pytest.mark.parametrize(("kind", "coding"), loinc_codes())
def test_a_loinc_code_has_the_property_of_its_unit(kind, coding):
    if kind.value is not ValueType.QUANTITY:
        assert LOINC[coding.code]["PROPERTY"] in {"-", "Type", "Find"}
        return
    allowed = PROPERTY_UNITS.get(LOINC[coding.code]["PROPERTY"], set())

    if coding.code in PROPERTY_DEFECTS:
        assert kind.unit not in allowed
        assert kind.unit == PROPERTY_DEFECTS[coding.code]
    else:
        assert kind.unit in allowed


@pytest.mark.parametrize(("kind", "coding"), loinc_codes())
def test_a_loinc_code_has_the_time_of_its_kind(kind, coding):
    time, _, statistic = LOINC[coding.code]["TIME_ASPCT"].partition("^")

    assert (time in {"24H", "1D"}) == kind.name.endswith("-24h")
    if kind.name.endswith("-24h"):
        assert kind.effective is Effective.PERIOD
    if statistic:
        assert statistic in kind.name.replace("minimum", "min").replace(
            "maximum", "max"
        )


@pytest.mark.parametrize(("kind", "coding"), loinc_codes())
def test_a_loinc_code_of_a_room_is_an_ambient_kind(kind, coding):
    is_room = LOINC[coding.code]["SYSTEM"] == "Room"

    assert is_room == (kind.data_class == "ambient")


def test_the_code_fixtures_hold_what_is_used_and_nothing_else():
    used = {
        system: {
            coding.code
            for kind in ALL
            for coding in kind.codings
            if coding.system == system
        }
        for system in ("http://loinc.org", "urn:iso:std:iso:11073:10101")
    }

    assert used["http://loinc.org"] == set(LOINC)
    assert used["urn:iso:std:iso:11073:10101"] == set(MDC)


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_an_mdc_code_has_the_reference_identifier_of_the_nomenclature(kind):
    for system, code, display in kind.codings:
        if system == "urn:iso:std:iso:11073:10101":
            row = MDC[code]
            assert display == row["reference_id"]
            assert int(code) == int(row["partition"]) * 65536 + int(row["term"])


@pytest.mark.parametrize("row", MDC.values(), ids=lambda row: row["reference_id"])
def test_an_mdc_code_is_in_the_partition_of_its_reference_identifier(row):
    by_prefix = {"ATTR": "1", "ID": "8", "HF": "129", "AI": "130"}

    assert row["partition"] == by_prefix.get(row["reference_id"].split("_")[1], "2")


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_no_code_known_to_be_wrong_is_used(kind):
    assert not {coding.code for coding in kind.codings} & FORBIDDEN


def test_a_snomed_value_has_the_display_of_its_value_set():
    used = {
        coding.code: coding.display
        for values in VALUE_SETS.values()
        for codings in values.values()
        for coding in codings
        if coding.system == "http://snomed.info/sct"
    }

    assert used == SNOMED


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_standard_codes_stand_before_ours_and_none_is_repeated(kind):
    systems = [coding.system for coding in kind.codings]
    ranks = {
        PHYSICAL_ACTIVITY: 0,
        "http://loinc.org": 0,
        "urn:iso:std:iso:11073:10101": 1,
        code_system.URL: 1,
    }

    assert [ranks[system] for system in systems] == sorted(
        ranks[system] for system in systems
    )
    assert len({coding.code for coding in kind.codings}) == len(kind.codings)


def test_two_kinds_share_no_principal_code():
    principal = [
        (coding.system, coding.code)
        for kind in ALL
        for coding in kind.codings
        if coding.system != "urn:iso:std:iso:11073:10101"
    ]

    assert len(principal) == len(set(principal))


@pytest.mark.parametrize("kind", QUANTITIES, ids=named)
def test_every_unit_is_ucum(kind, registry):
    for unit in (kind.unit, *kind.units_kept, *kind.units_renamed, *kind.siblings):
        assert registry.from_ucum(unit) is not None


@pytest.mark.parametrize("kind", QUANTITIES, ids=named)
def test_the_plausible_range_lies_inside_the_possible_one(kind):
    assert (
        kind.possible.low
        <= kind.plausible.low
        < kind.plausible.high
        <= kind.possible.high
    )


@pytest.mark.parametrize("kind", QUANTITIES, ids=named)
def test_a_percentage_is_never_above_a_hundred(kind):
    if kind.unit == "%":
        assert kind.possible.low >= 0
        assert kind.possible.high == 100


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_only_a_quantity_has_a_unit_and_ranges(kind):
    is_quantity = kind.value is ValueType.QUANTITY
    has_unit = is_quantity or kind.value is ValueType.SAMPLES

    assert bool(kind.unit) == bool(kind.unit_text) == has_unit
    assert (kind.possible is not None) == (kind.plausible is not None) == is_quantity
    assert bool(kind.values) == (kind.value is ValueType.CODE)


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_components_and_siblings_are_kinds(kind):
    assert set(kind.components) <= set(kinds())
    for unit, name in kind.siblings.items():
        assert kinds()[name].unit == unit


@pytest.mark.parametrize("kind", QUANTITIES, ids=named)
def test_a_kept_unit_converts_to_the_unit_of_the_kind(kind):
    for unit in kind.units_kept:
        assert units.conversion(unit, kind.unit) is not None
        assert units.UNIT_TEXT[unit]


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_a_physical_activity_profile_needs_both_categories(kind):
    categories = {category.code for category in kind.categories}

    if any("physical-activity" in profile for profile in kind.profiles):
        assert categories == {"activity", "PhysicalActivity"}
    if "PhysicalActivity" in categories:
        assert "activity" in categories


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_a_vital_sign_profile_needs_its_category(kind):
    vital = [profile for profile in kind.profiles if "physical-activity" not in profile]

    if vital:
        assert {category.code for category in kind.categories} == {"vital-signs"}


def profiles(name):
    return {profile.rpartition("/")[2] for profile in kinds()[name].profiles}


def codes(name):
    return [coding.code for coding in kinds()[name].codings]


def test_a_heart_rate_is_a_bare_rate_and_a_us_core_heart_rate():
    assert kinds()["heart-rate"].unit == "/min"
    assert profiles("heart-rate") == {"heartrate", "us-core-heart-rate"}


def test_a_resting_heart_rate_does_not_claim_to_be_a_heart_rate():
    assert profiles("resting-heart-rate") == {"pa-observation-time-measure"}


def test_a_statistic_of_the_heart_rate_claims_no_profile():
    for statistic in ("minimum", "mean", "maximum"):
        assert profiles(f"heart-rate-{statistic}") == set()


def test_an_oxygen_saturation_has_both_codes():
    assert codes("oxygen-saturation")[:2] == ["59408-5", "2708-6"]


def test_rmssd_is_never_sdnn():
    assert codes("hrv-sdnn") == ["112429-6"]
    assert codes("hrv-rmssd") == ["hrv-rmssd"]


def test_the_steps_of_a_day_have_the_unit_of_the_physical_activity_guide():
    assert codes("steps-24h") == ["41950-7"]
    assert kinds()["steps-24h"].unit == "/d"
    assert kinds()["steps"].unit == "{steps}"


def test_glucose_has_the_code_of_its_unit():
    assert kinds()["glucose-moles"].unit == "mmol/L"
    assert codes("glucose-moles") == ["15074-8"]
    assert codes("glucose-capillary")[0] == "41653-7"
    assert codes("glucose") == ["2339-0"]


def test_a_contact_is_open_or_closed():
    assert set(kinds()["contact"].values) == {"open", "closed"}
