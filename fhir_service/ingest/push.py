"""`/device-data/{source}/push/{endpoint}`: what a vendor's cloud sends by itself.

No token comes with it: the signature over the raw bytes says who sent it, and the
endpoint for whom. What is signed and holds data is stored as if the endpoint's client
had delivered it; what nobody signed, and what only says that there is data, is a hint.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.access import within
from fhir_service.auth import local
from fhir_service.auth.bearer import REALM, AuthenticationError, Grant, require
from fhir_service.exchange import Exchange
from fhir_service.ingest import endpoints, hints
from fhir_service.ingest.arrival import Arrival, arrive
from fhir_service.ingest.endpoints import Shared
from fhir_service.ingest.intake import Origin
from fhir_service.rest.message import Response
from fhir_service.rest.refusals import MethodNotAllowed
from fhir_service.storage import push_endpoints
from fhir_service.storage.push_endpoints import Endpoint
from mappings import notices
from mappings.measurement import Reason
from mappings.signatures import SCHEMES, SECOND_US, Checked, Verdict, check

GATEWAY = "push"
"""What Provenance says brought it."""

_JSON = ("content-type", "application/json; charset=utf-8")


def receive(exchange: Exchange, source: str, endpoint_id: str) -> Response:
    """Take what a vendor pushes.

    Raises:
        FHIRError: `not-found` where there is no such endpoint, `login` where the
            signature is missing, wrong or stale, `forbidden` where its client may not
            deliver, and whatever `arrive` raises.

    """
    exchange.resource_type = "Observation"
    endpoint, shared = _endpoint(exchange, source, endpoint_id)
    scheme = SCHEMES.get(source)
    if scheme is None:
        return _hinted(exchange, endpoint, Reason.UNVERIFIED)
    request = exchange.request
    checked = check(
        scheme,
        shared.secret.encode(),
        request.headers,
        request.body,
        now_us=exchange.now_us,
        tolerance_s=endpoint.tolerance_s,
    )
    if not shared.secret:
        checked = replace(checked, verdict=Verdict.MISSING)
    if checked.verdict is Verdict.MISSING and notices.is_ping(
        source, _payload(exchange)
    ):
        exchange.reason = "ping"
        return Response(status=200)
    if checked.verdict is not Verdict.GENUINE:
        exchange.reason = f"signature {checked.verdict.value}"
        raise _unproven()
    return _taken(exchange, endpoint, checked)


def _unknown() -> FHIRError:
    return FHIRError(IssueType.NOT_FOUND, "There is no such endpoint here.")


def _unproven() -> AuthenticationError:
    return AuthenticationError(
        IssueType.LOGIN,
        "What the vendor and this endpoint share was not proven.",
        f'Signature realm="{REALM}"',
    )


def _endpoint(
    exchange: Exchange, source: str, endpoint_id: str
) -> tuple[Endpoint, Shared]:
    """Return the endpoint and what it shares with its vendor.

    Raises:
        FHIRError: `not-found`, the same for a wrong source, a removed endpoint and
            one that never was.

    """
    services = exchange.services
    with services.database.read() as snapshot:
        endpoint = endpoints.opened(snapshot, endpoint_id)
        if endpoint.source != source:
            raise _unknown()
        return endpoint, endpoints.shared_with(services, snapshot, endpoint)


def _taken(exchange: Exchange, endpoint: Endpoint, checked: Checked) -> Response:
    """Answer a genuine push; one that was taken before changes nothing."""
    services = exchange.services
    with services.database.read() as snapshot:
        grant = exchange.grant = local.registered(snapshot, endpoint.client_id)
        is_replay = bool(checked.mac) and push_endpoints.was_seen(
            snapshot, endpoint.id, checked.mac
        )
    _may_speak_for(grant, endpoint.source)
    accepted = Response(status=notices.ACCEPTED.get(endpoint.source, 200))
    payload = _payload(exchange)
    if is_replay:
        exchange.reason = "replay"
    elif notices.is_verification(endpoint.source, payload):
        return Response(status=200)
    elif notices.is_notice(endpoint.source, payload):
        _hinted(exchange, endpoint, Reason.NOTICE)
    else:
        _stored(exchange, endpoint, grant)
    if checked.mac and not is_replay:
        _remember(exchange, endpoint, checked)
    return accepted


def _may_speak_for(grant: Grant, source: str) -> None:
    filters = require(grant, "Observation", "create")
    if all(within(filters, None)) or source not in grant.sources:
        raise FHIRError(
            IssueType.FORBIDDEN, "The endpoint's client may not deliver this."
        )


def _payload(exchange: Exchange) -> Any:
    """Return the body as JSON, after its signature was looked at; None for no JSON."""
    try:
        return fhir_json.loads_foreign(exchange.request.body)
    except FHIRError:
        return None


def _stored(exchange: Exchange, endpoint: Endpoint, grant: Grant) -> None:
    request = exchange.request
    receipt = arrive(
        exchange.services,
        Arrival(
            source=endpoint.source,
            body=request.body,
            grant=grant,
            origin=Origin(
                interaction=Interaction.INGEST,
                request=f"{request.method} {request.path}",
                request_id=request.request_id,
                address=request.remote,
            ),
            received_us=exchange.now_us,
            gateway=GATEWAY,
        ),
    )
    exchange.counts = receipt.counted()
    exchange.is_audited = bool(receipt.received)


def _hinted(exchange: Exchange, endpoint: Endpoint, reason: Reason) -> Response:
    """Keep what is no data, and count it."""
    exchange.reason = reason.value
    exchange.counts = (("quarantined", 1),)
    hints.keep(
        exchange.services, endpoint, exchange.request.body, reason, exchange.now_us
    )
    exchange.services.metrics.ingested(
        source=endpoint.source, outcome="quarantined", count=1
    )
    return Response(status=200)


def _remember(exchange: Exchange, endpoint: Endpoint, checked: Checked) -> None:
    """Remember what was taken for as long as its signature is good.

    It is remembered after it was stored: what failed may be sent again.
    """
    expires_us = checked.signed_us + (endpoint.tolerance_s + 1) * SECOND_US
    exchange.services.database.write(
        lambda transaction: push_endpoints.remember(
            transaction,
            endpoint.id,
            checked.mac,
            expires_us=expires_us,
            now_us=exchange.now_us,
        )
    )


def shake(exchange: Exchange, source: str, endpoint_id: str) -> Response:
    """Answer what a vendor asks before it pushes.

    Raises:
        FHIRError: `not-found` where there is no such endpoint, that or `login` where
            the code is wrong, and 405 where its vendor asks nothing by this method.

    """
    request = exchange.request
    asked = dict(parse_qsl(request.query))
    # A code of the query is a secret, and the audit log keeps what was asked.
    exchange.request = replace(request, query="")
    endpoint, shared = _endpoint(exchange, source, endpoint_id)
    handshake = notices.HANDSHAKES.get(endpoint.source)
    if request.method == "HEAD" and source in notices.PROBED:
        return Response(status=200)
    if handshake is None or request.method == "HEAD":
        raise MethodNotAllowed
    told = notices.shake(handshake, shared.code.encode(), asked)
    if told is None:
        exchange.reason = "handshake"
        raise _unproven() if handshake.challenge else _unknown()
    if not handshake.challenge:
        return Response(status=204)
    return Response(
        status=200,
        headers=(_JSON,),
        body=fhir_json.dumps({handshake.challenge: told}),
    )
