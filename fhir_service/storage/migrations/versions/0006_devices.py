"""devices: pairings, raw payloads, device health, templates, vendor pushes, files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLE = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Apply."""
    _create_source_grants()
    _create_raw_payloads()
    _create_device_states()
    _create_mapping_templates()
    _create_push_endpoints()
    _create_file_imports()
    op.create_table(
        "source_record",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False, comment="keyed hash"),
        sa.Column("row", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "patient_key", "record", "row", name=op.f("pk_source_record")
        ),
        comment="what one record of a source gives several of",
        **TABLE,
    )
    op.add_column("ingest_batch", sa.Column("payload_id", BIG))
    op.add_column(
        "ingest_batch", sa.Column("gateway", sa.Text(), comment="what brought it")
    )


def _create_source_grants() -> None:
    op.create_table(
        "source_grant",
        sa.Column("grant_id", BIG, nullable=False, autoincrement=False),
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="the vendor's name"),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="keyed hash"),
        sa.Column(
            "label", sa.LargeBinary(), nullable=False, comment="of the account, sealed"
        ),
        sa.Column("device_row", BIG, comment="the Device, where one unit is paired"),
        sa.Column("use_row", BIG, comment="its DeviceUseStatement"),
        sa.Column("location", sa.Text(), comment="Location/id of a room's sensor"),
        sa.Column("zone", sa.Text(), comment="IANA name, for sources with local times"),
        sa.Column("starts", BIG, nullable=False),
        sa.Column("ends", BIG, comment="null: until it is revoked"),
        sa.Column("made", BIG, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("notice", BIG, comment="when co-residents were told"),
        sa.Column("notice_by", sa.Text()),
        sa.Column("revoked", BIG),
        sa.Column("revoked_by", sa.Text()),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_source_grant")),
    )
    op.create_index(
        op.f("ix_source_grant_source_account"), "source_grant", ["source", "account"]
    )
    op.create_index(
        op.f("ix_source_grant_patient_key_grant_id"),
        "source_grant",
        ["patient_key", "grant_id"],
    )


def _create_raw_payloads() -> None:
    op.create_table(
        "raw_payload",
        sa.Column("payload_id", BIG, nullable=False, autoincrement=False),
        sa.Column("patient_key", BIG, nullable=False, comment="whose key seals it"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False, comment="name and version"),
        sa.Column("client_id", sa.Text()),
        sa.Column(
            "patient", sa.Text(), comment="id of the Patient that the request named"
        ),
        sa.Column("zone", sa.Text(), comment="IANA name that the request gave"),
        sa.Column(
            "gateway", sa.Text(), comment="what brought it, such as a broker's name"
        ),
        sa.Column("received", BIG, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("size", BIG, nullable=False, comment="bytes before sealing"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.PrimaryKeyConstraint("payload_id", name=op.f("pk_raw_payload")),
    )
    op.create_table(
        "raw_payload_patient",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("payload_id", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "patient_key", "payload_id", name=op.f("pk_raw_payload_patient")
        ),
        **TABLE,
    )
    op.create_index(op.f("ix_raw_payload_expires"), "raw_payload", ["expires"])
    op.create_index(
        op.f("ix_raw_payload_source_received"), "raw_payload", ["source", "received"]
    )
    op.create_index(
        op.f("ix_raw_payload_patient_payload_id"), "raw_payload_patient", ["payload_id"]
    )


def _create_device_states() -> None:
    op.create_table(
        "device_state",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("row", BIG, nullable=False, comment="of the Device"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("last_taken", BIG, comment="end of the newest reading"),
        sa.Column("last_received", BIG, nullable=False),
        sa.Column(
            "usual_gap", BIG, comment="microseconds between deliveries, smoothed"
        ),
        sa.Column("battery", sa.Integer(), comment="percent"),
        sa.Column("battery_at", BIG),
        sa.Column("battery_since", BIG, comment="since when it is below the limit"),
        sa.Column(
            "low", sa.SmallInteger(), comment="1 where the device itself says so"
        ),
        sa.Column("low_at", BIG),
        sa.Column("low_since", BIG),
        sa.Column("worn", sa.SmallInteger()),
        sa.Column("worn_at", BIG),
        sa.Column("worn_since", BIG, comment="since when it is not worn"),
        sa.Column("clock", BIG, comment="microseconds ahead of the service"),
        sa.Column("clock_at", BIG),
        sa.Column("clock_since", BIG, comment="since when it is wrong"),
        sa.Column("versions_at", BIG, comment="of the reading that told the versions"),
        sa.PrimaryKeyConstraint("patient_key", "row", name=op.f("pk_device_state")),
        **TABLE,
    )
    op.create_index(
        op.f("ix_device_state_last_received"), "device_state", ["last_received"]
    )


def _create_mapping_templates() -> None:
    op.create_table(
        "mapping_template",
        sa.Column("name", sa.Text(), nullable=False, comment="the source's name"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="of the body"),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("made", BIG, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("ended", BIG, comment="when another version or nothing followed"),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_mapping_template")),
        **TABLE,
    )


def _create_push_endpoints() -> None:
    op.create_table(
        "push_endpoint",
        sa.Column(
            "endpoint_id", sa.Text(), nullable=False, comment="in the URL; no secret"
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "client_id", sa.Text(), nullable=False, comment="for whom it delivers"
        ),
        sa.Column(
            "secret", sa.LargeBinary(), comment="sealed; null where none is signed"
        ),
        sa.Column(
            "tolerance_s", sa.Integer(), nullable=False, comment="of the time signed"
        ),
        sa.Column("made", BIG, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("removed", BIG),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_push_endpoint")),
        **TABLE,
    )
    op.create_table(
        "push_seen",
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="of the signature"
        ),
        sa.Column("expires", BIG, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "digest", name=op.f("pk_push_seen")),
        **TABLE,
    )
    op.create_index(op.f("ix_push_seen_expires"), "push_seen", ["expires"])


def _create_file_imports() -> None:
    op.create_table(
        "file_import",
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="keyed, of the contents"
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=False, comment="name and version"),
        sa.Column(
            "taken", BIG, nullable=False, comment="readings that are accounted for"
        ),
        sa.Column("started", BIG, nullable=False),
        sa.Column("finished", BIG),
        sa.Column("counts", sa.Text(), comment="JSON, of the receipt"),
        sa.PrimaryKeyConstraint(
            "patient_key", "digest", "source", name=op.f("pk_file_import")
        ),
        **TABLE,
    )
