"""Every way to tamper with the log is found, and the first bad row is named."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.audit.checkpoint import Checkpoint, sign
from consent.audit.merkle import EMPTY_ROOT, Frontier, TreeHead, leaf_hash
from consent.audit.verification import (
    MAX_FINDINGS,
    Finding,
    Kind,
    Report,
    Row,
    verify,
)

ORIGIN = "log.example.org/audit"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIZE = 100


def row(index: int, entry: bytes) -> Row:
    return index, entry, leaf_hash(entry)


ROWS = [row(index, f"entry {index}".encode()) for index in range(SIZE)]


def head_of(rows: list[Row]) -> TreeHead:
    frontier = Frontier()
    frontier.grow([hash_ for _, _, hash_ in rows])
    return frontier.head()


def note(size: int, rows: list[Row] = ROWS, time_us: int | None = None) -> bytes:
    checkpoint = Checkpoint(
        origin=ORIGIN,
        size=size,
        root=head_of(rows[:size]).root,
        time_us=size * 1_000_000 if time_us is None else time_us,
    )
    return sign(checkpoint, KEY)


NOTES = [note(size) for size in (10, 40, 41, 90)]


def report(
    rows: list[Row], head: TreeHead | None = None, notes: list[bytes] = NOTES
) -> Report:
    return verify(
        iter(rows),
        head=head,
        checkpoints=notes,
        origin=ORIGIN,
        public_key=KEY.public_key(),
    )


def renumbered(entries: list[bytes]) -> list[Row]:
    """Rows whose indexes and hashes an intruder has renewed."""
    return [row(index, entry) for index, entry in enumerate(entries)]


ENTRIES = [entry for _, entry, _ in ROWS]


def test_an_untouched_log_is_intact():
    head = head_of(ROWS)

    assert report(ROWS, head) == Report(
        rows=SIZE, root=head.root, covered=90, checkpoints=4, findings=()
    )
    assert report(ROWS, head).is_intact
    assert report(ROWS, head).first_bad_index is None


def test_an_empty_log_is_intact():
    empty = TreeHead(0, EMPTY_ROOT)

    assert report([], empty, []).is_intact
    assert report([], empty, [note(0)]).checkpoints == 1


@pytest.mark.parametrize(
    ("rows", "kind", "index", "words"),
    [
        (
            [*ROWS[:57], (57, b"changed", ROWS[57][2]), *ROWS[58:]],
            Kind.ALTERED,
            57,
            "Row 57 was altered",
        ),
        (
            [*ROWS[:57], (57, ENTRIES[57], b""), *ROWS[58:]],
            Kind.ALTERED,
            57,
            "Row 57 was altered",
        ),
        (
            [*ROWS[:57], (57, "entry 57", ROWS[57][2]), *ROWS[58:]],
            Kind.ALTERED,
            57,
            "Row 57 was altered",
        ),
        (
            [*ROWS[:57], (57, ENTRIES[58], ROWS[57][2]), *ROWS[58:]],
            Kind.ALTERED,
            57,
            "Row 57 was altered",
        ),
        ([*ROWS[:57], *ROWS[58:]], Kind.MISSING, 57, "Row 57 is missing."),
        (ROWS[3:], Kind.MISSING, 0, "Rows 0 to 2 are missing."),
        (
            [*ROWS[:57], row(56, b"extra"), *ROWS[57:]],
            Kind.INSERTED,
            56,
            "Row 56 was inserted",
        ),
        ([row(-1, b"extra"), *ROWS], Kind.INSERTED, -1, "Row -1 was inserted"),
        (
            [*ROWS[:57], ROWS[12], *ROWS[57:]],
            Kind.REORDERED,
            12,
            "Row 12 is out of order: it comes after row 56.",
        ),
        (
            [*ROWS, row(SIZE, b"extra")],
            Kind.INSERTED,
            SIZE,
            "Rows from 100 on were inserted: the stored head counts 100 rows.",
        ),
        (
            renumbered([*ENTRIES[:57], b"changed", *ENTRIES[58:]]),
            Kind.REWRITTEN,
            41,
            "Among rows 41 to 89 something was altered",
        ),
        (
            renumbered([*ENTRIES[:57], *ENTRIES[58:], b"filler"]),
            Kind.REWRITTEN,
            41,
            "Among rows 41 to 89 something was altered",
        ),
        (
            renumbered([*ENTRIES[:5], b"extra", *ENTRIES[5:-1]]),
            Kind.REWRITTEN,
            0,
            "Among rows 0 to 9 something was altered",
        ),
        (
            renumbered([*ENTRIES[:20], ENTRIES[21], ENTRIES[20], *ENTRIES[22:]]),
            Kind.REWRITTEN,
            10,
            "Among rows 10 to 39 something was altered, reordered",
        ),
        (
            ROWS[:70],
            Kind.TRUNCATED,
            70,
            "the checkpoint of 1970-01-01T00:01:30.000000Z signed 90 rows.",
        ),
        (
            ROWS[:95],
            Kind.TRUNCATED,
            95,
            "The rows from 95 on were removed: the stored head counts 100 rows.",
        ),
        (
            renumbered([*ENTRIES[:95], b"changed", *ENTRIES[96:]]),
            Kind.HEAD,
            None,
            "The 100 rows do not have the root of the stored head.",
        ),
        ([], Kind.TRUNCATED, 0, "The rows from 0 on were removed"),
    ],
)
def test_tampering_is_found_and_the_first_bad_row_is_named(rows, kind, index, words):
    found = report(rows, head_of(ROWS))

    assert not found.is_intact
    assert found.root is None
    assert (found.findings[0].kind, found.findings[0].index) == (kind, index)
    assert words in found.findings[0].sentence
    assert found.first_bad_index == index


def test_a_log_that_was_cut_with_its_head_is_found_by_a_checkpoint_kept_elsewhere():
    rows = ROWS[:70]

    assert report(rows, head_of(rows), []).is_intact
    assert [finding.kind for finding in report(rows, head_of(rows)).findings] == [
        Kind.TRUNCATED
    ]


def test_an_altered_row_does_not_hide_another_that_was_rewritten():
    entries = [*ENTRIES[:57], b"changed", *ENTRIES[58:]]
    rows = renumbered(entries)
    rows[3] = (3, b"altered", rows[3][2])

    kinds = [(finding.kind, finding.index) for finding in report(rows).findings]

    assert kinds == [(Kind.ALTERED, 3), (Kind.REWRITTEN, 41)]


def test_a_forked_log_is_named():
    other = renumbered([b"other", *ENTRIES[1:]])

    found = report(ROWS, head_of(ROWS), [*NOTES, note(40, other, time_us=5)])

    assert found.findings == (
        Finding(
            kind=Kind.FORKED,
            index=None,
            sentence="The log was forked: the checkpoints of "
            "1970-01-01T00:00:00.000005Z and 1970-01-01T00:00:40.000000Z sign "
            "different logs of 40 rows.",
        ),
    )
    assert found.covered == 90


def forged(_: bytes) -> bytes:
    return sign(
        Checkpoint(origin=ORIGIN, size=10, root=EMPTY_ROOT, time_us=0),
        Ed25519PrivateKey.from_private_bytes(bytes(32)),
    )


def of_another_log(_: bytes) -> bytes:
    return sign(Checkpoint(origin="a.org/b", size=1, root=EMPTY_ROOT, time_us=0), KEY)


@pytest.mark.parametrize(
    "change", [forged, of_another_log, lambda note: note.replace(b"10", b"11")]
)
def test_a_checkpoint_that_cannot_be_trusted_is_a_finding(
    change: Callable[[bytes], bytes],
):
    found = report(ROWS, None, [NOTES[1], change(NOTES[0])])

    assert [finding.kind for finding in found.findings] == [Kind.CHECKPOINT]
    assert found.findings[0].sentence.startswith("Checkpoint 2: ")
    assert found.checkpoints == 1


def test_findings_beyond_the_limit_are_counted():
    rows = [(index, b"changed", hash_) for index, _, hash_ in ROWS * 2]

    found = report(rows, None, [])

    assert len(found.findings) == MAX_FINDINGS
    assert found.more == 2 * SIZE - MAX_FINDINGS + SIZE


def test_rows_are_read_once_and_not_kept():
    def rows():
        for index in range(5000):
            yield row(index, b"entry")

    found = verify(
        rows(), head=None, checkpoints=[], origin=ORIGIN, public_key=KEY.public_key()
    )

    assert found.rows == 5000


LONG = [row(index, f"entry {index}".encode()) for index in range(10_000)]
"""More than is looked at together."""


@pytest.mark.parametrize("at", [0, 4_095, 4_096, 6_000, 9_999])
@pytest.mark.parametrize(
    "entry", [b"other", b"", None, "text"], ids=["other", "empty", "null", "text"]
)
def test_one_altered_row_of_a_long_log_is_named(at, entry):
    rows = [*LONG]
    rows[at] = (at, entry, rows[at][2])

    found = report(rows, head_of(LONG), [note(size, LONG) for size in (1, 5_000)])

    assert found.first_bad_index == at
    assert [one.kind for one in found.findings] == [Kind.ALTERED]
    assert (found.rows, found.covered, found.checkpoints) == (10_000, 5_000, 2)


def test_a_long_log_is_intact_to_its_end():
    notes = [note(size, LONG) for size in (1, 4_096, 4_097, 8_192, 10_000)]

    found = report(LONG, head_of(LONG), notes)

    assert found.is_intact
    assert (found.covered, found.checkpoints) == (10_000, 5)


def test_rows_that_an_intruder_hashed_anew_are_found_between_two_checkpoints():
    rows = [*LONG]
    rows[6_000] = row(6_000, b"other")
    notes = [note(size, LONG) for size in (5_000, 7_000, 9_000)]

    [finding] = report(rows, None, notes).findings

    assert (finding.kind, finding.index) == (Kind.REWRITTEN, 5_000)
