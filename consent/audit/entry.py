"""What the log remembers of one event, and the bytes that are hashed and stored.

A record is a fixed head (version, time, interaction, outcome, status) and fields,
each a tag, a length and a value, tags ascending, empty ones left out. The request
can hold health values, so it is sealed under a key that can be destroyed; the leaf
hashes what is stored and stays valid after that.

Everything a client can choose is made printable and cut to a limit here, so that a
line feed, an escape sequence, a bidirectional override or a megabyte of user agent
reaches neither a log line, nor a terminal, nor a page.
"""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from consent.audit.versions import (
    EntryError,
    pack_seqs,
    read_varint,
    unpack_seqs,
    varint,
)
from consent.audit.words import expand, shorten

VERSION = 2
"""First byte of every entry; another layout gets another number."""

READABLE = frozenset({1, VERSION})
"""Versions that are read."""

PSEUDONYM_LENGTH = 16
"""Bytes of a patient's keyed pseudonym."""

MAX_REQUEST = 4096
"""Characters of a request that are kept."""

MAX_ITEM = 256
"""Characters of one purpose, count name or part of a basis."""


class Interaction(StrEnum):
    """What was done; FHIR's own words where it has one."""

    READ = "read"
    VREAD = "vread"
    HISTORY = "history"
    SEARCH = "search"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    BATCH = "batch"
    TRANSACTION = "transaction"
    OPERATION = "operation"
    CAPABILITIES = "capabilities"
    INGEST = "ingest"
    IMPORT = "import"
    EXPORT = "export"
    DELIVERY = "delivery"
    LOGIN = "login"
    LOGOUT = "logout"
    TOKEN = "token"  # noqa: S105 - the name of an event, not a secret
    INTROSPECT = "introspect"
    REVOKE = "revoke"
    REGISTER = "register"
    CONSENT_CHANGE = "consent-change"
    CONSENT_DECISION = "consent-decision"
    BREAK_GLASS = "break-glass"
    CONFIG = "config"
    KEY_ROTATION = "key-rotation"
    USER_CHANGE = "user-change"
    AUDIT_READ = "audit-read"
    ERASURE = "erasure"
    RETENTION = "retention"
    START = "start"
    STOP = "stop"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How it ended."""

    ALLOWED = "allowed"
    DENIED = "denied"
    ERROR = "error"


class BasisKind(StrEnum):
    """What a decision rested on."""

    CONSENT = "consent"
    OVERLAY = "overlay"
    SCOPE = "scope"
    BREAK_GLASS = "break-glass"
    SELF = "self"
    INPUTS = "inputs"


INTERACTION_CODE = {interaction: code for code, interaction in enumerate(Interaction)}
"""Stored numbers: members are only ever added at the end."""

OUTCOME_CODE = {outcome: code for code, outcome in enumerate(Outcome)}
"""Stored numbers: members are only ever added at the end."""

_INTERACTIONS = tuple(Interaction)
_OUTCOMES = tuple(Outcome)


class Basis(NamedTuple):
    """One ground of a decision.

    Attributes:
        kind: What it is.
        name: The consent's version (`ID/_history/2`), the overlay's or scope's name,
            or the digest of everything that the decision rested on (`consent.inputs`).
        path: Where in the consent, such as `provision.provision[0]`.

    """

    kind: BasisKind
    name: str
    path: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRecord:
    """One event of the log: who, what, why, on what ground, how it ended.

    Attributes:
        time_us: When it was answered, microseconds since 1970-01-01T00:00:00Z.
        interaction: What was done.
        outcome: How it ended.
        status: The HTTP status of the answer; 0 where there was none.
        request_id: Identifier that joins the log with the client's.
        request: Method, path and query as asked; None where the key to it has been
            destroyed, or was not at hand.
        resource_type: FHIR type that was asked for; empty where there is none.
        user: The person, as the login names them; empty where none is known.
        client: The client's identifier.
        organisation: On whose behalf.
        address: Network address of the client.
        user_agent: What the client calls itself.
        token: Identifier of the access token that stands for it, never a part of it.
        purposes: Codes of v3-PurposeOfUse.
        patients: Keyed pseudonyms, 16 bytes each.
        disclosed: `seq` numbers of the exact versions that left.
        written: `seq` numbers of the versions that were stored.
        counts: The numbers of a receipt, by reason.
        basis: What the decision rested on.
        reason: Code that says why it was refused or failed.

    """

    time_us: int
    interaction: Interaction
    outcome: Outcome
    status: int = 0
    request_id: str = ""
    request: str | None = ""
    resource_type: str = ""
    user: str = ""
    client: str = ""
    organisation: str = ""
    address: str = ""
    user_agent: str = ""
    token: bytes = b""
    purposes: tuple[str, ...] = ()
    patients: tuple[bytes, ...] = ()
    disclosed: Sequence[int] = ()
    written: Sequence[int] = ()
    counts: tuple[tuple[str, int], ...] = ()
    basis: tuple[Basis, ...] = ()
    reason: str = ""


_HEAD = struct.Struct(">BQBBH")

_TEXTS = (
    # tag, attribute, characters kept
    (1, "resource_type", 64),
    (2, "user", 128),
    (3, "client", 128),
    (4, "organisation", 128),
    (5, "address", 64),
    (6, "user_agent", 256),
    (7, "reason", 64),
)
_text_values = attrgetter(*(attribute for _, attribute, _ in _TEXTS))

_ADDRESS = 5

_REQUEST_ID, _REQUEST_UUID = b"\x08", b"\x09"
_REQUEST = b"\x0a"
_TOKEN = b"\x0b"
_PURPOSES = b"\x0c"
_PATIENTS = b"\x0d"
_DISCLOSED = b"\x0e"
_WRITTEN = b"\x0f"
_COUNTS = b"\x10"
_BASIS = b"\x11"
_LAST_TAG = 0x11

_LONG = 0x80
"""From here on a length takes more than one byte."""

_PART = "\x00"
_ITEM = "\x1e"
_RAW = b"\x1f"
"""Behind it stand digests, in their bytes."""

_PACKED = b"\x00"
"""What a value begins with that is no text."""

_DIGEST_LENGTH = 16

_ID_LENGTH = 8
"""Bytes in front of an identifier of our own, before the number of the request."""

_OWN_ID = re.compile(r"([0-9a-f]{16})(?:-(0|[1-9a-f][0-9a-f]{0,14}))?")
"""An identifier as the service gives it; a client may have one of the same form."""

_REMEMBERED = 1024
"""Characters of who asks, beyond which the bytes are made each time."""

_KIND_LETTER = {
    BasisKind.CONSENT: "c",
    BasisKind.OVERLAY: "o",
    BasisKind.SCOPE: "s",
    BasisKind.BREAK_GLASS: "b",
    BasisKind.SELF: "m",
    BasisKind.INPUTS: "i",
}
_KIND_OF_LETTER = {letter: kind for kind, letter in _KIND_LETTER.items()}


def neutralise(text: str, limit: int) -> str:
    """Return `text` with nothing in it that acts: printable, and at most `limit` long.

    A character that is not printable becomes `⟨U+000A⟩`; a text that was cut says
    how long it was.
    """
    if len(text) <= limit and text.isprintable():
        return text
    kept = "".join(
        character if character.isprintable() else f"⟨U+{ord(character):04X}⟩"
        for character in text[:limit]
    )
    return kept if len(text) <= limit else f"{kept}⟨cut, {len(text)} characters⟩"


def encode(record: AuditRecord, *, seal: Callable[[bytes], bytes]) -> bytes:
    """Return the bytes to store and to hash; the same for the same record and seal.

    Args:
        record: What happened.
        seal: Encrypts the request under a key that can be destroyed.

    """
    parts = [
        _HEAD.pack(
            VERSION,
            record.time_us,
            INTERACTION_CODE[record.interaction],
            OUTCOME_CODE[record.outcome],
            record.status,
        )
    ]
    texts = _text_values(record)
    is_short = sum(map(len, texts)) <= _REMEMBERED
    parts.append(_known_texts(texts) if is_short else _written_texts(texts))
    if record.request_id:
        _add_request_id(parts, record.request_id)
    if record.request:
        request = shorten(neutralise(record.request, MAX_REQUEST))
        _add(parts, _REQUEST, seal(request.encode()))
    for (tag, pack), value in zip(_PACKERS, _packed_values(record), strict=True):
        if value:
            _add(parts, tag, pack(value))
    return b"".join(parts)


def _add(parts: list[bytes], tag: bytes, value: bytes) -> None:
    parts += (tag, varint(len(value)), value)


def _written_texts(texts: tuple[str, ...]) -> bytes:
    """Return the fields of who asks, and of what is always the same of it."""
    parts: list[bytes] = []
    for (tag, _, limit), text in zip(_TEXTS, texts, strict=True):
        if text:
            packed = _address_bytes(text) if tag == _ADDRESS else None
            value = packed or shorten(neutralise(text, limit)).encode()
            _add(parts, bytes([tag]), value)
    return b"".join(parts)


_known_texts = lru_cache(maxsize=4096)(_written_texts)


def _address_bytes(text: str) -> bytes | None:
    """Return an IPv4 address packed; None for what is not one in its usual form."""
    try:
        return _PACKED + IPv4Address(text).packed
    except ValueError:
        return None


def _address(value: bytes) -> str:
    if value[:1] == _PACKED:
        return str(IPv4Address(value[1:]))
    return _text(value)


@lru_cache(maxsize=4096)
def _text(value: bytes) -> str:
    return expand(value.decode())


def _add_request_id(parts: list[bytes], request_id: str) -> None:
    """Add the identifier, packed where it is a UUID or of our own form."""
    packed = _uuid_bytes(request_id)
    if packed:
        parts += (_REQUEST_UUID, b"\x10", packed)
        return
    own = _own_bytes(request_id)
    _add(parts, _REQUEST_ID, own or neutralise(request_id, 64).encode())


def _own_bytes(text: str) -> bytes | None:
    """Return what `_own_id` reads: sixteen digits, and a number behind a hyphen."""
    match = _OWN_ID.fullmatch(text)
    if match is None:
        return None
    digits, number = match.groups()
    packed = _PACKED + bytes.fromhex(digits)
    return packed if number is None else packed + varint(int(number, 16))


def _own_id(packed: bytes) -> str:
    digits = packed[1 : 1 + _ID_LENGTH].hex()
    if len(packed) == 1 + _ID_LENGTH:
        return digits
    number, end = read_varint(packed, 1 + _ID_LENGTH)
    if end != len(packed):
        raise EntryError("The identifier of the request is too long.")
    return f"{digits}-{number:x}"


def _uuid_bytes(text: str) -> bytes | None:
    """Return the 16 bytes of a UUID in the form of RFC 9562 §4; None for another."""
    digits = text.replace("-", "")
    if len(text) != 36 or len(digits) != 32 or text[8::5][:4] != "----":  # noqa: PLR2004 - 32 digits, hyphens behind 8, 12, 16 and 20 of them
        return None
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return None
    return packed if packed.hex() == digits else None


@lru_cache(maxsize=1024)
def _texts(texts: tuple[str, ...]) -> bytes:
    return shorten(_PART.join([neutralise(text, MAX_ITEM) for text in texts])).encode()


def _pseudonyms(patients: tuple[bytes, ...]) -> bytes:
    for pseudonym in patients:
        if len(pseudonym) != PSEUDONYM_LENGTH:
            raise ValueError(f"a pseudonym has {PSEUDONYM_LENGTH} bytes")
    return b"".join(patients)


def _counts(counts: Iterable[tuple[str, int]]) -> bytes:
    parts: list[str] = []
    for name, number in counts:
        parts += (neutralise(name, MAX_ITEM), str(number))
    return _PART.join(parts).encode()


@lru_cache(maxsize=1024)
def _bases(bases: tuple[Basis, ...]) -> bytes:
    """Return the grounds; a client's are the same from request to request."""
    digests: list[bytes] = []
    rest = list(bases)
    while rest and (digest := _digest(rest[-1])):
        digests.insert(0, digest)
        rest.pop()
    text = _ITEM.join(
        _PART.join(
            (_KIND_LETTER[kind], neutralise(name, MAX_ITEM), neutralise(path, MAX_ITEM))
        )
        for kind, name, path in rest
    )
    raw = _RAW + b"".join(digests) if digests else b""
    return shorten(text).encode() + raw


