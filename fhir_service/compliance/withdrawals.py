"""Consents that patients have withdrawn, and who had read by them before.

That a consent ended is learnt from the row that ended it; what is stored says whether
it is active again.
"""

from consent.audit.entry import Outcome
from fhir_service.compliance.alert_rules import Ended, Seen
from fhir_service.compliance.sight import grounds, is_active
from fhir_service.compliance.usual import Usual
from fhir_service.exchange import Services
from fhir_service.storage import audit_search, habits, history, leaves, rows, types
from fhir_service.storage.engine import Snapshot

MAX_READ = 50
"""Releases of a patient to somebody, the newest, among which one by a consent is
looked for."""


class Withdrawals:
    """Finds them in one snapshot.

    Args:
        services: Of the deployment.
        snapshot: Where everything is read.
        usual: Knows what the rows before have taught.

    """

    def __init__(self, services: Services, snapshot: Snapshot, usual: Usual) -> None:
        self._services = services
        self._snapshot = snapshot
        self._usual = usual
        self._since: dict[int, int | None] = {}
        self._read: dict[tuple[str, int, int], bool] = {}

    def before(self, seen: Seen) -> tuple[Ended, ...]:
        """Return the consents of a row's patients that had ended, where they matter."""
        if seen.outcome is not Outcome.DENIED and not seen.grounds:
            return ()
        found = []
        for subject in sorted(seen.subjects):
            for consent in sorted(self._usual.ended(subject)):
                since = self._ended_us(consent)
                if since is not None and since <= seen.time_us:
                    found.append(
                        Ended(
                            subject=subject,
                            consent=consent,
                            since_us=since,
                            has_read=self._has_read(seen, subject, consent),
                        )
                    )
        return tuple(found)

    def _ended_us(self, consent: int) -> int | None:
        """Return since when a consent is not active any more; None while it is."""
        if consent not in self._since:
            self._since[consent] = self._looked_up(consent)
        return self._since[consent]

    def _looked_up(self, consent: int) -> int | None:
        since = None
        number, id_ = types.number_of("Consent"), rows.public_id(consent)
        for stored in history.versions(self._snapshot, number, id_):
            if is_active(self._services, self._snapshot, stored):
                return since
            since = stored.last_updated
        return since

    def _has_read(self, seen: Seen, subject: int, consent: int) -> bool:
        """Whether who asks had read of the patient by the consent."""
        if seen.outcome is not Outcome.DENIED:
            return False
        at = (seen.actor, subject, consent)
        if at not in self._read:
            found = habits.releases(
                self._snapshot,
                subject,
                (seen.user, 0 if seen.user else seen.client),
                before=seen.index,
                count=MAX_READ,
            )
            bodies = audit_search.leaves(self._snapshot, found).values()
            records = (leaves.read(leaf, lambda _: None) for leaf in bodies)
            self._read[at] = any(
                consent in grounds(record) for record in records if record is not None
            )
        return self._read[at]
