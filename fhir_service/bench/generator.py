"""A small load generator: `python -m fhir_service.bench.generator URL ...`.

One thread, many connections that stay open, one request on its way in each. It costs
more of the processor than wrk does, so its shares are lower for the quicker route.
Prints one line of JSON.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

_CHUNK = 262_144
_WAIT_S = 1.0
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Connection:
    """One connection and the answer that arrives on it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self._pieces: list[bytes] = []
        self._missing = -1

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._pieces, self._missing = [], -1
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def take(self) -> tuple[bool, int] | None:
        """Return whether it was 200 and how long, once an answer is complete.

        Raises:
            ConnectionError: where the server closed the connection.

        """
        piece = self.socket.recv(_CHUNK)
        if not piece:
            raise ConnectionError
        self._pieces.append(piece)
        if self._missing < 0:
            self._begin()
        else:
            self._missing -= len(piece)
        if self._missing:
            return None
        size = sum(map(len, self._pieces))
        return self._pieces[0].startswith(b"HTTP/1.1 200"), size

    def _begin(self) -> None:
        """Learn from a complete head how much is still missing."""
        self._pieces = [b"".join(self._pieces)]
        head, end, body = self._pieces[0].partition(_END)
        if end:
            length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._missing = int(length or b"0") - len(body)


class Counted:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.body_bytes = 0
        self.errors = 0

    def add(self, answer: tuple[bool, int], seconds: float) -> None:
        """Count one answer."""
        self.latencies.append(seconds)
        self.errors += not answer[0]
        self.body_bytes += answer[1]

    def line(self, seconds: float) -> str:
        """Return what is printed."""
        ordered = sorted(self.latencies) or [0.0]
        return json.dumps(
            {
                "answers": len(self.latencies),
                "seconds": seconds,
                "body_bytes": self.body_bytes,
                "errors": self.errors,
                "p50_ms": ordered[len(ordered) // 2] * 1e3,
                "p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
            }
        )


def requests_of(paths: Path, headers: Path, host: str, skip: int) -> list[bytes]:
    """Return every request, beginning after `skip` of them."""
    fields = "".join(f"{line}\r\n" for line in headers.read_text().splitlines())
    made = [
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()
        for path in paths.read_text().splitlines()
    ]
    skip %= len(made)
    return made[skip:] + made[:skip]


def run(
    address: tuple[str, int],
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
) -> str:
    """Ask for a time and return the line of JSON."""
    following, counted = cycle(requests), Counted()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = Connection(address)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask(next(following))
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            for key, _ in selector.select(_WAIT_S):
                connection = key.data
                answer = connection.take()
                if answer is not None:
                    now = time.perf_counter()
                    counted.add(answer, now - connection.asked_at)
                    connection.ask(next(following))
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return counted.line(now - began)


def main(arguments: Sequence[str]) -> None:
    """Read the arguments, run, and print."""
    url, connections, seconds, paths, headers, skip = arguments
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    requests = requests_of(Path(paths), Path(headers), parts.netloc, int(skip))
    line = run((host, parts.port or 80), requests, int(connections), float(seconds))
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
