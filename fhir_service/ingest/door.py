"""`POST /device-data/{source}`: bytes in, a receipt out.

The answer is 200 with a receipt as soon as the payload could be read; what could not
be understood in it is in the receipt and in quarantine.
"""

from urllib.parse import parse_qsl

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.access import within
from fhir_service.auth.bearer import Grant, InsufficientScope, require
from fhir_service.exchange import Exchange
from fhir_service.ingest import phd, sources
from fhir_service.ingest.arrival import Arrival, arrive
from fhir_service.ingest.intake import Origin
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Response
from fhir_service.search.reference import patient_id
from mappings.payload import zone_of
from mappings.vendors.table import VENDORS

_JSON = ("content-type", "application/json; charset=utf-8")


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
        vendor = sources.find(snapshot, source)
    if source != phd.SOURCE and (vendor is None or not vendor.media_types):
        raise FHIRError(IssueType.NOT_FOUND, _NO_SOURCE)
    _may_speak_for(grant, source)
    refuse_other_bodies(request)
    receipt = arrive(
        services,
        Arrival(
            source=source,
            body=request.body,
            grant=grant,
            origin=Origin(
                interaction=Interaction.INGEST,
                request=exchange.asked,
                request_id=request.request_id,
                address=request.remote,
            ),
            received_us=exchange.now_us,
            patient_id=_patient(exchange),
            zone=_zone(exchange),
        ),
    )
    exchange.counts = receipt.counted()
    exchange.is_audited = bool(receipt.received)
    return Response(
        status=200, headers=(_JSON,), body=fhir_json.dumps(receipt.to_json())
    )


_NO_SOURCE = (
    "There is no such source here; there are "
    f"{', '.join(sorted(name for name, one in VENDORS.items() if one.media_types))}, "
    f"{phd.SOURCE} "
    "and those that templates describe."
)


def _zone(exchange: Exchange) -> str | None:
    """Return the zone of local times that the request names, at most one.

    Raises:
        FHIRError: `invalid` for several, and for one that nobody knows.

    """
    named = {
        value
        for name, value in parse_qsl(exchange.request.query, keep_blank_values=True)
        if name == "zone"
    }
    if not named:
        return None
    zone = named.pop()
    if named or zone_of(zone) is None:
        raise FHIRError(IssueType.INVALID, "`zone` is one IANA time zone.")
    return zone


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
