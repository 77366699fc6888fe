"""How a body is stored: compressed with a dictionary, then encrypted and bound.

A stored body is one header byte (what was done, and with which dictionary), a nonce
of 12 bytes, and the AES-256-GCM ciphertext with its tag of 16 bytes under the data key
of the patient. Table, row, version and patient are authenticated with it: a body that
was moved to another place is refused, and so is one whose encryption was taken away.

The nonce is random. One made from row and version would save 12 bytes, but a write
that fails and is tried again stores another text under the same row and version, and
the first may have reached the disk: two texts under one nonce give the key away. At
random, a key is good for 2**32 bodies (NIST SP 800-38D §8.3); a patient with a reading
each second reaches a hundredth of that in a year.

https://doi.org/10.6028/NIST.SP.800-38D · https://www.rfc-editor.org/rfc/rfc8878
"""

import os
import struct
import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple, Protocol

import zstandard
from cryptography.exceptions import InvalidTag

from fhir_service.storage.engine import Snapshot
from fhir_service.storage.keys import DataKeyGoneError, DataKeys


class _DictionaryFile(NamedTuple):
    name: str
    sha256: str


DICTIONARIES = {
    1: _DictionaryFile(
        "body.zstd-dictionary",
        "8e9cc32e74f9603af7c270bdd0ae150f1f6f33cbd4fd57216802a2aaaff7fc1f",
    ),
}
"""Number in the header byte to file and its digest: once bodies are stored, a
dictionary never changes; a better one is another row."""

CURRENT = max(DICTIONARIES)
"""The dictionary of what is stored from now on."""

LEVEL = 1
"""Of Zstandard: on bodies of 1 kB with a dictionary, higher ones gain 3 % for twice
the time."""

RESOURCE = "resource"
"""Table in the bond of a resource's body. A version that becomes history is the same
version of the same row and moves to `resource_history` as it is stored."""

REQUEST = "audit_entry.request"
"""Table and column in the bond of a sealed request."""

MAX_DICTIONARY = 127

_ENCRYPTED = 0x80
_NONCE_LENGTH = 12
_TAG_LENGTH = 16
_TAG_LENGTH = 16
_CELL = struct.Struct(">qqI")
_PATIENT = struct.Struct(">q")

Item = tuple[int, int, int, bytes]
"""Patient key, row, version, and a body: as JSON or as stored."""


class BodyError(Exception):
    """Stored bytes that cannot be read; the text names their place, never content."""


class BodyCodec(Protocol):
    """How bodies are stored; `body_codec` makes one."""

    def new_key(self, patient_key: int) -> bytes:
        """Return a new wrapped data key, to be stored with the patient."""

    def encode(
        self,
        snapshot: Snapshot,
        patient_key: int,
        row: int,
        version: int,
        plaintext: bytes,
    ) -> bytes:
        """Return what to store."""

    def decode(
        self, snapshot: Snapshot, patient_key: int, row: int, version: int, body: bytes
    ) -> bytes:
        """Return what was stored.

        Raises:
            BodyError: where it is damaged, moved, or of another form.
            DataKeyError: where the patient's data key is destroyed or unreadable.

        """

    def encode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:
        """Return what to store, in the same order."""

    def decode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:
        """Return what was stored, in the same order; raises as `decode`."""

    def identity(self, items: Sequence[Item]) -> bytes:
        """Return a digest that only these stored bodies have, in this order."""


def body_codec(
    data_keys: DataKeys, *, encrypt: bool, table: str = RESOURCE
) -> BodyCodec:
    """Return the codec of a table; each reads only what it would write itself."""
    if encrypt:
        return EncryptedBodies(data_keys, table)
    return PlainBodies(data_keys, table)


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    """Return a dictionary, checked to be the one that its number stands for."""
    name, digest = DICTIONARIES[number]
    data = files("fhir_service.storage").joinpath(name).read_bytes()
    if sha256(data).hexdigest() != digest:
        raise BodyError(f"{name} is not the dictionary {number} of stored bodies.")
    dictionary = zstandard.ZstdCompressionDict(data)
    dictionary.precompute_compress(level=LEVEL)
    return dictionary


