"""A proof that leaves the service is checked by a program that needs none of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_service import audit_trail
from fhir_service.deployment import opened

PATIENT = "demo-patient-01"


@pytest.fixture
def verified(tmp_path, filled, fhir_service):
    """Return what runs the printed verifier on a bundle, in isolation."""
    program = tmp_path / "verify_proof.py"
    program.write_text(fhir_service(filled, "audit", "verifier").stdout)

    def verify(bundle, *words):
        return subprocess.run(  # noqa: S603 - the program under test
            [sys.executable, "-I", str(program), str(bundle), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    return verify


def test_the_rows_of_a_patient_are_proved_and_told(
    filled, fhir_service, verified, tmp_path
):
    bundle = tmp_path / "proof.json"
    made = fhir_service(filled, "audit", "prove", str(bundle), "--patient", PATIENT)

    done = verified(bundle, "--json")

    assert made.exit_code == 0, made.stderr
    told = json.loads(done.stdout)
    assert len(told["rows"]) >= 1
    assert {row["interaction"] for row in told["rows"]} >= {"export"}


def test_a_row_by_its_number_continues_a_checkpoint(
    filled, fhir_service, verified, tmp_path
):
    kept = fhir_service(filled, "audit", "checkpoint").stdout.strip()
    bundle = tmp_path / "proof.json"
    words = ("audit", "prove", str(bundle), "--row", "0", "--row", "3")

    fhir_service(filled, *words, "--since", kept)

    done = verified(bundle)
    assert done.returncode == 0, done.stdout
    assert "Proved: 2 rows" in done.stdout
    assert "It continues what it was" in done.stdout


def test_a_proof_that_was_changed_is_refused(filled, fhir_service, verified, tmp_path):
    bundle = tmp_path / "proof.json"
    fhir_service(filled, "audit", "prove", str(bundle), "--row", "2")
    told = json.loads(bundle.read_text())
    told["rows"][0]["says"]["outcome"] = "denied"
    bundle.write_text(json.dumps(told))

    assert verified(bundle).returncode == 1


def test_making_a_proof_is_recorded_as_an_export(filled, fhir_service, tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    fhir_service(filled, "audit", "prove", str(first), "--row", "0")
    size = json.loads(first.read_text())["checkpoint"].split("\n")[1]

    fhir_service(filled, "audit", "prove", str(second), "--row", str(int(size) - 1))

    [row] = json.loads(second.read_text())["rows"]
    assert row["says"]["interaction"] == "export"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--row", "999999"), 1, "no such row"),
        (("--patient", "nobody"), 1, "There is no Patient/nobody here."),
        ((), 2, "Say --row, or --patient."),
    ],
)
def test_what_cannot_be_proved_is_said(  # noqa: PLR0913, PLR0917 - a table's columns
    filled, fhir_service, tmp_path, words, code, said
):
    target = tmp_path / "proof.json"

    result = fhir_service(filled, "audit", "prove", str(target), *words)

    assert result.exit_code == code
    assert said in result.stderr
    assert not target.exists()


def test_a_proof_is_not_written_over(filled, fhir_service, tmp_path):
    target = tmp_path / "proof.json"
    target.write_text("evidence")

    result = fhir_service(filled, "audit", "prove", str(target), "--row", "0")

    assert result.exit_code == 1
    assert target.read_text() == "evidence"


def test_a_checkpoint_made_now_lies_beside_the_database(filled, fhir_service):
    path = Path(fhir_service(filled, "audit", "checkpoint").stdout.strip())

    with opened(filled) as deployment:
        assert path.read_bytes() in audit_trail.checkpoints_in(deployment.checkpoints)
