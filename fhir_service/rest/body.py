"""Bodies are read here, outside handler threads: size, time and memory limited.

https://www.rfc-editor.org/rfc/rfc9112#section-6
"""

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterator,
    Mapping,
)
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.issues import FHIRError, IssueType

DRAIN_BYTES = 64 * 1024 * 1024
"""Of a refused body that are read and thrown away, so that the client, which is
still sending, can read why instead of meeting a reset connection."""

MAX_DIGITS = 18
"""Of `Content-Length`."""

DRAIN_S = 5.0
"""Seconds given to that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long a body may be, by the door it comes to.

    Attributes:
        by_prefix: Start of a path, and the bytes allowed there; first match wins.
        elsewhere: Bytes allowed at every other path.
        memory: Bytes of all bodies in this process at one time.
        deadline_s: Seconds in which a body must have arrived.

    """

    by_prefix: tuple[tuple[str, int], ...]
    elsewhere: int
    memory: int
    deadline_s: float

    def at(self, path: str) -> int:
        """Return the longest body that `path` takes."""
        for prefix, limit in self.by_prefix:
            if path.startswith(prefix):
                return limit
        return self.elsewhere


class Held:
    """Bytes of bodies that this process holds; one event loop counts them."""

    def __init__(self, memory: int) -> None:
        self._free = memory

    def take(self, count: int) -> None:
        """Count bytes as held.

        Raises:
            FHIRError: `transient` where there is no room for them.

        """
        if count > self._free:
            raise FHIRError(
                IssueType.TRANSIENT, "The service is busy with other uploads."
            )
        self._free -= count

    def give(self, count: int) -> None:
        """Count bytes as let go."""
        self._free += count


class Pieces:
    """A body as far as it has arrived."""

    def __init__(self, held: Held, limit: int) -> None:
        self._held = held
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0
        self.empty_at_end = 0

    def add(self, part: bytes) -> None:
        """Take one piece.

        Raises:
            FHIRError: `too-long`, or `transient` where memory is short.

        """
        if not part:
            self.empty_at_end += 1
            return
        if self.size + len(part) > self._limit:
            raise too_long(self._limit)
        self._held.take(len(part))
        self.empty_at_end = 0
        self.size += len(part)
        self._parts.append(part)

    def body(self) -> bytes:
        """Return the whole."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


@contextmanager
def pieces(held: Held, limit: int) -> Iterator[Pieces]:
    """Hold a body's memory until the request has been answered."""
    parts = Pieces(held, limit)
    try:
        yield parts
    finally:
        held.give(parts.size)


async def arriving(exchange: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield the pieces of a body; reading may pause and go on.

    What RSGI hands out can only be the subject of one `async for`: `anext` on it
    kills the process (granian 2.8).
    """
    async for part in exchange:
        yield part


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a request with these fields carries a body (RFC 9112 §6)."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def read_body(
    incoming: AsyncIterator[bytes],
    headers: Mapping[str, str],
    parts: Pieces,
    limits: Limits,
) -> None:
    """Read a body into `parts`.

    Args:
        incoming: Its pieces; may be read only once, also by `drain`.
        headers: Of the request.
        parts: Takes the pieces.
        limits: Of the service.

    Raises:
        FHIRError: `too-long`, `timeout`, `incomplete` or `transient`.

    """
    try:
        async with asyncio.timeout(limits.deadline_s):
            async for part in incoming:
                parts.add(part)
    except TimeoutError:
        raise FHIRError(
            IssueType.TIMEOUT,
            f"The body did not arrive within {limits.deadline_s:g} seconds.",
        ) from None
    if not _is_complete(headers, parts):
        raise FHIRError(IssueType.INCOMPLETE, "The body ended too early.")


def refuse_declared(headers: Mapping[str, str], limit: int) -> None:
    """Refuse a body by the length that it declares, before any of it is read.

    Raises:
        FHIRError: `too-long`, or `invalid` for a length that is none.

    """
    if "transfer-encoding" not in headers and declared_length(headers) > limit:
        raise too_long(limit)


def declared_length(headers: Mapping[str, str]) -> int:
    """Return `Content-Length`.

    Raises:
        FHIRError: `invalid` where it is not one whole number.

    """
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise FHIRError(IssueType.INVALID, "Content-Length is not one whole number.")
    return int(text)


def too_long(limit: int) -> FHIRError:
    """Return the error for a body beyond `limit`."""
    return FHIRError(
        IssueType.TOO_LONG, f"The body is longer than the {limit} bytes allowed here."
    )


def _is_complete(headers: Mapping[str, str], parts: Pieces) -> bool:
    """Whether the client sent all it meant to.

    Granian ends the pieces of a body that broke off without an error, but with more
    than the one empty piece that ends a whole body; a chunked body tells by that
    alone. (Trailer fields do the same and are refused with it.)
    """
    if parts.empty_at_end > 1:
        return False
    if "transfer-encoding" in headers:
        return True
    return parts.size == declared_length(headers)


async def drain(incoming: AsyncIterator[bytes]) -> None:
    """Read and throw away what a refused client still sends, within limits."""
    end = time.monotonic() + DRAIN_S
    count = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            async for part in incoming:
                count += len(part)
                if count > DRAIN_BYTES or time.monotonic() > end:
                    return
    except TimeoutError:
        return
