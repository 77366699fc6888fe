"""A Merkle tree over the log's stored bytes: heads, proofs, and their verifiers.

The tree is RFC 9162's with SHA-256: a leaf is hashed behind `0x00`, an inner node
behind `0x01`. A proof is computed over the hashes of complete subtrees, so whoever
stores those of some levels answers for a large log without reading every leaf.

https://www.rfc-editor.org/rfc/rfc9162#section-2.1
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_LENGTH = 32
"""Bytes of a SHA-256 hash."""

_ROOM = 63
"""Levels of an empty tree."""

TILE_HEIGHT = 8
"""Levels between the subtree hashes worth storing: 1/256 of the leaves, and so on."""

EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves (§2.1.1)."""

_SIZE = struct.Struct(">Q")


class ProofError(Exception):
    """A proof that does not show what it claims to show."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How many leaves there are, and the hash that commits to all of them."""

    size: int
    root: bytes


SubtreeHash = Callable[[int, int], bytes]
"""(level, number) to the hash of that complete subtree; level 0 are the leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds `entry` (§2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above `left` and `right` (§2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that appending needs.

    It holds the roots of the complete subtrees that the leaves fall into, one for
    each 1 in the binary size. An append is two hashes on average. Not thread-safe:
    one writer owns it, and keeps a `copy` to go back to when a commit fails.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks")

    def append(self, leaf: bytes) -> None:
        """Add the leaf whose hash is `leaf`."""
        self._push(leaf, 0)

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves in their order, a whole subtree at a time: half the work."""
        at = 0
        while at < len(leaves):
            room = (self.size & -self.size).bit_length() - 1 if self.size else _ROOM
            level = min(room, (len(leaves) - at).bit_length() - 1)
            hashes = leaves[at : at + (1 << level)]
            at += len(hashes)
            while len(hashes) > 1:
                pairs = iter(hashes)
                hashes = [
                    sha256(b"\x01" + left + right).digest()
                    for left, right in zip(pairs, pairs, strict=True)
                ]
            self._push(hashes[0], level)

    def _push(self, root: bytes, level: int) -> None:
        """Add a complete subtree where the next leaf would begin one of its level."""
        carry = self.size >> level
        while carry & 1:
            root = sha256(b"\x01" + self.peaks.pop() + root).digest()
            carry >>= 1
        self.peaks.append(root)
        self.size += 1 << level

    def root(self) -> bytes:
        """Return the hash that commits to every leaf so far."""
        if not self.peaks:
            return EMPTY_ROOT
        *left, root = self.peaks
        for peak in reversed(left):
            root = sha256(b"\x01" + peak + root).digest()
        return root

    def head(self) -> TreeHead:
        """Return size and root."""
        return TreeHead(self.size, self.root())

    def copy(self) -> "Frontier":
        """Return a frontier that grows independently of this one."""
        return Frontier(self.size, self.peaks)

    def to_bytes(self) -> bytes:
        """Return the size (8 bytes, big-endian) and the peaks, largest first."""
        return _SIZE.pack(self.size) + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Return the frontier that `to_bytes` wrote.

        Raises:
            ValueError: where the length does not fit the size.

        """
        if len(data) < _SIZE.size:
            raise ValueError("a frontier begins with eight bytes of size")
        (size,) = _SIZE.unpack_from(data)
        peaks = data[_SIZE.size :]
        if len(peaks) != size.bit_count() * HASH_LENGTH:
            raise ValueError("a frontier has one hash for each 1 in its binary size")
        return cls(
            size,
            [peaks[i : i + HASH_LENGTH] for i in range(0, len(peaks), HASH_LENGTH)],
        )


def _not_stored(_level: int, _number: int) -> bytes | None:
    return None


def from_leaves(
    leaf: Callable[[int], bytes],
    stored: Callable[[int, int], bytes | None] = _not_stored,
) -> SubtreeHash:
    """Return the subtree hashes over `leaf`, the hash of the leaf at an index.

    `stored` is asked for the levels that are multiples of `TILE_HEIGHT`, and answers
    None for what it does not have. A stored hash that is wrong makes a proof that
    does not verify, never a wrong proof that does.
    """

    def subtree(level: int, number: int) -> bytes:
        if level == 0:
            return leaf(number)
        known = stored(level, number) if level % TILE_HEIGHT == 0 else None
        if known is not None:
            return known
        return node_hash(
            subtree(level - 1, 2 * number), subtree(level - 1, 2 * number + 1)
        )

    return subtree


def _range_hash(subtree: SubtreeHash, start: int, end: int) -> bytes:
    """Return the hash over leaves `start` to `end` of one branch of the tree."""
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(subtree(level, start >> level))
        start += 1 << level
    hash_ = parts.pop()
    while parts:
        hash_ = node_hash(parts.pop(), hash_)
    return hash_


def _middle(start: int, end: int) -> int:
    """Return where the branch divides: the largest power of two below its width."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the path from leaf `index` to the root of the first `size` leaves.

    PATH(m, D_n) of §2.1.3.1, from the leaf upwards.

    Raises:
        ProofError: where the tree has no such leaf.

    """
    if not 0 <= index < size:
        raise ProofError(f"A tree of {size} leaves has no leaf {index}.")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = _middle(start, end)
        if index < middle:
            path.append(_range_hash(subtree, middle, end))
            end = middle
        else:
            path.append(_range_hash(subtree, start, middle))
            start = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, subtree: SubtreeHash) -> list[bytes]:
    """Return what shows that the first `new` leaves begin with the first `old`.

    PROOF(m, D_n) of §2.1.4.1.

    Raises:
        ProofError: for an empty old tree, which proves nothing, and for one that is
            larger than the new.

    """
    _refuse_sizes(old, new)
    path = []
    start, end = 0, new
    while old < end:
        middle = _middle(start, end)
        if old <= middle:
            path.append(_range_hash(subtree, middle, end))
            end = middle
        else:
            path.append(_range_hash(subtree, start, middle))
            start = middle
    if start:
        path.append(_range_hash(subtree, start, end))
    path.reverse()
    return path


def _refuse_sizes(old: int, new: int) -> None:
    if old <= 0:
        raise ProofError("An empty tree is consistent with anything: nothing is shown.")
    if new < old:
        raise ProofError(f"The log shrank from {old} to {new} leaves.")


def verify_inclusion(
    leaf: bytes, index: int, head: TreeHead, path: Sequence[bytes]
) -> None:
    """Check that the leaf whose hash is `leaf` stands at `index` (§2.1.3.2).

    Raises:
        ProofError: where the proof does not show it.

    """
    if not 0 <= index < head.size:
        raise ProofError(f"A tree of {head.size} leaves has no leaf {index}.")
    hash_ = leaf
    for sibling, is_left in _siblings(path, index, head.size - 1):
        hash_ = node_hash(sibling, hash_) if is_left else node_hash(hash_, sibling)
    if hash_ != head.root:
        raise ProofError(f"Leaf {index} is not the one that the log committed to.")


def _siblings(
    path: Sequence[bytes], position: int, last: int
) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash on the way up, and whether it stands left of the node.

    The common part of §2.1.3.2 and §2.1.4.2. `position` is the node's number at its
    level and `last` that of the level's last node; where a node has no sibling it
    climbs until it has one.
    """
    for sibling in path:
        if last == 0:
            raise ProofError("The proof is too long.")
        is_left = bool(position & 1) or position == last
        yield sibling, is_left
        while is_left and position and not position & 1:
            position >>= 1
            last >>= 1
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("The proof is too short.")


