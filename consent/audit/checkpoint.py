"""Signed statements of what the log held, for keeping outside the database.

A checkpoint is a signed note: origin, number of leaves, root, and a line with the
time, then an empty line and an Ed25519 signature. Anybody who keeps one can later
show that the log was cut, rewritten or forked.

https://c2sp.org/tlog-checkpoint · https://c2sp.org/signed-note
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from consent.audit.merkle import (
    HASH_LENGTH,
    ProofError,
    TreeHead,
    verify_consistency,
)

MAX_NOTE = 10_000
"""Bytes of a note that are looked at; a checkpoint has about 250."""

MAX_SIGNATURES = 16
"""Signature lines that are looked at: the log's own and those of witnesses."""

_ED25519 = b"\x01"
"""Signature type of a signed note: Ed25519."""

_KEY_ID_LENGTH = 4
_SIGNATURE_LENGTH = 64
_DASH = "\u2014 "
_TIME = "time "
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
)


class CheckpointError(Exception):
    """A note that is not a checkpoint of this log, or contradicts an earlier one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What the log held at a time.

    Attributes:
        origin: Name of the log, without spaces and `+`; a URL without scheme.
        size: Number of leaves.
        root: Hash that commits to them.
        time_us: When it was made, microseconds since 1970-01-01T00:00:00Z.

    """

    origin: str
    size: int
    root: bytes
    time_us: int

    @property
    def head(self) -> TreeHead:
        """Size and root."""
        return TreeHead(self.size, self.root)

    @property
    def time(self) -> str:
        """When it was made, as an instant of ISO 8601."""
        instant = _EPOCH + timedelta(microseconds=self.time_us)
        return f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"

    def text(self) -> str:
        """Return the text that is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{_TIME}{self.time}\n"


def key_id(origin: str, public_key: Ed25519PublicKey) -> bytes:
    """Return the four bytes by which a note names the key that signed it."""
    return sha256(
        origin.encode() + b"\n" + _ED25519 + public_key.public_bytes_raw()
    ).digest()[:_KEY_ID_LENGTH]


def verifier_key(origin: str, public_key: Ed25519PublicKey) -> str:
    """Return the public key as signed notes write it: name, id and key."""
    key = base64.b64encode(_ED25519 + public_key.public_bytes_raw()).decode()
    return f"{origin}+{key_id(origin, public_key).hex()}+{key}"


def parse_verifier_key(text: str) -> tuple[str, Ed25519PublicKey]:
    """Return origin and public key of a `verifier_key`.

    Raises:
        CheckpointError: where the text is not one, or its parts contradict.

    """
    origin, _, rest = text.strip().partition("+")
    id_, _, encoded = rest.partition("+")
    raw = _base64(encoded)
    if not origin or len(raw) != 1 + 32 or raw[:1] != _ED25519:
        raise CheckpointError("The verifier key is not an Ed25519 key of a log.")
    public_key = Ed25519PublicKey.from_public_bytes(raw[1:])
    if key_id(origin, public_key).hex() != id_:
        raise CheckpointError("The verifier key contradicts its own identifier.")
    return origin, public_key


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """Return the signed note.

    Raises:
        ValueError: for an origin that a note cannot carry.

    """
    return signer(checkpoint.origin, key)(checkpoint)


def signer(origin: str, key: Ed25519PrivateKey) -> Callable[[Checkpoint], bytes]:
    """Return what signs the checkpoints of one log.

    Raises:
        ValueError: for an origin that a note cannot carry.

    """
    if not origin or not origin.isprintable() or " " in origin or "+" in origin:
        raise ValueError("an origin is printable, without spaces and plus signs")
    id_ = key_id(origin, key.public_key())

    def signed(checkpoint: Checkpoint) -> bytes:
        text = checkpoint.text()
        signature = base64.b64encode(id_ + key.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{origin} {signature}\n".encode()

    return signed


def verify(note: bytes, *, origin: str, public_key: Ed25519PublicKey) -> Checkpoint:
    """Return the checkpoint that `public_key` signed for the log `origin`.

    Signatures of others, such as witnesses, are passed over.

    Raises:
        CheckpointError: for another origin, another key, a wrong signature, or what
            is not a checkpoint.

    """
    text, signatures = _divide(note)
    checkpoint = _parse(text)
    if checkpoint.origin != origin:
        raise CheckpointError("The checkpoint is of another log.")
    wanted = key_id(origin, public_key)
    ours = [line for line in signatures if _named(line, origin, wanted)]
    if not ours:
        raise CheckpointError("The checkpoint is not signed with the log's key.")
    for line in ours:
        _check(line, text, public_key)
    return checkpoint


def advance(known: Checkpoint, newer: Checkpoint, proof: Sequence[bytes]) -> Checkpoint:
    """Return `newer` where `proof` shows that it continues `known`.

    Raises:
        CheckpointError: for another log, a rollback, a fork, and for an empty
            `known`, with which anything would be consistent.

    """
    if known.origin != newer.origin:
        raise CheckpointError("The checkpoints are of two logs.")
    try:
        verify_consistency(known.head, newer.head, proof)
    except ProofError as error:
        raise CheckpointError(str(error)) from error
    return newer


def _divide(note: bytes) -> tuple[str, list[str]]:
    """Return the signed text and the signature lines."""
    if len(note) > MAX_NOTE:
        raise CheckpointError("The note is too long for a checkpoint.")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise CheckpointError("The note is not UTF-8.") from None
    text, separator, signatures = whole.rpartition("\n\n")
    lines = signatures.split("\n")
    if not separator or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise CheckpointError("The note has no text, or no signature.")
    return text + "\n", lines


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")[:-1]
    if len(lines) != 4 or not all(lines):  # noqa: PLR2004 - origin, size, root, time
        raise CheckpointError("A checkpoint of this log has four lines.")
    origin, size, root, time = lines
    if not _SIZE.fullmatch(size):
        raise CheckpointError("The checkpoint's size is not a number of leaves.")
    hash_ = _base64(root)
    if len(hash_) != HASH_LENGTH:
        raise CheckpointError("The checkpoint's root is not a SHA-256 hash.")
    return Checkpoint(
        origin=origin, size=int(size), root=hash_, time_us=_parse_time(time)
    )


def _parse_time(line: str) -> int:
    time = line.removeprefix(_TIME)
    if time == line or not _TIME_FORM.fullmatch(time):
        raise CheckpointError("The checkpoint's time is not an instant.")
    try:
        instant = datetime.fromisoformat(time)
    except ValueError:
        raise CheckpointError("The checkpoint's time is not an instant.") from None
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _base64(text: str) -> bytes:
    """Return the bytes; nothing for what is not canonical base64."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return value if base64.b64encode(value).decode() == text else b""


def _named(line: str, origin: str, id_: bytes) -> bool:
    """Return whether a signature line names this log's key."""
    name, _, encoded = line.removeprefix(_DASH).rpartition(" ")
    return (
        line.startswith(_DASH)
        and name == origin
        and _base64(encoded)[:_KEY_ID_LENGTH] == id_
    )


def _check(line: str, text: str, public_key: Ed25519PublicKey) -> None:
    signature = _base64(line.rpartition(" ")[2])[_KEY_ID_LENGTH:]
    if len(signature) != _SIGNATURE_LENGTH:
        raise CheckpointError("The checkpoint's signature has a wrong length.")
    try:
        public_key.verify(signature, text.encode())
    except InvalidSignature:
        raise CheckpointError("The checkpoint's signature does not fit it.") from None
