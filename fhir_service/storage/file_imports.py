"""Files on their way in: how far each has come, so that an import can go on."""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

file_import = Table(
    "file_import",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="keyed, of the contents"),
    Column("source", Text, nullable=False),
    Column("parser", Text, nullable=False, comment="name and version"),
    Column("taken", Big, nullable=False, comment="readings that are accounted for"),
    Column("started", Big, nullable=False),
    Column("finished", Big),
    Column("counts", Text, comment="JSON, of the receipt"),
    PrimaryKeyConstraint("patient_key", "digest", "source"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileImport:
    """How far a file has come.

    Attributes:
        parser: Name and version of what reads it, and the zone of its local times.
        taken: Readings that are accounted for.
        finished: When the last of them was; None while it is not.
        counts: The account so far, as JSON.

    """

    parser: str
    taken: int
    finished: int | None
    counts: str | None


_KEY = ("patient_key", "digest", "source")
_AT = (
    file_import.c.patient_key == bindparam("of_patient"),
    file_import.c.digest == bindparam("of_file"),
    file_import.c.source == bindparam("of_source"),
)
_FIND = Statement(
    select(
        file_import.c.parser,
        file_import.c.taken,
        file_import.c.finished,
        file_import.c.counts,
    ).where(*_AT)
)
_STATE = ("parser", "taken", "started", "finished", "counts")
_BEGUN = insert(file_import).values(**columns_of([*_KEY, *_STATE]))
_BEGIN = Statement(
    _BEGUN.on_conflict_do_update(
        index_elements=[file_import.c[name] for name in _KEY],
        set_={name: _BEGUN.excluded[name] for name in _STATE},
    )
)
_ADVANCE = Statement(
    update(file_import)
    .where(*_AT)
    .values(
        taken=bindparam("now_taken"),
        counts=bindparam("now_counts"),
        finished=bindparam("now_finished"),
    )
)

Place = tuple[int, bytes, str]
"""Patient key, keyed digest of the contents, source."""


def find(snapshot: Snapshot, place: Place) -> FileImport | None:
    """Return how far a file has come; None for one that was never begun."""
    patient_key, digest, source = place
    row = snapshot.one(_FIND, of_patient=patient_key, of_file=digest, of_source=source)
    if row is None:
        return None
    parser, taken, finished, counts = row
    return FileImport(parser=parser, taken=taken, finished=finished, counts=counts)


def begin(transaction: Transaction, place: Place, parser: str, at_us: int) -> None:
    """Record that a file is read from its beginning."""
    transaction.run(
        _BEGIN,
        **dict(zip(_KEY, place, strict=True)),
        parser=parser,
        taken=0,
        started=at_us,
        finished=None,
        counts=None,
    )


def advance(
    transaction: Transaction,
    place: Place,
    *,
    taken: int,
    counts: str,
    finished: int | None = None,
) -> None:
    """Record how far a file has come, and when it came to its end."""
    patient_key, digest, source = place
    transaction.run(
        _ADVANCE,
        of_patient=patient_key,
        of_file=digest,
        of_source=source,
        now_taken=taken,
        now_counts=counts,
        now_finished=finished,
    )
