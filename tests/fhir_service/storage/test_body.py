"""Bodies: what comes back, what is refused, and how much room it takes."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from consent.audit.entry import (
    AuditRecord,
    Basis,
    BasisKind,
    Interaction,
    Outcome,
    decode,
    encode,
)
from fhir_service.storage import body as body_module
from fhir_service.storage.body import (
    CURRENT,
    DICTIONARIES,
    MAX_DICTIONARY,
    BodyCodec,
    BodyError,
    RequestSeal,
    body_codec,
)
from fhir_service.storage.dictionary_corpus import COMMON_KINDS, Corpus
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.keys import DataKeyGoneError, DataKeys, Keys
from fhir_service.storage.train_dictionary import DICTIONARY_BYTES, main, train
from mappings.kinds import kinds

SNAPSHOT = Snapshot(None, "sqlite")
ROW = 1_234_567_890_123_456_789
BODY = b'{"resourceType":"Observation","id":"1n0bavfvrc5wg","status":"final"}'


@pytest.fixture
def table() -> dict[int, bytes]:
    return {}


@pytest.fixture
def data_keys(tmp_path: Path, table: dict[int, bytes]) -> DataKeys:
    keys = Keys.load_or_create(tmp_path / "keys")
    data_keys = DataKeys(keys, lambda _, patient_key: table.get(patient_key))
    table.update({patient_key: data_keys.new(patient_key) for patient_key in (0, 5, 6)})
    return data_keys


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def codec(request: pytest.FixtureRequest, data_keys: DataKeys) -> BodyCodec:
    return body_codec(data_keys, encrypt=request.param)


@pytest.fixture
def encrypted(data_keys: DataKeys) -> BodyCodec:
    return body_codec(data_keys, encrypt=True)


@pytest.fixture
def plain(data_keys: DataKeys) -> BodyCodec:
    return body_codec(data_keys, encrypt=False)


def stored_again(
    items: Iterable[tuple[int, int, int, bytes]], bodies: Iterable[bytes]
) -> list[tuple[int, int, int, bytes]]:
    return [(*item[:3], body) for item, body in zip(items, bodies, strict=True)]


def stored_item(
    codec: BodyCodec, row: int, text: bytes = BODY
) -> tuple[int, int, int, bytes]:
    return 5, row, 2, codec.encode(SNAPSHOT, 5, row, 2, text)


@pytest.mark.parametrize("text", [BODY, b"", b"\x00\xff" * 40_000])
def test_a_body_comes_back(codec, text):
    stored = codec.encode(SNAPSHOT, 5, ROW, 2, text)

    assert codec.decode(SNAPSHOT, 5, ROW, 2, stored) == text


def test_bodies_of_several_patients_come_back_in_order(codec):
    corpus = Corpus(1)
    items = [
        (patient_key, ROW + number, number, corpus.observation(kinds()["heart-rate"]))
        for number, patient_key in enumerate((5, 5, 6, 0, 5))
    ]

    stored = stored_again(items, codec.encode_many(SNAPSHOT, items))

    assert codec.decode_many(SNAPSHOT, stored) == [text for *_, text in items]
    assert [codec.decode(SNAPSHOT, *item) for item in stored] == [
        text for *_, text in items
    ]


def test_nothing_to_store_is_nothing(codec):
    assert codec.encode_many(SNAPSHOT, []) == []
    assert codec.decode_many(SNAPSHOT, []) == []


def test_an_encrypted_body_shows_nothing_and_never_repeats(encrypted):
    first = encrypted.encode(SNAPSHOT, 5, ROW, 2, BODY)
    many = encrypted.encode_many(SNAPSHOT, [(5, ROW, 2, BODY)] * 3)

    nonces = {stored[1:13] for stored in (first, *many)}
    assert len(nonces) == 4
    assert not any(b"1n0bavfvrc5wg" in stored for stored in (first, *many))


@pytest.mark.parametrize(
    "place", [(6, ROW, 2), (5, ROW + 1, 2), (5, ROW, 3), (0, ROW, 2)]
)
def test_a_body_that_was_moved_is_refused(encrypted, place):
    stored = encrypted.encode(SNAPSHOT, 5, ROW, 2, BODY)

    with pytest.raises(BodyError, match=f"row {place[1]} version {place[2]} "):
        encrypted.decode(SNAPSHOT, *place, stored)


def test_a_body_of_another_table_is_refused(encrypted, data_keys):
    stored = body_codec(data_keys, encrypt=True, table="quarantine").encode(
        SNAPSHOT, 5, ROW, 2, BODY
    )

    with pytest.raises(BodyError, match=f"resource row {ROW} version 2"):
        encrypted.decode(SNAPSHOT, 5, ROW, 2, stored)


def test_every_changed_byte_of_an_encrypted_body_is_noticed(encrypted):
    stored = encrypted.encode(SNAPSHOT, 5, ROW, 2, BODY)

    for position in range(len(stored)):
        changed = bytearray(stored)
        changed[position] ^= 1
        with pytest.raises(BodyError):
            encrypted.decode(SNAPSHOT, 5, ROW, 2, bytes(changed))


@pytest.mark.parametrize("stored", [b"", b"\x81", b"\xff" + bytes(60), b"\x01" * 9])
def test_bytes_of_another_form_are_refused_without_their_content(codec, stored):
    with pytest.raises(BodyError) as raised:
        codec.decode(SNAPSHOT, 5, ROW, 2, stored)

    assert str(raised.value) == (
        f"The body of resource row {ROW} version 2 cannot be read: it is damaged, was "
        "moved, or is of another form."
    )


def test_a_plain_body_is_not_taken_for_an_encrypted_one(encrypted, plain):
    with pytest.raises(BodyError):
        encrypted.decode(SNAPSHOT, 5, ROW, 2, plain.encode(SNAPSHOT, 5, ROW, 2, BODY))
    with pytest.raises(BodyError):
        plain.decode(SNAPSHOT, 5, ROW, 2, encrypted.encode(SNAPSHOT, 5, ROW, 2, BODY))


def test_of_many_bodies_the_damaged_one_is_named(encrypted):
    items = [(5, ROW + number, 1, BODY) for number in range(3)]
    stored = stored_again(items, encrypted.encode_many(SNAPSHOT, items))
    stored[1] = (*stored[1][:3], stored[1][3][:-1])

    with pytest.raises(BodyError, match=f"row {ROW + 1} version 1"):
        encrypted.decode_many(SNAPSHOT, stored)


def test_the_same_stored_bodies_have_one_identity(codec):
    items = [stored_item(codec, row) for row in (ROW, ROW + 1)]

    assert codec.identity(items) == codec.identity(list(items))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_body_elsewhere_has_another_identity(codec, place):
    item = stored_item(codec, ROW)
    moved = list(item)
    moved[place] += 1

    assert codec.identity([item]) != codec.identity([tuple(moved)])


def test_another_body_or_order_has_another_identity(codec):
    one, other = stored_item(codec, ROW), stored_item(codec, ROW, b'{"id":"2"}')

    digests = {
        codec.identity(items)
        for items in ([one], [other], [one, other], [other, one], [])
    }

    assert len(digests) == 5


def test_what_is_encrypted_anew_has_another_identity(encrypted):
    one, again = stored_item(encrypted, ROW), stored_item(encrypted, ROW)

    assert encrypted.identity([one]) != encrypted.identity([again])


def test_without_its_key_a_body_is_gone(encrypted, data_keys, table):
    stored = encrypted.encode(SNAPSHOT, 5, ROW, 2, BODY)
    del table[5]
    data_keys.drop(5)

    with pytest.raises(DataKeyGoneError):
        encrypted.decode(SNAPSHOT, 5, ROW, 2, stored)


def test_a_new_patient_gets_a_key_in_either_mode(codec, table):
    table[9] = codec.new_key(9)

    stored = codec.encode(SNAPSHOT, 9, ROW, 1, BODY)

    assert codec.decode(SNAPSHOT, 9, ROW, 1, stored) == BODY


def test_eight_threads_compress_at_once(encrypted):
    corpus = Corpus(2)
    texts = [corpus.observation(kinds()["steps"]) for _ in range(50)]
    items = [(5, ROW + number, 1, text) for number, text in enumerate(texts)]
    results: list[list[bytes]] = []

    def work() -> None:
        for _ in range(20):
            stored = stored_again(items, encrypted.encode_many(SNAPSHOT, items))
            results.append(encrypted.decode_many(SNAPSHOT, stored))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [texts] * 160


def mean_stored(codec: BodyCodec, texts: list[bytes]) -> float:
    items = [(5, ROW + number, 1, text) for number, text in enumerate(texts)]
    return sum(map(len, codec.encode_many(SNAPSHOT, items))) / len(items)


def test_a_heart_rate_is_stored_in_150_bytes(encrypted):
    corpus = Corpus(3)
    texts = [corpus.observation(kinds()["heart-rate"]) for _ in range(300)]

    assert mean_stored(encrypted, texts) <= 150
    assert sum(map(len, texts)) / len(texts) >= 900


@pytest.mark.parametrize("name", sorted(COMMON_KINDS))
def test_a_common_kind_is_stored_in_a_fifth(encrypted, name):
    corpus = Corpus(4)
    texts = [corpus.observation(kinds()[name]) for _ in range(40)]

    assert mean_stored(encrypted, texts) <= sum(map(len, texts)) / len(texts) / 5


@pytest.mark.parametrize("number", sorted(DICTIONARIES))
def test_a_dictionary_is_the_one_that_bodies_were_stored_with(number):
    name, digest = DICTIONARIES[number]
    data = Path(body_module.__file__).with_name(name).read_bytes()

    assert sha256(data).hexdigest() == digest
    assert len(data) <= 32_768
    assert 0 < number <= MAX_DICTIONARY


def test_another_dictionary_under_a_known_number_is_refused(monkeypatch):
    changed = DICTIONARIES[CURRENT]._replace(sha256="0" * 64)
    monkeypatch.setitem(DICTIONARIES, CURRENT, changed)

    with pytest.raises(BodyError, match="not the dictionary"):
        body_module._dictionary.__wrapped__(CURRENT)


def test_a_kind_that_cannot_be_made_up_is_an_error():
    kind = replace(kinds()["heart-rate"], unit="no-unit")

    with pytest.raises(TypeError, match="no heart-rate could be made up"):
        Corpus(1).normalised(kind)


def test_training_gives_the_same_bytes_each_time():
    first = train()

    assert first == train()
    assert len(first) == DICTIONARY_BYTES


def test_the_trainer_writes_the_file_and_says_its_digest(tmp_path, capsys):
    file = tmp_path / "dictionary"

    main(["--output", str(file)])

    data = file.read_bytes()
    assert capsys.readouterr().out == (
        f"{file}: {len(data)} bytes, SHA-256 {sha256(data).hexdigest()}\n"
    )


REQUEST = (
    "GET /fhir/Observation?patient=0h3k2m9qx7e4t&code=8867-4&date=ge2026-10-01"
    "&date=lt2026-11-01&_sort=-date&_count=50"
)
RECORD = AuditRecord(
    time_us=1_795_861_800_123_456,
    interaction=Interaction.SEARCH,
    outcome=Outcome.ALLOWED,
    status=200,
    request_id="76d148b6-586d-11ec-bf63-0242ac130002",
    request=REQUEST,
    resource_type="Observation",
    client="example-ehr",
    organisation="0h3k2m9qx7e4t",
    address="203.0.113.17",
    purposes=("TREAT",),
    patients=(bytes(range(16)),),
    disclosed=tuple(range(1_000_000, 1_005_000, 100)),
    basis=(
        Basis(BasisKind.CONSENT, "0h3k2m9qx7e4t/_history/2", "provision.provision[0]"),
        Basis(BasisKind.SCOPE, "system/Observation.rs"),
    ),
)


def test_an_ordinary_search_takes_300_bytes_of_the_log(data_keys):
    seal = RequestSeal(data_keys)

    entry = encode(RECORD, seal=seal.sealer(SNAPSHOT, 5))

    assert len(entry) <= 300
    assert decode(entry, unseal=seal.unsealer(SNAPSHOT)) == RECORD


def test_a_request_is_erased_with_its_patient_and_the_entry_stays(data_keys, table):
    seal = RequestSeal(data_keys)
    entry = encode(RECORD, seal=seal.sealer(SNAPSHOT, 5))
    del table[5]
    data_keys.drop(5)

    record = decode(entry, unseal=seal.unsealer(SNAPSHOT))

    assert record == replace(RECORD, request=None)


def test_every_changed_byte_of_a_sealed_request_is_noticed(data_keys):
    seal = RequestSeal(data_keys)
    sealed = seal.sealer(SNAPSHOT, 5)(REQUEST.encode())
    unseal = seal.unsealer(SNAPSHOT)

    assert unseal(sealed) == REQUEST.encode()
    for position in (0, *range(9, len(sealed))):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(BodyError, match="audit log"):
            unseal(bytes(changed))


def test_a_request_about_one_patient_is_not_taken_for_that_of_another(data_keys):
    seal = RequestSeal(data_keys)
    sealed = seal.sealer(SNAPSHOT, 5)(REQUEST.encode())

    with pytest.raises(BodyError, match="audit log"):
        seal.unsealer(SNAPSHOT)(sealed[:8] + b"\x06" + sealed[9:])


@pytest.mark.parametrize("sealed", [b"", b"\x81\x00", bytes(40)])
def test_what_is_no_sealed_request_is_refused(data_keys, sealed):
    with pytest.raises(BodyError):
        RequestSeal(data_keys).unsealer(SNAPSHOT)(sealed)
