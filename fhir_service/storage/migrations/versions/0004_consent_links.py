"""consent links: what refers to what, who wrote it, which devices belong together."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KNOWN_UNITS = """
    INSERT INTO device_identity (unit, device)
    SELECT device_unit.unit, 'Device/' || directory.id FROM device_unit
    JOIN directory ON directory."row" = device_unit."row"
"""


def upgrade() -> None:
    """Apply; `fhir-service migrate` fills the tables by indexing everything anew."""
    op.create_table(
        "row_mention",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column(
            "hash", BIG, nullable=False, comment="keyed hash of what is referred to"
        ),
        sa.Column("row", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "patient_key", "hash", "row", name=op.f("pk_row_mention")
        ),
        comment="references that a signature does not hold: encounters, members",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "provenance_agent",
        sa.Column("agent", sa.Text(), nullable=False, comment="Type/id"),
        sa.Column("type", sa.SmallInteger(), nullable=False, comment="of the target"),
        sa.Column("id", sa.Text(), nullable=False, comment="of the target"),
        sa.Column("row", BIG, nullable=False, comment="of the Provenance"),
        sa.PrimaryKeyConstraint(
            "agent", "type", "id", "row", name=op.f("pk_provenance_agent")
        ),
        comment="whom stored Provenances name, and for what",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_provenance_agent_row"), "provenance_agent", ["row"])
    op.create_index(
        op.f("ix_provenance_agent_type_id"), "provenance_agent", ["type", "id"]
    )
    op.create_table(
        "device_parent",
        sa.Column("parent", sa.Text(), nullable=False, comment="Type/id"),
        sa.Column("child", sa.Text(), nullable=False, comment="Type/id"),
        sa.PrimaryKeyConstraint("parent", "child", name=op.f("pk_device_parent")),
        comment="DeviceMetric.source and .parent, Device.parent",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_device_parent_child"), "device_parent", ["child"])
    op.create_table(
        "device_identity",
        sa.Column(
            "unit", sa.LargeBinary(), nullable=False, comment="keyed hash of the unit"
        ),
        sa.Column("device", sa.Text(), nullable=False, comment="Device/id"),
        sa.PrimaryKeyConstraint("unit", "device", name=op.f("pk_device_identity")),
        comment="every Device that was ever registered for a physical unit",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_device_identity_device"), "device_identity", ["device"])
    op.execute(KNOWN_UNITS)
    op.create_table(
        "consent_named",
        sa.Column("hash", BIG, nullable=False, comment="keyed hash of the resource"),
        sa.Column("patient_key", BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", "patient_key", name=op.f("pk_consent_named")),
        comment="whose consents hang on what a resource refers to",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refuse: the older program would not know what the newer one has written."""
    raise NotImplementedError("restore the backup that was made before")
