"""What must go with a record of a Part 2 program: the scope of the consent behind it.

The statement that prohibits redisclosure is in the record itself, in its
`meta.security`. The scope depends on who receives it, so it is told beside it: in the
header `Part-2-Consent` of a read or vread, in an `information` issue in a Bundle. Only
what is released is asked about, so nothing hidden shows.

https://www.ecfr.gov/current/title-42/section-2.32
"""

from collections.abc import Iterable, Iterator
from typing import Final

from conformance import fhir_json
from conformance.issues import Issue, IssueType, Severity
from consent.decision import Because, Reason
from consent.disclosure_scope import scope
from consent.labels import policy_tags
from consent.part_2 import TAG
from fhir_service.exchange import Exchange
from fhir_service.rest.message import Header
from fhir_service.storage import resources
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored

HEADER: Final = "part-2-consent"

_MARK: Final = f'"{TAG}"'.encode()


def scope_headers(
    exchange: Exchange, snapshot: Snapshot, stored: Stored, body: bytes
) -> tuple[Header, ...]:
    """Return the scopes that go with one released version; none for most."""
    found = tuple(scopes(exchange, snapshot, [(stored, body)]))
    return tuple((HEADER, text) for text in found)


def scope_issues(
    exchange: Exchange, snapshot: Snapshot, released: list[tuple[Stored, bytes]]
) -> list[Issue]:
    """Return the scopes that go with a Bundle of released versions."""
    return issues_of(scopes(exchange, snapshot, released))


def issues_of(texts: Iterable[str]) -> list[Issue]:
    """Return scopes as what an OperationOutcome tells."""
    return [
        Issue(
            type=IssueType.INFORMATIONAL,
            diagnostics=f"Released under 42 CFR part 2 by {text}.",
            severity=Severity.INFORMATION,
        )
        for text in texts
    ]


def page_issues(
    exchange: Exchange,
    snapshot: Snapshot,
    rendered: Iterable[bytes],
    rows: Iterable[int],
) -> list[Issue]:
    """Return the scopes that go with a page of current versions.

    Args:
        exchange: The request.
        snapshot: That of the page.
        rendered: The page's entries as they are sent; pages that were rendered
            before included.
        rows: Of everything on the page.

    """
    if not any(_MARK in part for part in rendered):
        return []
    body = exchange.services.repository.body
    released = [
        (stored, body(snapshot, stored))
        for row in rows
        if (stored := resources.current(snapshot, row)) is not None
    ]
    return scope_issues(exchange, snapshot, released)


def scopes(
    exchange: Exchange, snapshot: Snapshot, released: list[tuple[Stored, bytes]]
) -> Iterator[str]:
    """Yield each scope once, of the versions that a Part 2 program has made."""
    marked = [stored for stored, body in released if _is_of_program(body)]
    reasons = {
        (reason.name, reason.version, reason.path): reason
        for stored in marked
        for reason in exchange.services.gate.reasons(snapshot, exchange.who, stored)
        if reason.because is Because.PERMIT
    }
    for reason in reasons.values():
        yield _told(exchange, snapshot, reason)


def _is_of_program(body: bytes) -> bool:
    return _MARK in body and TAG in policy_tags(fhir_json.loads_object(body))


def _told(exchange: Exchange, snapshot: Snapshot, reason: Reason) -> str:
    """Return the scope of a reason's consent, read in the snapshot that decided.

    Raises:
        LookupError: where the consent that decided is not there.

    """
    repository = exchange.services.repository
    name = str(reason.name)
    stored = repository.read(snapshot, "Consent", name.removeprefix("Consent/"))
    if stored is None:
        raise LookupError("a consent that decided is not stored")
    return scope(
        fhir_json.loads_object(repository.body(snapshot, stored)),
        version=f"{name}/_history/{reason.version}",
        path=str(reason.path),
        deployment=repository.deployment,
    )
