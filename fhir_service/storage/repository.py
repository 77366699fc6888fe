"""Resources in and out: the body, its version, its signature and its indexes, in step.

The repository knows what must change together. It decides nothing about access: who
may do what is asked of `fhir_service.access` before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from conformance import fhir_json
from consent import labels
from consent.authors import authored
from consent.labels import Labels
from consent.references import Deployment
from consent.signature import Description, clinical_interval, with_agents
from fhir_service.rest.instant import fhir_instant
from fhir_service.search.postings import Entries
from fhir_service.storage import (
    authorship,
    counters,
    device_ties,
    devices,
    indexing,
    patients,
    resources,
    rows,
    signatures,
    tokens,
    types,
    units,
)
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.body import BodyCodec
from fhir_service.storage.concepts import Concepts
from fhir_service.storage.describing import Describer
from fhir_service.storage.elements import (
    category_codings,
    codings_of,
    managing_organization,
    stamp,
)
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.frames import Frame
from fhir_service.storage.index_sets import IndexSets
from fhir_service.storage.remembered import Standing
from fhir_service.storage.resources import Stored
from mappings.measurement import DeviceClue

__all__ = [
    "Repository",
    "Written",
    "category_codings",
    "codings_of",
    "managing_organization",
    "stamp",
]

Resource = Mapping[str, Any]

NO_SET = 0
"""The index set of what search does not find."""

MILLISECOND_US = 1_000
"""What `meta.lastUpdated` is told to, and so what is stored of it."""

REMEMBERED_AUTHORS = 1_024
"""Groups of authors; there are as many as Devices and teams that are at work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a write has made.

    Attributes:
        type: The resource type.
        id: Its public id.
        stored: The version as it is stored.
        body: The version as JSON.

    """

    type: str
    id: str
    stored: Stored
    body: bytes

    @property
    def last_updated(self) -> str:
        """The instant in `meta.lastUpdated`."""
        return fhir_instant(self.stored.last_updated)


class Repository:
    """The stored resources of one deployment.

    Args:
        codec: Compresses and encrypts bodies.
        payloads: The same for what is kept in quarantine.
        blind: Hashes what is only compared.
        deployment: Our bases, and the zone of dates without an offset.
        clock: Microseconds since 1970.
        random: Steps between rows.
        labeller: Says how confidential a resource is.

    """

    def __init__(  # noqa: PLR0913 - each a part of what changes together
        self,
        *,
        codec: BodyCodec,
        payloads: BodyCodec,
        blind: BlindIndex,
        deployment: Deployment,
        clock: Callable[[], int],
        random: Random,
        labeller: Callable[[Resource], Labels] = labels.label,
    ) -> None:
        self.codec = codec
        self.payloads = payloads
        self.blind = blind
        self.deployment = deployment
        self._clock = clock
        self.random = random
        self.content_secret = blind.source("content")
        self._describer = Describer(labeller, deployment, blind.source("frame"))
        self.found = self._describer.found
        self.concepts = Concepts()
        self.signatures = signatures.Signatures()
        self.index_sets = IndexSets(blind)
        self.programs: Standing[str, bool] = Standing(REMEMBERED_AUTHORS)
        self._authors: Standing[frozenset[str], list[Resource]]
        self._authors = Standing(REMEMBERED_AUTHORS)

    def clock(self) -> int:
        """Return microseconds since 1970, in whole milliseconds."""
        return self._clock() // MILLISECOND_US * MILLISECOND_US

    def body(self, snapshot: Snapshot, version: Stored) -> bytes:
        """Return the JSON of a stored version."""
        return self.codec.decode(
            snapshot, version.patient_key, version.row, version.version, version.body
        )

    def read(self, snapshot: Snapshot, type_: str, id_: str) -> Stored | None:
        """Return the current version, which may say that it is deleted."""
        at = resources.locate(snapshot, types.number_of(type_), id_)
        return None if at is None else resources.current(snapshot, at[1])

    def new_rows(self, transaction: Transaction, count: int) -> list[int]:
        """Return row numbers for `count` new resources."""
        made = rows.new_rows(
            counters.current(transaction, "row"), self.clock(), count, self.random
        )
        counters.put(transaction, "row", made[-1])
        return made

    def seal_payload(
        self, transaction: Transaction, patient_key: int, payload: bytes
    ) -> bytes:
        """Return a part of a payload as it is kept in quarantine."""
        return self.payloads.encode(transaction, patient_key, 0, 1, payload)

    def open_payload(
        self, snapshot: Snapshot, patient_key: int, sealed: bytes
    ) -> bytes:
        """Return a part of a payload that was kept in quarantine."""
        return self.payloads.decode(snapshot, patient_key, 0, 1, sealed)

    def create(
        self,
        transaction: Transaction,
        resource: Resource,
        *,
        patient_key: int,
        id_: str | None = None,
        batch_id: int | None = None,
    ) -> Written:
        """Store the first version of `resource`, with labels and indexes.

        A Patient gets a key of its own; `patient_key` is that of its subject else.
        """
        [row] = self.new_rows(transaction, 1)
        id_ = id_ or rows.public_id(row)
        if resource["resourceType"] == "Patient":
            patient_key = patients.create(
                transaction, id_, managing_organization(resource), self.codec.new_key
            )
        return self._write(
            transaction,
            resource,
            id_=id_,
            row=row,
            version=1,
            patient_key=patient_key,
            batch_id=batch_id,
        )

    def create_at(
        self,
        transaction: Transaction,
        resource: Resource,
        *,
        row: int,
        patient_key: int,
        batch_id: int | None = None,
    ) -> Written:
        """Store the first version of a resource at a row taken before."""
        return self._write(
            transaction,
            resource,
            id_=rows.public_id(row),
            row=row,
            version=1,
            patient_key=patient_key,
            batch_id=batch_id,
        )

    def register_unit(
        self,
        transaction: Transaction,
        patient_key: int,
        row: int,
        source: str,
        clue: DeviceClue,
    ) -> None:
        """Record that the Device at `row` stands for the unit of `clue`."""
        unit = units.unit_hash(self.blind, source, clue)
        devices.add_unit(transaction, patient_key, unit, row)
        device_ties.add_units(transaction, f"Device/{rows.public_id(row)}", [unit])

    def update(
        self,
        transaction: Transaction,
        old: Stored,
        resource: Resource,
        *,
        id_: str,
        batch_id: int | None = None,
    ) -> Written:
        """Store the next version of a resource and re-index it."""
        if not old.deleted:
            self._unindex(transaction, old)
        if resource["resourceType"] == "Patient":
            patients.set_organization(
                transaction, old.patient_key, managing_organization(resource)
            )
        return self._write(
            transaction,
            resource,
            id_=id_,
            row=old.row,
            version=old.version + 1,
            patient_key=old.patient_key,
            batch_id=batch_id,
        )

    def delete(
        self,
        transaction: Transaction,
        old: Stored,
        *,
        id_: str,
        batch_id: int | None = None,
    ) -> Written:
        """Store a version that says that the resource is gone; nothing finds it.

        Its signature is that of the version before, so that who could see that one
        is told that it was deleted.
        """
        self._unindex(transaction, old)
        now, version = self.clock(), old.version + 1
        type_ = types.name_of(old.type_id)
        body = fhir_json.dumps(
            {
                "resourceType": type_,
                "id": id_,
                "meta": {"versionId": str(version), "lastUpdated": fhir_instant(now)},
            }
        )
        stored = old._replace(
            version=version,
            seq=counters.take(transaction, "seq"),
            last_updated=now,
            deleted=1,
            batch_id=batch_id,
            set_id=NO_SET,
            body=self.codec.encode(
                transaction, old.patient_key, old.row, version, body
            ),
        )
        resources.replace(transaction, stored)
        indexing.note_changed(transaction, self, type_, id_, old.patient_key)
        return Written(type=type_, id=id_, stored=stored, body=body)

    def _write(  # noqa: PLR0913 - each a part of what changes together
        self,
        transaction: Transaction,
        resource: Resource,
        *,
        id_: str,
        row: int,
        version: int,
        patient_key: int,
        batch_id: int | None,
    ) -> Written:
        now = self.clock()
        frame = self._describer.frame(resource)
        found = self._describer.label(frame, resource)
        stamped = stamp(resource, found, id_=id_, version=version, now_us=now)
        body = fhir_json.dumps(stamped)
        frame = self._describer.stamped(frame, stamped)
        described = self._authored(
            transaction, self._describer.describe(frame, stamped, found)
        )
        searchable = self.searchable(stamped, frame)
        indexed = indexing.index(
            transaction, self, stamped, described, searchable, patient_key, row
        )
        stored = Stored(
            row=row,
            type_id=types.number_of(stamped["resourceType"]),
            patient_key=patient_key,
            signature_id=indexed.signature_id,
            version=version,
            seq=counters.take(transaction, "seq"),
            last_updated=now,
            deleted=0,
            batch_id=batch_id,
            c_start=indexed.c_start,
            c_end=indexed.c_end,
            set_id=indexed.set_id,
            body=self.codec.encode(transaction, patient_key, row, version, body),
        )
        if version == 1:
            resources.insert_one(transaction, id_, stored)
        else:
            resources.replace(transaction, stored)
        indexing.add(transaction, self, stamped, stored, indexed)
        return Written(type=stamped["resourceType"], id=id_, stored=stored, body=body)

    def described(
        self, snapshot: Snapshot, resource: Resource, found: Labels
    ) -> Description:
        """Return what consent can ask of a resource that is written now.

        The organizations of who performed it are those of this time.
        """
        frame = self._describer.frame(resource)
        return self._authored(
            snapshot, self._describer.describe(frame, resource, found)
        )

    def label(self, resource: Resource) -> Labels:
        """Return the labels of a resource."""
        return self._describer.label(self._describer.frame(resource), resource)

    def told(self, snapshot: Snapshot, resource: Resource) -> Description:
        """Return what `described` does, with the labels that are found."""
        frame = self._describer.frame(resource)
        found = self._describer.label(frame, resource)
        return self._authored(
            snapshot, self._describer.describe(frame, resource, found)
        )

    def _authored(self, snapshot: Snapshot, described: Description) -> Description:
        origin = described.facets.origin
        names = origin.performers | ({origin.device} if origin.device else frozenset())
        told = self._authors.of(
            snapshot, names, lambda: authorship.belonging(snapshot, self, names)
        )
        return authored(described, told, self.deployment, self.clock())

    def _again(
        self, snapshot: Snapshot, version: Stored
    ) -> tuple[Resource, Description]:
        """Return a stored version, and what consent could ask when it was written."""
        resource = fhir_json.loads(self.body(snapshot, version))
        frame = self._describer.frame(resource)
        found = self._describer.label(frame, resource)
        described = self._describer.describe(frame, resource, found)
        before = signatures.by_id(snapshot, version.signature_id)
        agents = frozenset() if before is None else before[1].facets.origin.agents
        return resource, with_agents(described, agents)

    def searchable(self, resource: Resource, frame: Frame | None = None) -> Entries:
        """Return what the indexes of search shall hold of a resource.

        It is quicker where the frame of the resource is known.
        """
        return self._describer.entries(frame, resource)

    def tokens(self, resource: Resource) -> list[tuple[str, bytes]]:
        """Return the parameters and keyed hashes of what is searched as it stands."""
        return list(tokens.of_resource(resource, self.blind))

    def reindex(self, transaction: Transaction, version: Stored) -> Stored:
        """Put a current version into the indexes of search; return it with its places.

        Who it belongs to, which codings and units it has, is indexed already.
        """
        resource, described = self._again(transaction, version)
        indexed = indexing.index(
            transaction,
            self,
            resource,
            described,
            self.searchable(resource),
            version.patient_key,
            version.row,
        )
        placed = version._replace(
            signature_id=indexed.signature_id,
            c_start=indexed.c_start,
            c_end=indexed.c_end,
            set_id=indexed.set_id,
        )
        indexing.add_to_search(transaction, self, placed, indexed)
        indexing.add_links(transaction, self, resource, placed, indexed)
        return placed

    def consent_time(
        self, transaction: Transaction, version: Stored
    ) -> tuple[int, int]:
        """Return the consent time of a stored version."""
        resource = fhir_json.loads(self.body(transaction, version))
        start_us, end_us, _ = clinical_interval(resource, self.deployment.zone)
        return start_us, end_us

    def _unindex(self, transaction: Transaction, old: Stored) -> None:
        resource, described = self._again(transaction, old)
        indexed = indexing.index(
            transaction,
            self,
            resource,
            described,
            self.searchable(resource),
            old.patient_key,
            old.row,
        )
        indexing.remove(transaction, self, resource, old, indexed)
