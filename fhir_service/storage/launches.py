"""What leads to an authorization: launches, requests under way, remembered choices.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from fhir_service.storage.tables import Big, metadata

launch = Table(
    "launch",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("client_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("patient", Text, comment="id of the Patient"),
    Column("context", Text, nullable=False, comment="JSON: encounter, intent"),
    Column("break_glass_id", Text, comment="the attestation that it rests on"),
    Column("expires", Big, nullable=False),
    comment="launch values that an EHR launch has given out and nobody has used",
    sqlite_with_rowid=False,
)
Index(None, launch.c.expires)

authorization_request = Table(
    "authorization_request",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("parameters", LargeBinary, nullable=False, comment="JSON, sealed"),
    Column("session", LargeBinary, comment="hash of the login that took it up"),
    Column("created", Big, nullable=False),
    Column("expires", Big, nullable=False),
    comment="authorization requests that wait for a person",
    sqlite_with_rowid=False,
)
Index(None, authorization_request.c.expires)

app_choice = Table(
    "app_choice",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("patient", Text, nullable=False, comment="id; empty for none in context"),
    Column("asked", Text, nullable=False, comment="scopes that were asked for"),
    Column("chosen", Text, nullable=False, comment="scopes that were granted"),
    Column("decided", Big, nullable=False),
    PrimaryKeyConstraint("user_id", "client_id", "patient"),
    comment="what a person decided about an app, to be remembered and revoked",
    sqlite_with_rowid=False,
)
