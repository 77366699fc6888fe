"""A Consent as it is filed: its status follows from the one before, and it is one.

The same consent filed twice would outlive its withdrawal; so an identifier that
another Consent of the patient has is refused, as far as the client may see that one.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.life_cycle import (
    amending_issues,
    filing_issues,
    is_back_dated,
    shared_identifiers,
)
from consent.pcf import claimed
from fhir_service.access import CONSENTS_OF_ONE_PATIENT
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange
from fhir_service.interactions.attribution import is_seen
from fhir_service.rest.refusals import Unprocessable
from fhir_service.storage import resources, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.resources import Stored

Resource = Mapping[str, Any]

BACK_DATED = "back-dated"
"""Counted in the audit leaf of a filing; the consent is kept as it is."""

_WHOLE_TYPE: tuple[Filters, ...] = ((),)
"""A scope without a filter: consent alone is asked."""


def filed(
    exchange: Exchange, transaction: Transaction, key: int, new: Resource
) -> Resource:
    """Return a new Consent as it is stored, if it may begin like this.

    Raises:
        FHIRError: `business-rule` for its status, `duplicate` where it exists.

    """
    issues = list(filing_issues(new))
    if issues:
        raise Unprocessable.of(issues)
    _refuse_double(exchange, transaction, key, None, new)
    return _noted(exchange, new)


def amended(
    exchange: Exchange, transaction: Transaction, old: Stored, new: Resource
) -> Resource:
    """Return the next version of a Consent as it is stored, if it follows the old.

    Raises:
        FHIRError: `business-rule` for its status, `duplicate` where it is another.

    """
    repository = exchange.services.repository
    issues = list(
        amending_issues(
            fhir_json.loads(repository.body(transaction, old)),
            new,
            replaced_us=old.last_updated,
            at_us=exchange.now_us,
            deployment=repository.deployment,
        )
    )
    if issues:
        raise Unprocessable.of(issues)
    _refuse_double(exchange, transaction, old.patient_key, old.row, new)
    return _noted(exchange, new)


def _noted(exchange: Exchange, new: Resource) -> Resource:
    place = exchange.services.repository.deployment
    if is_back_dated(new, exchange.now_us, place):
        exchange.counts = (*exchange.counts, (BACK_DATED, 1))
    return claimed(new)


def _refuse_double(
    exchange: Exchange,
    transaction: Transaction,
    key: int,
    row: int | None,
    new: Resource,
) -> None:
    if "identifier" not in new:
        return
    repository = exchange.services.repository
    for stored in _others(transaction, key, row):
        other = fhir_json.loads(repository.body(transaction, stored))
        if (
            other.get("status") != "entered-in-error"
            and shared_identifiers(new, other)
            and is_seen(exchange, transaction, stored, _WHOLE_TYPE)
        ):
            raise FHIRError(
                IssueType.DUPLICATE,
                "Another Consent of this patient has this identifier.",
                "Consent.identifier",
            )


def _others(transaction: Transaction, key: int, row: int | None) -> Iterator[Stored]:
    """Yield the patient's Consents but the one at `row`."""
    found = resources.of_patient(
        transaction,
        key,
        types.number_of("Consent"),
        after=0,
        count=CONSENTS_OF_ONE_PATIENT,
    )
    for stored in found:
        if stored.row != row and not stored.deleted:
            yield stored
