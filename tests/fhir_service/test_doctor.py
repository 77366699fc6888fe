import socket
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fhir_service import doctor
from fhir_service.commands.doctor import told
from fhir_service.doctor import CHECKS, PROBE_ADVICE, Finding, Verdict, examine, is_well
from fhir_service.settings import read_settings


@pytest.fixture
def settings(tmp_data_dir):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return replace(read_settings({}), data_dir=tmp_data_dir, port=port)


def verdict(name, settings):
    return CHECKS[name](settings)[0]


def test_every_check_has_a_finding_and_every_finding_a_sentence(settings):
    findings = examine(settings, {})

    assert [finding.check for finding in findings] == list(CHECKS)
    assert all(finding.sentence.endswith((".", ".)")) for finding in findings)
    assert is_well(findings)


def test_an_old_python_fails(settings, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    assert verdict("python", settings) is Verdict.FAILED


def test_a_missing_data_folder_fails(settings):
    missing = replace(settings, data_dir=settings.data_dir / "new")

    assert verdict("data-folder", missing) is Verdict.FAILED
    assert verdict("disk-space", missing) is not Verdict.FAILED


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_data_folder_that_others_enter_fails(mode, settings):
    settings.data_dir.chmod(mode)

    assert verdict("data-folder", settings) is Verdict.FAILED


def test_a_data_folder_that_cannot_be_written_fails(settings, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)

    assert verdict("data-folder", settings) is Verdict.FAILED


def key(settings, mode):
    folder = settings.keys_dir / "nested"
    folder.mkdir(parents=True)
    file = folder / "key"
    file.touch()
    file.chmod(mode)


def test_no_keys_are_a_warning(settings):
    assert verdict("keys", settings) is Verdict.WARNING


def test_private_keys_are_well(settings):
    key(settings, 0o600)

    assert verdict("keys", settings) is Verdict.OK


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_read_fails(mode, settings):
    key(settings, mode)

    assert verdict("keys", settings) is Verdict.FAILED


def test_a_key_that_cannot_be_read_fails(settings, monkeypatch):
    key(settings, 0o600)
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)

    assert verdict("keys", settings) is Verdict.FAILED


def test_little_space_is_a_warning(settings, monkeypatch):
    usage = SimpleNamespace(free=1)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)

    assert verdict("disk-space", settings) is Verdict.WARNING


@pytest.mark.parametrize("now", [0, 5_000_000_000])
def test_a_wrong_clock_fails(now, settings, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: now)

    assert verdict("clock", settings) is Verdict.FAILED


def test_an_address_in_use_is_a_warning(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.port))
        taken.listen()

        assert verdict("address", settings) is Verdict.WARNING


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", Verdict.OK),
        ("https://fhir.test", Verdict.OK),
        ("http://fhir.test", Verdict.FAILED),
    ],
)
def test_beyond_this_machine_the_address_is_https(url, expected, settings):
    assert verdict("public-url", replace(settings, public_url=url)) is expected


def fails():
    raise ConnectionError("canary")


@pytest.mark.parametrize("name", [*PROBE_ADVICE, "another"])
def test_a_failing_probe_is_told_with_what_to_do_and_without_its_text(name, settings):
    secret = replace(settings, database_url="postgresql+psycopg://me:canary@db/fhir")

    finding = examine(secret, {name: fails})[-1]

    assert finding.verdict is Verdict.FAILED
    assert PROBE_ADVICE.get(name, "") in finding.sentence
    assert "canary" not in finding.sentence


def test_a_passing_probe_is_told_in_its_turn(settings):
    findings = examine(settings, {"database": lambda: None, "audit": fails})

    assert [finding.check for finding in findings[-2:]] == ["database", "audit"]
    assert findings[-2].verdict is Verdict.OK
    assert not is_well(findings)


def test_findings_are_lines_or_json():
    findings = (Finding(check="clock", verdict=Verdict.OK, sentence="Well."),)

    assert told(findings, as_json=False) == "ok      clock         Well."
    assert '"verdict": "ok"' in told(findings, as_json=True)
