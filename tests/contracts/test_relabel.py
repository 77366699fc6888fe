"""What another labeller has labelled is labelled anew, earlier versions too."""

from contextlib import contextmanager

import pytest
from worlds import furnish, observation, opened_world, reopened_world, settings_of

from fhir_service.deployment import SchemaError, migrate
from fhir_service.storage import facts, relabel
from fhir_service.storage.engine import Database

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PHQ9 = "44261-6"


def security(resource):
    return [one["code"] for one in resource["meta"].get("security", ())]


@pytest.fixture
def before(tmp_path, template, database_url, monkeypatch):
    """Return a folder whose labeller took everything for normal, and what is in it."""
    with monkeypatch.context() as patched:
        patched.setattr("consent.labels._rows", lambda _: iter(()))
        patched.setattr("consent.labels._is_vouched", lambda _: True)
        with opened_world(
            tmp_path, template, name="world", database_url=database_url
        ) as world:
            clinic = furnish(world)
            clinic.consented(securityLabel=[{"system": CONFIDENTIALITY, "code": "N"}])
            score = world.create(observation(clinic.patient, PHQ9), clinic.admin)
            world.update({**score, "status": "amended"}, clinic.admin)
            plain = world.create(observation(clinic.patient), clinic.admin)
            seen = {one["id"] for one in observations(clinic)}
    assert seen == {score["id"], plain["id"]}
    known(database_url, "0")
    return clinic, score, plain


def known(database_url, labeller):
    """Let the database say that another labeller has labelled everything."""
    database = Database(database_url)
    database.write(
        lambda transaction: facts.put(transaction, relabel.LABELLER, labeller)
    )
    database.close()


def forget(database_url):
    database = Database(database_url)
    database.write(
        lambda transaction: transaction.run(facts._DELETE, of=relabel.LABELLER)
    )
    database.close()


def observations(clinic):
    return clinic.found(f"Observation?patient={clinic.patient}")


@pytest.fixture
def migrated(before, database_url):
    """Return what migrates the folder."""
    data = before[0].world.data

    def run(told=lambda _: None):
        migrate(settings_of(data, database_url), told)

    return run


@pytest.fixture
def reopened(before, database_url):
    """Return what opens the clinic again."""
    clinic = before[0]

    @contextmanager
    def run():
        with reopened_world(clinic.world.data, database_url) as world:
            yield type(clinic)(**{**vars(clinic), "world": world})

    return run


def test_labels_of_another_labeller_are_not_opened(reopened):
    with pytest.raises(SchemaError, match="run fhir-service migrate"), reopened():
        pass


def test_a_database_that_names_no_labeller_is_of_the_first(reopened, database_url):
    forget(database_url)

    with pytest.raises(SchemaError, match="run fhir-service migrate"), reopened():
        pass


def test_a_raised_label_hides_every_version(before, migrated, reopened):
    _, score, plain = before
    path = f"/fhir/Observation/{score['id']}"
    versions = [f"{path}/_history/{number}" for number in (1, 2, 3)]

    migrated()

    with reopened() as clinic:
        assert [one["id"] for one in observations(clinic)] == [plain["id"]]
        for hidden in (path, f"{path}/_history", *versions):
            answer = clinic.world.get(hidden, clinic.ehr)
            assert answer.status_code == 404, hidden


def test_a_changed_label_is_a_next_version_and_another_stays(
    before, migrated, reopened
):
    _, score, plain = before

    migrated()

    with reopened() as clinic:
        clinic.consented()
        path = f"/fhir/Observation/{score['id']}/_history"
        versions = [
            clinic.world.get(f"{path}/{number}", clinic.ehr).json
            for number in (1, 2, 3)
        ]
        [kept] = [one for one in observations(clinic) if one["id"] == plain["id"]]
        assert [security(one) for one in versions] == [["N"], ["N"], ["MH", "R"]]
        assert versions[2]["status"] == "amended"
        assert kept == plain


def test_an_interrupted_run_is_begun_again(before, migrated, reopened):
    plain = before[2]

    class KilledError(Exception):
        pass

    def killed(_done):
        raise KilledError

    with pytest.raises(KilledError):
        migrated(killed)
    migrated()

    with reopened() as clinic:
        assert [one["id"] for one in observations(clinic)] == [plain["id"]]
