"""What the database knows of its deployment, to be compared when it is opened."""

from sqlalchemy import bindparam, delete, insert, select

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import deployment_fact

_READ = Statement(
    select(deployment_fact.c.value).where(deployment_fact.c.name == bindparam("name"))
)
_INSERT = Statement(insert(deployment_fact).values(**columns_of(["name", "value"])))


def value_of(snapshot: Snapshot, name: str) -> str | None:
    """Return what the database says; None where it says nothing yet."""
    found = snapshot.one(_READ, name=name)
    return None if found is None else str(found[0])


def agree(transaction: Transaction, name: str, value: str) -> bool:
    """Whether the database says the same; it is told where it says nothing yet."""
    found = value_of(transaction, name)
    if found is None:
        transaction.run(_INSERT, name=name, value=value)
        return True
    return found == value


_DELETE = Statement(
    delete(deployment_fact).where(deployment_fact.c.name == bindparam("of"))
)


def put(transaction: Transaction, name: str, value: str) -> None:
    """Let the database say `value`."""
    transaction.run(_DELETE, of=name)
    transaction.run(_INSERT, name=name, value=value)
