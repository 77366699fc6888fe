"""The frame of a batch or a transaction: all of the Bundle but what it carries.

https://hl7.org/fhir/R4/bundle.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.issues import FHIRError, IssueType, Severity
from conformance.validation import validate
from fhir_service.interactions.bundles.entries import place_of
from fhir_service.rest.refusals import Unprocessable

MAX_ENTRIES = 1_000
"""Entries of one Bundle; a transaction of them holds the writer for about a second."""

OTHERS = frozenset(
    {
        "batch-response",
        "collection",
        "document",
        "history",
        "message",
        "searchset",
        "transaction-response",
    }
)
"""Types of a Bundle that ask for nothing that is offered here."""


def raw_entries(bundle: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the entries of a Bundle whose frame is valid; resources are not looked at.

    Raises:
        FHIRError: `invalid` for what is no Bundle, `not-supported` for one of another
            type, `too-long` beyond `MAX_ENTRIES`, `invariant` for a `fullUrl` that is
            there twice and an entry without a request; else every issue of the frame.

    """
    _refuse_other_bundles(bundle)
    entries = bundle.get("entry", [])
    frame = dict(bundle)
    if isinstance(entries, list):
        if len(entries) > MAX_ENTRIES:
            raise FHIRError(
                IssueType.TOO_LONG,
                f"A Bundle has at most {MAX_ENTRIES} entries.",
                "Bundle.entry",
            )
        _refuse_doubles(entries)
        _refuse_requestless(entries)
        frame |= {"entry": [_framed(entry) for entry in entries]} if entries else {}
    issues = [issue for issue in validate(frame) if issue.severity in _ERRORS]
    if issues:
        raise Unprocessable.of(issues)
    return list(entries)


def _refuse_other_bundles(bundle: Mapping[str, Any]) -> None:
    if bundle.get("resourceType") != "Bundle":
        raise FHIRError(
            IssueType.INVALID, "The body is not a Bundle.", "Bundle.resourceType"
        )
    type_ = bundle.get("type")
    if isinstance(type_, str) and type_ in OTHERS:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"A Bundle of type {type_} is not processed: batch and transaction are.",
            "Bundle.type",
        )


def _refuse_doubles(entries: Sequence[Any]) -> None:
    seen = set()
    for index, entry in enumerate(entries):
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        if not isinstance(url, str):
            continue
        if url in seen:
            raise FHIRError(
                IssueType.INVARIANT,
                "bdl-7: Another entry has the same fullUrl.",
                f"{place_of(index)}.fullUrl",
            )
        seen.add(url)


def _refuse_requestless(entries: Sequence[Any]) -> None:
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry and "request" not in entry:
            raise FHIRError(
                IssueType.INVARIANT,
                "bdl-3: An entry of a batch or a transaction has a request.",
                place_of(index),
            )


def _framed(entry: Any) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
        return entry
    return {name: value for name, value in entry.items() if name != "resource"}


_ERRORS = frozenset({Severity.ERROR, Severity.FATAL})
