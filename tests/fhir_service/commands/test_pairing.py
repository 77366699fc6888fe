"""`fhir-service pairing`: pair, list, tell co-residents, revoke."""

import json

import pytest
from click.testing import Result

from consent.audit.entry import Interaction, decode
from fhir_service.auth import local
from fhir_service.deployment import opened
from fhir_service.storage import audit_log, patients, resources, types


@pytest.fixture
def command(filled, fhir_service):
    """Return what runs `fhir-service pairing` over the small cohort."""

    def run(*words: str) -> Result:
        found: Result = fhir_service(filled, "pairing", *words)
        return found

    return run


@pytest.fixture
def person(filled):
    """Return the id of the cohort's first patient."""
    with opened(filled) as deployment, deployment.database.read() as snapshot:
        return patients.after(snapshot, 0, 1)[0].id


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def a_room(filled):
    """Return a room of the cohort."""
    with opened(filled) as deployment, deployment.database.read() as snapshot:
        number = types.number_of("Location")
        [first, *_] = resources.of_patient(snapshot, 0, number, after=0, count=1)
        body = json.loads(deployment.services.repository.body(snapshot, first))
        return f"Location/{body['id']}"


def test_a_device_is_paired_listed_told_of_and_revoked(command, filled, person):
    room = a_room(filled)
    made = told(
        command(
            *("add", "zigbee2mqtt", "--patient", person, "--json"),
            *("--device", "0x00158d00ffffffff", "--room", room),
            *("--start", "2026-01-01", "--zone", "Europe/Berlin"),
        )
    )
    notice = command("notice", made["id"])
    revoked = command("revoke", made["id"])

    [listed] = told(command("list", "--patient", person, "--json"))

    assert (notice.exit_code, revoked.exit_code) == (0, 0)
    assert "quarantine retry" in notice.output
    by = f"command line {local.user()}"
    assert [listed[name]["by"] for name in ("made", "notice", "revoked")] == [by] * 3
    assert {**made, "notice": listed["notice"], "revoked": listed["revoked"]} == listed
    assert listed["period"] == {"start": "2026-01-01T00:00:00+01:00"}
    assert listed["location"] == room


def test_a_pairing_is_printed_for_people(command, filled, person):
    room = a_room(filled)

    made = command(
        *("add", "open-mhealth", "--patient", f"Patient/{person}", "--account", "a-1"),
        *("--start", "2026-01-01T00:00:00Z", "--end", "2026-02-01T00:00:00Z"),
        *("--room", room),
    )
    listed = command("list", "--patient", person)

    [id_] = made.output.split()[:1]
    assert listed.output == (
        f"{id_}  paired  open-mhealth  account a-1\n"
        "    from 2026-01-01T00:00:00Z until 2026-02-01T00:00:00Z, "
        f"by command line {local.user()}\n"
        f"    in {room}, co-residents were not told yet\n"
    )
    assert made.output == (
        f"{listed.output}Nothing of it is stored until those who live in the room "
        f"were told: fhir-service pairing notice {id_}.\n"
    )


def test_a_device_is_printed_with_its_room_and_its_notice(command, filled, person):
    room = a_room(filled)
    made = command(
        *("add", "zigbee2mqtt", "--patient", person, "--device", "0x00158d00ffffffff"),
        *("--start", "2026-01-01T00:00:00Z", "--room", room),
    )
    [id_] = made.output.split()[:1]
    command("notice", id_)
    command("revoke", id_)

    first, second, third = command("list", "--patient", person).output.splitlines()

    assert first == f"{id_}  revoked  zigbee2mqtt  device 0x00158d00ffffffff"
    assert second.startswith("    from 2026-01-01T00:00:00Z, by command line ")
    assert third.startswith(f"    in {room}, co-residents were told, recorded 20")


def test_each_change_names_the_operator_in_the_audit(command, filled, person):
    made = told(
        command(
            *("add", "open-mhealth", "--patient", person, "--json"),
            *("--account", "account-9"),
        )
    )
    command("revoke", made["id"])

    with opened(filled) as deployment, deployment.database.read() as snapshot:
        unseal = deployment.services.seal.unsealer(snapshot)
        leaves = [
            decode(leaf, unseal=unseal) for _, leaf, _ in audit_log.entries(snapshot)
        ][-2:]
        pseudonym = deployment.services.pseudonym(person)
    assert [
        (one.interaction, one.request, one.user, one.client, one.patients)
        for one in leaves
    ] == [
        (interaction, request, local.user(), local.COMMAND_LINE, (pseudonym,))
        for interaction, request in (
            (Interaction.REGISTER, "pairing add"),
            (Interaction.REVOKE, f"pairing revoke {made['id']}"),
        )
    ]


def test_nothing_is_listed_where_nothing_is_paired(command, person):
    people = command("list", "--patient", person)
    programs = command("list", "--patient", person, "--json")

    assert people.output == "Nothing is paired with this patient.\n"
    assert told(programs) == []


@pytest.mark.parametrize(
    "words",
    [
        ("add", "open-mhealth", "--patient", "nobody", "--account", "a"),
        ("add", "nothing", "--patient", "PERSON", "--account", "a"),
        ("add", "open-mhealth", "--patient", "PERSON"),
        ("add", "zigbee2mqtt", "--patient", "PERSON", "--account", "a"),
        ("list", "--patient", "nobody"),
        ("revoke", "0000000000000"),
        ("notice", "not-an-id"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_failure(command, person, words):
    result = command(*(person if word == "PERSON" else word for word in words))

    assert result.exit_code == 1
    assert result.output.startswith("fhir-service: ")
    assert result.output.count("\n") == 1
