"""`POST /device-data/{source}`: bytes in, a receipt out.

The answer is 200 with a receipt as soon as the payload could be read; what could not
be understood in it is in the receipt and in quarantine.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.access import within
from fhir_service.auth.bearer import Grant, InsufficientScope, require
from fhir_service.exchange import Exchange
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Response
from fhir_service.search.reference import patient_id
from mappings.vendors.table import VENDORS, Vendor

_JSON = ("content-type", "application/json; charset=utf-8")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def receive(exchange: Exchange, source: str) -> Response:
    """Return the receipt of a delivery.

    Raises:
        FHIRError: `not-found` for a source nobody knows, `forbidden` where the client
            may not speak for it, whatever makes a body unreadable as a whole, and what
            interrupts it: what is stored then counts as duplicate when sent again.

    """
    services, request = exchange.services, exchange.request
    exchange.resource_type = "Observation"
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
    vendor = _vendor(source)
    _may_speak_for(grant, source)
    refuse_other_bodies(request)
    payload = fhir_json.loads_foreign(request.body)
    if not isinstance(payload, dict | list):
        raise FHIRError(
            IssueType.STRUCTURE, "The payload is a JSON object, or a list of them."
        )
    received = _EPOCH + timedelta(microseconds=exchange.now_us)
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=_patient(exchange),
        grant=grant,
        payload_sha256=hashlib.sha256(request.body).digest(),
        received_us=exchange.now_us,
    )
    # A body that cannot be read as a whole is refused before any of it is stored.
    readings = list(vendor.parse(payload, received_at=received))
    receipt = take(
        services,
        delivery,
        Origin(
            interaction=Interaction.INGEST,
            request=exchange.asked,
            request_id=request.request_id,
            address=request.remote,
        ),
        readings,
    )
    for fate, count in receipt.counts.items():
        services.metrics.ingested(source=source, outcome=fate.word, count=count)
    exchange.counts = receipt.counted()
    exchange.is_audited = bool(readings)
    return Response(
        status=200, headers=(_JSON,), body=fhir_json.dumps(receipt.to_json())
    )


def _vendor(source: str) -> Vendor:
    vendor = VENDORS.get(source)
    if vendor is None or not vendor.media_types:
        known = ", ".join(
            sorted(name for name, one in VENDORS.items() if one.media_types)
        )
        raise FHIRError(
            IssueType.NOT_FOUND, f"There is no such source here; there are {known}."
        )
    return vendor


def _may_speak_for(grant: Grant, source: str) -> None:
    filters = require(grant, "Observation", "create")
    if all(within(filters, _in_context(grant))):
        raise InsufficientScope("A payload is of any category; this scope is of some.")
    if source not in grant.sources:
        raise InsufficientScope("The client is not registered for this source.")


def _in_context(grant: Grant) -> str | None:
    """Return the one patient to whom the scopes hold the delivery."""
    return grant.patient if grant.scopes.confines("Observation") else None


def _patient(exchange: Exchange) -> str | None:
    """Return the Patient that the request names, at most one.

    A token for one patient names that patient by itself.

    Raises:
        FHIRError: `invalid` for several, `forbidden` for another one.

    """
    named = {
        patient_id(value, name, exchange.services.base_url)
        for name, value in parse_qsl(exchange.request.query, keep_blank_values=True)
        if name == "patient"
    }
    if len(named) > 1:
        raise FHIRError(IssueType.INVALID, "The request names several patients.")
    own = _in_context(exchange.who)
    if own is not None and not named <= {own}:
        raise InsufficientScope
    return named.pop() if named else own
