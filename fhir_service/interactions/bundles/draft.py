"""A transaction before it begins: what it stores, valid, and in which order.

All that needs no database is done here, for others wait while a transaction writes.
What the service has yet to choose, such as the ids of what is created, stands in the
drafts as a placeholder.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_service.exchange import Exchange
from fhir_service.interactions.bundles.entries import Entry, read_entry
from fhir_service.interactions.bundles.parts import told_at
from fhir_service.interactions.bundles.patch import patch_in_binary
from fhir_service.interactions.bundles.plan import ordered, refuse_unwritten
from fhir_service.interactions.bundles.references import (
    Meaning,
    Names,
    meaning_of,
    rewritten,
    rewritten_operations,
)
from fhir_service.interactions.bundles.writes import authorize
from fhir_service.interactions.json_patch import operations_of
from fhir_service.interactions.received import prepare

PLACEHOLDER = "0"
"""The id, while a draft is validated, of what has none yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What an entry stores, as far as it is known before.

    Attributes:
        resource: As it was sent; of a patch and of a deletion, nothing.
        operations: Of a patch.
        needs: Entries that it refers to.
        is_final: Whether nothing in it has yet to be rewritten.

    """

    resource: dict[str, Any]
    operations: Sequence[Mapping[str, Any]]
    needs: tuple[int, ...]
    is_final: bool

    def meant(self, meaning: Meaning) -> "Draft":
        """Return the same with what its references mean."""
        if self.is_final:
            return self
        return Draft(
            resource=rewritten(self.resource, meaning),
            operations=rewritten_operations(self.operations, meaning),
            needs=self.needs,
            is_final=True,
        )


NOTHING = Draft(resource={}, operations=(), needs=(), is_final=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A transaction that can begin.

    Attributes:
        entries: In the order in which they were sent.
        names: What they call each other.
        drafts: Index → what is stored.
        order: The entries in the order in which they are done.

    """

    entries: Sequence[Entry]
    names: Names
    drafts: Mapping[int, Draft]
    order: Sequence[Entry]

    @property
    def writes(self) -> bool:
        """Whether anything is written."""
        return any(entry.writes for entry in self.entries)


def plan_of(exchange: Exchange, raw: Sequence[Mapping[str, Any]]) -> Plan:
    """Return the plan of a transaction.

    Raises:
        FHIRError: `forbidden` where no scope allows one of the writes; what makes an
            entry impossible or its resource invalid, with the place.

    """
    bases = exchange.services.repository.deployment.own_bases
    entries = [read_entry(one, index, bases) for index, one in enumerate(raw)]
    refuse_unwritten(entries)
    writes = [entry for entry in entries if entry.writes]
    for entry in writes:
        with told_at(entry):
            authorize(exchange, entry)
    names = Names(entries, bases)
    drafts = {}
    for entry in writes:
        with told_at(entry):
            drafts[entry.index] = _draft(exchange, entry, names)
    order = ordered(entries, {index: draft.needs for index, draft in drafts.items()})
    return Plan(entries=entries, names=names, drafts=drafts, order=order)


def _draft(exchange: Exchange, entry: Entry, names: Names) -> Draft:
    """Return the draft of an entry, validated with placeholders in it."""
    if entry.resource is None:
        return NOTHING
    needed: dict[int, None] = {}
    searched: list[str] = []

    def become(other: Entry) -> str:
        needed[other.index] = None
        return f"{other.target.type}/{other.target.id or PLACEHOLDER}"

    def search(type_: str, query: str) -> str:
        searched.append(query)
        return f"{type_}/{PLACEHOLDER}"

    if entry.method != "PATCH" and not names.may_be_in(entry.resource):
        prepare(exchange, entry.target.type, entry.resource)
        return Draft(resource=entry.resource, operations=(), needs=(), is_final=True)
    meaning = meaning_of(names, entry, become, search)
    if entry.method == "PATCH":
        operations = operations_of(patch_in_binary(entry.resource))
        sent = Draft(resource={}, operations=operations, needs=(), is_final=False)
    else:
        sent = Draft(resource=entry.resource, operations=(), needs=(), is_final=False)
    meant = sent.meant(meaning)
    if entry.method != "PATCH":
        prepare(exchange, entry.target.type, meant.resource)
    return Draft(
        resource=sent.resource,
        operations=sent.operations,
        needs=tuple(needed),
        is_final=not needed and not searched,
    )
