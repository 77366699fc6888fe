"""Read: the current version of one resource.

What consent hides answers like what never existed.

https://hl7.org/fhir/R4/http.html#read
"""

from collections.abc import Callable

from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import require
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import (
    Exchange,
    not_found,
    resource_response,
)
from fhir_service.interactions import audit_events
from fhir_service.interactions.obligations import scope_headers
from fhir_service.interactions.provenance import of_id
from fhir_service.interactions.provenance_rendering import Rendered
from fhir_service.rest.conditional import is_held
from fhir_service.rest.instant import http_date
from fhir_service.rest.message import Header, Request, Response
from fhir_service.rest.parameters import parameters
from fhir_service.rest.projection import (
    Projection,
    projection,
    refuse_unknown_elements,
)
from fhir_service.storage import history, patients, resources
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

Find = Callable[[Snapshot], Stored | Rendered | None]
"""Looks up the version that is asked for, whoever may see it."""

_ALL = Projection()


def read(exchange: Exchange, type_: str, id_: str) -> Response:
    """Return the resource, if the view holds it.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `deleted` for what was
            deleted and would be visible.

    """
    if type_ == "AuditEvent":
        return audit_events.read(exchange, id_)
    find = _current(exchange, type_, id_)
    return version_response(exchange, type_, id_, "read", find)


def read_body(exchange: Exchange, type_: str, id_: str) -> bytes:
    """Return the JSON of the whole resource, for an operation on it.

    Raises:
        FHIRError: as `read`.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        filters = _admitted(exchange, snapshot, type_, id_, "read")
        find = _current(exchange, type_, id_)
        stored = _visible(exchange, snapshot, find, filters)
        if isinstance(stored, Rendered):
            return stored.body
        stored = _existing(stored, type_, id_)
        body = exchange.services.repository.body(snapshot, stored)
    exchange.disclosed.append(stored.seq)
    return body


def _current(exchange: Exchange, type_: str, id_: str) -> Find:
    def find(snapshot: Snapshot) -> Stored | Rendered | None:
        if type_ == "Provenance" and (made := of_id(exchange, snapshot, id_)):
            return made
        return exchange.services.repository.read(snapshot, type_, id_)

    return find


def version_response(
    exchange: Exchange, type_: str, id_: str, interaction: str, find: Find
) -> Response:
    """Return the version that `find` looks up, if the view holds it.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, `deleted` where the
            version says so.

    """
    services = exchange.services
    exchange.resource_type = type_
    with services.database.read() as snapshot:
        filters = _admitted(exchange, snapshot, type_, id_, interaction)
        part = shown(exchange.request, type_)
        stored = _visible(exchange, snapshot, find, filters)
        if isinstance(stored, Rendered):
            return resource_response(part.of(stored.body), headers=stored.headers)
        stored = _existing(stored, type_, id_)
        headers = version_headers(stored)
        # Only now: a condition on what is hidden must tell nothing.
        if is_held(
            exchange.request, version=stored.version, last_updated=stored.last_updated
        ):
            return Response(status=304, headers=(_etag(stored),))
        body = services.repository.body(snapshot, stored)
        headers += scope_headers(exchange, snapshot, stored, body)
    exchange.disclosed.append(stored.seq)
    return resource_response(part.of(body), headers=headers)


def _admitted(
    exchange: Exchange, snapshot: Snapshot, type_: str, id_: str, interaction: str
) -> tuple[Filters, ...]:
    """Return the filters of the scopes that allow the interaction.

    Raises:
        FHIRError: `login`, `forbidden`, and `not-found` for what is no type.

    """
    filters = require(exchange.granted(snapshot), type_, interaction)
    if not is_resource_type(type_):
        raise not_found(type_, id_)
    return filters


def _visible(
    exchange: Exchange, snapshot: Snapshot, find: Find, filters: tuple[Filters, ...]
) -> Stored | Rendered | None:
    """Return what `find` finds; None where it is hidden, as where it is absent."""
    found = find(snapshot)
    if found is None:
        _as_if_hidden(snapshot)
    if isinstance(found, Stored) and not _is_visible(
        exchange, snapshot, found, filters
    ):
        return None
    return found


def _as_if_hidden(snapshot: Snapshot) -> None:
    """Ask the database for what is not there as often as for what is hidden.

    So the time of an answer does not tell one from the other.
    """
    resources.current(snapshot, 0)
    patients.by_key(snapshot, SHARED)


def _existing(stored: Stored | None, type_: str, id_: str) -> Stored:
    if stored is None:
        raise not_found(type_, id_)
    if stored.deleted:
        raise FHIRError(IssueType.DELETED, f"{type_}/{id_} was deleted.")
    return stored


def _is_visible(
    exchange: Exchange,
    snapshot: Snapshot,
    stored: Stored,
    filters: tuple[Filters, ...],
) -> bool:
    gate = exchange.services.gate
    exchange.about(snapshot, stored.patient_key)
    judged = history.judged(snapshot, stored)
    decided = gate.of_row(snapshot, exchange.who, judged)
    exchange.patients += decided.patients
    exchange.basis = decided.basis
    if gate.permits(snapshot, decided, judged, filters):
        return True
    exchange.reason = "consent"
    return False


def shown(request: Request, type_: str) -> Projection:
    """Return the part of the resource that is asked for.

    Raises:
        FHIRError: `invalid` for `_summary` or `_elements` that have no meaning here.

    """
    if not request.query:
        return _ALL
    asked = projection(parameters(request))
    if asked.summary == "count":
        raise FHIRError(IssueType.INVALID, "_summary=count is asked of searches.")
    refuse_unknown_elements(type_, asked)
    return asked


def version_headers(stored: Stored) -> tuple[Header, ...]:
    """Return ETag and Last-Modified of a version."""
    return _etag(stored), ("last-modified", http_date(stored.last_updated))


def _etag(stored: Stored) -> Header:
    return "etag", f'W/"{stored.version}"'
