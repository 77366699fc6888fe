"""Alerts: the rules over the rows of the log, as they come.

Each row is looked at once, by whichever process is first, in the transaction that
counts it. Rows of long ago teach what is usual and alert nobody.
"""

from collections.abc import Iterable

from conformance.issues import FHIRError, IssueType
from consent.audit import entry
from consent.audit.entry import OUTCOME_CODE, AuditRecord, Interaction, Outcome
from consent.provisions import read_bytes
from fhir_service.compliance.alert_rules import (
    USUAL_DAYS,
    WINDOW_US,
    WORDS,
    Finding,
    Past,
    Seen,
    findings,
    network_of,
)
from fhir_service.compliance.explanation_codes import Code
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader
from fhir_service.exchange import Services
from fhir_service.storage import (
    alert_webhooks,
    alerts,
    audit_search,
    counters,
    explanations,
    habits,
    past,
    types,
)
from fhir_service.storage.alerts import ALERTED, Alert
from fhir_service.storage.audit_index import HOUR_US, decoded
from fhir_service.storage.engine import Transaction
from fhir_service.storage.habits import Habit, Numbers
from fhir_service.storage.tables import SHARED

CHUNK = 200
"""Rows of one job of the writer."""

MAX_REFUSED = 500
"""Rows before a chunk that were refused within the window and are looked at."""

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

    def catch_up(self) -> int:
        """Look at every row that has been explained; return their end."""
        database = self._services.database
        with database.read() as snapshot:
            size = explanations.explained_up_to(snapshot)
            if alerts.alerted_up_to(snapshot) >= size:
                return size
        last, end = -1, 0
        while last < end < size or last < 0:
            last, end = end, database.write(self.look)
        return end

    def look(self, job: Transaction) -> int:
        """Look at the next rows; return up to where they were looked at."""
        first = counters.current(job, ALERTED)
        end = min(first + CHUNK, explanations.explained_up_to(job))
        if first >= end:
            return first
        rows = self._seen(job, habits.numbers(job, first, end))
        refused = self._refused_before(job, rows[0]) if rows else []
        for seen in rows:
            if seen.outcome is Outcome.DENIED:
                refused.append(seen)
            self._judge(job, seen, refused)
        counters.put(job, ALERTED, end)
        return end

    def _judge(self, job: Transaction, seen: Seen, refused: list[Seen]) -> None:
        read: dict[int, int] = {}
        if seen.user and seen.released:
            mine = (Habit.READING, seen.user, seen.day)
            habits.learn(job, [(*mine, one) for one in sorted(seen.subjects)])
            since = seen.day - USUAL_DAYS
            read = habits.read_by_day(job, seen.user, since, seen.day)
        networks = habits.networks(job, seen.client) if seen.client else frozenset()
        before = Past(refused=tuple(refused), read=read, networks=networks)
        if self._services.clock() - seen.time_us <= LATE_US:
            for finding in findings(seen, before):
                self.found(
                    job, finding, index=seen.index, organisation=seen.organisation
                )
        if seen.client and seen.network is not None and not seen.is_denied:
            habits.learn(job, [(Habit.NETWORK, seen.client, 0, seen.network)])

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

    def _refused_before(self, job: Transaction, first: Seen) -> list[Seen]:
        since = first.time_us - WINDOW_US
        found = habits.recent(
            job,
            OUTCOME_CODE[Outcome.DENIED],
            hour=since // HOUR_US,
            since=since,
            before=first.index,
            count=MAX_REFUSED,
        )
        return self._seen(job, found)

    def _seen(self, job: Transaction, rows: Iterable[Numbers]) -> list[Seen]:
        found = (self._seen_one(job, numbers) for numbers in rows)
        return [one for one in found if one is not None]

    def _seen_one(self, job: Transaction, numbers: Numbers) -> Seen | None:
        index, user, client, address = numbers
        leaf = audit_search.leaf(job, index)
        record = None if leaf is None else decoded(leaf)
        if record is None:
            return None
        subjects = [habits.subject(job, one) for one in dict.fromkeys(record.patients)]
        known = [one for one in subjects if one is not None]
        custodians = [one.organisation for one in known if one.organisation]
        explained = explanations.of(job, index)
        return Seen(
            index=index,
            time_us=record.time_us,
            interaction=record.interaction,
            outcome=record.outcome,
            status=record.status,
            user=user,
            client=0 if record.client.startswith("claims ") else client,
            address=address,
            network=network_of(record.address),
            organisation=next(iter(custodians), record.organisation or None),
            purposes=frozenset(record.purposes),
            subjects=frozenset(one.number for one in known),
            released=len(record.disclosed),
            code=None if explained is None else Code(explained.code),
            broken=tuple(self._broken(job, record)),
        )

    def _broken(self, job: Transaction, record: AuditRecord) -> list[int]:
        """Return the rows of consents that were stored and cannot be decided on."""
        if record.resource_type != "Consent" or not record.written:
            return []
        services, found = self._services, list[int]()
        for pseudonym in record.patients:
            known = services.pseudonyms.patient(job, pseudonym)
            if known is None:
                continue
            for stored in past.by_seq(job, known.key, record.written).values():
                if stored.deleted or types.name_of(stored.type_id) != "Consent":
                    continue
                parsed = read_bytes(
                    services.repository.body(job, stored),
                    reference="Consent",
                    patient=f"Patient/{known.id}",
                    deployment=services.repository.deployment,
                )
                found += [stored.row] if parsed.faults else []
        return found


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