def _digest(basis: Basis) -> bytes | None:
    """Return the bytes of what a decision rested on, where it is said as usual."""
    if basis.kind is not BasisKind.INPUTS or basis.path:
        return None
    try:
        digest = bytes.fromhex(basis.name)
    except ValueError:
        return None
    is_usual = len(digest) == _DIGEST_LENGTH and digest.hex() == basis.name
    return digest if is_usual else None


_PACKERS: tuple[tuple[bytes, Callable[[Any], bytes]], ...] = (
    (_TOKEN, bytes),
    (_PURPOSES, _texts),
    (_PATIENTS, _pseudonyms),
    (_DISCLOSED, pack_seqs),
    (_WRITTEN, pack_seqs),
    (_COUNTS, _counts),
    (_BASIS, _bases),
)
_packed_values = attrgetter(
    "token", "purposes", "patients", "disclosed", "written", "counts", "basis"
)


def decode(data: bytes, *, unseal: Callable[[bytes], bytes | None]) -> AuditRecord:
    """Return the record that `encode` wrote.

    Args:
        data: The stored bytes.
        unseal: Decrypts the request; None where its key has been destroyed.

    Raises:
        EntryError: for bytes that are not an entry of a known version.

    """
    if len(data) < _HEAD.size or data[0] not in READABLE:
        raise EntryError("The bytes are not an entry of a known version.")
    try:
        return _record(data, unseal)
    except (ValueError, LookupError) as error:
        raise EntryError("The bytes are not an entry of this log.") from error


