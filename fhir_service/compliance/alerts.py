"""Alerts: the rules over the rows of the log, as they come.

Each row is looked at in a snapshot, and counts once: for whichever process is first
to store what was found. Rows of long ago teach what is usual and alert nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from conformance.issues import FHIRError, IssueType
from consent.audit import entry
from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.compliance.alert_rules import (
    WORDS,
    Finding,
    Past,
    Seen,
    findings,
    gaps,
    next_latest,
)
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.sight import Sight
from fhir_service.compliance.usual import Learnt, Usual
from fhir_service.compliance.withdrawals import Withdrawals
from fhir_service.exchange import Services
from fhir_service.storage import (
    alert_webhooks,
    alerts,
    counters,
    explanations,
    habits,
)
from fhir_service.storage.alerts import ALERTED, LATEST, Alert
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.tables import SHARED

CHUNK = 500
"""Rows that are looked at in one snapshot."""

LATE_US = 86_400_000_000
"""Rows older than a day alert nobody: the log was there before the rules were."""

MAX_NOTE = 2_000
"""Characters of what an officer writes when she closes an alert."""


class Alerter:
    """Looks at rows, and stores what the rules find.

    Args:
        services: Of the deployment.

    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def catch_up(self, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Look at every row that has been explained; return their end.

        Args:
            is_enough: Whether to stop before that; asked between chunks.

        """
        with self._services.database.read() as snapshot:
            size = explanations.explained_up_to(snapshot)
        last, end = -1, self.look()
        while last < end < size and not is_enough():
            last, end = end, self.look()
        return end

    def look(self) -> int:
        """Look at the next rows; return up to where they were looked at."""
        database = self._services.database
        with database.read() as snapshot:
            first = alerts.alerted_up_to(snapshot)
            end = min(first + CHUNK, explanations.explained_up_to(snapshot))
            if first >= end:
                return first
            told = self._looked(snapshot, first, end)
        return database.write(lambda job: self._keep(job, first, end, told))

    def _keep(self, job: Transaction, first: int, end: int, told: "_Told") -> int:
        """Store what was found, unless another process was faster."""
        now = counters.current(job, ALERTED)
        if now != first:
            return now
        habits.learn(job, told.learnt)
        for finding, seen in told.found:
            self.found(job, finding, index=seen.index, organisation=seen.organisation)
        for finding, index in told.missing:
            self.found(job, finding, index=index)
        counters.current(job, LATEST)
        counters.put(job, LATEST, told.latest_us)
        counters.put(job, ALERTED, end)
        return end

    def _looked(self, snapshot: Snapshot, first: int, end: int) -> "_Told":
        """Return what the rules find in rows, and what the rows teach."""
        sight, usual = Sight(self._services, snapshot), Usual(snapshot)
        withdrawals = Withdrawals(self._services, snapshot, usual)
        rows = sight.between(first, end)
        refused = sight.refused_before(rows[0]) if rows else []
        latest = alerts.latest_us(snapshot)
        told = _Told(learnt=usual.learnt)
        for seen in rows:
            if seen.outcome is Outcome.DENIED:
                refused.append(seen)
            before = Past(
                refused=refused,
                read=usual.read(seen),
                networks=usual.networks(seen),
                ended=withdrawals.before(seen),
                latest_us=latest,
            )
            if self._is_new(seen):
                told.found += [(finding, seen) for finding in findings(seen, before)]
            usual.end(seen)
            latest = next_latest(latest, seen)
        told.latest_us = latest
        told.missing += gaps(first, end, (seen.index for seen in rows))
        return told

    def _is_new(self, seen: Seen) -> bool:
        return self._services.clock() - seen.time_us <= LATE_US

    def found(
        self,
        job: Transaction,
        finding: Finding,
        *,
        index: int | None = None,
        organisation: str | None = None,
    ) -> None:
        """Store what was found, and let a new alert be delivered."""
        now = self._services.clock()
        new = alerts.raise_or_count(
            job,
            Alert(
                id=0,
                kind=finding.kind.value,
                key=finding.key,
                organisation=organisation,
                leaf_index=index,
                made=now,
                count=1,
                detail=WORDS[finding.kind],
                last_leaf=index,
            ),
        )
        if new is not None:
            alert_webhooks.send(job, new, now)


@dataclass(kw_only=True)
class _Told:
    """What rows say.

    Attributes:
        learnt: What they teach, in its order.
        found: What the rules found, and where.
        missing: Rows that are not there, or cannot be read.
        latest_us: The time by which the next row's clock is judged.

    """

    learnt: dict[Learnt, None]
    found: list[tuple[Finding, Seen]] = field(default_factory=list)
    missing: list[tuple[Finding, int]] = field(default_factory=list)
    latest_us: int = 0


def open_alerts(reader: Reader) -> list[Alert]:
    """Return the open alerts that concern an officer, newest first."""
    return alerts.unclosed(reader.snapshot, reader.officer.organizations)


def close(
    services: Services,
    officer: Officer,
    alert_id: int,
    note: str,
    *,
    request_id: str = "",
) -> Alert:
    """Close an alert; it is recorded who did.

    An alert that concerns everybody is closed by officers of the whole deployment.

    Raises:
        FHIRError: `not-found` where there is no such open alert of the officer's,
            `too-long` for a note that is.

    """
    if len(note) > MAX_NOTE:
        raise FHIRError(
            IssueType.TOO_LONG, f"A note has at most {MAX_NOTE} characters."
        )

    def work(job: Transaction) -> Alert:
        found = alerts.find(job, alert_id)
        if found is None or found.closed or not officer.is_over(found.organisation):
            raise FHIRError(IssueType.NOT_FOUND, "There is no such open alert here.")
        sealed = services.seal.sealer(job, SHARED)(note.encode()) if note else None
        now = services.clock()
        alerts.close(job, alert_id, at_us=now, by=officer.user, note=sealed)
        record_change(services, job, officer, f"alert close {alert_id}", request_id)
        return found

    return services.database.write(work)


def record_change(
    services: Services,
    job: Transaction,
    officer: Officer,
    request: str,
    request_id: str = "",
) -> None:
    """Record, in the same transaction, that somebody changed an alert or address."""
    record = AuditRecord(
        time_us=services.clock(),
        interaction=Interaction.CONFIG,
        outcome=Outcome.ALLOWED,
        request_id=request_id,
        request=request,
        user=officer.user,
        client=officer.client,
        organisation=(officer.organizations or ("",))[0],
        address=officer.address,
    )
    job.audit(entry.encode(record, seal=services.seal.sealer(job, SHARED)))
