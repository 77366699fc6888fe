"""AuditEvent: the log through FHIR, for compliance officers (ITI-81).

Nothing of it is stored as a resource: events are rendered from rows. A person needs
the role of a compliance officer; a backend service sees what concerns its
organisation. What asks here is recorded as a reading of the log.

https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from conformance import fhir_json
from conformance.date_range import parsed_date
from conformance.issues import FHIRError, IssueType
from consent.audit.audit_event import PATTERNS
from consent.audit.entry import Interaction
from fhir_service.auth.bearer import Grant, InsufficientScope, require
from fhir_service.auth.users import Role
from fhir_service.compliance.audit_events import event_of, events, place_of
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader, Row, caught_up
from fhir_service.exchange import Exchange, not_found, resource_response
from fhir_service.rest.bundle import Link, searchset
from fhir_service.rest.message import Response
from fhir_service.rest.paging import seal_numbers, unseal_numbers
from fhir_service.rest.parameters import Pair, parameters
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.engine import Snapshot

PAGE = "_page"
DEFAULT_COUNT, MAX_COUNT = 50, 500

_IGNORED = frozenset({"_format", "_pretty", PAGE, "_count", "_sort", "_total"})


def officer_of(grant: Grant, address: str) -> Officer:
    """Return whose rows a token opens.

    Raises:
        FHIRError: `forbidden` for a person of another role, and for a client that no
            organisation stands behind.

    """
    if grant.user_id is not None and grant.role != Role.COMPLIANCE_OFFICER:
        raise InsufficientScope("The audit log is read by compliance officers.")
    if grant.organization is None or grant.patient is not None:
        raise InsufficientScope("The audit log is read for an organisation.")
    return Officer(
        user=grant.user or grant.user_id or "",
        organizations=(grant.organization,),
        client=grant.client_id,
        address=address,
    )


def read(exchange: Exchange, id_: str) -> Response:
    """Return one event.

    Raises:
        FHIRError: `not-found` for what is absent or not the officer's.

    """
    reader = _begun(exchange, "read")
    with exchange.services.database.read() as snapshot:
        found = event_of(reader(snapshot), id_)
    if found is None:
        raise not_found("AuditEvent", id_)
    return resource_response(fhir_json.dumps(found))


def search(exchange: Exchange) -> Response:
    """Return a page of events, newest first.

    Raises:
        FHIRError: `not-supported` for a parameter or modifier that is not served,
            `invalid` for one that cannot be understood.

    """
    reader = _begun(exchange, "search-type")
    pairs = parameters(exchange.request)
    asked = _filter(exchange, pairs)
    count = _count(pairs)
    with exchange.services.database.read() as snapshot:
        mine = reader(snapshot)
        page, last = _page(exchange, mine, asked, pairs, count)
        total = _total(mine, asked, pairs) if _is_counted(pairs) else None
        if ("_summary", "count") in pairs:
            page, last = [], None
    return resource_response(_bundle(exchange, pairs, page, last, total))


def _begun(exchange: Exchange, interaction: str) -> Callable[[Snapshot], Reader]:
    """Return what reads for the officer who asks; the index goes to the log's end."""
    services = exchange.services
    exchange.resource_type = "AuditEvent"
    exchange.interaction = Interaction.AUDIT_READ
    with services.database.read() as snapshot:
        grant = exchange.granted(snapshot)
        require(grant, "AuditEvent", interaction)
    officer = officer_of(grant, exchange.request.remote)
    caught_up(services)
    return lambda snapshot: Reader(services, snapshot, officer)


def _is_counted(pairs: Iterable[Pair]) -> bool:
    return bool({("_total", "accurate"), ("_summary", "count")}.intersection(pairs))


def _total(reader: Reader, asked: AuditFilter, pairs: list[Pair]) -> int:
    """Return how many events there are; those of some ids are looked at one by one."""
    if _named(pairs) is None:
        return reader.events(asked)
    rows = reader.find(asked, count=len(asked.indexes))
    return sum(len(_events(reader, asked, row, pairs)) for row in rows)


