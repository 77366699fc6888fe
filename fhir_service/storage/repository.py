"""Resources in and out: the body, its version, its signature and its indexes, in step.

The repository knows what must change together. It decides nothing about access: who
may do what is asked of `fhir_service.access` before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from conformance import fhir_json
from conformance.search_parameters import extract_all
from consent import device_links, labels
from consent.authors import authored
from consent.dependencies import dependencies
from consent.labels import Labels
from consent.provisions import read as read_consent
from consent.references import Deployment
from consent.signature import Description, describe, with_agents
from fhir_service.rest.instant import fhir_instant
from fhir_service.search.postings import Entries, entries
from fhir_service.storage import (
    authorship,
    concepts,
    consent_names,
    counters,
    device_ties,
    devices,
    mentions,
    observations,
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
from fhir_service.storage.concepts import Coding, Concepts
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.index_sets import IndexSets
from fhir_service.storage.observations import Entry
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED
from mappings.measurement import DeviceClue

Resource = Mapping[str, Any]
SECOND_US = 1_000_000

NO_SET = 0
"""The index set of what search does not find."""

TOPOLOGY = frozenset({"CareTeam", "Device", "DeviceMetric"})
"""Types whose changes may change what a consent that names one of them covers."""

MEMBERSHIP = frozenset(
    {"Group", "HealthcareService", "Organization", "Practitioner", "PractitionerRole"}
)
"""Types whose changes may change what a requester is called, whoever's they are."""

