from datetime import UTC

import pytest

from consent.authors import authors_by_target, authorship, organizations
from consent.moments import bounds
from consent.references import Deployment

PLACE = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
IN_MARCH = bounds("2026-03-10", UTC)[0]
IN_JULY = bounds("2026-07-10", UTC)[0]


def to(reference):
    return {"reference": reference}


PROVENANCE = {
    "resourceType": "Provenance",
    "id": "pr",
    "recorded": "2026-03-10T00:00:00Z",
    "target": [to("Observation/a/_history/2"), {"display": "b"}],
    "agent": [
        {"who": to("https://fhir.example.org/r4/Practitioner/ann")},
        {"who": {"display": "somebody"}, "onBehalfOf": to("Organization/ward")},
    ],
}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "r",
    "practitioner": to("Practitioner/ann"),
    "organization": to("Organization/lab"),
    "period": {"start": "2026-01-01", "end": "2026-06-30"},
}
OWNED = {"resourceType": "Device", "id": "d", "owner": to("Organization/owner")}


def test_a_provenance_names_agents_and_on_whose_behalf():
    said = authorship(PROVENANCE, PLACE)

    assert said.agents == {"Practitioner/ann", "Organization/ward"}
    assert said.targets == {"Observation/a"}
    assert said.at_us == IN_MARCH


@pytest.mark.parametrize(
    "broken", [{}, {"agent": "x", "target": 1}, {"agent": ["x"], "recorded": "soon"}]
)
def test_a_provenance_of_any_shape_is_read(broken):
    said = authorship({"resourceType": "Provenance", **broken}, PLACE)

    assert said == (frozenset(), frozenset(), None)


@pytest.mark.parametrize(
    ("names", "at_us", "found"),
    [
        ({"Practitioner/ann"}, IN_MARCH, {"Organization/lab"}),
        ({"Practitioner/ann"}, IN_JULY, set()),
        ({"PractitionerRole/r"}, IN_MARCH, {"Organization/lab"}),
        ({"Practitioner/bob"}, IN_MARCH, set()),
        ({"Device/d"}, IN_JULY, {"Organization/owner"}),
        ({"Organization/self"}, IN_JULY, {"Organization/self"}),
    ],
)
def test_an_author_belongs_to_organizations_at_a_time(names, at_us, found):
    told = [ROLE, OWNED, PROVENANCE]

    assert organizations(frozenset(names), told, PLACE, at_us) == found


def test_the_authors_of_a_target_are_those_of_the_time_it_tells():
    found = authors_by_target([PROVENANCE, ROLE], PLACE, IN_JULY)

    assert found == {
        "Observation/a": {"Practitioner/ann", "Organization/ward", "Organization/lab"}
    }
