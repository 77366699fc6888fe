"""The server as a process of its own, from its first answer to its last."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

import requests

from conformance.issues import FHIRError, IssueType
from fhir_service.demo.query import direct
from fhir_service.server import probe_address
from fhir_service.settings import Settings, SettingsError, environment_of

COMMAND = (sys.executable, "-c", "from fhir_service.cli import main; main(['serve'])")
LOCALHOST = "localhost"
START_S = 60
ANSWER_S = 5
POLL_S = 0.05

Process = subprocess.Popen[bytes]


def at_this_machine(settings: Settings) -> Settings:
    """Return the settings with a public address that leads to the port served.

    Raises:
        SettingsError: where the address is in use, or not this machine's.

    """
    probe_address(settings)
    public = urlsplit(settings.public_url)
    if public.hostname != LOCALHOST or public.port == settings.port:
        return settings
    return replace(settings, public_url=f"http://{LOCALHOST}:{settings.port}")


def at_a_free_port(settings: Settings) -> Settings:
    """Return the settings as they are, or with another port where theirs is in use."""
    try:
        return at_this_machine(settings)
    except SettingsError:
        with socket.socket() as probe:
            probe.bind((settings.host, 0))
            port: int = probe.getsockname()[1]
        return at_this_machine(replace(settings, port=port))


@contextmanager
def serving(settings: Settings, log: IO[bytes] | None = None) -> Iterator[Process]:
    """Run the server until the block ends; yield it once it is ready.

    Args:
        settings: What it is given in its environment.
        log: Where its log goes; standard error where None.

    Raises:
        FHIRError: `exception` where it does not become ready.

    """
    process = subprocess.Popen(  # noqa: S603 - our own command
        COMMAND,
        env=environment_of(settings),
        stderr=log,
        # A Ctrl-C at the terminal would reach its workers before itself.
        start_new_session=True,
    )
    try:
        with _forwarding(process):
            if not _is_ready(process, settings):
                where = "above" if log is None else log.name
                raise FHIRError(
                    IssueType.EXCEPTION, f"The server is not ready; see {where}."
                )
            yield process
    finally:
        _stop(process, settings)


_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""What ends this process, and so the server; a Ctrl-C arrives as an exception."""


@contextmanager
def _forwarding(process: Process) -> Iterator[None]:
    """End the server in its own way, with the requests in flight, when we are ended."""

    def end(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    before = {number: signal.signal(number, end) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ready(process: Process, settings: Settings) -> bool:
    """Wait until the server is ready; return False where it ended, or took too long."""
    host = LOCALHOST if _is_any(settings.host) else settings.host
    url = f"http://{host}:{settings.port}/readyz"
    session, end = direct(), time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if session.get(url, timeout=ANSWER_S).ok:
                return True
        except requests.RequestException:
            pass
        time.sleep(POLL_S)
    return False


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _stop(process: Process, settings: Settings) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(settings.stop_deadline_s + POLL_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
