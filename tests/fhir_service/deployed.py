"""A deployment in a process of its own, and clients that ask it with real tokens."""

import json
import os
import re
import secrets
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
from joserfc import jwt
from joserfc.jwk import ECKey

from fhir_service.app import open_auth_services
from fhir_service.commands import client
from fhir_service.settings import read_settings

if TYPE_CHECKING:
    from fhir_service.auth.services import AuthServices

COMMAND = "from fhir_service.cli import main; main()"
START_S = 40
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Deployed:
    """A deployment on SQLite and the process that serves it."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"{self.url}/fhir"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "FHIR_SERVICE_DATA_DIR": str(self.folder / "data"),
            "FHIR_SERVICE_PORT": str(self.port),
            "FHIR_SERVICE_PUBLIC_URL": self.url,
        }

    def start(self) -> None:
        kept = {"PATH": os.environ["PATH"]}  # noqa: TID251 - for a process of its own
        with (self.folder / "errors").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-W", "error", "-c", COMMAND, "serve"],
                env={**kept, **self.variables},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail(f"the service did not start: {self.log()}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_S)

    def log(self) -> str:
        return (self.folder / "errors").read_text(errors="replace")

    @contextmanager
    def opened(self) -> "Iterator[AuthServices]":
        """Open the same deployment beside the server, as a command does."""
        with open_auth_services(read_settings(self.variables)) as services:
            yield services

    def register(
        self, client_id: str, scope: str, organization: str | None = None
    ) -> None:
        """Register a client as `fhir-service client add` does, its key generated."""
        with self.opened() as services:
            client.add(
                services,
                client_id=client_id,
                name=None,
                scopes=(scope,),
                purposes=("TREAT",),
                organization=organization,
                sources=(),
                key=client.KeySource(directory=self.keys, algorithm="ES384"),
            )

    @property
    def keys(self) -> Path:
        return self.folder / "clients"

    def assertion(self, client_id: str) -> str:
        """Return the signed statement by which a client asks for a token."""
        pattern = re.compile(rf"{re.escape(client_id)}\..*\.jwk\.json")
        [path] = [path for path in self.keys.iterdir() if pattern.match(path.name)]
        key = ECKey.import_key(json.loads(path.read_text()))
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": f"{self.url}/auth/token",
            "exp": int(time.time()) + 200,
            "jti": secrets.token_hex(8),
        }
        header = {"alg": "ES384", "kid": key.kid, "typ": "JWT"}
        return jwt.encode(header, claims, key, algorithms=["ES384"])

    def token(self, client_id: str, scope: str) -> str:
        answer = requests.post(
            f"{self.url}/auth/token",
            data={
                "grant_type": "client_credentials",
                "scope": scope,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self.assertion(client_id),
            },
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def create(self, resource: dict[str, Any], token: str) -> str:
        """Create a resource; return its id."""
        answer = requests.post(
            f"{self.base}/{resource['resourceType']}",
            json=resource,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Yield a new deployment while it is served."""
    made = Deployed(port=free_port(), folder=folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
