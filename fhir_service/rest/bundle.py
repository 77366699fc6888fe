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


def searchset(
    entries: Iterable[bytes],
    *,
    links: Iterable[Link],
    total: int | None = None,
    outcome: Sequence[Issue] = (),
) -> bytes:
    """Return a searchset Bundle; empty arrays are left out, as FHIR demands.

    Args:
        entries: What matches, then what is included, as `rendered` returns them.
        links: `self` first.
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
    shown = [one for one in entries if one]
    if outcome:
        shown.append(_outcome(outcome))
    if shown:
        parts += (b',"entry":[', b",".join(shown), b"]")
    parts.append(b"}")
    return b"".join(parts)


def rendered(base: str, bodies: Sequence[bytes], mode: bytes) -> bytes:
    """Return the entries of resources, one after the other; empty where none are.

    Type and id come first in a body, by our own hand.

    Args:
        base: The public FHIR base, for `fullUrl`.
        bodies: The resources as stored, in order.
        mode: `match` or `include`.

    """
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
    return b",".join(found)


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
