import pytest

from mappings.provenance import (
    ACTIVITIES,
    PAYLOAD_SYSTEM,
    PROFILE,
    Agent,
    provenance_resource,
)

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
US_CORE_PARTICIPANT = (
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
)
CLINIC = {"reference": "Organization/1", "display": "Clinic"}
TRANSMITTER = Agent(role="transmitter", who=CLINIC)

META = {
    "id": "0abcdefghjkmn",
    "version": "1",
    "last_updated": "2026-01-06T08:00:00Z",
    "recorded": "2026-01-06T08:00:00Z",
}


def test_a_batch_says_where_it_comes_from(faults):
    provenance = provenance_resource(
        targets=["Observation/1", "Observation/2"],
        occurred="2026-01-06T08:59:00+01:00",
        activity="CREATE",
        agents=[
            Agent(role="author", who={"reference": "Device/1"}, on_behalf_of=CLINIC),
            TRANSMITTER,
            Agent(role="assembler", who={"display": "A parser"}),
        ],
        sources=[(PAYLOAD_SYSTEM, "ab" * 16)],
        policies=["https://example.org/fhir/Consent/1/_history/3"],
        profiles=[PROFILE],
        security=[{"system": "urn:example", "code": "R"}],
        **META,
    )

    assert faults(provenance, profiles=[f"{PROFILE}|7.0.0"]) == []
    assert provenance == {
        "resourceType": "Provenance",
        "id": "0abcdefghjkmn",
        "meta": {
            "versionId": "1",
            "lastUpdated": "2026-01-06T08:00:00Z",
            "profile": [PROFILE],
            "security": [{"system": "urn:example", "code": "R"}],
        },
        "target": [{"reference": "Observation/1"}, {"reference": "Observation/2"}],
        "occurredDateTime": "2026-01-06T08:59:00+01:00",
        "recorded": "2026-01-06T08:00:00Z",
        "policy": ["https://example.org/fhir/Consent/1/_history/3"],
        "activity": coded(
            "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CREATE", "create"
        ),
        "agent": [
            {
                "type": coded(PARTICIPANT, "author", "Author"),
                "who": {"reference": "Device/1"},
                "onBehalfOf": CLINIC,
            },
            {
                "type": coded(US_CORE_PARTICIPANT, "transmitter", "Transmitter"),
                "who": CLINIC,
            },
            {
                "type": coded(PARTICIPANT, "assembler", "Assembler"),
                "who": {"display": "A parser"},
            },
        ],
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"system": PAYLOAD_SYSTEM, "value": "ab" * 16}},
            }
        ],
    }


def coded(system, code, display):
    return {"coding": [{"system": system, "code": code, "display": display}]}


def test_a_device_that_acts_for_nobody_does_not_meet_the_profile(faults):
    provenance = provenance_resource(
        targets=["Observation/1"],
        agents=[Agent(role="author", who={"reference": "Device/1"}), TRANSMITTER],
        **META,
    )

    assert faults(provenance) == []
    assert any(
        "onBehalfOf" in fault for fault in faults(provenance, profiles=[PROFILE])
    )


@pytest.mark.parametrize("activity", sorted(ACTIVITIES))
def test_every_activity_meets_the_profile(faults, activity):
    provenance = provenance_resource(
        targets=["Observation/1"], agents=[TRANSMITTER], activity=activity, **META
    )

    assert faults(provenance, profiles=[PROFILE]) == []
    assert provenance["activity"]["coding"][0]["code"] == activity


def test_what_is_not_known_is_left_out(faults):
    provenance = provenance_resource(
        targets=["Observation/1"], agents=[TRANSMITTER], **META
    )

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
        provenance_resource(targets=[], agents=[TRANSMITTER], **META)
