from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads_foreign
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    Deletion,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.garmin import activity, sleep, summaries
from mappings.vendors.garmin.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1_795_000_000_000_000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "garmin"
SEEN = sorted(SAMPLES.glob("*.json"))
START = 1_600_000_000
START_TEXT = "2020-09-13T14:26:40+02:00"
REDACTED = (
    "10.1234",
    "20.9876",
    "140.9876",
    "120000000",
    "240000000",
    "Patient01",
    "user001",
    "dummy-access-token",
    "networkname",
    "ab@c.example",
)

needs_samples = pytest.mark.skipif(
    not SEEN, reason="the sample payloads are not beside this checkout"
)


def summary(**members):
    return {
        "userId": "u1",
        "userAccessToken": "synthetic-token",
        "summaryId": "s1",
        "startTimeInSeconds": START,
        "startTimeOffsetInSeconds": 7200,
        "durationInSeconds": 900,
    } | members


def readings(sent, zone=None):
    return list(parse(sent, received_at=NOW, zone=zone))


def of(name, **members):
    return readings({name: [summary(**members)]})


def one(name, **members):
    [reading] = [r for r in of(name, **members) if r.records]
    return reading


def body_of(path):
    body = loads_foreign(path.read_bytes())
    return body.get("input", body)


def seen(name):
    return readings(body_of(SAMPLES / name), zone="Asia/Shanghai")


def test_an_epoch_has_its_interval_its_user_and_its_offset():
    assert one("epochs", steps=93) == Measurement(
        kind="steps",
        value=93,
        unit="{steps}",
        start=START_TEXT,
        start_us=START * 1_000_000,
        end="2020-09-13T14:41:40+02:00",
        end_us=(START + 900) * 1_000_000,
        position="$.epochs[0].steps",
        source_id="s1",
        patient="u1",
    )


def test_each_user_of_a_body_is_told_apart():
    body = {"epochs": [summary(steps=1), summary(userId="u2", steps=2)]}

    found = [(reading.patient, reading.value) for reading in readings(body)]

    assert found == [("u1", 1), ("u2", 2)]


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        (86_400, "steps-24h"),
        (82_800, "steps-24h"),
        (90_000, "steps-24h"),
        (82_799, "steps"),
        (36_000, "steps"),
    ],
)
def test_a_day_has_the_kinds_of_a_day_and_a_part_of_one_has_not(seconds, kind):
    assert one("dailies", steps=1, durationInSeconds=seconds).kind == kind


def test_a_whole_day_takes_back_what_a_part_of_it_had_given():
    [whole, gone] = of("dailies", steps=1, durationInSeconds=86_400)

    assert whole.kind == "steps-24h"
    assert gone == Deletion(
        whole.position, whole.source_id, "steps", whole.patient, records=0
    )


@pytest.mark.parametrize(
    "name",
    [
        "measurementTimeOffsetInSeconds",
        "offsetInSeconds",
        "offsetStartTimeInSeconds",
        "startTimeOffsetInSeconds",
    ],
)
def test_the_offset_is_found_under_each_of_its_names(name):
    sent = summary(steps=1)
    del sent["startTimeOffsetInSeconds"]

    [reading] = readings({"epochs": [sent | {name: -18_000}]})

    assert reading.start == "2020-09-13T07:26:40-05:00"


@pytest.mark.parametrize("offset", [61, 60_000, -60_000, "3600", True])
def test_an_offset_that_cannot_be_is_flagged_and_the_instant_kept(offset):
    reading = one("epochs", steps=1, startTimeOffsetInSeconds=offset)

    assert (reading.start, reading.flags) == (
        "2020-09-13T12:26:40Z",
        ("zone-disputed",),
    )


def test_a_missing_offset_is_not_utc_and_a_named_zone_stands_in():
    sent = {"epochs": [summary(steps=1, startTimeOffsetInSeconds=None)]}

    [bare], [zoned] = readings(sent), readings(sent, zone="Europe/Berlin")

    assert bare.start == "2020-09-13T12:26:40Z"
    assert (zoned.start, zoned.zone) == (START_TEXT, "Europe/Berlin")


