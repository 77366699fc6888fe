"""Break-glass: each attested emergency access, its notice and its review.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from fhir_service.storage.tables import Big, metadata

break_glass = Table(
    "break_glass",
    metadata,
    Column("break_glass_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("patient_key", Big, nullable=False),
    Column("patient", Text, nullable=False, comment="id of the Patient"),
    Column("organization", Text, comment="Organization/id of the user, then"),
    Column("reason", Text, nullable=False, comment="v3-ActReason code"),
    Column("note", LargeBinary, nullable=False, comment="sealed for the patient"),
    Column("started", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("client_id", Text, comment="the app that it was used with"),
    Column("noticed", Big, comment="when the patient first saw the notice"),
    Column("reviewed", Big),
    Column("reviewer", Text, comment="user id"),
    Column("verdict", Text, comment="justified or not-justified"),
    sqlite_with_rowid=False,
)
Index(None, break_glass.c.patient_key)
Index(None, break_glass.c.user_id)
Index(None, break_glass.c.reviewed)
