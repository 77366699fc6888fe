"""Whom the Provenances of a row name: stored ones, and those rendered for a batch.

https://hl7.org/fhir/R4/provenance-definitions.html#Provenance.agent.who
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, insert, select

from conformance import fhir_json
from conformance.definitions import is_resource_type
from consent.authors import authorship, organizations
from consent.references import Deployment
from fhir_service.storage import types
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.index_sets import IndexSets
from fhir_service.storage.naming import naming
from fhir_service.storage.resources import Stored
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    ingest_batch,
    provenance_agent,
    resource,
    resource_history,
)

MOST_ROLES = 1_000
"""Roles of the authors of one resource that are looked at."""

_TOLD_BY_ITSELF = frozenset({"Device", "PractitionerRole"})

_ADD = Statement(
    insert(provenance_agent).values(**columns_of(["agent", "type", "id", "row"]))
)
_REMOVE = Statement(
    delete(provenance_agent).where(provenance_agent.c.row == bindparam("of"))
)
_KNOWN = Statement(
    select(provenance_agent.c.agent)
    .where(provenance_agent.c.row == bindparam("of"))
    .limit(1)
)
_NAMED = Statement(
    select(provenance_agent.c.agent).where(
        provenance_agent.c.type == bindparam("type"),
        provenance_agent.c.id == bindparam("id"),
    )
)
_OF_BATCHES = tuple(
    Statement(
        select(ingest_batch.c.organization, ingest_batch.c.person)
        .select_from(
            table.join(ingest_batch, ingest_batch.c.batch_id == table.c.batch_id)
        )
        .where(table.c.row == bindparam("key"))
    )
    for table in (resource, resource_history)
)


class Reader(Protocol):
    """What of the repository is needed to read who belongs to whom."""

    deployment: Deployment
    index_sets: IndexSets

    def read(self, snapshot: Snapshot, type_: str, id_: str) -> Stored | None:
        """Return the current version."""

    def body(self, snapshot: Snapshot, version: Stored) -> bytes:
        """Return the JSON of a version."""


def put(
    transaction: Transaction,
    reader: Reader,
    provenance: Mapping[str, Any],
    stored: Stored,
) -> None:
    """Record whom a stored Provenance names, and the organizations of that time.

    What is known of it already stays: an index that is made anew does not know what
    was so then.
    """
    if transaction.one(_KNOWN, of=stored.row) is not None:
        return
    place = reader.deployment
    said = authorship(provenance, place)
    told = belonging(transaction, reader, said.agents)
    at_us = stored.last_updated if said.at_us is None else said.at_us
    agents = said.agents | organizations(said.agents, told, place, at_us)
    for agent in sorted(agents):
        for reference in sorted(said.targets):
            type_, _, id_ = reference.partition("/")
            if is_resource_type(type_):
                transaction.run(
                    _ADD,
                    agent=agent,
                    type=types.number_of(type_),
                    id=id_,
                    row=stored.row,
                )


def belonging(
    snapshot: Snapshot, reader: Reader, names: Iterable[str]
) -> list[Mapping[str, Any]]:
    """Return the roles and Devices that may say to whom these authors belong.

    Of a Device, just what says so.
    """
    found: list[Stored] = []
    hashes: list[int] = []
    for name in names:
        type_, _, id_ = name.partition("/")
        if type_ in _TOLD_BY_ITSELF:
            stored = reader.read(snapshot, type_, id_)
            found += [] if stored is None or stored.deleted else [stored]
        elif type_ == "Practitioner":
            hashes.append(reader.index_sets.hash_once(("practitioner", "to", name)))
    if hashes:
        role = types.number_of("PractitionerRole")
        found += naming(snapshot, role, hashes, MOST_ROLES)
    return [
        _telling(fhir_json.loads_object(reader.body(snapshot, one))) for one in found
    ]


def _telling(resource: dict[str, Any]) -> dict[str, Any]:
    if resource["resourceType"] != "Device":
        return resource
    return {name: resource[name] for name in _OF_DEVICE if name in resource}


_OF_DEVICE = ("resourceType", "id", "owner")


def remove(transaction: Transaction, row: int) -> None:
    """Forget whom a Provenance names."""
    transaction.run(_REMOVE, of=row)


def authors_of(snapshot: Snapshot, type_id: int, id_: str, row: int) -> frozenset[str]:
    """Return every agent that a Provenance of the row names, of whichever version."""
    found = {agent for (agent,) in snapshot.all(_NAMED, type=type_id, id=id_)}
    for statement in _OF_BATCHES:
        for organization, person in snapshot.all(statement, key=row):
            found |= {organization, person}
    return frozenset(agent for agent in found if agent is not None)