def test_a_named_zone_never_replaces_an_offset():
    [reading] = readings({"epochs": [summary(steps=1)]}, zone="America/New_York")

    assert (reading.start, reading.zone) == (START_TEXT, None)


def test_a_date_alone_needs_a_zone():
    sent = {
        "userMetrics": [{"userId": "u1", "calendarDate": "2024-03-31", "vo2Max": 45}]
    }

    [refused] = readings(sent)
    [reading] = readings(sent, zone="Europe/Berlin")

    assert (refused.reason, refused.records) == (Reason.NO_OFFSET, 1)
    assert (reading.kind, reading.start, reading.end) == (
        "vo2-max",
        "2024-03-31T00:00:00+01:00",
        "2024-04-01T00:00:00+02:00",
    )


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (None, Reason.NO_TIME),
        (START * 1000, Reason.MALFORMED),
        ("soon", Reason.MALFORMED),
        (True, Reason.MALFORMED),
    ],
)
def test_a_summary_without_a_time_is_refused_as_a_whole(time, reason):
    refused = one("epochs", startTimeInSeconds=time, steps=1, met=2)

    assert (refused.reason, refused.records) == (reason, 2)


def test_no_secret_reaches_the_quarantine():
    bodies = [
        {"epochs": [summary(startTimeInSeconds="soon", steps=1)]},
        {"epochs": [summary(steps="many")]},
        {"wishes": [summary(steps=1)]},
        {"activities": [summary(distanceInMeters="far", startingLatitudeInDegree=10)]},
    ]

    refused = [r for body in bodies for r in readings(body) if isinstance(r, Refusal)]

    kept = dumps([refusal.payload for refusal in refused]).decode()
    assert len(refused) == 4
    assert "token" not in kept
    assert "Latitude" not in kept


def test_a_refused_member_is_kept_so_that_it_can_be_tried_again():
    _, refused = of("epochs", steps=1, met="3.3")

    [again] = readings(refused.payload)

    assert refused.payload["epochs"][0]["met"] == "3.3"
    assert "steps" not in refused.payload["epochs"][0]
    assert again._replace(position="") == refused._replace(position="")


def test_a_new_number_is_refused_and_the_rest_kept():
    steps, refused = of("epochs", steps=1, auraLevel=7)

    assert steps.kind == "steps"
    assert (refused.reason, refused.position) == (Reason.UNKNOWN_KIND, "$.epochs[0]")


def test_a_list_that_nobody_knows_is_refused_entry_by_entry():
    found = readings({"wishes": [summary(), 7]})

    assert [(r.reason, r.records) for r in found] == [
        (Reason.UNKNOWN_KIND, 1),
        (Reason.MALFORMED, 1),
    ]


@pytest.mark.parametrize("name", ["pulseox", "pulseOx", "PulseOx"])
def test_list_names_are_compared_without_case(name):
    reading = one(name, timeOffsetSpo2Values={"60": 93})

    assert (reading.kind, reading.value, reading.unit, reading.source_id) == (
        "oxygen-saturation",
        93,
        "%",
        "s1#1600000060",
    )


def test_negative_stress_is_no_stress_and_says_so_once_for_neighbours():
    values = {"0": 20, "180": -1, "360": -2, "540": 0, "900": -1}

    found = of("stressDetails", timeOffsetStressLevelValues=values)

    assert [(r.value, r.absent, r.start, r.end, r.records) for r in found] == [
        (20, None, START_TEXT, None, 1),
        (0, None, "2020-09-13T14:35:40+02:00", None, 1),
        (None, "unknown", "2020-09-13T14:29:40+02:00", "2020-09-13T14:35:40+02:00", 2),
        (None, "unknown", "2020-09-13T14:41:40+02:00", "2020-09-13T14:44:40+02:00", 1),
    ]
    assert {r.kind for r in found} == {"garmin-stress-level"}


