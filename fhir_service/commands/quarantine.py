"""`fhir-service quarantine list|retry`: what devices sent and nobody understood.

What the parts hold is never shown: it may be anything, about anybody.
"""

from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from conformance.fhir_json import pretty
from fhir_service.deployment import opened
from fhir_service.ingest import retry as again
from fhir_service.ingest.receipt import Fate
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage import quarantines
from fhir_service.storage.quarantines import Quarantined

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
SECOND_US = 1_000_000


def listing(
    settings: Settings, *, source: str | None, limit: int, as_json: bool
) -> None:
    """Print what waits, oldest first, and how much there is of each reason."""
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        rows = quarantines.pending(snapshot, count=limit, source=source)
        counts = [
            count
            for count in quarantines.counts(snapshot)
            if source in (None, count[0])
        ]
        now_us = deployment.services.clock()
    if as_json:
        told = {
            "waiting": [
                {"source": of, "reason": reason, "count": count}
                for of, reason, count in counts
            ],
            "parts": [as_told(row, now_us) for row in rows],
        }
        click.echo(pretty(told).decode())
        return
    if not counts:
        click.echo("Nothing is in quarantine.")
        return
    for row in rows:
        for line in lines(row, now_us):
            click.echo(line)
    for of, reason, count in counts:
        click.echo(f"{count:>10,}  {of}  {reason}")


def as_told(row: Quarantined, now_us: int) -> dict[str, Any]:
    """Return a part as the listing tells it: where it was and why, not what."""
    return {
        "id": row.id,
        "source": row.source,
        "reason": row.reason,
        "kind": row.kind,
        "position": row.position,
        "detail": row.detail,
        "count": row.records,
        "received": fhir_instant(row.received),
        "ageSeconds": (now_us - row.received) // SECOND_US,
        "retries": row.retries,
    }


def lines(row: Quarantined, now_us: int) -> Iterator[str]:
    """Yield a part as the listing for people tells it."""
    count = f"{row.records} measurement{'s' * (row.records != 1)}"
    tried = f", tried again {row.retries} times" if row.retries else ""
    since = age((now_us - row.received) // SECOND_US)
    yield (
        f"#{row.id}  {row.source}  {row.reason}  {row.kind or 'no kind'}  "
        f"{row.position}  {count}, {since} ago{tried}"
    )
    yield f"    {row.detail}"


def age(seconds: int) -> str:
    """Return a duration in its largest whole unit, such as `3 d`."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return "0 s"


def retry(settings: Settings, *, source: str | None, as_json: bool) -> None:
    """Read every waiting part again and print what became of it."""
    with opened(settings) as deployment, _bar() as bar:
        with deployment.database.read() as snapshot:
            waiting = quarantines.waiting(snapshot, source)
        task = bar.add_task("quarantine", total=waiting)
        account = again.retry(
            deployment.services,
            source=source,
            progress=lambda tried: bar.update(task, completed=tried),
        )
    click.echo(pretty(account_json(account)).decode() if as_json else told(account))


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        console=Console(stderr=True),
    )


def account_json(account: again.Account) -> dict[str, Any]:
    """Return the account of a retry for programs."""
    return {
        "tried": account.tried,
        "resolved": account.resolved,
        "waiting": [
            {"source": source, "reason": reason, "parts": count}
            for (source, reason), count in sorted(account.waiting.items())
        ],
        "measurements": {
            source: {fate.value: receipt.counts[fate] for fate in Fate}
            for source, receipt in sorted(account.receipts.items())
        },
    }


def told(account: again.Account) -> str:
    """Return the account of a retry for people."""
    lines = [
        f"{account.tried:>10,}  parts were read again",
        f"{account.resolved:>10,}  were understood and left quarantine",
    ]
    for source, receipt in sorted(account.receipts.items()):
        lines += [
            f"{receipt.counts[fate]:>14,}  {source}: measurements {fate.value}"
            for fate in Fate
            if fate is not Fate.QUARANTINED and receipt.counts[fate]
        ]
    lines += [
        f"{count:>14,}  {source}: still {reason}"
        for (source, reason), count in sorted(account.waiting.items())
    ]
    return "\n".join(lines)
