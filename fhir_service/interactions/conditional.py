"""Conditional interactions: the resource is the one that matches a search.

Only what the client may see matches; so a condition on what is hidden is answered
like one on what never existed.

https://hl7.org/fhir/R4/http.html#cond-update
"""

import re
from urllib.parse import parse_qsl, urlencode

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange
from fhir_service.interactions.matching import matching
from fhir_service.rest.message import Request
from fhir_service.rest.refusals import PreconditionFailed
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored

ANSWERING = frozenset({"_format", "_pretty"})
"""Parameters that say how the answer looks, and so restrict nothing."""

SHAPING = frozenset(
    {
        "_contained",
        "_containedType",
        "_count",
        "_elements",
        "_include",
        "_include:iterate",
        "_page",
        "_revinclude",
        "_revinclude:iterate",
        "_sort",
        "_summary",
        "_total",
    }
)
"""Parameters that shape a page of results; a condition has none."""

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')
"""Weak and strong alike: a strong one is what clients send that know no weak ones."""

PRECONDITIONS = ("if-match", "if-none-match", "if-none-exist", "if-unmodified-since")
"""Headers that make a write depend on something."""


def only_match(
    exchange: Exchange, snapshot: Snapshot, type_: str, query: str
) -> Stored | None:
    """Return the one resource that matches and may be seen; None where none does.

    Args:
        exchange: The request; its scopes must allow a search of the type.
        snapshot: Where to look; the write transaction, so that nothing comes between.
        type_: The resource type.
        query: What stands after the `?`, as it was sent.

    Raises:
        FHIRError: `multiple-matches` where several do, `invalid` where the query
            would match everything, and what a search raises.

    """
    require(exchange.who, type_, "search-type")
    found = matching(exchange, snapshot, type_, criteria(query), limit=2)
    if len(found) > 1:
        raise FHIRError(
            IssueType.MULTIPLE_MATCHES,
            f"The condition matches more than one {type_}.",
        )
    return found[0] if found else None


def criteria(query: str) -> str:
    """Return the part of a query that restricts what matches.

    Raises:
        FHIRError: `invalid` where nothing is left or a value is empty, which would
            restrict nothing; `not-supported` for what shapes a page.

    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise FHIRError(IssueType.INVALID, "The condition is not UTF-8.") from None
    kept = [(name, value) for name, value in pairs if name not in ANSWERING]
    for name, value in kept:
        if name in SHAPING:
            raise FHIRError(
                IssueType.NOT_SUPPORTED, f"A condition does not take {name}."
            )
        if not value.strip(" ,"):
            raise FHIRError(
                IssueType.INVALID, "A parameter of the condition has no value."
            )
    if not kept:
        raise FHIRError(
            IssueType.INVALID, "The condition names no parameter: all would match."
        )
    return urlencode(kept)


def condition_of(header: str, type_: str) -> str:
    """Return the query of an `If-None-Exist`, with or without `Type?` before it."""
    before, question, after = header.partition("?")
    return after if question and before.strip() in {"", type_} else header.strip()


def id_of(exchange: Exchange, snapshot: Snapshot, stored: Stored) -> str:
    """Return the public id of a stored version."""
    body = fhir_json.loads(exchange.services.repository.body(snapshot, stored))
    return str(body["id"])


def refuse_conditions(request: Request, *understood: str) -> None:
    """Refuse a condition that is not understood here: it would be ignored.

    Raises:
        FHIRError: `not-supported`, with the name of the header.

    """
    for header in PRECONDITIONS:
        if header in request.headers and header not in understood:
            raise FHIRError(
                IssueType.NOT_SUPPORTED, f"A write under {header} is not supported."
            )


def match_version(old: Stored, if_match: str | None, if_none_match: str | None) -> None:
    """Refuse a write that expects another state than the current one.

    Args:
        old: The current version, which the client may see.
        if_match: Tags of which one must be the current version; `*` for any.
        if_none_match: Tags of which none may be; `*` for none at all.

    Raises:
        FHIRError: `conflict` with status 412; `invalid` where no tag can be read.

    """
    if if_match is not None and not _is_named(old, if_match):
        raise PreconditionFailed
    if if_none_match is not None and _is_named(old, if_none_match):
        raise PreconditionFailed("If-None-Match names the version that is current.")


def _is_named(version: Stored, field: str) -> bool:
    if field.strip() == "*":
        return not version.deleted
    tags = _ENTITY_TAG.findall(field)
    if not tags:
        raise FHIRError(
            IssueType.INVALID,
            'A condition on the version holds entity tags, such as W/"1".',
        )
    return str(version.version) in tags
