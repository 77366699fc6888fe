import json

import pytest
from click.testing import CliRunner

from fhir_service import cli
from fhir_service.deployment import opened
from fhir_service.ingest import endpoints
from fhir_service.ingest.endpoints import NEEDS, Origin, Shared
from fhir_service.storage import registrations
from mappings.signatures import SCHEMES, UNSIGNED


@pytest.fixture
def pushing(settings, monkeypatch):
    """Return what runs `push` with lines of standard input."""
    client = registrations.Client(
        client_id="cloud",
        name="cloud",
        kind="backend",
        jwks='{"keys":[]}',
        scopes="system/Observation.c",
        purposes=("TREAT",),
        organization=None,
        sources=tuple(NEEDS),
        created=0,
    )
    with opened(settings) as deployment:
        deployment.database.write(lambda t: registrations.add_client(t, client))
    monkeypatch.setenv("FHIR_SERVICE_DATA_DIR", str(settings.data_dir))

    def run(*words, lines=""):
        return CliRunner().invoke(cli.main, ["push", *words], input=lines)

    return run


def shared_by(settings, endpoint):
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        found = endpoints.opened(snapshot, endpoint)
        return endpoints.shared_with(deployment.services, snapshot, found)


def made(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_source_that_pushes_can_be_given_what_its_scheme_needs():
    assert set(NEEDS) == set(SCHEMES) | UNSIGNED
    signing = {name for name, one in NEEDS.items() if one.secret is not Origin.NOBODY}
    assert signing == set(SCHEMES)


def test_the_secrets_of_a_vendor_come_by_standard_input(settings, pushing):
    result = pushing(
        "add", "fitbit", "--client", "cloud", "--json", lines="of-fitbit\ncode\n"
    )

    told = made(result)
    assert told["url"] == (
        f"http://localhost:8000/device-data/fitbit/push/{told['endpoint']}"
    )
    assert "of-fitbit" not in result.output
    assert shared_by(settings, told["endpoint"]) == Shared(
        secret="of-fitbit",  # noqa: S106 - a test's
        code="code",
    )


def test_a_secret_that_the_service_makes_is_shown_once(settings, pushing):
    told = made(pushing("add", "google-health", "--client", "cloud", "--json"))
    listed = pushing("list", "--json").output

    assert told["secret"].startswith("Bearer ")
    assert len(told["secret"]) == len("Bearer ") + 43
    assert shared_by(settings, told["endpoint"]).secret == told["secret"]
    assert told["secret"] not in listed


def test_people_are_told_where_to_push_and_what_is_made_of_it(pushing):
    unsigned = pushing("add", "garmin", "--client", "cloud").stdout.splitlines()
    unfinished = pushing("add", "polar", "--client", "cloud", lines="\n").stdout

    assert unsigned[0].startswith(
        "garmin pushes to http://localhost:8000/device-data/garmin/push/"
    )
    assert unsigned[1] == (
        "It signs nothing: what it pushes is kept as a hint and not as data."
    )
    assert unfinished.splitlines()[1] == (
        "Nothing is taken there before `push rotate` gives its secret."
    )


def test_a_secret_is_rotated_and_an_endpoint_is_closed(settings, pushing):
    id_ = made(pushing("add", "polar", "--client", "cloud", "--json", lines="\n"))[
        "endpoint"
    ]

    rotated = made(pushing("rotate", id_, "--json", lines="of-polar\n"))
    secret = shared_by(settings, id_).secret
    removed = pushing("remove", id_)
    again = pushing("remove", id_)

    assert rotated["endpoint"] == id_
    assert secret == "of-polar"  # noqa: S105 - a test's
    assert removed.exit_code == 0
    assert (again.exit_code, again.stderr) == (
        1,
        "fhir-service: There is no such endpoint here.\n",
    )
    [row] = made(pushing("list", "--json"))
    assert (row["source"], row["removed"] is None) == ("polar", False)
    assert pushing("list").stdout.startswith("polar  removed  cloud  http://")


def test_what_does_not_push_is_named_with_what_does(pushing):
    result = pushing("add", "zigbee2mqtt", "--client", "cloud")

    assert result.exit_code == 1
    assert "these do: fitbit, garmin, google-health" in result.stderr
