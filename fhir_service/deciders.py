"""Deciders for `python -m consent.vectors`: stored rows, and the predicate as SQL.

A vector's resources are stored by the repository, its consents too, and what its
request may see is asked of the gate: as SQL over the rows, of each row alone, and with
reasons. The three must agree. Nothing here decides.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from conformance.issues import FHIRError
from consent.engine import PreparedRequest
from consent.labels import UNLABELLED, stated_labels
from consent.references import type_of
from consent.signature import describe
from consent.vector_cases import Case
from consent.vectors import Decider, agreed
from fhir_service.access import Gate
from fhir_service.deployment import Deployment, opened
from fhir_service.search.postings import Entries, entries
from fhir_service.settings import read_settings
from fhir_service.storage import device_ties, patients, scratch, types, visible
from fhir_service.storage.engine import Database, Snapshot, Transaction
from fhir_service.storage.frames import Frame
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

URL_VARIABLE = "FHIR_SERVICE_TEST_POSTGRES_URL"
"""Names a PostgreSQL server on which databases may be made."""

Resource = Mapping[str, Any]

_EVERY_SCOPE = ((),)

_UNREADABLE = (AttributeError, FHIRError, LookupError, TypeError, ValueError)
"""How reading an element of a wrong shape fails."""


class AnyShape(Repository):
    """Stores what would be refused at the door as well; search does not find it."""

    def searchable(self, resource: Resource, frame: Frame | None = None) -> Entries:
        """Return what search finds; nothing in what it cannot read."""
        try:
            found = super().searchable(resource, frame)
            for posting in (*found.shared, *found.own):
                self.blind.posting(posting)
        except _UNREADABLE:
            return entries(resource["resourceType"], {})
        return found

    def tokens(self, resource: Resource) -> list[tuple[str, bytes]]:
        """Return the same for what is searched as it stands."""
        try:
            return super().tokens(resource)
        except _UNREADABLE:
            return []


class StoredFile:
    """The resources of one vector file, stored; its vectors are asked of them."""

    def __init__(self, database: Database, repository: Repository, case: Case) -> None:
        self._of = case
        self._database = database
        self._repository = repository
        self._keys: dict[str, int] = {}
        self._current: dict[str, Resource] = {}
        database.write(lambda transaction: self._store_all(transaction, case))

    def is_of(self, case: Case) -> bool:
        """Whether the vector is of the same file."""
        own = self._of
        return own.resources is case.resources and own.deployment == case.deployment

    def answers(self, case: Case) -> dict[str, bool]:
        """Return whether each resource that the vector expects is released."""
        filed = self._database.write(lambda at: self._file(at, case))
        on_file = frozenset(f"Consent/{id_}" for id_ in filed)
        gate = Gate(self._repository, case.default, lambda: case.request.at_us)
        try:
            return {
                name: self._answer(case, name, gate, on_file) for name in case.expect
            }
        finally:
            self._database.write(lambda at: self._take_back(at, filed))

    # Storing

    def _store_all(self, transaction: Transaction, case: Case) -> None:
        in_order = sorted(case.resources.values(), key=_written_when)
        for resource in in_order:
            reference = _reference(resource)
            if reference not in self._current:
                self._store(transaction, resource, str(resource["id"]))
                self._current[reference] = resource
        for child, parent in case.device_parents.items():
            known = device_ties.parents_of(transaction, child)
            device_ties.put_parents(transaction, child, known | {parent})

    def _store(
        self, transaction: Transaction, resource: Resource, id_: str | None
    ) -> str:
        written = self._repository.create(
            transaction,
            resource,
            patient_key=self._key(transaction, resource),
            id_=id_,
        )
        if resource["resourceType"] == "Patient":
            self._keys[f"Patient/{written.id}"] = written.stored.patient_key
        return written.id

    def _key(self, transaction: Transaction, resource: Resource) -> int:
        """Return whose the resource is; a patient who is only referred to is added."""
        repository = self._repository
        patient = describe(
            resource, labels=UNLABELLED, deployment=repository.deployment
        ).patient
        if patient is None or resource["resourceType"] == "Patient":
            return SHARED
        if patient not in self._keys:
            id_ = patient.removeprefix("Patient/")
            self._keys[patient] = patients.create(
                transaction, id_, None, repository.codec.new_key
            )
        return self._keys[patient]

    def _file(self, transaction: Transaction, case: Case) -> list[str]:
        """Store the vector's consents as they stand, however malformed."""
        return [self._store(transaction, one, None) for one in case.consents]

    def _take_back(self, transaction: Transaction, filed: list[str]) -> None:
        for id_ in filed:
            self._repository.delete(
                transaction, self._stored(transaction, "Consent", id_), id_=id_
            )

    def _stored(self, snapshot: Snapshot, type_: str, id_: str) -> Stored:
        found = self._repository.read(snapshot, type_, id_)
        if found is None:
            raise LookupError("what was stored is not there")
        return found

    def _present(self, resource: Resource) -> None:
        """Let the row of this id hold this one of the file's resources."""
        reference = _reference(resource)
        if self._current[reference] is resource:
            return

        def work(transaction: Transaction) -> None:
            type_, id_ = type_of(reference), str(resource["id"])
            old = self._stored(transaction, type_, id_)
            if old.patient_key != self._key(transaction, resource):
                raise ValueError("two resources of one id are two patients'")
            self._repository.update(transaction, old, resource, id_=id_)

        self._database.write(work)
        self._current[reference] = resource

    # Asking

    def _answer(
        self, case: Case, name: str, gate: Gate, on_file: frozenset[str]
    ) -> bool:
        """Return the answer that SQL, the row alone, and the reasons agree on."""
        resource = case.resources[name]
        self._present(resource)
        with self._database.read() as snapshot:
            stored = self._stored(
                snapshot, resource["resourceType"], str(resource["id"])
            )
            state = patients.by_key(snapshot, stored.patient_key)
            if state is None or not state.key:
                return False
            consents = [
                one
                for one in gate.consents(snapshot, state)
                if one.reference in on_file
            ]
            prepared = gate.prepared(
                snapshot, consents, case.request, state, custodian=False
            )
            return _agreed(f"{case.id} {name}", snapshot, gate, prepared, stored, state)


