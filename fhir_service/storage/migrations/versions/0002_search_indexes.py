"""search indexes: index sets, postings, dates, quantities."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = (("c_start", BIG), ("c_end", BIG), ("set_id", sa.Integer()))
"""Columns whose values `reindex` fills in."""


def _key(name: str) -> "sa.Column[int]":
    return sa.Column(name, BIG, nullable=False)


def _small(name: str, comment: str | None = None) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def upgrade() -> None:
    """Apply; the rows that are there are indexed by `fhir-service migrate`."""
    for table in ("resource", "resource_history"):
        for name, type_ in ADDED:
            comment = (
                "the index set, 0 for none"
                if (table, name) == ("resource", "set_id")
                else None
            )
            op.add_column(
                table,
                sa.Column(
                    name, type_, nullable=False, server_default="0", comment=comment
                ),
            )
    _without_defaults()
    _records()
    _observations("observation_code", code=True)
    _observations("observation_time", code=False)
    op.create_index(
        op.f("ix_observation_time_start_row"), "observation_time", ["start", "row"]
    )
    _sets()
    _ranges()
    op.execute(
        "INSERT INTO deployment_fact (name, value) "
        "SELECT 'index', '1' WHERE EXISTS (SELECT 1 FROM resource)"
    )


def _records() -> None:
    """Make the table anew, like those of the time series."""
    op.drop_table("record")
    op.create_table(
        "record",
        _key("patient_key"),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        _key("row"),
        _key("signature_id"),
        _key("c_start"),
        _key("c_end"),
        _small("set_id"),
        sa.PrimaryKeyConstraint("patient_key", "type", "row", name=op.f("pk_record")),
        comment="every current resource that is not a time series, by patient and type",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_record_type_row"), "record", ["type", "row"])


def _without_defaults() -> None:
    for table in ("resource", "resource_history"):
        with op.batch_alter_table(table) as batch:
            for name, type_ in ADDED:
                batch.alter_column(name, existing_type=type_, server_default=None)
        for last in (
            ("set_id", "last_updated") if table == "resource" else ("last_updated",)
        ):
            op.create_index(
                op.f(f"ix_{table}_type_{last}_row"), table, ["type", last, "row"]
            )
    op.create_index(
        op.f("ix_resource_history_row_version"), "resource_history", ["row", "version"]
    )


def _observations(table: str, *, code: bool) -> None:
    """Make the table anew: what it held is indexed again."""
    op.drop_table(table)
    comment = "end - start of the date search" if code else None
    op.create_table(
        table,
        _key("patient_key"),
        *([_small("code_key")] if code else []),
        _key("start"),
        _key("row"),
        _key("signature_id"),
        sa.Column("duration", BIG, nullable=False, comment=comment),
        _key("c_start"),
        _key("c_end"),
        _small("set_id"),
        sa.PrimaryKeyConstraint(
            "patient_key",
            *(["code_key"] if code else []),
            "start",
            "row",
            name=op.f(f"pk_{table}"),
        ),
        sqlite_with_rowid=False,
    )


def _sets() -> None:
    op.create_table(
        "index_set",
        sa.Column("set_id", sa.Integer(), autoincrement=False, nullable=False),
        _key("patient_key"),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", name=op.f("pk_index_set")),
        sa.UniqueConstraint(
            "patient_key", "digest", name=op.f("uq_index_set_patient_key_digest")
        ),
        comment="what search can find in many rows alike, once for all of them",
    )
    for table, last, comment in (
        ("set_posting", _small("set_id"), None),
        (
            "row_posting",
            _key("row"),
            "what differs from row to row: identifiers, members",
        ),
    ):
        hash_ = sa.Column(
            "hash",
            BIG,
            nullable=False,
            comment=None if comment else "keyed hash of parameter and value",
        )
        op.create_table(
            table,
            _key("patient_key"),
            hash_,
            last,
            sa.PrimaryKeyConstraint(
                "patient_key", "hash", last.name, name=op.f(f"pk_{table}")
            ),
            comment=comment,
            sqlite_with_rowid=False,
        )
        op.create_index(op.f(f"ix_{table}_hash"), table, ["hash"])


def _ranges() -> None:
    op.create_table(
        "date_index",
        _key("patient_key"),
        _key("row"),
        _small("parameter"),
        _key("low"),
        _key("high"),
        sa.PrimaryKeyConstraint(
            "patient_key",
            "row",
            "parameter",
            "low",
            "high",
            name=op.f("pk_date_index"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_date_index_parameter_low"), "date_index", ["parameter", "low"]
    )
    op.create_table(
        "quantity_index",
        _key("patient_key"),
        _key("row"),
        _small("parameter"),
        _small("unit_id", "0 for a plain number"),
        sa.Column("low", sa.Float(53), nullable=False),
        sa.Column("high", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint(
            "patient_key",
            "row",
            "parameter",
            "unit_id",
            "low",
            "high",
            name=op.f("pk_quantity_index"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_quantity_index_parameter_unit_id_low"),
        "quantity_index",
        ["parameter", "unit_id", "low"],
    )
    op.create_table(
        "quantity_unit",
        sa.Column("unit_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_quantity_unit")),
        sa.UniqueConstraint(
            "code", "system", "unit", name=op.f("uq_quantity_unit_code_system_unit")
        ),
    )


def downgrade() -> None:
    """Refuse: the older program would not know what the newer one has written."""
    raise NotImplementedError("restore the backup that was made before")
