"""Fills a deployment with an audit log of its own making, and its index.

The leaves are encoded, hashed, signed and indexed by the service's own code; only
that thousands of rows share a commit is the bench's. Requests are sealed once and
used again, and a process of its own encodes, for that is most of the work.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from random import Random

from consent.audit.entry import encode
from fhir_service.bench import audit_rows, resources
from fhir_service.bench.audit_rows import Cast, Part
from fhir_service.bench.populace import populate, whole
from fhir_service.bench.stage import Stage
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.tables import SHARED

PART = 20_000
"""Rows of one commit, at least."""

AHEAD = 3
"""Parts that are encoded before they are wanted."""

ORGANISATIONS = 5
USERS, CLIENTS = 400, 80

Sealed = dict[str, bytes]
"""Request → its sealed bytes."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A log that was made.

    Attributes:
        cast: Who appears in it.
        patients: Ids of the patients.
        rows: How many rows were made, beside those of making the patients.
        seconds: How long that took.

    """

    cast: Cast
    patients: Sequence[str]
    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows that were made in a second, indexed."""
        return self.rows / self.seconds


def log(stage: Stage, patients: int, rows: int) -> Logged:
    """Make patients, and a log of accesses to their data.

    Args:
        stage: An empty deployment, open.
        patients: How many.
        rows: How many rows of the log.

    """
    ids = list(_populated(stage, patients))
    database = stage.deployment.services.database
    with database.read() as snapshot:
        cast = _cast(stage, snapshot, ids)
        sealed = _sealed(stage, snapshot, cast)
    began = time.perf_counter()
    made = _write(stage, _encoded(cast, sealed, rows))
    seconds = time.perf_counter() - began
    return Logged(cast=cast, patients=ids, rows=made, seconds=seconds)


def _populated(stage: Stage, count: int) -> Iterator[str]:
    """Store patients of several organisations; yield their ids."""
    clinics = [stage.clinic, *(_clinic(stage) for _ in range(1, ORGANISATIONS))]
    bounds = [count * at // len(clinics) for at in range(len(clinics) + 1)]
    for clinic, (first, last) in zip(clinics, pairwise(bounds), strict=True):
        yield from populate(replace(stage, clinic=clinic), last - first, whole, 0)


def _clinic(stage: Stage) -> str:
    return f"Organization/{stage.create(resources.organization())}"


def _cast(stage: Stage, snapshot: Snapshot, ids: Sequence[str]) -> Cast:
    """Return who appears: the deployment's patients, and people nobody stored."""
    random, pseudonym = Random(1), stage.deployment.services.pseudonym  # noqa: S311 - no secret
    people = [
        audit_rows.person(
            pseudonym(id_), id_, f"{id_}c/_history/1", random.randbytes(16).hex()
        )
        for id_ in ids
    ]
    organisations = [
        str(text)
        for (text,) in snapshot.sql(
            "SELECT DISTINCT organization FROM patient "
            "WHERE organization IS NOT NULL ORDER BY organization",
            (),
        )
    ]
    return Cast(
        people=people,
        users=audit_rows.users(USERS),
        clients=audit_rows.clients(organisations, CLIENTS, random),
    )


def _sealed(stage: Stage, snapshot: Snapshot, cast: Cast) -> Sealed:
    seal = stage.deployment.services.seal.sealer(snapshot, SHARED)
    requests = {request for one in cast.people for request in one.requests}
    return {request: seal(request.encode()) for request in requests}


_known: list[tuple[Cast, Sealed]] = []
"""In the process that encodes: what it was given when it began."""


def _begin(cast: Cast, sealed: Sealed) -> None:
    _known[:] = [(cast, sealed)]


def _leaves(part: Part) -> list[bytes]:
    """Return the leaves of a part; the same in every run."""
    [(cast, sealed)] = _known
    random = Random(part.first)  # noqa: S311 - no secret
    return [
        encode(record, seal=lambda request: sealed[request.decode()])
        for record in audit_rows.records(cast, part, random)
    ]


def _encoded(cast: Cast, sealed: Sealed, rows: int) -> Iterator[list[bytes]]:
    """Yield the leaves of a log, a part at a time."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=_begin, initargs=(cast, sealed)
    ) as pool:
        waiting: deque[Future[list[bytes]]] = deque()
        for part in audit_rows.parts(rows, PART):
            waiting.append(pool.submit(_leaves, part))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _write(stage: Stage, parts: Iterable[list[bytes]]) -> int:
    """Append and index the leaves; return how many there were."""
    database, made = stage.deployment.services.database, 0
    indexing: Future[int] | None = None
    for leaves in parts:
        if indexing is not None:
            indexing.result()
        database.log(leaves)
        indexing = database.submit(lambda transaction: _index(stage, transaction))
        made += len(leaves)
    stage.deployment.services.audit_index.catch_up(database)
    return made


def _index(stage: Stage, transaction: Transaction) -> int:
    """Index what is there in one commit; return up to where the index goes."""
    index, end = stage.deployment.services.audit_index, -1
    while (reached := index.index_some(transaction)) > end:
        end = reached
    return end
