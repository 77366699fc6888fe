"""Search of one type, on the view that scopes and consents leave.

The predicate stands before count, sort and page; so a page is full when there is
more, a total is exact, and a hidden row moves nothing.

https://hl7.org/fhir/R4/http.html#search
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from conformance.issues import FHIRError, Issue, IssueType, Severity
from fhir_service.access import Decided
from fhir_service.auth.bearer import require
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange, resource_response
from fhir_service.rest.bundle import searchset
from fhir_service.rest.message import Response
from fhir_service.rest.paging import Position, seal, unseal
from fhir_service.search.query import MAX_PARAMETERS, SearchQuery, parse
from fhir_service.search.values import Token
from fhir_service.storage import observations, patients, resources, types
from fhir_service.storage.concepts import Concepts
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import clause
from fhir_service.storage.repository import category_codings, codings_of
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED
from fhir_service.storage.tokens import effective_range, identifier_token

PAGE = "_page"
"""Our own parameter that carries the continuation token."""

CANDIDATES = 200
"""Rows looked at in one go where the view is applied row by row."""


class Found(NamedTuple):
    """What a page shows.

    Attributes:
        bodies: The resources, in order.
        seqs: The exact versions, for the audit.
        last: Where the next page begins; None where nothing follows.
        total: How many match, where it was asked for.

    """

    bodies: list[bytes]
    seqs: list[int]
    last: Position | None
    total: int | None


def search(exchange: Exchange, type_: str) -> Response:
    """Return a searchset of what matches and may be seen.

    Raises:
        FHIRError: what `fhir_service.search.query.parse` raises, and `forbidden`
            where no scope covers the type.

    """
    services = exchange.services
    exchange.resource_type = type_
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        filters = require(grant, type_, "search-type")
        query, token = _asked(exchange, type_)
        after = None
        if token is not None:
            after = unseal(
                services.page_key,
                token,
                bound_to=_binding(exchange, query),
                now_us=exchange.now_us,
            )
        found = _find(exchange, snapshot, query, after, filters)
    exchange.disclosed = found.seqs
    return _page(exchange, query, _as_asked(exchange, query, token), found)


def _asked(exchange: Exchange, type_: str) -> tuple[SearchQuery, str | None]:
    request = exchange.request
    try:
        pairs = parse_qsl(
            request.query,
            keep_blank_values=True,
            max_num_fields=MAX_PARAMETERS,
            errors="strict",
        )
    except ValueError:
        raise FHIRError(
            IssueType.INVALID, "The query is not UTF-8, or has too many parameters."
        ) from None
    if not all(value.isprintable() for _, value in pairs):
        raise FHIRError(IssueType.INVALID, "A search value holds a control character.")
    tokens = [value for name, value in pairs if name == PAGE]
    if len(tokens) > 1:
        raise FHIRError(IssueType.INVALID, "A page token is given once.")
    query = parse(
        type_,
        [pair for pair in pairs if pair[0] != PAGE],
        base_url=exchange.services.base_url,
        zone=exchange.services.repository.deployment.zone,
        strict="handling=strict" in request.headers.get("prefer", ""),
    )
    return query, tokens[0] if tokens else None


def _binding(exchange: Exchange, query: SearchQuery) -> str:
    grant = exchange.who
    asked = "\n".join([f"{name}={value}" for name, value in query.applied])
    return f"{grant.client_id}\n{grant.user or ''}\n{query.type}\n{asked}"


def _as_asked(exchange: Exchange, query: SearchQuery, token: str | None) -> str:
    """Return the query as the client wrote it, less what was not understood."""
    raw = exchange.request.query
    if query.ignored or token is not None or not raw.isascii():
        return urlencode(query.applied)
    return raw


def _find(
    exchange: Exchange,
    snapshot: Snapshot,
    query: SearchQuery,
    after: Position | None,
    filters: tuple[Filters, ...],
) -> Found:
    if query.type == "Observation" and query.patients and not query.tokens_of("_id"):
        return _observations(exchange, snapshot, query, after, filters)
    return _rows(exchange, snapshot, query, after, filters)


def _one_patient(
    exchange: Exchange, snapshot: Snapshot, query: SearchQuery
) -> PatientState | None:
    """Return the one patient asked for; None where there is none, or two differ."""
    if len(set(query.patients)) > 1:
        exchange.patients += query.patients
        return None
    exchange.patients.append(query.patients[0])
    state = patients.by_id(snapshot, types.number_of("Patient"), query.patients[0])
    if state is not None:
        exchange.about(snapshot, state.key)
    return state


def _observations(
    exchange: Exchange,
    snapshot: Snapshot,
    query: SearchQuery,
    after: Position | None,
    filters: tuple[Filters, ...],
) -> Found:
    services = exchange.services
    state = _one_patient(exchange, snapshot, query)
    if state is None:
        return _nothing(query)
    decided = services.gate.view(snapshot, exchange.who, state, "Observation")
    exchange.basis = decided.basis
    question = _question(snapshot, query, decided, after, filters)
    if question is None:
        return _nothing(query)
    total = observations.total(snapshot, question) if _wants_total(query) else None
    count, key = query.count, state.key
    rows = observations.page(snapshot, question, count + 1) if count else []
    shown = rows[:count]
    return Found(
        services.repository.codec.decode_many(
            snapshot, [(key, row, version, body) for _, row, _, version, body in shown]
        ),
        [seq for _, _, seq, _, _ in shown],
        Position(shown[-1][0], shown[-1][1]) if len(rows) > count else None,
        total,
    )


def _nothing(query: SearchQuery) -> Found:
    return Found([], [], None, 0 if _wants_total(query) else None)


def _wants_total(query: SearchQuery) -> bool:
    return query.total or query.count == 0


def _question(
    snapshot: Snapshot,
    query: SearchQuery,
    decided: Decided,
    after: Position | None,
    filters: tuple[Filters, ...],
) -> Question | None:
    """Return the search in storage's words; None where nothing can match."""
    # Before the view: what a scope cannot ask is refused for every patient alike.
    scoped = tuple(_scope_categories(snapshot, filters))
    view = decided.view
    series = _series(snapshot, view.patient_key, query.tokens_of("code"))
    if series is not None:
        view = decided.of_codes(series)
    if view.is_empty:
        return None
    return Question(
        patient_key=view.patient_key,
        series=series,
        category_keys=(
            *_categories(snapshot, query.tokens_of("category")),
            *scoped,
        ),
        dates=tuple(query.dates_of("date")),
        updated=tuple(query.dates_of("_lastUpdated")),
        permitted=clause(view, snapshot.dialect),
        descending=query.descending,
        after=None if after is None else (after.key, after.row),
    )


