"""The verifier that stands alone: it agrees with ours, and refuses what is not so."""

import ast
import base64
import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit import checkpoint, merkle, verify_proof
from consent.audit.checkpoint import Checkpoint
from consent.audit.entry import (
    READABLE,
    AuditRecord,
    Interaction,
    Outcome,
    decode,
    encode,
)
from consent.audit.verify_proof import Wrong, check, is_signed, read_row
from consent.audit.words import WORDS

ORIGIN = "log.example/one"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TIME_US = 1_767_603_600_000_000


def b64(data):
    return base64.b64encode(data).decode()


def leaf(number):
    record = AuditRecord(
        time_us=TIME_US + number,
        interaction=Interaction.READ,
        outcome=Outcome.ALLOWED,
        status=200,
        user="Practitioner/officer",
        organisation="Organization/clinic",
        resource_type="Observation",
        request_id="4ef729e034c13ac5-6b" if number % 2 else "of-a-client",
        address="203.0.113.17" if number % 2 else "2001:db8::17",
        client=f"client-{number}",
        purposes=("TREAT", "HPAYMT"),
        patients=(bytes(range(16)),),
    )
    return encode(record, seal=lambda request: request)


LEAVES = [leaf(number) for number in range(21)]


def note(size, key=KEY, leaves=LEAVES, origin=ORIGIN):
    subtree = merkle.from_leaves(lambda at: merkle.leaf_hash(leaves[at]))
    root = merkle._range_hash(subtree, 0, size)
    made = Checkpoint(origin=origin, size=size, root=root, time_us=TIME_US)
    return checkpoint.sign(made, key).decode()


def made(size=21, rows=(0, 7, 20), earlier=(8, 13), leaves=LEAVES):
    subtree = merkle.from_leaves(lambda at: merkle.leaf_hash(leaves[at]))
    return {
        "format": verify_proof.FORMAT,
        "verifierKey": checkpoint.verifier_key(ORIGIN, KEY.public_key()),
        "checkpoint": note(size, leaves=leaves),
        "earlier": [
            {
                "checkpoint": note(old, leaves=leaves),
                "consistency": [
                    b64(one) for one in merkle.consistency_proof(old, size, subtree)
                ],
            }
            for old in earlier
        ],
        "rows": [
            {
                "index": index,
                "leaf": b64(leaves[index]),
                "inclusion": [
                    b64(one) for one in merkle.inclusion_proof(index, size, subtree)
                ],
                "says": {"client": f"client-{index}", "outcome": "allowed"},
            }
            for index in rows
        ],
    }


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_row_of_every_log_is_proved(data):
    size = data.draw(st.integers(1, 21))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))

    told = check(made(size, (index,), (old,)))

    assert told["size"] == size
    assert [row["client"] for row in told["rows"]] == [f"client-{index}"]
    assert [one["size"] for one in told["earlier"]] == [old]


def test_a_row_is_told_in_its_words():
    [row] = check(made(rows=(7,), earlier=()))["rows"]

    assert row == {
        "index": 7,
        "time": "2026-01-05T09:00:00.000007Z",
        "interaction": "read",
        "outcome": "allowed",
        "status": 200,
        "resource_type": "Observation",
        "user": "Practitioner/officer",
        "client": "client-7",
        "organisation": "Organization/clinic",
        "address": "203.0.113.17",
        "request_id": "4ef729e034c13ac5-6b",
        "purposes": ["TREAT", "HPAYMT"],
        "patients": [bytes(range(16)).hex()],
    }


def changed(path, value):
    bundle = copy.deepcopy(made())
    *before, last = path
    at = bundle
    for step in before:
        at = at[step]
    at[last] = value
    return bundle


