"""Rows of the log as an officer may read them.

Every question brings the index up to the log's end first and is itself recorded,
before its answer leaves, in the transaction that `asked` makes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consent.audit import entry
from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.compliance.officer import Officer
from fhir_service.exchange import Services
from fhir_service.storage import audit_search, leaves
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.tables import SHARED

_REFUSING = frozenset({401, 403, 404})
"""Statuses that refuse an officer what she asks for."""


class Subject(NamedTuple):
    """A patient of a row.

    Attributes:
        pseudonym: By which the log names the patient.
        id: Id of the Patient; None where the patient is not here any more, or is not
            the officer's.

    """

    pseudonym: bytes
    id: str | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One event of the log.

    Attributes:
        index: Its place in the log.
        record: What was recorded; `request` None where it is erased or not to be seen.
        subjects: The patients whom the officer may know of.
        others: How many further patients the row concerns.

    """

    index: int
    record: AuditRecord
    subjects: tuple[Subject, ...]
    others: int = 0


class Reader:
    """Reads rows for one officer in one snapshot.

    Args:
        services: Of the deployment.
        snapshot: Taken after `caught_up`.
        officer: Who asks.

    """

    def __init__(
        self, services: Services, snapshot: Snapshot, officer: Officer
    ) -> None:
        self.services = services
        self.snapshot = snapshot
        self.officer = officer
        self._unseal = services.seal.unsealer(snapshot)
        self._met: dict[bytes, Subject | None] = {}

    def scoped(self, asked: AuditFilter) -> AuditFilter:
        """Return the same question about what the officer may see."""
        return replace(asked, scope=self.officer.organizations)

    def find(
        self, asked: AuditFilter, *, count: int, before: int | None = None
    ) -> list[Row]:
        """Return rows, newest first; `count` at most, and fewer only where they end.

        A row that was altered and cannot be read is passed over.
        """
        scoped, found = self.scoped(asked), list[Row]()
        while wanted := count - len(found):
            indexes = audit_search.find(
                self.snapshot, scoped, count=wanted, before=before
            )
            found += self.rows(indexes)
            if len(indexes) < wanted:
                break
            before = indexes[-1]
        return found

    def has(self, asked: AuditFilter) -> bool:
        """Whether there is any such row."""
        return audit_search.exists(self.snapshot, self.scoped(asked))

    def count(self, asked: AuditFilter) -> int:
        """Return how many rows there are."""
        return audit_search.count(self.snapshot, self.scoped(asked))

    def events(self, asked: AuditFilter) -> int:
        """Return how many AuditEvents there are."""
        return audit_search.count_events(self.snapshot, self.scoped(asked))

    def row(self, index: int) -> Row | None:
        """Return the row at `index`, if the officer may see it."""
        return next(iter(self.find(AuditFilter(indexes=(index,)), count=1)), None)

    def rows(self, indexes: Sequence[int]) -> list[Row]:
        """Return the rows at `indexes`, in their order."""
        found = {
            index: record
            for index, leaf in audit_search.leaves(self.snapshot, indexes).items()
            if (record := leaves.read(leaf, self._opened)) is not None
        }
        self._meet(one for record in found.values() for one in record.patients)
        return [self._row(index, record) for index, record in found.items()]

    def pseudonym(self, patient_id: str) -> bytes:
        """Return what the log calls a patient."""
        return self.services.pseudonym(patient_id.removeprefix("Patient/"))

    def _row(self, index: int, record: AuditRecord) -> Row:
        subjects = self._subjects(record.patients)
        others = len(record.patients) - len(subjects)
        if others and not subjects and not self._is_own(record):
            record = replace(record, request=None)
        return Row(index=index, record=record, subjects=subjects, others=others)

    def _opened(self, sealed: bytes) -> bytes | None:
        try:
            return self._unseal(sealed)
        except (BodyError, DataKeyError):
            return None

    def _is_own(self, record: AuditRecord) -> bool:
        return self.officer.is_over(record.organisation or None)

    def _subjects(self, pseudonyms: Iterable[bytes]) -> tuple[Subject, ...]:
        return tuple(
            subject
            for pseudonym in pseudonyms
            if (subject := self._met[pseudonym]) is not None
        )

    def _meet(self, pseudonyms: Iterable[bytes]) -> None:
        """Find out who is behind pseudonyms, of those not met before."""
        new = {one for one in pseudonyms if one not in self._met}
        if new:
            custodians = self.services.pseudonyms.custodians(self.snapshot, new)
            self._met |= {one: self._subject(one, custodians) for one in new}

    def _subject(
        self, pseudonym: bytes, custodians: Mapping[bytes, str | None]
    ) -> Subject | None:
        """Return a patient; None for one of another organisation."""
        known = self.services.pseudonyms.patient(self.snapshot, pseudonym)
        custodian = custodians.get(pseudonym)
        if known is None or not self.officer.is_over(custodian):
            is_all = self.officer.organizations is None
            return Subject(pseudonym, None) if is_all else None
        return Subject(pseudonym, known.id)


def caught_up(services: Services) -> None:
    """Bring the index up to everything that is durable now."""
    services.audit_index.catch_up(services.database)


def asked(  # noqa: PLR0913 - one argument a part of the record
    services: Services,
    officer: Officer,
    request: str,
    *,
    request_id: str = "",
    patients: Iterable[str] = (),
    interaction: Interaction = Interaction.AUDIT_READ,
    status: int = 200,
) -> None:
    """Record, durably, that an officer reads the log.

    Args:
        services: Of the deployment.
        officer: Who asks.
        request: What is asked; kept sealed.
        request_id: Joins it with the client's log.
        patients: Ids of the patients asked for.
        interaction: `audit-read`, or `export` for what leaves as a file.
        status: The HTTP status of the answer; one that refuses is a denial.

    """

    def work(transaction: Transaction) -> None:
        record = AuditRecord(
            time_us=services.clock(),
            interaction=interaction,
            outcome=Outcome.DENIED if status in _REFUSING else Outcome.ALLOWED,
            status=status,
            request_id=request_id,
            request=request,
            resource_type="AuditEvent",
            user=officer.user,
            client=officer.client,
            organisation=(officer.organizations or ("",))[0],
            address=officer.address,
            patients=tuple(services.pseudonym(one) for one in sorted(set(patients))),
        )
        seal = services.seal.sealer(transaction, SHARED)
        transaction.audit(entry.encode(record, seal=seal))

    services.database.write(work)
