"""Who is behind a pseudonym of the log: known to those with the key alone.

A pseudonym is a keyed hash of the Patient's id. Nothing stores what it stands for, so
it is worked out for every patient once, and for those who came since.
"""

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, select

from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import patient

_AFTER = Statement(
    select(patient.c.patient_key, patient.c.id, patient.c.organization)
    .where(patient.c.patient_key > bindparam("after"))
    .order_by(patient.c.patient_key)
)
_ORGANIZATION = Statement(
    select(patient.c.organization).where(patient.c.patient_key == bindparam("key"))
)


class Known(NamedTuple):
    """A patient who is here."""

    key: int
    id: str


class Pseudonyms:
    """Finds patients by pseudonym.

    Args:
        pseudonym: Patient id → pseudonym.

    """

    def __init__(self, pseudonym: Callable[[str], bytes]) -> None:
        self._pseudonym = pseudonym
        self._known: dict[bytes, Known] = {}
        self._last = 0
        self._guard = threading.Lock()

    def patient(self, snapshot: Snapshot, pseudonym: bytes) -> Known | None:
        """Return the patient; None for one who is not here, or no longer."""
        found = self._known.get(pseudonym)
        if found is None:
            self._learn(snapshot)
            found = self._known.get(pseudonym)
        return found

    def custodian(self, snapshot: Snapshot, pseudonym: bytes) -> str | None:
        """Return `Organization/id` that manages the patient now, or None."""
        known = self.patient(snapshot, pseudonym)
        if known is None:
            return None
        found = snapshot.one(_ORGANIZATION, key=known.key)
        return None if found is None else found[0]

    def custodians(
        self, snapshot: Snapshot, pseudonyms: Iterable[bytes]
    ) -> dict[bytes, str | None]:
        """Return the same of many, of those patients who are here."""
        known = {
            found.key: pseudonym
            for pseudonym in pseudonyms
            if (found := self.patient(snapshot, pseudonym)) is not None
        }
        which, values = members("patient_key", known, snapshot.dialect)
        sql = f"SELECT patient_key, organization FROM patient WHERE {which}"  # noqa: S608 - fixed texts
        rows = snapshot.sql(text_of(sql, snapshot.dialect), values)
        return {known[int(key)]: organization for key, organization in rows}

    def _learn(self, snapshot: Snapshot) -> None:
        with self._guard:
            for key, id_, _ in snapshot.all(_AFTER, after=self._last):
                self._known[self._pseudonym(id_)] = Known(int(key), str(id_))
                self._last = int(key)
