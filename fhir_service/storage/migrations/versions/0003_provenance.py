"""provenance: who wrote a batch, and which versions belong to it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

FIRST_ROWS = """
    UPDATE ingest_batch SET after_row = first.of_batch - 1 FROM (
        SELECT batch_id, MIN("row") AS of_batch FROM (
            SELECT batch_id, "row" FROM resource WHERE version = 1
            UNION ALL
            SELECT batch_id, "row" FROM resource_history WHERE version = 1
        ) written GROUP BY batch_id
    ) first WHERE first.batch_id = ingest_batch.batch_id
"""
CHANGED_ROWS = """
    INSERT INTO batch_row (patient_key, batch_id, "row", version)
    SELECT patient_key, batch_id, "row", version FROM resource
    WHERE batch_id IS NOT NULL AND version > 1
    UNION ALL
    SELECT patient_key, batch_id, "row", version FROM resource_history
    WHERE batch_id IS NOT NULL AND version > 1
"""


def upgrade() -> None:
    """Apply; the open hashes of payloads are erased, as nothing here can key them."""
    op.create_table(
        "batch_row",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("batch_id", BIG, nullable=False),
        sa.Column("row", BIG, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "patient_key", "batch_id", "row", "version", name=op.f("pk_batch_row")
        ),
        comment="versions after the first, by the batch that wrote them",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("ingest_batch") as batch:
        batch.drop_column("payload_sha256")
        batch.add_column(
            sa.Column("payload", sa.LargeBinary(), nullable=True, comment="keyed hash")
        )
        batch.add_column(
            sa.Column(
                "organization", sa.Text(), nullable=True, comment="Organization/id"
            )
        )
        batch.add_column(
            sa.Column(
                "person",
                sa.Text(),
                nullable=True,
                comment="the person behind the client, as Type/id",
            )
        )
        batch.add_column(
            sa.Column(
                "after_row",
                BIG,
                nullable=True,
                comment="the last row before those of the batch",
            )
        )
    op.execute(FIRST_ROWS)
    op.execute(CHANGED_ROWS)


def downgrade() -> None:
    """Refuse: the older program would not know what the newer one has written."""
    raise NotImplementedError("restore the backup that was made before")
