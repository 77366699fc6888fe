import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import mappings.vendors
from conformance.fhir_json import dumps, loads
from mappings.kinds import ValueType, kinds
from mappings.measurement import Measurement, Refusal
from mappings.normalise import normalise
from mappings.vendors.apple_health import sdk, sleep
from mappings.vendors.apple_health import types as apple
from mappings.vendors.awair import tables as awair
from mappings.vendors.matter import attributes as matter
from mappings.vendors.matter import clusters
from mappings.vendors.netatmo import tables as netatmo
from mappings.vendors.open_mhealth import episodes, granola, measures
from mappings.vendors.table import VENDORS
from mappings.vendors.zigbee2mqtt import properties

FOLDER = Path(mappings.vendors.__file__).parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = "2025-01-15T09:00:00+01:00"
AT_US = 1736928000000000


def folder_of(source: str) -> Path:
    return FOLDER / source.replace("-", "_")


def schema_of(source: str) -> object:
    return loads((folder_of(source) / "payload.schema.json").read_bytes())


@pytest.mark.parametrize("source", VENDORS)
def test_every_vendor_has_its_page_and_its_schema(source):
    readme = (folder_of(source) / "README.md").read_text(encoding="utf-8")

    Draft202012Validator.check_schema(schema_of(source))
    for heading in ("Units", "Times", "Device", "Never stored", "Seen"):
        assert re.search(rf"^## .*{heading}", readme, re.MULTILINE), heading
    assert VENDORS[source].title in readme


@pytest.mark.parametrize("source", VENDORS)
def test_every_vendor_is_found_by_its_name(source):
    vendor = VENDORS[source]

    assert vendor.source == source
    assert vendor.parser == f"{source}/{vendor.version}"
    assert vendor.system.endswith(f"/sid/{source}")
    assert vendor.media_types or vendor.parse_file


@pytest.mark.parametrize("source", VENDORS)
def test_no_vendor_reads_another(source):
    others = {folder_of(other).name for other in VENDORS} - {folder_of(source).name}

    text = "".join(
        path.read_text(encoding="utf-8") for path in folder_of(source).glob("*.py")
    )

    assert not [name for name in others if f"mappings.vendors.{name}." in text]


def mapped() -> list[tuple[str, str, str]]:
    """Return (where, kind, unit) for everything that the vendors' tables name."""
    pairs = [
        (f"open-mhealth {measure.schema}", measure.kind, unit)
        for measure in measures.MEASURES
        for unit in measure.units.values()
    ]
    pairs += [
        ("open-mhealth part", kind, unit)
        for parts in (
            episodes.BLOOD_PRESSURE_PARTS,
            episodes.SLEEP_PARTS,
            episodes.ACTIVITY_PARTS,
        )
        for kind, units in parts.values()
        for unit in units.values()
    ]
    pairs += [("granola", kind, unit) for kind, unit in granola.COUNTS.values()]
    pairs += [
        (f"zigbee2mqtt {name}", *pair) for name, pair in properties.QUANTITIES.items()
    ]
    quantities = apple.QUANTITIES | apple.BLOOD_PRESSURE
    pairs += [
        (f"apple-health {name}", quantity.kind, unit)
        for name, quantity in quantities.items()
        for unit in quantity.units.values()
    ]
    pairs += [
        ("apple-health workout", kind, unit)
        for kind, _, units in apple.TOTALS.values()
        for unit in units.values()
    ]
    pairs += [
        (f"apple-health {name}", quantity.kind, unit)
        for name, quantity in (sdk.TYPES | sdk.HALVES).items()
        for unit in quantity.units.values()
    ]
    pairs += [
        (f"awair {name}", sensor.kind, sensor.unit)
        for name, sensor in awair.SENSORS.items()
    ]
    pairs += [
        (f"netatmo {name}", *pair)
        for name, pair in (netatmo.QUANTITIES | netatmo.HEALTH).items()
    ]
    pairs += [
        (f"matter {cluster}", reads.kind, reads.unit)
        for cluster, attributes in clusters.NUMBERS.items()
        for reads in attributes.values()
    ]
    return sorted(set(pairs))


@pytest.mark.parametrize(("where", "kind", "unit"), mapped())
def test_every_unit_that_a_vendor_sends_can_be_stored_in_its_kind(where, kind, unit):
    row = kinds()[kind]
    middle = {"glucose-moles": 5}.get(kind, 50)
    reading = Measurement(kind, middle, unit, AT, AT_US, AT, AT_US, where)

    result = normalise(reading, now_us=AT_US)

    assert row.value is ValueType.QUANTITY
    # 50 of some units is no possible value; it must never be the unit's fault.
    assert not (
        isinstance(result, Refusal) and result.reason in {"unknown-unit", "no-unit"}
    )


