"""Checkpoints: what is signed, and what is refused."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.audit.checkpoint import (
    Checkpoint,
    CheckpointError,
    advance,
    key_id,
    parse_verifier_key,
    sign,
    verifier_key,
    verify,
)
from consent.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    from_leaves,
    leaf_hash,
)

ORIGIN = "log.example.org/audit"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
CHECKPOINT = Checkpoint(
    origin=ORIGIN, size=1234, root=bytes(range(32)), time_us=1_795_861_800_123_456
)
LEAVES = [leaf_hash(bytes([number])) for number in range(20)]


def checkpoint_of(size: int) -> Checkpoint:
    frontier = Frontier()
    frontier.grow(LEAVES[:size])
    return Checkpoint(origin=ORIGIN, size=size, root=frontier.root(), time_us=0)


def test_a_checkpoint_is_a_signed_note():
    text, _, signature = sign(CHECKPOINT, KEY).decode().partition("\n\n")

    assert text == (
        "log.example.org/audit\n"
        "1234\n"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "time 2026-11-28T10:30:00.123456Z"
    )
    assert signature.startswith("— log.example.org/audit ")
    raw = base64.b64decode(signature.split(" ")[2])
    assert raw[:4] == key_id(ORIGIN, KEY.public_key())
    KEY.public_key().verify(raw[4:], f"{text}\n".encode())


def test_a_signed_checkpoint_is_read_back():
    note = sign(CHECKPOINT, KEY)

    assert verify(note, origin=ORIGIN, public_key=KEY.public_key()) == CHECKPOINT


def test_a_witness_may_sign_too():
    witness = f"— witness.example.net {base64.b64encode(bytes(68)).decode()}\n"
    note = sign(CHECKPOINT, KEY) + witness.encode()

    assert verify(note, origin=ORIGIN, public_key=KEY.public_key()) == CHECKPOINT


def test_a_checkpoint_of_another_log_is_refused():
    with pytest.raises(CheckpointError, match="another log"):
        verify(
            sign(CHECKPOINT, KEY),
            origin="log.example.org/other",
            public_key=KEY.public_key(),
        )


def test_a_checkpoint_signed_with_another_key_is_refused():
    with pytest.raises(CheckpointError, match="not signed with the log's key"):
        verify(sign(CHECKPOINT, OTHER), origin=ORIGIN, public_key=KEY.public_key())


def test_every_changed_byte_is_noticed():
    note = sign(CHECKPOINT, KEY)

    for position in range(len(note)):
        changed = bytearray(note)
        changed[position] ^= 1
        with pytest.raises(CheckpointError):
            verify(bytes(changed), origin=ORIGIN, public_key=KEY.public_key())


def resigned(text: str) -> bytes:
    """A note over `text`, whatever it says, with the log's true signature."""
    id_ = key_id(ORIGIN, KEY.public_key())
    signature = base64.b64encode(id_ + KEY.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {signature}\n".encode()


ROOT = base64.b64encode(bytes(32)).decode()
TIME = "time 2026-11-28T10:30:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n01\n{ROOT}\n{TIME}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n{TIME}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n{TIME}\n",
        f"{ORIGIN}\n\u0661\n{ROOT}\n{TIME}\n",
        f"{ORIGIN}\n99999999999999999999\n{ROOT}\n{TIME}\n",
        f"{ORIGIN}\n1\n{ROOT[:-4]}\n{TIME}\n",
        f"{ORIGIN}\n1\n{ROOT} \n{TIME}\n",
        f"{ORIGIN}\n1\n{ROOT[:-2]}B=\n{TIME}\n",
        f"{ORIGIN}\n1\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT}\nnow\n",
        f"{ORIGIN}\n1\n{ROOT}\ntime 2026-13-28T10:30:00.000000Z\n",
        f"{ORIGIN}\n1\n{ROOT}\ntime 2026-11-28T10:30:00Z\n",
        f"{ORIGIN}\n1\n{ROOT}\n{TIME}\nmore\n",
        f"{ORIGIN}\n\n{ROOT}\n{TIME}\n",
    ],
)
def test_a_text_that_is_not_a_checkpoint_is_refused_though_it_is_signed(text):
    with pytest.raises(CheckpointError):
        verify(resigned(text), origin=ORIGIN, public_key=KEY.public_key())


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        b"\xff",
        sign(CHECKPOINT, KEY)[:-1],
        sign(CHECKPOINT, KEY).partition(b"\n\n")[0],
        sign(CHECKPOINT, KEY).partition(b"\n\n")[0] + b"\n\n",
        sign(CHECKPOINT, KEY) + b"x" * 10_000,
        sign(CHECKPOINT, KEY) + b"\xe2\x80\x94 a b\n" * 16,
    ],
)
def test_a_note_of_another_form_is_refused(note):
    with pytest.raises(CheckpointError):
        verify(note, origin=ORIGIN, public_key=KEY.public_key())


def test_a_short_signature_is_refused():
    text, _, _ = sign(CHECKPOINT, KEY).decode().partition("\n\n")
    short = base64.b64encode(key_id(ORIGIN, KEY.public_key()) + b"\0" * 63).decode()
    note = f"{text}\n\n— {ORIGIN} {short}\n".encode()

    with pytest.raises(CheckpointError, match="length"):
        verify(note, origin=ORIGIN, public_key=KEY.public_key())


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb"])
def test_an_origin_that_a_note_cannot_carry_is_not_signed(origin):
    with pytest.raises(ValueError, match="origin"):
        sign(replace(CHECKPOINT, origin=origin), KEY)


def test_a_later_checkpoint_continues_an_earlier():
    known, newer = checkpoint_of(7), checkpoint_of(20)
    proof = consistency_proof(7, 20, from_leaves(LEAVES.__getitem__))

    assert advance(known, newer, proof) == newer


def test_a_rollback_is_refused():
    with pytest.raises(CheckpointError, match="shrank"):
        advance(checkpoint_of(20), checkpoint_of(7), [])


def test_a_fork_of_the_same_size_is_refused():
    forked = replace(checkpoint_of(7), root=leaf_hash(b"other"))

    with pytest.raises(CheckpointError, match="different roots"):
        advance(checkpoint_of(7), forked, [])


def test_a_fork_of_another_size_is_refused():
    forked = replace(checkpoint_of(20), root=leaf_hash(b"other"))
    proof = consistency_proof(7, 20, from_leaves(LEAVES.__getitem__))

    with pytest.raises(CheckpointError, match="does not begin"):
        advance(checkpoint_of(7), forked, proof)


def test_nothing_follows_from_an_empty_log():
    empty = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT, time_us=0)

    with pytest.raises(CheckpointError, match="empty"):
        advance(empty, checkpoint_of(7), [])


def test_a_checkpoint_does_not_continue_that_of_another_log():
    other = replace(checkpoint_of(7), origin="log.example.org/other")

    with pytest.raises(CheckpointError, match="two logs"):
        advance(other, checkpoint_of(7), [])


def test_a_verifier_key_is_read_back():
    text = verifier_key(ORIGIN, KEY.public_key())

    origin, public_key = parse_verifier_key(text)

    assert origin == ORIGIN
    assert public_key.public_bytes_raw() == KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+AAAA",
        verifier_key(ORIGIN, KEY.public_key()).replace("log", "fog"),
        verifier_key(ORIGIN, KEY.public_key())[:-4],
    ],
)
def test_a_verifier_key_that_contradicts_itself_is_refused(text):
    with pytest.raises(CheckpointError):
        parse_verifier_key(text)
