"""Folders of files: each imported once, gone on with, tried again, watched."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from conformance.issues import FHIRError
from fhir_service.auth import local
from fhir_service.deployment import opened
from fhir_service.ingest.intake import TRANSACTION
from fhir_service.ingest.receipt import Fate, Receipt
from fhir_service.ingest.resuming import Importing
from fhir_service.ingest.watching import RETRY_S, Folder, files_in
from fhir_service.storage.file_imports import file_import
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry, observation_time

ROOT = Path(__file__).parents[3]
PATIENT = "demo-patient-01"
RECORD = (
    ' <Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch"'
    ' unit="count/min" startDate="{at}" endDate="{at}" creationDate="{at}"'
    ' value="{value}"/>\n'
)


def export(*seconds):
    """Return an export with one heart rate at each second of a day."""
    records = (
        RECORD.format(
            at=f"2026-02-01 {second // 3600:02}:{second // 60 % 60:02}:"
            f"{second % 60:02} +0100",
            value=60 + second % 40,
        )
        for second in seconds
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_US">\n'
        + "".join(records)
        + "</HealthData>\n"
    )


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "arriving"
    path.mkdir()
    return path


def importing(deployment, zone=None):
    with deployment.database.read() as snapshot:
        patient = local.patient(snapshot, PATIENT)
    return Importing(
        services=deployment.services,
        source="apple-health",
        patient=patient,
        grant=local.operator(patient.organization),
        zone=zone,
    )


def counted(deployment, table=observation_time):
    count = Statement(select(func.count()).select_from(table))
    with deployment.database.read() as snapshot:
        [(found,)] = snapshot.all(count)
    return found


class Heard(list):
    """What was told of each file: its name, and counts or the kind of error."""

    def __call__(self, path, result):
        told = (
            {fate.value: count for fate, count in result.counts.items()}
            if isinstance(result, Receipt)
            else type(result).__name__
        )
        self.append((path.name, told))


def test_every_file_of_a_folder_is_imported_once_whatever_its_name(deployment, folder):
    (folder / "b.xml").write_text(export(1, 2))
    (folder / "inside").mkdir()
    (folder / "inside" / "a.xml").write_text(export(3))
    heard = Heard()
    Folder(folder, importing(deployment), heard).once()
    (folder / "b.xml").rename(folder / "c.xml")

    Folder(folder, importing(deployment), heard).once()

    assert heard == [("b.xml", {"stored": 2}), ("a.xml", {"stored": 1})]


def test_files_that_are_hidden_unfinished_or_links_are_passed_over(folder, tmp_path):
    for name in (".hidden.xml", "a.xml.part", "b.TMP", "c.xml"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "d.xml").write_text("x")
    (tmp_path / "secret.xml").write_text("x")
    (folder / "link.xml").symlink_to(tmp_path / "secret.xml")
    (folder / "outside").symlink_to(tmp_path)

    assert [path.name for path in files_in(folder)] == ["c.xml"]


def test_another_zone_reads_a_file_anew(deployment, folder):
    (folder / "a.xml").write_text(export(1))
    heard = Heard()
    Folder(folder, importing(deployment), heard).once()

    Folder(folder, importing(deployment, "Europe/Berlin"), heard).once()

    assert [told for _, told in heard] == [{"stored": 1}, {"amended": 1}]


def test_an_import_that_broke_off_goes_on_and_the_accounts_add_up(
    deployment, folder, monkeypatch
):
    file = folder / "a.xml"
    file.write_text(export(*range(3 * TRANSACTION + 10)))
    first = importing(deployment)
    place = first.place(file)
    _breaking_after(monkeypatch, deployment, 2 * TRANSACTION)
    with pytest.raises(FHIRError):
        first.take(file, place)
    monkeypatch.undo()
    known = first.known(place)
    before = counted(deployment, audit_entry)

    receipt = importing(deployment).take(file, place)

    assert (known.taken, known.finished) == (2 * TRANSACTION, None)
    assert counted(deployment, audit_entry) == before + 2
    assert dict(receipt.counts) == {Fate.STORED: 3 * TRANSACTION + 10}
    assert receipt.kinds == {("heart-rate", Fate.STORED, ""): 3 * TRANSACTION + 10}
    assert importing(deployment).known(place).finished is not None


def _breaking_after(monkeypatch, deployment, count):
    """Let the disk be full once so many readings are stored."""
    write = deployment.database.write
    at_first = counted(deployment)

    def failing(work):
        is_full = counted(deployment) - at_first >= count
        if is_full and "_transacted" in work.__qualname__:
            raise OSError
        return write(work)

    monkeypatch.setattr(deployment.database, "write", failing)


def test_a_file_that_cannot_be_read_keeps_no_other_out_and_is_told(deployment, folder):
    (folder / "a.xml").write_text("no export")
    (folder / "b.xml").write_text(export(1))
    (folder / "c.xml").write_text(export(2))
    (folder / "c.xml").chmod(0)
    heard = Heard()
    found = Folder(folder, importing(deployment), heard)

    found.once()

    expected = [("a.xml", "FHIRError"), ("b.xml", {"stored": 1})]
    if os.geteuid() != 0:  # Root reads whatever it likes.
        expected.append(("c.xml", "PermissionError"))
    assert heard[: len(expected)] == expected
    assert (folder / "a.xml") in found.failed


def test_a_file_is_taken_once_it_has_stayed_as_it_is(deployment, folder):
    file = folder / "a.xml"
    heard = Heard()
    found = Folder(folder, importing(deployment), heard)
    file.write_text(export(1)[:-20])
    found.look(0)
    file.write_text(export(1))
    found.look(1)
    at_first = list(heard)

    found.look(2)
    found.look(3)

    assert at_first == []
    assert heard == [("a.xml", {"stored": 1})]


def test_a_file_that_failed_is_tried_again_after_a_longer_pause_each_time(
    deployment, folder
):
    file = folder / "a.xml"
    file.write_text("no export")
    heard = Heard()
    found = Folder(folder, importing(deployment), heard)
    pause = RETRY_S[0]
    times = {}
    for now in (0, 1, 2, 1 + pause, 2 + pause, 1 + 2 * pause, 1 + 3 * pause):
        found.look(now)
        times[now] = len(heard)

    assert list(times.values()) == [0, 1, 1, 2, 2, 2, 3]


def test_a_file_that_failed_is_tried_at_once_when_it_has_changed(deployment, folder):
    file = folder / "a.xml"
    file.write_text("no export")
    heard = Heard()
    found = Folder(folder, importing(deployment), heard)
    for now in (0, 1):
        found.look(now)
    file.write_text(export(1))

    for now in (2, 3):
        found.look(now)

    assert [told for _, told in heard] == ["FHIRError", {"stored": 1}]
    assert found.failed == {}


def test_a_file_that_has_gone_is_forgotten_and_is_no_fault(deployment, folder):
    file = folder / "a.xml"
    file.write_text("no export")
    found = Folder(folder, importing(deployment), Heard())
    for now in (0, 1):
        found.look(now)
    file.unlink()

    found.look(2)

    assert found.failed == {}


def test_watching_ends_when_it_is_told_to(deployment, folder):
    (folder / "a.xml").write_text(export(1))
    stopping = threading.Event()

    def told(_path, _result):
        stopping.set()

    found = Folder(folder, importing(deployment), told)
    found.watch(stopping, time.monotonic)

    assert counted(deployment, file_import) == 1


# The command


def command(settings, *words):
    environment = {
        **os.environ,  # noqa: TID251 - of another process
        "FHIR_SERVICE_DATA_DIR": str(settings.data_dir),
    }
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", "from fhir_service.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=ROOT,
    )


def test_a_folder_is_imported_and_told_file_by_file(filled, folder, fhir_service):
    (folder / "a.xml").write_text(export(1, 2))
    (folder / "b.xml").write_text("no export")
    words = ("import", "apple-health", str(folder), "--patient", PATIENT)

    first = fhir_service(filled, *words)
    second = fhir_service(filled, *words, "--json")

    assert first.exit_code == 1
    sentence = "The file is not the export.xml of Apple Health: it has no HealthData."
    assert first.stdout.splitlines() == ["a.xml: 2 stored", f"b.xml: {sentence}"]
    assert "1 of the files could not be read." in first.stderr
    [again] = [json.loads(line) for line in second.stdout.splitlines()]
    assert again == {"file": "b.xml", "error": sentence}


def test_a_file_cannot_be_watched(filled, folder, fhir_service):
    file = folder / "a.xml"
    file.write_text(export(1))

    result = fhir_service(
        filled, "import", "apple-health", str(file), "--patient", PATIENT, "--watch"
    )

    assert (result.exit_code, result.stderr) == (
        1,
        "fhir-service: A folder is watched, not a file.\n",
    )


def test_a_watched_folder_is_read_until_sigterm(filled, folder):
    words = ("import", "apple-health", str(folder), "--patient", PATIENT, "--watch")
    watching = command(filled, *words)
    (folder / "a.xml").write_text(export(1, 2))

    line = watching.stdout.readline()
    watching.send_signal(signal.SIGTERM)

    assert line == "a.xml: 2 stored\n"
    assert watching.wait(30) == 0
    watching.stdout.close()


def test_an_import_killed_in_the_middle_goes_on_and_nothing_is_stored_twice(
    filled, folder, fhir_service
):
    count = 40_000
    file = folder / "a.xml"
    file.write_text(export(*range(count)))
    with opened(filled) as deployment:
        before = counted(deployment)
        process = command(
            filled, "import", "apple-health", str(file), "--patient", PATIENT
        )
        end = time.monotonic() + 60
        while counted(deployment) - before < 3 * TRANSACTION:
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
        process.wait()
        process.stdout.close()
        there = counted(deployment) - before

    result = fhir_service(
        filled, "import", "apple-health", str(file), "--patient", PATIENT, "--json"
    )

    told = json.loads(result.stdout)
    assert 3 * TRANSACTION <= there < count
    assert told["stored"] + told["duplicate"] == told["received"] == count
    assert told["duplicate"] <= TRANSACTION
    with opened(filled) as deployment:
        assert counted(deployment) - before == count
