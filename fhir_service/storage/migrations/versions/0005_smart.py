"""smart: app clients, authorizations, codes, second factors, break-glass."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLE = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Apply; every access token there is was given to a backend service."""
    _widen_client()
    _widen_account()
    _widen_access_token()
    _create_authorizations()
    _create_requests()
    _create_people()
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False, comment="JWK"),
        sa.Column("private", sa.LargeBinary(), nullable=False, comment="JWK, sealed"),
        sa.Column("created", BIG, nullable=False),
        sa.Column("begins", BIG, nullable=False, comment="signs from then on"),
        sa.Column("retired", BIG, comment="when another took over"),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
        **TABLE,
    )


def _widen_client() -> None:
    with op.batch_alter_table("client", table_kwargs=TABLE) as table:
        for column in (
            sa.Column("auth_method", sa.Text(), comment="RFC 7591's name"),
            sa.Column("jwks_uri", sa.Text(), comment="where its public keys are"),
            sa.Column("secret_hash", sa.LargeBinary(), comment="SHA-256"),
            sa.Column("redirect_uris", sa.Text(), comment="space-separated"),
            sa.Column("launch_uri", sa.Text(), comment="where an EHR launch begins"),
            sa.Column("origins", sa.Text(), comment="space-separated, for CORS"),
            sa.Column("needs_pkce", sa.SmallInteger(), comment="0 for SMART 1.0"),
            sa.Column(
                "token_lifetime_s", sa.Integer(), comment="null: the deployment's"
            ),
            sa.Column(
                "refresh_lifetime_s", sa.Integer(), comment="null: the deployment's"
            ),
        ):
            table.add_column(column)
    op.execute(
        "UPDATE client SET auth_method = 'private_key_jwt', redirect_uris = '', "
        "origins = '', needs_pkce = 1"
    )
    with op.batch_alter_table("client", table_kwargs=TABLE) as table:
        for name, type_ in (
            ("auth_method", sa.Text()),
            ("redirect_uris", sa.Text()),
            ("origins", sa.Text()),
            ("needs_pkce", sa.SmallInteger()),
        ):
            table.alter_column(name, existing_type=type_, nullable=False)
    op.create_table(
        "client_origin",
        sa.Column("origin", sa.Text(), nullable=False, comment="scheme, host and port"),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "client_id", name=op.f("pk_client_origin")),
        comment="origins of active clients, to answer CORS by one indexed read",
        **TABLE,
    )
    op.create_index(op.f("ix_client_origin_client_id"), "client_origin", ["client_id"])


def _widen_account() -> None:
    with op.batch_alter_table("account", table_kwargs=TABLE) as table:
        table.add_column(sa.Column("language", sa.Text(), comment="of the pages"))
        table.add_column(
            sa.Column("may_break_glass", sa.SmallInteger(), comment="is in the group")
        )
    op.execute("UPDATE account SET may_break_glass = 0")
    with op.batch_alter_table("account", table_kwargs=TABLE) as table:
        table.alter_column(
            "may_break_glass", existing_type=sa.SmallInteger(), nullable=False
        )


def _widen_access_token() -> None:
    with op.batch_alter_table("access_token", table_kwargs=TABLE) as table:
        for column in (
            sa.Column(
                "authorization_id", sa.Text(), comment="null for a backend service"
            ),
            sa.Column("user_id", sa.Text(), comment="null for a backend service"),
            sa.Column("patient", sa.Text(), comment="id of the Patient in context"),
            sa.Column("is_attested", sa.SmallInteger(), comment="break-glass"),
        ):
            table.add_column(column)
    op.execute("UPDATE access_token SET is_attested = 0")
    with op.batch_alter_table("access_token", table_kwargs=TABLE) as table:
        table.alter_column(
            "is_attested", existing_type=sa.SmallInteger(), nullable=False
        )
    op.create_index(
        op.f("ix_access_token_authorization_id"), "access_token", ["authorization_id"]
    )


