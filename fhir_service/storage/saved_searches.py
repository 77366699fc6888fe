"""Searches of the log that an officer keeps; the query is sealed."""

from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select

from fhir_service.storage import counters
from fhir_service.storage.audit_tables import saved_search
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of

MOST = 50
"""Searches that one person keeps."""

_COUNTER = "saved-search"
_COLUMNS = ("search_id", "user_id", "name", "query", "made")
_ADD = Statement(insert(saved_search).values(**columns_of(_COLUMNS)))
_OF_USER = Statement(
    select(saved_search.c.search_id, saved_search.c.name, saved_search.c.query)
    .where(saved_search.c.user_id == bindparam("user"))
    .order_by(saved_search.c.name, saved_search.c.search_id)
)
_REMOVE = Statement(
    delete(saved_search).where(
        saved_search.c.user_id == bindparam("user"),
        saved_search.c.search_id == bindparam("id"),
    )
)


class SavedSearch(NamedTuple):
    """A search that was kept; its query still sealed."""

    id: int
    name: str
    query: bytes


def of_user(snapshot: Snapshot, user_id: str) -> list[SavedSearch]:
    """Return a person's searches by name."""
    return [
        SavedSearch(int(id_), str(name), bytes(query))
        for id_, name, query in snapshot.all(_OF_USER, user=user_id)
    ]


def add(
    transaction: Transaction, user_id: str, name: str, query: bytes, made_us: int
) -> bool:
    """Keep a search; False where the person keeps as many as she may."""
    if len(of_user(transaction, user_id)) >= MOST:
        return False
    transaction.run(
        _ADD,
        search_id=counters.take(transaction, _COUNTER),
        user_id=user_id,
        name=name,
        query=query,
        made=made_us,
    )
    return True


def remove(transaction: Transaction, user_id: str, search_id: int) -> bool:
    """Forget a search; False where the person has none of that number."""
    return transaction.run(_REMOVE, user=user_id, id=search_id) > 0
