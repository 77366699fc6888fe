"""Writes behind the server: Observations one by one, and in transactions.

Each is another one: the load generator numbers them.
"""

from collections.abc import Iterator
from pathlib import Path

from conformance import fhir_json
from fhir_service.bench.figures import Measured
from fhir_service.bench.generator import NUMBER
from fhir_service.bench.in_process import OBSERVATIONS
from fhir_service.bench.load import load
from fhir_service.bench.observations import heart_rate, transaction
from fhir_service.bench.plan import Plan
from fhir_service.bench.processes import serving
from fhir_service.bench.rounds import Aim, Seen, Variant
from fhir_service.bench.served import WARM_S
from fhir_service.bench.stage import FHIR_JSON, Stage, reopened, stage
from fhir_service.bench.target import STATIC_FILE

_PATIENTS = 20
_CREATES, _TRANSACTIONS = 2_000, 40
"""Different bodies; each is sent again with other numbers in it."""

_STRIDE = 1_000_000
"""Numbers of a round: more than it can send."""


def writes(
    engine: str, folder: Path, plan: Plan, database_url: str = ""
) -> Iterator[Measured]:
    """Yield the figures of an engine.

    Args:
        engine: `sqlite` or `postgresql`.
        folder: Of a deployment of its own.
        plan: How long.
        database_url: An empty database; none for SQLite in the folder.

    """
    group = f"writes-{engine}"
    with stage(folder, database_url) as closed:
        patients = closed.add_patients(_PATIENTS)
    # The server of the bench has its static route here too; nobody asks it.
    (folder / STATIC_FILE).write_bytes(b"{}")
    empty = size_of(folder)
    creates = [_create(patients, number) for number in range(_CREATES)]
    seen, note = _loaded(closed, "create", creates, plan.writers, plan)
    yield from (
        Measured(key=f"{group}.create-{name}", value=value, note=note)
        for name, value in (
            ("rate", seen.rate),
            ("p50", seen.p50_ms),
            ("p99", seen.p99_ms),
            ("cpu", seen.cpu),
        )
    )
    if engine == "sqlite":
        yield _disk(closed, empty)
    bundles = [_bundle(patients, number, plan) for number in range(_TRANSACTIONS)]
    seen, note = _loaded(closed, "transaction", bundles, plan.senders, plan)
    yield Measured(
        key=f"{group}.transaction-rate", value=seen.rate * plan.transaction, note=note
    )


def size_of(folder: Path) -> int:
    """Return the bytes of the SQLite database, which is closed, in a folder."""
    return sum(path.stat().st_size for path in folder.glob("fhir.sqlite3*"))


def _create(patients: list[str], number: int) -> str:
    patient_id = patients[number % len(patients)]
    body = fhir_json.dumps(heart_rate(patient_id, number, NUMBER))
    return f"{OBSERVATIONS} {body.decode()}"


def _bundle(patients: list[str], number: int, plan: Plan) -> str:
    """Return a transaction of Observations of one patient."""
    patient_id = patients[number % len(patients)]
    numbers = range(number * plan.transaction, (number + 1) * plan.transaction)
    body = fhir_json.dumps(
        transaction(heart_rate(patient_id, one, f"{NUMBER}-{one}") for one in numbers)
    )
    return f"/fhir {body.decode()}"


def _loaded(
    closed: Stage, name: str, requests: list[str], connections: int, plan: Plan
) -> tuple[Seen, str]:
    """Return what rounds of one kind of write have shown, and how they were made."""
    folder, seen = closed.folder, Seen()
    variant = Variant(
        name=name,
        lines=name,
        headers=(
            f"Authorization: Bearer {closed.administrator}",
            f"Content-Type: {FHIR_JSON}",
        ),
        stride=_STRIDE,
    )
    with serving(closed.environment, folder / "server.log") as server:
        generator = load(server.url, connections, folder, uses_wrk=plan.uses_wrk)
        aim = Aim(server=server, load=generator, folder=folder)
        aim.write(name, requests)
        aim.round(variant, 0, min(WARM_S, plan.round_s))
        for number in range(1, plan.write_rounds + 1):
            aim.measure(seen, variant, number, plan.round_s)
    rounds = f"{plan.write_rounds} rounds, {generator.name}"
    return seen, f"{connections} connections, {rounds}"


def _disk(closed: Stage, empty: int) -> Measured:
    """Return what the database has grown by, for each Observation in it."""
    with reopened(closed) as opened:
        query = "_summary=count"
        told = opened.ask("GET", OBSERVATIONS, opened.reader, query=query).body
        count = int(fhir_json.loads(told)["total"])
    grown = size_of(closed.folder) - empty
    return Measured(
        key="writes-sqlite.disk",
        value=grown / count,
        note=f"{count} Observations; indexes and audit included",
    )