@pytest.mark.parametrize("key", ["x", "-60", "060", "1.5", "99999999", "²"])
def test_a_sample_whose_time_cannot_be_is_refused_alone(key):
    kept, refused = of("allDayRespiration", timeOffsetEpochToBreaths={"0": 14, key: 15})

    assert kept.value == 14
    assert (refused.reason, refused.kind) == (Reason.MALFORMED, "respiratory-rate")
    assert refused.payload["allDayRespiration"][0]["timeOffsetEpochToBreaths"] == {
        key: 15
    }


def test_samples_that_are_no_map_are_refused():
    refused = one("hrv", hrvValues=[44])

    assert (refused.reason, refused.kind) == (Reason.MALFORMED, "hrv-rmssd")


def test_heart_rates_every_15_seconds_are_a_signal_and_no_spot_rates():
    samples = {"0": 60, "15": 62, "45": 70, "60": 0}

    signal, gap = of("dailies", timeOffsetHeartRateSamples=samples)

    assert signal == Measurement(
        kind="heart-rate-series",
        value=Samples(15_000, (60, 62, "E", 70)),
        unit="/min",
        start=START_TEXT,
        start_us=START * 1_000_000,
        end="2020-09-13T14:27:40+02:00",
        end_us=(START + 60) * 1_000_000,
        position="$.dailies[0].timeOffsetHeartRateSamples",
        source_id="s1#1599998400",
        components=(
            Component("heart-rate-minimum", 60, "/min"),
            Component("heart-rate-mean", Decimal("64.0"), "/min"),
            Component("heart-rate-maximum", 70, "/min"),
        ),
        records=3,
        patient="u1",
        source_version=START * 1_000_000 + 900_000_000,
    )
    assert (gap.kind, gap.absent, gap.records) == ("heart-rate-series", "unknown", 1)


def test_vigorous_seconds_are_stored_as_they_are_and_not_doubled():
    reading = one("dailies", vigorousIntensityDurationInSeconds=600)

    assert (reading.kind, reading.value, reading.unit) == (
        "vigorous-activity-duration",
        600,
        "s",
    )


def test_stress_minutes_that_miss_their_total_are_flagged():
    parts = {
        "lowStressDurationInSeconds": 60,
        "mediumStressDurationInSeconds": 60,
        "highStressDurationInSeconds": 60,
    }

    right = of("dailies", stressDurationInSeconds=180, **parts)
    wrong = of("dailies", stressDurationInSeconds=120, **parts)

    assert {r.flags for r in right if isinstance(r, Measurement)} == {()}
    assert {r.flags for r in wrong if isinstance(r, Measurement)} == {
        ("totals-disputed",)
    }


def test_grams_become_kilograms_digit_for_digit():
    reading = one("bodyComps", weightInGrams=70_100, sourceType="manual")

    assert (reading.kind, str(reading.value), reading.unit, reading.self_reported) == (
        "body-weight",
        "70.100",
        "kg",
        True,
    )


def test_a_weight_of_zero_is_no_weight():
    reading = one("bodyComps", weightInGrams=0)

    assert (reading.value, reading.unit, reading.absent) == (None, "", "unknown")


NIGHT = {
    "durationInSeconds": 28_800,
    "deepSleepDurationInSeconds": 7200,
    "lightSleepDurationInSeconds": 14_400,
    "remSleepInSeconds": 3600,
    "awakeDurationInSeconds": 3600,
}


def segment(start, end):
    return {"startTimeInSeconds": START + start, "endTimeInSeconds": START + end}


