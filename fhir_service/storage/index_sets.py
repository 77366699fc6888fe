"""Index sets: what search finds in many rows alike, stored once for all of them.

A wearable's heart rates differ in time, value and identifier; their code, category,
status, subject, device, labels are the same. The set of these postings is interned
a patient; the row carries its number, and a search resolves to sets, then to rows.
Sets are never changed or removed while their patient is here.
"""

import threading
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from sqlalchemy import bindparam, delete, insert, select

from fhir_service.search.postings import Entries, Posting
from fhir_service.storage import counters
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.remembered import Remembered
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    date_index,
    index_set,
    quantity_index,
    quantity_unit,
    row_posting,
    set_posting,
)

REMEMBERED_SETS = 65_536
REMEMBERED_POSTINGS = 65_536
REMEMBERED_DIGESTS = 2_048
NUMBER = 0
"""The unit of a plain number."""

_FIND = Statement(
    select(index_set.c.set_id).where(
        index_set.c.patient_key == bindparam("key"),
        index_set.c.digest == bindparam("digest"),
    )
)
_ADD = Statement(
    insert(index_set).values(**columns_of(["set_id", "patient_key", "type", "digest"]))
)
_SET_COLUMNS = ("patient_key", "hash", "set_id")
_ADD_SET_POSTING = Statement(insert(set_posting).values(**columns_of(_SET_COLUMNS)))
_ROW_COLUMNS = ("patient_key", "hash", "row")
_ADD_ROW_POSTING = Statement(insert(row_posting).values(**columns_of(_ROW_COLUMNS)))
_DATE_COLUMNS = ("patient_key", "row", "parameter", "low", "high")
_ADD_DATE = Statement(insert(date_index).values(**columns_of(_DATE_COLUMNS)))
_QUANTITY_COLUMNS = ("patient_key", "row", "parameter", "unit_id", "low", "high")
_ADD_QUANTITY = Statement(
    insert(quantity_index).values(**columns_of(_QUANTITY_COLUMNS))
)
_REMOVE_ROW_POSTING = Statement(
    delete(row_posting).where(
        row_posting.c.patient_key == bindparam("key"),
        row_posting.c.hash == bindparam("at"),
        row_posting.c.row == bindparam("of"),
    )
)
_REMOVE_DATES = Statement(
    delete(date_index).where(
        date_index.c.patient_key == bindparam("key"),
        date_index.c.row == bindparam("of"),
    )
)
_REMOVE_QUANTITIES = Statement(
    delete(quantity_index).where(
        quantity_index.c.patient_key == bindparam("key"),
        quantity_index.c.row == bindparam("of"),
    )
)
_UNIT = Statement(
    select(quantity_unit.c.unit_id).where(
        quantity_unit.c.system == bindparam("system"),
        quantity_unit.c.code == bindparam("code"),
        quantity_unit.c.unit == bindparam("unit"),
    )
)
_ADD_UNIT = Statement(
    insert(quantity_unit).values(**columns_of(["unit_id", "system", "code", "unit"]))
)

Unit = tuple[str, str, str]
"""System, code and unit for people; empty where there is none."""

QuantityRow = tuple[int, int, int, int, float, float]
"""Values of the columns of `quantity_index`."""


