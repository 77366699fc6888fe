"""What makes the log searchable: derived from its leaves, and never their proof.

Names of users, clients and so on are interned as small integers, patients by their
pseudonyms; an hour's tally says between which rows the hour's events lie.
"""

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from fhir_service.storage.tables import Big, metadata

audit_name = Table(
    "audit_name",
    metadata,
    Column("name_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("kind", "text"),
)

audit_row = Table(
    "audit_row",
    metadata,
    Column("leaf_index", Big, primary_key=True, autoincrement=False),
    Column("time", Big, nullable=False),
    Column("block", Integer, nullable=False, comment="of rows, so that indexes fold"),
    Column("subject_id", Integer, nullable=False, comment="the first patient; 0: none"),
    Column(
        "custodian_id",
        Integer,
        nullable=False,
        comment="an organisation that may see it beside the actor's; -1: everybody",
    ),
    Column("user_id", Integer, nullable=False, comment="0 for none"),
    Column("client_id", Integer, nullable=False),
    Column("organisation_id", Integer, nullable=False),
    Column("type_id", Integer, nullable=False),
    Column("purpose_id", Integer, nullable=False, comment="all of them, one name"),
    Column("reason_id", Integer, nullable=False),
    Column("basis_id", Integer, nullable=False, comment="the first consent or overlay"),
    Column("address_id", Integer, nullable=False),
    Column("released", Integer, nullable=False, comment="versions that left"),
    Column("written", Integer, nullable=False, comment="versions that were stored"),
    Column("interaction", SmallInteger, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("patients", SmallInteger, nullable=False, comment="how many, at most 32767"),
)
"""Each index has a value and a block of rows, so that PostgreSQL keeps the rows of both
as one list of places; SQLite's indexes end with the row in any case."""
Index(None, audit_row.c.subject_id, audit_row.c.block)
Index(None, audit_row.c.custodian_id, audit_row.c.block)
Index(None, audit_row.c.user_id, audit_row.c.block)
Index(None, audit_row.c.client_id, audit_row.c.block)
Index(None, audit_row.c.organisation_id, audit_row.c.block)
Index(None, audit_row.c.type_id, audit_row.c.block)
Index(None, audit_row.c.purpose_id, audit_row.c.block)
Index(None, audit_row.c.basis_id, audit_row.c.block)
Index(None, audit_row.c.address_id, audit_row.c.block)
Index(None, audit_row.c.interaction, audit_row.c.block)
Index(None, audit_row.c.outcome, audit_row.c.block)
Index(
    None,
    audit_row.c.reason_id,
    audit_row.c.block,
    sqlite_where=audit_row.c.reason_id > 0,
    postgresql_where=audit_row.c.reason_id > 0,
)
for _column in ("user_id", "client_id", "address_id"):
    # What was denied or failed, of the few who are asked for with it.
    Index(
        f"ix_audit_row_{_column}_refused",
        audit_row.c[_column],
        audit_row.c.block,
        sqlite_where=audit_row.c.outcome > 0,
        postgresql_where=audit_row.c.outcome > 0,
    )

audit_subject = Table(
    "audit_subject",
    metadata,
    Column("subject_id", Integer, primary_key=True, autoincrement=False),
    Column("pseudonym", LargeBinary, nullable=False, unique=True),
    Column(
        "organisation_id", Integer, nullable=False, comment="the custodian, 0: none"
    ),
)

audit_patient = Table(
    "audit_patient",
    metadata,
    Column("subject_id", Integer, nullable=False),
    Column("leaf_index", Big, nullable=False),
    PrimaryKeyConstraint("leaf_index", "subject_id"),
    comment="the patients of a row behind the first",
    sqlite_with_rowid=False,
)
Index(None, audit_patient.c.subject_id, audit_patient.c.leaf_index)

audit_scope = Table(
    "audit_scope",
    metadata,
    Column("organisation_id", Integer, nullable=False),
    Column("leaf_index", Big, nullable=False),
    PrimaryKeyConstraint("leaf_index", "organisation_id"),
    comment="whose officers may see a row beside those that the row itself names",
    sqlite_with_rowid=False,
)
Index(None, audit_scope.c.organisation_id, audit_scope.c.leaf_index)

audit_tally = Table(
    "audit_tally",
    metadata,
    Column("hour", Integer, nullable=False, comment="hours since 1970"),
    Column("interaction", SmallInteger, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("events", Big, nullable=False),
    Column("resources", Big, nullable=False, comment="AuditEvents that they make"),
    Column("released", Big, nullable=False),
    Column("first_leaf", Big, nullable=False),
    Column("last_leaf", Big, nullable=False),
    PrimaryKeyConstraint("hour", "interaction", "outcome"),
    sqlite_with_rowid=False,
)

audit_scope_tally = Table(
    "audit_scope_tally",
    metadata,
    Column("organisation_id", Integer, nullable=False, comment="0: of nobody's"),
    Column("hour", Integer, nullable=False, comment="hours since 1970"),
    Column("interaction", SmallInteger, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("events", Big, nullable=False),
    Column("resources", Big, nullable=False, comment="AuditEvents that they make"),
    Column("released", Big, nullable=False),
    PrimaryKeyConstraint("organisation_id", "hour", "interaction", "outcome"),
    comment="the same for each organisation whose officers may see the rows",
    sqlite_with_rowid=False,
)

audit_seal = Table(
    "audit_seal",
    metadata,
    Column("kind", SmallInteger, nullable=False, comment="1 index, 2 explanations"),
    Column("first", Big, nullable=False, comment="row of the log"),
    Column("before", Big, nullable=False, comment="the row after the last"),
    Column("name_id", Integer, nullable=False, comment="the last name then"),
    Column("subject_id", Integer, nullable=False, comment="the last patient then"),
    Column("digest", LargeBinary, nullable=False, comment="keyed"),
    PrimaryKeyConstraint("kind", "first"),
    comment="so that an altered index is noticed without reading the log",
    sqlite_with_rowid=False,
)

audit_explanation = Table(
    "audit_explanation",
    metadata,
    Column("leaf_index", Big, primary_key=True, autoincrement=False),
    Column("code", SmallInteger, nullable=False, comment="0: unexplained"),
    Column("subject_id", Integer, nullable=False),
)
Index(
    None,
    audit_explanation.c.leaf_index,
    sqlite_where=audit_explanation.c.code == 0,
    postgresql_where=audit_explanation.c.code == 0,
)

audit_alert = Table(
    "audit_alert",
    metadata,
    Column("alert_id", Big, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False, comment="one open alert of a kind for a key"),
    Column("organisation", Text, comment="whose officers it concerns"),
    Column("leaf_index", Big, comment="the row that raised it"),
    Column("made", Big, nullable=False),
    Column("count", Integer, nullable=False, comment="how often since"),
    Column("detail", Text, nullable=False, comment="a sentence without health values"),
    Column("closed", Big),
    Column("closed_by", Text),
    Column("note", LargeBinary, comment="sealed"),
    Column("last_leaf", Big, comment="the last row that is counted"),
)
Index(None, audit_alert.c.kind, audit_alert.c.key)
Index(None, audit_alert.c.closed, audit_alert.c.alert_id)

audit_habit = Table(
    "audit_habit",
    metadata,
    Column("kind", SmallInteger, nullable=False, comment="1 readings, 2 networks"),
    Column("name_id", Integer, nullable=False, comment="a person or a client"),
    Column("day", Integer, nullable=False, comment="days since 1970; 0 for any"),
    Column("value", Big, nullable=False, comment="a patient or a network"),
    PrimaryKeyConstraint("kind", "name_id", "day", "value"),
    comment="what people and clients usually do",
    sqlite_with_rowid=False,
)

alert_webhook = Table(
    "alert_webhook",
    metadata,
    Column("webhook_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("organisation", Text),
    Column("secret", LargeBinary, nullable=False, comment="sealed"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("removed", Big),
    PrimaryKeyConstraint("webhook_id"),
    sqlite_with_rowid=False,
)

alert_delivery = Table(
    "alert_delivery",
    metadata,
    Column("webhook_id", Text, nullable=False),
    Column("alert_id", Big, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Big, nullable=False),
    Column("delivered", Big),
    Column("status", Integer, comment="HTTP status of the last attempt"),
    PrimaryKeyConstraint("webhook_id", "alert_id"),
    sqlite_with_rowid=False,
)
Index(None, alert_delivery.c.delivered, alert_delivery.c.due)

saved_search = Table(
    "saved_search",
    metadata,
    Column("search_id", Big, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", LargeBinary, nullable=False, comment="sealed"),
    Column("made", Big, nullable=False),
)
Index(None, saved_search.c.user_id, saved_search.c.name)

audit_tile = Table(
    "audit_tile",
    metadata,
    Column("level", SmallInteger, nullable=False),
    Column("number", Big, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "number"),
    comment="hashes of whole subtrees, so that a proof reads few rows",
    sqlite_with_rowid=False,
)
