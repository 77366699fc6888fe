import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads
from conformance.issues import FHIRError, IssueType
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.apple_health import archive, ecg, elements, sleep
from mappings.vendors.apple_health.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "apple"

DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 13 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout)*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
]>"""
WITHOUT_DEVICE = DeviceClue(source="5d9fb8849df358d9199dc886db334dbc")
"""Of `Somebody's Apple Watch`: its BLAKE2b digest of 16 bytes."""

WATCH = (
    "&lt;&lt;HKDevice: 0x3012772a0&gt;, name:Apple Watch, manufacturer:Apple Inc.,"
    " model:Watch, hardware:Watch6,7, software:10.2&gt;"
)
QUANTITY = "HKQuantityTypeIdentifier"
SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"


def export(*children: str, dtd: str = DTD) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}\n'
        f'<HealthData locale="en_US">\n{"".join(children)}</HealthData>\n'
    ).encode()


def record(  # noqa: PLR0913 - one argument an attribute
    type_: str = f"{QUANTITY}HeartRate",
    value: str = "74",
    start: str = "2024-01-01 01:01:36 +0200",
    end: str = "",
    *,
    unit: str = "count/min",
    device: str = WATCH,
    source: str = "Somebody's Apple Watch",
    metadata: dict[str, str] | None = None,
) -> str:
    entries = "".join(
        f'<MetadataEntry key="{key}" value="{told}"/>'
        for key, told in (metadata or {}).items()
    )
    return (
        f'<Record type="{type_}" sourceName="{source}" sourceVersion="10.2"'
        f' device="{device}" unit="{unit}" creationDate="{start}"'
        f' startDate="{start}" endDate="{end or start}" value="{value}">'
        f"{entries}</Record>\n"
    )


def stage(value: str, start: str, end: str, source: str = "Watch", **more: str) -> str:
    return record(
        SLEEP,
        f"HKCategoryValueSleepAnalysis{value}",
        f"2024-01-0{start} +0200",
        f"2024-01-0{end} +0200",
        unit="",
        source=source,
        metadata=more,
    )


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(payload, received_at=NOW, zone=zone))


def one(*children: str, zone: str | None = None) -> object:
    [reading] = readings(export(*children), zone)
    return reading


def zipped(body: bytes, name: str = "apple_health_export/export.xml") -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("apple_health_export/export_cda.xml", b"<ClinicalDocument/>")
        package.writestr("apple_health_export/workout-routes/route.gpx", b"<gpx/>")
        package.writestr(name, body)
    return stream.getvalue()


# What a record becomes.


def test_a_heart_rate_has_its_time_its_place_and_its_device():
    assert one(record()) == Measurement(
        kind="heart-rate",
        value=74,
        unit="/min",
        start="2024-01-01T01:01:36+02:00",
        start_us=1704063696000000,
        end=None,
        end_us=1704063696000000,
        position="Record[1]",
        device=DeviceClue(
            manufacturer="Apple Inc.",
            model="Watch",
            name="Apple Watch",
            hardware="Watch6,7",
            software="10.2",
        ),
        source_version=1704063696000000,
    )


@pytest.mark.parametrize(
    ("name", "unit", "value", "expected"),
    [
        ("OxygenSaturation", "%", "0.97", ("oxygen-saturation", "0.97", "1")),
        ("HeartRateVariabilitySDNN", "ms", "42.5", ("hrv-sdnn", "42.5", "ms")),
        ("RestingHeartRate", "count/min", "58", ("resting-heart-rate", "58", "/min")),
        ("StepCount", "count", "512", ("steps", "512", "{steps}")),
        ("FlightsClimbed", "count", "3", ("flights-climbed", "3", "{flights}")),
        ("BodyMassIndex", "count", "22.5312", ("body-mass-index", "22.5312", "kg/m2")),
        ("BodyMass", "lb", "160.50", ("body-weight", "160.50", "[lb_av]")),
        ("BodyTemperature", "degF", "98.60", ("body-temperature", "98.60", "[degF]")),
        ("DistanceCycling", "mi", "0.5", ("distance-cycling", "0.5", "[mi_i]")),
        ("DistanceSwimming", "m", "50", ("distance-swimming", "50", "m")),
        ("PhysicalEffort", "kcal/hr·kg", "3", ("physical-effort", "3", "kcal/(h.kg)")),
        ("PushCount", "count", "12", ("wheelchair-pushes", "12", "{#}")),
        ("StairAscentSpeed", "m/s", "0.4", ("stair-ascent-speed", "0.4", "m/s")),
        (
            "AtrialFibrillationBurden",
            "%",
            "0.02",
            ("atrial-fibrillation-burden", "0.02", "1"),
        ),
        ("BasalEnergyBurned", "kJ", "12", ("basal-energy", "12", "kJ")),
        ("VO2Max", "mL/min·kg", "42.5", ("vo2-max", "42.5", "mL/kg/min")),
        ("BloodGlucose", "mg/dL", "95", ("glucose", "95", "mg/dL")),
        (
            "BloodGlucose",
            "mmol&lt;180.1558800000541&gt;/L",
            "5.3",
            ("glucose", "5.3", "mmol/L"),
        ),
        (
            "EnvironmentalAudioExposure",
            "dBASPL",
            "61.5",
            ("sound-exposure", "61.5", "dB[SPL]"),
        ),
    ],
)
def test_a_type_is_its_kind_with_the_digits_of_the_file(name, unit, value, expected):
    reading = one(record(QUANTITY + name, value, unit=unit))

    assert (reading.kind, str(reading.value), reading.unit) == expected


def test_an_interval_has_an_end_and_a_moment_has_none():
    start, end = "2024-01-01 01:02:27 +0200", "2024-01-01 01:02:58 +0200"

    reading = one(record(f"{QUANTITY}StepCount", "31", start, end, unit="count"))

    assert (reading.start, reading.end) == (
        "2024-01-01T01:02:27+02:00",
        "2024-01-01T01:02:58+02:00",
    )


def test_a_value_that_the_person_entered_says_so():
    entered = {"HKWasUserEntered": "1"}
    measured = {"HKWasUserEntered": "0"}

    assert one(record(metadata=entered)).self_reported
    assert not one(record(metadata=measured)).self_reported


def test_the_zone_of_the_record_wins_over_that_of_the_caller():
    told = {"HKTimeZone": "Europe/Amsterdam"}
    start = "2024-01-01 00:55:28 +0200"

    by_record = one(record(start=start, metadata=told), zone="America/New_York")
    by_caller = one(record(start=start), zone="America/New_York")
    by_nobody = one(record(start=start))

    assert (by_record.start, by_record.zone) == (
        "2023-12-31T23:55:28+01:00",
        "Europe/Amsterdam",
    )
    assert (by_caller.start, by_caller.zone) == (
        "2023-12-31T17:55:28-05:00",
        "America/New_York",
    )
    assert (by_nobody.start, by_nobody.zone) == ("2024-01-01T00:55:28+02:00", None)
    assert len({r.start_us for r in (by_record, by_caller, by_nobody)}) == 1


def test_a_zone_that_nobody_knows_is_not_believed():
    reading = one(record(metadata={"HKTimeZone": "GMT+0200"}))

    assert (reading.start, reading.zone) == ("2024-01-01T01:01:36+02:00", None)


def test_an_unknown_zone_of_the_caller_is_refused_at_once():
    with pytest.raises(FHIRError) as refused:
        parse(export(), received_at=NOW, zone="Nowhere/Land")

    assert refused.value.type is IssueType.VALUE


@pytest.mark.parametrize(
    ("text", "clue"),
    [
        ("", WITHOUT_DEVICE),
        ("&lt;&lt;HKDevice: 0x28&gt;&gt;", WITHOUT_DEVICE),
        (
            "&lt;&lt;HKDevice: 0x28&gt;, name:Ada's pods, manufacturer:A, model:P&gt;",
            DeviceClue(manufacturer="A", model="P"),
        ),
        (
            "&lt;&lt;HKDevice: 0x28&gt;, manufacturer:A, Inc., firmware:2&gt;",
            DeviceClue(manufacturer="A, Inc.", software="2"),
        ),
    ],
)
def test_of_a_device_only_what_its_maker_said_is_kept(text, clue):
    assert one(record(device=text)).device == clue


def test_the_pointer_of_a_device_is_no_identity():
    other = WATCH.replace("0x3012772a0", "0x301d0a210")

    first, second = readings(export(record(), record(device=other)))

    assert first.device == second.device


def test_sources_without_a_device_are_told_apart_also_when_tried_again():
    found = readings(
        export(
            record(device="", source="Ada Lovelace"),
            record(device="", source="Diary"),
            record(device="", source="Ada Lovelace", unit="furlong"),
        )
    )
    refused = found[-1].payload
    refused["attributes"]["unit"] = "count/min"

    [again] = parse(refused, received_at=NOW)

    first, second = found[0].device, found[1].device
    assert first != second
    assert again.device == first
    assert not any(first._replace(source=None))


def test_names_accounts_and_links_reach_neither_a_reading_nor_a_refusal():
    metadata = {"Withings User Identifier": "12345", "Withings Link": "link-12345"}

    found = readings(
        export(
            record(source="Ada Lovelace", metadata=metadata),
            record(source="Ada Lovelace", metadata=metadata, unit="furlong"),
            stage("AsleepCore", "1 01:00:00", "1 02:00:00", source="Ada Lovelace"),
        )
    )

    assert len(found) == 3
    assert not [word for word in ("Ada", "Lovelace", "12345") if word in repr(found)]


# What is refused, and what is never stored.


@pytest.mark.parametrize(
    ("child", "reason", "kind"),
    [
        (record(f"{QUANTITY}MadeUp"), Reason.UNKNOWN_KIND, None),
        (record("<b>"[1]), Reason.UNKNOWN_KIND, None),
        (record(unit="bpm"), Reason.UNKNOWN_UNIT, "heart-rate"),
        (record(unit=""), Reason.NO_UNIT, "heart-rate"),
        (record(value=""), Reason.INVALID_VALUE, "heart-rate"),
        (record(value="7,4"), Reason.INVALID_VALUE, "heart-rate"),
        (record(start="2024-01-01 01:01:36"), Reason.NO_OFFSET, "heart-rate"),
        (record(start="2024-01-01"), Reason.NO_TIME, "heart-rate"),
        (record(start="soon"), Reason.MALFORMED, "heart-rate"),
        (
            record(end="2024-01-01 01:01:35 +0200"),
            Reason.NEGATIVE_INTERVAL,
            "heart-rate",
        ),
        (
            stage("Snoring", "1 01:00:00", "1 02:00:00"),
            Reason.INVALID_VALUE,
            "sleep-session",
        ),
        ('<Mystery value="1"/>', Reason.UNKNOWN_KIND, None),
        (
            f'<Record type="{QUANTITY}HeartRate" unit="count/min" value="74"/>',
            Reason.NO_TIME,
            "heart-rate",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(child, reason, kind):
    refusal = one(child)

    assert (type(refusal), refusal.reason, refusal.kind) == (Refusal, reason, kind)


@pytest.mark.parametrize(
    ("child", "what"),
    [
        (record(f"{QUANTITY}DietarySugar"), "nutrition"),
        (
            record("HKCategoryTypeIdentifierMenstrualFlow"),
            "reproductive health",
        ),
        (record("HKDataTypeSleepDurationGoal"), "goal"),
        ('<ClinicalRecord type="x"/>', "clinical record"),
        (
            '<ActivitySummary dateComponents="2016-11-15"/>',
            "daily goals and totals",
        ),
    ],
)
def test_what_is_never_stored_is_out_of_scope(child, what):
    assert one(child).what == what


def test_export_date_and_owner_are_no_measurements():
    body = export(
        '<ExportDate value="2024-06-01 08:10:05 +0200"/>',
        '<Me HKCharacteristicTypeIdentifierDateOfBirth="1970-01-01"/>',
    )

    assert readings(body) == []


def test_a_refusal_can_be_tried_again():
    refusal = one(record(unit="bpm", metadata={"HKTimeZone": "Europe/Amsterdam"}))
    payload = loads(dumps(refusal.payload))

    [again] = readings(payload)
    payload["attributes"]["unit"] = "count/min"
    [mended] = readings(payload)

    assert again == refusal
    assert (mended.kind, mended.zone) == ("heart-rate", "Europe/Amsterdam")


@pytest.mark.parametrize("sent", [{"element": "Record"}, {}, 7, None, "x", [7]])
def test_another_json_is_no_part_of_an_export(sent):
    [refusal] = readings(sent)

    assert refusal.reason is Reason.MALFORMED


# Blood pressure.


def pressures(*values: tuple[str, str, str]) -> list[str]:
    return [
        record(f"{QUANTITY}BloodPressure{half}", value, start, unit="mmHg")
        for half, value, start in values
    ]


MORNING, NOON = "2024-01-01 08:00:00 +0200", "2024-01-01 12:00:00 +0200"


def test_two_records_of_a_moment_are_one_panel_and_a_lone_half_is_kept():
    halves = pressures(
        ("Systolic", "121", MORNING),
        ("Systolic", "133", NOON),
        ("Diastolic", "79", MORNING),
    )
    correlation = (
        '<Correlation type="HKCorrelationTypeIdentifierBloodPressure"'
        f' startDate="{MORNING}" endDate="{MORNING}">{halves[0]}{halves[2]}'
        "</Correlation>"
    )

    panel, lone = readings(export(*halves, correlation))

    assert (panel.kind, panel.records, panel.position) == (
        "blood-pressure",
        2,
        "Record[1]",
    )
    assert panel.components == (
        Component("systolic-blood-pressure", 121, "mm[Hg]"),
        Component("diastolic-blood-pressure", 79, "mm[Hg]"),
    )
    assert (lone.records, lone.components) == (
        1,
        (Component("systolic-blood-pressure", 133, "mm[Hg]"),),
    )


def test_halves_of_two_sources_are_two_panels():
    first = record(f"{QUANTITY}BloodPressureSystolic", "121", MORNING, unit="mmHg")
    second = record(
        f"{QUANTITY}BloodPressureDiastolic", "79", MORNING, unit="mmHg", source="Cuff"
    )

    assert [r.records for r in readings(export(first, second))] == [1, 1]


# Workouts and mindful sessions.


def test_a_workout_prefers_its_statistics_to_its_totals():
    workout = (
        '<Workout workoutActivityType="HKWorkoutActivityTypeTaiChi" duration="30.50"'
        ' durationUnit="min" totalEnergyBurned="1" totalEnergyBurnedUnit="kcal"'
        f' sourceName="Watch" device="{WATCH}" startDate="2024-01-01 08:00:00 +0200"'
        ' endDate="2024-01-01 08:30:30 +0200">'
        '<MetadataEntry key="HKTimeZone" value="Europe/Amsterdam"/>'
        f'<WorkoutStatistics type="{QUANTITY}ActiveEnergyBurned" sum="99.5"'
        ' unit="kcal"/>'
        f'<WorkoutStatistics type="{QUANTITY}HeartRate" average="101" minimum="80"'
        ' maximum="133" unit="count/min"/>'
        '<WorkoutRoute><FileReference path="/route.gpx"/></WorkoutRoute></Workout>'
    )

    reading = one(workout)

    assert (reading.kind, reading.value, reading.start) == (
        "workout",
        "tai-chi",
        "2024-01-01T07:00:00+01:00",
    )
    assert reading.components == (
        Component("workout-duration", Number("30.50"), "min"),
        Component("active-energy", Number("99.5"), "kcal"),
        Component("heart-rate-minimum", 80, "/min"),
        Component("heart-rate-mean", 101, "/min"),
        Component("heart-rate-maximum", 133, "/min"),
    )


@pytest.mark.parametrize(
    ("activity", "unit", "reason"),
    [
        ("Levitating", "min", Reason.UNKNOWN_KIND),
        ("Yoga", "fortnights", Reason.UNKNOWN_UNIT),
    ],
)
def test_a_workout_that_is_not_understood_is_refused(activity, unit, reason):
    workout = (
        f'<Workout workoutActivityType="HKWorkoutActivityType{activity}"'
        f' duration="30" durationUnit="{unit}"'
        ' startDate="2024-01-01 08:00:00 +0200" endDate="2024-01-01 08:30:00 +0200"/>'
    )

    assert (one(workout).reason, one(workout).kind) == (reason, "workout")


def test_a_mindful_session_is_as_long_as_it_lasted():
    reading = one(
        record(
            "HKCategoryTypeIdentifierMindfulSession",
            "HKCategoryValueNotApplicable",
            "2024-01-01 08:00:00 +0200",
            "2024-01-01 08:05:30 +0200",
        )
    )

    assert (reading.kind, reading.value, reading.unit) == ("mindful-duration", 330, "s")


# Sleep.


def stages_of(reading: Measurement) -> list[tuple[int, object]]:
    return [
        (part.offset_ms // 60_000, part.value)
        for part in reading.components
        if part.kind == "sleep-stage"
    ]


def totals_of(reading: Measurement) -> dict[str, object]:
    return {
        part.kind: part.value
        for part in reading.components
        if part.kind != "sleep-stage"
    }


def test_a_night_is_one_session_with_totals_and_stages():
    reading = one(
        stage("AsleepDeep", "1 01:00:00", "1 02:00:00"),
        stage("AsleepCore", "1 00:00:00", "1 01:00:00", HKTimeZone="Europe/Amsterdam"),
        stage("Awake", "1 02:00:00", "1 02:10:00"),
        stage("AsleepREM", "1 02:10:00", "1 02:40:00"),
    )

    assert (reading.kind, reading.records, reading.position) == (
        "sleep-session",
        4,
        "Record[2]",
    )
    assert (reading.start, reading.end, reading.zone) == (
        "2023-12-31T23:00:00+01:00",
        "2024-01-01T02:40:00+02:00",
        "Europe/Amsterdam",
    )
    assert totals_of(reading) == {
        "sleep-duration": 150 * 60,
        "deep-sleep-duration": 60 * 60,
        "light-sleep-duration": 60 * 60,
        "rem-sleep-duration": 30 * 60,
        "awake-duration": 10 * 60,
    }
    assert stages_of(reading) == [
        (0, "light"),
        (60, "deep"),
        (120, "awake"),
        (130, "rem"),
    ]


def test_phone_and_watch_have_their_own_sessions_and_are_not_added_up():
    found = readings(
        export(
            stage("InBed", "1 00:00:00", "1 08:00:00", source="Phone"),
            stage("AsleepCore", "1 00:30:00", "1 07:30:00", source="Watch"),
        )
    )

    assert [totals_of(reading) for reading in found] == [
        {"time-in-bed": 8 * 3600},
        {"sleep-duration": 7 * 3600, "light-sleep-duration": 7 * 3600},
    ]


def test_what_overlaps_in_one_source_counts_once():
    reading = one(
        stage("InBed", "1 00:00:00", "1 04:00:00"),
        stage("AsleepUnspecified", "1 00:30:00", "1 03:30:00"),
        stage("AsleepUnspecified", "1 00:30:00", "1 03:30:00"),
        stage("AsleepDeep", "1 01:00:00", "1 02:00:00"),
    )

    assert reading.records == 4
    assert totals_of(reading) == {
        "sleep-duration": 3 * 3600,
        "time-in-bed": 4 * 3600,
        "deep-sleep-duration": 3600,
        "unspecified-sleep-duration": 3 * 3600,
    }
    assert stages_of(reading) == [
        (0, "in-bed"),
        (30, "asleep"),
        (60, "deep"),
        (120, "asleep"),
        (210, "in-bed"),
    ]


def test_a_time_without_a_record_is_of_unknown_stage():
    reading = one(
        stage("AsleepCore", "1 00:00:00", "1 01:00:00"),
        stage("AsleepCore", "1 02:00:00", "1 03:00:00"),
    )

    assert stages_of(reading) == [(0, "light"), (60, "unknown"), (120, "light")]


def test_a_pause_of_more_than_three_hours_parts_two_sessions():
    night = stage("AsleepCore", "1 00:00:00", "1 06:00:00")
    soon = stage("AsleepCore", "1 09:00:00", "1 09:30:00")
    nap = stage("AsleepCore", "1 15:00:00", "1 15:30:00")

    found = readings(export(nap, night, soon))

    assert [(r.start[11:16], r.end[11:16], r.records) for r in found] == [
        ("00:00", "09:30", 2),
        ("15:00", "15:30", 1),
    ]


def test_stages_that_the_person_entered_are_a_session_of_their_own():
    found = readings(
        export(
            stage("AsleepCore", "1 00:00:00", "1 06:00:00"),
            stage("AsleepCore", "1 00:00:00", "1 06:00:00", HKWasUserEntered="1"),
        )
    )

    assert [reading.self_reported for reading in found] == [False, True]


def test_every_second_of_a_night_has_the_stage_that_a_slow_search_gives_it():
    told = [
        ("InBed", 0, 480),
        ("AsleepUnspecified", 10, 470),
        ("AsleepCore", 20, 100),
        ("AsleepDeep", 60, 130),
        ("Awake", 90, 95),
        ("AsleepREM", 300, 300),
        ("AsleepREM", 301, 360),
        ("Awake", 475, 500),
    ]

    def clock(minute: int) -> str:
        return f"1 {minute // 60:02}:{minute % 60:02}:00"

    reading = one(*(stage(name, clock(a), clock(b)) for name, a, b in told))

    series = stages_of(reading)
    for minute in range(500):
        holding = [
            (sleep.STAGES[name].rank, start, sleep.STAGES[name].code)
            for name, start, end in told
            if start <= minute < end
        ]
        expected = max(holding)[2] if holding else "unknown"
        found = [code for at, code in series if at <= minute][-1]
        assert (minute, found) == (minute, expected)


def test_sessions_that_are_over_are_given_out_when_many_records_wait():
    nights = sleep.Nights(max_held=4)
    source = sleep.Source("Watch", None, is_entered=False)
    found = []
    for number in range(1, 11):
        us = number * 24 * 3_600_000_000
        element = elements.Element(
            "Record",
            number,
            {"value": "HKCategoryValueSleepAnalysisAsleepCore"},
            {},
            [],
        )
        start = sleep.at_offset(us, 0)
        end = sleep.at_offset(us + 3_600_000_000, 0)
        found += nights.add(element, (start, end, None), source)
    found += nights.rest()

    assert [reading.position for reading in found] == [
        f"Record[{number}]" for number in range(1, 11)
    ]


def test_a_session_of_absurdly_many_stages_is_refused_whole():
    def second(at: int) -> str:
        return f"1 {at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}"

    children = [
        stage(("AsleepCore", "Awake")[at % 2], second(at), second(at + 1))
        for at in range(sleep.MAX_STAGES + 1)
    ]

    refusal = one(*children)

    assert (refusal.reason, refusal.records) == (
        Reason.MALFORMED,
        sleep.MAX_STAGES + 1,
    )


# The file.


def test_a_zip_gives_what_its_export_gives():
    body = export(record(), record(unit="bpm"))

    beside = [
        OutOfScope("clinical-document", "clinical document"),
        OutOfScope("workout-route", "workout route"),
    ]
    assert readings(zipped(body)) == [*readings(body), *beside]
    assert readings(zipped(body, "apple_health_export/Exportación.xml")) == [
        *readings(body),
        *beside,
    ]


def test_a_path_and_a_stream_give_the_same(tmp_path):
    body = export(record())
    path = tmp_path / "export.xml"
    path.write_bytes(body)
    told: list[int] = []

    from_path = list(parse(path, received_at=NOW, progress=told.append))

    assert from_path == readings(BytesIO(body)) == readings(body)
    assert told[-1] == len(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "JSON"),
        (b"<HealthDataX></HealthDataX>", "no HealthData"),
        ("<HealthData></HealthData>".encode("utf-16"), "no HealthData"),
        (b'<?xml version="1.0" encoding="UTF-16"?><HealthData />', "UTF-8"),
        (b"x" * (elements.MAX_PROLOG + 1), "no HealthData"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(body, words):
    with pytest.raises(FHIRError) as refused:
        readings(body)

    assert refused.value.type is IssueType.STRUCTURE
    assert words in str(refused.value)


def test_a_zip_without_an_export_is_refused():
    with pytest.raises(FHIRError) as refused:
        readings(zipped(b"<other/>"))

    assert "no export.xml" in str(refused.value)


def test_a_zip_that_is_cut_short_is_refused():
    with pytest.raises(FHIRError) as refused:
        readings(zipped(export(record()))[:-40])

    assert "cut short" in str(refused.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_refused_before_an_altered_number_is_read(method):
    body = export(*(record(value=str(60 + at % 40)) for at in range(2_000)))
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as package:
        package.writestr("export.xml", body)
        size = package.getinfo("export.xml").compress_size
    damaged = bytearray(stream.getvalue())
    damaged[size // 2] ^= 1

    with pytest.raises(FHIRError) as refused:
        readings(bytes(damaged))

    assert str(refused.value) == "The zip is damaged."


def test_a_zip_bomb_is_refused_before_it_is_read():
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        padding = b" " * archive.MIN_SUSPICIOUS
        package.writestr("export.xml", export() + padding)

    with pytest.raises(FHIRError) as refused:
        readings(stream.getvalue())

    assert refused.value.type is IssueType.TOO_LONG


def test_a_truncated_file_gives_all_that_stood_before_and_says_so():
    whole = export(record(), stage("AsleepCore", "1 00:00:00", "1 06:00:00"), record())
    cut = whole[: whole.rindex(b"<Record") + 40]

    *good, refusal = readings(cut)

    assert [reading.kind for reading in good] == ["heart-rate", "sleep-session"]
    assert (type(refusal), refusal.reason) == (Refusal, Reason.TRUNCATED)
    assert "ends early at line" in refusal.detail


def test_a_malformed_middle_gives_all_that_stood_before_and_names_the_line():
    body = export(record(), "<Record startDate=oops/>\n", record())

    good, refusal = readings(body)

    assert good.kind == "heart-rate"
    assert (refusal.reason, refusal.detail) == (
        Reason.MALFORMED,
        "The file is malformed at line 9.",
    )


# Entities and other bombs.

LAUGHS = (
    "<!DOCTYPE HealthData [\n<!ELEMENT HealthData (Record)*>\n"
    '<!ENTITY lol0 "lol">\n'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">\n' for n in range(1, 10))
    + "]>"
)


def test_entities_do_not_expand_and_the_rest_of_the_file_imports():
    laughing = record(value="&lol9;", device="&lol9;")
    changed = record(value="7&lol0;4")

    tracemalloc.start()
    bad, worse, good = readings(export(laughing, changed, record(), dtd=LAUGHS))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (bad.reason, worse.reason) == (Reason.INVALID_VALUE, Reason.INVALID_VALUE)
    assert good.value == 74
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "dtd",
    [
        '<!DOCTYPE HealthData [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE HealthData SYSTEM "http://example.invalid/e.dtd">',
        '<!DOCTYPE HealthData [<!ENTITY % p SYSTEM "http://example.invalid/">%p;]>',
        "",
    ],
)
def test_nothing_outside_the_file_is_fetched(dtd):
    bad, good = readings(export(record(value="&e;"), record(), dtd=dtd))

    assert bad.reason is Reason.INVALID_VALUE
    assert good.value == 74


def test_a_malformed_document_type_does_not_matter():
    dtd = "<!DOCTYPE HealthData [\n<!ATTLIST Record value CDATA #REQUIRED\n oops\n]>"

    [reading] = readings(export(record(), dtd=dtd))

    assert reading.value == 74


def test_a_root_within_a_document_type_gains_nothing():
    dtd = '<!DOCTYPE HealthData [<!ENTITY e "]><HealthData><Record/>">]>'

    found = readings(export(record(), dtd=dtd))

    assert {type(reading) for reading in found} == {Refusal}


def test_references_of_xml_itself_are_read():
    source = "Ada&#8217;s &amp; &quot;co&quot; &#x41;"

    assert one(record(source=source, value="&#55;4")).value == 74


@pytest.mark.parametrize("at", range(8))
def test_a_reference_may_lie_across_two_chunks(at, monkeypatch):
    monkeypatch.setattr(elements, "CHUNK", 64 + at)

    assert one(record(value="&#55;&#x34;")).value == 74


def test_a_hundred_levels_of_nesting_end_the_file_there():
    deep = "<Record>" + "<a>" * 100 + "</a>" * 100 + "</Record>\n"

    good, refusal = readings(export(record(), deep, record()))

    assert good.value == 74
    assert (refusal.reason, refusal.detail) == (
        Reason.MALFORMED,
        f"The file nests deeper than {elements.MAX_DEPTH} levels at line 9.",
    )


def test_a_record_of_absurdly_many_parts_ends_the_file_there():
    many = "<Record>" + "<a/>" * (elements.MAX_PARTS + 1) + "</Record>\n"

    _, refusal = readings(export(record(), many))

    assert "parts" in refusal.detail


def test_an_element_of_absurd_length_ends_the_file_there():
    size = (elements.MAX_SILENT_CHUNKS + 4) * elements.CHUNK
    long = f'<Record value="{"9" * size}"/>'

    _, refusal = readings(export(record(), long))

    assert refusal.detail == "An element is longer than 4 MiB."


def test_a_root_in_the_root_is_no_way_around():
    found = readings(export(f"<HealthData>{record()}</HealthData>"))

    assert [reading.reason for reading in found] == [Reason.UNKNOWN_KIND]


class Generated:
    """A file that nobody has to store: long records, as many as are asked for."""

    def __init__(self, size: int) -> None:
        self._parts = self._generate(size)
        self._rest = b""

    def _generate(self, size: int) -> Iterator[bytes]:
        yield export()[: -len(b"</HealthData>\n")]
        long = record(source="x" * 4_000, metadata={"note": "y" * 4_000}).encode()
        yield from (long for _ in range(size // len(long)))
        yield b"</HealthData>\n"

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def test_memory_does_not_grow_with_the_file():
    source = Generated(50_000_000)

    tracemalloc.start()
    count = sum(1 for _ in elements.elements(source.read))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count > 5_000
    assert peak < 2_000_000


# The stored samples.


def told(reading: object) -> str:
    if isinstance(reading, Measurement):
        return f"{reading.kind} {reading.position}"
    if isinstance(reading, OutOfScope):
        return f"out of scope {reading.position}"
    return f"refused {reading.reason} {reading.position}"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "apple-health-parser-export.xml",
            [
                "heart-rate Record[1]",
                "heart-rate Record[2]",
                "active-energy Record[3]",
                "active-energy Record[4]",
                "physical-activity-duration Record[5]",
                "standing-duration Record[6]",
                "sleep-session Record[7]",
                "sleep-session Record[8]",
            ],
        ),
        (
            "healthkit-to-sqlite-zip-export.xml",
            [
                "body-mass-index Record[1]",
                "heart-rate Record[2]",
                "workout Workout[1]",
                "out of scope ActivitySummary[1]",
                "out of scope ActivitySummary[2]",
            ],
        ),
    ],
)
def test_every_record_of_the_stored_exports_is_accounted_for(name, expected):
    found = readings(SAMPLES / name)

    assert [told(reading) for reading in found] == expected
    assert sum(reading.records for reading in found) == len(expected)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_a_stored_night_is_on_the_day_of_its_own_zone():
    found = readings(SAMPLES / "apple-health-parser-export.xml")

    assert [(r.start, r.zone) for r in found if r.kind == "sleep-session"] == [
        ("2023-12-31T23:55:28+01:00", "Europe/Amsterdam"),
        ("2024-01-01T02:27:53+01:00", "Europe/Amsterdam"),
    ]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_no_stand_in_of_a_person_reaches_a_reading():
    text = repr([r for path in SAMPLES.glob("*.xml") for r in readings(path)])

    stand_ins = ("Patient01", "Pat01", "12345", "withings", "Health Mate", "0x30")
    assert not [word for word in stand_ins if word in text]


# Beside the records.

ECG_HEAD = """\
Name,A Synthetic Person
Date of Birth,"Jan 1, 1970"
Recorded Date,2024-01-01 12:00:00 +0200
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch6,7"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV


