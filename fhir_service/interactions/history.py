"""History: what a resource, a type or everything was, newest first.

Each version is judged by itself, under the consents of now; what may not be seen is
left out. That a resource was deleted may be seen where its last version may.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from conformance.definitions import is_resource_type, type_names
from conformance.issues import FHIRError, Issue, IssueType, Severity
from fhir_service.access import Decided
from fhir_service.auth.bearer import InsufficientScope, require
from fhir_service.auth.scopes import Filters
from fhir_service.errors import operation_outcome
from fhir_service.exchange import Exchange, not_found, resource_response
from fhir_service.interactions import provenance
from fhir_service.interactions.history_parameters import PAGE, Asked, asked_of
from fhir_service.interactions.obligations import scope_issues
from fhir_service.interactions.provenance_rendering import Rendered
from fhir_service.rest.history_bundle import Version, history_bundle
from fhir_service.rest.message import Response
from fhir_service.rest.paging import seal_numbers, unseal_numbers
from fhir_service.rest.parameters import Pair
from fhir_service.rest.prefer import prefer
from fhir_service.rest.projection import Projection, refuse_unknown_elements
from fhir_service.storage import history, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.history import NEWEST, Place
from fhir_service.storage.resources import Stored


class Found(NamedTuple):
    """What a page shows: versions, whether more follow, how many there are in all."""

    versions: list[Stored]
    is_more: bool
    total: int | None


def of_instance(exchange: Exchange, type_: str, id_: str) -> Response:
    """Return the versions of one resource.

    Raises:
        FHIRError: `not-found` where no version may be seen, as where there is none.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        filters = require(exchange.granted(snapshot), type_, "history-instance")
        if not is_resource_type(type_):
            raise not_found(type_, id_)
        asked = _asked(exchange, f"{type_}/{id_}/_history")
        refuse_unknown_elements(type_, asked.shown)
        if type_ == "Provenance":
            rendered = provenance.of_id(exchange, snapshot, id_)
            if rendered is not None:
                return _of_rendered(exchange, asked, rendered)
        sight = _Sight(exchange, snapshot, {types.number_of(type_): filters})
        found = _of_instance(sight, type_, id_, asked)
        return _page(sight, asked, found)


def _of_rendered(exchange: Exchange, asked: Asked, rendered: Rendered) -> Response:
    """Return the one version of a Provenance that is rendered on read."""
    at_end = asked.window.last.last_updated
    is_asked = asked.window.since <= rendered.recorded_us <= at_end
    version = Version(
        type="Provenance",
        id=rendered.id,
        version=1,
        last_updated=rendered.recorded_us,
        body=asked.shown.of(rendered.body),
    )
    body = history_bundle(
        exchange.services.base_url,
        [version] if is_asked and asked.count else [],
        links=[("self", _url(exchange.services.base_url, asked, ()))],
        total=int(is_asked),
        outcome=_outcome(asked, exchange.request.request_id),
    )
    return resource_response(body, headers=prefer(exchange.request).applied("handling"))


def of_type(exchange: Exchange, type_: str) -> Response:
    """Return the versions of all resources of a type.

    Raises:
        FHIRError: `not-supported` for what is no resource type.

    """
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        filters = require(exchange.granted(snapshot), type_, "history-type")
        if not is_resource_type(type_):
            raise FHIRError(
                IssueType.NOT_SUPPORTED, f"{type_[:64]} is no resource type of R4."
            )
        asked = _asked(exchange, f"{type_}/_history")
        refuse_unknown_elements(type_, asked.shown)
        sight = _Sight(exchange, snapshot, {types.number_of(type_): filters})
        return _page(sight, asked, _of_types(sight, asked))


def of_system(exchange: Exchange) -> Response:
    """Return the versions of all resources of the types that the scopes cover."""
    with exchange.services.database.read() as snapshot:
        allows = exchange.granted(snapshot).scopes.allows
        filters = {
            types.number_of(type_): found
            for type_ in type_names()
            if (found := allows(type_, "history-system")) is not None
        }
        if not filters:
            raise InsufficientScope
        asked = _asked(exchange, "_history")
        sight = _Sight(exchange, snapshot, filters)
        return _page(sight, asked, _of_types(sight, asked))


def _asked(exchange: Exchange, path: str) -> Asked:
    zone = exchange.services.repository.deployment.zone
    return asked_of(exchange.request, path, zone)


class _Sight:
    """What of some types the one who asks may see, row by row."""

    def __init__(
        self,
        exchange: Exchange,
        snapshot: Snapshot,
        filters: Mapping[int, tuple[Filters, ...]],
    ) -> None:
        self.exchange = exchange
        self.snapshot = snapshot
        self.filters = filters
        self._of_patients: dict[tuple[int, int], Decided] = {}

    def sees(self, stored: Stored) -> bool:
        """Whether a version may be seen."""
        judged = history.judged(self.snapshot, stored)
        return self.exchange.services.gate.permits(
            self.snapshot, self.decided(judged), judged, self.filters[stored.type_id]
        )

    def decided(self, stored: Stored) -> Decided:
        """Return the view that a version belongs to; asked once for each patient."""
        gate, who = self.exchange.services.gate, self.exchange.who
        if class_of(types.name_of(stored.type_id)) is not ResourceClass.PATIENT_DATA:
            return gate.of_row(self.snapshot, who, stored)
        at = (stored.patient_key, stored.type_id)
        known = self._of_patients.get(at)
        if known is None:
            known = gate.of_row(self.snapshot, who, stored)
            self._of_patients[at] = known
        return known

    def note(self, stored: Stored) -> None:
        """Tell the audit whose version is asked for, and on what ground."""
        decided = self.decided(history.judged(self.snapshot, stored))
        self.exchange.patients += decided.patients
        self.exchange.basis = tuple(
            dict.fromkeys((*self.exchange.basis, *decided.basis))
        )


