"""Update: the next version of a resource, by its id or by the one search that finds it.

Where the operator allows it, an update creates what does not exist. An id that is
taken by what the client may not see is then still answered as not found.

https://hl7.org/fhir/R4/http.html#update
https://hl7.org/fhir/R4/http.html#cond-update
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Exchange
from fhir_service.interactions.attribution import (
    acts_for_custodian,
    refuse_move,
    refuse_other_key,
)
from fhir_service.interactions.conditional import (
    id_of,
    match_version,
    only_match,
    refuse_conditions,
)
from fhir_service.interactions.consent_filing import amended
from fhir_service.interactions.consent_text import with_text
from fhir_service.interactions.create import create_in
from fhir_service.interactions.membership import refuse_own_change
from fhir_service.interactions.provenance import record
from fhir_service.interactions.received import received, refuse_other_id
from fhir_service.interactions.write import (
    CREATED,
    OK,
    admitted,
    answer,
    begin,
    logged,
    noted,
    refuse_out_of_scope,
    visible,
)
from fhir_service.rest.message import Response
from fhir_service.storage import programs, rows
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Written, managing_organization
from fhir_service.storage.resources import Stored

Resource = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Updated:
    """What an update came to.

    Attributes:
        written: The version stored.
        is_new: Whether the resource did not exist, or was deleted, before.

    """

    written: Written
    is_new: bool

    @property
    def status(self) -> int:
        """The HTTP status (§3.1.0.4)."""
        return CREATED if self.is_new else OK


def update(exchange: Exchange, type_: str, id_: str) -> Response:
    """Store the next version of a resource that the client may see.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `conflict` where a
            condition fails, `business-rule` where the patient would change.

    """
    begin(exchange, type_, "update")
    refuse_conditions(exchange.request, "if-match", "if-none-match")
    resource = received(exchange, type_)
    refuse_other_id(resource, id_)
    headers = exchange.request.headers

    def work(transaction: Transaction) -> Updated:
        done = update_in(
            exchange,
            transaction,
            type_,
            id_,
            resource,
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
        )
        logged(exchange, transaction, done.status)
        return done

    done = exchange.services.database.write(work)
    return answer(exchange, done.written, done.status)


def update_where(exchange: Exchange, type_: str) -> Response:
    """Update the one resource that matches the query; create where none does.

    Raises:
        FHIRError: `multiple-matches` where several match; what `update` raises.

    """
    begin(exchange, type_, "update", "search-type")
    refuse_conditions(exchange.request, "if-match")
    resource = received(exchange, type_)
    request = exchange.request

    def work(transaction: Transaction) -> Updated:
        done = conditional_update_in(
            exchange,
            transaction,
            type_,
            request.query,
            resource,
            if_match=request.headers.get("if-match"),
        )
        logged(exchange, transaction, done.status)
        return done

    done = exchange.services.database.write(work)
    return answer(exchange, done.written, done.status)


def update_in(  # noqa: PLR0913 - the parts of an update, its two conditions by name
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    id_: str,
    resource: Resource,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> Updated:
    """Store the next version of a resource, prepared, whose id is `id_`.

    Raises:
        FHIRError: as `update`.

    """
    refuse_other_id(resource, id_)
    if if_match is None and _may_be_made(exchange, transaction, type_, id_):
        refuse_out_of_scope(exchange, resource, "update")
        written = create_in(exchange, transaction, resource, id_=id_)
        return Updated(written=written, is_new=True)
    old = visible(exchange, transaction, type_, id_, "update")
    match_version(old, if_match, if_none_match)
    if old.deleted:
        refuse_out_of_scope(exchange, resource, "create")
    return Updated(
        written=replace_in(exchange, transaction, old, resource),
        is_new=bool(old.deleted),
    )


def replace_in(
    exchange: Exchange, transaction: Transaction, old: Stored, resource: Resource
) -> Written:
    """Store a prepared resource as the version after `old`, which may be seen.

    Raises:
        FHIRError: what `write.admitted` raises; `business-rule` where the patient
            or a membership of the client's own would change, `not-supported` where an
            Organization's whole would.

    """
    refuse_move(exchange, transaction, old, resource)
    key = admitted(exchange, transaction, resource, "update")
    refuse_other_key(old, key, resource)
    keep = _KEPT.get(resource["resourceType"])
    if keep is not None:
        keep(exchange, transaction, old, resource)
    refuse_own_change(exchange, transaction, old, resource)
    if resource["resourceType"] == "Consent":
        resource = amended(exchange, transaction, old, resource)
    resource = _labelled_on(exchange, transaction, old, resource)
    written = exchange.services.repository.update(
        transaction,
        old,
        with_text(exchange, transaction, resource),
        id_=resource["id"],
        batch_id=record(exchange, transaction),
    )
    return noted(exchange, transaction, written)


def _labelled_on(
    exchange: Exchange, transaction: Transaction, old: Stored, resource: Resource
) -> Resource:
    """Return the next version with the labels that no client lowers."""
    repository = exchange.services.repository
    return programs.as_amended(
        repository,
        transaction,
        exchange.who.organization,
        fhir_json.loads(repository.body(transaction, old)),
        resource,
    )


def conditional_update_in(  # noqa: PLR0913 - the parts of an update, its condition by name
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    query: str,
    resource: Resource,
    *,
    if_match: str | None = None,
) -> Updated:
    """Store a prepared resource over the one that matches, or as a new one.

    Raises:
        FHIRError: `multiple-matches` where several match, `invalid` where the body
            has another id than the match, what `update_in` raises.

    """
    old = only_match(exchange, transaction, type_, query)
    if old is None:
        return _unmatched(exchange, transaction, type_, resource, if_match)
    id_ = id_of(exchange, transaction, old)
    named = {**resource, "id": resource.get("id", id_)}
    return update_in(exchange, transaction, type_, id_, named, if_match=if_match)


def _unmatched(
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    resource: Resource,
    if_match: str | None,
) -> Updated:
    """Create what no search found; under the id in the body where that is allowed."""
    if if_match is not None:
        raise FHIRError(IssueType.NOT_FOUND, f"No {type_} matches the condition.")
    id_ = resource.get("id")
    if id_ is not None and not _may_be_made(exchange, transaction, type_, id_):
        raise FHIRError(
            IssueType.CONFLICT,
            "No resource that matches has this id, and it cannot be given to one.",
            f"{type_}.id",
        )
    written = create_in(exchange, transaction, resource, id_=id_)
    return Updated(written=written, is_new=True)


def _may_be_made(
    exchange: Exchange, transaction: Transaction, type_: str, id_: str
) -> bool:
    """Whether an update may create `id_`: allowed, free, and not such as ours.

    Ids of our own form are never given by clients; so nobody learns by trying whether
    one of them is hidden or free.
    """
    return (
        exchange.services.update_creates
        and rows.row_of(id_) is None
        and id_ not in _PATH_IDS
        and exchange.services.repository.read(transaction, type_, id_) is None
    )


_PATH_IDS = frozenset({".", ".."})
"""Ids that the path of a URL cannot hold."""


def _keeps_custody(
    exchange: Exchange, transaction: Transaction, old: Stored, new: Resource
) -> None:
    """Refuse that anybody but the custodian hands a patient over.

    Raises:
        FHIRError: `business-rule`.

    """
    state = exchange.services.gate.state(transaction, old.patient_key)
    if managing_organization(new) == state.organization:
        return
    if not acts_for_custodian(exchange, state):
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            "Only the managing organization hands a patient over.",
            "Patient.managingOrganization",
        )


def _keeps_whole(
    exchange: Exchange, transaction: Transaction, old: Stored, new: Resource
) -> None:
    """Refuse that an organization becomes a part of another one.

    What names the whole permits its parts; so a client could permit itself.

    Raises:
        FHIRError: `not-supported`.

    """
    body = fhir_json.loads(exchange.services.repository.body(transaction, old))
    if new.get("partOf") != body.get("partOf"):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "Organization.partOf is set when the Organization is created.",
            "Organization.partOf",
        )


_KEPT = {"Patient": _keeps_custody, "Organization": _keeps_whole}
"""Type → what an update must leave as it is."""
