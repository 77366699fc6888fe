"""The service's own keys: files beside the data, and the data keys they wrap.

A body is encrypted with the data key of its patient. A data key is stored beside the
patient, wrapped by a key-encryption key that is a file here, never in the database;
changing the key-encryption key re-wraps data keys and rewrites no body, and deleting
a wrapped data key makes every copy of that patient's bodies unreadable.

    keys/                   mode 0700, each file 0600, one key a file
      kek-0001 kek-0002 …   key-encryption keys; the highest number is in use
      index                 keyed hashes of what is only compared
      page-token            continuation tokens
      audit-signing         Ed25519, checkpoints of the audit log

NIST SP 800-38D (AES-GCM): https://doi.org/10.6028/NIST.SP.800-38D
"""

import base64
import binascii
import os
import shutil
import stat
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_service.storage.engine import Snapshot, Transaction

KEY_LENGTH = 32
"""Bytes of every key: AES-256, keyed BLAKE2b, Ed25519."""

DATA_KEYS_CACHED = 10_000
"""Data keys held in memory; each is about 1 kB."""

INDEX, PAGE_TOKEN, AUDIT_SIGNING = "index", "page-token", "audit-signing"
SINGLE_KEYS = (INDEX, PAGE_TOKEN, AUDIT_SIGNING)
"""The keys of which there is one."""

_KEK = "kek-"
_LABEL = "fhir-service-key"
_FORMAT = 1
_NONCE_LENGTH = 12
_TAG_LENGTH = 16
_WRAPPED = struct.Struct(">BI")
_SETTLED: Final = object()
_BOUND = struct.Struct(">Iq")
_WRAPPED_LENGTH = _WRAPPED.size + _NONCE_LENGTH + KEY_LENGTH + _TAG_LENGTH


class KeyFilesError(Exception):
    """A key folder that cannot be used; the text names the file, never the key."""


class DataKeyError(Exception):
    """A wrapped data key that cannot be opened; the text holds no key."""


class DataKeyGoneError(DataKeyError):
    """A data key that was destroyed: what it encrypted cannot be read any more."""


