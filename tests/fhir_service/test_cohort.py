import gc
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from statistics import mean
from typing import NamedTuple

import pytest

from conformance.fhir_json import loads
from conformance.issues import Severity
from conformance.validation import validate
from consent.capture import capture_issues
from consent.references import Deployment
from fhir_service.ingest import cohort, cohort_resources
from fhir_service.ingest.cohort_days import DAYS
from mappings.kinds import kinds
from mappings.measurement import Measurement, OutOfScope, Reading
from mappings.normalise import Normalised, normalise
from mappings.vendors.table import VENDORS

LAST_DAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


class Read(NamedTuple):
    patient: str
    reading: Reading
    result: object


def readings(payload: cohort.Payload) -> list[Reading]:
    vendor = VENDORS[payload.source]
    if vendor.parse_file is None:
        return list(vendor.parse(loads(payload.body), received_at=NOW))
    stream = BytesIO(payload.body)
    return list(vendor.parse_file(stream, received_at=NOW, zone=payload.zone))


def whose(payload: cohort.Payload, reading: Reading) -> str:
    """Return the patient's id as the service will find it; empty for nobody."""
    if payload.patient_id is not None:
        return payload.patient_id
    if not isinstance(reading, Measurement):
        return ""
    if reading.patient is not None:
        return reading.patient.replace("user", "patient")
    return SENSORS.get(reading.device.identifier, "")


RESOURCES = list(cohort_resources.resources(LAST_DAY))
SENSORS = {
    resource["identifier"][0]["value"]: resource["patient"]["reference"][8:]
    for resource in RESOURCES
    if resource["resourceType"] == "Device"
}


@pytest.fixture(scope="module")
def everything() -> list[Read]:
    # A hundred thousand objects that stay: collecting them again and again is slow.
    gc.disable()
    try:
        return [
            Read(whose(payload, reading), reading, stored(reading))
            for payload in cohort.payloads(LAST_DAY)
            for reading in readings(payload)
        ]
    finally:
        gc.enable()


def stored(reading: Reading) -> object:
    if isinstance(reading, Measurement):
        return normalise(reading, now_us=NOW_US)
    return reading


def test_the_same_day_gives_the_same_bytes_and_another_day_others():
    def first(last_day: date) -> str:
        return sha256(next(cohort.payloads(last_day)).body).hexdigest()

    assert first(LAST_DAY) == first(LAST_DAY)
    assert first(LAST_DAY) != first(LAST_DAY - timedelta(days=1))


def test_the_cohort_is_twelve_patients_of_ninety_days(everything):
    days = {
        (read.patient, read.reading.start[:10])
        for read in everything
        if isinstance(read.result, Normalised)
        and read.reading.kind == "resting-heart-rate"
    }

    assert len(cohort.PEOPLE) == 12
    assert DAYS == 90
    assert Counter(patient for patient, _ in days) == {
        person.patient_id: 90 for person in cohort.PEOPLE
    }
    assert max(day for _, day in days) == f"{LAST_DAY}"


def test_no_patient_has_more_than_250_readings_a_day(everything):
    days = Counter(
        (read.patient, read.reading.start[:10])
        for read in everything
        if isinstance(read.result, Normalised)
    )

    assert 100 < max(days.values()) <= 250


def test_what_is_not_stored_is_what_was_meant_not_to_be(everything):
    reasons = Counter(
        str(read.result.reason)
        for read in everything
        if not isinstance(read.result, Normalised | OutOfScope)
    )

    assert reasons.keys() == {
        "impossible",
        "invalid-value",
        "no-offset",
        "no-time",
        "unknown-kind",
        "unknown-unit",
    }
    assert sum(reasons.values()) < 200


def test_nothing_of_the_cohort_is_implausible(everything):
    flagged = {
        read.reading.kind
        for read in everything
        if isinstance(read.result, Normalised)
        and (read.result.implausible or any(p.implausible for p in read.result.parts))
    }

    assert flagged == set()


