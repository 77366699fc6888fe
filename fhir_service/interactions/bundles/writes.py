"""What an entry of a transaction does: a row a method.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consent.audit.entry import Interaction
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange
from fhir_service.interactions.bundles.entries import Entry
from fhir_service.interactions.bundles.plan import condition
from fhir_service.interactions.create import create_in, found
from fhir_service.interactions.delete import conditional_delete_in, delete_in
from fhir_service.interactions.json_patch import Operation
from fhir_service.interactions.patch import conditional_patch_in, patch_in
from fhir_service.interactions.update import conditional_update_in, update_in
from fhir_service.interactions.write import CREATED, NO_CONTENT, OK
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Written
from fhir_service.storage.resources import Stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One write of a transaction, ready to be done.

    Attributes:
        exchange: Of the entry.
        transaction: Where it is stored.
        entry: What is asked.
        resource: What is stored, its references rewritten.
        operations: Of a patch.
        existing: What the condition of a create or an update has matched.
        id: Of what is created.

    """

    exchange: Exchange
    transaction: Transaction
    entry: Entry
    resource: Mapping[str, Any]
    operations: Sequence[Operation]
    existing: Stored | None
    id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a write came to.

    Attributes:
        written: The version stored, or the one that was there.
        status: HTTP status.
        is_stored: Whether anything was.

    """

    written: Written
    status: int
    is_stored: bool = True


def _post(step: Step) -> Done:
    if step.existing is not None:
        there = found(step.exchange, step.transaction, step.existing)
        return Done(written=there, status=OK, is_stored=False)
    written = create_in(step.exchange, step.transaction, step.resource, id_=step.id)
    return Done(written=written, status=CREATED)


def _put(step: Step) -> Done:
    entry, exchange, transaction = step.entry, step.exchange, step.transaction
    type_, if_match = entry.target.type, entry.conditions.get("if-match")
    if entry.target.id is None and _is_new(step):
        require(exchange.who, type_, "update")
        written = create_in(exchange, transaction, step.resource, id_=step.id)
        return Done(written=written, status=CREATED)
    if entry.target.id is None:
        done = conditional_update_in(
            exchange,
            transaction,
            type_,
            entry.target.query,
            step.resource,
            if_match=if_match,
        )
    else:
        done = update_in(
            exchange,
            transaction,
            type_,
            entry.target.id,
            step.resource,
            if_match=if_match,
            if_none_match=entry.conditions.get("if-none-match"),
        )
    return Done(written=done.written, status=done.status)


def _is_new(step: Step) -> bool:
    """Whether an update whose condition matches nothing creates under an id of ours."""
    named = "id" in step.resource or "if-match" in step.entry.conditions
    return step.existing is None and not named


def _patch(step: Step) -> Done:
    target, if_match = step.entry.target, step.entry.conditions.get("if-match")
    if target.id is None:
        written = conditional_patch_in(
            step.exchange,
            step.transaction,
            target.type,
            target.query,
            step.operations,
            if_match=if_match,
        )
    else:
        written = patch_in(
            step.exchange,
            step.transaction,
            target.type,
            target.id,
            step.operations,
            if_match=if_match,
        )
    return Done(written=written, status=OK)


def _delete(step: Step) -> Done:
    target, if_match = step.entry.target, step.entry.conditions.get("if-match")
    if target.id is None:
        written = conditional_delete_in(
            step.exchange,
            step.transaction,
            target.type,
            target.query,
            if_match=if_match,
        )
    else:
        written = delete_in(
            step.exchange, step.transaction, target.type, target.id, if_match=if_match
        )
    return Done(written=written, status=NO_CONTENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """How a method writes.

    Attributes:
        interaction: What the audit calls it.
        needs: FHIR's codes of what a scope must allow for it.
        run: Does it.

    """

    interaction: Interaction
    needs: tuple[str, ...]
    run: Callable[[Step], Done]


WRITES: Mapping[str, Write] = {
    "DELETE": Write(interaction=Interaction.DELETE, needs=("delete",), run=_delete),
    "POST": Write(interaction=Interaction.CREATE, needs=("create",), run=_post),
    "PUT": Write(interaction=Interaction.UPDATE, needs=("update",), run=_put),
    "PATCH": Write(interaction=Interaction.PATCH, needs=("patch", "read"), run=_patch),
}
"""Method → how it writes."""


def authorize(exchange: Exchange, entry: Entry) -> None:
    """Refuse an entry that no scope allows.

    Raises:
        FHIRError: `forbidden`.

    """
    needs = WRITES[entry.method].needs
    for needed in (*needs, *(("search-type",) if condition(entry) else ())):
        require(exchange.who, entry.target.type, needed)
