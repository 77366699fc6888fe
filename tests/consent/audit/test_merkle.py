"""The Merkle log against RFC 9162's definitions, written out naively."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.merkle import (
    EMPTY_ROOT,
    TILE_HEIGHT,
    Frontier,
    ProofError,
    TreeHead,
    consistency_proof,
    from_leaves,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots of Certificate Transparency's well-known test tree.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of §2.1.1, as it is written."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of §2.1.3.1, as it is written."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*naive_path(index, left), naive_root(right)]
    return [*naive_path(index - split, right), naive_root(left)]


def naive_subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of §2.1.4.1, as it is written."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = leaves[:split], leaves[split:]
    if old <= split:
        return [*naive_subproof(old, left, whole=whole), naive_root(right)]
    return [*naive_subproof(old - split, right, whole=False), naive_root(left)]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4)) for number in range(count)]


def head_of(leaves: list[bytes]) -> TreeHead:
    frontier = Frontier()
    frontier.grow(leaves)
    return frontier.head()


def test_the_tree_of_certificate_transparency_has_its_published_roots():
    frontier = Frontier()
    roots = []
    for leaf in LEAVES:
        frontier.append(leaf_hash(leaf))
        roots.append(frontier.root().hex())

    assert roots == ROOTS


def test_the_inclusion_proof_of_certificate_transparency_is_the_published_one():
    subtree = from_leaves([leaf_hash(leaf) for leaf in LEAVES].__getitem__)

    path = inclusion_proof(5, 8, subtree)

    assert [node.hex() for node in path] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_the_consistency_proof_of_certificate_transparency_is_the_published_one():
    subtree = from_leaves([leaf_hash(leaf) for leaf in LEAVES].__getitem__)

    path = consistency_proof(6, 8, subtree)

    assert [node.hex() for node in path] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_an_empty_tree_has_the_hash_of_nothing():
    assert Frontier().head() == TreeHead(0, EMPTY_ROOT)
    assert EMPTY_ROOT.hex().startswith("e3b0c44298fc1c14")


@given(st.integers(min_value=0, max_value=300))
def test_a_frontier_has_the_root_of_the_naive_tree(size):
    leaves = hashes(size)

    assert head_of(leaves) == TreeHead(size, naive_root(leaves))


@settings(max_examples=200)
@given(st.data())
def test_an_inclusion_proof_is_the_naive_one_and_verifies(data):
    size = data.draw(st.integers(min_value=1, max_value=150))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = hashes(size)

    path = inclusion_proof(index, size, from_leaves(leaves.__getitem__))

    assert path == naive_path(index, leaves)
    verify_inclusion(leaves[index], index, head_of(leaves), path)


@settings(max_examples=200)
@given(st.data())
def test_a_consistency_proof_is_the_naive_one_and_verifies(data):
    new = data.draw(st.integers(min_value=1, max_value=150))
    old = data.draw(st.integers(min_value=1, max_value=new))
    leaves = hashes(new)

    path = consistency_proof(old, new, from_leaves(leaves.__getitem__))

    assert path == naive_subproof(old, leaves, whole=True)
    verify_consistency(head_of(leaves[:old]), head_of(leaves), path)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_inclusion_proof_is_refused(data):
    size = data.draw(st.integers(min_value=2, max_value=60))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = hashes(size)
    head = head_of(leaves)
    path = inclusion_proof(index, size, from_leaves(leaves.__getitem__))
    damage = data.draw(st.integers(min_value=0, max_value=len(path) - 1))
    changed = [*path[:damage], leaf_hash(b"forged"), *path[damage + 1 :]]
    other = (index + 1) % size

    for attempt in (
        (leaves[index], index, head, changed),
        (leaves[index], index, head, path[:-1]),
        (leaves[index], index, head, [*path, path[-1]]),
        (leaves[index], index, head, [path[0], *path]),
        (leaf_hash(b"forged"), index, head, path),
        (leaves[index], other, head, path),
        (leaves[index], size, head, path),
        (leaves[index], -1, head, path),
        (leaves[index], index, TreeHead(size, leaf_hash(b"forged")), path),
    ):
        with pytest.raises(ProofError):
            verify_inclusion(*attempt)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_consistency_proof_is_refused(data):
    new = data.draw(st.integers(min_value=2, max_value=60))
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    leaves = hashes(new)
    before, after = head_of(leaves[:old]), head_of(leaves)
    path = consistency_proof(old, new, from_leaves(leaves.__getitem__))
    damage = data.draw(st.integers(min_value=0, max_value=len(path) - 1))
    changed = [*path[:damage], leaf_hash(b"forged"), *path[damage + 1 :]]
    forged = leaf_hash(b"forged")

    for attempt in (
        (before, after, changed),
        (before, after, path[:-1]),
        (before, after, []),
        (before, after, [*path, path[-1]]),
        (before, after, [before.root, *path]),
        (TreeHead(old, forged), after, path),
        (before, TreeHead(new, forged), path),
        (TreeHead(old, after.root), TreeHead(new, before.root), path),
        (TreeHead(0, EMPTY_ROOT), after, path),
        (after, before, path),
    ):
        with pytest.raises(ProofError):
            verify_consistency(*attempt)


def test_an_empty_tree_proves_nothing():
    with pytest.raises(ProofError, match="empty"):
        verify_consistency(TreeHead(0, EMPTY_ROOT), head_of(hashes(3)), [])
    with pytest.raises(ProofError, match="empty"):
        verify_consistency(TreeHead(0, EMPTY_ROOT), TreeHead(0, EMPTY_ROOT), [])
    with pytest.raises(ProofError, match="empty"):
        consistency_proof(0, 3, from_leaves(hashes(3).__getitem__))


def test_equal_sizes_with_different_roots_are_refused():
    with pytest.raises(ProofError, match="different roots"):
        verify_consistency(TreeHead(3, b"a" * 32), TreeHead(3, b"b" * 32), [])


def test_equal_trees_need_no_proof():
    head = head_of(hashes(5))

    verify_consistency(head, head, [])

    with pytest.raises(ProofError, match="no consistency proof"):
        verify_consistency(head, head, [head.root])


def test_a_smaller_tree_cannot_follow_a_larger():
    with pytest.raises(ProofError, match="shrank"):
        verify_consistency(head_of(hashes(4)), head_of(hashes(3)), [])


def test_a_proof_for_a_leaf_outside_the_tree_is_refused():
    with pytest.raises(ProofError, match="no leaf 3"):
        inclusion_proof(3, 3, from_leaves(hashes(3).__getitem__))


def test_a_frontier_goes_on_after_it_was_stored():
    leaves = hashes(21)
    first = Frontier()
    first.grow(leaves[:13])

    again = Frontier.from_bytes(first.to_bytes())
    again.grow(leaves[13:])

    assert again.head() == head_of(leaves)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_many_leaves_at_once_are_the_same_as_one_by_one(parts):
    at_once, one_by_one = Frontier(), Frontier()
    for part in parts:
        leaves = hashes(part)

        at_once.grow(leaves)

        for leaf in leaves:
            one_by_one.append(leaf)
    assert at_once.to_bytes() == one_by_one.to_bytes()


def test_a_copy_grows_alone():
    frontier = Frontier()
    frontier.grow(hashes(5))

    frontier.copy().append(leaf_hash(b"other"))

    assert frontier.head() == head_of(hashes(5))


@pytest.mark.parametrize("cut", [0, 7, 8, 39])
def test_a_frontier_of_the_wrong_length_is_refused(cut):
    frontier = Frontier()
    frontier.grow(hashes(3))

    with pytest.raises(ValueError, match="frontier"):
        Frontier.from_bytes(frontier.to_bytes()[:cut])


def test_a_frontier_needs_a_peak_for_each_complete_subtree():
    with pytest.raises(ValueError, match="2 peaks"):
        Frontier(3, [b"a" * 32])


def test_stored_subtrees_answer_for_their_leaves():
    size = 65_536 + 700
    leaves = hashes(size)
    whole = from_leaves(leaves.__getitem__)
    tiles = {
        (level, number): whole(level, number)
        for level in (TILE_HEIGHT, 2 * TILE_HEIGHT)
        for number in range(size >> level)
    }
    head, asked = head_of(leaves), []

    def leaf(index: int) -> bytes:
        asked.append(index)
        return leaves[index]

    subtree = from_leaves(leaf, lambda *tile: tiles.get(tile))
    path = inclusion_proof(40_000, size, subtree)
    proof = consistency_proof(300, size, subtree)

    verify_inclusion(leaves[40_000], 40_000, head, path)
    verify_consistency(head_of(leaves[:300]), head, proof)
    assert len(asked) < 1500
    assert tiles[8, 1] == naive_root(leaves[256:512])
