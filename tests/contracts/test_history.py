"""Versions and their order, on SQLite and on PostgreSQL, against a plain list."""

import itertools
import re

import pytest
from worlds import furnish, observation, opened_world

from fhir_service.storage import history, types
from fhir_service.storage.history import NEWEST, Window

MINUTE_US = 60_000_000
OBSERVATION = types.number_of("Observation")
PATIENT = types.number_of("Patient")


@pytest.fixture
def clinic(any_world):
    """Return a clinic in which three Observations have eleven versions in all."""
    clinic = furnish(any_world)
    clinic.consented()
    for updates, is_deleted in ((3, True), (0, False), (4, False)):
        made = clinic.world.create(observation(clinic.patient), clinic.admin)
        for number in range(updates):
            # Every second version falls into the millisecond of the one before.
            clinic.world.clock.pass_s(60 * (number % 2))
            made = clinic.world.update({**made, "valueInteger": number}, clinic.admin)
        if is_deleted:
            clinic.world.clock.pass_s(60)
            path = f"/fhir/Observation/{made['id']}"
            assert (
                clinic.world.http.delete(path, headers=clinic.admin).status_code < 300
            )
    return clinic


def all_versions(snapshot, *type_ids):
    """Return every version in the order of a history, by another way."""
    found = [
        stored
        for type_id in type_ids
        for (id_,) in snapshot.sql(
            f"SELECT id FROM directory WHERE type = {type_id}",  # noqa: S608 - a number
            (),
        )
        for stored in history.versions(snapshot, type_id, id_)
    ]
    return sorted(found, key=history.place_of, reverse=True)


def test_versions_of_a_resource_are_counted_down(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        found = all_versions(snapshot, OBSERVATION)

        by_row = itertools.groupby(sorted(found, key=lambda one: one.row), key=row_of)
        numbers = sorted(sorted(one.version for one in group) for _, group in by_row)

    assert numbers == [[1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]
    assert [one.version for one in found if one.deleted] == [5]


def row_of(stored):
    return stored.row


@pytest.mark.parametrize("chunk", [1, 2, 3, 64])
def test_the_versions_of_types_are_merged_newest_first(clinic, monkeypatch, chunk):
    monkeypatch.setattr(history, "CHUNK", chunk)
    with clinic.world.deployment.database.read() as snapshot:
        numbers = [OBSERVATION, PATIENT]
        expected = all_versions(snapshot, *numbers)

        found = list(history.newest_first(snapshot, numbers, Window(), NEWEST))

    assert found == expected
    assert len(found) == 12


def test_what_follows_each_place_is_the_rest(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        expected = all_versions(snapshot, OBSERVATION)

        for index, stored in enumerate(expected):
            place = history.place_of(stored)
            rest = history.newest_first(snapshot, [OBSERVATION], Window(), place)

            assert list(rest) == expected[index + 1 :]


def test_a_window_leaves_out_what_was_not_current_then(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        versions = all_versions(snapshot, OBSERVATION)
        times = {one.last_updated + step for one in versions for step in (-1, 0, 1)}
        ends = {
            (earlier.row, earlier.version): later.last_updated
            for later in versions
            for earlier in versions
            if earlier.row == later.row and earlier.version + 1 == later.version
        }

        for start, end in itertools.combinations_with_replacement(sorted(times), 2):
            window = Window(at=(start, end))
            found = history.newest_first(snapshot, [OBSERVATION], window, NEWEST)

            assert list(found) == [
                one
                for one in versions
                if one.last_updated <= end
                and ends.get((one.row, one.version), start + 1) > start
            ]


def test_each_version_is_found_by_its_number(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        [(id_,)] = snapshot.sql(
            "SELECT id FROM directory JOIN resource ON resource.row = directory.row "
            "WHERE resource.deleted = 1",
            (),
        )

        found = [
            history.version_of(snapshot, OBSERVATION, id_, number)
            for number in range(7)
        ]

        absent = history.version_of(snapshot, OBSERVATION, "absent", 1)

    assert [one and one.version for one in found] == [None, 1, 2, 3, 4, 5, None]
    assert absent is None


def test_a_deletion_is_judged_by_the_version_that_it_ended(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        deletion, ended = (
            next(one for one in all_versions(snapshot, OBSERVATION) if test(one))
            for test in (lambda one: one.deleted, lambda one: one.version == 4)
        )

        assert history.judged(snapshot, ended) == ended
        assert history.judged(snapshot, deletion).row == deletion.row
        assert history.judged(snapshot, deletion).version == deletion.version - 1


def test_the_types_that_were_ever_stored_are_known(clinic):
    expected = sorted(
        types.number_of(name)
        for name in ("Consent", "Observation", "Organization", "Patient")
    )

    with clinic.world.deployment.database.read() as snapshot:
        found = [one for one in history.type_ids(snapshot) if one in expected]

    assert found == expected


@pytest.mark.parametrize("statements", [history._WRITTEN, history._CURRENT_AT])
def test_a_page_of_a_type_is_read_along_an_index(tmp_path, template, statements):
    with (
        opened_world(tmp_path, template) as world,
        world.deployment.database.read() as snapshot,
    ):
        for statement in statements:
            sql = statement.text("sqlite")
            plan = snapshot.sql(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?"))

            steps = [str(step) for *_, step in plan]

            assert "_type_last_updated_row (type=? AND last_updated>?" in steps[0]
            assert re.search(r"(last_updated|\(last_updated,row\))<", steps[0])
            assert not any(step.startswith("SCAN") for step in steps)
            # Versions of one row within one millisecond alone are sorted.
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps
