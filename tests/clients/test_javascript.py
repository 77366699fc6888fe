"""The JavaScript clients, run under node as npm's lock pins them.

Where node or npm is missing these tests are skipped, unless
`FHIR_SERVICE_TEST_REQUIRE_NODE` says that they must run.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "js"
REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_NODE"
NODE = 18
"""The oldest release that the clients were run on, that of Debian 12."""


def missing(reason):
    if os.environ.get(REQUIRE_VARIABLE):  # noqa: TID251 - the tests' own variable
        pytest.fail(reason)
    pytest.skip(reason)


def release(node):
    told = subprocess.run(  # noqa: S603 - the program that was found
        [node, "--version"], capture_output=True, text=True, check=True
    )
    return int(re.match(r"v(\d+)", told.stdout)[1])


@pytest.fixture(scope="module")
def node():
    """Return the program, the clients installed as the lock pins them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("node or npm is not installed, so no JavaScript client was run")
    if release(node) < NODE:
        missing(f"node is older than release {NODE}, so no JavaScript client was run")
    if is_stale():
        done = subprocess.run(  # noqa: S603 - the program that was found
            [npm, "ci"], cwd=SCRIPTS, capture_output=True, text=True, check=False
        )
        if done.returncode:
            missing(f"npm ci failed: {done.stderr[-500:]}")
    return node


def is_stale():
    """Whether what is installed is not what the lock pins."""
    installed = SCRIPTS / "node_modules" / ".package-lock.json"
    if not installed.exists():
        return True
    found = json.loads(installed.read_text())["packages"]
    pinned = json.loads((SCRIPTS / "package-lock.json").read_text())["packages"]
    return any(
        package.get("integrity") != pinned[name].get("integrity")
        for name, package in found.items()
    )


def told(practice):
    """Return what the scripts need to know about the practice."""
    return {
        "base": practice.base,
        "token": practice.token,
        "token_url": f"{practice.service.url}/auth/token",
        "organization": practice.organization,
        "patient": practice.patient,
        "observations": practice.observations,
        "system": practice.system,
    }


@pytest.mark.parametrize("script", ["fhirclient.mjs", "fhir-kit-client.mjs"])
def test_a_javascript_client_works_unchanged(script, node, practice):
    variables = {"PATH": os.environ["PATH"], "PRACTICE": json.dumps(told(practice))}  # noqa: TID251 - for a process of its own

    done = subprocess.run(  # noqa: S603 - the program that was found
        [node, "--test", "--test-reporter=spec", script],
        cwd=SCRIPTS,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tests = (SCRIPTS / script).read_text().count('\ntest("')
    assert f"pass {tests}\n" in done.stdout


def test_the_lock_pins_every_package_with_a_hash_and_names_no_registry():
    lock = json.loads((SCRIPTS / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}

    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert not any("resolved" in one for one in packages.values())


def test_the_clients_are_named_with_exact_versions():
    named = json.loads((SCRIPTS / "package.json").read_text())["dependencies"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in named.values())
