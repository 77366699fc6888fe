"""A full disk: nothing leaves unrecorded, `/readyz` says so, and it recovers."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from deployed import deployed

SIZE = "24m"
PATIENCE_S = 30


@pytest.fixture
def small(tmp_path):
    """Return a folder on a file system of its own, where one can be made."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount program here")
    made = subprocess.run(  # noqa: S603 - a file system in memory, of our own
        [mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("a file system in memory needs the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S603, S607


def fill(folder):
    """Write until nothing more fits; return the file."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def until(wanted, ask):
    """Return the first answer with a wanted status, or the last one."""
    end = time.monotonic() + PATIENCE_S
    while True:
        status = ask()
        if status in wanted or time.monotonic() > end:
            return status
        time.sleep(0.2)


def test_a_full_disk_stops_reads_until_there_is_room_again(small):
    with deployed(small) as service:
        service.register("ehr", "system/Organization.cr")
        token = service.token("ehr", "system/Organization.cr")
        headers = {"Authorization": f"Bearer {token}"}
        made = requests.post(
            f"{service.base}/Organization",
            json={"resourceType": "Organization", "name": "Clinic"},
            headers={**headers, "Content-Type": "application/fhir+json"},
            timeout=30,
        )
        url = f"{service.base}/Organization/{made.json()['id']}"

        def read():
            return requests.get(url, headers=headers, timeout=30).status_code

        def ready():
            return requests.get(f"{service.url}/readyz", timeout=30).status_code

        before = read()
        filler = fill(small)
        refused, unready = until({503}, read), until({503}, ready)
        body = requests.get(url, headers=headers, timeout=30).text
        filler.unlink()
        after, ready_again = until({200}, read), until({200}, ready)

        assert (before, refused, unready, after, ready_again) == (
            200,
            503,
            503,
            200,
            200,
        )
        assert "Clinic" not in body
