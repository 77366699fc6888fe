"""Who belongs to whom, as stored resources say it."""

from datetime import UTC, datetime

import pytest

from consent.membership import Names, boundaries, memberships, spread
from consent.moments import Interval
from consent.references import Deployment
from consent.request import AccessRequest
from consent.request_selectors import Actor, Kind

PLACE = Deployment(zone=UTC, own_bases=("https://our.example/fhir",))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(*when):
    return int((datetime(*when, tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000


MAY, JULY = us(2026, 5, 10), us(2026, 7, 10)


def names(start, *resources, at=MAY):
    """Return what somebody is called certainly, and possibly besides."""
    told = [one for resource in resources for one in memberships(resource, PLACE)]
    found = spread(Names(frozenset(start), frozenset()), told, at)
    return set(found.certain) - set(start), set(found.possible)


def to(reference, **more):
    return {"reference": reference, **more}


def group(*members, id_="g", **more):
    return {
        "resourceType": "Group",
        "id": id_,
        "actual": True,
        "type": "practitioner",
        "member": list(members),
        **more,
    }


def team(*participants, id_="t", **more):
    return {
        "resourceType": "CareTeam",
        "id": id_,
        "status": "active",
        "participant": list(participants),
        **more,
    }


def role(**more):
    return {
        "resourceType": "PractitionerRole",
        "id": "r",
        "practitioner": to("Practitioner/dr"),
        "organization": to("Organization/o"),
        "healthcareService": [to("HealthcareService/s")],
        **more,
    }


DR = {"entity": to("Practitioner/dr")}


@pytest.mark.parametrize(
    "member",
    [
        DR,
        {"entity": to("https://our.example/fhir/Practitioner/dr")},
        {"entity": to("Practitioner/dr/_history/3")},
        {"entity": to("Practitioner/dr"), "inactive": False},
        {"entity": to("Practitioner/dr"), "period": {"start": "2026-05"}},
        {"entity": to("Practitioner/dr"), "period": {"end": "2026-05-10"}},
    ],
)
def test_a_member_of_a_group_is_asked_for_under_its_name(member):
    assert names(["Practitioner/dr"], group(member)) == ({"Group/g"}, set())


@pytest.mark.parametrize(
    "made",
    [
        group({**DR, "inactive": True}),
        group({**DR, "period": {"start": "2026-06"}}),
        group({**DR, "period": {"end": "2026-05-09"}}),
        group(DR, active=False),
        group(DR, actual=False),
        team({"onBehalfOf": to("Practitioner/dr"), "member": to("Practitioner/x")}),
        team({"member": to("Practitioner/dr"), "period": {"start": "2026-06"}}),
        team({"member": to("Practitioner/dr")}, period={"end": "2026-04"}),
        team({"member": to("Practitioner/dr")}, status="suspended"),
        team({"member": to("Practitioner/dr")}, status="entered-in-error"),
        role(active=False),
        role(period={"end": "2026-05-09"}),
    ],
)
def test_who_is_no_member_at_the_time_gains_no_name(made):
    assert names(["Practitioner/dr"], made) == (set(), set())


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (team({"member": to("Practitioner/dr")}, status=None), "CareTeam/t"),
        (team({"role": [{"text": "nurse"}]}), "CareTeam/t"),
        (group({"entity": to("https://elsewhere.example/Practitioner/1")}), "Group/g"),
        (group({**DR, "period": {"start": "2026-06", "end": "2026-01"}}), "Group/g"),
        (
            {
                "resourceType": "HealthcareService",
                "id": "s",
                "providedBy": to("Practitioner/dr"),
            },
            "HealthcareService/s",
        ),
    ],
)
def test_what_is_not_certain_is_possible(made, name):
    made = {key: value for key, value in made.items() if value is not None}

    assert names(["Practitioner/dr"], made) == (set(), {name})


def test_a_role_brings_its_organization_and_services_to_its_practitioner_alone():
    whole = {
        "resourceType": "Organization",
        "id": "o",
        "partOf": to("Organization/whole"),
    }
    brought = {
        "PractitionerRole/r",
        "Organization/o",
        "Organization/whole",
        "HealthcareService/s",
    }

    assert names(["Practitioner/dr"], role(), whole) == (brought, set())
    assert names(["Organization/o"], role(), whole) == ({"Organization/whole"}, set())
    assert names(["PractitionerRole/r"], role(), whole) == (
        brought - {"PractitionerRole/r"},
        set(),
    )


def test_membership_goes_on_through_groups_and_stops_at_a_cycle():
    inner = group(DR, {"entity": to("Group/outer")}, id_="inner")
    outer = group({"entity": to("Group/inner")}, id_="outer")

    assert names(["Practitioner/dr"], outer, inner) == (
        {"Group/inner", "Group/outer"},
        set(),
    )


def test_what_follows_from_the_possible_is_possible():
    nested = team({"member": to("CareTeam/t")}, id_="outer")
    uncertain = {
        key: value
        for key, value in team({"member": to("Practitioner/dr")}).items()
        if key != "status"
    }

    assert names(["Practitioner/dr"], nested, uncertain) == (
        set(),
        {"CareTeam/t", "CareTeam/outer"},
    )


def test_a_permit_relies_on_identifiers_of_organizations_alone():
    number = {"system": "urn:npi", "value": "1"}
    organization = {
        "resourceType": "Organization",
        "id": "o",
        "identifier": [number, {"system": "urn:npi"}, {"value": "2"}],
    }

    assert names(["Organization/o"], organization) == ({"urn:npi|1"}, set())
    assert names(["Practitioner/dr"], group(DR, identifier=[number])) == (
        {"Group/g"},
        {"urn:npi|1"},
    )


def test_no_resource_takes_the_name_of_a_client():
    system = "https://fhir-interop-service.org/fhir/sid/client"
    organization = {
        "resourceType": "Organization",
        "id": "o",
        "identifier": [{"system": system, "value": "other"}],
    }

    assert names(["Organization/o"], organization) == (set(), set())


def test_a_member_may_be_named_by_its_identifier():
    member = {"entity": {"identifier": {"system": "urn:npi", "value": "1"}}}

    assert names(["urn:npi|1"], group(member)) == ({"Group/g"}, set())
    assert names(["urn:npi|2"], group(member)) == (set(), set())


def test_the_bounds_of_memberships_are_when_they_change():
    made = group(
        {**DR, "period": {"start": "2026-06-01", "end": "2026-06-30"}},
        {**DR, "period": {"start": "2026-08-01"}},
    )
    told = memberships(made, PLACE)

    assert boundaries(told, MAY) == (None, us(2026, 6, 1))
    assert boundaries(told, us(2026, 6, 1)) == (us(2026, 6, 1), us(2026, 7, 1))
    assert boundaries(told, JULY) == (us(2026, 7, 1), us(2026, 8, 1))
    assert boundaries(told, us(2026, 8, 2)) == (us(2026, 8, 1), None)


def test_a_membership_within_two_periods_is_within_both():
    made = team(
        {"member": to("Practitioner/dr"), "period": {"start": "2026-05-01"}},
        period={"start": "2026-01-01", "end": "2026-06-30"},
    )

    [one] = memberships(made, PLACE)

    assert one.during == Interval(us(2026, 5, 1), us(2026, 7, 1) - 1)


@pytest.mark.parametrize(
    ("kind", "certain", "possible", "matches"),
    [
        (Kind.PERMIT, {"Group/g"}, set(), True),
        (Kind.DENY, {"Group/g"}, set(), True),
        (Kind.PERMIT, set(), {"Group/g"}, None),
        (Kind.DENY, set(), {"Group/g"}, None),
        (Kind.PERMIT, set(), {"Group/other"}, False),
        (Kind.DENY, set(), {"Group/other"}, False),
    ],
)
def test_a_possible_name_is_unknown_to_a_selector(kind, certain, possible, matches):
    request = AccessRequest(
        actors=frozenset(certain),
        possible=frozenset(possible),
        individual_known=True,
        purposes=(),
        actions=("access",),
        btg_attested=False,
        at_us=0,
    )
    named = Actor(names=frozenset({"Group/g"}), may_be_person=False)

    assert named.matches(request, kind) is matches
