"""Proofs read from the stored log are those that the leaves give, and verify."""

import pytest
from sqlalchemy import func, select

from consent.audit import merkle
from consent.audit.merkle import (
    ProofError,
    TreeHead,
    from_leaves,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from fhir_service.storage import audit_log, audit_tree
from fhir_service.storage.audit_index import AuditIndex
from fhir_service.storage.audit_tables import audit_tile
from fhir_service.storage.statement import Statement

SIZE = 1_000


@pytest.fixture(scope="module")
def log(tmp_path_factory, template):
    """Return an indexed log of more than `SIZE` rows."""
    from worlds import opened_world  # noqa: PLC0415 - found by the folder's conftest

    with opened_world(tmp_path_factory.mktemp("tree"), template, name="tree") as world:
        database = world.deployment.database
        database.log([b"row %d" % number for number in range(SIZE)]).result()
        AuditIndex(lambda _, __: None, lambda data: data[:16]).catch_up(database)
        yield database


def hashes(database):
    with database.read() as snapshot:
        return [leaf_hash(bytes(leaf)) for _, leaf, _ in audit_log.entries(snapshot)]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 777])
def test_a_row_is_proved_to_be_in_the_log(log, index):
    leaves = hashes(log)
    size = len(leaves)
    root = merkle._range_hash(from_leaves(leaves.__getitem__), 0, size)

    with log.read() as snapshot:
        path = audit_tree.inclusion(snapshot, index, size)

    assert path == merkle.inclusion_proof(index, size, from_leaves(leaves.__getitem__))
    verify_inclusion(leaves[index], index, TreeHead(size, root), path)


@pytest.mark.parametrize("old", [1, 255, 256, 300, 768])
def test_a_log_is_proved_to_begin_with_an_older_one(log, old):
    leaves = hashes(log)
    size = len(leaves)
    subtree = from_leaves(leaves.__getitem__)

    with log.read() as snapshot:
        path = audit_tree.consistency(snapshot, old, size)

    verify_consistency(
        TreeHead(old, merkle._range_hash(subtree, 0, old)),
        TreeHead(size, merkle._range_hash(subtree, 0, size)),
        path,
    )


def test_an_empty_older_log_proves_nothing(log):
    with log.read() as snapshot, pytest.raises(ProofError):
        audit_tree.consistency(snapshot, 0, SIZE)


def test_a_proof_of_a_long_log_reads_tiles(log):
    with log.read() as snapshot:
        [(tiles,)] = snapshot.all(
            Statement(select(func.count()).select_from(audit_tile))
        )

    assert tiles == len(hashes(log)) // 256
