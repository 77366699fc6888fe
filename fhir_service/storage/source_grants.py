"""Pairings: whose a device or a vendor's account is, where and when.

A source grant covers one patient, at most one room, and a period. It is never changed
but to end it: what was collected under it stays attributed as it was.
"""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from fhir_service.storage.tables import Big, metadata

source_grant = Table(
    "source_grant",
    metadata,
    Column("grant_id", Big, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False),
    Column("source", Text, nullable=False, comment="the vendor's name"),
    Column("account", LargeBinary, nullable=False, comment="keyed hash"),
    Column("label", LargeBinary, nullable=False, comment="of the account, sealed"),
    Column("device_row", Big, comment="the Device, where one unit is paired"),
    Column("location", Text, comment="Location/id of a room's sensor"),
    Column("zone", Text, comment="IANA name, for sources with local times"),
    Column("starts", Big, nullable=False),
    Column("ends", Big, comment="null: until it is revoked"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("notice", Big, comment="when co-residents were told"),
    Column("notice_by", Text),
    Column("revoked", Big),
    Column("revoked_by", Text),
)
Index(None, source_grant.c.source, source_grant.c.account)
Index(None, source_grant.c.patient_key, source_grant.c.grant_id)
