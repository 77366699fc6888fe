"""What $evaluate counts is what the requester's own searches count, drafted and filed.

Random small consents over a patient with rows of several kinds, dates and labels.
"""

from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import (
    LOINC,
    RESTING,
    STEPS,
    actions,
    actor,
    classes,
    codes,
    consent,
    furnish,
    observation,
    opened_world,
    purposes,
)

HIV, HRV, SLEEP = "56888-1", "112429-6", "93832-4"
TIMES = ("2026-10-05T09:00:00Z", "2026-11-02T09:00:00Z", "2026-11-09T09:00:00Z")
PERIODS = st.sampled_from(
    [
        {"end": "2026-11-05"},
        {"start": "2026-11-01"},
        {"start": "2026-11-01", "end": "2026-11-05"},
    ]
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory, template):
    """Return a clinic with rows of several kinds, and who asks about them."""
    with opened_world(tmp_path_factory.mktemp("properties"), template) as world:
        clinic = furnish(world)
        made = world.create({"resourceType": "Organization", "name": "O"}, clinic.admin)
        other = f"Organization/{made['id']}"
        for code in (RESTING, STEPS, HRV, HIV):
            for time in TIMES:
                row = observation(clinic.patient, code, effectiveDateTime=time)
                world.create(row, clinic.admin)
        world.create(observation(clinic.patient), clinic.admin)
        part = {"code": {"coding": [{"system": LOINC, "code": SLEEP}]}}
        panel = observation(clinic.patient, HRV, component=[part])
        world.create(panel, clinic.admin)
        answer = {"coding": [{"system": LOINC, "code": SLEEP}]}
        world.create(
            observation(clinic.patient, RESTING, valueCodeableConcept=answer),
            clinic.admin,
        )
        yield Asked(clinic, other)


class Asked:
    def __init__(self, clinic, other):
        self.clinic, self.other = clinic, other
        world = clinic.world
        self.officer = world.client(
            "officer",
            "system/*.rs",
            organization=clinic.organization,
            purposes=("HCOMPL",),
        )
        self.requesters = {
            "ehr": clinic.ehr,
            "lab": world.client("lab", "system/*.rs", organization=other),
            "payer": world.client(
                "payer", "system/*.rs", organization=other, purposes=("HPAYMT", "TREAT")
            ),
            "aimless": world.client(
                "aimless", "system/*.rs", organization=other, purposes=()
            ),
        }
        self.stored = world.create(
            consent(clinic.patient, {"type": "permit"}), clinic.admin
        )

    def evaluated(self, client, *drafts):
        parameters = [
            {
                "name": "patient",
                "valueReference": {"reference": f"Patient/{self.clinic.patient}"},
            },
            {"name": "client", "valueString": client},
            {"name": "type", "valueCode": "Observation"},
            *({"name": "draft", "resource": one} for one in drafts),
        ]
        body = {"resourceType": "Parameters", "parameter": parameters}
        answer = self.clinic.world.send(
            "POST", "/fhir/Consent/$evaluate", body, self.officer
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        [kind] = [one for one in answer.json["parameter"] if one["name"] == "type"]
        found = {
            one["name"]: one.get("valueUnsignedInt")
            for one in kind["part"]
            if one["name"] in ("rows", "permitted", "withheld")
        }
        assert found["rows"] == found["permitted"] + found["withheld"]
        parts = [
            {one["name"]: one.get("valueUnsignedInt") for one in part["part"]}
            for part in kind["part"]
            if part["name"] == "signature"
        ]
        assert sum(part["permitted"] for part in parts) == found["permitted"]
        assert sum(part["rows"] for part in parts) == found["rows"]
        return found["permitted"]

    def searched(self, client):
        query = f"Observation?patient={self.clinic.patient}&_summary=count"
        return self.clinic.search(query, self.requesters[client])["total"]


def provisions(asked, depth):
    """Return provisions of what this version enforces."""
    people = [asked.clinic.organization, asked.other, "Practitioner/dr"]
    elements = {
        "actor": st.sampled_from(people).map(actor),
        "purpose": st.sampled_from(["TREAT", "HPAYMT", "HRESCH", "COC"]).map(purposes),
        "action": st.sampled_from(
            [("access",), ("access", "disclose"), ("collect",)]
        ).map(lambda names: actions(*names)),
        "class": st.sampled_from(["Observation", "Patient"]).map(classes),
        "code": st.lists(
            st.sampled_from([RESTING, STEPS, HRV, HIV, SLEEP]),
            min_size=1,
            max_size=3,
            unique=True,
        ).map(lambda names: codes(*names)),
        "dataPeriod": PERIODS,
        "period": PERIODS,
    }
    type_ = {"type": st.sampled_from(["permit", "deny"])}
    if depth:
        elements["provision"] = st.lists(
            provisions(asked, depth - 1), min_size=1, max_size=2
        )
    return st.fixed_dictionaries(type_, optional=elements)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_the_counts_are_those_of_the_requesters_searches(asked, data):
    root = data.draw(provisions(asked, 1))
    beside = data.draw(st.none() | provisions(asked, 0))
    changed = {**asked.stored, "provision": root}
    more = [] if beside is None else [consent(asked.clinic.patient, beside)]

    drafted = {
        client: asked.evaluated(client, changed, *more) for client in asked.requesters
    }
    with filed(asked, changed, more):
        evaluated = {client: asked.evaluated(client) for client in asked.requesters}
        searched = {client: asked.searched(client) for client in asked.requesters}

    assert drafted == evaluated == searched


@contextmanager
def filed(asked, changed, more):
    """File the drafts, and withdraw those that are one more."""
    world, admin = asked.clinic.world, asked.clinic.admin
    asked.stored = world.update(changed, admin)
    made = [world.create(one, admin) for one in more]
    yield
    for one in made:
        world.update({**one, "status": "inactive"}, admin)


def test_the_rows_are_there_to_be_told_apart(asked):
    """Show that the property above is not one of nothing."""
    asked.stored = asked.clinic.world.update(
        {
            **asked.stored,
            "provision": {
                "type": "permit",
                "provision": [{"type": "deny", "code": codes(SLEEP, HIV)}],
            },
        },
        asked.clinic.admin,
    )

    assert asked.searched("ehr") == 10
    assert asked.evaluated("ehr") == 10
    assert asked.evaluated("ehr", {**asked.stored, "provision": {"type": "deny"}}) == 0
