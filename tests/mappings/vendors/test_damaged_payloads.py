"""Every part of a payload, replaced by everything that it is not."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from conformance.fhir_json import dumps, loads
from mappings.measurement import Measurement, Refusal
from mappings.normalise import normalise
from mappings.vendors.table import VENDORS

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NOW_US = 1796083200000000
MISSING = object()
JUNK = (
    MISSING,
    None,
    True,
    0,
    -1,
    10**30,
    "",
    "x",
    "2024-03-31T02:30:00",
    "9999-12-31T23:59:59Z",
    [],
    {},
    [[]],
    {"novel": 1},
)
AT, END = "2025-03-29T22:00:00Z", "2025-03-30T06:00:00Z"
INTERVAL = {
    "startTime": AT,
    "startUtcOffset": "3600s",
    "endTime": END,
    "endUtcOffset": "7200s",
}
SAMPLE = {"physicalTime": AT, "utcOffset": "3600s"}
NANOS = {
    "startTimeNanos": "1436275800000000000",
    "endTimeNanos": "1436277600000000000",
}


def hc(type_: str, **fields: object) -> dict[str, object]:
    times = {} if "time" in fields else {"startTime": AT, "endTime": END}
    return {"recordType": type_, "metadata": {"id": "r1"}, **times, **fields}


def fit(type_: str, *values: int) -> dict[str, object]:
    return {
        "dataSourceId": "raw:com.google.x:app:maker:model:1:name",
        "point": [
            {
                **NANOS,
                "dataTypeName": f"com.google.{type_}",
                "value": [{"intVal": value} for value in values],
            }
        ],
    }


PAYLOADS = {
    "health-connect": [
        hc("Weight", time=AT, zoneOffset="+01:00", weight={"inKilograms": 72}),
        hc("Distance", distance={"value": 5, "unit": "meters"}),
        hc("HeartRate", samples=[{"time": AT, "beatsPerMinute": 61}]),
        hc("BloodPressure", time=AT, systolic={"inMillimetersOfMercury": 120}),
        hc(
            "BloodGlucose", time=AT, specimenSource=2, level={"inMillimolesPerLiter": 5}
        ),
        hc("SleepSession", stages=[{"startTime": AT, "endTime": END, "stage": 4}]),
        hc("ExerciseSession", exerciseType=56, startZoneOffset={"totalSeconds": 3600}),
        hc("ActivityIntensity", activityIntensityType=1),
        hc("Vo2Max", time=AT, vo2MillilitersPerMinuteKilogram=48, measurementMethod=2),
        hc(
            "SkinTemperature",
            baseline={"inCelsius": 33},
            deltas=[{"time": AT, "delta": {"inCelsius": 1}}],
        ),
        {"upsertionChanges": [{"record": hc("Steps", count=9)}], "deletionChanges": []},
        {"deletionChanges": [{"recordId": "r1"}]},
        {
            "steps": [{"count": 9, "start_time": AT, "end_time": END}],
            "sleep": [
                {
                    "session_end_time": END,
                    "duration_seconds": 28800,
                    "stages": [{"stage": "deep", "start_time": AT, "end_time": END}],
                }
            ],
            "exercise": [{"type": "running", "start_time": AT, "end_time": END}],
            "skin_temperature": [{"time": AT, "delta_celsius": 1}],
        },
    ],
    "google-health": [
        {"dataPoints": [{"steps": {"interval": INTERVAL, "count": "9"}}]},
        {"name": "users/u/dataTypes/x/dataPoints/p", "weight": {"sampleTime": SAMPLE}},
        {"dailyVo2Max": {"date": {"year": 2026, "month": 3, "day": 29}, "vo2Max": 44}},
        {"activityLevel": {"interval": INTERVAL, "activityLevelType": "SEDENTARY"}},
        {
            "activeMinutes": {
                "interval": INTERVAL,
                "activeMinutesByActivityLevel": [
                    {"activityLevel": "LIGHT", "activeMinutes": "30"}
                ],
            }
        },
        {
            "bloodGlucose": {
                "sampleTime": SAMPLE,
                "bloodGlucoseMilligramsPerDeciliter": 9,
            }
        },
        {
            "respiratoryRateSleepSummary": {
                "sampleTime": SAMPLE,
                "fullSleepStats": {"breathsPerMinute": 14},
                "remSleepStats": {"breathsPerMinute": 14},
            }
        },
        {
            "dailySleepTemperatureDerivations": {
                "date": {"year": 2026, "month": 3, "day": 29},
                "nightlyTemperatureCelsius": 34,
                "baselineTemperatureCelsius": 33,
            }
        },
        {
            "dataSource": {
                "recordingMethod": "MANUAL",
                "device": {"manufacturer": "Google", "displayName": "Watch"},
            },
            "exercise": {
                "interval": INTERVAL,
                "exerciseType": "WALKING",
                "activeDuration": "900s",
                "metricsSummary": {
                    "steps": "9",
                    "heartRateZoneDurations": {"lightTime": "60s"},
                },
            },
        },
        {
            "sleep": {
                "interval": INTERVAL,
                "type": "CLASSIC",
                "stages": [{**INTERVAL, "type": "RESTLESS"}],
                "outOfBedSegments": [],
                "summary": {
                    "minutesAsleep": "400",
                    "stagesSummary": [
                        {"type": "RESTLESS", "minutes": "9", "count": "1"}
                    ],
                },
                "metadata": {"nap": True},
            }
        },
        {
            "electrocardiogram": {
                "interval": INTERVAL,
                "samplingFrequencyHertz": 300,
                "millivoltsScalingFactor": 10922,
                "waveformSamples": [1, 2],
                "resultClassification": "INCONCLUSIVE",
                "beatsPerMinuteAvg": "61",
            }
        },
        {
            "rollupDataPoints": [
                {"startTime": AT, "endTime": END, "steps": {"countSum": "9"}},
                {
                    "civilStartTime": {"date": {"year": 2026, "month": 3, "day": 29}},
                    "civilEndTime": {
                        "date": {"year": 2026, "month": 3, "day": 30},
                        "time": {"hours": 0},
                    },
                    "steps": {"countSum": "9"},
                },
            ]
        },
        {
            "pairedDevices": [
                {"name": "users/u/x/1", "batteryLevel": 7, "lastSyncTime": AT}
            ]
        },
    ],
    "google-fit": [
        fit("weight", 72),
        fit("heart_rate.summary", 70, 90, 60),
        fit("blood_pressure", 120, 80),
        fit("blood_glucose", 5, 0, 0, 0, 2),
        fit("activity.segment", 7),
        fit("sleep.segment", 4),
        {"bucket": [{"dataset": [fit("steps", 9)]}]},
        {
            "session": [
                {
                    "id": "s",
                    "startTimeMillis": "1436275800000",
                    "endTimeMillis": "1436277600000",
                    "activityType": 72,
                }
            ],
            "deletedSession": [{"id": "d"}],
        },
    ],
    "fitbit": [
        {
            "activities": [
                {
                    "logId": 1,
                    "name": "Run",
                    "startDate": "2024-01-01",
                    "startTime": "11:55",
                    "duration": 1440000,
                    "steps": 9,
                }
            ],
            "summary": {
                "steps": 9,
                "distances": [{"activity": "total", "distance": 5}],
                "heartRateZones": [{"name": "Peak", "minutes": 9}],
            },
        },
        {
            "activities-heart": [
                {
                    "dateTime": "2024-01-01",
                    "value": {
                        "restingHeartRate": 55,
                        "customHeartRateZones": [{"name": "x"}],
                        "heartRateZones": [{"name": "Peak", "minutes": 9}],
                    },
                }
            ],
            "activities-heart-intraday": {
                "dataset": [{"time": "09:00:00", "value": 61}],
                "datasetType": "second",
                "datasetInterval": 1,
            },
        },
        {
            "activities-steps": [{"dateTime": "2024-01-01", "value": "9"}],
            "activities-steps-intraday": {
                "dataset": [{"time": "09:00:00", "value": 9}],
                "datasetType": "minute",
            },
        },
        {"activities-tracker-steps": [{"dateTime": "2024-01-01", "value": "9"}]},
        {
            "sleep": [
                {
                    "logId": 1,
                    "startTime": "2024-01-01T22:00:00",
                    "endTime": "2024-01-01T23:00:00",
                    "type": "classic",
                    "levels": {
                        "data": [
                            {
                                "dateTime": "2024-01-01T22:00:00",
                                "level": "asleep",
                                "seconds": 3600,
                            }
                        ],
                        "summary": {"restless": {"minutes": 0, "count": 0}},
                    },
                }
            ]
        },
        {
            "weight": [
                {"date": "2024-01-01", "time": "09:00:00", "weight": 70, "bmi": 22}
            ]
        },
        {
            "hrv": [
                {"dateTime": "2024-01-01", "value": {"dailyRmssd": 9, "deepRmssd": 9}}
            ]
        },
        {
            "takeout": "sedentary_minutes",
            "values": [{"dateTime": "03/01/24 00:00:00", "value": "9"}],
        },
        [{"dateTime": "03/01/24 09:00:00", "value": {"bpm": 61, "confidence": 2}}],
        [{"dateTime": "03/01/24 09:00:00", "value": {"demographicVO2Max": 44}}],
        [
            {
                "dateTime": "03/01/24 00:00:00",
                "value": {"date": "03/01/24", "value": 55, "error": 6},
            }
        ],
        {"csv": {"Start Time": "10-10-2010 8:09 pm", "End Time": "11-10-2010 7:08 am"}},
    ],
    "sleep-as-android": [
        {
            "record": {
                "Id": "1606734191337",
                "Tz": "Europe/London",
                "Hours": "7.5",
                "DeepSleep": "0.5",
                "LenAdjust": "0",
            },
            "events": ["LUX-1606734191338-7.0", "LIGHT_START-1606734191337"],
            "tracked": True,
        }
    ],
}


def places(
    value: object, path: tuple[object, ...] = ()
) -> Iterator[tuple[object, ...]]:
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else ()
    members = enumerate(value) if isinstance(value, list) else members
    for key, inner in members:
        yield from places(inner, (*path, key))


def damaged(payload: object) -> Iterator[object]:
    for path in places(payload):
        for junk in JUNK:
            copied = copy.deepcopy(payload)
            inner = copied
            for key in path[:-1]:
                inner = inner[key]
            if junk is MISSING:
                del inner[path[-1]]
            else:
                inner[path[-1]] = copy.deepcopy(junk)
            yield copied


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("source", PAYLOADS)
def test_damage_is_refused_by_name_and_can_be_tried_again(source, zone):
    parse = VENDORS[source].parse

    for whole in PAYLOADS[source]:
        for payload in damaged(whole):
            found = list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))
            kept = [
                reading.payload for reading in found if isinstance(reading, Refusal)
            ]

            assert found, payload
            assert all(
                normalise(reading, now_us=NOW_US)
                for reading in found
                if isinstance(reading, Measurement)
            )
            assert all(
                list(parse(loads(dumps(part)), received_at=NOW, zone=zone))
                for part in kept
            )
