"""A small load generator: `python -m fhir_service.bench.generator URL ...`.

One thread, many connections that stay open, one request on its way in each. It costs
more of the processor than wrk does, so its shares are lower for the quicker route.
Prints one line of JSON.

A line of the file of requests is a path, or a path and, after a space, the body that
is posted there. `NUMBER` in a body becomes a number that no other request has.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

_CHUNK = 262_144
_WAIT_S = 1.0
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "

NUMBER = "@@@@@@@@@"
"""Stands in a body for nine digits."""


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
        """Return whether it was good and how long, once an answer is complete.

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
        return self._pieces[0].startswith(b"HTTP/1.1 2"), size

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


def requests_of(lines: Path, headers: Path, host: str) -> list[bytes]:
    """Return every request of a file, with the headers of another."""
    fields = "".join(f"{line}\r\n" for line in headers.read_text().splitlines())
    return [
        _request(*line.partition(" ")[::2], f"Host: {host}\r\n{fields}")
        for line in lines.read_text().splitlines()
    ]


def _request(path: str, body: str, fields: str) -> bytes:
    if not body:
        return f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()
    sent = body.encode()
    head = f"POST {path} HTTP/1.1\r\n{fields}Content-Length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


def following(requests: Sequence[bytes], first: int) -> Iterator[bytes]:
    """Yield the requests in turn, for ever, those with a number numbered."""
    mark = NUMBER.encode()
    for number in count(first):
        request = requests[number % len(requests)]
        yield request.replace(mark, b"%09d" % number)


def run(
    address: tuple[str, int],
    requests: Iterator[bytes],
    connections: int,
    seconds: float,
) -> str:
    """Ask for a time, and until one answer is there; return the line of JSON."""
    counted = Counted()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = Connection(address)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask(next(requests))
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds or not counted.latencies:
            for key, _ in selector.select(_WAIT_S):
                connection = key.data
                answer = connection.take()
                if answer is not None:
                    now = time.perf_counter()
                    counted.add(answer, now - connection.asked_at)
                    connection.ask(next(requests))
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return counted.line(now - began)


def main(arguments: Sequence[str]) -> None:
    """Read the arguments, run, and print."""
    url, connections, seconds, lines, headers, skip = arguments
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    requests = following(
        requests_of(Path(lines), Path(headers), parts.netloc), int(skip)
    )
    line = run((host, parts.port or 80), requests, int(connections), float(seconds))
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
