"""`fhir-service demo`: a synthetic cohort, served; nothing of it is a real person's.

The first run fills an empty store; a later one, or one after a run that was killed,
goes on from there. What the demonstration says of itself goes to standard output,
with `--exit` to standard error, so that the answer to its query stands alone.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from conformance import fhir_json
from fhir_service.demo import clients, logins, query, seed
from fhir_service.demo.logins import Login
from fhir_service.demo.progress import Seeded
from fhir_service.demo.seed import Size
from fhir_service.demo.served import at_a_free_port, at_this_machine, serving
from fhir_service.deployment import Deployment, opened
from fhir_service.settings import Settings

FOLDER = "demo"
"""Folder of the demonstration, in the data folder."""

WARNING = (
    "This is a demonstration with synthetic data. Do not put real patients' data "
    "into it: its clients, users and keys are examples."
)

QUERY_DAYS = 7
ENTRIES = 3
PATIENT = "demo-patient-01"


def run(settings: Settings, *, exit_after: bool, size: Size | None = None) -> None:
    """Seed what is missing, then serve; or ask one query as the example EHR.

    Args:
        settings: Which data folder, database and port.
        exit_after: Whether to end after one query.
        size: How much of the cohort; all of it where None.

    Raises:
        SettingsError: where the address cannot be listened at.
        FHIRError: where the store is not a demonstration's, or a step was refused.

    """
    local = at_a_free_port(settings) if exit_after else at_this_machine(settings)
    console = Console(stderr=exit_after)
    console.print(WARNING, style="bold yellow")
    shown = _prepare(local, console, size or Size())
    if exit_after:
        _ask_once(local, shown, console)
    else:
        _serve(local, shown, console)


class _Shown:
    """What the table shows, once the store is closed again."""

    def __init__(
        self, folder: Path, seeded: Seeded, people: list[Login], token: str
    ) -> None:
        self.folder = folder
        self.seeded = seeded
        self.people = people
        self.token = token

    def query(self, settings: Settings, days: int = QUERY_DAYS) -> str:
        asked = query.heart_rates(PATIENT, self.seeded.last_day, days, ENTRIES)
        return f"{settings.public_url}/fhir/{asked}"


def _prepare(settings: Settings, console: Console, size: Size) -> _Shown:
    folder = settings.data_dir / FOLDER
    yesterday = datetime.now(tz=UTC).date() - timedelta(days=1)
    with opened(settings) as deployment:
        seeded = seed.begin(deployment, folder, yesterday)
        clients.register(deployment.auth, folder)
        if seeded.is_complete:
            console.print(f"The cohort is here, up to {seeded.last_day}; it is kept.")
        else:
            seeded = _seed(deployment, folder, seeded, size, console)
        people = logins.register(deployment.auth, folder)
        token = clients.issue_token(deployment.auth, clients.EHR)
    return _Shown(folder, seeded, people, token)


def _seed(
    deployment: Deployment, folder: Path, seeded: Seeded, size: Size, console: Console
) -> Seeded:
    with _bar(console) as bar:
        task = bar.add_task("patient-days", total=size.patient_days)
        seed.create_resources(deployment, seeded, size)
        return seed.take_payloads(
            deployment, folder, seeded, size, lambda more: bar.advance(task, more)
        )


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("Seeding"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} {task.description}"),
        TimeElapsedColumn(),
        console=console,
    )


def _ask_once(settings: Settings, shown: _Shown, console: Console) -> None:
    log = shown.folder / "server.log"
    with log.open("wb") as sink, serving(settings, sink):
        _introduce(settings, shown, console)
        client = query.Client(
            client_id=clients.EHR,
            key=clients.key_path(shown.folder, clients.EHR),
            token_url=f"{settings.public_url}/auth/token",
        )
        url = shown.query(settings)
        console.print(f"{clients.EHR} asks GET {url}", soft_wrap=True, markup=False)
        answer = query.ask(url, query.token(client, "system/Observation.rs"))
    click.echo(fhir_json.pretty(fhir_json.loads(answer)).decode())


def _serve(settings: Settings, shown: _Shown, console: Console) -> None:
    with _until_interrupted(), serving(settings) as server:
        _introduce(settings, shown, console)
        server.wait()


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        return


def _introduce(settings: Settings, shown: _Shown, console: Console) -> None:
    """Print where everything is, and a command that works as it is pasted."""
    for table in (
        _addresses(settings),
        _logins(shown),
        _clients(shown),
    ):
        console.print(table)
    console.print(Text(f"{WARNING} Stop it with Ctrl-C."), style="yellow")
    console.print("Paste this; its token is good for 12 hours:\n")
    # Not through rich, which would wrap it.
    click.echo(command(shown.query(settings), shown.token), file=console.file)


def command(url: str, token: str) -> str:
    """Return the query as a command for a shell."""
    return shlex.join(["curl", "-sS", "-H", f"Authorization: Bearer {token}", url])


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _addresses(settings: Settings) -> Table:
    table = _table("Addresses", "what", "URL")
    for what, path in _PATHS:
        table.add_row(what, f"{settings.public_url}{path}")
    return table


_PATHS = (
    ("Home and login", "/"),
    ("FHIR R4", "/fhir"),
    ("CapabilityStatement", "/fhir/metadata"),
    ("Token endpoint", "/auth/token"),
    ("Device door", "/device-data/open-mhealth"),
    ("Readiness", "/readyz"),
    ("Metrics", "/metrics"),
)


def _logins(shown: _Shown) -> Table:
    table = _table("Logins", "user name", "password", "role", "who")
    for person, password in shown.people:
        known = password or f"not known: {shown.folder / logins.FILE} was removed"
        who = person.reference or person.organization or "-"
        table.add_row(person.username, Text(known), person.role.value, who)
    return table


def _clients(shown: _Shown) -> Table:
    table = _table("Clients", "client id", "scopes", "purpose", "private key")
    for example, path in clients.paths(shown.folder):
        table.add_row(
            example.client_id,
            " ".join(example.scopes),
            " ".join(example.purposes),
            Text(str(path)),
        )
    return table