"""


def with_recording(
    text: str | bytes, name: str = "electrocardiograms/ecg.csv"
) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("apple_health_export/export.xml", export())
        package.writestr(f"apple_health_export/{name}", text)
    return stream.getvalue()


def recording(text: str, zone: str | None = None) -> object:
    [reading] = readings(with_recording(text), zone)
    return reading


def test_an_electrocardiogram_is_the_signal_of_its_lead_and_what_the_watch_says():
    samples = "\n".join(["-11.430", "0", *["25.5"] * 510])

    reading = recording(ECG_HEAD + samples)

    data = (Number("-11.430"), 0, *[Number("25.5")] * 510)
    assert reading == Measurement(
        kind="ecg",
        value=None,
        unit="",
        start="2024-01-01T12:00:00+02:00",
        start_us=1704103200000000,
        end="2024-01-01T12:00:01+02:00",
        end_us=1704103201000000,
        position="electrocardiogram[1]",
        device=DeviceClue(
            manufacturer="Apple Inc.",
            model="Watch",
            name="Apple Watch",
            hardware="Watch6,7",
        ),
        components=(
            Component(
                "ecg-lead-i",
                Samples(Decimal("1.953125"), data, Decimal("0.001")),
                "mV",
            ),
            Component("ecg-classification", "sinus-rhythm"),
        ),
        method="Apple ECG 1.90",
    )
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_an_electrocardiogram_in_another_language_is_known_by_its_values():
    text = (
        "Nombre,Persona Sintética\nFecha de registro,2024-01-01 12:00:00 +0200\n"
        'Clasificación,Ritmo sinusal\nVersión,1.90\nDispositivo,"Watch6,7"\n'
        "Frecuencia de muestreo,511,5 hertz\nDerivación,Derivación I\nUnidad,µV\n\n"
        "-11,43\n12\n"
    )

    reading = recording(text, "Europe/Madrid")

    lead, said = reading.components
    assert (reading.start, reading.zone) == (
        "2024-01-01T11:00:00+01:00",
        "Europe/Madrid",
    )
    assert lead.value.data == (Number("-11.43"), 12)
    assert lead.value.period_ms == Decimal("1.95503421310")
    assert (said.value, said.absent) == (None, "unknown")
    assert "Persona" not in repr(reading)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2024-01-01 12:00:00 +0200", "1 January", Reason.NO_TIME),
        ("512 hertz", "fast", Reason.NO_TIME),
        ("512 hertz", "0 hertz", Reason.NO_TIME),
        ("Unit,µV", "Unit,V", Reason.NO_UNIT),
        ("Lead,Lead I", "Lead,Lead II", Reason.UNKNOWN_KIND),
    ],
)
def test_an_electrocardiogram_that_is_not_understood_is_kept_without_the_person(
    old, new, reason
):
    refusal = recording(ECG_HEAD.replace(old, new) + "1\n2")

    [again] = readings(refusal.payload)

    assert (refusal.reason, refusal.kind, again.reason) == (reason, "ecg", reason)
    assert "Person" not in repr(refusal)
    assert "1970" not in repr(refusal)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [("", Reason.INVALID_VALUE), ("1\nx\n2", Reason.MALFORMED)],
)
def test_an_electrocardiogram_needs_samples(samples, reason):
    assert recording(ECG_HEAD + samples).reason is reason


def test_a_recording_that_is_too_long_is_refused_and_the_rest_is_kept():
    long = ECG_HEAD + "1\n" * (ecg.MAX_BYTES // 2)

    [refusal] = readings(with_recording(long))

    assert (refusal.reason, refusal.payload) == (Reason.MALFORMED, None)


def test_a_route_alone_is_out_of_scope():
    assert readings(b'<?xml version="1.0"?><gpx></gpx>') == [
        OutOfScope("gpx", "workout route")
    ]


# Records of an app.

AT_MS = 1736928000000


def app_record(type_: str, value: object, unit: str, **more: object) -> object:
    return {
        "uuid": "00000000-0000-0000-0000-000000000001",
        "sourceId": "app",
        "type": type_,
        "dateFrom": AT_MS,
        "dateTo": AT_MS,
        "value": {"numericValue": value},
        "unitSymbol": unit,
        **more,
    }


def delivered(*records: object, timezone: str | None = "Europe/Berlin") -> object:
    return {
        "user_id": "account-1",
        "meta_info": {"timezone": timezone},
        "health_data": list(records),
    }


def test_a_record_of_an_app_has_its_id_its_zone_and_its_account():
    [reading] = readings(delivered(app_record("HEART_RATE", 72, "bpm")))

    assert reading == Measurement(
        kind="heart-rate",
        value=72,
        unit="/min",
        start="2025-01-15T09:00:00+01:00",
        start_us=AT_MS * 1000,
        end=None,
        end_us=AT_MS * 1000,
        position="$.health_data[0]",
        source_id="00000000-0000-0000-0000-000000000001",
        zone="Europe/Berlin",
        patient="account-1",
    )


def test_a_percentage_of_an_app_is_no_ratio():
    [reading] = readings(delivered(app_record("BLOOD_OXYGEN", 98, "%")))

    assert (reading.kind, reading.value, reading.unit) == ("oxygen-saturation", 98, "%")


def test_a_record_without_a_zone_is_in_utc():
    [reading] = readings(delivered(app_record("HEART_RATE", 72, "bpm"), timezone=None))

    assert (reading.start, reading.zone) == ("2025-01-15T08:00:00.000Z", None)


def test_halves_of_an_app_become_one_panel():
    [panel] = readings(
        delivered(
            app_record("BLOOD_PRESSURE_DIASTOLIC", 80, "mmHg"),
            app_record("BLOOD_PRESSURE_SYSTOLIC", 120, "mmHg"),
        )
    )

    assert (panel.kind, panel.records, panel.source_id) == ("blood-pressure", 2, None)
    assert [part.value for part in panel.components] == [120, 80]


def test_stages_of_an_app_become_a_night():
    hour = 3_600_000
    stages = [
        app_record(name, 60, "min", dateFrom=start, dateTo=start + hour)
        for name, start in (("SLEEP_LIGHT", AT_MS), ("SLEEP_DEEP", AT_MS + hour))
    ]

    [night] = readings(delivered(*stages))

    assert (night.kind, night.records, night.position) == (
        "sleep-session",
        2,
        "$.health_data[0]",
    )
    assert [
        (part.value, part.offset_ms)
        for part in night.components
        if part.kind == "sleep-stage"
    ] == [("light", 0), ("deep", hour)]


def test_a_mindful_session_of_an_app_is_as_long_as_it_took():
    sent = app_record("MINDFULNESS", 10, "min", dateTo=AT_MS + 600_000)

    [reading] = readings(delivered(sent))

    assert (reading.kind, reading.value, reading.unit) == ("mindful-duration", 600, "s")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (app_record("HEART_RATE", "72", "bpm"), Reason.INVALID_VALUE),
        (app_record("HEART_RATE", 72, ""), Reason.NO_UNIT),
        (app_record("HEART_RATE", 72, "Hz"), Reason.UNKNOWN_UNIT),
        (app_record("HEART_RATE", 72, "bpm", dateTo=None), Reason.NO_TIME),
        (app_record("HEART_RATE", 72, "bpm", dateTo="now"), Reason.MALFORMED),
        (app_record("HEART_RATE", 72, "bpm", dateTo=1736928000), Reason.MALFORMED),
        (app_record("STEPS", 5, "count", dateTo=AT_MS - 1), Reason.NEGATIVE_INTERVAL),
        (app_record("WORKOUT", 5, "count"), Reason.UNKNOWN_KIND),
        (7, Reason.MALFORMED),
    ],
)
def test_a_record_that_is_not_understood_is_refused_and_the_others_are_kept(
    sent, reason
):
    refusal, kept = readings(delivered(sent, app_record("WEIGHT", 70, "kg")))

    [again] = readings(refusal.payload)

    assert (refusal.reason, again.reason, kept.kind) == (reason, reason, "body-weight")


def test_what_is_never_stored_of_an_app_is_out_of_scope():
    sent = delivered(app_record("DIETARY_CARBS_CONSUMED", 5, "g"))

    assert readings(sent) == [OutOfScope("$.health_data[0]", "nutrition")]


def test_an_empty_delivery_is_accounted_for():
    assert readings(delivered()) == [
        OutOfScope("$.health_data", "delivery without a record")
    ]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_records_of_an_app_are_accounted_for_through_both_doors():
    path = SAMPLES / "mirobody-vitals_activity_001.json"

    from_file = readings(path)
    from_door = readings(loads(path.read_bytes()))

    assert from_file == from_door
    assert [(r.kind, r.value, r.unit) for r in from_file] == [
        ("heart-rate", 72, "/min"),
        ("resting-heart-rate", 58, "/min"),
        ("oxygen-saturation", 98, "%"),
        ("blood-pressure", None, ""),
        ("steps", 500, "{steps}"),
        ("distance-walking-running", 400, "m"),
        ("active-energy", 150, "kcal"),
        ("vo2-max", Decimal("42.5"), "mL/kg/min"),
    ]
    assert sum(r.records for r in from_file) == 9
    assert {r.patient for r in from_file} == {"test_user_001"}
    assert from_file[4].start == "2025-01-15T00:00:00-08:00"
    assert from_file[4].end == "2025-01-15T00:30:00-08:00"
    assert {type(normalise(r, now_us=NOW_US)) for r in from_file} == {Normalised}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_route_is_out_of_scope():
    assert readings(SAMPLES / "route_2019-06-11_3.00pm.gpx") == [
        OutOfScope("gpx", "workout route")
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=9)
    | st.sampled_from(["HEART_RATE", "SLEEP_DEEP", "MINDFULNESS", "Record", AT_MS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("health_data", "input", "user_id", "meta_info", "timezone"),
                    *("type", "dateFrom", "dateTo", "value", "numericValue", "uuid"),
                    *("element", "attributes", "metadata", "electrocardiogram"),
                )
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_value_is_accounted_for(sent):
    found = readings(sent)

    assert found or not sent or isinstance(sent, dict | list)
    for reading in found:
        assert isinstance(reading, Measurement | Refusal | OutOfScope)


@given(st.text(max_size=60))
def test_any_recording_is_accounted_for(text):
    [reading] = readings({"electrocardiogram": text})

    assert isinstance(reading, Measurement | Refusal)
