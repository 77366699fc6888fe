from datetime import UTC

import pytest

from consent.contents import walk
from consent.facets import digest, from_json, to_json
from consent.labels import UNLABELLED, labels_of
from consent.moments import bounds
from consent.references import Deployment
from consent.signature import clinical_interval, describe, facets_of

DEPLOYMENT = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
NORMAL = labels_of(3, (), is_labelled=True)

PULSE = {
    "resourceType": "Observation",
    "id": "pulse",
    "meta": {
        "profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"],
        "tag": [{"system": "http://local", "code": "batch-7"}],
        "extension": [{"url": "x", "valueReference": {"reference": "List/l"}}],
    },
    "category": [{"coding": [{"system": "http://cat", "code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-03-10T08:00:00Z",
    "valueQuantity": {
        "value": 72,
        "unit": "/min",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    },
    "device": {"reference": "Device/ring"},
}


def described(resource, labels=NORMAL, agents=()):
    return describe(resource, labels=labels, deployment=DEPLOYMENT, agents=agents)


def test_a_heart_rate_is_described_by_its_facets_and_its_time():
    found = described({**PULSE, "meta": {}})

    at = bounds("2026-03-10T08:00:00Z", UTC)
    assert found.patient == "Patient/p1"
    assert (found.start_us, found.end_us) == at
    assert found.mentions == frozenset()
    assert found.codings == frozenset()
    facets = found.facets
    assert facets.content.type == "Observation"
    assert facets.codes.principal == {("http://loinc.org", "8867-4")}
    assert facets.codes.categories == {("http://cat", "vital-signs")}
    assert facets.codes.is_coded
    assert not facets.codes.has_others
    assert facets.origin.device == "Device/ring"
    assert not facets.origin.has_mentions
    assert facets.is_dated
    assert facets.labels == NORMAL


def test_every_other_reference_is_a_mention_wherever_it_stands():
    found = described(
        {
            **PULSE,
            "encounter": {"reference": "https://fhir.example.org/r4/Encounter/e1"},
            "focus": [
                {"reference": "Device/ring"},
                {"reference": "Device/watch/_history/2"},
            ],
            "contained": [
                {"resourceType": "List", "subject": {"reference": "Patient/p2"}}
            ],
            "extension": [{"url": "x", "valueReference": {"reference": "#c"}}],
            "performer": [{"reference": "Practitioner/dr"}],
        }
    )

    assert found.mentions == {"Encounter/e1", "Device/watch", "Patient/p2", "List/l"}
    assert found.facets.origin.has_mentions
    assert found.facets.origin.performers == {"Practitioner/dr"}


def test_every_other_coding_outside_meta_goes_to_the_index():
    component = {"system": "http://loinc.org", "code": "8480-6"}
    answer = {"system": "http://snomed.info/sct", "code": "1"}

    found = described(
        {
            **PULSE,
            "component": [
                {"code": {"coding": [component]}},
                {"code": {"coding": [component]}, "valueCoding": answer},
                {"code": {"text": "in words"}},
                "no component",
            ],
            "interpretation": [
                {"coding": [{"system": "http://cat", "code": "vital-signs"}]}
            ],
        }
    )

    assert found.codings == {("http://snomed.info/sct", "1")}
    assert found.facets.codes.has_others
    assert found.facets.codes.components == {
        frozenset({("http://loinc.org", "8480-6")}),
        frozenset(),
    }


@pytest.mark.parametrize(
    ("resource", "is_coded"),
    [
        ({"resourceType": "Observation"}, False),
        ({"resourceType": "Observation", "code": {"text": "pulse"}}, False),
        ({"resourceType": "Observation", "code": {"coding": [{"code": "x"}]}}, False),
        ({"resourceType": "Observation", "code": "pulse"}, False),
        ({"resourceType": "Condition", "code": {"text": "sad"}}, False),
        ({"resourceType": "Condition"}, True),
        ({"resourceType": "Patient"}, True),
        ({"resourceType": "ValueSet", "code": "pulse"}, True),
    ],
)
def test_a_code_in_words_only_is_no_code(resource, is_coded):
    assert described(resource).facets.codes.is_coded is is_coded


def test_authors_are_performers_actors_authors_and_agents():
    found = described(
        {
            "resourceType": "Procedure",
            "performer": [{"actor": {"reference": "Practitioner/dr"}}, "nobody"],
            "author": {"reference": "Organization/clinic"},
            "device": {"reference": "Device/ring"},
        },
        agents=["Organization/parent"],
    )

    assert found.facets.origin.performers == {"Practitioner/dr", "Organization/clinic"}
    assert found.facets.origin.agents == {"Organization/parent"}
    assert found.facets.origin.device is None
    assert found.mentions == {"Device/ring"}


def interval(**elements):
    return clinical_interval(elements, UTC)


def test_the_clinical_time_is_effective_else_issued():
    day = bounds("2026-03-10", UTC)
    moment = bounds("2026-03-11T00:00:00Z", UTC)

    assert interval(effectiveDateTime="2026-03-10", issued="2026") == (*day, True)
    assert interval(issued="2026-03-11T00:00:00Z") == (*moment, True)
    assert interval(effectiveInstant="2026-03-11T00:00:00Z") == (*moment, True)
    assert interval(
        effectivePeriod={"start": "2026-03-10", "end": "2026-03-11T00:00:00Z"}
    ) == (day[0], moment[1], True)


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"effectivePeriod": {"start": "2026"}, "issued": "2026-03-11T00:00:00Z"},
        {"effectivePeriod": {"end": "2026"}},
        {"effectivePeriod": {"start": "2026", "end": "2025"}},
        {"effectivePeriod": "2026"},
        {"effectiveTiming": {}, "issued": "2026-03-11T00:00:00Z"},
        {"effectiveDateTime": "yesterday", "issued": "2026-03-11T00:00:00Z"},
        {"meta": {"lastUpdated": "2026-03-11T00:00:00Z"}},
    ],
)
def test_what_is_open_broken_or_missing_is_undated(elements):
    assert interval(**elements) == (0, 0, False)


