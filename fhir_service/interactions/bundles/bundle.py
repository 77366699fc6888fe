"""Batch and transaction: several requests in one Bundle.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance import fhir_json
from fhir_service.exchange import Exchange
from fhir_service.interactions.bundles.batch import batch
from fhir_service.interactions.bundles.frame import raw_entries
from fhir_service.interactions.bundles.parts import Find
from fhir_service.interactions.bundles.transaction import transaction
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Response

KINDS: Mapping[
    str, Callable[[Exchange, Sequence[Mapping[str, Any]], Find], Response]
] = {"batch": batch, "transaction": transaction}
"""`Bundle.type` → what processes it."""


def bundle(exchange: Exchange, find: Find) -> Response:
    """Process the Bundle in the body of a request.

    Args:
        exchange: The request.
        find: Finds what answers a request; a Bundle's entries are requests.

    Raises:
        FHIRError: `login`; `invalid`, `not-supported`, `too-long` or what is wrong
            with the Bundle; for a transaction, what its first failing entry has.

    """
    exchange.resource_type = "Bundle"
    with exchange.services.database.read() as snapshot:
        exchange.granted(snapshot)
    refuse_other_bodies(exchange.request)
    body = fhir_json.loads_object(exchange.request.body)
    entries = raw_entries(body)
    return KINDS[body["type"]](exchange, entries, find)
