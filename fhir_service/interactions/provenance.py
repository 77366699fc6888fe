"""Provenance of every delivery and of every write, rendered when it is asked for.

What was written in a batch of one patient, under one signature and by one activity,
has one Provenance; of those versions, it names what the reader may see. One of which
nothing may be seen is as if it had never been.

https://hl7.org/fhir/R4/provenance.html
"""

from collections.abc import Iterator, Sequence

from conformance import definitions, fhir_json
from conformance.definitions import is_resource_type
from fhir_service.access import admits, within
from fhir_service.exchange import Exchange
from fhir_service.interactions.provenance_id import part_of
from fhir_service.interactions.provenance_rendering import Rendered, Renderer
from fhir_service.search.criteria import (
    Condition,
    Criterion,
    ReferenceValue,
    TokenValue,
)
from fhir_service.search.matching import matches
from fhir_service.storage import batches
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.resources import Stored

_TARGETS = frozenset({"patient", "target"})
"""Search parameters that name what a Provenance is about."""


def record(exchange: Exchange, transaction: Transaction) -> int:
    """Return the number of the batch that all writes of a transaction belong to.

    It is asked for before the first of their rows is made or reserved.
    """
    if exchange.batch is not None and exchange.batch[0] is transaction:
        return exchange.batch[1]
    grant = exchange.who
    number = batches.add(
        transaction,
        received_us=exchange.now_us,
        client_id=grant.client_id,
        organization=grant.organization,
        person=grant.user,
    )
    exchange.batch = (transaction, number)
    return number


def targeting(
    exchange: Exchange, snapshot: Snapshot, rows: Sequence[Stored]
) -> list[Rendered]:
    """Return the Provenances of these current versions and of those before them.

    Each names one of the resources asked for: a hidden version is not told of by what
    was written with it. None is returned where no scope admits the search.
    """
    rows = [
        stored
        for stored in rows
        if _is_admitted(exchange, snapshot, stored.patient_key, "search-type")
    ]
    asked = {stored.row for stored in rows}
    parts = dict.fromkeys(
        part for stored in rows for part in batches.parts_of(snapshot, stored)
    )
    renderer = Renderer(exchange, snapshot)
    found = [renderer.of(part) for part in parts]
    return [one for one in found if one is not None and asked & one.rows]


def of_target(
    exchange: Exchange, snapshot: Snapshot, type_: str, id_: str
) -> list[Rendered]:
    """Return the Provenances of every version of one resource that may be seen."""
    if not is_resource_type(type_):
        return []
    stored = exchange.services.repository.read(snapshot, type_, id_)
    return [] if stored is None else targeting(exchange, snapshot, [stored])


def of_id(exchange: Exchange, snapshot: Snapshot, id_: str) -> Rendered | None:
    """Return the Provenance of an id; None where it is absent, hidden or made up.

    The caller has asked whether a scope allows to read, or to search.
    """
    part = part_of(exchange.services.repository.blind, id_)
    if part is None:
        return None
    found = Renderer(exchange, snapshot).of(part)
    if found is None:
        exchange.reason = "consent"
        return None
    key = found.patient_key
    if not _is_admitted(exchange, snapshot, key, "read", "search-type"):
        return None
    exchange.about(snapshot, key)
    return found


def searched(
    exchange: Exchange, snapshot: Snapshot, conditions: Sequence[Condition]
) -> list[Rendered]:
    """Return the rendered Provenances that meet every condition of a search.

    One of the conditions names them, by `target`, `patient` or `_id`; without it, and
    by chains, none is found: they are in no index. Each is compared with all others.
    """
    criteria = [one for one in conditions if isinstance(one, Criterion)]
    if len(criteria) < len(conditions):
        return []
    place = exchange.services.repository.deployment
    found: dict[str, Rendered] = {}
    for criterion in criteria:
        for one in _named(exchange, snapshot, criterion):
            found[one.id] = one
    return [
        one
        for one in found.values()
        if all(
            matches(
                criterion,
                fhir_json.loads_object(one.body),
                zone=place.zone,
                base_urls=place.own_bases,
            )
            for criterion in criteria
        )
    ]


def _named(
    exchange: Exchange, snapshot: Snapshot, criterion: Criterion
) -> Iterator[Rendered]:
    """Yield what one condition names; nothing for one that compares."""
    if criterion.modifier is not None:
        return
    code = criterion.parameter.code
    for value in criterion.values:
        if code == "_id" and isinstance(value, TokenValue) and value.code:
            found = of_id(exchange, snapshot, value.code)
            yield from () if found is None else (found,)
        elif code in _TARGETS and isinstance(value, ReferenceValue) and value.id:
            types = (value.type,) if value.type else _types_of(code)
            for type_ in types:
                yield from of_target(exchange, snapshot, type_, value.id)


def _types_of(code: str) -> Sequence[str]:
    """Return the types that a bare id may be an id of."""
    return ("Patient",) if code == "patient" else definitions.type_names()


def _is_admitted(
    exchange: Exchange, snapshot: Snapshot, key: int, *interactions: str
) -> bool:
    """Whether a scope for one of these interactions admits what has no category."""
    scopes = exchange.who.scopes
    owner = exchange.services.gate.owner(snapshot, key)
    return any(
        admits(within(scopes.allows("Provenance", interaction) or (), owner), ())
        for interaction in interactions
    )
