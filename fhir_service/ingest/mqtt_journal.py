"""When messages came that a broker may send again, kept over the end of the process.

A message without a time of its own is dated by its coming. Should the process be
killed between the commit and the acknowledgement, the broker sends the message again,
and it must come with the same time to be known as the same. So the times are written
down before anything is stored: keyed digests and times alone, in a file for its owner.
"""

import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

KEY_BYTES = 16
_ENTRY = struct.Struct(f">{KEY_BYTES}sq")
_NUMBER = struct.Struct(">H")


class Journal:
    """The newest messages of one session at a broker.

    Args:
        path: The file; a new one replaces it as a whole.
        secret: Keys the digests: a message may hold a value that could be guessed.
        room: How many messages are remembered: more than the broker sends before
            the first is acknowledged.

    """

    def __init__(self, path: Path, secret: bytes, room: int) -> None:
        self._path = path
        self._secret = secret
        self._room = room
        self._times = self._read()

    def _read(self) -> dict[bytes, int]:
        """Return what the process before has left; a file cut short is no reason."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        whole = len(data) - len(data) % _ENTRY.size
        return dict(_ENTRY.iter_unpack(data[:whole]))

    def key(self, number: int, topic: str, payload: bytes) -> bytes:
        """Return what a message and its repetition have in common."""
        digest = hashlib.blake2b(
            _NUMBER.pack(number), digest_size=KEY_BYTES, key=self._secret
        )
        digest.update(topic.encode())
        digest.update(b"\x00")
        digest.update(payload)
        return digest.digest()

    def received_us(self, key: bytes) -> int | None:
        """Return when a message came first; None where that is not remembered."""
        return self._times.get(key)

    def write(self, messages: Iterable[tuple[bytes, int]]) -> None:
        """Remember messages, on disk as far as a killed process is concerned."""
        times = self._times
        for key, received_us in messages:
            times.pop(key, None)
            times[key] = received_us
        for key in list(times)[: max(len(times) - self._room, 0)]:
            del times[key]
        other = self._path.with_suffix(".new")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join([_ENTRY.pack(*entry) for entry in times.items()]))
        other.replace(self._path)
