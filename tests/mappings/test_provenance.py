import pytest

from mappings.kinds import Coding
from mappings.provenance import PAYLOAD_SYSTEM, provenance_resource

META = {
    "id": "0abcdefghjkmn",
    "version": "1",
    "last_updated": "2026-01-06T08:00:00Z",
    "recorded": "2026-01-06T08:00:00Z",
    "assembler": "Device/service",
}


def test_a_batch_says_where_it_comes_from(faults):
    provenance = provenance_resource(
        targets=["Observation/1", "Observation/2"],
        occurred="2026-01-06T08:59:00+01:00",
        author="Device/1",
        enterer="Patient/1",
        custodian="Organization/1",
        sources=[(PAYLOAD_SYSTEM, "ab" * 32)],
        policies=["https://example.org/fhir/Consent/1/_history/3"],
        security=[Coding("urn:example", "R", "restricted")],
        **META,
    )

    assert faults(provenance) == []
    assert [one["reference"] for one in provenance["target"]] == [
        "Observation/1",
        "Observation/2",
    ]
    assert {
        agent["type"]["coding"][0]["code"]: agent["who"]["reference"]
        for agent in provenance["agent"]
    } == {
        "assembler": "Device/service",
        "author": "Device/1",
        "enterer": "Patient/1",
        "custodian": "Organization/1",
    }
    assert provenance["entity"] == [
        {
            "role": "source",
            "what": {"identifier": {"system": PAYLOAD_SYSTEM, "value": "ab" * 32}},
        }
    ]
    assert provenance["policy"] == ["https://example.org/fhir/Consent/1/_history/3"]
    assert provenance["occurredDateTime"] == "2026-01-06T08:59:00+01:00"


def test_what_is_not_known_is_left_out(faults):
    provenance = provenance_resource(targets=["Observation/1"], occurred=None, **META)

    assert faults(provenance) == []
    assert list(provenance) == [
        "resourceType",
        "id",
        "meta",
        "target",
        "recorded",
        "agent",
    ]


def test_a_provenance_without_target_is_refused():
    with pytest.raises(ValueError, match="target"):
        provenance_resource(targets=[], occurred=None, **META)
