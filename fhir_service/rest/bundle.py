"""Bundles spliced from stored bytes; nothing is parsed or modelled again.

https://hl7.org/fhir/R4/bundle.html
"""

import json
from collections.abc import Iterable, Sequence

from conformance import fhir_json
from conformance.issues import Issue

Link = tuple[str, str]
"""Relation and absolute URL."""


Match = tuple[bytes, bytes]
"""Absolute URL on the public base, and the resource as JSON."""

_MATCH = b',"search":{"mode":"match"}}'


def searchset(
    matches: Sequence[Match],
    *,
    links: Iterable[Link],
    total: int | None = None,
    outcome: Sequence[Issue] = (),
) -> bytes:
    """Return a searchset Bundle; empty arrays are left out, as FHIR demands.

    Args:
        matches: The entries, in order.
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
            b'{"relation":%s,"url":%s}' % (_text(relation), _text(url))
            for relation, url in links
        )
    )
    parts.append(b"]")
    if matches or outcome:
        entries = [
            b'{"fullUrl":"%b","resource":%b%b' % (full_url, body, _MATCH)
            for full_url, body in matches
        ]
        if outcome:
            entries.append(_outcome(outcome))
        parts.append(b',"entry":[')
        parts.append(b",".join(entries))
        parts.append(b"]")
    parts.append(b"}")
    return b"".join(parts)


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
