"""Templates that map a sensor nobody has written code for."""

from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from fhir_service.storage.tables import Big, metadata

mapping_template = Table(
    "mapping_template",
    metadata,
    Column("name", Text, nullable=False, comment="the source's name"),
    Column("version", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False, comment="of the body"),
    Column("body", Text, nullable=False, comment="JSON"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("ended", Big, comment="when another version or nothing followed"),
    PrimaryKeyConstraint("name", "version"),
    sqlite_with_rowid=False,
)
