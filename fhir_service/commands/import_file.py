"""`fhir-service import SOURCE FILE --patient ID`: a vendor's file, in transactions.

The operator acts for the organisation that manages the patient, for treatment: the
patient's consent decides on every reading as it would for that organisation's own
gateway. The audit log names the operating system's user.
"""

import signal
import threading
import time
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
from fhir_service.deployment import Deployment, opened
from fhir_service.ingest.receipt import Fate, Item, Receipt
from fhir_service.ingest.resuming import Importing, is_unreadable
from fhir_service.ingest.watching import Folder, files_in
from fhir_service.logs import describe
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
    watches: bool = False,
    as_json: bool,
) -> None:
    """Import a file, or those of a folder, and print what became of them.

    Raises:
        FHIRError: `not-found` for an unknown patient, `not-supported` for a source
            without a file format, `incomplete` where a file could not be read.

    """
    place = Path(path)
    if watches and not place.is_dir():
        raise FHIRError(IssueType.VALUE, "A folder is watched, not a file.")
    with opened(settings) as deployment:
        importing = _importing(deployment, source, patient, zone)
        if not place.is_dir():
            _one(importing, place, as_json=as_json)
        elif watches:
            _watched(importing, place, as_json=as_json)
        else:
            _all(importing, place, as_json=as_json)


def _importing(
    deployment: Deployment, source: str, patient: str, zone: str | None
) -> Importing:
    with deployment.database.read() as snapshot:
        state = local.patient(snapshot, patient)
    importing = Importing(
        services=deployment.services,
        source=source,
        patient=state,
        grant=local.operator(state.organization),
        zone=zone,
    )
    importing.parser()  # It is said before anything is read that there is none.
    return importing


def _one(importing: Importing, file: Path, *, as_json: bool) -> None:
    """Import one file, also one that was imported before."""
    with _bar() as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        receipt = importing.take(
            file,
            importing.place(file),
            lambda read: bar.update(task, completed=read),
        )
    told = receipt.to_json()
    click.echo(fhir_json.pretty(told).decode() if as_json else account(receipt))
    if is_unreadable(receipt):
        raise FHIRError(IssueType.INCOMPLETE, "Nothing in this file could be read.")


def _all(importing: Importing, path: Path, *, as_json: bool) -> None:
    """Import the files of a folder that were not imported before."""
    total = sum(file.stat().st_size for file in files_in(path))
    with _bar() as bar:
        task = bar.add_task(path.name, total=total)
        before = 0

        def told(file: Path, result: Receipt | Exception) -> None:
            nonlocal before
            before += file.stat().st_size if file.exists() else 0
            bar.update(task, completed=before)
            _say(path, file, result, as_json=as_json)

        folder = Folder(
            path,
            importing,
            told,
            progress=lambda read: bar.update(task, completed=before + read),
        )
        folder.once()
    if folder.failed:
        raise FHIRError(
            IssueType.INCOMPLETE,
            f"{len(folder.failed)} of the files could not be read.",
        )


def _watched(importing: Importing, path: Path, *, as_json: bool) -> None:
    """Import files as they come until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    folder = Folder(
        path,
        importing,
        lambda file, result: _say(path, file, result, as_json=as_json),
    )
    folder.watch(stopping, time.monotonic)


def _say(path: Path, file: Path, result: Receipt | Exception, *, as_json: bool) -> None:
    """Print one line of what became of a file of a folder."""
    name = str(file.relative_to(path))
    if as_json:
        told = (
            {"file": name, "receipt": result.to_json()}
            if isinstance(result, Receipt)
            else {"file": name, "error": _sentence(result)}
        )
        click.echo(fhir_json.dumps(told).decode())
    else:
        click.echo(f"{name}: {_line(result)}")


def _line(result: Receipt | Exception) -> str:
    if not isinstance(result, Receipt):
        return _sentence(result)
    if not result.received:
        return "nothing in it"
    return ", ".join(
        f"{count:,} {fate.word}" for fate in Fate if (count := result.counts[fate])
    )


def _sentence(error: Exception) -> str:
    """Return what is wrong; the text only of errors that are written to be shown."""
    if isinstance(error, FHIRError):
        return "; ".join(issue.diagnostics for issue in error.issues)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__} at {', '.join(describe(error)['frames'][-1:])}"


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
