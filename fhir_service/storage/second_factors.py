"""Second factors: the sealed secret of an authenticator, and its recovery codes.

https://www.rfc-editor.org/rfc/rfc6238
"""

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, Table, Text

from fhir_service.storage.tables import Big, metadata

second_factor = Table(
    "second_factor",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, comment="sealed"),
    Column("confirmed", Big, comment="null until a first code was right"),
    Column("last_step", Big, nullable=False, comment="no code is taken twice"),
    sqlite_with_rowid=False,
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256"),
    PrimaryKeyConstraint("user_id", "hash"),
    comment="each opens one login without the authenticator, and is gone",
    sqlite_with_rowid=False,
)