def _record(data: bytes, unseal: Callable[[bytes], bytes | None]) -> AuditRecord:
    _, time_us, interaction, outcome, status = _HEAD.unpack_from(data)
    fields = _fields(data)
    texts = {
        attribute: _address(fields[tag]) if tag == _ADDRESS else _text(fields[tag])
        for tag, attribute, _ in _TEXTS
        if tag in fields
    }
    return AuditRecord(
        time_us=time_us,
        interaction=_INTERACTIONS[interaction],
        outcome=_OUTCOMES[outcome],
        status=status,
        request_id=_request_id(fields),
        request=_request(fields.get(_REQUEST[0]), unseal),
        token=fields.get(_TOKEN[0], b""),
        purposes=_split(fields.get(_PURPOSES[0], b"")),
        patients=_split_pseudonyms(fields.get(_PATIENTS[0], b"")),
        disclosed=unpack_seqs(fields.get(_DISCLOSED[0], b"")),
        written=unpack_seqs(fields.get(_WRITTEN[0], b"")),
        counts=_split_counts(fields.get(_COUNTS[0], b"")),
        basis=_split_bases(fields.get(_BASIS[0], b"")),
        **texts,
    )


def _fields(data: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = _HEAD.size
    last = 0
    while at < len(data):
        tag = data[at]
        if not last < tag <= _LAST_TAG:
            raise EntryError("The entry has a field that is unknown or out of order.")
        # Most are short: one byte says how long, and a call would cost more than it.
        length, at = data[at + 1], at + 2
        if length >= _LONG:
            length, at = read_varint(data, at - 1)
        value = data[at : at + length]
        if len(value) != length:
            raise EntryError("A field of the entry is cut off.")
        fields[tag] = value
        at += length
        last = tag
    return fields


def _request_id(fields: dict[int, bytes]) -> str:
    packed = fields.get(_REQUEST_UUID[0])
    if packed is not None:
        return str(UUID(bytes=packed))
    value = fields.get(_REQUEST_ID[0], b"")
    return _own_id(value) if value[:1] == _PACKED else value.decode()


def _request(
    sealed: bytes | None, unseal: Callable[[bytes], bytes | None]
) -> str | None:
    if sealed is None:
        return ""
    request = unseal(sealed)
    return None if request is None else expand(request.decode())


@lru_cache(maxsize=1024)
def _split(value: bytes) -> tuple[str, ...]:
    return tuple(expand(value.decode()).split(_PART)) if value else ()


def _split_pseudonyms(value: bytes) -> tuple[bytes, ...]:
    if len(value) % PSEUDONYM_LENGTH:
        raise EntryError("The patients of the entry are cut off.")
    return tuple(
        value[at : at + PSEUDONYM_LENGTH]
        for at in range(0, len(value), PSEUDONYM_LENGTH)
    )


def _split_counts(value: bytes) -> tuple[tuple[str, int], ...]:
    if not value:
        return ()
    parts = _split(value)
    return tuple(
        (name, int(number))
        for name, number in zip(parts[::2], parts[1::2], strict=True)
    )


@lru_cache(maxsize=4096)
def _split_bases(value: bytes) -> tuple[Basis, ...]:
    if not value:
        return ()
    head, _, raw = value.partition(_RAW)
    if len(raw) % _DIGEST_LENGTH:
        raise EntryError("The grounds of the entry are cut off.")
    items = expand(head.decode()).split(_ITEM) if head else []
    digests = (
        raw[at : at + _DIGEST_LENGTH] for at in range(0, len(raw), _DIGEST_LENGTH)
    )
    return (
        *map(_basis, items),
        *(Basis(BasisKind.INPUTS, digest.hex()) for digest in digests),
    )


def _basis(item: str) -> Basis:
    letter, name, path = item.split(_PART)
    return Basis(_KIND_OF_LETTER[letter], name, path)
