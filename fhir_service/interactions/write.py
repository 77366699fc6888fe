"""What all writes share: what is admitted, what is seen, the audit and the answer.

Every check of a write comes before it stores anything.

https://hl7.org/fhir/R4/http.html#ops
"""

from collections.abc import Mapping
from typing import Any

from conformance import fhir_json
from conformance.classes import attribution
from conformance.issues import FHIRError, Issue, IssueType, Severity
from consent.audit.entry import Outcome
from consent.overlays import is_collected
from fhir_service.access import admits, within
from fhir_service.auth.bearer import InsufficientScope, require
from fhir_service.errors import operation_outcome
from fhir_service.exchange import Exchange, not_found, resource_response
from fhir_service.interactions.attribution import (
    is_seen,
    patient_key_of,
    refuse_unknown,
)
from fhir_service.interactions.read import version_headers
from fhir_service.rest.message import Header, Response
from fhir_service.rest.prefer import prefer
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.repository import Written, category_codings
from fhir_service.storage.resources import Stored


def begin(exchange: Exchange, type_: str, interaction: str, *others: str) -> None:
    """Authenticate a write, and refuse it where no scope allows it.

    Args:
        exchange: The request.
        type_: The type that the URL names.
        interaction: FHIR's code, such as `update`.
        others: Further interactions that it takes part in, such as `search-type`.

    Raises:
        FHIRError: `login` or `forbidden`.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
    for needed in (interaction, *others):
        require(grant, type_, needed)


def admitted(
    exchange: Exchange,
    transaction: Transaction,
    resource: Mapping[str, Any],
    interaction: str,
) -> int:
    """Return the key under which a resource is stored, if it may be.

    Raises:
        FHIRError: `forbidden` where no scope covers it, `business-rule` where it
            does not say whose it is, `suppressed` where it may not be collected.

    """
    refuse_out_of_scope(exchange, resource, interaction)
    key = patient_key_of(exchange, transaction, resource)
    if interaction == "create":
        refuse_unknown(exchange, transaction, resource, key)
    _refuse_uncollected(exchange, transaction, resource, key)
    return key


def refuse_out_of_scope(
    exchange: Exchange, resource: Mapping[str, Any], interaction: str
) -> None:
    """Refuse what no scope allows to be done with this resource.

    Raises:
        FHIRError: `forbidden`.

    """
    filters = require(exchange.who, resource["resourceType"], interaction)
    bases = exchange.services.repository.deployment.own_bases
    owner = (attribution(resource, bases) or "").removeprefix("Patient/")
    if not admits(within(filters, owner), category_codings(resource)):
        raise InsufficientScope


def _refuse_uncollected(
    exchange: Exchange,
    transaction: Transaction,
    resource: Mapping[str, Any],
    key: int,
) -> None:
    """Refuse device data that the patient has not agreed to have collected.

    Raises:
        FHIRError: `suppressed`, in words that are the same for every patient.

    """
    if not is_collected(resource):
        return
    if not exchange.services.gate.collects(transaction, exchange.who, key, resource):
        exchange.reason = "consent"
        raise FHIRError(
            IssueType.SUPPRESSED, "This patient's device data is not collected."
        )


def visible(
    exchange: Exchange, snapshot: Snapshot, type_: str, id_: str, interaction: str
) -> Stored:
    """Return the current version, if the client may see it; it may be a deleted one.

    Raises:
        FHIRError: `not-found` for what is absent or hidden.

    """
    filters = require(exchange.who, type_, interaction)
    stored = exchange.services.repository.read(snapshot, type_, id_)
    if stored is None:
        raise not_found(type_, id_)
    if not is_seen(exchange, snapshot, stored, filters):
        exchange.reason = "consent"
        raise not_found(type_, id_)
    return stored


def noted(exchange: Exchange, transaction: Transaction, written: Written) -> Written:
    """Return what was written, told to the exchange for its audit leaf."""
    exchange.about(transaction, written.stored.patient_key)
    exchange.written = [*exchange.written, written.stored.seq]
    if written.type == "Patient":
        exchange.patients.append(written.id)
    return written


def logged(exchange: Exchange, transaction: Transaction, status: int) -> None:
    """Write the audit leaf in the transaction that it reports."""
    transaction.audit(exchange.leaf(status, Outcome.ALLOWED))


def answer(exchange: Exchange, written: Written, status: int) -> Response:
    """Return the response to a write whose transaction is durable.

    With `Prefer: return` a client chooses among the resource, an OperationOutcome
    and no body; a deletion has no resource to show.
    """
    exchange.is_audited = True
    preferred = prefer(exchange.request)
    headers = version_headers(written.stored)
    if status == CREATED:
        headers += (("location", _version_url(exchange, written)),)
    headers += preferred.applied("return")
    if preferred.returns == "OperationOutcome":
        return _told(exchange, status, headers)
    if written.stored.deleted:
        return Response(status=NO_CONTENT, headers=headers)
    if preferred.returns == "minimal" or not written.body:
        return resource_response(b"", status=status, headers=headers)
    headers += (("content-location", _version_url(exchange, written)),)
    return resource_response(written.body, status=status, headers=headers)


OK, CREATED, NO_CONTENT = 200, 201, 204


def _version_url(exchange: Exchange, written: Written) -> str:
    base = exchange.services.base_url
    return f"{base}/{written.type}/{written.id}/_history/{written.stored.version}"


def _told(exchange: Exchange, status: int, headers: tuple[Header, ...]) -> Response:
    outcome = operation_outcome(
        [
            Issue(
                type=IssueType.INFORMATIONAL,
                diagnostics="The interaction was successful.",
                severity=Severity.INFORMATION,
            )
        ],
        exchange.request.request_id,
    )
    return resource_response(
        fhir_json.dumps(outcome),
        status=OK if status == NO_CONTENT else status,
        headers=headers,
    )
