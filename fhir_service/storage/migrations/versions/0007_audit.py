"""audit: the index of the log, explanations, alerts and their webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLE = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Apply; the index of what the log holds already is made when it is first asked."""
    _create_names()
    _create_rows()
    _create_alerts()
    _keep_review_notes()


def _keep_review_notes() -> None:
    note = sa.Column("review_note", sa.LargeBinary(), comment="sealed for the patient")
    with op.batch_alter_table("break_glass", table_kwargs=TABLE) as table:
        table.add_column(note)


def _create_names() -> None:
    op.create_table(
        "audit_name",
        sa.Column("name_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.UniqueConstraint("kind", "text", name=op.f("uq_audit_name_kind_text")),
        sa.PrimaryKeyConstraint("name_id", name=op.f("pk_audit_name")),
    )
    op.create_table(
        "audit_subject",
        sa.Column("subject_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("pseudonym", sa.LargeBinary(), nullable=False),
        sa.Column(
            "organisation_id",
            sa.Integer(),
            nullable=False,
            comment="the custodian, 0: none",
        ),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_audit_subject")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_audit_subject_pseudonym")),
    )
    op.create_table(
        "audit_tile",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_audit_tile")),
        comment="hashes of whole subtrees, so that a proof reads few rows",
        **TABLE,
    )