class _Contexts(threading.local):
    """Compression contexts of this thread: shared, they would kill the process."""

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=True,
            write_checksum=False,
            write_dict_id=False,
        )
        self.compress = zstandard.ZstdCompressor(
            dict_data=_dictionary(CURRENT), compression_params=parameters
        ).compress
        self.decompressors = {
            number: zstandard.ZstdDecompressor(
                dict_data=_dictionary(number), format=zstandard.FORMAT_ZSTD1_MAGICLESS
            ).decompress
            for number in DICTIONARIES
        }


@cache
def _contexts() -> _Contexts:
    """Return what holds each thread's contexts; nothing is read before first use."""
    return _Contexts()


def _unreadable(table: str, row: int, version: int) -> BodyError:
    return BodyError(
        f"The body of {table} row {row} version {version} cannot be read: it is "
        "damaged, was moved, or is of another form."
    )


class EncryptedBodies:
    """Bodies compressed and encrypted; see the module."""

    def __init__(self, data_keys: DataKeys, table: str = RESOURCE) -> None:
        self._data_keys = data_keys
        self._table = table
        self._header = bytes([_ENCRYPTED | CURRENT])
        self._bonds = {
            number: table.encode() + bytes([0, _ENCRYPTED | number])
            for number in DICTIONARIES
        }

    def new_key(self, patient_key: int) -> bytes:
        """Return a new wrapped data key, to be stored with the patient."""
        return self._data_keys.new(patient_key)

    def encode(
        self,
        snapshot: Snapshot,
        patient_key: int,
        row: int,
        version: int,
        plaintext: bytes,
    ) -> bytes:
        """Return what to store."""
        nonce = os.urandom(_NONCE_LENGTH)
        cipher = self._data_keys.cipher(snapshot, patient_key)
        bond = self._bonds[CURRENT] + _CELL.pack(patient_key, row, version)
        sealed = cipher.encrypt(nonce, _contexts().compress(plaintext), bond)
        return self._header + nonce + sealed

    def encode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:
        """Return what to store, in the same order.

        The look-ups are made once, the nonces drawn at once, a cipher kept while the
        patient stays the same.
        """
        items = tuple(items)
        nonces = os.urandom(_NONCE_LENGTH * len(items))
        header, bond, pack = self._header, self._bonds[CURRENT], _CELL.pack
        compress, find = _contexts().compress, self._data_keys.cipher
        last, encrypt = None, None
        bodies = []
        for number, (patient_key, row, version, plaintext) in enumerate(items):
            if encrypt is None or patient_key != last:
                encrypt, last = find(snapshot, patient_key).encrypt, patient_key
            at = number * _NONCE_LENGTH
            nonce = nonces[at : at + _NONCE_LENGTH]
            sealed = encrypt(
                nonce, compress(plaintext), bond + pack(patient_key, row, version)
            )
            bodies.append(header + nonce + sealed)
        return bodies

    def decode(
        self, snapshot: Snapshot, patient_key: int, row: int, version: int, body: bytes
    ) -> bytes:
        """Return what was stored; raises `BodyError` and `DataKeyError`."""
        return self.decode_many(snapshot, ((patient_key, row, version, body),))[0]

    def decode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:
        """Return what was stored, in the same order; raises as `decode`."""
        bonds, pack = self._bonds, _CELL.pack
        decompressors, find = _contexts().decompressors, self._data_keys.cipher
        last, decrypt = None, None
        bodies = []
        row = version = 0
        try:
            for patient_key, row, version, body in items:
                if decrypt is None or patient_key != last:
                    decrypt, last = find(snapshot, patient_key).decrypt, patient_key
                number = body[0] ^ _ENCRYPTED
                bond = bonds[number] + pack(patient_key, row, version)
                packed = decrypt(body[1:_HEADED], body[_HEADED:], bond)
                bodies.append(decompressors[number](packed))
        except (*_DAMAGE, InvalidTag) as error:
            raise _unreadable(self._table, row, version) from error
        return bodies

    def identity(self, items: Sequence[Item]) -> bytes:
        """Digest places and authentication tags: a tag tells all that it seals."""
        return _identity(items, [item[3][-_TAG_LENGTH:] for item in items])


_HEADED = 1 + _NONCE_LENGTH
_DAMAGE = (zstandard.ZstdError, LookupError, ValueError, MemoryError)


