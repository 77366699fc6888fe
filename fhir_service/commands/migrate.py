"""`fhir-service migrate`."""

import click

from fhir_service.deployment import migrate
from fhir_service.settings import Settings, make_data_dir
from fhir_service.storage import migrations
from fhir_service.storage.engine import Database


def run(settings: Settings) -> None:
    """Bring schema and index up to date, and say from which version to which."""
    make_data_dir(settings)
    database = Database(settings.database_url)
    try:
        before = migrations.applied(database.engine)
    finally:
        database.close()
    indexed = migrate(
        settings, lambda done: click.echo(f"{done} resources indexed.", err=True)
    )
    click.echo(f"The schema was {before or 'absent'} and is {migrations.newest()}.")
    if indexed:
        click.echo(f"The search index was made anew of {indexed} resources.")
