"""Keys that sign ID tokens: the private half sealed, the public half published.

https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys
"""

from sqlalchemy import Column, LargeBinary, Table, Text

from fhir_service.storage.tables import Big, metadata

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public", Text, nullable=False, comment="JWK"),
    Column("private", LargeBinary, nullable=False, comment="JWK, sealed"),
    Column("created", Big, nullable=False),
    Column("begins", Big, nullable=False, comment="signs from then on"),
    Column("retired", Big, comment="when another took over"),
    sqlite_with_rowid=False,
)
