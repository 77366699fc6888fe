"""`fhir-service import SOURCE FILE --patient ID`: a vendor's file, in transactions.

The operator acts for the organisation that manages the patient, for treatment: the
patient's consent decides on every reading as it would for that organisation's own
gateway. The audit log names the operating system's user.
"""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth import local
from fhir_service.deployment import opened
from fhir_service.ingest.files import import_file
from fhir_service.ingest.receipt import Fate, Item, Receipt
from fhir_service.settings import Settings

SHOWN = 20
"""Positions in quarantine that the account for people lists."""


def run(  # noqa: PLR0913 - one argument an option of the command
    settings: Settings,
    *,
    source: str,
    path: str,
    patient: str,
    zone: str | None,
    as_json: bool,
) -> None:
    """Import the file and print the account of every measurement in it.

    Raises:
        FHIRError: `not-found` for an unknown patient, `not-supported` for a source
            without a file format, `incomplete` where nothing could be read.

    """
    file = Path(path)
    with opened(settings) as deployment, _bar() as bar:
        with deployment.database.read() as snapshot:
            state = local.patient(snapshot, patient)
        task = bar.add_task(file.name, total=file.stat().st_size)
        receipt = import_file(
            deployment.services,
            source,
            file,
            patient_id=state.id,
            grant=local.operator(state.organization),
            zone=zone,
            progress=lambda read: bar.update(task, completed=read),
        )
    told = receipt.to_json()
    click.echo(fhir_json.pretty(told).decode() if as_json else account(receipt))
    if receipt.received == receipt.counts[Fate.QUARANTINED]:
        raise FHIRError(IssueType.INCOMPLETE, "Nothing in this file could be read.")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def account(receipt: Receipt) -> str:
    """Return the receipt as lines for people: fates, kinds, places of faults."""
    lines = [f"{receipt.received:>10,}  received from {receipt.source}"]
    for fate in Fate:
        if receipt.counts[fate]:
            lines.append(f"{receipt.counts[fate]:>10,}  {_WORDS[fate]}")
            lines += _kinds(receipt, fate)
    faults = [item for item in receipt.items if item.fate is Fate.QUARANTINED]
    lines += [_fault(item) for item in faults[:SHOWN]]
    if faults:
        lines.append("`fhir-service quarantine list` shows everything in quarantine.")
    return "\n".join(lines)


_WORDS = {
    Fate.STORED: "stored",
    Fate.DUPLICATE: "known already, nothing changed",
    Fate.AMENDED: "known with another value, amended",
    Fate.WITHHELD: "withheld: the patient's consent does not permit collecting them",
    Fate.QUARANTINED: "not understood, in quarantine",
    Fate.OUT_OF_SCOPE: "recognised and never stored",
    Fate.DELETED: "deleted, as the source has deleted them",
}
"""What becomes of a measurement, for people; a test walks it."""


def _kinds(receipt: Receipt, fate: Fate) -> list[str]:
    return [
        f"{count:>14,}  {kind}{f' ({reason})' if reason else ''}"
        for (kind, of, reason), count in sorted(receipt.kinds.items())
        if of is fate
    ]


def _fault(item: Item) -> str:
    return f"  {item.position}: {item.reason}: {item.detail}"