def _any_concept(snapshot: Snapshot, tokens: Sequence[Token]) -> frozenset[int]:
    return frozenset().union(
        *(Concepts.matching(snapshot, token.system, token.code) for token in tokens)
    )


def _series(
    snapshot: Snapshot, patient_key: int, asked: Sequence[tuple[Token, ...]]
) -> dict[int, int] | None:
    """Return the series that satisfy every repetition; None where none is asked."""
    if not asked:
        return None
    found: list[dict[int, int]] = []
    for tokens in asked:
        any_of: dict[int, int] = {}
        for token in tokens:
            any_of |= observations.lengths_of_code(
                snapshot, patient_key, token.system, token.code
            )
        found.append(any_of)
    return {
        key: longest
        for key, longest in found[0].items()
        if all(key in others for others in found[1:])
    }


def _categories(
    snapshot: Snapshot, asked: Sequence[tuple[Token, ...]]
) -> Iterator[frozenset[int]]:
    for tokens in asked:
        yield _any_concept(snapshot, tokens)


def _scope_categories(
    snapshot: Snapshot, filters: tuple[Filters, ...]
) -> Iterator[frozenset[int]]:
    """Yield the concepts that a filtered scope leaves, where every scope is filtered.

    Raises:
        FHIRError: `not-supported` for a filter by anything but one category.

    """
    if any(not alternative for alternative in filters):
        return
    tokens = []
    for alternative in filters:
        if len(alternative) != 1 or alternative[0].parameter != "category":
            raise FHIRError(
                IssueType.NOT_SUPPORTED, "This scope's filter is not supported."
            )
        tokens.append(Token(alternative[0].system, alternative[0].code))
    yield _any_concept(snapshot, tokens)


def _rows(
    exchange: Exchange,
    snapshot: Snapshot,
    query: SearchQuery,
    after: Position | None,
    filters: tuple[Filters, ...],
) -> Found:
    """Answer from candidates that the view is applied to one by one."""
    first, wants_total = after.row if after else 0, _wants_total(query)
    shown: list[Stored] = []
    total, is_more = 0, False
    for stored in _candidates(exchange, snapshot, query):
        if not _is_visible(exchange, snapshot, query, stored, filters):
            continue
        total += 1
        if stored.row > first and len(shown) < query.count:
            shown.append(stored)
        elif stored.row > first:
            is_more = True
            if not wants_total:
                break
    repository = exchange.services.repository
    return Found(
        [repository.body(snapshot, stored) for stored in shown],
        [stored.seq for stored in shown],
        Position(0, shown[-1].row) if is_more and shown else None,
        total if wants_total else None,
    )


