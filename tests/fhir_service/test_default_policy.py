"""What holds where no consent votes, at every door; and that a change is audited."""

import shutil
from contextlib import contextmanager
from random import Random

import pytest
from worlds import (
    RESTING,
    Clock,
    World,
    consent,
    furnish,
    heart_rate,
    observation,
    opened_world,
    settings_of,
)

from consent.audit.entry import Basis, BasisKind, Interaction
from consent.decision import OFFERED_POLICIES
from fhir_service.deployment import open_deployment
from fhir_service.settings import SettingsError

PHQ9, UNKNOWN_CODE = "44261-6", "12345-6"


@contextmanager
def opened_under(data, policy):
    """Yield the world of a data folder as a process under this policy sees it."""
    clock = Clock()
    deployment = open_deployment(
        settings_of(data, FHIR_SERVICE_DEFAULT_POLICY=policy),
        clock=clock,
        random=Random(7),  # noqa: S311 - the same ids in each world
    )
    try:
        yield World(data=data, deployment=deployment, clock=clock)
    finally:
        deployment.database.close()


@pytest.fixture
def world_of(tmp_path, template):
    """Return what opens a world under a policy."""

    def world(policy):
        data = tmp_path / policy
        shutil.copytree(template, data)
        return opened_under(data, policy)

    return world


def levels(clinic, headers=None):
    found = clinic.found(f"Observation?patient={clinic.patient}", headers)
    return {one["code"]["coding"][0]["code"] for one in found}


@pytest.mark.parametrize(
    ("policy", "purpose", "expected"),
    [
        ("deny", "TREAT", set()),
        ("basic-normal", "TREAT", {RESTING}),
        ("basic-normal", "COC", {RESTING}),
        ("basic-normal", "HRESCH", set()),
        ("all-normal", "TREAT", {RESTING}),
        ("all-normal", "HRESCH", {RESTING}),
        ("break-glass-only", "TREAT", set()),
    ],
)
def test_without_a_consent_the_default_decides_by_purpose_and_label(
    world_of, policy, purpose, expected
):
    with world_of(policy) as world:
        clinic = furnish(world)
        for code in (RESTING, PHQ9, UNKNOWN_CODE):
            world.create(observation(clinic.patient, code), clinic.admin)
        reader = world.client(
            "reader",
            "system/*.rs",
            organization=clinic.organization,
            purposes=(purpose,),
        )

        assert levels(clinic, reader) == expected


@pytest.mark.parametrize(("policy", "stored"), [("deny", 0), ("basic-normal", 1)])
def test_the_default_decides_on_collecting_too(world_of, policy, stored):
    with world_of(policy) as world:
        clinic = furnish(world)

        receipt = clinic.deliver(heart_rate(1, "user-1"))

        assert (receipt["stored"], receipt["withheld"]) == (stored, 1 - stored)


def test_a_deny_is_stronger_than_the_default(world_of):
    with world_of("basic-normal") as world:
        clinic = furnish(world)
        world.create(observation(clinic.patient), clinic.admin)
        before = levels(clinic)

        world.create(consent(clinic.patient, {"type": "deny"}), clinic.admin)

        assert before == {RESTING}
        assert levels(clinic) == set()


def test_the_audit_names_the_default_that_permitted(world_of):
    with world_of("basic-normal") as world:
        clinic = furnish(world)
        made = world.create(observation(clinic.patient), clinic.admin)

        world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)

        assert world.audited()[-1].basis[0] == Basis(BasisKind.OVERLAY, "basic-normal")


def changes_of_policy(world):
    return [
        one.request for one in world.audited() if one.interaction is Interaction.CONFIG
    ]


def test_a_change_of_the_default_is_in_the_audit_log_once(tmp_path, template):
    with opened_world(tmp_path, template) as world:
        data = world.data
        assert changes_of_policy(world) == []

    for policy, count in [("basic-normal", 1), ("basic-normal", 1), ("deny", 2)]:
        with opened_under(data, policy) as world:
            found = changes_of_policy(world)

        assert len(found) == count

    assert found[0].startswith("policy default=basic-normal engine=")
    assert "; was default=deny engine=" in found[0]
    assert found[1].startswith("policy default=deny engine=")


def test_a_first_start_under_another_default_is_audited(tmp_path):
    with opened_under(tmp_path / "new", "break-glass-only") as world:
        [told] = changes_of_policy(world)

    assert told.startswith("policy default=break-glass-only ")


@pytest.mark.parametrize("policy", sorted(OFFERED_POLICIES))
def test_every_policy_that_is_offered_can_be_chosen(tmp_path, policy):
    assert settings_of(tmp_path, FHIR_SERVICE_DEFAULT_POLICY=policy)


def test_an_open_default_cannot_be_chosen(tmp_path):
    with pytest.raises(SettingsError):
        settings_of(tmp_path, FHIR_SERVICE_DEFAULT_POLICY="permit")
