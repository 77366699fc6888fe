"""source versions: which version of a source's record told what is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLE = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Apply; what is stored already has no version, and none is made up."""
    op.add_column(
        "source_key",
        sa.Column("version", BIG, comment="of the source's record, where it says one"),
    )
    op.create_table(
        "source_whole",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False, comment="keyed hash"),
        sa.Column("version", BIG, nullable=False, comment="the newest that came whole"),
        sa.PrimaryKeyConstraint("patient_key", "record", name=op.f("pk_source_whole")),
        comment="which version of a record counts, of those that are sent whole",
        **TABLE,
    )