def _agreed(  # noqa: PLR0913, PLR0917 - a question, and where to ask it
    label: str,
    snapshot: Snapshot,
    gate: Gate,
    prepared: PreparedRequest,
    stored: Stored,
    state: PatientState,
) -> bool:
    decided = gate.decided(snapshot, prepared, state, types.name_of(stored.type_id))
    by_rows = stored.row in visible.rows(snapshot, decided.view, stored.type_id)
    alone = gate.permits(snapshot, decided, stored, _EVERY_SCOPE)
    reasoned = gate.decision(snapshot, prepared, stored).is_permitted
    agreed(f"{label} alone", by_signature=by_rows, by_resource=alone)
    return agreed(f"{label} reasoned", by_signature=by_rows, by_resource=reasoned)


_FIRST = ("Patient", "PractitionerRole", "Device")
"""What others are written against: whose they are, who their authors belong to."""


def _written_when(resource: Resource) -> int:
    type_ = resource["resourceType"]
    return _FIRST.index(type_) if type_ in _FIRST else len(_FIRST)


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


class StoredRows:
    """Answers vectors; the resources of one file are stored at a time.

    Args:
        deployment: A deployment that nothing else uses.

    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._file: StoredFile | None = None

    def __call__(self, case: Case) -> Mapping[str, bool]:
        """Return whether each resource that the vector expects is released."""
        if self._file is None or not self._file.is_of(case):
            self._file = self._stored(case)
        return self._file.answers(case)

    def _stored(self, case: Case) -> StoredFile:
        database = self._deployment.database
        database.write(scratch.empty)
        own = self._deployment.services.repository
        repository = AnyShape(
            codec=own.codec,
            payloads=own.payloads,
            blind=own.blind,
            deployment=case.deployment,
            clock=own.clock,
            random=own.random,
            labeller=stated_labels,
        )
        return StoredFile(database, repository, case)


@contextmanager
def _logs_aside() -> Iterator[None]:
    """Send what is logged meanwhile to standard error: the report has the output."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def _offered(database_url: str | None = None) -> Iterator[Decider]:
    with TemporaryDirectory(prefix="consent-vectors-") as folder, _logs_aside():
        environment = {"FHIR_SERVICE_DATA_DIR": folder}
        if database_url is not None:
            environment["FHIR_SERVICE_DATABASE_URL"] = database_url
        with opened(read_settings(environment)) as deployment:
            yield StoredRows(deployment)


def sqlite() -> AbstractContextManager[Decider | None]:
    """Offer stored rows in SQLite."""
    return _offered()


@contextmanager
def postgresql() -> Iterator[Decider | None]:
    """Offer stored rows in PostgreSQL, where a server is named."""
    server = os.environ.get(URL_VARIABLE, "")  # noqa: TID251 - the tests' own, no setting of the service
    if not server:
        yield None
        return
    with scratch.scratch_database(server) as url, _offered(url) as decider:
        yield decider