def verify_consistency(old: TreeHead, new: TreeHead, path: Sequence[bytes]) -> None:
    """Check that the tree of `new` begins with that of `old` (§2.1.4.2).

    Raises:
        ProofError: where the proof does not show it, for an empty old tree, and for
            equal sizes with different roots.

    """
    _refuse_sizes(old.size, new.size)
    if old.size == new.size:
        _verify_same(old, new, path)
        return
    hashes = list(path)
    if not old.size & (old.size - 1):
        hashes.insert(0, old.root)
    if not hashes:
        raise ProofError("The proof is too short.")
    position, last = _climb_ones(old.size - 1, new.size - 1)
    old_hash = new_hash = hashes[0]
    for sibling, is_left in _siblings(hashes[1:], position, last):
        if is_left:
            old_hash = node_hash(sibling, old_hash)
            new_hash = node_hash(sibling, new_hash)
        else:
            new_hash = node_hash(new_hash, sibling)
    if (old_hash, new_hash) != (old.root, new.root):
        raise ProofError(
            f"The log of {new.size} leaves does not begin with the {old.size} "
            "that it had committed to."
        )


def _verify_same(old: TreeHead, new: TreeHead, path: Sequence[bytes]) -> None:
    if old.root != new.root:
        raise ProofError(f"Two logs of {old.size} leaves have different roots.")
    if path:
        raise ProofError("Equal trees need no consistency proof.")


def _climb_ones(position: int, last: int) -> tuple[int, int]:
    """Skip the levels that lie inside the old tree (§2.1.4.2, step 3)."""
    while position & 1:
        position >>= 1
        last >>= 1
    return position, last