def test_all_that_the_demonstration_shows_is_there(everything):
    found = {read.result.kind.name for read in everything if _is_stored(read)}

    assert found >= {
        "active-energy",
        "battery-level",
        "body-temperature",
        "heart-rate",
        "hrv-sdnn",
        "illuminance",
        "noise-level",
        "occupancy",
        "oxygen-saturation",
        "relative-humidity",
        "respiratory-rate",
        "resting-heart-rate",
        "room-temperature",
        "sleep-session",
        "steps",
    }


def _is_stored(read: Read) -> bool:
    return isinstance(read.result, Normalised)


def asleep_minutes(reading: Measurement) -> int:
    [total] = [c for c in reading.components if c.kind == "sleep-duration"]
    return int(total.value) // {"s": 60, "min": 1}[total.unit]


def before_and_after(everything: list[Read], number: int, kind: str) -> list[float]:
    """Return the mean of the first 60 days and of the last 14."""
    edge = f"{LAST_DAY - timedelta(days=14)}"
    start = f"{LAST_DAY - timedelta(days=30)}"
    told = [
        (
            read.reading.end[:10],
            asleep_minutes(read.reading)
            if kind == "sleep-session"
            else int(read.reading.value),
        )
        for read in everything
        if _is_stored(read)
        and read.patient == f"demo-patient-{number:02}"
        and read.reading.kind == kind
    ]
    return [
        mean(value for day, value in told if day < start),
        mean(value for day, value in told if day > edge),
    ]


def test_some_patients_change_and_the_others_do_not(everything):
    sleepless = before_and_after(everything, 3, "sleep-session")
    steady = before_and_after(everything, 1, "sleep-session")
    rising = before_and_after(everything, 9, "resting-heart-rate")
    level = before_and_after(everything, 7, "resting-heart-rate")

    assert sleepless[0] - sleepless[1] > 90
    assert abs(steady[0] - steady[1]) < 30
    assert rising[1] - rising[0] > 6
    assert abs(level[1] - level[0]) < 2


def test_a_sensor_that_nobody_registered_is_among_the_messages(everything):
    nobody = [read for read in everything if read.patient == "" and _is_stored(read)]

    assert {read.reading.device.identifier for read in nobody} == {"Sensor of nobody"}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r["id"])
def test_every_resource_is_valid(resource):
    errors = [issue for issue in validate(resource) if issue.severity is Severity.ERROR]

    assert errors == []


def test_every_resource_comes_after_what_it_refers_to():
    known: set[str] = set()
    for resource in RESOURCES:
        missing = set(_references(resource)) - known
        assert missing == set(), resource["id"]
        known.add(f"{resource['resourceType']}/{resource['id']}")


def _references(node: object) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in _references(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("reference")
    below = [found for item in node.values() for found in _references(item)]
    return [own, *below] if isinstance(own, str) else below


def consents() -> dict[int, dict[str, object]]:
    return {
        int(resource["id"][-2:]): resource
        for resource in RESOURCES
        if resource["resourceType"] == "Consent"
    }


@pytest.mark.parametrize("number", consents())
def test_every_consent_can_be_captured(number):
    deployment = Deployment(zone=UTC)

    assert capture_issues(consents()[number], deployment=deployment) == []


def test_one_patient_has_no_consent_and_one_has_an_expired_one():
    expired = consents()[cohort_resources.EXPIRED]["provision"]["period"]["end"]

    assert set(range(1, 13)) - consents().keys() == {cohort_resources.WITHOUT_CONSENT}
    assert expired < f"{LAST_DAY}"


def test_one_patient_denies_every_code_of_sleep_and_no_other():
    provision = consents()[cohort_resources.DENIES_SLEEP]["provision"]

    [nested] = provision["provision"]
    denied = {(c["system"], c["code"]) for e in nested["code"] for c in e["coding"]}

    assert nested["type"] == "deny"
    assert denied == {
        (coding.system, coding.code)
        for kind in kinds().values()
        if kind.data_class == "sleep"
        for coding in kind.codings
    }
