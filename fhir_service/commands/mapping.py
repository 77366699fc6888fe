"""`fhir-service mapping test|add|list|remove`: templates for sensors nobody coded for.

`test` needs no database: it shows, measurement by measurement, what a payload would
become, and what of the template and of the payload matched nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.deployment import opened
from fhir_service.ingest import templates
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage import mapping_templates
from fhir_service.storage.mapping_templates import Stored
from mappings.normalise import Part
from mappings.payload import microseconds, zone_of
from mappings.templates import check
from mappings.templates.compile import vendor
from mappings.templates.faults import Fault
from mappings.templates.trial import Trial, as_json, trials

MAX_BYTES = check.MAX_BYTES

OUTCOMES = ("stored", "quarantined", "outOfScope", "deleted")


def test(
    template: Path, payload: Path, *, zone: str | None, as_json: bool, now: datetime
) -> bool:
    """Print what would become of a payload; return whether anything would be stored.

    Args:
        template: File of the template.
        payload: File of what the sensor sends.
        zone: IANA name of the zone of local times.
        as_json: Print JSON.
        now: When the payload would have come.

    Raises:
        FHIRError: `value` for an unknown zone.

    """
    if zone is not None and zone_of(zone) is None:
        raise FHIRError(IssueType.VALUE, "The time zone is not one of IANA's.")
    data = _read(template)
    faults = check.check(data)
    if faults:
        _say_faults(template, faults, as_json=as_json)
        return False
    written = check.read(data)
    source = vendor(written, version="test")
    readings = (source.parse_file or source.parse)(payload, received_at=now, zone=zone)
    found = list(trials(source, readings, now_us=microseconds(now)))
    unmatched = _unmatched(written, found)
    if as_json:
        click.echo(fhir_json.pretty(told(source.source, found, unmatched)).decode())
    else:
        for line in lines(found, unmatched):
            click.echo(line)
    return any(trial.outcome == "stored" for trial in found)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 4)


def _say_faults(path: Path, faults: Sequence[Fault], *, as_json: bool) -> None:
    if as_json:
        click.echo(
            fhir_json.pretty({"faults": [fault._asdict() for fault in faults]}).decode()
        )
        return
    for fault in faults:
        click.echo(f"{path.name}: {fault}", err=True)


def _unmatched(template: dict[str, Any], found: Iterable[Trial]) -> list[str]:
    """Return the kinds of measurements that the payload held none of."""
    met = {
        trial.normalised.measurement.kind if trial.normalised else trial.kind
        for trial in found
    }
    named = dict.fromkeys(spec["kind"] for spec in template["measurements"])
    return [kind for kind in named if kind not in met]


def _counts(found: Iterable[Trial]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for trial in found:
        counts[trial.outcome] += trial.records
    return counts


def told(
    source: str, found: Sequence[Trial], unmatched: Sequence[str]
) -> dict[str, Any]:
    """Return the dry run for programs."""
    counts = _counts(found)
    return {
        "source": source,
        "received": counts.total(),
        **{outcome: counts[outcome] for outcome in OUTCOMES},
        "matchedNothing": list(unmatched),
        "items": [as_json(trial) for trial in found],
    }


def lines(found: Sequence[Trial], unmatched: Sequence[str]) -> Iterator[str]:
    """Yield the dry run for people."""
    for trial in found:
        yield f"{trial.outcome:<11}  {trial.position}  {_what(trial)}"
        if trial.normalised is not None:
            for part in trial.normalised.parts:
                yield f"{'':<11}    {part.kind.name} {_value(part)}"
    counts = _counts(found)
    for outcome in OUTCOMES:
        if counts[outcome]:
            yield f"{counts[outcome]:>10,}  {_WORDS[outcome]}"
    if unmatched:
        yield f"Of the template, these matched nothing: {', '.join(unmatched)}."


_WORDS = {
    "stored": "would be stored, as far as consent permits",
    "quarantined": "would be quarantined",
    "outOfScope": "recognised and never stored",
    "deleted": "would be deleted",
}


def _what(trial: Trial) -> str:
    if trial.normalised is None:
        kind = trial.kind or "no kind"
        return (
            kind if trial.reason is None else f"{kind}  {trial.reason}: {trial.detail}"
        )
    normalised, measurement = trial.normalised, trial.normalised.measurement
    end = "" if measurement.end is None else f" to {measurement.end}"
    return "  ".join(
        filter(
            None,
            (
                normalised.kind.name,
                _amount(normalised.value, normalised.unit),
                f"({measurement.absent})" if measurement.absent else "",
                "implausible" if normalised.implausible else "",
                f"{measurement.start}{end}",
                _device(trial),
                f"patient {trial.patient}" if trial.patient else "",
                *measurement.flags,
            ),
        )
    )


def _device(trial: Trial) -> str:
    clue = trial.device
    if clue is None:
        return ""
    return f"device {clue.identifier or clue.serial or clue.model or clue.name or '-'}"


def _value(part: Part) -> str:
    return f"({part.absent})" if part.absent else _amount(part.value, part.unit)


def _amount(value: str | None, unit: str) -> str:
    return " ".join(filter(None, (value, unit)))


def add(settings: Settings, *, template: Path, as_json: bool) -> bool:
    """Put a template in force; return whether it could be.

    Raises:
        FHIRError: `duplicate` for the name of a source that is built in.

    """
    data = _read(template)
    faults = check.check(data)
    if faults:
        _say_faults(template, faults, as_json=as_json)
        return False
    with opened(settings) as deployment:
        added = templates.add(deployment.services, check.read(data))
    if as_json:
        click.echo(fhir_json.pretty(row(added.stored)).decode())
        return True
    stored = added.stored
    how = "is in force" if added.is_new else "was in force already"
    click.echo(f"Version {stored.version} of {stored.name} {how}.")
    return True


def listing(settings: Settings, *, as_json: bool) -> None:
    """Print every version of every template."""
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        rows = [row(stored) for stored in mapping_templates.every(snapshot)]
    if as_json:
        click.echo(fhir_json.pretty(rows).decode())
        return
    for one in rows:
        state = "in force" if one["ended"] is None else f"ended {one['ended']}"
        click.echo(f"{one['name']}  version {one['version']}  {state}  {one['sha256']}")


def row(stored: Stored) -> dict[str, Any]:
    """Return a version as the listing tells it."""
    return {
        "name": stored.name,
        "version": stored.version,
        "sha256": stored.sha256.hex(),
        "made": fhir_instant(stored.made),
        "madeBy": stored.made_by,
        "ended": None if stored.ended is None else fhir_instant(stored.ended),
    }


def remove(settings: Settings, *, name: str) -> None:
    """End a template; what comes for it from then on is refused.

    Raises:
        FHIRError: `not-found` where no template of that name is in force.

    """
    with opened(settings) as deployment:
        stored = templates.remove(deployment.services, name)
    click.echo(f"Template {stored.name} is removed; its versions are kept.")


def now() -> datetime:
    """Return the time of the machine."""
    return datetime.now(tz=UTC)