def test_a_night_has_totals_without_the_time_awake_and_its_stages():
    levels = {
        "light": [segment(0, 14_400)],
        "deep": [segment(14_400, 21_600)],
        "rem": [segment(21_600, 25_200)],
        "awake": [segment(25_200, 28_800)],
    }

    reading = one(
        "sleeps",
        **NIGHT,
        sleepLevelsMap=levels,
        overallSleepScore={"value": 87, "qualifierKey": "GOOD"},
        validation="AUTO_FINAL",
    )

    assert reading.components == (
        Component("sleep-duration", 25_200, "s"),
        Component("deep-sleep-duration", 7200, "s"),
        Component("light-sleep-duration", 14_400, "s"),
        Component("rem-sleep-duration", 3600, "s"),
        Component("awake-duration", 3600, "s"),
        Component("garmin-sleep-score", 87, "{score}"),
        Component("sleep-stage", "light", offset_ms=0),
        Component("sleep-stage", "deep", offset_ms=14_400_000),
        Component("sleep-stage", "rem", offset_ms=21_600_000),
        Component("sleep-stage", "awake", offset_ms=25_200_000),
    )
    assert (reading.kind, reading.flags, reading.self_reported) == (
        "sleep-session",
        (),
        False,
    )
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_a_time_that_no_segment_covers_is_unknown():
    levels = {"deep": [segment(0, 3600), segment(7200, 10_800)]}

    reading = one("sleeps", **NIGHT, sleepLevelsMap=levels)

    stages = [
        (c.value, c.offset_ms) for c in reading.components if c.offset_ms is not None
    ]
    assert stages == [("deep", 0), ("unknown", 3_600_000), ("deep", 7_200_000)]


def test_a_map_within_the_night_that_misses_a_total_is_kept_and_flagged():
    reading = one("sleeps", **NIGHT, sleepLevelsMap={"deep": [segment(0, 600)]})

    assert reading.flags == ("totals-disputed",)
    assert reading.components[-1] == Component("sleep-stage", "deep", offset_ms=0)


@pytest.mark.parametrize(
    "levels",
    [
        {"deep": [segment(0, 60_000)]},
        {"deep": [segment(-600, 600)]},
        {"deep": [segment(0, 7200)], "light": [segment(3600, 18_000)]},
    ],
)
def test_a_map_that_leaves_the_night_or_overlaps_is_not_stored(levels):
    reading = one("sleeps", **NIGHT, sleepLevelsMap=levels)

    assert reading.flags == ("totals-disputed",)
    assert not [c for c in reading.components if c.kind == "sleep-stage"]


@pytest.mark.parametrize("levels", [7, {"deep": [7]}, {"dream": [segment(0, 60)]}])
def test_a_map_that_is_none_refuses_the_session_and_keeps_the_rest(levels):
    refused, breath = of(
        "sleeps", **NIGHT, sleepLevelsMap=levels, timeOffsetSleepRespiration={"0": 14}
    )

    assert (refused.kind, refused.records) == ("sleep-session", 5)
    assert breath.kind == "respiratory-rate"


@pytest.mark.parametrize("word", ["MANUAL", "manual", "AUTO_MANUAL"])
def test_a_night_that_a_person_entered_is_known_in_any_case(word):
    assert one("sleeps", **NIGHT, validation=word).self_reported


def test_blood_pressure_has_the_time_of_its_measurement():
    panel, pulse = of(
        "bloodPressures",
        systolic=120,
        diastolic=80,
        pulse=61,
        measurementTimeInSeconds=START + 60,
        sourceType="MANUAL",
    )

    assert (panel.kind, panel.start, panel.self_reported) == (
        "blood-pressure",
        "2020-09-13T14:27:40+02:00",
        True,
    )
    assert panel.components == (
        Component("systolic-blood-pressure", 120, "mm[Hg]"),
        Component("diastolic-blood-pressure", 80, "mm[Hg]"),
    )
    assert (pulse.kind, pulse.value, pulse.unit) == ("heart-rate", 61, "/min")


def test_a_blood_pressure_without_pressures_is_refused():
    refused = one("bloodPressures", systolic=None, diastolic=None)

    assert (refused.reason, refused.kind) == (Reason.INVALID_VALUE, "blood-pressure")