def test_equal_facets_are_one_object_and_one_digest():
    again = {**PULSE, "id": "other", "valueQuantity": {"value": 99}}
    one, other = described(PULSE).facets, described(again).facets

    assert one is other
    assert from_json(to_json(one)) is one
    assert digest(to_json(one)) == digest(to_json(other))
    assert len(digest(to_json(one))) == 16


@pytest.mark.parametrize(
    "change",
    [
        {"resourceType": "Condition"},
        {"meta": {}},
        {
            "meta": {
                "profile": PULSE["meta"]["profile"],
                "security": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                        "code": "42CFRPart2",
                    }
                ],
            }
        },
        {"code": {"coding": [{"system": "http://loinc.org", "code": "1"}]}},
        {"code": {"text": "x"}},
        {"component": [{"code": {"text": "x"}}]},
        {"category": []},
        {"valueCodeableConcept": {"coding": [{"system": "s", "code": "c"}]}},
        {"device": {"reference": "Device/watch"}},
        {"performer": [{"reference": "Practitioner/dr"}]},
        {
            "encounter": {"reference": "Encounter/e1"},
            "meta": {**PULSE["meta"], "extension": []},
        },
        {"effectiveDateTime": "soon"},
    ],
)
def test_each_facet_makes_another_signature(change):
    base = {**PULSE, "meta": {"profile": PULSE["meta"]["profile"]}}
    facets = described({**base, **change}).facets

    assert to_json(facets) != to_json(described(base).facets)
    assert from_json(to_json(facets)) == facets


def test_labels_and_agents_are_facets():
    base = described(PULSE).facets
    secret = labels_of(4, {"MH"}, is_labelled=True)

    assert described(PULSE, labels=secret).facets != base
    assert described(PULSE, labels=UNLABELLED).facets != base
    assert described(PULSE, agents=["Practitioner/dr"]).facets != base
    assert from_json(to_json(described(PULSE, labels=secret).facets)).labels == secret


def test_the_order_of_a_resource_changes_no_signature():
    other = dict(reversed(PULSE.items()))
    other["code"] = {
        "coding": [
            {"code": "8867-4", "system": "http://loinc.org", "display": "Heart rate"}
        ]
    }

    assert (
        facets_of(other, labels=NORMAL, deployment=DEPLOYMENT)
        is described(PULSE).facets
    )


def test_the_walk_tolerates_any_shape():
    found = walk(
        {
            "meta": "none",
            "code": ["x", {"system": 1, "code": "c"}, {"system": "s", "code": 2}],
            "reference": 5,
            "deep": [[{"reference": "A/b"}], {"reference": ["no"]}, None, True],
        }
    )

    assert found == (["A/b"], [])
    assert described({"meta": {"profile": "p", "security": "s"}}).patient is None