class Keys:
    """The keys of one deployment.

    A number of a key-encryption key that is not known yet is looked for in the
    folder: another process may have rotated.

    Args:
        folder: Where the files are.
        keks: Key-encryption keys by number.
        singles: The other keys by name.

    """

    def __init__(
        self, folder: Path, keks: Mapping[int, bytes], singles: Mapping[str, bytes]
    ) -> None:
        self.folder = folder
        self._keks = {number: AESGCM(key) for number, key in keks.items()}
        self.index = singles[INDEX]
        self.page_token = singles[PAGE_TOKEN]
        self.audit_signing = Ed25519PrivateKey.from_private_bytes(
            singles[AUDIT_SIGNING]
        )

    @classmethod
    def load(cls, folder: Path) -> "Keys":
        """Return the keys in `folder`.

        Raises:
            KeyFilesError: where a key is missing or damaged, or others than the
                owner may read the folder or a file.

        """
        _refuse_others(folder, stat.S_ISDIR)
        numbers = _kek_numbers(folder)
        if not numbers:
            raise KeyFilesError(f"{folder} has no key-encryption key.")
        return cls(
            folder,
            {number: _read(folder, _kek_name(number)) for number in numbers},
            {name: _read(folder, name) for name in SINGLE_KEYS},
        )

    @classmethod
    def load_or_create(cls, folder: Path) -> "Keys":
        """Return the keys in `folder`; make them where there is none at all.

        A folder with some keys only is refused: whoever lost one must restore it,
        since a new one would open nothing.
        """
        if not folder.exists() or not any(folder.iterdir()):
            _create(folder)
        return cls.load(folder)

    @property
    def active(self) -> int:
        """Number of the key-encryption key that wraps from now on."""
        return max(self._keks)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the key-encryption keys at hand, ascending."""
        return tuple(sorted(self._keks))

    @property
    def identity(self) -> str:
        """A name for this set of keys that tells nothing about them.

        Kept in the database, it shows at start-up that keys and data belong together.
        """
        return blake2b(
            b"identity", key=self.index, digest_size=8, person=b"key folder"
        ).hexdigest()

    def rotate(self) -> int:
        """Make a new key-encryption key and use it; return its number."""
        number = max(self.active, *_kek_numbers(self.folder)) + 1
        _write(self.folder, _kek_name(number), os.urandom(KEY_LENGTH))
        _sync(self.folder)
        self._keks[number] = AESGCM(_read(self.folder, _kek_name(number)))
        return number

    def retire(self, number: int) -> None:
        """Destroy a key-encryption key under which nothing is wrapped any more.

        Raises:
            ValueError: for the one in use.

        """
        if number >= self.active:
            raise ValueError("the active key-encryption key cannot be retired")
        self._keks.pop(number, None)
        (self.folder / _kek_name(number)).unlink(missing_ok=True)
        _sync(self.folder)

    def new_data_key(self, patient_key: int) -> bytes:
        """Return a new data key for `patient_key`, wrapped."""
        return self._wrap(os.urandom(KEY_LENGTH), patient_key)

    def rewrap(self, wrapped: bytes, patient_key: int) -> bytes:
        """Return the same data key under the active key-encryption key.

        Raises:
            DataKeyError: where it cannot be opened.

        """
        if kek_number(wrapped) == self.active:
            return wrapped
        return self._wrap(self._unwrap(wrapped, patient_key), patient_key)

    def cipher(self, wrapped: bytes, patient_key: int) -> AESGCM:
        """Return the cipher of a wrapped data key.

        Raises:
            DataKeyError: where it cannot be opened: damaged, of another patient, or
                wrapped under a key-encryption key that is not here.

        """
        return AESGCM(self._unwrap(wrapped, patient_key))

    def _wrap(self, data_key: bytes, patient_key: int) -> bytes:
        number = self.active
        nonce = os.urandom(_NONCE_LENGTH)
        sealed = self._keks[number].encrypt(
            nonce, data_key, _BOUND.pack(number, patient_key)
        )
        return _WRAPPED.pack(_FORMAT, number) + nonce + sealed

    def _unwrap(self, wrapped: bytes, patient_key: int) -> bytes:
        number = kek_number(wrapped)
        nonce_end = _WRAPPED.size + _NONCE_LENGTH
        try:
            return self._kek(number).decrypt(
                wrapped[_WRAPPED.size : nonce_end],
                wrapped[nonce_end:],
                _BOUND.pack(number, patient_key),
            )
        except InvalidTag:
            raise DataKeyError(
                f"The data key of patient key {patient_key} cannot be opened with "
                f"key-encryption key {number}."
            ) from None

    def _kek(self, number: int) -> AESGCM:
        if number not in self._keks:
            if number not in _kek_numbers(self.folder):
                raise DataKeyError(f"Key-encryption key {number} is not here.")
            self._keks[number] = AESGCM(_read(self.folder, _kek_name(number)))
        return self._keks[number]


def kek_number(wrapped: bytes) -> int:
    """Return the number of the key-encryption key that wrapped a data key.

    Raises:
        DataKeyError: for what is not a wrapped data key.

    """
    if len(wrapped) != _WRAPPED_LENGTH or wrapped[0] != _FORMAT:
        raise DataKeyError("The stored data key has an unknown form.")
    number: int = _WRAPPED.unpack_from(wrapped)[1]
    return number


class DataKeys:
    """The ciphers of the patients that were used last.

    A key that a transaction has just made is not kept before it is committed: after
    a rollback another transaction makes another key for the same number.

    Args:
        keys: What opens a wrapped data key.
        load: Reads the wrapped data key of a patient, None where it was destroyed.
        capacity: How many ciphers are kept.

    """

    def __init__(
        self,
        keys: Keys,
        load: Callable[[Snapshot, int], bytes | None],
        *,
        capacity: int = DATA_KEYS_CACHED,
    ) -> None:
        self._keys = keys
        self._load = load
        self._capacity = capacity
        self._ciphers: OrderedDict[int, AESGCM] = OrderedDict()
        self._uncommitted: dict[int, object] = {}

    def new(self, patient_key: int) -> bytes:
        """Return a new wrapped data key, to be stored by the caller."""
        self._uncommitted[patient_key] = None
        self._ciphers.pop(patient_key, None)
        return self._keys.new_data_key(patient_key)

    def cipher(self, snapshot: Snapshot, patient_key: int) -> AESGCM:
        """Return the cipher of a patient.

        Raises:
            DataKeyGoneError: where the data key was destroyed.
            DataKeyError: where it cannot be opened.

        """
        cipher = self._ciphers.get(patient_key)
        if cipher is not None:
            try:
                self._ciphers.move_to_end(patient_key)
            except KeyError:  # another thread has dropped it meanwhile
                return self._open(snapshot, patient_key)
            return cipher
        return self._open(snapshot, patient_key)

    def drop(self, patient_key: int) -> None:
        """Forget a data key; called after its destruction is committed."""
        self._ciphers.pop(patient_key, None)

    def _open(self, snapshot: Snapshot, patient_key: int) -> AESGCM:
        wrapped = self._load(snapshot, patient_key)
        if wrapped is None:
            raise DataKeyGoneError(
                f"The data key of patient key {patient_key} is gone."
            )
        cipher = self._keys.cipher(wrapped, patient_key)
        if self._is_committed(snapshot, patient_key):
            self._keep(patient_key, cipher)
        return cipher

    def _keep(self, patient_key: int, cipher: AESGCM) -> None:
        self._ciphers[patient_key] = cipher
        while len(self._ciphers) > self._capacity:
            self._ciphers.popitem(last=False)

    def _is_committed(self, snapshot: Snapshot, patient_key: int) -> bool:
        """Return whether a key that `snapshot` shows is there to stay."""
        seen_by = self._uncommitted.get(patient_key, _SETTLED)
        if seen_by is _SETTLED:
            return True
        if not isinstance(snapshot, Transaction):
            self._committed(patient_key)
            return True
        if seen_by is not snapshot:
            self._uncommitted[patient_key] = snapshot
            snapshot.after_commit(lambda: self._committed(patient_key))
        return False

    def _committed(self, patient_key: int) -> None:
        self._uncommitted.pop(patient_key, None)


def _kek_name(number: int) -> str:
    return f"{_KEK}{number:04d}"


def _kek_numbers(folder: Path) -> list[int]:
    names = (path.name.removeprefix(_KEK) for path in folder.glob(f"{_KEK}*"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _refuse_others(path: Path, is_kind: Callable[[int], bool]) -> None:
    """Refuse what is not the owner's alone; a link is not followed."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise KeyFilesError(f"{path} is missing.") from None
    if not is_kind(found.st_mode):
        raise KeyFilesError(f"{path} is not an ordinary file or folder.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyFilesError(f"{path} may be read by others: chmod go= {path}")
    if found.st_uid != os.geteuid():
        raise KeyFilesError(f"{path} belongs to another user.")


def _read(folder: Path, name: str) -> bytes:
    """Return the key in a file, which says itself which key it is."""
    path = folder / name
    _refuse_others(path, stat.S_ISREG)
    try:
        label, named, encoded = path.read_text("ascii").split()
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise KeyFilesError(f"{path} is damaged.") from None
    if (label, named) != (_LABEL, name) or len(key) != KEY_LENGTH:
        raise KeyFilesError(f"{path} is not the key {name}.")
    return key


def _write(folder: Path, name: str, key: bytes) -> None:
    """Write a key durably; the file appears whole or not at all.

    Raises:
        FileExistsError: where there is such a key: none is ever overwritten.

    """
    path = folder / name
    part = folder / f".{name}.{os.getpid()}"
    encoded = base64.b64encode(key).decode("ascii")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(file, "w", encoding="ascii") as sink:
            sink.write(f"{_LABEL} {name} {encoded}\n")
            sink.flush()
            os.fsync(sink.fileno())
        os.link(part, path)
    finally:
        part.unlink()


def _create(folder: Path) -> None:
    """Make every key beside `folder` and move them there at once."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder.parent / f".{folder.name}.{os.getpid()}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for name in (_kek_name(1), *SINGLE_KEYS):
        _write(part, name, os.urandom(KEY_LENGTH))
    _sync(part)
    try:
        part.rename(folder)
    except OSError:  # another process was first, and has the folder filled
        if not any(folder.iterdir()):
            raise
        shutil.rmtree(part)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
