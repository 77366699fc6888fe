"""The indexes of one version: what they shall hold, put in and taken out in step.

What search finds, what a consent may ask for beside the signature, and what depends
on the resource: authors, devices, whose decisions are to be taken again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from consent import device_links
from consent.dependencies import dependencies
from consent.provisions import read as read_consent
from consent.signature import Description
from fhir_service.search.postings import Entries
from fhir_service.storage import (
    authorship,
    concepts,
    consent_names,
    device_ties,
    mentions,
    observations,
    patients,
    resources,
    tokens,
    types,
    units,
)
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.concepts import Coding
from fhir_service.storage.elements import codings_of
from fhir_service.storage.engine import Transaction
from fhir_service.storage.observations import Entry
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signatures
from fhir_service.storage.tables import SHARED

Resource = Mapping[str, Any]

TOPOLOGY = frozenset({"CareTeam", "Device", "DeviceMetric"})
"""Types whose changes may change what a consent that names one of them covers."""

MEMBERSHIP = frozenset(
    {"Group", "HealthcareService", "Organization", "Practitioner", "PractitionerRole"}
)
"""Types whose changes may change what a requester is called, whoever's they are."""


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


class Findable(authorship.Reader, Protocol):
    """Says what search finds in a resource; the repository does."""

    blind: BlindIndex
    concepts: concepts.Concepts
    signatures: Signatures

    def tokens(self, resource: Resource) -> list[tuple[str, bytes]]:
        """Return the parameters and keyed hashes of what is searched as it stands."""


def index(  # noqa: PLR0913, PLR0917 - what a version is indexed by
    transaction: Transaction,
    store: Findable,
    resource: Resource,
    described: Description,
    found: Entries,
    patient_key: int,
    row: int,
) -> Indexed:
    """Return what the indexes shall hold of a version, interning what is new."""
    type_ = resource["resourceType"]
    type_id = types.number_of(type_)
    code_key = store.concepts.intern(transaction, codings_of(resource.get("code")))
    signature_id = store.signatures.intern(
        transaction, patient_key, type_id, code_key, described.facets
    )
    set_id = store.index_sets.intern(transaction, patient_key, type_id, found.shared)
    entry = None
    if type_ == "Observation" and patient_key != SHARED:
        start, end = tokens.effective_range(resource, store.deployment.zone)
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


def add(
    transaction: Transaction,
    store: Findable,
    resource: Resource,
    stored: Stored,
    indexed: Indexed,
) -> None:
    """Put a new version into every index, and tell whose decisions it changes."""
    add_to_search(transaction, store, stored, indexed)
    if indexed.entry is None:
        resources.add_tokens(transaction, stored, store.tokens(resource))
    concepts.add_row_codings(
        transaction, stored.patient_key, stored.row, indexed.codings
    )
    add_links(transaction, store, resource, stored, indexed)
    _note_changes(transaction, store, resource, stored)


def add_to_search(
    transaction: Transaction, store: Findable, stored: Stored, indexed: Indexed
) -> None:
    """Let search find a version."""
    if indexed.entry is not None:
        observations.add(transaction, [indexed.entry])
    else:
        resources.add_record(transaction, stored)
    store.index_sets.add_own(
        transaction, stored.patient_key, stored.row, indexed.entries
    )


def add_links(
    transaction: Transaction,
    store: Findable,
    resource: Resource,
    stored: Stored,
    indexed: Indexed,
) -> None:
    """Record what the resource refers to, as far as a consent may ask for it."""
    type_ = resource["resourceType"]
    key, row = stored.patient_key, stored.row
    if indexed.mentions:
        mentions.add(
            transaction, mentions.rows_of(store.blind, key, row, indexed.mentions)
        )
    if type_ in device_links.TYPES:
        _tie(transaction, store, f"{type_}/{resource['id']}", resource)
    elif type_ == "Provenance":
        authorship.put(transaction, store, resource, stored)
    elif type_ == "Consent":
        parsed = read_consent(resource, deployment=store.deployment)
        followed = dependencies([parsed]).followed
        consent_names.add(transaction, store.blind, key, followed)


def _tie(
    transaction: Transaction, store: Findable, reference: str, device: Resource
) -> None:
    """Record to what a device belongs, and what it is."""
    parents = device_links.parents_in(device, store.deployment.own_bases)
    device_ties.put_parents(transaction, reference, parents)
    if device["resourceType"] == "Device":
        found = units.hashes_of(store.blind, device)
        device_ties.add_units(transaction, reference, found)


def _note_changes(
    transaction: Transaction, store: Findable, resource: Resource, stored: Stored
) -> None:
    type_ = resource["resourceType"]
    if type_ == "Device":
        key, row = stored.patient_key, stored.row
        units.register(transaction, store.blind, key, row, resource)
    note_changed(transaction, store, type_, resource["id"], stored.patient_key)


def note_changed(
    transaction: Transaction, store: Findable, type_: str, id_: str, key: int
) -> None:
    """Tell whose decisions have to be taken again when such a resource changes."""
    if type_ == "Consent":
        patients.consent_changed(transaction, key)
    elif type_ in TOPOLOGY:
        patients.topology_changed(transaction, key)
    elif type_ in MEMBERSHIP:
        patients.topology_changed(transaction, SHARED)
    consent_names.changed(transaction, store.blind, f"{type_}/{id_}")


def remove(
    transaction: Transaction,
    store: Findable,
    resource: Resource,
    old: Stored,
    indexed: Indexed,
) -> None:
    """Take a version out of every index."""
    key, row = old.patient_key, old.row
    if resource["resourceType"] == "Device":
        units.unregister(transaction, store.blind, key, row, resource)
    if indexed.entry is not None:
        observations.remove(transaction, indexed.entry)
    else:
        resources.remove_indexes(transaction, old)
    store.index_sets.remove_own(transaction, key, row, indexed.entries)
    concepts.remove_row_codings(transaction, key, row, indexed.codings)
    if resource["resourceType"] == "Provenance":
        authorship.remove(transaction, row)
    mentions.remove(
        transaction, mentions.rows_of(store.blind, key, row, indexed.mentions)
    )
