"""Whether the stored log is the one that was written, and if not, where it differs.

The rows are read once, in the order of their index, in constant memory. Three
witnesses are compared: each row with the leaf hash beside it, the whole with the
stored head, and every prefix with the signed checkpoints, which an intruder in the
database cannot make. The hash beside a row names the very row that was altered;
where an intruder renewed that too, the checkpoints still say between which two
sizes it happened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import groupby, islice, pairwise
from operator import attrgetter

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.audit.checkpoint import Checkpoint, CheckpointError
from consent.audit.checkpoint import verify as verified
from consent.audit.merkle import EMPTY_ROOT, HASH_LENGTH, Frontier, TreeHead

MAX_FINDINGS = 100
"""Findings that are listed; the rest are counted."""

_PAGE = 512
"""Rows that are looked at together; faster than thousands, which leave the cache."""

Row = tuple[int, bytes, bytes]
"""Index, stored bytes, stored leaf hash."""


class Kind(StrEnum):
    """What can be wrong with the log."""

    ALTERED = "altered"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    REWRITTEN = "rewritten"
    TRUNCATED = "truncated"
    HEAD = "head"
    FORKED = "forked"
    CHECKPOINT = "checkpoint"
    INDEX = "index"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: What it is.
        index: The first row that it concerns; None where it concerns no row.
        sentence: What was found, for the person who has to act on it.

    """

    kind: Kind
    index: int | None
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a verification found.

    Attributes:
        rows: How many rows were read.
        root: Root over the rows; None where something is wrong.
        covered: How many leading rows a signed checkpoint vouches for.
        checkpoints: How many checkpoints agreed with the rows.
        findings: What is wrong, in the order of discovery, at most `MAX_FINDINGS`.
        more: How many findings are not listed.

    """

    rows: int
    root: bytes | None
    covered: int
    checkpoints: int
    findings: tuple[Finding, ...]
    more: int = 0

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def first_bad_index(self) -> int | None:
        """The first row that something is wrong with."""
        indexes = [
            finding.index for finding in self.findings if finding.index is not None
        ]
        return min(indexes, default=None)


class _Findings:
    """A list that counts what it has no room for."""

    def __init__(self) -> None:
        self.listed: list[Finding] = []
        self.more = 0

    def add(self, kind: Kind, index: int | None, sentence: str) -> None:
        if len(self.listed) < MAX_FINDINGS:
            self.listed.append(Finding(kind=kind, index=index, sentence=sentence))
        else:
            self.more += 1


class _Walk:
    """The rows read so far, and what the checkpoints said of them."""

    def __init__(self, checkpoints: Sequence[Checkpoint], found: _Findings) -> None:
        self.found = found
        self.frontier = Frontier()
        self.rows = 0
        self.expected = 0
        self.gapless = True
        self.covered = 0
        self.agreed = 0
        self.groups = [
            list(group) for _, group in groupby(checkpoints, key=attrgetter("size"))
        ]
        self.groups.reverse()
        self.due = -1
        self.compare_due()

    def read(self, rows: Iterable[Row]) -> None:
        """Read every row; this is the cost of a verification.

        Many at a time where nothing is wrong with them.
        """
        source = iter(rows)
        while page := list(islice(source, _PAGE)):
            hashes = self.well(page)
            if hashes is None:
                self.read_singly(page)
            else:
                self.take(hashes)

    def well(self, page: Sequence[Row]) -> list[bytes] | None:
        """Return the leaf hashes of rows that go on as they should; else None."""
        indexes, entries, stored = zip(*page, strict=True)
        if indexes != tuple(range(self.expected, self.expected + len(page))):
            return None
        try:
            hashes = [sha256(b"\x00" + entry).digest() for entry in entries]
        except TypeError:  # not even bytes any more
            return None
        return hashes if hashes == list(stored) else None

    def take(self, hashes: Sequence[bytes]) -> None:
        """Put rows into the tree, and compare on the way what checkpoints say."""
        at = 0
        while at < len(hashes):
            until = len(hashes)
            if self.expected < self.due < self.expected + until - at:
                until = at + self.due - self.expected
            self.frontier.grow(hashes[at:until])
            self.rows += until - at
            self.expected += until - at
            at = until
            if self.expected == self.due:
                self.compare_due()

    def read_singly(self, rows: Iterable[Row]) -> None:
        """Read rows of which one is not as it should be.

        Of an altered row the stored hash goes into the tree: the checkpoints then
        tell whether it was the only one.
        """
        append = self.frontier.append
        for index, entry, stored in rows:
            try:
                leaf = sha256(b"\x00" + entry).digest()
            except TypeError:  # not even bytes any more
                leaf = EMPTY_ROOT
            if leaf != stored:
                leaf = self.altered(index, leaf, stored)
            self.rows += 1
            if index != self.expected:
                self.misplaced(index)
                continue
            append(leaf)
            self.expected = index + 1
            if self.expected == self.due:
                self.compare_due()

    def altered(self, index: int, leaf: bytes, stored: bytes) -> bytes:
        """Note an altered row; return the leaf that stands for it in the tree."""
        self.found.add(
            Kind.ALTERED,
            index,
            f"Row {index} was altered: its bytes do not have the hash stored "
            "beside them.",
        )
        is_hash = isinstance(stored, bytes) and len(stored) == HASH_LENGTH
        return stored if is_hash else leaf

    def misplaced(self, index: int) -> None:
        """Note a row that is not the next one; after it no root can be compared."""
        self.gapless = False
        if index > self.expected:
            self.missing(index)
            self.expected = index + 1
        elif index < 0 or index == self.expected - 1:
            self.found.add(
                Kind.INSERTED,
                index,
                f"Row {index} was inserted: a log has each index from 0 once.",
            )
        else:
            self.found.add(
                Kind.REORDERED,
                index,
                f"Row {index} is out of order: it comes after row {self.expected - 1}.",
            )

    def missing(self, index: int) -> None:
        first, last = self.expected, index - 1
        self.found.add(
            Kind.MISSING,
            first,
            f"Row {first} is missing."
            if first == last
            else f"Rows {first} to {last} are missing.",
        )

    def compare_due(self) -> None:
        """Compare the root so far with the checkpoints of this size."""
        if self.groups and self.groups[-1][0].size == self.expected:
            self.compare(self.groups.pop())
        self.due = self.groups[-1][0].size if self.groups else -1

    def compare(self, checkpoints: Sequence[Checkpoint]) -> None:
        if not self.gapless:
            return
        root = self.frontier.root()
        agreeing = sum(checkpoint.root == root for checkpoint in checkpoints)
        self.agreed += agreeing
        if agreeing:
            self.covered = self.expected
            return
        self.groups.clear()
        self.found.add(
            Kind.REWRITTEN,
            self.covered,
            f"Among rows {self.covered} to {self.expected - 1} something was "
            "altered, reordered, inserted or removed: they are not what the "
            f"checkpoint of {checkpoints[0].time} signed.",
        )


def verify(
    rows: Iterable[Row],
    *,
    head: TreeHead | None,
    checkpoints: Iterable[bytes],
    origin: str,
    public_key: Ed25519PublicKey,
) -> Report:
    """Return what is wrong with the stored log.

    Args:
        rows: (index, stored bytes, stored leaf hash), ascending by index.
        head: The stored head; None where the store keeps none.
        checkpoints: Signed notes, in any order; those kept outside the database are
            the ones that show a removed tail or an older copy of the whole.
        origin: Name of the log, as its checkpoints carry it.
        public_key: The key that signs its checkpoints.

    """
    found = _Findings()
    trusted = _trusted(checkpoints, origin, public_key, found)
    walk = _Walk(trusted, found)
    walk.read(rows)
    _compare_end(walk, trusted)
    _compare_head(walk, head)
    return Report(
        rows=walk.rows,
        root=None if found.listed else walk.frontier.root(),
        covered=walk.covered,
        checkpoints=walk.agreed,
        findings=tuple(found.listed),
        more=found.more,
    )


def _trusted(
    notes: Iterable[bytes],
    origin: str,
    public_key: Ed25519PublicKey,
    found: _Findings,
) -> list[Checkpoint]:
    """Return the checkpoints that the log's key signed, by size."""
    checkpoints = []
    for number, note in enumerate(notes, start=1):
        try:
            checkpoints.append(verified(note, origin=origin, public_key=public_key))
        except CheckpointError as error:
            found.add(Kind.CHECKPOINT, None, f"Checkpoint {number}: {error}")
    checkpoints.sort(key=lambda checkpoint: (checkpoint.size, checkpoint.time_us))
    for earlier, later in pairwise(checkpoints):
        if earlier.size == later.size and earlier.root != later.root:
            found.add(
                Kind.FORKED,
                None,
                f"The log was forked: the checkpoints of {earlier.time} and "
                f"{later.time} sign different logs of {later.size} rows.",
            )
    return checkpoints


def _compare_end(walk: _Walk, checkpoints: Sequence[Checkpoint]) -> None:
    if not checkpoints:
        return
    newest = checkpoints[-1]
    if newest.size > walk.expected:
        walk.found.add(
            Kind.TRUNCATED,
            walk.expected,
            f"The rows from {walk.expected} on were removed, or the database is an "
            f"older copy: the checkpoint of {newest.time} signed {newest.size} rows.",
        )


def _compare_head(walk: _Walk, head: TreeHead | None) -> None:
    if head is None:
        return
    if head.size < walk.expected:
        walk.found.add(
            Kind.INSERTED,
            head.size,
            f"Rows from {head.size} on were inserted: the stored head counts "
            f"{head.size} rows.",
        )
    elif head.size > walk.expected:
        walk.found.add(
            Kind.TRUNCATED,
            walk.expected,
            f"The rows from {walk.expected} on were removed: the stored head counts "
            f"{head.size} rows.",
        )
    elif walk.gapless and walk.frontier.root() != head.root:
        walk.found.add(
            Kind.HEAD,
            None,
            f"The {head.size} rows do not have the root of the stored head.",
        )