def test_an_activity_and_its_details_share_their_identifier():
    [brief] = readings({"activities": [summary(activityType="RUNNING")]})
    [full] = readings(
        {
            "activityDetails": [
                {
                    "userId": "u1",
                    "summaryId": "s1-detail",
                    "summary": summary(activityType="RUNNING", userId=None),
                }
            ]
        }
    )

    assert brief.source_id == full.source_id == "s1"
    assert (full.kind, full.value, full.patient) == ("workout", "running", "u1")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("RUNNING", "running"),
        ("TRAIL_RUNNING", "running"),
        ("LAP_SWIMMING", "swimming"),
        ("STRENGTH_TRAINING", "traditional-strength-training"),
        ("YOGA", "yoga"),
        ("QUIDDITCH", "other"),
        (None, "other"),
        (7, "other"),
    ],
)
def test_an_activity_has_a_code_of_ours(word, code):
    assert one("moveIQActivities", activityType=word).value == code


def test_the_average_heart_rate_of_an_activity_is_a_rate_and_no_duration():
    reading = one("activities", averageHeartRateInBeatsPerMinute=144)

    assert reading.components == (
        Component("workout-duration", 900, "s"),
        Component("heart-rate-mean", 144, "/min"),
    )


def test_an_activity_without_a_duration_is_refused():
    refused = one("activities", durationInSeconds=None, distanceInMeters=5)

    assert (refused.reason, refused.kind, refused.records) == (
        Reason.NO_TIME,
        "workout",
        2,
    )


def test_a_sample_of_an_activity_that_is_none_is_refused_alone():
    samples = [{"startTimeInSeconds": START, "heartRate": 100}, 7, {"heartRate": 99}]

    _, bad, timeless, signal = of("activityDetails", samples=samples, steps=1)

    assert (bad.reason, timeless.reason) == (Reason.MALFORMED, Reason.NO_TIME)
    assert signal.value.data == (100,)


def test_a_snapshot_has_statistics_and_samples_and_no_sdnn():
    parts = [
        {
            "summaryType": "heart_rate",
            "minValue": 60,
            "avgValue": 64,
            "maxValue": 70,
            "epochSummaries": {"0": 60, "5": 70},
        },
        {"summaryType": "spo2", "avgValue": 96, "epochSummaries": {"0": 96}},
        {"summaryType": "rmssd_hrv", "avgValue": 31},
        {"summaryType": "sdrr_hrv", "avgValue": 55},
    ]

    found = of("healthSnapshot", durationInSeconds=120, summaries=parts)

    assert [(r.kind, r.value) for r in found[:7]] == [
        ("heart-rate-minimum", 60),
        ("heart-rate-mean", 64),
        ("heart-rate-maximum", 70),
        ("heart-rate-series", Samples(5000, (60, 70))),
        ("oxygen-saturation-mean", 96),
        ("oxygen-saturation", 96),
        ("hrv-rmssd", 31),
    ]
    assert [r.reason for r in found[7:]] == [Reason.UNKNOWN_KIND]


@pytest.mark.parametrize("kind", ["heart_rate", "respiration"])
def test_a_sample_of_a_snapshot_that_is_refused_can_be_tried_again(kind):
    part = {"summaryType": kind, "avgValue": 64, "epochSummaries": {"x": 60, "5": 61}}

    found = of("healthSnapshot", summaries=[part])
    [refusal] = [r for r in found if isinstance(r, Refusal)]
    [again] = readings(refusal.payload)

    assert again == refusal
    assert refusal.payload["healthSnapshot"][0]["summaries"] == [
        {"summaryType": kind, "epochSummaries": {"x": 60}}
    ]


def test_a_snapshot_whose_parts_are_none_is_refused():
    refused = one("healthSnapshot", summaries=7)
    bad, samples = of(
        "healthSnapshot",
        summaries=[
            {"summaryType": "rmssd_hrv", "avgValue": "x", "epochSummaries": {"0": 1}}
        ],
    )

    assert refused.reason is Reason.UNKNOWN_KIND
    assert (bad.reason, bad.kind) == (Reason.INVALID_VALUE, "hrv-rmssd")
    assert samples == OutOfScope(
        "$.healthSnapshot[0].summaries[0]", "samples of a snapshot"
    )