class IndexSets:
    """Writes what search looks up, in step with the rows.

    Args:
        blind: Hashes the postings.

    """

    def __init__(self, blind: BlindIndex) -> None:
        self._blind = blind
        self._hashes: Remembered[Posting, int] = Remembered(REMEMBERED_POSTINGS)
        self._sets: Remembered[tuple[int, bytes], int] = Remembered(REMEMBERED_SETS)
        self._units: dict[Unit, int] = {}
        self._digests: Remembered[tuple[int, frozenset[Posting]], bytes]
        self._digests = Remembered(REMEMBERED_DIGESTS)
        self._guard = threading.Lock()

    def hash_of(self, posting: Posting) -> int:
        """Return the keyed hash of a posting."""
        known = self._hashes.get(posting)
        if known is None:
            known = self._hashes.keep(posting, self._blind.posting(posting))
        return known

    def hash_once(self, posting: Posting) -> int:
        """Return the same for what will hardly be asked again, such as an id."""
        return self._blind.posting(posting)

    def intern(
        self,
        transaction: Transaction,
        key: int,
        type_id: int,
        shared: Iterable[Posting],
    ) -> int:
        """Return the number of the set of these postings, adding it where it is new."""
        of = (type_id, frozenset(shared))
        digest = self._digests.get(of) or self._digests.keep(of, self._digest(*of))
        return self._sets.of(
            transaction,
            (key, digest),
            lambda: self._find_or_add(transaction, key, digest, *of),
        )

    def _find_or_add(
        self,
        transaction: Transaction,
        key: int,
        digest: bytes,
        type_id: int,
        shared: frozenset[Posting],
    ) -> int:
        found = transaction.one(_FIND, key=key, digest=digest)
        if found is not None:
            known: int = found[0]
            return known
        number = counters.take(transaction, "set")
        transaction.run(
            _ADD, set_id=number, patient_key=key, type=type_id, digest=digest
        )
        transaction.copy(
            _ADD_SET_POSTING,
            "set_posting",
            _SET_COLUMNS,
            [(key, hash_, number) for hash_ in self._hashed(shared)],
        )
        return number

    def _hashed(self, shared: frozenset[Posting]) -> list[int]:
        return sorted(map(self.hash_of, shared))

    def _digest(self, type_id: int, shared: frozenset[Posting]) -> bytes:
        hashes = array("q", [type_id, *self._hashed(shared)])
        return blake2b(hashes.tobytes(), digest_size=16).digest()

    def unit(self, transaction: Transaction, unit: Unit | None) -> int:
        """Return the number of a unit, adding it where it is new."""
        if unit is None:
            return NUMBER
        known = self._units.get(unit)
        if known is None:
            known = _unit(transaction, unit)
            number = known
            transaction.after_commit(lambda: self._units.__setitem__(unit, number))
        return known

    def add_own(
        self, transaction: Transaction, key: int, row: int, entries: Entries
    ) -> None:
        """Index what is one row's alone."""
        transaction.run_many(
            _ADD_ROW_POSTING,
            [(key, hash_, row) for hash_ in self._own(entries)],
        )
        transaction.run_many(
            _ADD_DATE, [(key, row, *entry) for entry in sorted(entries.dates)]
        )
        transaction.run_many(
            _ADD_QUANTITY,
            sorted(
                {
                    (key, row, parameter, self.unit(transaction, unit), low, high)
                    for parameter, unit, low, high in entries.quantities
                }
            ),
        )

    def _own(self, entries: Entries) -> list[int]:
        return sorted({self.hash_once(posting) for posting in entries.own})

    def remove_own(
        self, transaction: Transaction, key: int, row: int, entries: Entries
    ) -> None:
        """Take out what `add_own` has put in."""
        for hash_ in self._own(entries):
            transaction.run(_REMOVE_ROW_POSTING, key=key, at=hash_, of=row)
        if entries.dates:
            transaction.run(_REMOVE_DATES, key=key, of=row)
        if entries.quantities:
            transaction.run(_REMOVE_QUANTITIES, key=key, of=row)

    @staticmethod
    def add_many(
        transaction: Transaction,
        postings: Sequence[tuple[int, int, int]],
        quantities: Sequence[QuantityRow],
    ) -> None:
        """Index many rows at once: (patient, hash, row), and quantities."""
        transaction.copy(_ADD_ROW_POSTING, "row_posting", _ROW_COLUMNS, postings)
        transaction.copy(_ADD_QUANTITY, "quantity_index", _QUANTITY_COLUMNS, quantities)

    def forget(self) -> None:
        """Forget what a lost transaction may have interned."""
        self._sets.forget()
        with self._guard:
            self._units.clear()


def _unit(transaction: Transaction, unit: Unit) -> int:
    system, code, text = unit
    found = transaction.one(_UNIT, system=system, code=code, unit=text)
    if found is not None:
        known: int = found[0]
        return known
    number = counters.take(transaction, "unit")
    transaction.run(_ADD_UNIT, unit_id=number, system=system, code=code, unit=text)
    return number


_UNITS = Statement(
    select(
        quantity_unit.c.unit_id,
        quantity_unit.c.system,
        quantity_unit.c.code,
        quantity_unit.c.unit,
    )
)


def units(snapshot: Snapshot) -> list[tuple[int, Unit]]:
    """Return every unit that any quantity has."""
    return [
        (unit_id, (system, code, unit))
        for unit_id, system, code, unit in snapshot.all(_UNITS)
    ]
