"""What is known of a device's health: last heard, battery, worn, clock.

One row a Device; it follows the Observations of the kind `device-status` and is never
the only place of a fact that a client may read.
"""

from sqlalchemy import (
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from fhir_service.storage.tables import Big, metadata

device_state = Table(
    "device_state",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False, comment="of the Device"),
    Column("source", Text, nullable=False),
    Column("last_taken", Big, nullable=False, comment="end of the newest reading"),
    Column("last_received", Big, nullable=False),
    Column("usual_gap", Big, comment="microseconds between deliveries, smoothed"),
    Column("battery", Integer, comment="percent"),
    Column("battery_at", Big),
    Column("is_low", SmallInteger, comment="what the device itself says"),
    Column("worn", SmallInteger),
    Column("worn_at", Big),
    Column("clock_offset", Big, comment="microseconds ahead of the service"),
    Column("clock_at", Big),
    PrimaryKeyConstraint("patient_key", "row"),
    sqlite_with_rowid=False,
)
Index(None, device_state.c.last_received)
