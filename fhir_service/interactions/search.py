"""Search of one type, of a compartment, of several types: a page of a searchset.

The view stands in the query before count, sort and page; so a page is full when there
is more, a total is exact, and a hidden row moves nothing.

https://hl7.org/fhir/R4/http.html#search
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urlencode

from conformance.issues import FHIRError, Issue, IssueType, Severity
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange, resource_response
from fhir_service.interactions import audit_events, provenance
from fhir_service.interactions.entries import INCLUDE, MATCH, matches, written
from fhir_service.interactions.includes import Included
from fhir_service.interactions.obligations import page_issues
from fhir_service.interactions.pages import Found, Pages
from fhir_service.interactions.planner import Planner
from fhir_service.rest.bundle import Link, searchset
from fhir_service.rest.message import Response
from fhir_service.rest.paging import seal_numbers, unseal_numbers
from fhir_service.rest.parameters import Pair, parameters
from fhir_service.rest.prefer import prefer
from fhir_service.search.criteria import Condition, Include, SearchQuery
from fhir_service.search.parse import parse
from fhir_service.storage import patients
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import Clause
from fhir_service.storage.resources import Shown, Stored

PAGE = "_page"
"""Our own parameter that carries the continuation token."""

REMEMBERED = 2048
"""Queries whose links are not written anew."""

Extra = Callable[[Planner, str, int | None], Clause]
"""A further condition on a type: that of a compartment."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A search, and where its page begins.

    Attributes:
        query: What is asked.
        path: Under the FHIR base, for links.
        token: The continuation token, if one was sent.
        heeded: What was understood before the query was read, for links.
        extra: A further condition.

    """

    query: SearchQuery
    path: str
    token: str | None
    heeded: tuple[Pair, ...] = ()
    extra: Extra | None = None

    def also(
        self, conditions: tuple[Condition, ...], includes: tuple[Include, ...]
    ) -> "Asked":
        """Return the same with further conditions and includes."""
        query = replace(
            self.query,
            conditions=(*self.query.conditions, *conditions),
            includes=(*self.query.includes, *includes),
        )
        return replace(self, query=query)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a page is put together from.

    Attributes:
        entries: What matches, written.
        included: What is there because of a match.
        told: What must go with it.

    """

    entries: tuple[bytes, ...]
    included: Included | None = None
    told: tuple[Issue, ...] = ()


def search(exchange: Exchange, type_: str) -> Response:
    """Return a searchset of what matches and may be seen.

    Raises:
        FHIRError: what `fhir_service.search.parse` raises, and `forbidden` where no
            scope covers the type.

    """
    if type_ == "AuditEvent":
        return audit_events.search(exchange)
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        require(exchange.granted(snapshot), type_, "search-type")
        return answered(exchange, snapshot, asked(exchange, (type_,), type_))


def asked(
    exchange: Exchange,
    types: tuple[str, ...],
    path: str,
    extra: Extra | None = None,
    drop: frozenset[str] = frozenset(),
) -> Asked:
    """Return what the request asks of `types`.

    Args:
        exchange: The request.
        types: Searched together.
        path: Under the FHIR base, for links.
        extra: A further condition.
        drop: Parameters that were heeded already.

    """
    pairs = parameters(exchange.request)
    tokens = [value for name, value in pairs if name == PAGE]
    if len(tokens) > 1:
        raise FHIRError(IssueType.INVALID, "A page token is given once.")
    place = exchange.services.repository.deployment
    query = parse(
        types,
        tuple(pair for pair in pairs if pair[0] != PAGE and pair[0] not in drop),
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=exchange.now_us,
        strict=prefer(exchange.request).handling == "strict",
    )
    return Asked(
        query=query,
        path=path,
        token=tokens[0] if tokens else None,
        heeded=tuple(pair for pair in pairs if pair[0] in drop),
        extra=extra,
    )


def answered(exchange: Exchange, snapshot: Snapshot, asked: Asked) -> Response:
    """Return the searchset of a search."""
    query, services = asked.query, exchange.services
    after: tuple[int, ...] | None = None
    if asked.token is not None:
        after = unseal_numbers(
            services.page_key,
            asked.token,
            bound_to=_binding(exchange, asked),
            now_us=exchange.now_us,
        )
    planner = Planner(services, snapshot, exchange.who)
    found = Pages(planner, query, asked.extra).find(after)
    versions = [stored for _, stored in found.rows]
    entries = matches(services, planner, query, versions)
    found, rendered = _with_rendered(exchange, snapshot, asked, found)
    included = _included(exchange, snapshot, planner, query, versions)
    account(exchange, snapshot, found, included)
    parts = Parts(entries=(entries, rendered), included=included)
    told = obligations(exchange, snapshot, found, parts)
    page = bundle(exchange, asked, found, replace(parts, told=tuple(told)))
    return resource_response(page)


