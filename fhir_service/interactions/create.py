"""Create: a new resource under an id of ours, also only where none exists yet.

https://hl7.org/fhir/R4/http.html#create
https://hl7.org/fhir/R4/http.html#ccreate
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Exchange
from fhir_service.interactions.conditional import (
    condition_of,
    id_of,
    only_match,
    refuse_conditions,
)
from fhir_service.interactions.consent_filing import filed
from fhir_service.interactions.consent_text import with_text
from fhir_service.interactions.membership import refuse_own_place
from fhir_service.interactions.provenance import record
from fhir_service.interactions.received import received
from fhir_service.interactions.write import (
    CREATED,
    OK,
    admitted,
    answer,
    begin,
    logged,
    noted,
)
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters
from fhir_service.storage import programs, rows
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Written
from fhir_service.storage.resources import Stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Created:
    """What a conditional create came to.

    Attributes:
        written: The resource, new or found.
        is_new: Whether it was stored; else it existed, and nothing was.

    """

    written: Written
    is_new: bool

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CREATED if self.is_new else OK


def create(exchange: Exchange, type_: str, *, id_: str | None = None) -> Response:
    """Store a new resource; under `If-None-Exist` only where none matches.

    Args:
        exchange: The request.
        type_: The resource type.
        id_: The id, which only the service's own commands choose.

    Raises:
        FHIRError: with every issue that validation found, with the place;
            `multiple-matches` where more than one resource matches.

    """
    header = exchange.request.headers.get("if-none-exist")
    begin(exchange, type_, "create", *(() if header is None else ("search-type",)))
    refuse_conditions(exchange.request, "if-none-exist")
    resource = received(exchange, type_)
    _refuse_query(exchange)

    def work(transaction: Transaction) -> Created:
        if header is None:
            written = create_in(exchange, transaction, resource, id_=id_)
            done = Created(written=written, is_new=True)
        else:
            query = condition_of(header, type_)
            done = create_if_none_in(exchange, transaction, resource, query)
        logged(exchange, transaction, done.status)
        return done

    done = exchange.services.database.write(work)
    return answer(exchange, done.written, done.status)


_FORMAT = frozenset({"_format", "_pretty"})


def _refuse_query(exchange: Exchange) -> None:
    """Refuse a condition in the URL: ignoring it would store a second one.

    Raises:
        FHIRError: `not-supported`.

    """
    if any(name not in _FORMAT for name, _ in parameters(exchange.request)):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "The condition of a create is sent in the header If-None-Exist.",
        )


def create_in(
    exchange: Exchange,
    transaction: Transaction,
    resource: Mapping[str, Any],
    *,
    id_: str | None = None,
) -> Written:
    """Store the first version of a prepared resource.

    Args:
        exchange: The request; authenticated.
        transaction: Where it is stored.
        resource: What `received.prepare` has passed; its own id is not kept.
        id_: An id that the client or the service has chosen; None for the next one.

    Raises:
        FHIRError: what `write.admitted` raises; `business-rule` where, under an id of
            a client's choice, somebody of its own would become a member.

    """
    unnamed = {name: value for name, value in resource.items() if name != "id"}
    key = admitted(exchange, transaction, unnamed, "create")
    if id_ is not None and rows.row_of(id_) is None:
        named = {**resource, "id": id_}
        refuse_own_place(exchange, transaction, key, named)
    if resource["resourceType"] == "Consent":
        resource = filed(exchange, transaction, key, resource)
    resource = programs.as_written(
        exchange.services.repository, transaction, exchange.who.organization, resource
    )
    written = exchange.services.repository.create(
        transaction,
        with_text(exchange, transaction, resource),
        patient_key=key,
        id_=id_,
        batch_id=record(exchange, transaction),
    )
    return noted(exchange, transaction, written)


def create_if_none_in(
    exchange: Exchange,
    transaction: Transaction,
    resource: Mapping[str, Any],
    query: str,
) -> Created:
    """Store a prepared resource, or return the one that matches `query`.

    Raises:
        FHIRError: what `create_in` and `conditional.only_match` raise.

    """
    existing = only_match(exchange, transaction, resource["resourceType"], query)
    if existing is None:
        written = create_in(exchange, transaction, resource)
        return Created(written=written, is_new=True)
    return Created(written=found(exchange, transaction, existing), is_new=False)


def found(exchange: Exchange, transaction: Transaction, existing: Stored) -> Written:
    """Return what exists as if it had been written; its disclosure is audited."""
    decided = exchange.services.gate.of_row(transaction, exchange.who, existing)
    exchange.about(transaction, existing.patient_key)
    exchange.patients += decided.patients
    exchange.basis = decided.basis
    exchange.disclosed.append(existing.seq)
    return Written(
        type=exchange.resource_type,
        id=id_of(exchange, transaction, existing),
        stored=existing,
        body=exchange.services.repository.body(transaction, existing),
    )
