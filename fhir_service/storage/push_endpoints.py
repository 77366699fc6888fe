"""Where a vendor's cloud pushes, and with which secret it signs."""

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from fhir_service.storage.tables import Big, metadata

push_endpoint = Table(
    "push_endpoint",
    metadata,
    Column("endpoint_id", Text, nullable=False, comment="in the URL; no secret"),
    Column("source", Text, nullable=False),
    Column("client_id", Text, nullable=False, comment="for whom it delivers"),
    Column("secret", LargeBinary, comment="sealed; null where none is signed"),
    Column("tolerance_s", Integer, nullable=False, comment="of the time signed"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("removed", Big),
    PrimaryKeyConstraint("endpoint_id"),
    sqlite_with_rowid=False,
)

push_seen = Table(
    "push_seen",
    metadata,
    Column("endpoint_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="of the signature"),
    Column("expires", Big, nullable=False),
    PrimaryKeyConstraint("endpoint_id", "digest"),
    sqlite_with_rowid=False,
)
Index(None, push_seen.c.expires)