@pytest.mark.parametrize("samples", [7, {"x": 60}, {"0": 401}, {"0": "61"}])
def test_heart_rates_that_are_none_are_refused(samples):
    refused = one("dailies", timeOffsetHeartRateSamples=samples)

    [again] = readings(refused.payload)

    assert refused.kind == "heart-rate-series"
    assert again == refused


def test_stress_that_cannot_be_added_up_is_not_disputed():
    low, medium = of(
        "dailies",
        lowStressDurationInSeconds=60,
        mediumStressDurationInSeconds="long",
        stressDurationInSeconds=None,
    )[:2]

    assert (low.flags, medium.reason) == ((), Reason.INVALID_VALUE)


def test_a_night_without_a_duration_or_without_stages():
    refused = one("sleeps", durationInSeconds=None, deepSleepDurationInSeconds=60)
    awake = one("sleeps", awakeDurationInSeconds=60)

    assert (refused.reason, refused.kind) == (Reason.NO_TIME, "sleep-session")
    assert awake.components == (Component("awake-duration", 60, "s"),)


@pytest.mark.parametrize("seconds", ["long", True, -1, 10**9])
def test_a_duration_that_cannot_be_refuses_the_summary(seconds):
    refused = one("epochs", durationInSeconds=seconds, steps=1)

    assert refused.reason is Reason.MALFORMED


def test_samples_in_a_named_zone_follow_its_clocks():
    sent = summary(
        startTimeInSeconds=1_711_846_800,
        startTimeOffsetInSeconds=None,
        timeOffsetSpo2Values={"0": 95, "3600": 96},
    )

    found = readings({"pulseox": [sent]}, zone="Europe/Berlin")

    assert [r.start for r in found] == [
        "2024-03-31T03:00:00+02:00",
        "2024-03-31T04:00:00+02:00",
    ]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"deregistrations": [{"userId": "u1"}]}, "deregistration"),
        ({"userPermissionsChange": [{"userId": "u1"}]}, "change of permissions"),
        ({"activityFiles": [{"callbackURL": "https://example"}]}, "notice of a file"),
        ({"dailies": [{"callbackURL": "https://example"}]}, "notice without data"),
        ({"msg_id": "1"}, "member of the message's envelope"),
    ],
)
def test_what_holds_no_measurement_is_counted_and_never_stored(body, what):
    assert [r.what for r in readings(body)] == [what]


@pytest.mark.parametrize("payload", [None, 7, "x", []])
def test_what_is_no_body_is_refused(payload):
    [refused] = readings(payload)

    assert refused.reason is Reason.MALFORMED


# What was seen.


@needs_samples
def test_the_days_that_were_seen_are_read():
    found = seen("radar-dailies.json")
    told = [r for r in found if r.records]
    first = {r.kind: r for r in told[:25] if isinstance(r, Measurement)}

    assert {
        kind: str(r.value)
        for kind, r in first.items()
        if r.value.__class__ is not Samples
    } == {
        "active-energy": "321",
        "basal-energy": "1731",
        "steps-24h": "4210",
        "distance": "3146.5",
        "activity-duration": "12240",
        "moderate-activity-duration": "81870",
        "vigorous-activity-duration": "4530",
        "flights-climbed-24h": "8",
        "heart-rate-minimum-24h": "59",
        "heart-rate-mean-24h": "64",
        "heart-rate-maximum-24h": "112",
        "garmin-stress-level-mean": "43",
        "garmin-stress-level-maximum": "87",
        "rest-duration": "7600",
        "stress-low-duration": "6700",
        "stress-medium-duration": "4350",
        "stress-high-duration": "108000",
    }
    assert {r.patient for r in found[:20] if isinstance(r, Measurement)} == {"sub-1"}
    assert first["steps-24h"].start == "2016-01-11T01:00:00+01:00"
    assert first["heart-rate-series"].records == 8


