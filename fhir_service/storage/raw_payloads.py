"""Raw payloads, encrypted and for a time, so that a mapping fix can be replayed.

A payload of one patient is under that patient's key; one of several or of nobody known
is under the key of shared data and is erased with the first of them.
"""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from fhir_service.storage.tables import Big, metadata

raw_payload = Table(
    "raw_payload",
    metadata,
    Column("payload_id", Big, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False, comment="whose key seals it"),
    Column("source", Text, nullable=False),
    Column("parser", Text, nullable=False, comment="name and version"),
    Column("client_id", Text),
    Column("patient", Text, comment="id of the Patient that the request named"),
    Column("zone", Text, comment="IANA name that the request gave"),
    Column("gateway", Text, comment="what brought it, such as a broker's name"),
    Column("received", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("size", Big, nullable=False, comment="bytes before sealing"),
    Column("body", LargeBinary, nullable=False, comment="sealed"),
)
Index(None, raw_payload.c.expires)
Index(None, raw_payload.c.source, raw_payload.c.received)

raw_payload_patient = Table(
    "raw_payload_patient",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("payload_id", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "payload_id"),
    sqlite_with_rowid=False,
)
Index(None, raw_payload_patient.c.payload_id)
