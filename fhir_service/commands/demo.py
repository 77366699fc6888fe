"""`fhir-service demo`: a synthetic cohort, served; nothing of it is a real person's.

The first run fills an empty store; a later one, or one after a run that was killed,
goes on from there. What the demonstration says of itself goes to standard output,
with `--exit` to standard error, so that the answer to its query stands alone.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.demo import clients, example_app, logins, query, seed
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
    console = _console(to_stderr=exit_after)
    console.print(WARNING, style="bold yellow")
    shown = _prepare(local, console, size or Size())
    if exit_after:
        _ask_once(local, shown, console)
    else:
        _serve(local, shown, console)


def _console(*, to_stderr: bool) -> Console:
    console = Console(stderr=to_stderr)
    return console if console.is_terminal else Console(stderr=to_stderr, width=WIDTH)


WIDTH = 140
"""Columns where no terminal says how many it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """What is known once the store is closed again.

    Attributes:
        settings: Where it is served.
        folder: The demonstration's own.
        seeded: Which days the data is of.
        people: Who can log in.
        token: For the command to paste.

    """

    settings: Settings
    folder: Path
    seeded: Seeded
    people: list[Login]
    token: str

    @property
    def query(self) -> str:
        """The URL of the example query."""
        last_day = self.seeded.last_day
        asked = query.heart_rates(PATIENT, last_day, QUERY_DAYS, ENTRIES)
        return f"{self.settings.public_url}/fhir/{asked}"


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
    return _Shown(
        settings=settings, folder=folder, seeded=seeded, people=people, token=token
    )


def _seed(
    deployment: Deployment, folder: Path, seeded: Seeded, size: Size, console: Console
) -> Seeded:
    with _bar(console) as bar:
        task = bar.add_task("patient-days", total=size.patient_days)
        seed.create_resources(deployment, seeded, size)
        seeded = seed.take_payloads(
            deployment, folder, seeded, size, lambda more: bar.advance(task, more)
        )
        bar.update(task, completed=size.patient_days)
    return seeded


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
        _introduce(shown, console)
        client = query.Client(
            client_id=clients.EHR,
            key=clients.key_path(shown.folder, clients.EHR),
            token_url=f"{settings.public_url}/auth/token",
        )
        click.echo(f"{clients.EHR} asks GET {shown.query}", err=True)
        answer = query.ask(shown.query, query.token(client, "system/Observation.rs"))
    click.echo(fhir_json.pretty(fhir_json.loads(answer)).decode())


def _serve(settings: Settings, shown: _Shown, console: Console) -> None:
    with (
        _until_interrupted(),
        serving(settings) as server,
        _with_app(settings, console),
    ):
        _introduce(shown, console)
        console.print("Ctrl-C ends it. Paste this; its token is good for 12 hours:\n")
        # Not through rich, which would wrap it.
        click.echo(command(shown.query, shown.token))
        if server.wait():
            raise FHIRError(IssueType.EXCEPTION, "The server ended by itself.")


@contextmanager
def _with_app(settings: Settings, console: Console) -> Iterator[None]:
    """Serve the example app beside the service, where there is a place for it."""
    try:
        origin = example_app.origin_of(settings.public_url)
    except ValueError as error:
        console.print(f"No example app: {error}.")
        yield
        return
    with example_app.serving(origin, f"{settings.public_url}/fhir") as is_served:
        console.print(
            f"Example SMART app: {origin} (log in as one of the people below)"
            if is_served
            else f"No example app: {origin} is taken."
        )
        yield


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        return


def _introduce(shown: _Shown, console: Console) -> None:
    """Print where everything is."""
    for table in (_addresses(shown.settings), _logins(shown), _clients(shown)):
        console.print(table)
    console.print(WARNING, style="yellow")


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
    ("Compliance console", "/compliance"),
    ("A patient's devices", "/devices"),
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
