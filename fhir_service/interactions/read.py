"""Read: the current version of one resource.

What consent hides answers like what never existed.

https://hl7.org/fhir/R4/http.html#read
"""

from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import require
from fhir_service.exchange import (
    Exchange,
    not_found,
    resource_response,
)
from fhir_service.rest.instant import http_date
from fhir_service.rest.message import Response
from fhir_service.storage.resources import Stored


def read(exchange: Exchange, type_: str, id_: str) -> Response:
    """Return the resource, if the view holds it.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `deleted` for what was
            deleted and would be visible.

    """
    services = exchange.services
    exchange.resource_type = type_
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        filters = require(grant, type_, "read")
        if not is_resource_type(type_):
            raise not_found(type_, id_)
        stored = services.repository.read(snapshot, type_, id_)
        if stored is None:
            raise not_found(type_, id_)
        exchange.about(snapshot, stored.patient_key)
        decided = services.gate.of_row(snapshot, grant, stored)
        exchange.patients += decided.patients
        exchange.basis = decided.basis
        if not services.gate.permits(snapshot, decided, stored, filters):
            exchange.reason = "consent"
            raise not_found(type_, id_)
        if stored.deleted:
            raise FHIRError(IssueType.DELETED, f"{type_}/{id_} was deleted.")
        body = services.repository.body(snapshot, stored)
    exchange.disclosed.append(stored.seq)
    return resource_response(body, headers=version_headers(stored))


def version_headers(stored: Stored) -> tuple[tuple[str, str], ...]:
    """Return ETag and Last-Modified of a version."""
    return (
        ("etag", f'W/"{stored.version}"'),
        ("last-modified", http_date(stored.last_updated)),
    )
