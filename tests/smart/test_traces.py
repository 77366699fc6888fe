"""What is left behind: nothing secret in the log, everything in the audit.

https://www.rfc-editor.org/rfc/rfc9700
"""

import json

import pytest
from smart_flow import STANDALONE, code_of
from smart_launch import launch
from smart_person import PASSWORD, Wish


def test_an_app_is_told_its_id_and_its_secret_once(service, add_app):
    app = add_app("told-app", "--auth", "secret")

    listed = json.loads(service.command("client", "list", "--json"))

    assert app.client_id == "told-app"
    assert len(app.secret) >= 43
    assert "told-app" in {one["client_id"] for one in listed}
    assert app.secret not in json.dumps(listed)


@pytest.fixture
def left(patient, practitioner, apps, clinic):
    """Return everything of a launch that nobody else may ever read."""
    app = apps["secret-app"]
    code, verifier = code_of(patient, app, STANDALONE)
    given = app.exchange(code, verifier).json()
    renewed = app.refresh(given["refresh_token"]).json()
    app.exchange(code, verifier)
    opened = launch(practitioner, app, clinic.patient).parameters["launch"]
    secrets = [code, verifier, app.secret, PASSWORD, opened, "Aster"]
    for body in (given, renewed):
        secrets += [body[name] for name in ("access_token", "refresh_token")]
    return [*secrets, given["id_token"], *patient.session.cookies.values()]


def test_nothing_secret_reaches_the_log(left, service):
    log = service.deployed.log()

    assert "/auth/token" in log
    for secret in left:
        assert secret not in log


def test_nothing_secret_stands_in_the_audit(left, service, tmp_path):
    path = tmp_path / "audit.jsonl"
    service.command("audit", "export", str(path))
    exported = path.read_bytes()

    for secret in left:
        assert secret.encode() not in exported


def test_grants_and_refusals_leave_the_log_whole(patient, apps, service):
    def size():
        told = json.loads(service.command("audit", "verify", "--json"))
        return told["rows"]

    app = apps["public-app"]
    asked = app.asks("openid patient/Patient.rs", prompt="consent")
    before = size()
    patient.authorize(app, asked, Wish(denies=True))
    denied = size()
    app.exchange("BAD_CODE", "v" * 64)
    refused = size()

    assert before < denied < refused