def _create_authorizations() -> None:
    op.create_table(
        "authorization_grant",
        sa.Column("authorization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), comment="id of the Patient in context"),
        sa.Column("context", sa.Text(), nullable=False, comment="JSON: launch context"),
        sa.Column(
            "scopes", sa.Text(), nullable=False, comment="space-separated, as granted"
        ),
        sa.Column(
            "purposes",
            sa.Text(),
            nullable=False,
            comment="space-separated v3-ActReason",
        ),
        sa.Column(
            "session",
            sa.LargeBinary(),
            comment="login that it ends with; online_access",
        ),
        sa.Column(
            "break_glass_id", sa.Text(), comment="the attestation that it rests on"
        ),
        sa.Column(
            "authenticated", BIG, nullable=False, comment="when the person logged in"
        ),
        sa.Column("created", BIG, nullable=False),
        sa.Column(
            "expires", BIG, nullable=False, comment="no token of it lasts longer"
        ),
        sa.PrimaryKeyConstraint(
            "authorization_id", name=op.f("pk_authorization_grant")
        ),
        **TABLE,
    )
    op.create_index(
        op.f("ix_authorization_grant_client_id"), "authorization_grant", ["client_id"]
    )
    op.create_index(
        op.f("ix_authorization_grant_expires"), "authorization_grant", ["expires"]
    )
    op.create_index(
        op.f("ix_authorization_grant_session"), "authorization_grant", ["session"]
    )
    op.create_index(
        op.f("ix_authorization_grant_user_id"), "authorization_grant", ["user_id"]
    )
    op.create_table(
        "authorization_code",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256"),
        sa.Column("authorization_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column(
            "code_challenge", sa.Text(), comment="S256; null for a SMART 1.0 client"
        ),
        sa.Column("nonce", sa.Text()),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("used", BIG),
        sa.Column(
            "forgotten", BIG, nullable=False, comment="until when a replay is known"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_authorization_code")),
        **TABLE,
    )
    op.create_index(
        op.f("ix_authorization_code_authorization_id"),
        "authorization_code",
        ["authorization_id"],
    )
    op.create_index(
        op.f("ix_authorization_code_forgotten"), "authorization_code", ["forgotten"]
    )
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256"),
        sa.Column("authorization_id", sa.Text(), nullable=False),
        sa.Column("issued", BIG, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("used", BIG, comment="when it was exchanged; again is a theft"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_token")),
        **TABLE,
    )
    op.create_index(
        op.f("ix_refresh_token_authorization_id"), "refresh_token", ["authorization_id"]
    )
    op.create_index(op.f("ix_refresh_token_expires"), "refresh_token", ["expires"])


def _create_requests() -> None:
    op.create_table(
        "launch",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256"),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), comment="id of the Patient"),
        sa.Column(
            "context", sa.Text(), nullable=False, comment="JSON: encounter, intent"
        ),
        sa.Column(
            "break_glass_id", sa.Text(), comment="the attestation that it rests on"
        ),
        sa.Column("expires", BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_launch")),
        comment="launch values that an EHR launch has given out and nobody has used",
        **TABLE,
    )
    op.create_index(op.f("ix_launch_expires"), "launch", ["expires"])
    op.create_table(
        "authorization_request",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256"),
        sa.Column(
            "parameters", sa.LargeBinary(), nullable=False, comment="JSON, sealed"
        ),
        sa.Column(
            "session", sa.LargeBinary(), comment="hash of the login that took it up"
        ),
        sa.Column("created", BIG, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_authorization_request")),
        comment="authorization requests that wait for a person",
        **TABLE,
    )
    op.create_index(
        op.f("ix_authorization_request_expires"), "authorization_request", ["expires"]
    )
    op.create_table(
        "app_choice",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column(
            "patient",
            sa.Text(),
            nullable=False,
            comment="id; empty for none in context",
        ),
        sa.Column(
            "asked", sa.Text(), nullable=False, comment="scopes that were asked for"
        ),
        sa.Column(
            "chosen", sa.Text(), nullable=False, comment="scopes that were granted"
        ),
        sa.Column("decided", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "client_id", "patient", name=op.f("pk_app_choice")
        ),
        comment="what a person decided about an app, to be remembered and revoked",
        **TABLE,
    )


def _create_people() -> None:
    op.create_table(
        "second_factor",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("confirmed", BIG, comment="null until a first code was right"),
        sa.Column("last_step", BIG, nullable=False, comment="no code is taken twice"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factor")),
        **TABLE,
    )
    op.create_table(
        "recovery_code",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256"),
        sa.PrimaryKeyConstraint("user_id", "hash", name=op.f("pk_recovery_code")),
        comment="each opens one login without the authenticator, and is gone",
        **TABLE,
    )
    op.create_table(
        "break_glass",
        sa.Column("break_glass_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("patient_key", BIG, nullable=False),
        sa.Column("patient", sa.Text(), nullable=False, comment="id of the Patient"),
        sa.Column(
            "organization", sa.Text(), comment="Organization/id of the user, then"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="v3-ActReason code"),
        sa.Column(
            "note", sa.LargeBinary(), nullable=False, comment="sealed for the patient"
        ),
        sa.Column("started", BIG, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("client_id", sa.Text(), comment="the app that it was used with"),
        sa.Column("noticed", BIG, comment="when the patient first saw the notice"),
        sa.Column("reviewed", BIG),
        sa.Column("reviewer", sa.Text(), comment="user id"),
        sa.Column("verdict", sa.Text(), comment="justified or not-justified"),
        sa.PrimaryKeyConstraint("break_glass_id", name=op.f("pk_break_glass")),
        **TABLE,
    )
    op.create_index(op.f("ix_break_glass_patient_key"), "break_glass", ["patient_key"])
    op.create_index(op.f("ix_break_glass_reviewed"), "break_glass", ["reviewed"])
    op.create_index(op.f("ix_break_glass_user_id"), "break_glass", ["user_id"])


def downgrade() -> None:
    """Refuse: the older program would not know what the newer one has written."""
    raise NotImplementedError("restore the backup that was made before")
