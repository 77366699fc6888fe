"""Patch: a JSON Patch applied to the current version, then held to what an update is.

A patch looks at what is there, so it takes the right to read besides that to update.
FHIRPath Patch is refused by name.

https://hl7.org/fhir/R4/http.html#patch
"""

from collections.abc import Callable, Sequence
from typing import Any

from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Exchange
from fhir_service.interactions.conditional import (
    id_of,
    match_version,
    only_match,
    refuse_conditions,
)
from fhir_service.interactions.json_patch import Operation, operations_of, patched
from fhir_service.interactions.received import (
    prepare,
    refuse_other_id,
    refuse_unwritable,
)
from fhir_service.interactions.update import replace_in
from fhir_service.interactions.write import OK, answer, begin, logged, visible
from fhir_service.rest.content import JSON, JSON_PATCH, refuse_other_bodies
from fhir_service.rest.lists import members
from fhir_service.rest.message import Request, Response
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.repository import Written
from fhir_service.storage.resources import Stored

Find = Callable[[Snapshot], Stored]
"""Finds the version that is patched, or refuses."""


def patch(exchange: Exchange, type_: str, id_: str) -> Response:
    """Apply a JSON Patch to a resource that the client may see.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `deleted`, `conflict`
            where `If-Match` names another version, `processing` where an operation
            cannot be applied or its test fails; what an update raises.

    """
    begin(exchange, type_, "patch", "read")
    operations = _received(exchange.request, type_)
    if_match = exchange.request.headers.get("if-match")

    def find(snapshot: Snapshot) -> Stored:
        return _named(exchange, snapshot, type_, id_, if_match)

    return _answered(exchange, find, type_, operations)


def patch_where(exchange: Exchange, type_: str) -> Response:
    """Apply a JSON Patch to the one resource that matches the query.

    Raises:
        FHIRError: `not-found` where none matches, `multiple-matches` where several
            do; what `patch` raises.

    """
    begin(exchange, type_, "patch", "read", "search-type")
    operations = _received(exchange.request, type_)
    request = exchange.request

    def find(snapshot: Snapshot) -> Stored:
        if_match = request.headers.get("if-match")
        return _matched(exchange, snapshot, type_, request.query, if_match)

    return _answered(exchange, find, type_, operations)


def _answered(
    exchange: Exchange, find: Find, type_: str, operations: Sequence[Operation]
) -> Response:
    """Apply, validate and store a patch, and answer.

    What it comes to is worked out before the transaction, for others wait for the
    writer; there it is done again only where another version has come between.
    """
    with exchange.services.database.read() as snapshot:
        seen = find(snapshot)
        foreseen = _result(exchange, snapshot, type_, seen, operations)

    def work(transaction: Transaction) -> Written:
        old = find(transaction)
        resource = foreseen
        if (old.row, old.version) != (seen.row, seen.version):
            resource = _result(exchange, transaction, type_, old, operations)
        written = replace_in(exchange, transaction, old, resource)
        logged(exchange, transaction, OK)
        return written

    return answer(exchange, exchange.services.database.write(work), OK)


def patch_in(  # noqa: PLR0913 - the parts of a patch, its condition by name
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    id_: str,
    operations: Sequence[Operation],
    *,
    if_match: str | None = None,
) -> Written:
    """Store what `operations` make of the current version.

    Args:
        exchange: The request; authenticated.
        transaction: Where it is stored.
        type_: The resource type.
        id_: The resource.
        operations: What `json_patch.operations_of` returned.
        if_match: Tags of which one must be the current version.

    Raises:
        FHIRError: as `patch`.

    """
    old = _named(exchange, transaction, type_, id_, if_match)
    resource = _result(exchange, transaction, type_, old, operations)
    return replace_in(exchange, transaction, old, resource)


def conditional_patch_in(  # noqa: PLR0913 - the parts of a patch, its condition by name
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    query: str,
    operations: Sequence[Operation],
    *,
    if_match: str | None = None,
) -> Written:
    """Store what `operations` make of the one resource that matches `query`.

    Raises:
        FHIRError: as `patch_where`.

    """
    old = _matched(exchange, transaction, type_, query, if_match)
    resource = _result(exchange, transaction, type_, old, operations)
    return replace_in(exchange, transaction, old, resource)


def _named(
    exchange: Exchange, snapshot: Snapshot, type_: str, id_: str, if_match: str | None
) -> Stored:
    visible(exchange, snapshot, type_, id_, "read")
    old = visible(exchange, snapshot, type_, id_, "patch")
    match_version(old, if_match, None)
    if old.deleted:
        raise FHIRError(IssueType.DELETED, f"{type_}/{id_} was deleted.")
    return old


def _matched(
    exchange: Exchange, snapshot: Snapshot, type_: str, query: str, if_match: str | None
) -> Stored:
    old = only_match(exchange, snapshot, type_, query)
    if old is None:
        raise FHIRError(IssueType.NOT_FOUND, f"No {type_} matches the condition.")
    id_ = id_of(exchange, snapshot, old)
    return _named(exchange, snapshot, type_, id_, if_match)


def _result(
    exchange: Exchange,
    snapshot: Snapshot,
    type_: str,
    old: Stored,
    operations: Sequence[Operation],
) -> dict[str, Any]:
    """Return what `operations` make of a version, valid and under the same id."""
    resource = patched(exchange.services.repository.body(snapshot, old), operations)
    prepare(exchange, type_, resource)
    refuse_other_id(resource, id_of(exchange, snapshot, old))
    return resource


def _received(request: Request, type_: str) -> list[Operation]:
    refuse_unwritable(type_)
    refuse_conditions(request, "if-match")
    sent = members(request.headers.get("content-type", ""))
    if any(one.name in JSON for one in sent):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"FHIRPath Patch is not supported: send a JSON Patch as {JSON_PATCH[0]}.",
        )
    refuse_other_bodies(request, JSON_PATCH)
    return operations_of(request.body)
