import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from conformance.issues import FHIRError
from fhir_service.auth import login
from fhir_service.auth.bearer import authenticate
from fhir_service.auth.login import Attempt
from fhir_service.auth.users import Role
from fhir_service.commands import demo
from fhir_service.demo import clients, logins, progress, seed
from fhir_service.demo.clients import EHR, EXAMPLES
from fhir_service.demo.progress import Seeded
from fhir_service.demo.served import at_a_free_port, at_this_machine
from fhir_service.deployment import opened
from fhir_service.settings import SettingsError, environment_of, read_settings

KILLED = """
import os, signal, sys
from datetime import date
from fhir_service.demo import clients, seed
from fhir_service.demo.seed import Size
from fhir_service.deployment import opened
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.settings import process_settings

settings, last_day, calls = process_settings(), sys.argv[1], int(sys.argv[2])
numbers = [int(number) for number in sys.argv[3].split(",")]
size = Size(people=tuple(PEOPLE[number - 1] for number in numbers), days=2)

def progress(_):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)

with opened(settings) as deployment:
    folder = settings.data_dir / "demo"
    seeded = seed.begin(deployment, folder, date.fromisoformat(last_day))
    clients.register(deployment.auth, folder)
    seed.create_resources(deployment, seeded, size)
    seed.take_payloads(deployment, folder, seeded, size, progress)
"""
"""Seeds, and is killed when it has told its progress so often."""


def kill_while_seeding(settings, cohort, calls):
    numbers = ",".join(str(person.number) for person in cohort.size.people)
    words = (str(cohort.last_day), str(calls), numbers)
    process = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", KILLED, *words],
        env=environment_of(settings),
        check=False,
    )
    assert process.returncode == -signal.SIGKILL


def contents(deployment):
    """Return how many resources there are of each patient and type, and refusals."""
    with deployment.database.read() as snapshot:
        resources = snapshot.sql(
            "SELECT p.id, r.type, COUNT(*) FROM resource r"
            " JOIN patient p ON p.patient_key = r.patient_key GROUP BY 1, 2"
            " ORDER BY 1, 2",
            (),
        )
        kept = snapshot.sql("SELECT reason, COUNT(*) FROM quarantine GROUP BY 1", ())
    return resources, sorted(kept)


@pytest.fixture
def whole(filled_folder, tmp_path):
    """What an undisturbed run has stored."""
    folder = tmp_path / "whole"
    shutil.copytree(filled_folder, folder)
    variables = {"FHIR_SERVICE_DATA_DIR": str(folder)}
    with opened(read_settings(variables)) as deployment:
        return contents(deployment)


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_a_run_that_was_killed_is_completed_by_the_next(settings, cohort, whole, calls):
    kill_while_seeding(settings, cohort, calls)

    with opened(settings) as deployment:
        cohort.fill(deployment)

        assert contents(deployment) == whole


def test_a_run_that_was_killed_goes_on_with_its_own_last_day(settings, cohort):
    kill_while_seeding(settings, cohort, 2)

    with opened(settings) as deployment:
        later = cohort.last_day + timedelta(days=1)
        begun = seed.begin(deployment, settings.data_dir / "demo", later)

    assert (begun.last_day, begun.is_complete) == (cohort.last_day, False)


def test_the_cohort_is_stored_on_either_database(filled_on_either):
    with opened(filled_on_either) as deployment:
        resources, kept = contents(deployment)

    patients = {id_ for id_, *_ in resources if id_}
    assert patients == {"demo-patient-01", "demo-patient-07", "demo-patient-11"}
    assert {reason for reason, _ in kept} >= {"impossible", "no-offset", "no-time"}


def test_a_store_with_other_patients_is_refused(deployment, cohort, tmp_path):
    with pytest.raises(FHIRError, match="holds patients that this demonstration"):
        seed.begin(deployment, tmp_path, cohort.last_day)

    assert progress.read(tmp_path) is None


def test_a_new_database_beside_an_older_demonstration_is_seeded_anew(settings, cohort):
    folder = settings.data_dir / "demo"
    older = Seeded(last_day=cohort.last_day, payloads=4, is_complete=True)
    progress.write(folder, older)
    later = cohort.last_day + timedelta(days=1)

    with opened(settings) as deployment:
        begun = seed.begin(deployment, folder, later)

    assert begun == progress.read(folder) == Seeded(last_day=later)


def test_private_keys_and_passwords_are_for_their_owner_alone(deployment):
    folder = deployment.settings.data_dir / "demo"
    logins.register(deployment.auth, folder)

    private = [folder / logins.FILE, *(path for _, path in clients.paths(folder))]

    assert [path.stat().st_mode & 0o777 for path in private] == [0o600] * 4


def test_a_person_of_each_role_can_log_in(deployment):
    people = logins.register(deployment.auth, deployment.settings.data_dir / "demo")

    sessions = [
        login.log_in(
            deployment.auth,
            Attempt(username=person.username, password=password, address="127.0.0.1"),
        ).session
        for person, password in people
    ]

    assert {person.role for person, _ in people} == set(Role)
    assert all(sessions)


