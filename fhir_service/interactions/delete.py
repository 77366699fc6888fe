"""Delete: a version that says that the resource is gone; the earlier ones are kept.

What is deleted already is answered as when it was deleted; what is absent or hidden
is not found.

https://hl7.org/fhir/R4/http.html#delete
"""

from collections.abc import Callable, Mapping

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange
from fhir_service.interactions.attribution import acts_for_custodian
from fhir_service.interactions.conditional import (
    id_of,
    match_version,
    only_match,
    refuse_conditions,
)
from fhir_service.interactions.membership import refuse_own_change
from fhir_service.interactions.provenance import record
from fhir_service.interactions.received import refuse_unwritable
from fhir_service.interactions.write import (
    NO_CONTENT,
    answer,
    begin,
    logged,
    noted,
    visible,
)
from fhir_service.rest.message import Response
from fhir_service.rest.refusals import MethodNotAllowed
from fhir_service.storage import belongings, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Written
from fhir_service.storage.resources import Stored


def delete(exchange: Exchange, type_: str, id_: str) -> Response:
    """Delete a resource that the client may see.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `conflict` where
            `If-Match` names another version or a Patient still has data,
            `not-supported` for a Consent.

    """
    begin(exchange, type_, "delete")
    refuse_conditions(exchange.request, "if-match")
    if_match = exchange.request.headers.get("if-match")
    return _deleted(
        exchange,
        lambda transaction: delete_in(
            exchange, transaction, type_, id_, if_match=if_match
        ),
    )


def delete_where(exchange: Exchange, type_: str) -> Response:
    """Delete the one resource that matches the query.

    Raises:
        FHIRError: `not-found` where none matches, `multiple-matches` where several
            do; what `delete` raises.

    """
    begin(exchange, type_, "delete", "search-type")
    refuse_conditions(exchange.request, "if-match")
    request = exchange.request
    return _deleted(
        exchange,
        lambda transaction: conditional_delete_in(
            exchange,
            transaction,
            type_,
            request.query,
            if_match=request.headers.get("if-match"),
        ),
    )


def _deleted(exchange: Exchange, work: Callable[[Transaction], Written]) -> Response:
    def logging(transaction: Transaction) -> Written:
        written = work(transaction)
        logged(exchange, transaction, NO_CONTENT)
        return written

    return answer(exchange, exchange.services.database.write(logging), NO_CONTENT)


def delete_in(
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    id_: str,
    *,
    if_match: str | None = None,
) -> Written:
    """Delete a resource; return the version that says so, of now or of before.

    Raises:
        FHIRError: as `delete`.

    """
    _refuse_lasting(type_)
    old = visible(exchange, transaction, type_, id_, "delete")
    match_version(old, if_match, None)
    if old.deleted:
        return Written(type=type_, id=id_, stored=old, body=b"")
    refuse = _KEPT.get(type_)
    if refuse is not None:
        refuse(exchange, transaction, old)
    refuse_own_change(exchange, transaction, old)
    written = exchange.services.repository.delete(
        transaction, old, id_=id_, batch_id=record(exchange, transaction)
    )
    return noted(exchange, transaction, written)


def conditional_delete_in(
    exchange: Exchange,
    transaction: Transaction,
    type_: str,
    query: str,
    *,
    if_match: str | None = None,
) -> Written:
    """Delete the one resource that matches `query`.

    Raises:
        FHIRError: as `delete_where`.

    """
    _refuse_lasting(type_)
    old = only_match(exchange, transaction, type_, query)
    if old is None:
        raise FHIRError(IssueType.NOT_FOUND, f"No {type_} matches the condition.")
    id_ = id_of(exchange, transaction, old)
    return delete_in(exchange, transaction, type_, id_, if_match=if_match)


LASTING: Mapping[str, str] = {
    "AuditEvent": "What has happened is not deleted.",
    "Consent": "A Consent is not deleted: set its status to inactive.",
}
"""Types of which nothing is deleted, with what a client is told."""


def _refuse_lasting(type_: str) -> None:
    told = LASTING.get(type_)
    if told is not None:
        raise MethodNotAllowed(told)
    refuse_unwritable(type_)


def _keeps_patient(exchange: Exchange, transaction: Transaction, old: Stored) -> None:
    """Refuse that a Patient goes while data is seen, or by another's hand.

    What is hidden does not tell of itself: it stays stored, and hidden.

    Raises:
        FHIRError: `business-rule`; `conflict`, whatever it is that is left.

    """
    state = exchange.services.gate.state(transaction, old.patient_key)
    if not acts_for_custodian(exchange, state):
        raise FHIRError(
            IssueType.BUSINESS_RULE, "Only the managing organization deletes a Patient."
        )
    if _is_any_seen(exchange, transaction, state, old.row):
        raise FHIRError(
            IssueType.CONFLICT, "A Patient to whom resources belong is not deleted."
        )


def _is_any_seen(
    exchange: Exchange, transaction: Transaction, state: PatientState, own: int
) -> bool:
    """Whether the client may see anything of a patient but the Patient itself."""
    gate, grant = exchange.services.gate, exchange.who
    for number in belongings.types_of(transaction, state.key, own):
        type_ = types.name_of(number)
        if class_of(type_) is ResourceClass.PATIENT_DATA:
            view = gate.view(transaction, grant, state, type_).view
            if belongings.is_any_in(transaction, view, own, number):
                return True
            continue
        for stored in belongings.of_type(transaction, state.key, own, number):
            decided = gate.of_row(transaction, grant, stored)
            if gate.permits(transaction, decided, stored, _ANY_SCOPE):
                return True
    return False


_ANY_SCOPE: tuple[Filters, ...] = ((),)
"""Whether anything is seen is asked of consent; scopes say what is fetched."""


def _keeps_part(exchange: Exchange, transaction: Transaction, old: Stored) -> None:
    """Refuse that a part of an organization goes: a consent may name the whole.

    Raises:
        FHIRError: `conflict`.

    """
    body = fhir_json.loads(exchange.services.repository.body(transaction, old))
    if "partOf" in body:
        raise FHIRError(
            IssueType.CONFLICT,
            "An Organization that is a part of another is not deleted: "
            "set its active to false.",
            "Organization.partOf",
        )


_KEPT: Mapping[str, Callable[[Exchange, Transaction, Stored], None]] = {
    "Organization": _keeps_part,
    "Patient": _keeps_patient,
}
"""Type → why one of its resources may have to stay."""