def _of_instance(sight: _Sight, type_: str, id_: str, asked: Asked) -> Found:
    """Return a page of one resource's versions, all of which are counted."""
    number = types.number_of(type_)
    before = _before(sight.exchange, asked).version
    shown: list[Stored] = []
    total, is_seen = 0, False
    for stored, ended in _with_ends(history.versions(sight.snapshot, number, id_)):
        if ended is None:
            sight.exchange.about(sight.snapshot, stored.patient_key)
            sight.note(stored)
        if not sight.sees(stored):
            continue
        is_seen = True
        if asked.window.holds(stored, ended):
            total += 1
            if stored.version < before and len(shown) <= asked.count:
                shown.append(stored)
    if not is_seen:
        sight.exchange.reason = "consent" if sight.exchange.patients else ""
        raise not_found(type_, id_)
    return Found(shown[: asked.count], len(shown) > asked.count, total)


def _with_ends(newest_first: Iterable[Stored]) -> Iterator[tuple[Stored, int | None]]:
    """Yield each version and when the next one was written."""
    ended: int | None = None
    for stored in newest_first:
        yield stored, ended
        ended = stored.last_updated


def _of_types(sight: _Sight, asked: Asked) -> Found:
    """Return a page of the versions of the types that are in sight."""
    before = _before(sight.exchange, asked)
    numbers = [
        each for each in history.type_ids(sight.snapshot) if each in sight.filters
    ]
    shown: list[Stored] = []
    if asked.count:
        for stored in history.newest_first(
            sight.snapshot, numbers, asked.window, before
        ):
            if sight.sees(stored):
                shown.append(stored)
            if len(shown) > asked.count:
                break
    return Found(shown[: asked.count], len(shown) > asked.count, None)


def _before(exchange: Exchange, asked: Asked) -> Place:
    """Return the place before which the page begins."""
    if asked.page is None:
        return NEWEST
    return Place(
        *unseal_numbers(
            exchange.services.page_key,
            asked.page,
            bound_to=_binding(exchange, asked),
            now_us=exchange.now_us,
        )
    )


def _binding(exchange: Exchange, asked: Asked) -> str:
    return "\n".join((*exchange.who.holder, asked.path, urlencode(asked.applied)))


def _page(sight: _Sight, asked: Asked, found: Found) -> Response:
    exchange, base_url = sight.exchange, sight.exchange.services.base_url
    for stored in found.versions:
        sight.note(stored)
    exchange.disclosed = [stored.seq for stored in found.versions]
    links = [("self", _url(base_url, asked, ()))]
    if found.is_more and found.versions:
        token = seal_numbers(
            exchange.services.page_key,
            history.place_of(found.versions[-1]),
            bound_to=_binding(exchange, asked),
            now_us=exchange.now_us,
            lifetime_s=exchange.services.page_lifetime_s,
        )
        links.append(("next", _url(base_url, asked, ((PAGE, token),))))
    repository = exchange.services.repository
    shown = [
        (stored, repository.body(sight.snapshot, stored)) for stored in found.versions
    ]
    body = history_bundle(
        base_url,
        [_version(stored, text, asked.shown) for stored, text in shown],
        links=links,
        total=found.total,
        outcome=_outcome(
            asked,
            exchange.request.request_id,
            scope_issues(exchange, sight.snapshot, shown),
        ),
    )
    return resource_response(body, headers=prefer(exchange.request).applied("handling"))


def _url(base_url: str, asked: Asked, more: tuple[Pair, ...]) -> str:
    query = urlencode((*asked.applied, *more))
    return f"{base_url}/{asked.path}" + (f"?{query}" if query else "")


def _version(stored: Stored, body: bytes, shown: Projection) -> Version:
    return Version(
        type=types.name_of(stored.type_id),
        id=fhir_json.loads(body)["id"],
        version=stored.version,
        last_updated=stored.last_updated,
        body=None if stored.deleted else shown.of(body),
    )


def _outcome(
    asked: Asked, request_id: str, told: Iterable[Issue] = ()
) -> Mapping[str, object] | None:
    issues = [*told, *_ignored(asked)]
    return operation_outcome(issues, request_id) if issues else None


def _ignored(asked: Asked) -> list[Issue]:
    return [
        Issue(
            type=IssueType.NOT_SUPPORTED,
            diagnostics=f"The parameter {name!r} is not known here and was left out.",
            severity=Severity.WARNING,
        )
        for name in asked.ignored
    ]
