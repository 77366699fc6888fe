"""`fhir-service serve`."""

import click

from fhir_service import server
from fhir_service.settings import Settings, shown


def run(settings: Settings, *, show_config: bool) -> None:
    """Serve until SIGTERM, or print the settings with their secrets masked.

    Raises:
        SettingsError: where the address cannot be listened at.

    """
    if show_config:
        for variable, text in shown(settings).items():
            click.echo(f"{variable}={text}")
        return
    server.serve(settings)