MILLISECOND_US = 1_000
"""What `meta.lastUpdated` is told to, and so what is stored of it."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexed:
    """What the indexes hold about one version.

    Attributes:
        signature_id: What consent decides on.
        entry: The time-series entry of an Observation, else None.
        c_start: First microsecond of the consent time.
        c_end: Last microsecond of it.
        codings: Codings that the signature does not hold.
        mentions: References that it does not hold either.
        set_id: The index set.
        entries: What search can find in it.

    """

    signature_id: int
    entry: Entry | None
    c_start: int
    c_end: int
    codings: frozenset[Coding]
    mentions: frozenset[str]
    set_id: int
    entries: Entries


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
        self.label = labeller
        self.content_secret = blind.source("content")
        self.concepts = Concepts()
        self.signatures = signatures.Signatures()
        self.index_sets = IndexSets(blind)

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
        if type_ == "Consent":
            patients.consent_changed(transaction, old.patient_key)
        elif type_ in TOPOLOGY:
            patients.topology_changed(transaction, old.patient_key)
        elif type_ in MEMBERSHIP:
            patients.topology_changed(transaction, SHARED)
        consent_names.changed(transaction, self.blind, f"{type_}/{id_}")
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
        found = self.label(resource)
        stamped = stamp(resource, found, id_=id_, version=version, now_us=now)
        body = fhir_json.dumps(stamped)
        described = self.described(transaction, stamped, found)
        indexed = self.index(transaction, stamped, described, patient_key, row)
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
        self._add_indexes(transaction, stamped, stored, indexed)
        return Written(type=stamped["resourceType"], id=id_, stored=stored, body=body)

    def index(
        self,
        transaction: Transaction,
        resource: Resource,
        described: Description,
        patient_key: int,
        row: int,
    ) -> Indexed:
        """Return what the indexes shall hold, interning what is new."""
        type_id = types.number_of(resource["resourceType"])
        code_key = self.concepts.intern(transaction, codings_of(resource.get("code")))
        signature_id = self.signatures.intern(
            transaction, patient_key, type_id, code_key, described.facets
        )
        type_, found = resource["resourceType"], self.searchable(resource)
        set_id = self.index_sets.intern(transaction, patient_key, type_id, found.shared)
        entry = None
        if type_ == "Observation" and patient_key != SHARED:
            start, end = tokens.effective_range(resource, self.deployment.zone)
            entry = (
                patient_key,
                code_key,
                start,
                row,
                signature_id,
                end - start,
                described.start_us,
                described.end_us,
                set_id,
            )
        return Indexed(
            signature_id=signature_id,
            entry=entry,
            c_start=described.start_us,
            c_end=described.end_us,
            codings=described.codings,
            mentions=described.mentions,
            set_id=set_id,
            entries=found,
        )

    def described(
        self, snapshot: Snapshot, resource: Resource, found: Labels
    ) -> Description:
        """Return what consent can ask of a resource that is written now.

        The organizations of who performed it are those of this time.
        """
        described = describe(resource, labels=found, deployment=self.deployment)
        origin = described.facets.origin
        names = origin.performers | ({origin.device} if origin.device else frozenset())
        told = authorship.belonging(snapshot, self, names)
        return authored(described, told, self.deployment, self.clock())

    def _again(
        self, snapshot: Snapshot, version: Stored
    ) -> tuple[Resource, Description]:
        """Return a stored version, and what consent could ask when it was written."""
        resource = fhir_json.loads(self.body(snapshot, version))
        described = describe(
            resource, labels=self.label(resource), deployment=self.deployment
        )
        before = signatures.by_id(snapshot, version.signature_id)
        agents = frozenset() if before is None else before[1].facets.origin.agents
        return resource, with_agents(described, agents)

    def searchable(self, resource: Resource) -> Entries:
        """Return what the indexes of search shall hold of a resource."""
        return entries(resource["resourceType"], self.found(resource))

    def tokens(self, resource: Resource) -> list[tuple[str, bytes]]:
        """Return the parameters and keyed hashes of what is searched as it stands."""
        return list(tokens.of_resource(resource, self.blind))

    def found(self, resource: Resource) -> dict[str, list[Any]]:
        """Return what each search parameter of its type finds in a resource."""
        extract = extract_all(
            resource["resourceType"],
            zone=self.deployment.zone,
            base_urls=self.deployment.own_bases,
        )
        return extract(dict(resource))

    def reindex(self, transaction: Transaction, version: Stored) -> Stored:
        """Put a current version into the indexes of search; return it with its places.

        Who it belongs to, which codings and units it has, is indexed already.
        """
        resource, described = self._again(transaction, version)
        indexed = self.index(
            transaction, resource, described, version.patient_key, version.row
        )
        placed = version._replace(
            signature_id=indexed.signature_id,
            c_start=indexed.c_start,
            c_end=indexed.c_end,
            set_id=indexed.set_id,
        )
        self._add_to_search(transaction, placed, indexed)
        self._add_links(transaction, resource, placed, indexed)
        return placed

    def consent_time(
        self, transaction: Transaction, version: Stored
    ) -> tuple[int, int]:
        """Return the consent time of a stored version."""
        resource = fhir_json.loads(self.body(transaction, version))
        described = describe(
            resource, labels=self.label(resource), deployment=self.deployment
        )
        return described.start_us, described.end_us

    def _add_to_search(
        self, transaction: Transaction, stored: Stored, indexed: Indexed
    ) -> None:
        if indexed.entry is not None:
            observations.add(transaction, [indexed.entry])
        else:
            resources.add_record(transaction, stored)
        self.index_sets.add_own(
            transaction, stored.patient_key, stored.row, indexed.entries
        )

    def _add_indexes(
        self,
        transaction: Transaction,
        resource: Resource,
        stored: Stored,
        indexed: Indexed,
    ) -> None:
        self._add_to_search(transaction, stored, indexed)
        if indexed.entry is None:
            resources.add_tokens(transaction, stored, self.tokens(resource))
        concepts.add_row_codings(
            transaction, stored.patient_key, stored.row, indexed.codings
        )
        self._add_links(transaction, resource, stored, indexed)
        self._note_changes(transaction, resource, stored)

    def _add_links(
        self,
        transaction: Transaction,
        resource: Resource,
        stored: Stored,
        indexed: Indexed,
    ) -> None:
        """Record what the resource refers to, as far as a consent may ask for it."""
        type_ = resource["resourceType"]
        key, row = stored.patient_key, stored.row
        mentions.add(
            transaction, mentions.rows_of(self.blind, key, row, indexed.mentions)
        )
        if type_ in device_links.TYPES:
            self._tie(transaction, f"{type_}/{resource['id']}", resource)
        elif type_ == "Provenance":
            authorship.put(transaction, self, resource, stored)
        elif type_ == "Consent":
            parsed = read_consent(resource, deployment=self.deployment)
            followed = dependencies([parsed]).followed
            consent_names.add(transaction, self.blind, key, followed)

    def _tie(self, transaction: Transaction, reference: str, device: Resource) -> None:
        """Record to what a device belongs, and what it is."""
        parents = device_links.parents_in(device, self.deployment.own_bases)
        device_ties.put_parents(transaction, reference, parents)
        if device["resourceType"] == "Device":
            found = units.hashes_of(self.blind, device)
            device_ties.add_units(transaction, reference, found)

    def _note_changes(
        self, transaction: Transaction, resource: Resource, stored: Stored
    ) -> None:
        type_, key = resource["resourceType"], stored.patient_key
        if type_ == "Consent":
            patients.consent_changed(transaction, key)
        elif type_ in TOPOLOGY:
            patients.topology_changed(transaction, key)
        elif type_ in MEMBERSHIP:
            patients.topology_changed(transaction, SHARED)
        if type_ == "Device":
            units.register(transaction, self.blind, key, stored.row, resource)
        consent_names.changed(transaction, self.blind, f"{type_}/{resource['id']}")

    def _unindex(self, transaction: Transaction, old: Stored) -> None:
        resource, described = self._again(transaction, old)
        if resource["resourceType"] == "Device":
            units.unregister(
                transaction, self.blind, old.patient_key, old.row, resource
            )
        indexed = self.index(transaction, resource, described, old.patient_key, old.row)
        if indexed.entry is not None:
            observations.remove(transaction, indexed.entry)
        else:
            resources.remove_indexes(transaction, old)
        self.index_sets.remove_own(
            transaction, old.patient_key, old.row, indexed.entries
        )
        concepts.remove_row_codings(
            transaction, old.patient_key, old.row, indexed.codings
        )
        if resource["resourceType"] == "Provenance":
            authorship.remove(transaction, old.row)
        mentions.remove(
            transaction,
            mentions.rows_of(self.blind, old.patient_key, old.row, indexed.mentions),
        )


def managing_organization(patient: Resource) -> str | None:
    """Return `Patient.managingOrganization` as a relative reference."""
    reference = (patient.get("managingOrganization") or {}).get("reference")
    return reference if isinstance(reference, str) else None


def codings_of(concept: Any) -> list[Coding]:
    """Return (system, code) of a CodeableConcept's codings that have a code."""
    if not isinstance(concept, Mapping):
        return []
    return [
        (coding.get("system", ""), coding["code"])
        for coding in concept.get("coding", ())
        if "code" in coding
    ]


def category_codings(observation: Resource) -> list[Coding]:
    """Return the codings of every category."""
    return [
        coding
        for category in observation.get("category", ())
        for coding in codings_of(category)
    ]


def stamp(
    resource: Resource, found: Labels, *, id_: str, version: int, now_us: int
) -> dict[str, Any]:
    """Return the resource with its id, meta and labels.

    A client's labels may raise ours and are kept; its versionId and lastUpdated are
    replaced.
    """
    meta = dict(labels.labelled(resource, found).get("meta") or {})
    meta.update(versionId=str(version), lastUpdated=fhir_instant(now_us))
    ordered = {name: meta[name] for name in _META if name in meta}
    stamped = {
        "resourceType": resource["resourceType"],
        "id": id_,
        "meta": {**ordered, **meta},
    }
    stamped.update(
        (name, value) for name, value in resource.items() if name not in stamped
    )
    return stamped


_META = ("id", "extension", "versionId", "lastUpdated", "source", "profile", "security")
"""The elements of Meta in FHIR's order; `tag` is the last."""