NONE = b64(bytes(32))
WRONG = {
    "another format": (("format",), "something"),
    "another key": (
        ("verifierKey",),
        checkpoint.verifier_key(ORIGIN, OTHER.public_key()),
    ),
    "a key that contradicts itself": (
        ("verifierKey",),
        checkpoint.verifier_key(ORIGIN, KEY.public_key()).replace("one+", "two+"),
    ),
    "a checkpoint of another key": (("checkpoint",), note(21, OTHER)),
    "a checkpoint of another log": (("checkpoint",), note(21, origin="else.example")),
    "a checkpoint that was changed": (("checkpoint",), note(21).replace("21", "20", 1)),
    "no checkpoint": (("checkpoint",), ""),
    "a shorter log": (("checkpoint",), note(20)),
    "another row": (("rows", 0, "leaf"), b64(LEAVES[1])),
    "another place": (("rows", 0, "index"), 1),
    "a place before the log": (("rows", 0, "index"), -1),
    "a place behind the log": (("rows", 0, "index"), 21),
    "another path": (("rows", 0, "inclusion", 0), NONE),
    "no path": (("rows", 0, "inclusion"), []),
    "other words": (("rows", 0, "says", "client"), "somebody else"),
    "an older log that is not continued": (
        ("earlier", 0, "checkpoint"),
        note(8, leaves=LEAVES[::-1]),
    ),
    "no proof that it is continued": (("earlier", 0, "consistency"), [NONE]),
    "a longer earlier log": (
        ("earlier", 0, "checkpoint"),
        note(22, leaves=[*LEAVES, b"x"]),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_so_is_refused(name):
    with pytest.raises(Wrong):
        check(changed(*WRONG[name]))


def test_an_empty_earlier_log_is_refused():
    empty = Checkpoint(origin=ORIGIN, size=0, root=merkle.EMPTY_ROOT, time_us=TIME_US)
    bundle = made(earlier=())
    bundle["earlier"] = [
        {"checkpoint": checkpoint.sign(empty, KEY).decode(), "consistency": []}
    ]

    with pytest.raises(Wrong, match="empty"):
        check(bundle)


def test_the_key_that_somebody_knows_decides():
    known = checkpoint.verifier_key(ORIGIN, OTHER.public_key())

    with pytest.raises(Wrong, match="another key"):
        check(made(), known)


@given(st.binary(max_size=60))
@settings(max_examples=30, deadline=None)
def test_its_signatures_are_those_of_the_library(message):
    public = KEY.public_key().public_bytes_raw()
    signature = KEY.sign(message)

    assert is_signed(public, message, signature)
    assert not is_signed(public, message + b"x", signature)
    assert not is_signed(OTHER.public_key().public_bytes_raw(), message, signature)


def test_its_numbers_are_those_of_the_log():
    assert set(verify_proof.LAYOUTS) == READABLE
    assert dict(verify_proof.WORDS) == {ord(one): word for one, word in WORDS.items()}
    assert list(verify_proof.INTERACTIONS) == [one.value for one in Interaction]
    assert list(verify_proof.OUTCOMES) == [one.value for one in Outcome]


@pytest.mark.parametrize("cut", [0, 5, 20, len(LEAVES[0]) - 1])
def test_a_row_that_is_cut_off_is_refused(cut):
    with pytest.raises(Wrong):
        read_row(LEAVES[0][:cut])


def test_it_needs_nothing_but_python():
    tree = ast.parse(Path(verify_proof.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imported <= set(sys.stdlib_module_names)


def run(path, *words):
    return subprocess.run(  # noqa: S603 - our own file
        [sys.executable, "-I", verify_proof.__file__, str(path), *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_alone_and_says_what_it_has_proved(tmp_path):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(made()))

    done = run(path)

    assert done.returncode == 0, done.stdout
    assert "Proved: 3 rows" in done.stdout
    assert "compare it" in done.stdout


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1}'])
def test_it_says_so_where_there_is_no_bundle(tmp_path, text):
    path = tmp_path / "bundle.json"
    path.write_text(text)

    done = run(path)

    assert (done.returncode, done.stdout[:10]) == (1, "NOT proved")


def test_it_says_how_it_is_used(tmp_path):
    assert run(tmp_path, "--key").returncode == 2


@pytest.mark.parametrize("number", [0, 1])
def test_a_row_says_what_the_log_says(number):
    told = read_row(LEAVES[number])

    record = decode(LEAVES[number], unseal=lambda _: None)
    assert {
        name: told[name] for name in verify_proof.TEXTS.values() if name in told
    } == {
        name: getattr(record, name)
        for name in verify_proof.TEXTS.values()
        if getattr(record, name)
    }
