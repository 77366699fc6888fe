"""Alembic's entry: the engine comes from the caller, never from a file."""

from alembic import context
from sqlalchemy.engine import Engine

from fhir_service.storage.migrations.tables import metadata


def run(engine: Engine) -> None:
    """Apply what is missing, all or nothing where the database can."""
    with engine.connect().execution_options(
        isolation_level="SERIALIZABLE"
    ) as connection:
        context.configure(
            connection=connection, target_metadata=metadata, render_as_batch=True
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run(context.config.attributes["engine"])