def test_every_schema_has_at_least_one_unit():
    assert not [m.schema for m in measures.MEASURES if not m.units]
    assert not [name for name, q in apple.QUANTITIES.items() if not q.units]


def named_kinds() -> set[str]:
    return {
        *measures.STATISTICS.values(),
        *measures.AT_REST.values(),
        *measures.GLUCOSE_KINDS.values(),
        *(kind for kind, _ in granola.KINDS.values()),
        *(kind for kind, _ in granola.STAGES.values()),
        *(kind for kind, _, _ in properties.STATES.values()),
        *properties.NO_UNIT.values(),
        *(kind for kind, _ in matter.READS.values()),
        *(stage.total for stage in sleep.STAGES.values()),
        *(
            kind
            for statistics in apple.STATISTICS.values()
            for kind, _ in statistics.values()
        ),
    }


def test_every_kind_that_a_vendor_names_exists():
    assert named_kinds() <= kinds().keys()


def test_every_code_that_a_vendor_names_is_one_of_its_kind():
    stages = {stage.code for stage in sleep.STAGES.values()} | {"unknown"}
    stages |= {code for _, code in granola.STAGES.values()}
    coded = [("sleep-stage", code) for code in stages]
    coded += [
        (kind, code)
        for kind, true, false in properties.STATES.values()
        for code in (true, false)
    ]

    unknown = [
        (kind, code)
        for kind, code in coded
        if code not in (kinds()[kind].values or {"true", "false"})
    ]

    assert unknown == []


def test_every_part_of_a_session_is_a_component_of_its_kind():
    session, workout = kinds()["sleep-session"], kinds()["workout"]
    parts = {kind for kind, _ in episodes.SLEEP_PARTS.values()}
    parts |= {*sleep.TOTALS, "sleep-duration", "awakenings", "main-sleep"}
    done = {kind for kind, _ in episodes.ACTIVITY_PARTS.values()}
    done |= {kind for kind, _, _ in apple.TOTALS.values()}

    assert parts <= set(session.components)
    assert done <= set(workout.components)


def test_no_name_is_both_stored_and_out_of_scope():
    stored = {*properties.QUANTITIES, *properties.STATES, *properties.NO_UNIT}

    assert not stored & properties.OUT_OF_SCOPE.keys()
    assert not properties.ENVELOPE & (stored | properties.OUT_OF_SCOPE.keys())
    assert (
        not {apple.QUANTITY + name for name in apple.QUANTITIES}
        & apple.TYPES_OUT_OF_SCOPE.keys()
    )


