"""`fhir-service push add|list|rotate|remove`: where vendors push, and their secrets.

A secret that the vendor makes is asked for at a terminal, or is a line of standard
input; it is never an argument, which other users of the machine could read. An empty
line leaves it open, and nothing is taken until `push rotate` gives it. A secret that
the service makes is shown once.
"""

import secrets
from typing import TextIO

import click

from conformance.fhir_json import pretty
from fhir_service.deployment import Deployment, opened
from fhir_service.ingest import endpoints
from fhir_service.ingest.endpoints import NEEDS, Needs, Origin, Shared
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage import push_endpoints
from fhir_service.storage.push_endpoints import Endpoint


def add(  # noqa: PLR0913 - one argument an option of the command
    settings: Settings,
    *,
    source: str,
    client_id: str,
    tolerance_s: int | None,
    stream: TextIO,
    as_json: bool,
) -> None:
    """Make an endpoint and say at which URL it is.

    Raises:
        FHIRError: as `endpoints.add`.

    """
    shared = asked(NEEDS.get(source, Needs()), stream)
    with opened(settings) as deployment:
        endpoint, made = endpoints.add(
            deployment.services,
            source=source,
            client_id=client_id,
            shared=shared,
            random=secrets.token_bytes,
            tolerance_s=tolerance_s,
        )
        _say(deployment, endpoint, made, as_json=as_json)


def rotate(
    settings: Settings, *, endpoint_id: str, stream: TextIO, as_json: bool
) -> None:
    """Give an endpoint new secrets; the earlier ones end at once.

    Raises:
        FHIRError: as `endpoints.rotate`.

    """
    with opened(settings) as deployment:
        with deployment.database.read() as snapshot:
            source = endpoints.opened(snapshot, endpoint_id).source
        shared = asked(NEEDS[source], stream)
        endpoint, made = endpoints.rotate(
            deployment.services, endpoint_id, shared, secrets.token_bytes
        )
        _say(deployment, endpoint, made, as_json=as_json)


def remove(settings: Settings, *, endpoint_id: str) -> None:
    """Close an endpoint.

    Raises:
        FHIRError: `not-found` where there is no such open endpoint.

    """
    with opened(settings) as deployment:
        endpoint = endpoints.remove(deployment.services, endpoint_id)
    click.echo(f"The endpoint of {endpoint.source} is closed and its secret forgotten.")


def listing(settings: Settings, *, as_json: bool) -> None:
    """Print every endpoint, removed ones too, without secrets."""
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        rows = [
            _told(deployment, endpoint)
            for endpoint in push_endpoints.all_endpoints(snapshot)
        ]
    if as_json:
        click.echo(pretty(rows).decode())
        return
    for row in rows:
        state = "open" if row["removed"] is None else "removed"
        click.echo(f"{row['source']}  {state}  {row['client']}  {row['url']}")


def asked(needs: Needs, stream: TextIO) -> Shared:
    """Return what the vendor has made, asked for or read line by line."""
    return Shared(
        secret=_line(needs.secret, "Secret of the vendor", stream),
        code=_line(needs.code, "Verification code of the vendor", stream),
    )


def _line(origin: Origin, prompt: str, stream: TextIO) -> str:
    if origin is not Origin.VENDOR:
        return ""
    if stream.isatty():
        typed: str = click.prompt(
            prompt, default="", hide_input=True, show_default=False
        )
        return typed
    return stream.readline().rstrip("\r\n")


def _told(deployment: Deployment, endpoint: Endpoint) -> dict[str, object]:
    removed = endpoint.removed
    return {
        "endpoint": endpoint.id,
        "source": endpoint.source,
        "client": endpoint.client_id,
        "url": f"{deployment.settings.public_url}/device-data/{endpoint.source}"
        f"/push/{endpoint.id}",
        "signed": NEEDS[endpoint.source].secret is not Origin.NOBODY,
        "toleranceSeconds": endpoint.tolerance_s,
        "made": fhir_instant(endpoint.made),
        "madeBy": endpoint.made_by,
        "removed": None if removed is None else fhir_instant(removed),
    }


def _say(
    deployment: Deployment, endpoint: Endpoint, made: Shared, *, as_json: bool
) -> None:
    """Print the address, and the secrets that the service has made itself."""
    needs = NEEDS[endpoint.source]
    own = {
        name: value
        for name, value, origin in (
            ("secret", made.secret, needs.secret),
            ("code", made.code, needs.code),
        )
        if origin is Origin.SERVICE
    }
    told = _told(deployment, endpoint)
    if as_json:
        click.echo(pretty({**told, **own}).decode())
        return
    click.echo(f"{endpoint.source} pushes to {told['url']}")
    for name, value in own.items():
        click.echo(f"Its {name}, which is not shown again, is {value}")
    if needs.secret is Origin.NOBODY:
        click.echo(
            "It signs nothing: what it pushes is kept as a hint and not as data."
        )
    elif not made.secret:
        click.echo("Nothing is taken there before `push rotate` gives its secret.")
