"""The server of the bench as a process, its processor time and its memory.

Time and memory are read from Linux's `/proc`; elsewhere they are not measured.

https://man7.org/linux/man-pages/man5/proc.5.html
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fhir_service.bench.stage import BenchError

_START_S = 60
_STOP_S = 60
_SETTLE_S = 120
_REST_S = 0.2
_IDLE_S = 0.02
"""Processor time in a rest of `_REST_S` below which nothing is being done."""

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        process: The process that was started; its children serve.

    """

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def settle(self) -> None:
        """Wait until it has nothing left to do: no audit row waits to be written.

        Raises:
            BenchError: where it does not come to rest.

        """
        end = time.monotonic() + _SETTLE_S
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(_REST_S)
            now = self.cpu_seconds()
            if now is None or before is None or now - before <= _IDLE_S:
                return
            before = now
        raise BenchError("The server of the bench does not come to rest.")

    def status_of(self, path: str, timeout_s: float) -> int:
        """Return the status of a GET."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout_s
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def cpu_seconds(self) -> float | None:
        """Return the processor time that it has taken so far."""
        times = [_stat(pid) for pid in _tree(self.process.pid)]
        if not times:
            return None
        return sum(int(one[11]) + int(one[12]) for one in times) / _TICKS_A_SECOND

    def resident_bytes(self) -> int | None:
        """Return the memory of its processes, shared pages counted in each."""
        stats = [_stat(pid) for pid in _tree(self.process.pid)]
        return sum(int(one[21]) for one in stats) * _PAGE_BYTES if stats else None

    def worker_bytes(self, field: str) -> int | None:
        """Return a field of `/proc/PID/status` of the largest process that serves.

        Args:
            field: Such as `VmRSS`, which the kernel gives in KiB.

        """
        values = [_status(pid, field) for pid in _tree(self.process.pid)[1:]]
        return max(values, default=None)


def _tree(pid: int) -> list[int]:
    """Return a process and all below it; none where /proc does not tell."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found.extend(map(int, _text(children).split()))
    return found if Path(f"/proc/{pid}").exists() else []


def _stat(pid: int) -> list[str]:
    """Return the fields of stat from the state on, which is the third."""
    return _text(Path(f"/proc/{pid}/stat")).rpartition(") ")[2].split() or ["0"] * 50


def _status(pid: int, field: str) -> int:
    """Return a field of a process's status in bytes; 0 where it is gone."""
    for line in _text(Path(f"/proc/{pid}/status")).splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Start `fhir_service.bench.serve` and stop it.

    Args:
        environment: The settings; the process gets no other.
        log: Where its log lines go.

    Raises:
        BenchError: where it does not start.

    """
    port = free_port()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "fhir_service.bench.serve"],
            env={**environment, "FHIR_SERVICE_PORT": str(port)},
            stdout=sink,
            stderr=sink,
        )
    server = Server(port=port, process=process)
    try:
        _await(server, log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: Server, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.process.poll() is None:
        try:
            server.status_of("/livez", _START_S)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"The server did not start: {_text(log)[-1000:]}")
