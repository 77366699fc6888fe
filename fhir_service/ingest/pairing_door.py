"""`/device-data/pairings`: pairings of devices and accounts, for programs.

A client needs the Device scopes of what it does; the patient is one whom its
organization manages. Any other patient, and any other pairing, is as one that is not
here.
"""

from collections.abc import Mapping
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.access import admits, is_custodian, within
from fhir_service.auth.bearer import Grant, require
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange
from fhir_service.ingest import pairing
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.pairing import Pairer
from fhir_service.ingest.pairing_asked import Asked
from fhir_service.ingest.pairing_told import as_json, is_seen, of_patient, told
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters
from fhir_service.search.reference import patient_id
from fhir_service.storage.source_grants import SourceGrant

_JSON = ("content-type", "application/json; charset=utf-8")

_TEXTS = ("patient", "source", "account", "location", "zone")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "device": ("value", "system"),
    "period": ("start", "end"),
}


def add(exchange: Exchange) -> Response:
    """Pair a device or an account; return the pairing.

    Raises:
        FHIRError: `structure` for a body that is no pairing, and what
            `pairing.pair` raises.

    """
    pairer, _ = _pairer(exchange, "create")
    refuse_other_bodies(exchange.request)
    asked = _asked(exchange, fhir_json.loads_object(exchange.request.body))
    made = pairing.pair(exchange.services, pairer, asked)
    return _answer(exchange, made, 201)


def listing(exchange: Exchange) -> Response:
    """Return the pairings of a patient whose devices the client may see.

    Raises:
        FHIRError: `required` where no patient is named, `not-found` for one whom the
            client does not know.

    """
    pairer, filters = _pairer(exchange, "search-type")
    id_ = _patient(exchange)
    with exchange.services.database.read() as snapshot:
        state = pairing.living(snapshot, pairer, id_)
        exchange.about(snapshot, state.key)
        exchange.patients.append(state.id)
        found = [
            as_json(one)
            for one in of_patient(exchange.services, snapshot, state)
            if is_seen(exchange.services, snapshot, exchange.who, one, filters)
        ]
    return Response(
        status=200, headers=(_JSON,), body=fhir_json.dumps({"pairings": found})
    )


def tell(exchange: Exchange, id_: str) -> Response:
    """Record that those who live in the room were told; return the pairing."""
    pairer, _ = _pairer(exchange, "update")
    return _answer(exchange, pairing.tell(exchange.services, pairer, id_), 200)


def revoke(exchange: Exchange, id_: str) -> Response:
    """End a pairing at once."""
    pairer, _ = _pairer(exchange, "update")
    pairing.revoke(exchange.services, pairer, id_)
    exchange.is_audited = True
    return Response(status=204)


def _pairer(exchange: Exchange, interaction: str) -> tuple[Pairer, tuple[Filters, ...]]:
    """Return who asks, and the filters under which a scope allows it.

    Raises:
        FHIRError: `login` or `forbidden`.

    """
    exchange.resource_type = "Device"
    with exchange.services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
    filters = require(grant, "Device", interaction)
    request = exchange.request
    pairer = Pairer(
        grant=grant,
        name=_name(grant),
        origin=Origin(
            interaction=exchange.interaction,
            request=exchange.asked,
            request_id=request.request_id,
            address=request.remote,
            user=grant.user or "",
        ),
        may=lambda state: (
            is_custodian(grant, state) and admits(within(filters, state.id), ())
        ),
    )
    return pairer, filters


def _name(grant: Grant) -> str:
    return grant.user or f"client {grant.client_id}"


def _answer(exchange: Exchange, grant: SourceGrant, status: int) -> Response:
    """Return a pairing as it stands, once its own leaf of the audit is durable."""
    services = exchange.services
    with services.database.read() as snapshot:
        state = services.gate.state(snapshot, grant.patient_key)
        body = as_json(told(services, snapshot, state, grant))
    exchange.is_audited = True
    return Response(status=status, headers=(_JSON,), body=fhir_json.dumps(body))


def _patient(exchange: Exchange) -> str:
    named = {
        patient_id(value, name, exchange.services.base_url)
        for name, value in parameters(exchange.request)
        if name == "patient"
    }
    if len(named) != 1:
        raise FHIRError(IssueType.REQUIRED, "`patient` names one patient.")
    return named.pop()


def _asked(exchange: Exchange, body: Mapping[str, Any]) -> Asked:
    """Return what a body asks to pair.

    Raises:
        FHIRError: `structure`, naming the member that is not as it should be.

    """
    for name in body:
        if name not in _TEXTS and name not in _PARTS:
            raise _misshapen("A pairing has no such member.", name)
    texts = {name: _text(body, name) for name in _TEXTS}
    unit, period = _part(body, "device"), _part(body, "period")
    if texts["patient"] is None or texts["source"] is None:
        raise FHIRError(IssueType.REQUIRED, "A pairing names patient and source.")
    base_url = exchange.services.base_url
    return Asked(
        patient=patient_id(texts["patient"], "patient", base_url),
        source=texts["source"],
        account=texts["account"],
        unit=unit["value"],
        system=unit["system"],
        location=texts["location"],
        start=period["start"],
        end=period["end"],
        zone=texts["zone"],
    )


def _part(body: Mapping[str, Any], name: str) -> dict[str, str | None]:
    part = body.get(name, {})
    if not isinstance(part, dict) or not set(part) <= set(_PARTS[name]):
        raise _misshapen(f"It holds {' and '.join(_PARTS[name])}.", name)
    return {member: _text(part, member, f"{name}.") for member in _PARTS[name]}


def _text(body: Mapping[str, Any], name: str, place: str = "") -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _misshapen("This is a text.", f"{place}{name}")
    return value


def _misshapen(told_why: str, place: str) -> FHIRError:
    return FHIRError(IssueType.STRUCTURE, told_why, place[:64])