class PlainBodies:
    """Bodies compressed only, for where the disk itself is encrypted."""

    def __init__(self, data_keys: DataKeys, table: str = RESOURCE) -> None:
        self._data_keys = data_keys
        self._table = table
        self._header = bytes([CURRENT])

    def new_key(self, patient_key: int) -> bytes:
        """Return a new wrapped data key; what the log seals needs it all the same."""
        return self._data_keys.new(patient_key)

    def encode(
        self,
        snapshot: Snapshot,  # noqa: ARG002 - the protocol's
        patient_key: int,  # noqa: ARG002 - the protocol's
        row: int,  # noqa: ARG002 - the protocol's
        version: int,  # noqa: ARG002 - the protocol's
        plaintext: bytes,
    ) -> bytes:
        """Return what to store."""
        return self._header + _contexts().compress(plaintext)

    def encode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:  # noqa: ARG002 - the protocol's
        """Return what to store, in the same order."""
        header, compress = self._header, _contexts().compress
        return [header + compress(plaintext) for _, _, _, plaintext in items]

    def decode(
        self, snapshot: Snapshot, patient_key: int, row: int, version: int, body: bytes
    ) -> bytes:
        """Return what was stored; raises `BodyError`."""
        return self.decode_many(snapshot, ((patient_key, row, version, body),))[0]

    def decode_many(self, snapshot: Snapshot, items: Iterable[Item]) -> list[bytes]:  # noqa: ARG002 - the protocol's
        """Return what was stored, in the same order; raises as `decode`."""
        decompressors = _contexts().decompressors
        bodies = []
        row = version = 0
        try:
            for _, row, version, body in items:  # noqa: B007 - the error names them
                bodies.append(decompressors[body[0]](body[1:]))
        except _DAMAGE as error:
            raise _unreadable(self._table, row, version) from error
        return bodies

    def identity(self, items: Sequence[Item]) -> bytes:
        """Digest places and whole bodies: nothing else tells that they are intact."""
        return _identity(items, [item[3] for item in items])


def _identity(items: Sequence[Item], told: Iterable[bytes]) -> bytes:
    places = array("q", [number for item in items for number in item[:3]])
    return sha256(places.tobytes() + b"".join(told)).digest()


class RequestSeal:
    """Encrypts what was asked under the data key of whom it was about.

    A request can hold health values. Under the key of the patient it can be erased
    with the patient, while the log's leaf, which hashes what is stored, stays valid.
    Which key it was is written in front: a patient's, or 0 for a request about nobody.
    """

    def __init__(self, data_keys: DataKeys, bond: str = REQUEST) -> None:
        self._data_keys = data_keys
        self._bond = bond.encode() + b"\x00"

    def sealer(self, snapshot: Snapshot, patient_key: int) -> Callable[[bytes], bytes]:
        """Return what seals a request about the patient."""
        cipher = self._data_keys.cipher(snapshot, patient_key)
        head = bytes([_ENCRYPTED | CURRENT]) + _PATIENT.pack(patient_key)

        def seal(request: bytes) -> bytes:
            nonce = os.urandom(_NONCE_LENGTH)
            packed = _contexts().compress(request)
            return head + nonce + cipher.encrypt(nonce, packed, self._bond + head)

        return seal

    def unsealer(self, snapshot: Snapshot) -> Callable[[bytes], bytes | None]:
        """Return what opens a request; it answers None where the key was destroyed.

        What it raises is `BodyError` and `DataKeyError`.
        """

        def unseal(sealed: bytes) -> bytes | None:
            try:
                return self._unsealed(snapshot, sealed)
            except DataKeyGoneError:
                return None
            except (*_DAMAGE, InvalidTag, struct.error) as error:
                raise BodyError("A request of the audit log cannot be read.") from error

        return unseal

    def _unsealed(self, snapshot: Snapshot, sealed: bytes) -> bytes:
        head, sealed = sealed[:_SEAL_HEAD], sealed[_SEAL_HEAD:]
        (patient_key,) = _PATIENT.unpack_from(head, 1)
        decompress = _contexts().decompressors[head[0] ^ _ENCRYPTED]
        cipher = self._data_keys.cipher(snapshot, patient_key)
        return decompress(
            cipher.decrypt(
                sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:], self._bond + head
            )
        )


_SEAL_HEAD = 1 + _PATIENT.size
