"""Fills a deployment with an audit log of its own making, and its index.

The leaves are encoded, hashed, signed and indexed by the service's own code; only
that thousands of rows share a commit is the bench's. Requests are sealed once and
used again, and so are events: a large log tells of some of them at several times.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, pairwise
from random import Random

from consent.audit.entry import encode
from consent.audit.words import shorten
from fhir_service.bench import audit_rows, resources
from fhir_service.bench.audit_rows import HOUR_US, HOURS, Cast, Client
from fhir_service.bench.populace import populate, whole
from fhir_service.bench.stage import Stage
from fhir_service.deployment import now_us
from fhir_service.storage import audit_log, registrations
from fhir_service.storage.engine import Database, Snapshot, Transaction
from fhir_service.storage.tables import SHARED

PART = 20_000
"""Rows of one commit."""

STOCK = 200_000
"""Different events."""

ORGANISATIONS = 5
USERS, CLIENTS = 400, 80

Sealed = dict[bytes, bytes]
"""A request as a row has it → its sealed bytes."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A log that was made.

    Attributes:
        cast: Who appears in it.
        patients: Ids of the patients.
        first: The first row after those of making the patients.
        rows: How many rows were made from there on.
        seconds: How long that took.

    """

    cast: Cast
    patients: Sequence[str]
    first: int
    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows that were made in a second, indexed."""
        return self.rows / self.seconds


def before() -> int:
    """Return a time before the log begins: the clock while its patients are made."""
    return now_us() - (HOURS + 24) * HOUR_US


def log(stage: Stage, patients: int, rows: int) -> Logged:
    """Make patients, and a log of accesses to their data.

    Args:
        stage: An empty deployment, open, by whose clock it is before those years.
        patients: How many.
        rows: How many rows of the log.

    """
    clinics = [stage.clinic, *(_clinic(stage) for _ in range(1, ORGANISATIONS))]
    ids = list(_populated(stage, clinics, patients))
    cast = _cast(stage, clinics, ids)
    database = stage.deployment.services.database
    with database.read() as snapshot:
        sealed = _sealed(stage, snapshot, cast)
    database.write(partial(_register, cast.clients))
    first = _size(database)
    began = time.perf_counter()
    until = now_us() // HOUR_US
    made = _write(stage, _parts(_leaves(cast, sealed, rows, until)))
    seconds = time.perf_counter() - began
    return Logged(cast=cast, patients=ids, first=first, rows=made, seconds=seconds)


def _size(database: Database) -> int:
    with database.read() as snapshot:
        head = audit_log.head(snapshot)
    return 0 if head is None else head.frontier.size


def _register(clients: Sequence[Client], transaction: Transaction) -> None:
    for client in clients:
        registrations.add_client(
            transaction,
            registrations.Client(
                client_id=client.id,
                name=client.id,
                kind="backend",
                jwks='{"keys":[]}',
                scopes="system/*.rs",
                purposes=("TREAT",),
                organization=client.organisation,
                sources=(),
                created=before(),
            ),
        )


def _populated(stage: Stage, clinics: Sequence[str], count: int) -> Iterator[str]:
    """Store patients of several organisations; yield their ids."""
    bounds = [count * at // len(clinics) for at in range(len(clinics) + 1)]
    for clinic, (first, last) in zip(clinics, pairwise(bounds), strict=True):
        yield from populate(replace(stage, clinic=clinic), last - first, whole, 0)


def _clinic(stage: Stage) -> str:
    return f"Organization/{stage.create(resources.organization())}"


def _cast(stage: Stage, clinics: Sequence[str], ids: Sequence[str]) -> Cast:
    """Return who appears: the deployment's patients, and people nobody stored."""
    random, pseudonym = Random(1), stage.deployment.services.pseudonym  # noqa: S311 - no secret
    people = [
        audit_rows.person(
            pseudonym(id_), id_, f"{id_}c/_history/1", random.randbytes(16).hex()
        )
        for id_ in ids
    ]
    return Cast(
        people=people,
        users=audit_rows.users(USERS),
        clients=audit_rows.clients(clinics, CLIENTS, random),
    )


def _sealed(stage: Stage, snapshot: Snapshot, cast: Cast) -> Sealed:
    seal = stage.deployment.services.seal.sealer(snapshot, SHARED)
    requests = {request for one in cast.people for request in one.requests}
    short = [shorten(request).encode() for request in requests]
    return {request: seal(request) for request in short}


def _leaves(cast: Cast, sealed: Sealed, count: int, until: int) -> Iterator[bytes]:
    """Yield the leaves of a log; but for their times the same in every run."""
    random = Random(1)  # noqa: S311 - no secret
    stock = [
        encode(record, seal=sealed.__getitem__)
        for record in audit_rows.records(cast, min(count, STOCK), random)
    ]
    for number, time_us in enumerate(audit_rows.times(count, until, random)):
        yield at_time(stock[number % len(stock)], time_us)


def at_time(leaf: bytes, time_us: int) -> bytes:
    """Return the leaf of the same event at another time."""
    return b"%c%b%b" % (leaf[0], time_us.to_bytes(8, "big"), leaf[9:])


def _parts(leaves: Iterator[bytes]) -> Iterator[list[bytes]]:
    while part := list(islice(leaves, PART)):
        yield part


def _write(stage: Stage, parts: Iterable[list[bytes]]) -> int:
    """Append and index the leaves; return how many there were."""
    database, made = stage.deployment.services.database, 0
    indexing = None
    for leaves in parts:
        if indexing is not None:
            indexing.result()
        database.log(leaves)
        indexing = database.submit(lambda transaction: _index(stage, transaction))
        made += len(leaves)
    if indexing is not None:
        # The rows are durable then: their job was given before it.
        indexing.result()
    stage.deployment.services.audit_index.catch_up(database)
    return made


def _index(stage: Stage, transaction: Transaction) -> int:
    """Index what is there in one commit; return up to where the index goes."""
    index, end = stage.deployment.services.audit_index, -1
    while (reached := index.index_some(transaction)) > end:
        end = reached
    return end