@needs_samples
def test_implausible_values_that_were_seen_are_stored_and_flagged():
    days = [r for r in seen("radar-dailies.json") if isinstance(r, Measurement)]
    rides = [r for r in seen("radar-activities.json") if isinstance(r, Measurement)]

    stress = normalise(
        next(r for r in days if r.kind == "stress-high-duration"), now_us=NOW_US
    )
    far, near = (normalise(ride, now_us=NOW_US) for ride in rides)

    assert stress.implausible
    assert [part.kind.name for part in far.parts if part.implausible] == ["distance"]
    assert not [part for part in near.parts if part.implausible]


@needs_samples
def test_two_users_with_one_summary_id_stay_two():
    first, second = (
        r for r in seen("radar-activities.json") if isinstance(r, Measurement)
    )

    assert first.source_id == second.source_id == "5001968355"
    assert (first.patient, second.patient) == ("sub-1", "sub-2")
    assert (first.value, second.value) == ("running", "cycling")
    assert first.device == DeviceClue(manufacturer="Garmin", model="Forerunner 910XT")


@needs_samples
def test_the_nights_that_were_seen_keep_their_totals_and_are_flagged():
    nights = [r for r in seen("radar-sleeps.json") if r.position.endswith("]")]

    assert [(n.start, n.end, n.flags) for n in nights] == [
        (
            "2016-01-10T11:53:01+02:00",
            "2016-01-10T16:07:25+02:00",
            ("totals-disputed",),
        ),
        (
            "2016-01-11T01:11:33+02:00",
            "2016-01-11T04:29:53+02:00",
            ("totals-disputed",),
        ),
    ]
    assert nights[0].components == (
        Component("sleep-duration", 14_772, "s"),
        Component("deep-sleep-duration", 11_231, "s"),
        Component("light-sleep-duration", 3541, "s"),
        Component("rem-sleep-duration", 0, "s"),
        Component("awake-duration", 492, "s"),
    )


@needs_samples
def test_the_blood_pressure_that_was_seen_has_the_time_of_its_measurement():
    panel, pulse = seen("radar-blood_pressure.json")

    assert (panel.start, panel.self_reported, pulse.value) == (
        "2022-09-21T11:00:00-05:00",
        True,
        82,
    )


@needs_samples
def test_the_stress_that_was_seen_has_no_value():
    found = [r for r in seen("mirobody-stress.json") if isinstance(r, Measurement)]

    assert [(r.kind, r.value, r.absent, r.records) for r in found] == [
        ("garmin-body-battery", 44, None, 1),
        ("garmin-stress-level", None, "unknown", 3),
    ]


@needs_samples
def test_the_breaths_that_were_seen_keep_their_digits_and_their_gaps():
    found = seen("radar-respiration.json")

    assert [str(r.value) for r in found[:2]] == ["14.63", "14.4"]
    assert len(found) == 11
    assert found[4].start == "2019-09-10T22:20:00-05:00"


@needs_samples
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mirobody-bodyComps.json", (1, 0, 2)),
        ("mirobody-stress.json", (4, 0, 2)),
        ("mirobody-userMetrics.json", (1, 0, 2)),
        ("radar-activities.json", (8, 0, 1)),
        ("radar-activity_details.json", (10, 0, 26)),
        ("radar-blood_pressure.json", (2, 0, 0)),
        ("radar-dailies.json", (51, 0, 14)),
        ("radar-epoch.json", (5, 0, 2)),
        ("radar-hrv.json", (14, 0, 0)),
        ("radar-pulse_ox.json", (1, 0, 0)),
        ("radar-respiration.json", (11, 0, 0)),
        ("radar-sleeps.json", (21, 0, 2)),
    ],
)
def test_every_body_that_was_seen_is_accounted_for(name, counts):
    found = Counter()
    for reading in seen(name):
        found[type(reading)] += reading.records

    assert (found[Measurement], found[Refusal], found[OutOfScope]) == counts