def _page(
    exchange: Exchange,
    reader: Reader,
    asked: AuditFilter,
    pairs: list[Pair],
    count: int,
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """Return events, and the row and the place in it where the page ended."""
    before, skip = _begin(exchange, pairs)
    page: list[dict[str, Any]] = []
    while True:
        found = reader.find(asked, count=count + 1, before=before)
        for row in found:
            for place, one in enumerate(_events(reader, asked, row, pairs)):
                if skip and place < skip:
                    continue
                if len(page) == count:
                    return page, (row.index, place)
                page.append(one)
            skip = 0
        if len(found) <= count:
            return page, None
        before = found[-1].index


def _events(
    reader: Reader, asked: AuditFilter, row: Row, pairs: list[Pair]
) -> list[dict[str, Any]]:
    """Return the events of a row that are asked for."""
    named = _named(pairs)
    return [
        one
        for one in events(reader, row)
        if _is_asked(asked, reader, one) and (named is None or named(one["id"]))
    ]


def _is_asked(asked: AuditFilter, reader: Reader, event: Mapping[str, Any]) -> bool:
    """Whether an event is about a patient who is asked for, where some are."""
    if not asked.patients:
        return True
    named = {
        entity["what"].get("reference")
        for entity in event.get("entity", ())
        if entity.get("role", {}).get("code") == "1"
    }
    known = (
        reader.services.pseudonyms.patient(reader.snapshot, one)
        for one in asked.patients
    )
    return bool(named & {f"Patient/{one.id}" for one in known if one is not None})


def _begin(exchange: Exchange, pairs: list[Pair]) -> tuple[int | None, int]:
    tokens = [value for name, value in pairs if name == PAGE]
    if not tokens:
        return None, 0
    numbers = unseal_numbers(
        exchange.services.page_key,
        tokens[0],
        bound_to=_binding(exchange, pairs),
        now_us=exchange.now_us,
    )
    return numbers[0] + 1, numbers[1]


def _binding(exchange: Exchange, pairs: Iterable[Pair]) -> str:
    rest = sorted(pair for pair in pairs if pair[0] != PAGE)
    return repr(("AuditEvent", exchange.who.holder, rest))


def _bundle(
    exchange: Exchange,
    pairs: list[Pair],
    page: list[dict[str, Any]],
    last: tuple[int, int] | None,
    total: int | None,
) -> bytes:
    services = exchange.services
    rest = [pair for pair in pairs if pair[0] != PAGE]
    url = f"{services.base_url}/AuditEvent"
    query = f"?{urlencode(rest)}" if rest else ""
    links: list[Link] = [("self", f"{url}{query}")]
    if last is not None:
        token = seal_numbers(
            services.page_key,
            last,
            bound_to=_binding(exchange, pairs),
            now_us=exchange.now_us,
            lifetime_s=services.page_lifetime_s,
        )
        links.append(("next", f"{url}?{urlencode([*rest, (PAGE, token)])}"))
    entries = [
        b'{"fullUrl":%b,"resource":%b,"search":{"mode":"match"}}'
        % (fhir_json.dumps(f"{url}/{one['id']}"), fhir_json.dumps(one))
        for one in page
    ]
    return searchset([b",".join(entries)], links=links, total=total)


def _count(pairs: Iterable[Pair]) -> int:
    values = [value for name, value in pairs if name == "_count"]
    if not values:
        return DEFAULT_COUNT
    if len(values) > 1 or not values[0].isdecimal() or int(values[0]) < 1:
        raise FHIRError(IssueType.INVALID, "`_count` is one number above zero.")
    return min(int(values[0]), MAX_COUNT)


def _filter(exchange: Exchange, pairs: Iterable[Pair]) -> AuditFilter:
    asked = AuditFilter()
    for name, value in pairs:
        if name in _IGNORED:
            _refuse_other_order(name, value)
            continue
        if name == "_summary" and value == "count":
            continue
        heed = PARAMETERS.get(name)
        if heed is None:
            raise FHIRError(
                IssueType.NOT_SUPPORTED,
                f"AuditEvent is not searched by {name[:64]}; it is by "
                f"{', '.join(sorted(PARAMETERS))}.",
            )
        asked = heed(exchange, asked, value)
    return asked


def _refuse_other_order(name: str, value: str) -> None:
    if name == "_sort" and value != "-date":
        raise FHIRError(
            IssueType.NOT_SUPPORTED, "Events are sorted by `-date`, newest first."
        )


def _date(exchange: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    if "," in value:
        raise FHIRError(IssueType.NOT_SUPPORTED, "`date` has one value at a time.")
    prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
    zone = exchange.services.repository.deployment.zone
    try:
        found = parsed_date(text, zone)
    except FHIRError as error:
        raise FHIRError(IssueType.INVALID, str(error), "date") from error
    start, after = found.start_us, found.end_us + 1
    since, until = {
        "eq": (start, after),
        "ge": (start, None),
        "gt": (after, None),
        "sa": (after, None),
        "le": (None, after),
        "lt": (None, start),
        "eb": (None, start),
    }.get(prefix, (-1, -1))
    if since == -1:
        raise FHIRError(IssueType.NOT_SUPPORTED, f"`date` has no prefix {prefix}.")
    return replace(
        asked,
        since_us=max(one for one in (asked.since_us, since, 0) if one is not None),
        until_us=min(
            (one for one in (asked.until_us, until) if one is not None), default=None
        ),
    )


def _also(asked: AuditFilter, name: str, values: tuple[str, ...]) -> AuditFilter:
    """Return the question with one of `values`, beside what was asked before.

    An event has several of them: two agents, two purposes.
    """
    changed: dict[str, Any] = {name: values}
    if not getattr(asked, name):
        return replace(asked, **changed)
    return replace(asked, also=(*asked.also, AuditFilter(**changed)))


def _narrowed(asked: AuditFilter, name: str, values: tuple[Any, ...]) -> AuditFilter:
    """Return the question with `values`, or those of them that were asked before.

    An event has one of them: one outcome, one address.
    """
    before = getattr(asked, name)
    both = tuple(one for one in values if one in before) if before else values
    # No row has a name that nobody can have.
    changed: dict[str, Any] = {name: both or ("\0",)}
    return replace(asked, **changed)


def _patient(exchange: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    base = f"{exchange.services.base_url}/"
    ids = [one.removeprefix(base).removeprefix("Patient/") for one in value.split(",")]
    exchange.patients += ids
    pseudonyms = tuple(exchange.services.pseudonym(one) for one in ids)
    before = asked.patients
    both = tuple(one for one in pseudonyms if not before or one in before)
    return replace(asked, patients=both or (b"",))


def _interactions(wanted: Callable[[Any], bool]) -> tuple[Interaction, ...]:
    return tuple(one for one, pattern in PATTERNS.items() if wanted(pattern))


def _coded(
    codes_of: Callable[[Any], Iterable[tuple[str, str]]],
) -> Callable[[Exchange, AuditFilter, str], AuditFilter]:
    """Return what heeds a token of the patterns of interactions."""

    def heed(_: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
        tokens = [_token(one) for one in value.split(",")]
        found = _interactions(
            lambda pattern: any(
                (system is None or system == of) and code == known
                for system, code in tokens
                for of, known in codes_of(pattern)
            )
        )
        before = asked.interactions
        both = tuple(one for one in found if not before or one in before)
        return _or_nothing(replace(asked, interactions=both), both)

    return heed


def _or_nothing(asked: AuditFilter, left: Iterable[object]) -> AuditFilter:
    """Return the question; once nothing is left of one part, nothing is asked for."""
    return asked if any(True for _ in left) else replace(asked, is_nothing=True)


def _token(text: str) -> tuple[str | None, str]:
    system, bar, code = text.partition("|")
    return (system, code) if bar else (None, text)


def _outcome(_: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    levels = tuple(_token(one)[1] for one in value.split(","))
    return _narrowed(asked, "levels", levels)


def _agent(exchange: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    """Heed who took part: a person, a client or an organisation."""
    base = f"{exchange.services.base_url}/"
    names = (_token(one)[1] for one in value.split(","))
    return _also(asked, "agents", tuple(one.removeprefix(base) for one in names))


def _entity(exchange: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    base = f"{exchange.services.base_url}/"
    references = [one.removeprefix(base) for one in value.split(",")]
    types = {one.partition("/")[0] for one in references if one.partition("/")[2]}
    if types == {"Patient"}:
        return _patient(exchange, asked, ",".join(references))
    if types == {"Consent"}:
        return _consents(asked, references)
    raise FHIRError(
        IssueType.NOT_SUPPORTED,
        "`entity` is one or more Patients, or one or more Consents, as Type/id.",
    )


def _consents(asked: AuditFilter, references: Iterable[str]) -> AuditFilter:
    """Heed Consents, of which the index knows the first that a decision rested on."""
    if asked.bases:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "`entity` is given once with a Consent: an event is found by the first "
            "of those that its decision rested on.",
        )
    names = (one.removeprefix("Consent/") for one in references)
    bases = (one if "/_history/" in one else f"{one}/" for one in names)
    return replace(asked, bases=tuple(f"consent {one}" for one in bases))


def _purpose(_: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    codes = tuple(_token(one)[1] for one in value.split(","))
    return _also(asked, "purposes", codes)


def _address(_: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    return _narrowed(asked, "addresses", tuple(value.split(",")))


def _source(exchange: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    del exchange
    is_ours = "Device/fhir-interop-service" in value.split(",")
    return asked if is_ours else replace(asked, is_nothing=True)


def _id(_: Exchange, asked: AuditFilter, value: str) -> AuditFilter:
    """Heed ids of events; the number of a row stands for all of its events."""
    places = [place for one in value.split(",") if (place := place_of(one))]
    rows = dict.fromkeys(place.row for place in places)
    both = tuple(one for one in rows if not asked.indexes or one in asked.indexes)
    return _or_nothing(replace(asked, indexes=both), both)


Named = Callable[[str], bool]
"""Whether an event of an id is asked for."""


def _named(pairs: Iterable[Pair]) -> Named | None:
    """Return which ids are asked for; None where any is."""
    wanted = [frozenset(value.split(",")) for name, value in pairs if name == "_id"]
    if not wanted:
        return None
    return lambda id_: all({id_, id_.partition("-")[0]} & ids for ids in wanted)


PARAMETERS: Mapping[str, Callable[[Exchange, AuditFilter, str], AuditFilter]] = (
    MappingProxyType(
        {
            "_id": _id,
            "_lastUpdated": _date,
            "action": _coded(lambda pattern: [("", pattern.action)]),
            "address": _address,
            "agent": _agent,
            "agent:identifier": _agent,
            "date": _date,
            "entity": _entity,
            "outcome": _outcome,
            "patient": _patient,
            "purpose": _purpose,
            "source": _source,
            "subtype": _coded(
                lambda pattern: [(one.system, one.code) for one in pattern.subtypes]
            ),
            "type": _coded(lambda pattern: [(pattern.type.system, pattern.type.code)]),
        }
    )
)
"""What events are searched by; `purpose` is our own."""
