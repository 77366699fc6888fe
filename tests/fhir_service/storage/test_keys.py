"""Keys: whose files, which patient, what a rotation and a rollback leave."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fhir_service.storage import keys as keys_module
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.keys import (
    SINGLE_KEYS,
    DataKeyError,
    DataKeyGoneError,
    DataKeys,
    KeyFilesError,
    Keys,
    kek_number,
)

NONCE = bytes(12)
ALL = {"kek-0001", *SINGLE_KEYS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys"


@pytest.fixture
def keys(folder: Path) -> Keys:
    return Keys.load_or_create(folder)


def opens(keys: Keys, wrapped: bytes, sealed: bytes, patient_key: int = 7) -> bool:
    return keys.cipher(wrapped, patient_key).decrypt(NONCE, sealed, None) == b"text"


def test_keys_are_made_once(folder):
    first = Keys.load_or_create(folder)
    again = Keys.load_or_create(folder)

    assert {path.name for path in folder.iterdir()} == ALL
    assert again.identity == first.identity
    assert again.index == first.index
    assert again.page_token == first.page_token
    assert (
        again.audit_signing.private_bytes_raw()
        == first.audit_signing.private_bytes_raw()
    )


def test_every_key_is_another(keys, tmp_path):
    other = Keys.load_or_create(tmp_path / "other")

    secrets = [
        secret
        for one in (keys, other)
        for secret in (
            one.index,
            one.page_token,
            one.audit_signing.private_bytes_raw(),
        )
    ]
    assert len({*secrets}) == 6
    assert {len(secret) for secret in secrets} == {32}
    assert keys.identity != other.identity


def test_only_the_owner_may_read(keys):
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()
    }

    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(ALL, 0o600)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("name", sorted(ALL))
def test_a_file_that_others_may_touch_is_refused(keys, name, mode):
    (keys.folder / name).chmod(mode)

    with pytest.raises(KeyFilesError, match=f"{name} may be read by others"):
        Keys.load_or_create(keys.folder)


def test_a_folder_that_others_may_enter_is_refused(keys):
    keys.folder.chmod(0o750)

    with pytest.raises(KeyFilesError, match="keys may be read by others"):
        Keys.load_or_create(keys.folder)


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_lost_key_is_not_made_anew(keys, name):
    (keys.folder / name).unlink()

    with pytest.raises(KeyFilesError, match=r"missing|no key-encryption key"):
        Keys.load_or_create(keys.folder)


def test_a_link_is_not_followed(keys, tmp_path):
    elsewhere = tmp_path / "index"
    (keys.folder / "index").rename(elsewhere)
    (keys.folder / "index").symlink_to(elsewhere)

    with pytest.raises(KeyFilesError, match="not an ordinary file"):
        Keys.load(keys.folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-3],
        lambda text: text.replace("index", "page-token"),
        lambda text: text.replace("fhir-service-key", "other"),
        lambda _: "",
        lambda _: "fhir-service-key index AAAA\n",
        lambda _: "\N{SNOWMAN}",
    ],
)
def test_a_damaged_file_is_refused(keys, change: Callable[[str], str]):
    file = keys.folder / "index"
    file.write_text(change(file.read_text()))

    with pytest.raises(KeyFilesError, match="index is") as raised:
        Keys.load(keys.folder)
    assert "AAAA" not in str(raised.value)


def test_a_missing_folder_is_not_loaded(folder):
    with pytest.raises(KeyFilesError, match="missing"):
        Keys.load(folder)


def test_a_folder_that_waits_empty_is_filled(folder):
    folder.mkdir(parents=True, mode=0o755)

    keys = Keys.load_or_create(folder)

    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.parent.iterdir()} == {"keys"}


def test_a_second_process_takes_the_keys_of_the_first(folder, keys):
    keys_module._create(folder)

    assert Keys.load(folder).identity == keys.identity
    assert {path.name for path in folder.parent.iterdir()} == {"keys"}


def test_a_folder_that_cannot_be_put_in_place_is_an_error(folder):
    folder.parent.mkdir()
    folder.write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        keys_module._create(folder)


def test_a_file_of_another_user_is_refused(keys, monkeypatch):
    owner = keys.folder.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)

    with pytest.raises(KeyFilesError, match="belongs to another user"):
        Keys.load(keys.folder)


def test_a_data_key_opens_for_its_patient_only(keys):
    wrapped = keys.new_data_key(7)
    sealed = keys.cipher(wrapped, 7).encrypt(NONCE, b"text", None)

    assert opens(keys, wrapped, sealed)
    with pytest.raises(DataKeyError, match="patient key 8"):
        keys.cipher(wrapped, 8)


def test_two_data_keys_differ(keys):
    first, second = keys.new_data_key(7), keys.new_data_key(7)
    sealed = [
        keys.cipher(key, 7).encrypt(NONCE, b"text", None) for key in (first, second)
    ]

    assert sealed[0] != sealed[1]


def test_every_changed_byte_of_a_wrapped_key_is_noticed(keys):
    wrapped = keys.new_data_key(7)

    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1
        with pytest.raises(DataKeyError):
            keys.cipher(bytes(changed), 7)


@pytest.mark.parametrize("wrapped", [b"", b"\x01" * 64, b"\x02" + bytes(64)])
def test_what_is_no_wrapped_key_is_refused(keys, wrapped):
    with pytest.raises(DataKeyError, match="unknown form"):
        keys.cipher(wrapped, 7)


def test_a_rotation_re_wraps_and_encrypts_nothing_anew(keys):
    old = keys.new_data_key(7)
    sealed = keys.cipher(old, 7).encrypt(NONCE, b"text", None)

    number = keys.rotate()
    new = keys.rewrap(old, 7)

    assert (kek_number(old), kek_number(new), number) == (1, 2, 2)
    assert opens(keys, old, sealed)
    assert opens(keys, new, sealed)
    assert keys.rewrap(new, 7) == new
    assert kek_number(keys.new_data_key(8)) == 2


def test_a_retired_key_opens_nothing(keys):
    old = keys.new_data_key(7)
    keys.rotate()
    new = keys.rewrap(old, 7)

    keys.retire(1)

    assert keys.numbers == (2,)
    assert Keys.load(keys.folder).numbers == (2,)
    keys.cipher(new, 7)
    with pytest.raises(DataKeyError, match="1 is not here"):
        keys.cipher(old, 7)


def test_the_active_key_is_not_retired(keys):
    with pytest.raises(ValueError, match="active"):
        keys.retire(1)


def test_another_process_finds_the_new_key(keys):
    running = Keys.load(keys.folder)
    old = keys.new_data_key(7)
    sealed = keys.cipher(old, 7).encrypt(NONCE, b"text", None)
    keys.rotate()

    assert opens(running, keys.rewrap(old, 7), sealed)
    assert running.rotate() == 3


def snapshot() -> Snapshot:
    return Snapshot(None, "sqlite")


def transaction() -> Transaction:
    return Transaction(None, "sqlite")


def commit(done: Transaction) -> None:
    for effect in done._effects:
        effect()


class Table:
    """The wrapped keys, and how often they were read."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.reads = 0

    def load(self, _: Snapshot, patient_key: int) -> bytes | None:
        self.reads += 1
        return self.rows.get(patient_key)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def data_keys(keys: Keys, table: Table) -> DataKeys:
    return DataKeys(keys, table.load, capacity=2)