ACCEPTED = {
    "health-connect": {
        "records": [
            {"startTime": AT, "endTime": AT, "energy": {"inKilocalories": 15}},
            {"recordType": "Weight", "time": AT, "weight": {"inKilograms": 72}},
        ]
    },
    "google-health": {
        "dataPoints": [
            {
                "steps": {
                    "count": "93",
                    "interval": {
                        "startTime": "2025-01-15T08:00:00Z",
                        "startUtcOffset": "3600s",
                        "endTime": "2025-01-15T08:15:00Z",
                        "endUtcOffset": "3600s",
                    },
                }
            }
        ]
    },
    "google-fit": {
        "dataSourceId": "raw:com.google.weight:app:user_input",
        "point": [
            {
                "dataTypeName": "com.google.weight",
                "startTimeNanos": "1736928000000000000",
                "endTimeNanos": "1736928000000000000",
                "value": [{"fpVal": 72}],
            }
        ],
    },
    "fitbit": {
        "activities": [
            {"logId": 1, "activityName": "Walk", "startTime": AT, "duration": 60000}
        ]
    },
    "sleep-as-android": {
        "record": {"Id": "1736928000000", "Tz": "Europe/Berlin", "Hours": "7.5"},
        "events": [],
        "tracked": True,
    },
    "garmin": {
        "epochs": [
            {
                "userId": "u1",
                "summaryId": "s1",
                "startTimeInSeconds": 1736928000,
                "startTimeOffsetInSeconds": 3600,
                "durationInSeconds": 900,
                "steps": 93,
            }
        ]
    },
    "garmin-connect": {
        "dateWeightList": [
            {
                "samplePk": 1,
                "date": 1736931600000,
                "timestampGMT": 1736928000000,
                "weight": 59720,
            }
        ]
    },
    "fit": {
        "message": "weight_scale",
        "values": {"timestamp": 1105862400, "weight": 76},
        "offset_minutes": None,
        "identifier": "1-2",
        "wearers": 0,
    },
    "withings": {
        "status": 0,
        "body": {
            "measuregrps": [
                {
                    "grpid": 1,
                    "attrib": 0,
                    "category": 1,
                    "date": 1736931600,
                    "measures": [{"value": 74126, "type": 1, "unit": -3}],
                }
            ]
        },
    },
    "oura": {
        "data_type": "heartrate",
        "data": [{"bpm": 61, "source": "awake", "timestamp": AT}],
    },
    "whoop": {
        "records": [
            {
                "id": 1,
                "start": AT,
                "end": AT,
                "score_state": "SCORED",
                "score": {"strain": 7, "average_heart_rate": 61},
            }
        ]
    },
    "ihealth": {
        "BODataList": [
            {"DataID": "1", "BO": 97, "MDate": 1736931600, "TimeZone": "+0100"}
        ]
    },
    "open-mhealth": [
        {
            "header": {
                "id": "1",
                "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2"},
            },
            "body": {
                "heart_rate": {"value": 61, "unit": "beats/min"},
                "effective_time_frame": {"date_time": AT},
            },
        }
    ],
    "zigbee2mqtt": {
        "topic": "zigbee2mqtt/Bed",
        "payload": {"last_seen": 1736928000123, "humidity": 44},
    },
    "matter": [
        {
            "attribute_path": "1/1026/0",
            "value": 2150,
            "unique_id": "unit-1",
            "read_at": AT,
        },
    ],
    "netatmo": {
        "body": {
            "devices": [
                {
                    "_id": "00:00:5e:00:53:01",
                    "type": "NHC",
                    "dashboard_data": {"time_utc": 1736928000, "Humidity": 44},
                }
            ]
        },
        "status": "ok",
    },
    "awair": {
        "request": "GET /air-data/latest",
        "status": 200,
        "body": {"timestamp": AT, "humid": 44},
        "device_uuid": "awair-element_9",
    },
    "home-assistant": {
        "topic": "home-7/sensor/bedroom/state",
        "payload": "44",
        "received_at": AT,
        "device_class": "humidity",
        "unit_of_measurement": "%",
    },
    "apple-health": {
        "element": "Record",
        "attributes": {
            "type": "HKQuantityTypeIdentifierHeartRate",
            "unit": "count/min",
            "value": "61",
            "startDate": "2025-01-15 09:00:00 +0100",
            "endDate": "2025-01-15 09:00:00 +0100",
        },
        "metadata": {},
    },
}

REFUSED = {
    "health-connect": {"records": [{"weight": 72}]},
    "google-health": {"dataPoints": [{"steps": {"interval": {"startTime": AT}}}]},
    "google-fit": {"point": [{"value": [{"fpVal": 72}]}]},
    "fitbit": {"activities": {"logId": 1}},
    "sleep-as-android": {"events": []},
    "garmin": {"epochs": [{"startTimeInSeconds": "soon"}]},
    "garmin-connect": {"weight": 59720},
    "fit": {"message": "record", "values": {}},
    "withings": {"body": {"measuregrps": [{"measures": [{"type": 1}]}]}},
    "oura": {"data": [{"bpm": 61, "timestamp": "soon"}]},
    "whoop": {"records": [{"start": AT, "score_state": "DONE"}]},
    "ihealth": {"BODataList": [{"BO": 97, "MDate": 1736931600, "TimeZone": "here"}]},
    "open-mhealth": {
        "heart_rate": {"value": "61", "unit": "beats/min"},
        "effective_time_frame": {"date_time": AT},
    },
    "zigbee2mqtt": {
        "topic": "zigbee2mqtt/Bed",
        "payload": {"last_seen": "soon", "humidity": 44},
    },
    "matter": {"topic": "matter/7", "payload": {}, "received_at": "soon"},
    "netatmo": {"body": {"devices": [{"_id": 7, "type": "NHC"}]}},
    "awair": {"request": "GET /air-data/latest", "status": "200"},
    "home-assistant": {"topic": "home-7/sensor/bedroom/state"},
    "apple-health": {"element": "Record", "attributes": {"sourceName": "x"}},
}


@pytest.mark.parametrize("source", VENDORS)
def test_the_schema_takes_what_the_parser_takes(source):
    payload = ACCEPTED[source]

    validator = Draft202012Validator(schema_of(source))
    found = list(VENDORS[source].parse(loads(dumps(payload)), received_at=NOW))

    assert list(validator.iter_errors(payload)) == []
    assert {type(reading) for reading in found} == {Measurement}


@pytest.mark.parametrize("source", VENDORS)
def test_the_schema_refuses_what_is_wrong(source):
    validator = Draft202012Validator(schema_of(source))

    assert not validator.is_valid(REFUSED[source])
