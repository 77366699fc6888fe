"""What holds for the whole repository: arrows, locks, logs, names."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_service.logs import EVENTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("conformance", "consent", "fhir_service", "mappings")
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-mutants.lock")

WRONG_IMPORTS = {
    "consent/receipt_of_readings.py": "import mappings.units",
    "fhir_service/storage/early_grant.py": "import fhir_service.auth.scopes",
    "mappings/remote_unit.py": "import requests",
    "fhir_service/search/early_page.py": "import flask",
    "fhir_service/auth/own_table.py": "import sqlalchemy",
    "mappings/vendors/open_mhealth/borrowed.py": "import mappings.vendors.zigbee2mqtt",
    "fhir_service/ingest/prompt.py": "import click",
}


def lint_imports(folder):
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(  # noqa: S603 - our own tool
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_import_contracts_hold():
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout


def test_each_import_contract_reports_a_wrong_import(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "definitions")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for name, line in WRONG_IMPORTS.items():
        (tmp_path / name).write_text(f"{line}\n")

    result = lint_imports(tmp_path)

    assert result.returncode == 1
    kept = re.findall(r"^(.+) KEPT", result.stdout, re.MULTILINE)
    assert kept == [], "a contract did not see the wrong import planted for it"
    missed = [
        name
        for name, line in WRONG_IMPORTS.items()
        if line and name.removesuffix(".py").replace("/", ".") not in result.stdout
    ]
    assert missed == []


def pins(name):
    """Return what a lock pins: package and version, and how many hashes it has."""
    found = {}
    package = ""
    for line in (ROOT / name).read_text().splitlines():
        text = line.strip().removesuffix("\\").strip()
        if text.startswith("--hash=sha256:"):
            found[package][1] += 1
        else:
            written, separator, version = text.partition("==")
            assert separator, f"{name}: {text} is not pinned"
            package = written.partition("[")[0]
            found[package] = [version.partition(" ")[0], 0]
    return found


def wanted(*sections):
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser["options"]["install_requires"].split()
    for section in sections:
        lines += parser["options.extras_require"][section].split()
    return {re.split(r"[\[<>=!~]", line)[0].lower().replace(".", "-") for line in lines}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_with_a_hash_and_names_no_registry(name):
    text = (ROOT / name).read_text()

    assert all(hashes > 0 for _, hashes in pins(name).values())
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


def test_the_locks_hold_what_setup_cfg_asks_for():
    assert wanted("build") <= set(pins("requirements.lock"))
    assert wanted("build", "test") <= set(pins("requirements-test.lock"))


def test_tests_run_with_the_versions_that_are_served():
    served, tested = pins("requirements.lock"), pins("requirements-test.lock")

    assert {name: tested[name][0] for name in served} == {
        name: version for name, (version, _) in served.items()
    }


def project_files():
    """Return what a commit of everything would hold."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git work tree, so what belongs to it is not known")
    listed = subprocess.run(  # noqa: S603 - the program that was found above
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


FORBIDDEN = tuple(
    "".join(parts).encode()
    for parts in (
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("..", "/shared"),
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("registry.", "npmjs"),
    )
)


def test_no_file_names_a_path_of_a_machine_or_a_registry():
    named = [
        f"{path.relative_to(ROOT)}: {text.decode()}"
        for path in project_files()
        for text in FORBIDDEN
        if text in path.read_bytes()
    ]

    assert named == []


def logged_events(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="_log")),
                args=[ast.Constant(value=event), *_],
            ):
                yield event
            case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"))):
                yield "an event that is not a literal"


def test_every_event_that_is_logged_is_in_the_table():
    logged = {
        event
        for path in (ROOT / "fhir_service").rglob("*.py")
        for event in logged_events(path)
    }

    assert logged
    assert logged <= set(EVENTS)


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "versions" not in path.parts
        and ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert silent == []
