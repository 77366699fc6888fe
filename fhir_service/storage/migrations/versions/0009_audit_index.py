"""audit index: shorter, and by blocks of rows; it is made anew from the log."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLE = {"sqlite_with_rowid": False}

DERIVED = (
    "audit_row",
    "audit_patient",
    "audit_scope",
    "audit_tally",
    "audit_scope_tally",
)

LED = (
    "subject_id",
    "custodian_id",
    "user_id",
    "client_id",
    "organisation_id",
    "type_id",
    "purpose_id",
    "basis_id",
    "address_id",
    "interaction",
    "outcome",
)


def upgrade() -> None:
    """Apply; the log stays as it is, and the index follows it from its first row."""
    for table in DERIVED:
        op.drop_table(table)
    op.execute("DELETE FROM audit_tile")
    op.execute("DELETE FROM audit_explanation")
    op.execute(
        "UPDATE counter SET value = 0 "
        "WHERE name IN ('audit-indexed', 'audit-explained')"
    )
    _create_rows()
    _create_further()
    _create_tallies()
    _create_seals()
    op.drop_index(op.f("ix_audit_explanation_code_leaf_index"), "audit_explanation")
    op.create_index(
        op.f("ix_audit_explanation_leaf_index"),
        "audit_explanation",
        ["leaf_index"],
        sqlite_where=sa.text("code = 0"),
        postgresql_where=sa.text("code = 0"),
    )


def _number(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _small(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False, comment=comment)


def _big(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, comment=comment, autoincrement=False)


def _create_rows() -> None:
    op.create_table(
        "audit_row",
        _big("leaf_index"),
        _big("time"),
        _number("block", "of rows, so that indexes fold"),
        _number("subject_id", "the first patient; 0: none"),
        _number(
            "custodian_id",
            "an organisation that may see it beside the actor's; -1: everybody",
        ),
        _number("user_id", "0 for none"),
        _number("client_id"),
        _number("organisation_id"),
        _number("type_id"),
        _number("purpose_id", "all of them, one name"),
        _number("reason_id"),
        _number("basis_id", "the first consent or overlay"),
        _number("address_id"),
        _number("released", "versions that left"),
        _number("written", "versions that were stored"),
        _small("interaction"),
        _small("outcome"),
        _small("status"),
        _small("patients", "how many, at most 32767"),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_audit_row")),
    )
    for column in LED:
        op.create_index(
            op.f(f"ix_audit_row_{column}_block"), "audit_row", [column, "block"]
        )
    op.create_index(
        op.f("ix_audit_row_reason_id_block"),
        "audit_row",
        ["reason_id", "block"],
        sqlite_where=sa.text("reason_id > 0"),
        postgresql_where=sa.text("reason_id > 0"),
    )
    for column in ("user_id", "client_id", "address_id"):
        op.create_index(
            op.f(f"ix_audit_row_{column}_refused"),
            "audit_row",
            [column, "block"],
            sqlite_where=sa.text("outcome > 0"),
            postgresql_where=sa.text("outcome > 0"),
        )


def _create_further() -> None:
    op.create_table(
        "audit_patient",
        _number("subject_id"),
        _big("leaf_index"),
        sa.PrimaryKeyConstraint(
            "leaf_index", "subject_id", name=op.f("pk_audit_patient")
        ),
        comment="the patients of a row behind the first",
        **TABLE,
    )
    op.create_index(
        op.f("ix_audit_patient_subject_id_leaf_index"),
        "audit_patient",
        ["subject_id", "leaf_index"],
    )
    op.create_table(
        "audit_scope",
        _number("organisation_id"),
        _big("leaf_index"),
        sa.PrimaryKeyConstraint(
            "leaf_index", "organisation_id", name=op.f("pk_audit_scope")
        ),
        comment="whose officers may see a row beside those that the row itself names",
        **TABLE,
    )
    op.create_index(
        op.f("ix_audit_scope_organisation_id_leaf_index"),
        "audit_scope",
        ["organisation_id", "leaf_index"],
    )


def _create_tallies() -> None:
    op.create_table(
        "audit_tally",
        _number("hour", "hours since 1970"),
        _small("interaction"),
        _small("outcome"),
        _big("events"),
        _big("resources", "AuditEvents that they make"),
        _big("released"),
        _big("first_leaf"),
        _big("last_leaf"),
        sa.PrimaryKeyConstraint(
            "hour", "interaction", "outcome", name=op.f("pk_audit_tally")
        ),
        **TABLE,
    )
    op.create_table(
        "audit_scope_tally",
        _number("organisation_id", "0: of nobody's"),
        _number("hour", "hours since 1970"),
        _small("interaction"),
        _small("outcome"),
        _big("events"),
        _big("resources", "AuditEvents that they make"),
        _big("released"),
        sa.PrimaryKeyConstraint(
            "organisation_id",
            "hour",
            "interaction",
            "outcome",
            name=op.f("pk_audit_scope_tally"),
        ),
        comment="the same for each organisation whose officers may see the rows",
        **TABLE,
    )


def _create_seals() -> None:
    op.create_table(
        "audit_seal",
        _small("kind", "1 index, 2 explanations"),
        _big("first", "row of the log"),
        _big("before", "the row after the last"),
        _number("name_id", "the last name then"),
        _number("subject_id", "the last patient then"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="keyed"),
        sa.PrimaryKeyConstraint("kind", "first", name=op.f("pk_audit_seal")),
        comment="so that an altered index is noticed without reading the log",
        **TABLE,
    )
