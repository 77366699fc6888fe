"""Files on their way in: how far each has come, so that an import can go on."""

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, Table, Text

from fhir_service.storage.tables import Big, metadata

file_import = Table(
    "file_import",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="keyed, of the contents"),
    Column("source", Text, nullable=False),
    Column("parser", Text, nullable=False, comment="name and version"),
    Column("taken", Big, nullable=False, comment="readings that are accounted for"),
    Column("started", Big, nullable=False),
    Column("finished", Big),
    Column("counts", Text, comment="JSON, of the receipt"),
    PrimaryKeyConstraint("patient_key", "digest", "source"),
    sqlite_with_rowid=False,
)
