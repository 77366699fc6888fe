"""SMART's own clients at a whole launch: authorize, read, refresh, be revoked.

https://github.com/smart-on-fhir/client-py
https://docs.smarthealthit.org/client-js/
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from fhirclient.client import FHIRClient
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRUnauthorizedException
from smart_flow import STANDALONE
from smart_person import Landed, Wish
from smart_service import TIMEOUT_S

SCRIPTS = Path(__file__).parents[1] / "clients" / "js"
REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_NODE"


def answered(person, url):
    """Return where a person's browser ends that an app has sent to `url`."""
    step = person.open(url)
    for _ in range(6):
        if isinstance(step, Landed):
            return step
        step = person.proceed(step, Wish())
    raise AssertionError(step.text)


@pytest.mark.parametrize("client", ["public-app", "secret-app"])
def test_the_python_client_completes_a_standalone_launch(
    client, patient, apps, service, clinic
):
    app = apps[client]
    smart = FHIRClient(
        settings={
            "app_id": app.client_id,
            "app_secret": app.secret,
            "api_base": service.base,
            "redirect_uri": app.redirect_uri,
            "scope": STANDALONE,
        }
    )
    smart.handle_callback(answered(patient, smart.authorize_url).url)

    assert smart.ready
    assert smart.patient_id == clinic.patient
    assert smart.patient.name[0].family == "Aster"
    search = Observation.where({"patient": smart.patient_id})
    found = {one.id for one in search.perform_resources_iter(smart.server)}
    assert found >= clinic.everything_observed

    assert smart.reauthorize()
    assert Patient.read(clinic.patient, smart.server).id == clinic.patient

    assert app.revoke(smart.server.auth.refresh_token).status_code == 200
    with pytest.raises(FHIRUnauthorizedException):
        Patient.read(clinic.patient, smart.server)


def missing(reason):
    if os.environ.get(REQUIRE_VARIABLE):  # noqa: TID251 - the tests' own variable
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running(node, app) -> Iterator[str]:
    """Yield the address of the JavaScript app while it runs."""
    told = {
        "base": app.service.base,
        "client": app.client_id,
        "secret": app.secret,
        "redirect": app.redirect_uri,
        "scope": STANDALONE,
    }
    process = subprocess.Popen(  # noqa: S603 - the program that was found
        [node, "launch.mjs"],
        cwd=SCRIPTS,
        env={"PATH": os.environ["PATH"], "APP": json.dumps(told)},  # noqa: TID251 - for a process of its own
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            line = process.stdout.readline()
            yield f"http://127.0.0.1:{re.search(r'([0-9]+)', line)[1]}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def node():
    program = shutil.which("node")
    if program is None or not (SCRIPTS / "node_modules" / "fhirclient").exists():
        missing("node or its packages are not installed, so fhirclient was not run")
    return program


@pytest.mark.parametrize("client", ["public-app", "secret-app"])
def test_the_javascript_client_completes_a_standalone_launch(
    client, node, patient, apps, clinic
):
    app = apps[client]
    with running(node, app) as address:
        begun = requests.get(
            f"{address}/launch", timeout=TIMEOUT_S, allow_redirects=False
        )
        assert begun.status_code in {302, 303, 307}, begun.text
        back = answered(patient, begun.headers["Location"])
        query = back.url.partition("?")[2]

        answer = requests.get(f"{address}/callback?{query}", timeout=TIMEOUT_S)

        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["patient"] == clinic.patient
        assert told["user"] == f"Patient/{clinic.patient}"
        assert set(told["observations"]) >= clinic.everything_observed
        assert told["refreshed"] is True
        assert told["again"] == clinic.patient

        assert app.revoke(told["refreshToken"]).status_code == 200
        after = requests.get(f"{address}/after", timeout=TIMEOUT_S).json()
        assert after["status"] == 401