def _candidates(
    exchange: Exchange, snapshot: Snapshot, query: SearchQuery
) -> Iterator[Stored]:
    """Yield, by row, what satisfies the tokens and the patient, hidden or not."""
    rows = _rows_by_token(exchange, snapshot, query)
    if query.patients:
        state = _one_patient(exchange, snapshot, query)
        if state is not None:
            yield from _of_patient(snapshot, query, state.key, rows)
    elif rows is not None:
        for row in sorted(rows):
            stored = resources.current(snapshot, row)
            if stored is not None:
                yield stored
    elif class_of(query.type) is ResourceClass.SHARED:
        yield from _of_patient(snapshot, query, SHARED, None)
    else:
        yield from _of_everybody(snapshot, query)


def _rows_by_token(
    exchange: Exchange, snapshot: Snapshot, query: SearchQuery
) -> set[int] | None:
    """Return the rows that `_id` and `identifier` leave; None where none is asked."""
    type_id = types.number_of(query.type)
    blind = exchange.services.repository.blind
    found: list[set[int]] = [
        {
            at[1]
            for token in each
            if (at := resources.locate(snapshot, type_id, token.code)) is not None
        }
        for each in query.tokens_of("_id")
    ]
    found += [
        {
            row
            for token in each
            for _, row in resources.by_token(
                snapshot,
                type_id,
                "identifier",
                identifier_token(blind, token.system, token.code),
            )
        }
        for each in query.tokens_of("identifier")
    ]
    return set.intersection(*found) if found else None


def _of_patient(
    snapshot: Snapshot, query: SearchQuery, key: int, rows: set[int] | None
) -> Iterator[Stored]:
    type_id, after = types.number_of(query.type), 0
    if query.type == "Observation":
        for row in sorted(rows or ()):
            stored = resources.current(snapshot, row)
            if stored is not None and stored.patient_key == key:
                yield stored
        return
    while True:
        page = resources.of_patient(
            snapshot, key, type_id, after=after, count=CANDIDATES
        )
        yield from (one for one in page if rows is None or one.row in rows)
        if len(page) < CANDIDATES:
            return
        after = page[-1].row


def _of_everybody(snapshot: Snapshot, query: SearchQuery) -> Iterator[Stored]:
    after = SHARED
    while states := patients.after(snapshot, after, CANDIDATES):
        for state in states:
            yield from _of_patient(snapshot, query, state.key, None)
        after = states[-1].key


def _is_visible(
    exchange: Exchange,
    snapshot: Snapshot,
    query: SearchQuery,
    stored: Stored,
    filters: tuple[Filters, ...],
) -> bool:
    gate = exchange.services.gate
    if stored.deleted or not _is_updated_within(query, stored):
        return False
    if not _is_asked(exchange, snapshot, query, stored):
        return False
    decided = gate.of_row(snapshot, exchange.who, stored)
    if not gate.permits(snapshot, decided, stored, filters):
        return False
    exchange.patients += decided.patients
    exchange.basis = exchange.basis or decided.basis
    return True


def _is_asked(
    exchange: Exchange, snapshot: Snapshot, query: SearchQuery, stored: Stored
) -> bool:
    """Whether one Observation satisfies what the time-series index would ask."""
    dates = query.dates_of("date")
    wanted = [
        (parameter, tokens)
        for parameter in ("code", "category")
        for tokens in query.tokens_of(parameter)
    ]
    if not dates and not wanted:
        return True
    repository = exchange.services.repository
    resource = fhir_json.loads(repository.body(snapshot, stored))
    codings = {
        "code": codings_of(resource.get("code")),
        "category": category_codings(resource),
    }
    start, end = effective_range(resource, repository.deployment.zone)
    return all(
        any(token.matches(coding) for token in tokens for coding in codings[parameter])
        for parameter, tokens in wanted
    ) and all(any(criterion.covers(start, end) for criterion in each) for each in dates)


def _is_updated_within(query: SearchQuery, stored: Stored) -> bool:
    return all(
        any(criterion.holds(stored.last_updated) for criterion in each)
        for each in query.dates_of("_lastUpdated")
    )


def _page(exchange: Exchange, query: SearchQuery, asked: str, found: Found) -> Response:
    base = f"{exchange.services.base_url}/{query.type}"
    links = [("self", f"{base}?{asked}" if asked else base)]
    if found.last is not None:
        token = seal(
            exchange.services.page_key,
            found.last,
            bound_to=_binding(exchange, query),
            now_us=exchange.now_us,
            lifetime_s=exchange.services.page_lifetime_s,
        )
        joined = f"{asked}&" if asked else ""
        links.append(("next", f"{base}?{joined}{PAGE}={token}"))
    body = searchset(
        query.type,
        base,
        found.bodies,
        links=links,
        total=found.total,
        outcome=[_ignored(name) for name in query.ignored],
    )
    return resource_response(body)


def _ignored(name: str) -> Issue:
    return Issue(
        type=IssueType.NOT_SUPPORTED,
        diagnostics=f"The parameter {name!r} is not known here and was left out.",
        severity=Severity.WARNING,
    )
