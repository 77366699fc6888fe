"""Numbers that only grow: `seq` (commit order), rows, and the interned keys.

Every counter is a row, taken inside the write transaction under the write lock; so
numbers are handed out in commit order and a rolled-back transaction leaves no gap.
They are few, and read together.
"""

from sqlalchemy import bindparam, insert, select, update

from fhir_service.storage.engine import Transaction
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import counter

_READ = Statement(select(counter.c.name, counter.c.value))
_INSERT = Statement(insert(counter).values(name=bindparam("n"), value=bindparam("v")))
_SET = Statement(
    update(counter).where(counter.c.name == bindparam("n")).values(value=bindparam("v"))
)


def take(transaction: Transaction, name: str, count: int = 1) -> int:
    """Return the first of `count` consecutive numbers, counting from 1."""
    last = current(transaction, name)
    put(transaction, name, last + count)
    return last + 1


def current(transaction: Transaction, name: str) -> int:
    """Return the last number handed out; 0 before the first."""
    numbers = transaction.numbers
    if not numbers:
        numbers.update((known, value) for known, value in transaction.all(_READ))
    if name not in numbers:
        transaction.run(_INSERT, n=name, v=0)
        numbers[name] = 0
    return numbers[name]


def put(transaction: Transaction, name: str, value: int) -> None:
    """Record `value` as the last number handed out; it is written at the end."""
    transaction.numbers[name] = value
    transaction.at_end(
        f"counter {name}",
        lambda: _write(transaction, name),
    )


def _write(transaction: Transaction, name: str) -> None:
    transaction.run(_SET, n=name, v=transaction.numbers[name])
