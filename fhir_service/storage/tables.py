"""Every table, once, for SQLite and PostgreSQL.

Times are integers: microseconds since 1970-01-01T00:00:00Z. Names of types,
parameters and codings are interned as small integers. Keys of patient data start
with `patient_key`, so that hash partitioning needs no redesign; 0 is the key of
what belongs to no patient. What stays readable here is listed in docs/security.md.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

Big = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit integer; on SQLite INTEGER, so that a primary key is the rowid."""

SHARED = 0
"""The patient key of resources that belong to no patient."""

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Big, nullable=False),
    sqlite_with_rowid=False,
)

deployment_fact = Table(
    "deployment_fact",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="what must agree with the data folder",
)

patient = Table(
    "patient",
    metadata,
    Column("patient_key", Big, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("data_key", LargeBinary, nullable=False, comment="wrapped"),
    Column("organization", Text, comment="Patient.managingOrganization"),
    Column("consent_epoch", Integer, nullable=False),
    Column("signature_version", Integer, nullable=False),
    Column("topology_version", Integer, nullable=False),
)

directory = Table(
    "directory",
    metadata,
    Column("type", SmallInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("type", "id"),
    sqlite_with_rowid=False,
)

resource = Table(
    "resource",
    metadata,
    Column("row", Big, primary_key=True, autoincrement=False),
    Column("type", SmallInteger, nullable=False),
    Column("patient_key", Big, nullable=False),
    Column("signature_id", Big, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", Big, nullable=False),
    Column("last_updated", Big, nullable=False),
    Column("deleted", SmallInteger, nullable=False),
    Column("batch_id", Big),
    Column("c_start", Big, nullable=False),
    Column("c_end", Big, nullable=False),
    Column("set_id", Integer, nullable=False, comment="the index set, 0 for none"),
    Column("body", LargeBinary, nullable=False),
)
Index(None, resource.c.type, resource.c.set_id, resource.c.row)
Index(None, resource.c.type, resource.c.last_updated, resource.c.row)

resource_history = Table(
    "resource_history",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("signature_id", Big, nullable=False),
    Column("seq", Big, nullable=False),
    Column("last_updated", Big, nullable=False),
    Column("deleted", SmallInteger, nullable=False),
    Column("batch_id", Big),
    Column("c_start", Big, nullable=False),
    Column("c_end", Big, nullable=False),
    Column("set_id", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("patient_key", "row", "version"),
)
Index(
    None,
    resource_history.c.type,
    resource_history.c.last_updated,
    resource_history.c.row,
)
Index(None, resource_history.c.row, resource_history.c.version)

record = Table(
    "record",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("row", Big, nullable=False),
    Column("signature_id", Big, nullable=False),
    Column("c_start", Big, nullable=False),
    Column("c_end", Big, nullable=False),
    Column("set_id", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "type", "row"),
    comment="every current resource that is not a time series, by patient and type",
    sqlite_with_rowid=False,
)
Index(None, record.c.type, record.c.row)

observation_code = Table(
    "observation_code",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("code_key", Integer, nullable=False),
    Column("start", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("signature_id", Big, nullable=False),
    Column("duration", Big, nullable=False, comment="end - start of the date search"),
    Column("c_start", Big, nullable=False),
    Column("c_end", Big, nullable=False),
    Column("set_id", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "code_key", "start", "row"),
    sqlite_with_rowid=False,
)

observation_time = Table(
    "observation_time",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("start", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("signature_id", Big, nullable=False),
    Column("duration", Big, nullable=False),
    Column("c_start", Big, nullable=False),
    Column("c_end", Big, nullable=False),
    Column("set_id", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "start", "row"),
    sqlite_with_rowid=False,
)
Index(None, observation_time.c.start, observation_time.c.row)

series = Table(
    "series",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("code_key", Integer, nullable=False),
    Column("longest", Big, nullable=False, comment="longest duration in the series"),
    PrimaryKeyConstraint("patient_key", "code_key"),
    comment="which codes a patient has; bounds a date search over intervals",
    sqlite_with_rowid=False,
)

token_index = Table(
    "token_index",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("parameter", Text, nullable=False),
    Column("token", LargeBinary, nullable=False, comment="keyed hash"),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "type", "parameter", "token", "row"),
    sqlite_with_rowid=False,
)
Index(None, token_index.c.token, token_index.c.type)

index_set = Table(
    "index_set",
    metadata,
    Column("set_id", Integer, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    UniqueConstraint("patient_key", "digest"),
    comment="what search can find in many rows alike, once for all of them",
)

set_posting = Table(
    "set_posting",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("hash", Big, nullable=False, comment="keyed hash of parameter and value"),
    Column("set_id", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "hash", "set_id"),
    sqlite_with_rowid=False,
)
Index(None, set_posting.c.hash)

row_posting = Table(
    "row_posting",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("hash", Big, nullable=False),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "hash", "row"),
    comment="what differs from row to row: identifiers, members",
    sqlite_with_rowid=False,
)
Index(None, row_posting.c.hash)

date_index = Table(
    "date_index",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("parameter", Integer, nullable=False),
    Column("low", Big, nullable=False),
    Column("high", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "row", "parameter", "low", "high"),
    sqlite_with_rowid=False,
)
Index(None, date_index.c.parameter, date_index.c.low)

quantity_index = Table(
    "quantity_index",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("parameter", Integer, nullable=False),
    Column("unit_id", Integer, nullable=False, comment="0 for a plain number"),
    Column("low", Float(53), nullable=False),
    Column("high", Float(53), nullable=False),
    PrimaryKeyConstraint("patient_key", "row", "parameter", "unit_id", "low", "high"),
    sqlite_with_rowid=False,
)
Index(None, quantity_index.c.parameter, quantity_index.c.unit_id, quantity_index.c.low)

quantity_unit = Table(
    "quantity_unit",
    metadata,
    Column("unit_id", Integer, primary_key=True, autoincrement=False),
    Column("system", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("unit", Text, nullable=False),
    UniqueConstraint("code", "system", "unit"),
)

row_coding = Table(
    "row_coding",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("coding_id", Integer, nullable=False),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "coding_id", "row"),
    comment="codings that a signature does not hold: answers, values",
    sqlite_with_rowid=False,
)

patient_coding = Table(
    "patient_coding",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("coding_id", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "coding_id"),
    comment="which codings row_coding has of a patient",
    sqlite_with_rowid=False,
)

row_mention = Table(
    "row_mention",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("hash", Big, nullable=False, comment="keyed hash of what is referred to"),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "hash", "row"),
    comment="references that a signature does not hold: encounters, members",
    sqlite_with_rowid=False,
)

provenance_agent = Table(
    "provenance_agent",
    metadata,
    Column("agent", Text, nullable=False, comment="Type/id"),
    Column("type", SmallInteger, nullable=False, comment="of the target"),
    Column("id", Text, nullable=False, comment="of the target"),
    Column("row", Big, nullable=False, comment="of the Provenance"),
    PrimaryKeyConstraint("agent", "type", "id", "row"),
    comment="whom stored Provenances name, and for what",
    sqlite_with_rowid=False,
)
Index(None, provenance_agent.c.row)
Index(None, provenance_agent.c.type, provenance_agent.c.id)

device_parent = Table(
    "device_parent",
    metadata,
    Column("parent", Text, nullable=False, comment="Type/id"),
    Column("child", Text, nullable=False, comment="Type/id"),
    PrimaryKeyConstraint("parent", "child"),
    comment="DeviceMetric.source and .parent, Device.parent",
    sqlite_with_rowid=False,
)
Index(None, device_parent.c.child)

device_identity = Table(
    "device_identity",
    metadata,
    Column("unit", LargeBinary, nullable=False, comment="keyed hash of the unit"),
    Column("device", Text, nullable=False, comment="Device/id"),
    PrimaryKeyConstraint("unit", "device"),
    comment="every Device that was ever registered for a physical unit",
    sqlite_with_rowid=False,
)
Index(None, device_identity.c.device)

consent_named = Table(
    "consent_named",
    metadata,
    Column("hash", Big, nullable=False, comment="keyed hash of the resource"),
    Column("patient_key", Big, nullable=False),
    PrimaryKeyConstraint("hash", "patient_key"),
    comment="whose consents hang on what a resource refers to",
    sqlite_with_rowid=False,
)

source_key = Table(
    "source_key",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("row", Big, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("version", Big, comment="of the source's record, where it says one"),
    PrimaryKeyConstraint("patient_key", "key"),
    comment="makes a replay of device data a no-op",
    sqlite_with_rowid=False,
)

source_content = Table(
    "source_content",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("patient_key", "key", "content"),
    comment="contents under a source key that a correction has replaced",
    sqlite_with_rowid=False,
)

signature = Table(
    "signature",
    metadata,
    Column("signature_id", Big, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("code_key", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("facets", LargeBinary, nullable=False),
    UniqueConstraint("patient_key", "digest"),
)

coding = Table(
    "coding",
    metadata,
    Column("coding_id", Integer, primary_key=True, autoincrement=False),
    Column("system", Text, nullable=False),
    Column("code", Text, nullable=False),
    UniqueConstraint("code", "system"),
)

concept = Table(
    "concept",
    metadata,
    Column("concept_id", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
)

concept_coding = Table(
    "concept_coding",
    metadata,
    Column("coding_id", Integer, nullable=False),
    Column("concept_id", Integer, nullable=False),
    PrimaryKeyConstraint("coding_id", "concept_id"),
    sqlite_with_rowid=False,
)

device_unit = Table(
    "device_unit",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("unit", LargeBinary, nullable=False, comment="keyed hash of the unit"),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "unit"),
    comment="one Device resource per physical unit and patient",
    sqlite_with_rowid=False,
)

ingest_batch = Table(
    "ingest_batch",
    metadata,
    Column("batch_id", Big, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("client_id", Text),
    Column("received", Big, nullable=False),
    Column("parser", Text, nullable=False, comment="name and version"),
    Column("payload", LargeBinary, comment="keyed hash"),
    Column("organization", Text, comment="Organization/id"),
    Column("person", Text, comment="the person behind the client, as Type/id"),
    Column("after_row", Big, comment="the last row before those of the batch"),
    Column("payload_id", Big, comment="the raw payload, while it is kept"),
    Column("gateway", Text, comment="what brought it"),
)

batch_row = Table(
    "batch_row",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("batch_id", Big, nullable=False),
    Column("row", Big, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("patient_key", "batch_id", "row", "version"),
    comment="versions after the first, by the batch that wrote them",
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", Big, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("patient_key", Big, nullable=False),
    Column("source", Text, nullable=False),
    Column("client_id", Text),
    Column("reason", Text, nullable=False),
    Column("kind", Text),
    Column("position", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("received", Big, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("resolved", Big, comment="when a retry succeeded"),
    Column("payload", LargeBinary, nullable=False, comment="encrypted"),
)
Index(
    None,
    quarantine.c.source,
    quarantine.c.reason,
    sqlite_where=text("resolved IS NULL"),
    postgresql_where=text("resolved IS NULL"),
)

source_record = Table(
    "source_record",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("record", LargeBinary, nullable=False, comment="keyed hash"),
    Column("row", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "record", "row"),
    comment="what one record of a source gives several of",
    sqlite_with_rowid=False,
)

source_whole = Table(
    "source_whole",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("record", LargeBinary, nullable=False, comment="keyed hash"),
    Column("version", Big, nullable=False, comment="the newest that came whole"),
    PrimaryKeyConstraint("patient_key", "record"),
    comment="which version of a record counts, of those that are sent whole",
    sqlite_with_rowid=False,
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("leaf_index", Big, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("note", Text, nullable=False, comment="signed checkpoint of this size"),
)