def test_a_data_key_is_read_once(data_keys, table, keys):
    table.rows[7] = keys.new_data_key(7)

    first = data_keys.cipher(snapshot(), 7)

    assert data_keys.cipher(snapshot(), 7) is first
    assert table.reads == 1


def test_the_key_used_last_is_kept(data_keys, table, keys):
    for patient_key in (1, 2, 3):
        table.rows[patient_key] = keys.new_data_key(patient_key)
    for patient_key in (1, 2, 1, 3):
        data_keys.cipher(snapshot(), patient_key)
    table.reads = 0

    for patient_key in (1, 3, 2):
        data_keys.cipher(snapshot(), patient_key)

    assert table.reads == 1


def test_a_destroyed_key_is_gone(data_keys, table, keys):
    table.rows[7] = keys.new_data_key(7)
    data_keys.cipher(snapshot(), 7)

    del table.rows[7]
    data_keys.drop(7)

    with pytest.raises(DataKeyGoneError, match="patient key 7 is gone"):
        data_keys.cipher(snapshot(), 7)


def test_a_key_made_in_a_transaction_is_not_kept_before_its_commit(data_keys, table):
    made = transaction()
    table.rows[7] = data_keys.new(7)
    first = data_keys.cipher(made, 7)

    assert data_keys.cipher(made, 7) is not first

    commit(made)
    kept = data_keys.cipher(made, 7)
    assert data_keys.cipher(snapshot(), 7) is kept


def test_a_key_that_a_reader_sees_is_committed(data_keys, table):
    table.rows[7] = data_keys.new(7)

    assert data_keys.cipher(snapshot(), 7) is data_keys.cipher(snapshot(), 7)


def test_after_a_rollback_the_next_key_is_used(data_keys, table):
    table.rows[7] = data_keys.new(7)
    lost = data_keys.cipher(transaction(), 7).encrypt(NONCE, b"text", None)

    again = transaction()
    table.rows[7] = data_keys.new(7)
    sealed = data_keys.cipher(again, 7).encrypt(NONCE, b"text", None)
    commit(again)

    assert sealed != lost
    assert data_keys.cipher(snapshot(), 7).decrypt(NONCE, sealed, None) == b"text"


def test_a_rolled_back_key_does_not_hide_that_of_another_process(
    data_keys, table, keys
):
    table.rows[7] = data_keys.new(7)
    data_keys.cipher(transaction(), 7)

    table.rows[7] = keys.new_data_key(7)
    sealed = keys.cipher(table.rows[7], 7).encrypt(NONCE, b"text", None)

    assert data_keys.cipher(transaction(), 7).decrypt(NONCE, sealed, None) == b"text"