def obligations(
    exchange: Exchange, snapshot: Snapshot, found: Found, parts: Parts
) -> list[Issue]:
    """Return what must go with a page; nothing for most, known from the decision."""
    asked, included = found.asked_of, parts.included
    if included is None and asked is not None and not asked.obliged:
        return []
    rendered = list(parts.entries)
    rows = [stored.row for _, stored in found.rows]
    if included is not None:
        rendered += included.bodies
        rows += [stored.row for stored, _ in included.found]
    return page_issues(exchange, snapshot, rendered, rows)


def _with_rendered(
    exchange: Exchange, snapshot: Snapshot, asked: Asked, found: Found
) -> tuple[Found, bytes]:
    """Add the Provenances that are rendered on read; all are on the first page."""
    query = asked.query
    if query.types != ("Provenance",):
        return found, b""
    rendered = provenance.searched(exchange, snapshot, query.conditions)
    if found.total is not None:
        found = replace(found, total=found.total + len(rendered))
    if asked.token is not None or not query.count or query.summary == "count":
        return found, b""
    bodies = [one.body for one in rendered]
    return found, written(exchange.services, query, bodies, MATCH)


def _included(
    exchange: Exchange,
    snapshot: Snapshot,
    planner: Planner,
    query: SearchQuery,
    versions: Sequence[Shown | Stored],
) -> Included | None:
    if not query.includes or not versions:
        return None
    whole = [one for one in versions if isinstance(one, Stored)]
    included = Included(exchange, snapshot, planner)
    bodies = planner.bodies(whole)
    included.follow(query.includes, list(zip(whole, bodies, strict=True)))
    return included


def account(
    exchange: Exchange, snapshot: Snapshot, found: Found, included: Included | None
) -> None:
    """Tell the audit what was disclosed, of whom, and on what ground."""
    shown = [stored for _, stored in found.rows]
    if included is not None:
        shown += [stored for stored, _ in included.found]
    exchange.disclosed = [stored.seq for stored in shown]
    keys = {stored.patient_key for stored in shown}
    asked = found.asked_of
    if asked is not None:
        exchange.patients += asked.patients
        exchange.basis = asked.basis
        exchange.about(snapshot, asked.view.patient_key)
        keys.discard(asked.view.patient_key)
    for key in sorted(keys):
        state = patients.by_key(snapshot, key)
        if state is not None and state.id:
            exchange.patients.append(state.id)
    if exchange.basis:
        return
    first = next((one for one in shown if isinstance(one, Stored)), None)
    if first is not None:
        decided = exchange.services.gate.of_row(snapshot, exchange.who, first)
        exchange.basis = decided.basis


def bundle(
    exchange: Exchange,
    asked: Asked,
    found: Found,
    parts: Parts,
) -> bytes:
    """Return the searchset of a page, with what must go with it."""
    query, services = asked.query, exchange.services
    base = services.base_url
    url = f"{base}{_path(asked)}{_query(tuple(_applied(asked)))}"
    links: list[Link] = [("self", url)]
    if found.last is not None:
        token = _token(exchange, asked, found.last)
        links.append(("next", f"{url}{'&' if '?' in url else '?'}{PAGE}={token}"))
    more = [] if parts.included is None else parts.included.bodies
    return searchset(
        [*parts.entries, written(services, query, more, INCLUDE)],
        links=links,
        total=found.total,
        outcome=[*parts.told, *(_ignored(name) for name in query.ignored)],
    )


@lru_cache(maxsize=REMEMBERED)
def _query(pairs: tuple[Pair, ...]) -> str:
    return f"?{urlencode(pairs, safe='|,:/')}" if pairs else ""


def _token(exchange: Exchange, asked: Asked, last: tuple[int, ...]) -> str:
    services = exchange.services
    return seal_numbers(
        services.page_key,
        last,
        bound_to=_binding(exchange, asked),
        now_us=exchange.now_us,
        lifetime_s=services.page_lifetime_s,
    )


def _path(asked: Asked) -> str:
    return f"/{asked.path}" if asked.path else ""


def _applied(asked: Asked) -> list[Pair]:
    return [*asked.heeded, *asked.query.applied]


def _binding(exchange: Exchange, asked: Asked) -> str:
    pairs = (f"{name}={value}" for name, value in _applied(asked))
    return "\n".join((*exchange.who.holder, asked.path, *pairs))


def _ignored(name: str) -> Issue:
    return Issue(
        type=IssueType.NOT_SUPPORTED,
        diagnostics=f"The parameter {name!r} is not known here and was ignored.",
        severity=Severity.WARNING,
    )