def _create_rows() -> None:
    op.create_table(
        "audit_row",
        sa.Column("leaf_index", BIG, nullable=False, autoincrement=False),
        sa.Column("time", BIG, nullable=False),
        sa.Column("interaction", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False, comment="0 for none"),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("type_id", sa.Integer(), nullable=False),
        sa.Column(
            "purpose_id", sa.Integer(), nullable=False, comment="all of them, one name"
        ),
        sa.Column("reason_id", sa.Integer(), nullable=False),
        sa.Column(
            "basis_id",
            sa.Integer(),
            nullable=False,
            comment="the first consent or overlay",
        ),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column(
            "patients",
            sa.SmallInteger(),
            nullable=False,
            comment="how many, at most 32767",
        ),
        sa.Column(
            "released", sa.Integer(), nullable=False, comment="versions that left"
        ),
        sa.Column(
            "written", sa.Integer(), nullable=False, comment="versions that were stored"
        ),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_audit_row")),
    )
    op.create_index(
        op.f("ix_audit_row_user_id_leaf_index"), "audit_row", ["user_id", "leaf_index"]
    )
    op.create_index(
        op.f("ix_audit_row_client_id_leaf_index"),
        "audit_row",
        ["client_id", "leaf_index"],
    )
    op.create_index(
        op.f("ix_audit_row_organisation_id_leaf_index"),
        "audit_row",
        ["organisation_id", "leaf_index"],
    )
    op.create_index(
        op.f("ix_audit_row_interaction_leaf_index"),
        "audit_row",
        ["interaction", "leaf_index"],
    )
    op.create_index(
        op.f("ix_audit_row_purpose_id_leaf_index"),
        "audit_row",
        ["purpose_id", "leaf_index"],
    )
    op.create_index(
        op.f("ix_audit_row_basis_id_leaf_index"),
        "audit_row",
        ["basis_id", "leaf_index"],
    )
    op.create_index(
        op.f("ix_audit_row_outcome_leaf_index"), "audit_row", ["outcome", "leaf_index"]
    )
    op.create_table(
        "audit_patient",
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("leaf_index", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "subject_id", "leaf_index", name=op.f("pk_audit_patient")
        ),
        **TABLE,
    )
    op.create_table(
        "audit_scope",
        sa.Column(
            "organisation_id", sa.Integer(), nullable=False, comment="0: of nobody's"
        ),
        sa.Column("leaf_index", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation_id", "leaf_index", name=op.f("pk_audit_scope")
        ),
        comment="whose officers may see a row: the patients' custodians and who acted",
        **TABLE,
    )
    op.create_table(
        "audit_tally",
        sa.Column("hour", sa.Integer(), nullable=False, comment="hours since 1970"),
        sa.Column("interaction", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("events", BIG, nullable=False),
        sa.Column("released", BIG, nullable=False),
        sa.Column("first_leaf", BIG, nullable=False),
        sa.Column("last_leaf", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "interaction", "outcome", name=op.f("pk_audit_tally")
        ),
        **TABLE,
    )
    op.create_table(
        "audit_scope_tally",
        sa.Column(
            "organisation_id", sa.Integer(), nullable=False, comment="0: of nobody's"
        ),
        sa.Column("hour", sa.Integer(), nullable=False, comment="hours since 1970"),
        sa.Column("interaction", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("events", BIG, nullable=False),
        sa.Column("released", BIG, nullable=False),
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
    op.create_table(
        "audit_explanation",
        sa.Column("leaf_index", BIG, nullable=False, autoincrement=False),
        sa.Column("code", sa.SmallInteger(), nullable=False, comment="0: unexplained"),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_audit_explanation")),
    )
    op.create_index(
        op.f("ix_audit_explanation_code_leaf_index"),
        "audit_explanation",
        ["code", "leaf_index"],
    )


def _create_alerts() -> None:
    op.create_table(
        "audit_alert",
        sa.Column("alert_id", BIG, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="one open alert of a kind for a key",
        ),
        sa.Column("organisation", sa.Text(), comment="whose officers it concerns"),
        sa.Column("leaf_index", BIG, comment="the row that raised it"),
        sa.Column("made", BIG, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False, comment="how often since"),
        sa.Column(
            "detail",
            sa.Text(),
            nullable=False,
            comment="a sentence without health values",
        ),
        sa.Column("closed", BIG),
        sa.Column("closed_by", sa.Text()),
        sa.Column("note", sa.LargeBinary(), comment="sealed"),
        sa.Column("last_leaf", BIG, comment="the last row that is counted"),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_audit_alert")),
    )
    op.create_index(op.f("ix_audit_alert_kind_key"), "audit_alert", ["kind", "key"])
    op.create_index(
        op.f("ix_audit_alert_closed_alert_id"), "audit_alert", ["closed", "alert_id"]
    )
    op.create_table(
        "audit_habit",
        sa.Column(
            "kind", sa.SmallInteger(), nullable=False, comment="1 readings, 2 networks"
        ),
        sa.Column(
            "name_id", sa.Integer(), nullable=False, comment="a person or a client"
        ),
        sa.Column(
            "day", sa.Integer(), nullable=False, comment="days since 1970; 0 for any"
        ),
        sa.Column("value", BIG, nullable=False, comment="a patient or a network"),
        sa.PrimaryKeyConstraint(
            "kind", "name_id", "day", "value", name=op.f("pk_audit_habit")
        ),
        comment="what people and clients usually do",
        **TABLE,
    )
    op.create_table(
        "alert_webhook",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text()),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("made", BIG, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("removed", BIG),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_alert_webhook")),
        **TABLE,
    )
    op.create_table(
        "alert_delivery",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("alert_id", BIG, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", BIG, nullable=False),
        sa.Column("delivered", BIG),
        sa.Column("status", sa.Integer(), comment="HTTP status of the last attempt"),
        sa.PrimaryKeyConstraint(
            "webhook_id", "alert_id", name=op.f("pk_alert_delivery")
        ),
        **TABLE,
    )
    op.create_index(
        op.f("ix_alert_delivery_delivered_due"), "alert_delivery", ["delivered", "due"]
    )
    op.create_table(
        "saved_search",
        sa.Column("search_id", BIG, nullable=False, autoincrement=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("made", BIG, nullable=False),
        sa.PrimaryKeyConstraint("search_id", name=op.f("pk_saved_search")),
    )
    op.create_index(
        op.f("ix_saved_search_user_id_name"), "saved_search", ["user_id", "name"]
    )
