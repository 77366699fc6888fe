"""Rows of the log as rules look at them: numbers of the index, no names.

What is read is kept for as long as the snapshot is.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from conformance import fhir_json
from consent.audit.entry import (
    OUTCOME_CODE,
    AuditRecord,
    BasisKind,
    Interaction,
    Outcome,
)
from consent.provisions import read_bytes
from fhir_service.compliance import legible
from fhir_service.compliance.alert_rules import WINDOW_US, Seen, network_of
from fhir_service.compliance.explanation_codes import Code
from fhir_service.exchange import Services
from fhir_service.storage import (
    audit_search,
    explanations,
    habits,
    history,
    leaves,
    past,
    rows,
    types,
)
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.habits import Numbers, Subject
from fhir_service.storage.resources import Stored

MAX_REFUSED = 500
"""Rows before a chunk that were refused within the window and are looked at."""

CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "policy ": "policy",
        "mapping ": "mapping",
        "push ": "push",
        "alert webhook ": "webhook",
        "alert close ": "",
    }
)
"""How a change of the configuration begins in the log → what was changed; an officer
who closes an alert changes nothing."""


class _Consents(NamedTuple):
    """What became of the consents that a row stored."""

    broken: tuple[int, ...]
    ended: tuple[tuple[int, int], ...]


_NONE = _Consents((), ())


class Sight:
    """Looks at rows in one snapshot.

    Args:
        services: Of the deployment.
        snapshot: Where they are.

    """

    def __init__(self, services: Services, snapshot: Snapshot) -> None:
        self._services = services
        self._snapshot = snapshot
        self._subjects: dict[bytes, Subject | None] = {}

    def between(self, first: int, end: int) -> list[Seen]:
        """Return rows that follow one another, as far as they can be read."""
        found = habits.numbers(self._snapshot, first, end)
        bodies = leaves.between(self._snapshot, first, end)
        codes = explanations.codes(self._snapshot, first, end)
        return list(self._seen(found, bodies, codes))

    def refused_before(self, first: Seen) -> list[Seen]:
        """Return rows before one that were refused within the window."""
        since = first.time_us - WINDOW_US
        found = habits.recent(
            self._snapshot,
            OUTCOME_CODE[Outcome.DENIED],
            hour=since // HOUR_US,
            since=since,
            before=first.index,
            count=MAX_REFUSED,
        )
        bodies = audit_search.leaves(self._snapshot, [one[0] for one in found])
        return list(self._seen(found, bodies, {}))

    def _seen(
        self,
        found: Iterable[Numbers],
        bodies: Mapping[int, object],
        codes: Mapping[int, int],
    ) -> Iterator[Seen]:
        for numbers in found:
            leaf = bodies.get(numbers[0])
            record = leaves.read(leaf, lambda _: None)
            if record is not None:
                changed = self._changed(leaf, record)
                yield self._of(numbers, record, codes.get(numbers[0]), changed)

    def _of(
        self, numbers: Numbers, record: AuditRecord, code: int | None, changed: str
    ) -> Seen:
        index, user, client, address = numbers
        known = [
            found
            for one in dict.fromkeys(record.patients)
            if (found := self._subject(one)) is not None
        ]
        custodians = [one.organisation for one in known if one.organisation]
        consents = self._consents(record)
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
            code=None if code is None else Code(code),
            broken=consents.broken,
            ended=consents.ended,
            grounds=grounds(record),
            changed=changed,
        )

    def _subject(self, pseudonym: bytes) -> Subject | None:
        if pseudonym not in self._subjects:
            self._subjects[pseudonym] = habits.subject(self._snapshot, pseudonym)
        return self._subjects[pseudonym]

    def _changed(self, leaf: object, record: AuditRecord) -> str:
        """Return what of the configuration a row changed; empty for nothing."""
        if record.interaction is not Interaction.CONFIG:
            return ""
        opened = leaves.read(leaf, self._services.seal.unsealer(self._snapshot))
        asked = (opened.request or "") if opened is not None else ""
        told = (word for start, word in CHANGES.items() if asked.startswith(start))
        return next(told, "configuration")

    def _consents(self, record: AuditRecord) -> _Consents:
        """Return which stored consents cannot be decided on, and which have ended."""
        if record.resource_type != "Consent" or not record.written:
            return _NONE
        broken, ended = list[int](), list[tuple[int, int]]()
        for pseudonym in record.patients:
            subject = self._subject(pseudonym)
            for stored, patient_id in self._written(record, pseudonym):
                if self._is_broken(stored, patient_id):
                    broken.append(stored.row)
                if subject is not None and self._has_ended(stored):
                    ended.append((subject.number, stored.row))
        return _Consents(tuple(broken), tuple(ended))

    def _written(
        self, record: AuditRecord, pseudonym: bytes
    ) -> Iterator[tuple[Stored, str]]:
        known = self._services.pseudonyms.patient(self._snapshot, pseudonym)
        if known is None:
            return
        number = types.number_of("Consent")
        for stored in past.by_seq(self._snapshot, known.key, record.written).values():
            if stored.type_id == number and not stored.deleted:
                yield stored, known.id

    def _is_broken(self, stored: Stored, patient_id: str) -> bool:
        """Whether a version cannot be decided on: not even read, or with faults."""
        repository = self._services.repository
        body = legible.body(repository, self._snapshot, stored)
        if body is None:
            return True
        parsed = read_bytes(
            body,
            reference="Consent",
            patient=f"Patient/{patient_id}",
            deployment=repository.deployment,
        )
        return bool(parsed.faults)

    def _has_ended(self, stored: Stored) -> bool:
        """Whether a version ended a consent that was active."""
        if stored.version == 1 or is_active(self._services, self._snapshot, stored):
            return False
        id_, before = rows.public_id(stored.row), stored.version - 1
        earlier = history.version_of(self._snapshot, stored.type_id, id_, before)
        return earlier is not None and is_active(
            self._services, self._snapshot, earlier
        )


def is_active(services: Services, snapshot: Snapshot, stored: Stored) -> bool:
    """Whether a version of a consent says that it is active."""
    if stored.deleted:
        return False
    body = legible.body(services.repository, snapshot, stored)
    return body is not None and fhir_json.loads_object(body).get("status") == "active"


def grounds(record: AuditRecord) -> frozenset[int]:
    """Return the numbers of the consents on which a row's decision rested."""
    names = (one.name for one in record.basis if one.kind is BasisKind.CONSENT)
    found = (rows.row_of(name.partition("/_history/")[0]) for name in names)
    return frozenset(one for one in found if one is not None)
