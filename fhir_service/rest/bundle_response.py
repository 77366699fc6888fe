"""The Bundle that answers a batch or a transaction, spliced from stored bytes.

https://hl7.org/fhir/R4/bundle-response.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from conformance import fhir_json


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What one entry came to.

    Attributes:
        status: HTTP status.
        location: Absolute URL of the version that was written.
        etag: Version, such as `W/"1"`.
        last_modified: An instant, the `meta.lastUpdated` of the resource.
        full_url: Absolute URL of the resource, where the answer is one of ours.
        resource: As JSON.
        outcome: An OperationOutcome as JSON.

    """

    status: int
    location: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    full_url: str | None = None
    resource: bytes = b""
    outcome: bytes = b""


def response_bundle(type_: str, answers: Iterable[Answered]) -> bytes:
    """Return a Bundle of `type_` with the answers in the order of the requests."""
    entries = b",".join(map(_entry, answers))
    listed = b',"entry":[%b]' % entries if entries else b""
    return b'{"resourceType":"Bundle","type":%b%b}' % (fhir_json.dumps(type_), listed)


def _entry(answered: Answered) -> bytes:
    told = {
        "status": f"{answered.status} {HTTPStatus(answered.status).phrase}",
        "location": answered.location,
        "etag": answered.etag,
        "lastModified": answered.last_modified,
    }
    response = fhir_json.dumps({name: text for name, text in told.items() if text})
    if answered.outcome:
        response = b'%b,"outcome":%b}' % (response[:-1], answered.outcome)
    parts = [b'"response":%b' % response]
    if answered.resource:
        parts.insert(0, b'"resource":%b' % answered.resource)
    if answered.full_url is not None:
        parts.insert(0, b'"fullUrl":%b' % fhir_json.dumps(answered.full_url))
    return b"{%b}" % b",".join(parts)
