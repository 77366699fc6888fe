"""What the entry of a response Bundle tells of a write or of a reply.

https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response
"""

from conformance import fhir_json
from conformance.issues import Issue, IssueType, Severity
from fhir_service.errors import operation_outcome
from fhir_service.exchange import Exchange
from fhir_service.interactions.bundles.entries import Entry
from fhir_service.interactions.bundles.writes import Done
from fhir_service.interactions.obligations import HEADER, issues_of
from fhir_service.rest.bundle_response import Answered
from fhir_service.rest.message import Response
from fhir_service.rest.prefer import Return

_FIRST_ERROR = 400
_OUTCOME = b'{"resourceType":"OperationOutcome"'
_VERSION = "/_history/"


def of_write(exchange: Exchange, done: Done, returns: Return | None) -> Answered:
    """Return what is told of a write; with `Prefer: return` the client chooses."""
    written = done.written
    stored = written.stored
    url = f"{exchange.services.base_url}/{written.type}/{written.id}"
    is_shown = returns in (None, "representation") and not stored.deleted
    return Answered(
        status=done.status,
        location=None if stored.deleted else f"{url}{_VERSION}{stored.version}",
        etag=f'W/"{stored.version}"',
        last_modified=written.last_updated,
        full_url=url if is_shown else None,
        resource=written.body if is_shown else b"",
        outcome=_success(exchange) if returns == "OperationOutcome" else b"",
    )


def _success(exchange: Exchange) -> bytes:
    issue = Issue(
        type=IssueType.INFORMATIONAL,
        diagnostics="The interaction was successful.",
        severity=Severity.INFORMATION,
    )
    return fhir_json.dumps(operation_outcome([issue], exchange.request.request_id))


def of_reply(exchange: Exchange, entry: Entry, reply: Response) -> Answered:
    """Return what is told of the reply to an entry that was asked like any request."""
    headers = dict(reply.headers)
    is_outcome = reply.status >= _FIRST_ERROR or (
        entry.writes and reply.body.startswith(_OUTCOME)
    )
    resource = b"" if is_outcome or entry.method == "HEAD" else reply.body
    return Answered(
        status=reply.status,
        location=headers.get("location") or headers.get("content-location"),
        etag=headers.get("etag"),
        last_modified=_last_updated(reply.body) if "last-modified" in headers else None,
        full_url=_full_url(exchange, entry, headers) if resource else None,
        resource=resource,
        outcome=reply.body if is_outcome else _scopes(exchange, reply),
    )


def _scopes(exchange: Exchange, reply: Response) -> bytes:
    """Return what must go with the resource, which alone would be in a header."""
    issues = issues_of(text for name, text in reply.headers if name == HEADER)
    if not issues:
        return b""
    return fhir_json.dumps(operation_outcome(issues, exchange.request.request_id))


def _last_updated(body: bytes) -> str | None:
    """Return the instant that the header tells by the second only."""
    told = fhir_json.loads(body).get("meta", {}).get("lastUpdated") if body else None
    return told if isinstance(told, str) else None


def _full_url(exchange: Exchange, entry: Entry, headers: dict[str, str]) -> str | None:
    """Return the URL of a resource of ours, without its version."""
    version = headers.get("content-location")
    if version is not None:
        return version.partition(_VERSION)[0]
    if "last-modified" not in headers:
        return None  # What was found or worked out has no URL of its own.
    path = entry.target.path.partition(_VERSION)[0]
    return f"{exchange.services.base_url}/{path}"
