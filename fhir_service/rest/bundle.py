"""Bundles spliced from stored bytes; nothing is parsed or modelled again.

https://hl7.org/fhir/R4/bundle.html
"""

import json
from collections.abc import Iterable, Sequence

from conformance import fhir_json
from conformance.issues import Issue

Link = tuple[str, str]
"""Relation and absolute URL."""

_TYPE = b'{"resourceType":"'
_ID = b'","id":"'


def searchset(  # noqa: PLR0913 - one argument a part of the Bundle
    base: str,
    bodies: Sequence[bytes],
    *,
    links: Iterable[Link],
    included: Sequence[bytes] = (),
    total: int | None = None,
    outcome: Sequence[Issue] = (),
) -> bytes:
    """Return a searchset Bundle; empty arrays are left out, as FHIR demands.

    Args:
        base: The public FHIR base, for `fullUrl`.
        bodies: The resources that match, as stored, in order.
        links: `self` first.
        included: What is returned because of a match.
        total: The exact number of matches, where it was asked for.
        outcome: What the client should know, as an OperationOutcome entry.

    """
    parts = [b'{"resourceType":"Bundle","type":"searchset"']
    if total is not None:
        parts.append(b',"total":%d' % total)
    parts.append(b',"link":[')
    parts.append(
        b",".join(
            b'{"relation":%b,"url":%b}' % (_text(relation), _text(url))
            for relation, url in links
        )
    )
    parts.append(b"]")
    entries = _entries(base, bodies, b"match") + _entries(base, included, b"include")
    if outcome:
        entries.append(_outcome(outcome))
    if entries:
        parts += (b',"entry":[', b",".join(entries), b"]")
    parts.append(b"}")
    return b"".join(parts)


def _entries(base: str, bodies: Sequence[bytes], mode: bytes) -> list[bytes]:
    """Return the entries; type and id come first in a body, by our own hand."""
    head = f'{{"fullUrl":"{base}/'.encode()
    tail = b',"search":{"mode":"%b"}}' % mode
    found: list[bytes] = []
    start, opening, place = 0, b"", b""
    for body in bodies:
        if not opening or not body.startswith(opening):
            opening = body[: body.index(_ID) + len(_ID)]
            start = len(opening)
            place = b"%b%b/" % (head, opening[len(_TYPE) : -len(_ID)])
        id_ = body[start : body.index(b'"', start)]
        found.append(b'%b%b","resource":%b%b' % (place, id_, body, tail))
    return found


def _text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _outcome(issues: Sequence[Issue]) -> bytes:
    resource = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": issue.severity.value,
                "code": issue.type.value,
                "diagnostics": issue.diagnostics,
            }
            for issue in issues
        ],
    }
    return b'{"resource":%b,"search":{"mode":"outcome"}}' % fhir_json.dumps(resource)
