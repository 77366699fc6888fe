"""The real server, with what the journeys through it share."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from fhir_service.app import open_auth_services
from fhir_service.settings import read_settings

if TYPE_CHECKING:
    from fhir_service.auth.services import AuthServices

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

COMMAND = "from fhir_service.cli import main; main()"
START_S = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Service:
    """A deployment and the process that serves it."""

    port: int
    folder: Path
    variables: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        kept = {"PATH": os.environ["PATH"]}  # noqa: TID251 - for a process of its own
        with (self.folder / "errors").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-W", "error", "-c", COMMAND, "serve"],
                env={**kept, **self.variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail(f"the service did not start: {self.log()}")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)

    def crash(self) -> None:
        """End the service and its workers as a power cut does."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(START_S)

    @contextmanager
    def opened(self) -> "Iterator[AuthServices]":
        """Open the same deployment beside the server, as a command does."""
        with open_auth_services(read_settings(self.variables)) as services:
            yield services

    def log(self) -> str:
        return (self.folder / "errors").read_text(errors="replace")

    def get(self, path: str, token: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(self.url + path, headers=headers, timeout=20, **options)

    def post(
        self, path: str, body: object, token: str, content_type: str = "fhir+json"
    ) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": f"application/{content_type}",
        }
        return requests.post(self.url + path, json=body, headers=headers, timeout=20)

    def key_of(self, client_id: str) -> Path:
        pattern = re.compile(rf"{re.escape(client_id)}\..*\.jwk\.json")
        [found] = [
            path
            for path in (self.folder / "clients").iterdir()
            if pattern.fullmatch(path.name)
        ]
        return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    port, folder = free_port(), tmp_path_factory.mktemp("service")
    made = Service(
        port=port,
        folder=folder,
        variables={
            "FHIR_SERVICE_DATA_DIR": str(folder / "data"),
            "FHIR_SERVICE_PORT": str(port),
            "FHIR_SERVICE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        },
    )
    made.start()
    yield made
    assert made.process is not None
    if made.process.poll() is None:
        made.stop()
