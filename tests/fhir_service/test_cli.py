import ast
import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from conformance.issues import FHIRError, IssueType
from fhir_service import cli
from fhir_service.auth.users import Role

HEAVY = ("flask", "sqlalchemy", "cryptography", "granian", "structlog", "alembic")


@pytest.fixture
def fhir_service(tmp_path, monkeypatch):
    monkeypatch.setenv("FHIR_SERVICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FHIR_SERVICE_PORT", "8089")

    def run(*arguments, **options):
        return CliRunner().invoke(cli.main, arguments, **options)

    return run


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


def test_help_imports_nothing_heavy():
    program = "import sys; from fhir_service.cli import main; main(['--help'])"
    check = f"import atexit, sys; atexit.register(lambda: print([m for m in {HEAVY!r} if m in sys.modules]))"  # noqa: E501 - one program

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", f"{check}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "Usage:" in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(("path", "command"), list(commands(cli.main)))
def test_every_command_says_what_it_does(path, command):
    assert command.help, path
    result = CliRunner().invoke(cli.main, [*path, "--help"])

    assert result.exit_code == 0


@pytest.mark.parametrize(("path", "command"), list(commands(cli.main)))
def test_every_listing_has_json(path, command):
    options = {name for item in command.params for name in item.opts}

    assert path[-1] not in {"list", "show", "verify", "doctor"} or "--json" in options


def targets():
    for node in ast.walk(ast.parse(inspect.getsource(cli))):
        match node:
            case ast.Call(
                func=ast.Name(id="run" | "run_with_services" as caller),
                args=[ast.Constant(value=target)],
                keywords=keywords,
            ):
                yield target, caller, {keyword.arg for keyword in keywords} - {None}


@pytest.mark.parametrize(("target", "caller", "options"), list(targets()))
def test_every_command_has_its_function_with_its_arguments(target, caller, options):
    module, _, name = target.partition(".")

    function = getattr(import_module(f"fhir_service.commands.{module}"), name)

    first, *rest = inspect.signature(function).parameters
    assert first == ("settings" if caller == "run" else "services")
    assert options <= set(rest)


def test_the_roles_are_those_that_a_person_can_have():
    assert tuple(Role) == cli.ROLES


def test_the_settings_are_shown_with_their_secrets_masked(fhir_service):
    url = "postgresql://me:canary@db/fhir"

    result = fhir_service(
        "serve", "--show-config", env={"FHIR_SERVICE_DATABASE_URL": url}
    )

    assert result.exit_code == 0
    assert (
        "FHIR_SERVICE_DATABASE_URL=postgresql+psycopg://me:***@db/fhir" in result.output
    )
    assert "canary" not in result.output


def test_a_bad_setting_ends_with_2_and_one_sentence(fhir_service):
    result = fhir_service("migrate", env={"FHIR_SERVICE_PORT": "eighty"})

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "fhir-service: FHIR_SERVICE_PORT must be a whole number from 1 to 65535.\n"
    )


def test_an_unknown_command_ends_with_2(fhir_service):
    assert fhir_service("bogus").exit_code == 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FHIRError(IssueType.NOT_FOUND, "There is no such client."), "no such client"),
        (FileNotFoundError(2, "No such file", "x.xml"), "No such file: x.xml."),
        (RuntimeError("canary"), "RuntimeError at "),
    ],
)
def test_a_failure_ends_with_1_and_one_sentence(error, told, monkeypatch):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(cli, "run", fail)

    result = CliRunner().invoke(cli.main, ["migrate"])

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert told in result.stderr
    assert "canary" not in result.stderr


def test_migrate_makes_the_schema_and_says_so(fhir_service, tmp_path):
    first = fhir_service("migrate")
    second = fhir_service("migrate")

    assert first.exit_code == 0, first.output
    assert "was absent and is " in first.output
    assert re.search(r"was (\w+) and is \1\.", second.output)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_doctor_finds_a_new_installation_fit(fhir_service):
    fhir_service("migrate")

    result = fhir_service("doctor", "--json")

    findings = json.loads(result.output)
    failed = [item for item in findings if item["verdict"] == "failed"]
    assert failed == []
    assert result.exit_code == 0


def test_doctor_ends_with_1_where_something_failed(fhir_service, tmp_path):
    fhir_service("migrate")
    (tmp_path / "data").chmod(0o755)

    result = fhir_service("doctor")

    assert result.exit_code == 1
    assert "Others can enter" in result.output


def test_a_client_that_is_not_there_cannot_be_removed(fhir_service):
    fhir_service("migrate")

    result = fhir_service("client", "remove", "nobody")

    assert result.exit_code == 1
    assert result.stderr.startswith("fhir-service: ")


def test_a_client_is_added_and_listed(fhir_service, tmp_path):
    fhir_service("migrate")

    added = fhir_service(
        *("client", "add", "ehr", "--purpose", "TREAT"),
        *("--scope", "system/Patient.rs system/Device.rs"),
        *("--key-dir", str(tmp_path / "keys")),
    )

    assert added.exit_code == 0, added.output
    [client] = json.loads(fhir_service("client", "list", "--json").output)
    assert client["client_id"] == "ehr"
    assert [
        path.stat().st_mode & 0o777 for path in Path(tmp_path / "keys").iterdir()
    ] == [0o600]


def test_a_user_is_added_with_a_password_from_standard_input(fhir_service):
    fhir_service("migrate")

    added = fhir_service(
        *("user", "add", "officer", "--role", "compliance-officer"),
        input="correct horse battery staple\n",
    )

    assert added.exit_code == 0, added.output
    [user] = json.loads(fhir_service("user", "list", "--json").output)
    assert user["username"] == "officer"
