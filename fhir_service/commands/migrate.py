"""`fhir-service migrate`."""

import click

from fhir_service.deployment import alone
from fhir_service.settings import Settings, make_data_dir
from fhir_service.storage import migrations
from fhir_service.storage.engine import Database


def run(settings: Settings) -> None:
    """Bring the schema up to date, and say from which version to which."""
    make_data_dir(settings)
    database = Database(settings.database_url)
    try:
        with alone(settings.data_dir):
            before = migrations.applied(database.engine)
            migrations.upgrade(database.engine)
    finally:
        database.close()
    click.echo(f"The schema was {before or 'absent'} and is {migrations.newest()}.")