@needs_samples
@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.name)
def test_what_was_seen_can_be_stored_and_tells_nothing_private(path):
    found = readings(body_of(path), zone="Asia/Shanghai")
    measured = [r for r in found if isinstance(r, Measurement)]
    told = repr([r._replace(patient=None, start_us=0, end_us=0) for r in measured])

    assert measured
    assert not [r for r in measured if isinstance(normalise(r, now_us=NOW_US), Refusal)]
    assert not [word for word in REDACTED if word in told]


# Tables and totality.


def test_every_kind_and_unit_of_the_tables_can_be_stored():
    quantities = [
        *summaries.QUANTITIES.values(),
        *(series.quantity for series in summaries.SERIES.values()),
        *(
            quantity
            for _, statistics in summaries.SNAPSHOTS.values()
            for quantity in statistics.values()
        ),
    ]
    pairs = {(q.kind, q.unit) for q in quantities}
    pairs |= {(q.day_kind, q.unit) for q in quantities if q.day_kind}
    at = "2020-01-01T00:00:00Z"

    wrong = [
        (kind, unit)
        for kind, unit in sorted(pairs)
        if getattr(
            normalise(Measurement(kind, 50, unit, at, 0, at, 0, "$"), now_us=NOW_US),
            "reason",
            None,
        )
        in {Reason.UNKNOWN_UNIT, Reason.NO_UNIT, Reason.UNKNOWN_KIND}
    ]

    assert wrong == []


def test_every_part_of_a_session_is_one_of_its_components():
    parts = {kind for kind, _ in sleep.TOTALS.values()} | {"garmin-sleep-score"}
    done = {kind for kind, _ in activity.PARTS.values()}

    assert parts <= set(kinds()["sleep-session"].components)
    assert done <= set(kinds()["workout"].components)


def test_no_member_is_both_stored_and_out_of_scope():
    stored = {*summaries.QUANTITIES, *summaries.SERIES, *summaries.HEART_RATES}

    assert not stored & summaries.OUT_OF_SCOPE.keys()
    assert not summaries.ENVELOPE & (stored | summaries.OUT_OF_SCOPE.keys())
    assert not summaries.SECRETS & summaries.ENVELOPE


NAMES = sorted(
    {
        *summaries.ENVELOPE,
        *summaries.QUANTITIES,
        *summaries.SERIES,
        *summaries.HEART_RATES,
        "summaries",
        "summaryType",
        "epochSummaries",
        "samples",
        "laps",
        "summary",
        "sleepLevelsMap",
        "overallSleepScore",
        "value",
        "systolic",
        "deep",
        "60",
    }
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(START - 10_000, START + 10_000),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: Number(str(d))),
    st.text(max_size=6),
    st.sampled_from(["MANUAL", "heart_rate", "spo2", "rmssd_hrv", "2024-01-01"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    ),
    max_leaves=15,
)
SUMMARY = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6).map(
    lambda members: summary(**members)
)


@given(
    st.one_of(
        JSON,
        st.dictionaries(
            st.sampled_from([*summaries.LISTS, *summaries.LISTS_OUT_OF_SCOPE, "x"]),
            st.one_of(st.lists(st.one_of(SUMMARY, JSON), max_size=2), JSON),
            max_size=2,
        ),
    )
)
def test_any_json_is_accounted_for_and_nothing_is_raised(payload):
    found = readings(payload)

    assert all(reading.records >= 1 for reading in found)
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised | Refusal)
        for r in found
        if isinstance(r, Measurement)
    )


def test_of_a_day_the_push_that_tells_more_of_it_is_newer():
    [noon, evening] = (
        one("dailies", durationInSeconds=hours * 3600, floorsClimbed=3)
        for hours in (12, 18)
    )

    assert evening.source_version - noon.source_version == 6 * 3600 * 1_000_000


def test_of_another_summary_the_later_push_is_newer():
    assert one("epochs", steps=3).source_version is None
