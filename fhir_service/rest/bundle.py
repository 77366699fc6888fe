"""Bundles spliced from stored bytes; nothing is parsed or modelled again.

https://hl7.org/fhir/R4/bundle.html
"""

import json
from collections.abc import Iterable, Sequence

from conformance import fhir_json
from conformance.issues import Issue

Link = tuple[str, str]
"""Relation and absolute URL."""


def searchset(  # noqa: PLR0913 - one argument a part of the Bundle
    type_: str,
    base: str,
    bodies: Sequence[bytes],
    *,
    links: Iterable[Link],
    total: int | None = None,
    outcome: Sequence[Issue] = (),
) -> bytes:
    """Return a searchset Bundle; empty arrays are left out, as FHIR demands.

    Args:
        type_: The type of every entry.
        base: Absolute URL of the type, on the public base.
        bodies: The resources as stored, in order.
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
    entries = _matches(type_, base, bodies)
    if outcome:
        entries.append(_outcome(outcome))
    if entries:
        parts += (b',"entry":[', b",".join(entries), b"]")
    parts.append(b"}")
    return b"".join(parts)


def _matches(type_: str, base: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Return the entries; a stored body's id is its second member, by our own hand."""
    start = len(f'{{"resourceType":"{type_}","id":"')
    head = f'{{"fullUrl":"{base}/'.encode()
    return [
        b'%b%b","resource":%b,"search":{"mode":"match"}}'
        % (head, body[start : body.index(b'"', start)], body)
        for body in bodies
    ]


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
