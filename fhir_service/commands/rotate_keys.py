"""`fhir-service rotate-keys`.

https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys
"""

import click

from fhir_service.auth import signing
from fhir_service.auth.services import AuthServices


def id_token(services: AuthServices) -> None:
    """Let a new key sign ID tokens from now on, and say which."""
    kid = signing.rotate(services)
    click.echo(f"Key {kid} signs ID tokens from now on.")
    click.echo("The earlier one stays published until what it signed has ended.")
