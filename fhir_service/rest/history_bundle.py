"""A Bundle of versions, spliced from stored bytes.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from conformance import fhir_json
from fhir_service.rest.bundle import Link
from fhir_service.rest.instant import fhir_instant


class Version(NamedTuple):
    """One version as an entry shows it.

    Attributes:
        type: Resource type.
        id: Public id.
        version: Counts from 1; the first one was created, all others updated.
        last_updated: Microseconds since 1970.
        body: The resource; None where this version says that it is gone.

    """

    type: str
    id: str
    version: int
    last_updated: int
    body: bytes | None


def history_bundle(
    base_url: str,
    versions: Iterable[Version],
    *,
    links: Sequence[Link],
    total: int | None = None,
    outcome: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a history Bundle; empty arrays are left out, as FHIR demands.

    Args:
        base_url: The public FHIR base.
        versions: What is shown, newest first.
        links: `self` first.
        total: How many versions there are in all, where it was counted.
        outcome: An OperationOutcome that the client should know. As every entry of
            a history belongs to a request, it is that of the request for this one.

    """
    head: dict[str, object] = {"resourceType": "Bundle", "type": "history"}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    entries = [_entry(base_url, version) for version in versions]
    if outcome is not None:
        entries.append(_told(links[0][1].removeprefix(f"{base_url}/"), outcome))
    text = fhir_json.dumps(head)
    if not entries:
        return text
    return b'%b,"entry":[%b]}' % (text[:-1], b",".join(entries))


def _entry(base_url: str, version: Version) -> bytes:
    place = f"{version.type}/{version.id}"
    method, url, status = _interaction(version, place)
    how = fhir_json.dumps(
        {
            "request": {"method": method, "url": url},
            "response": {
                "status": status,
                "etag": f'W/"{version.version}"',
                "lastModified": fhir_instant(version.last_updated),
            },
        }
    )
    body = b"" if version.body is None else b'"resource":%b,' % version.body
    full_url = fhir_json.dumps(f"{base_url}/{place}")
    return b'{"fullUrl":%b,%b%b' % (full_url, body, how[1:])


def _interaction(version: Version, place: str) -> tuple[str, str, str]:
    """Return the method, the URL and the status of what made a version."""
    if version.body is None:
        return "DELETE", place, "204"
    if version.version == 1:
        return "POST", version.type, "201"
    return "PUT", place, "200"


def _told(asked: str, outcome: Mapping[str, Any]) -> bytes:
    return fhir_json.dumps(
        {
            "request": {"method": "GET", "url": asked},
            "response": {"status": "200", "outcome": outcome},
        }
    )
