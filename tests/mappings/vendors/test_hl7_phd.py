import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.fhir_json import loads
from mappings.measurement import OutOfScope, Reason, Refusal
from mappings.vendors.hl7_phd import parts as module
from mappings.vendors.hl7_phd.parts import SYSTEM, Part, parts, pointed

SAMPLES = (
    Path(__file__).parents[3].parent
    / "shared"
    / "data"
    / "payloads"
    / "hl7-phd-examples"
)
SCHEMA = loads((Path(module.__file__).parent / "payload.schema.json").read_bytes())

READING = {
    "resourceType": "Observation",
    "id": "reading-1",
    "meta": {"versionId": "3", "lastUpdated": "2025-01-15T08:00:00Z"},
    "status": "final",
    "code": {"text": "a reading"},
    "subject": {"reference": "Patient/p"},
    "device": {"reference": "Device/d"},
}
DEVICE = {
    "resourceType": "Device",
    "id": "d",
    "identifier": [
        {"system": "http://hl7.org/fhir/sid/eui-48/bluetooth", "value": "00-01"},
        {"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": "74-E8"},
    ],
}


def bundle(*entries):
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def test_a_resource_loses_what_the_service_sets_and_keeps_its_names():
    [part] = parts(bundle({"fullUrl": "urn:oid:1.2", "resource": READING}))

    kept = {n: v for n, v in READING.items() if n not in ("id", "meta")}
    assert part._replace(identity="") == Part(
        position="$.entry[0].resource",
        resource=kept,
        names=("urn:oid:1.2", "Observation/reading-1"),
        identity="",
        patients=frozenset({"Patient/p"}),
        kept={"fullUrl": "urn:oid:1.2", "resource": READING},
    )


def test_a_device_is_known_by_its_system_identifier():
    [part] = parts(DEVICE)

    assert part.identity == (
        "Device identifier urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680|74-E8"
    )


def test_without_an_identifier_the_content_is_the_identity():
    other_id = READING | {"id": "reading-2"}
    other_content = READING | {"status": "amended"}

    one, same, other = parts([READING, other_id, other_content])

    assert one.identity == same.identity
    assert one.identity != other.identity


def test_devices_and_time_stamps_come_before_what_refers_to_them():
    stamp = READING | {"subject": {"reference": "Device/d"}}
    metric = {
        "resourceType": "DeviceMetric",
        "type": {"text": "a metric"},
        "category": "measurement",
        "source": {"reference": "Device/d"},
    }

    found = parts([READING, stamp, metric, DEVICE])

    assert [one.position for one in found] == ["$[3]", "$[2]", "$[1]", "$[0]"]


def test_a_reference_leads_to_what_is_stored_or_says_what_the_sender_called_it():
    resource = {
        "subject": {"reference": "Patient/p", "display": "somebody"},
        "device": {"reference": "Device/d"},
        "focus": [{"reference": "urn:uuid:1"}, {"reference": "#here"}],
        "basedOn": [{"reference": "https://elsewhere.example/CarePlan/1"}],
    }

    found = pointed(resource, {"Patient/p": "Patient/ours"}.get)

    assert found == {
        "subject": {"reference": "Patient/ours", "display": "somebody"},
        "device": {
            "type": "Device",
            "identifier": {"system": SYSTEM, "value": "Device/d"},
        },
        "focus": [
            {"identifier": {"system": SYSTEM, "value": "urn:uuid:1"}},
            {"reference": "#here"},
        ],
        "basedOn": [{"reference": "https://elsewhere.example/CarePlan/1"}],
    }


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"resource": {"resourceType": "Patient"}}, OutOfScope("$", "patient")),
        (3, Reason.MALFORMED),
        ({}, Reason.MALFORMED),
        ({"resource": READING, "request": {"method": "DELETE"}}, Reason.MALFORMED),
        ({"resource": READING, "request": {"method": []}}, Reason.MALFORMED),
        ({"resource": READING | {"status": "done"}}, Reason.MALFORMED),
        ({"resource": {"resourceType": "Basic"}}, Reason.UNKNOWN_KIND),
    ],
)
def test_what_is_no_resource_of_the_guide_is_counted_or_refused(entry, expected):
    [found] = parts(bundle(entry))

    if isinstance(found, Refusal):
        assert found.reason == expected
    else:
        assert found.what == expected.what


def test_a_refusal_names_the_element_and_no_value():
    [refusal] = parts(READING | {"status": "secret-value"})

    assert refusal.detail == "Observation.status is not valid."


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda p: p.name)
def test_every_example_of_the_guide_is_understood_and_taken_by_the_schema(path):
    payload = loads(path.read_bytes())

    found = parts(payload)

    assert list(Draft202012Validator(SCHEMA).iter_errors(payload)) == []
    assert not [one for one in found if isinstance(one, Refusal)]
    assert len(found) == len(json.loads(path.read_bytes()).get("entry", [0]))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["Bundle", "Observation", "Device", "Patient", "POST"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*READING, "entry", "resource", "request", "method"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_taken_apart_and_never_raises(payload):
    assert all(isinstance(one, Part | Refusal | OutOfScope) for one in parts(payload))


ELEMENTS = sorted({*READING, "identifier", "extension", "component"} - {"resourceType"})


@given(st.dictionaries(st.sampled_from(ELEMENTS), JSON))
def test_any_observation_is_taken_apart_and_never_raises(change):
    assert len(parts(READING | change)) == 1
