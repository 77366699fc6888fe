"""A Mosquitto of a test's own, and what publishes to it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_MOSQUITTO"
PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous {anonymous}
persistence true
persistence_location {folder}/
autosave_on_changes false
autosave_interval 1
max_inflight_messages 0
max_queued_messages 0
log_type error
{more}
"""


def require_mosquitto() -> None:
    """Skip, or fail where Mosquitto must be here."""
    if Path(PROGRAM).exists():
        return
    if os.environ.get(REQUIRE_VARIABLE):  # noqa: TID251 - the tests' own variable
        pytest.fail("Mosquitto is required here and is not installed")
    pytest.skip("Mosquitto is not installed (/usr/sbin/mosquitto)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Mosquitto:
    """A broker on a port of its own; it remembers sessions in its folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    more: str = ""
    anonymous: bool = True
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                folder=self.folder,
                more=self.more + ("\nuser root" if os.geteuid() == 0 else ""),
                anonymous=str(self.anonymous).lower(),
            )
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the program found above
                [PROGRAM, "-c", configuration], stdout=log, stderr=log
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        pytest.fail(f"Mosquitto did not start: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def publisher(port: int) -> Client:
    """Return a connected client that publishes."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def publish(port: int, messages: "list[tuple[str, bytes]]", **more: object) -> None:
    """Publish with QoS 1 and wait until the broker has taken all."""
    client = publisher(port)
    sent = [
        client.publish(topic, body, **{"qos": 1, **more})  # type: ignore[arg-type]
        for topic, body in messages
    ]
    for one in sent:
        one.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
