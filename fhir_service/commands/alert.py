"""`fhir-service alert list|close|webhook`: what an officer should look at."""

import secrets

import click

from conformance.fhir_json import pretty
from fhir_service.auth import local
from fhir_service.compliance import alert_delivery, alerts
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import asked
from fhir_service.deployment import opened
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage import alert_webhooks
from fhir_service.storage import alerts as stored
from fhir_service.storage.alert_webhooks import Webhook
from fhir_service.storage.alerts import Alert


def listing(settings: Settings, *, as_json: bool) -> None:
    """Print the open alerts, newest first, once every row was looked at."""
    with opened(settings) as deployment:
        asked(deployment.services, _officer(), "alert list")
        deployment.watch().look()
        with deployment.database.read() as snapshot:
            found = stored.unclosed(snapshot)
    if as_json:
        click.echo(pretty([_told(one) for one in found]).decode())
        return
    for one in found:
        row = "" if one.last_leaf is None else f"  row {one.last_leaf}"
        click.echo(
            f"{one.id}  {one.kind}  {fhir_instant(one.made)}  {one.count} times{row}  "
            f"{one.detail}"
        )


def close(settings: Settings, *, alert_id: int, note: str) -> None:
    """Close an alert.

    Raises:
        FHIRError: as `alerts.close`.

    """
    with opened(settings) as deployment:
        alerts.close(deployment.services, _officer(), alert_id, note)
    click.echo(f"Alert {alert_id} is closed.")


def webhook_add(
    settings: Settings, *, url: str, organization: str | None, as_json: bool
) -> None:
    """Send alerts to an address, and show its secret once.

    Raises:
        FHIRError: as `alert_delivery.add`.

    """
    with opened(settings) as deployment:
        webhook, secret = alert_delivery.add(
            deployment.services,
            _officer(),
            url=url,
            organisation=organization,
            random=secrets.token_bytes,
            schemes=deployment.alert_outgoing().schemes,
        )
    if as_json:
        click.echo(pretty({**_told_webhook(webhook), "secret": secret}).decode())
        return
    click.echo(f"Alerts are sent to {webhook.url} as webhook {webhook.id}.")
    click.echo(f"Its secret, which is not shown again, is {secret}")


def webhook_list(settings: Settings, *, as_json: bool) -> None:
    """Print every address, removed ones too, without secrets."""
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        rows = [_told_webhook(one) for one in alert_webhooks.every(snapshot)]
    if as_json:
        click.echo(pretty(rows).decode())
        return
    for row in rows:
        state = "open" if row["removed"] is None else "removed"
        whose = row["organization"] or "all"
        click.echo(f"{row['webhook']}  {state}  {whose}  {row['url']}")


def webhook_remove(settings: Settings, *, webhook_id: str) -> None:
    """Send nothing to an address any more.

    Raises:
        FHIRError: `not-found` where there is no such address.

    """
    with opened(settings) as deployment:
        alert_delivery.remove(deployment.services, _officer(), webhook_id)
    click.echo("No alert is sent there any more; its secret is forgotten.")


def _officer() -> Officer:
    return Officer(user=local.user(), organizations=None, client=local.COMMAND_LINE)


def _told(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.id,
        "kind": alert.kind,
        "detail": alert.detail,
        "organization": alert.organisation,
        "made": fhir_instant(alert.made),
        "count": alert.count,
        "firstRow": alert.leaf_index,
        "lastRow": alert.last_leaf,
    }


def _told_webhook(webhook: Webhook) -> dict[str, object]:
    removed = webhook.removed
    return {
        "webhook": webhook.id,
        "url": webhook.url,
        "organization": webhook.organisation,
        "made": fhir_instant(webhook.made),
        "madeBy": webhook.made_by,
        "removed": None if removed is None else fhir_instant(removed),
    }
