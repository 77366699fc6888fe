"""`fhir-service mapping replay`: payloads that are kept, read by today's mapping.

What would change is shown first; it is done where somebody says so.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from conformance import fhir_json
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.ingest.remapping import Difference, Remapped, remap
from fhir_service.settings import Settings

SHOWN = 50
"""Differences that are listed for people; all of them are counted."""


def run(
    settings: Settings,
    *,
    since: datetime,
    source: str | None,
    apply: bool,
    as_json: bool,
) -> None:
    """Show what changes; do it with `apply`, or where the person there says so.

    Args:
        settings: Of the deployment.
        since: Payloads received from then on, UTC where it has no zone.
        source: Only that vendor's.
        apply: Do it without asking.
        as_json: Print one JSON object for each payload that changes.

    """
    moment = (
        since if since.tzinfo is not None else since.replace(tzinfo=ZoneInfo("UTC"))
    )
    since_us = int(moment.timestamp() * 1_000_000)
    with opened(settings) as deployment:
        services = deployment.services
        found = list(_changing(services, since_us, source, is_trial=True))
        click.echo(_as_json(found) if as_json else told(found))
        changes = sum(len(one.differences) for one in found)
        if not changes or not (apply or _is_wanted(changes, as_json=as_json)):
            return
        done = list(_changing(services, since_us, source, is_trial=False))
        count = sum(len(one.differences) for one in done)
        click.echo(f"{count:,} Observations changed.", err=as_json)


def _changing(
    services: Services, since_us: int, source: str | None, *, is_trial: bool
) -> Iterator[Remapped]:
    for one in remap(services, since_us=since_us, source=source, is_trial=is_trial):
        if one.differences or one.why_not is not None:
            yield one


def _is_wanted(changes: int, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return bool(click.confirm(f"Change these {changes:,} Observations?"))


def _as_json(found: list[Remapped]) -> str:
    return fhir_json.pretty([_plain(one) for one in found]).decode()


def _plain(one: Remapped) -> dict[str, object]:
    return {
        **asdict(one),
        "parsers": list(one.parsers),
        "differences": [asdict(each) for each in one.differences],
    }


def told(found: list[Remapped]) -> str:
    """Return the differences as lines for people."""
    every = [each for one in found for each in one.differences]
    lines = [_line(each) for each in every[:SHOWN]]
    if len(every) > SHOWN:
        lines.append(f"... and {len(every) - SHOWN:,} more.")
    lines += [
        f"payload {one.payload} of {one.source}: {one.why_not}"
        for one in found
        if one.why_not is not None
    ]
    return "\n".join([*lines, f"{len(every):,} Observations differ."])


def _line(each: Difference) -> str:
    where = each.reference or "new"
    return (
        f"{each.start or '':<32} {each.kind:<28} "
        f"{each.before or '-'} -> {each.after or 'withdrawn'}  ({where})"
    )
