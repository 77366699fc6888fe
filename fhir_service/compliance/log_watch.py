"""Whether the log goes on as it was signed: a cheap check often, a whole one daily.

Between two looks only the new rows are hashed, from where the last look ended; so a
log that was shortened, or whose new rows are not those that were signed, is noticed
within minutes. That an old row was altered is noticed by the daily check of them all.

https://www.rfc-editor.org/rfc/rfc9162
"""

import threading
from collections.abc import Callable

from consent.audit import checkpoint as notes
from consent.audit.checkpoint import CheckpointError
from consent.audit.merkle import Frontier, leaf_hash
from fhir_service.compliance.alert_rules import Finding, Kind
from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.examinations import Examinations
from fhir_service.compliance.integrity import LogKey
from fhir_service.storage import audit_log, counters
from fhir_service.storage.engine import Database, Snapshot, Transaction

LOOK_EVERY_US = 60_000_000
WHOLE_EVERY_US = 86_400_000_000

_WHOLE = "audit-examined"
"""The counter that says when a process last began to check all of the log."""


class LogWatch:
    """Looks at the log on a schedule, and alerts where it is not whole.

    Args:
        database: Where it is.
        key: By what a checkpoint of it is known.
        examinations: Has all of it examined.
        alerter: Stores what is found.
        clock: Microseconds since 1970.

    """

    def __init__(
        self,
        database: Database,
        key: LogKey,
        examinations: Examinations,
        alerter: Alerter,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._key = key
        self._alerter = alerter
        self._examinations = examinations
        self._clock = clock
        self._known: Frontier | None = None
        self._looked_us = 0
        self._guard = threading.Lock()

    def look(self) -> None:
        """Check what is due; a failure becomes an alert."""
        with self._guard:
            now = self._clock()
            if abs(now - self._looked_us) >= LOOK_EVERY_US:
                self._looked_us = now
                self._tell("head", is_well=self.goes_on())
        if self._database.write(self._claim):
            # Where an officer has it examined at this moment, it is done twice.
            report = self._examinations.run() or self._examinations.examine()
            self._tell("rows", is_well=report.is_intact)

    def goes_on(self) -> bool:
        """Whether the head is signed, and continues the one of the last look."""
        with self._database.read() as snapshot:
            try:
                found = self._continued(snapshot)
            except (CheckpointError, TypeError, ValueError):
                return False
        if found is None:
            return False
        self._known = found
        return True

    def _continued(self, snapshot: Snapshot) -> Frontier | None:
        """Return the frontier now; None where the log is not what was signed."""
        head = audit_log.head(snapshot)
        if head is None:
            return None if self._known and self._known.size else Frontier()
        signed = notes.verify(
            head.note.encode(), origin=self._key.origin, public_key=self._key.public
        )
        known = self._known
        grown = head.frontier if known is None else known.copy()
        if known is not None:
            for index, leaf, _ in audit_log.entries(snapshot, known.size):
                if index != grown.size:
                    return None
                grown.append(leaf_hash(bytes(leaf)))
        is_same = (grown.size, grown.root()) == (signed.size, signed.root)
        return grown if is_same else None

    def _claim(self, job: Transaction) -> bool:
        """Whether this process is the one to check all of the log now."""
        now = self._clock()
        if abs(now - counters.current(job, _WHOLE)) < WHOLE_EVERY_US:
            return False
        counters.put(job, _WHOLE, now)
        return True

    def _tell(self, key: str, *, is_well: bool) -> None:
        if not is_well:
            finding = Finding(Kind.LOG, key)
            self._database.write(lambda job: self._alerter.found(job, finding))
