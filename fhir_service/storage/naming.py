"""Current resources of a type that name one of several things, whoever's they are.

Found by what search has indexed of their references: first the index sets that have
one, then the rows of these. The keyed hash of a posting may be that of another one,
so what is found is read and compared.
"""

from collections.abc import Iterable

from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored

_SETS = "SELECT set_id FROM set_posting WHERE "
_ROWS = f"SELECT {', '.join(RESOURCE_COLUMNS)} FROM resource WHERE type = ? AND "  # noqa: S608 - fixed texts


def naming(
    snapshot: Snapshot, type_id: int, hashes: Iterable[int], count: int
) -> list[Stored]:
    """Return up to `count` resources that have one of these postings."""
    dialect = snapshot.dialect
    which, values = members("hash", hashes, dialect)
    found = snapshot.sql(text_of(f"{_SETS}{which}", dialect), values)
    which, values = members("set_id", sorted({number for (number,) in found}), dialect)
    return [
        stored(columns)
        for columns in snapshot.sql(
            text_of(f"{_ROWS}{which} LIMIT ?", dialect), (type_id, *values, count)
        )
    ]