def test_passwords_are_kept_for_the_next_run(deployment):
    folder = deployment.settings.data_dir / "demo"
    first = logins.register(deployment.auth, folder)

    assert logins.register(deployment.auth, folder) == first


def test_passwords_whose_file_was_removed_are_not_invented(deployment):
    folder = deployment.settings.data_dir / "demo"
    logins.register(deployment.auth, folder)
    (folder / logins.FILE).unlink()

    people = logins.register(deployment.auth, folder)

    assert {password for _, password in people} == {None}


def keys(folder):
    return {
        example.client_id: path.read_bytes() for example, path in clients.paths(folder)
    }


def test_clients_keep_their_keys(deployment):
    folder = deployment.settings.data_dir / "demo"
    before = keys(folder)

    clients.register(deployment.auth, folder)

    assert keys(folder) == before


def test_a_client_whose_key_was_lost_gets_another(deployment):
    folder = deployment.settings.data_dir / "demo"
    before = keys(folder)
    clients.key_path(folder, EHR).unlink()

    clients.register(deployment.auth, folder)

    after = keys(folder)
    assert after[EHR] != before[EHR]
    assert {id_ for id_ in after if after[id_] == before[id_]} == set(after) - {EHR}


def test_the_token_to_paste_is_good_for_half_a_day_and_in_the_log(deployment):
    auth = deployment.auth
    now = auth.clock()
    before = audited(deployment)

    token = clients.issue_token(auth, EHR)

    with deployment.database.read() as snapshot:
        grant = authenticate(snapshot, f"Bearer {token}", now)
    assert 12 * 3600 <= (grant.expires - now) / 1e6 < 12 * 3600 + 60
    assert (grant.client_id, audited(deployment)) == (EHR, before + 1)
    assert auth.token_lifetime_s == 300


def audited(deployment):
    with deployment.database.read() as snapshot:
        [[count]] = snapshot.sql("SELECT COUNT(*) FROM audit_entry", ())
    return count


def test_the_command_to_paste_survives_a_shell():
    url = "http://localhost:8000/fhir/Observation?patient=a&code=x%7Cy"

    words = shlex.split(demo.command(url, "a-token"))

    assert words[0] == "curl"
    assert words[-2:] == ["Authorization: Bearer a-token", url]


def test_another_process_has_the_same_settings(settings):
    changed = replace(settings, port=9999, public_url="http://localhost:9999")

    assert read_settings(environment_of(changed)) == changed


def test_the_public_address_follows_the_port_on_this_machine(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = replace(settings, port=taken.getsockname()[1])

        free = at_a_free_port(busy)

        assert free.port != busy.port
        assert free.public_url == f"http://localhost:{free.port}"
        with pytest.raises(SettingsError, match="cannot listen"):
            at_this_machine(busy)


def test_a_public_address_elsewhere_is_left_as_it_is(settings):
    proxied = replace(settings, port=free_port(), public_url="https://fhir.test")

    assert at_this_machine(proxied) == proxied


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def at_free_port(settings):
    port = free_port()
    return replace(settings, port=port, public_url=f"http://localhost:{port}")


def test_the_demonstration_answers_a_query_of_the_example_ehr(
    at_free_port, cohort, capsys
):
    demo.run(at_free_port, exit_after=True, size=cohort.size)
    first = capsys.readouterr()

    demo.run(at_free_port, exit_after=True, size=cohort.size)

    second = capsys.readouterr()
    bundle = json.loads(first.out)
    assert len(bundle["entry"]) == demo.ENTRIES
    assert {entry["resource"]["subject"]["reference"] for entry in bundle["entry"]} == {
        "Patient/demo-patient-01"
    }
    assert [one["resource"]["id"] for one in json.loads(second.out)["entry"]] == [
        one["resource"]["id"] for one in bundle["entry"]
    ]
    assert "synthetic data" in first.err
    assert "it is kept" in second.err
    assert logins_shown(first.err) == logins_shown(second.err)


def logins_shown(text):
    return [line for line in text.splitlines() if line.strip().startswith("officer")]


SERVED = """
import sys
from fhir_service.commands import demo
from fhir_service.demo.seed import Size
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.settings import process_settings
demo.run(process_settings(), exit_after=False, size=Size(people=PEOPLE[:1], days=2))
"""


def test_the_command_that_is_printed_works_and_sigterm_ends_the_server(at_free_port):
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", SERVED],
        env=environment_of(at_free_port),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            command = next(line for line in process.stdout if line.startswith("curl"))
            answer = ask(command)
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert answer.status_code == 200
    assert len(answer.json()["entry"]) == demo.ENTRIES
    assert process.returncode == 0
    at_this_machine(at_free_port)


def ask(command):
    """Do what the printed command does, whether or not curl is installed."""
    *_, header, url = shlex.split(command)
    name, _, value = header.partition(": ")
    return requests.get(url, headers={name: value}, timeout=20)


def test_the_examples_have_a_purpose_each_and_keys_of_both_kinds():
    assert all(example.purposes for example in EXAMPLES)
    assert {example.algorithm for example in EXAMPLES} == {"ES384", "RS384"}
