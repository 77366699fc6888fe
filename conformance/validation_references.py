"""References: their text, and whether they may point at what they name.

https://hl7.org/fhir/R4/references.html
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from conformance import definitions
from conformance.fhirpath_nodes import Scope, referenced_type
from conformance.issues import IssueType
from conformance.validation_findings import Check, Findings, error

_LITERAL = re.compile(
    r"(?:https?://\S+|urn:(?:uuid|oid):\S+|#[A-Za-z0-9\-.]{0,64}"
    r"|[A-Z][A-Za-z]+(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
    r"|\?\S+))(?:#\S*)?",
    re.ASCII,
)
"""http(s), urn, contained, `Type/id`, `Type?query` in a transaction."""

_FORM = (
    "A reference is Type/id, an http(s) URL, urn:uuid:, urn:oid: or #id; "
    "no other scheme is followed."
)


def reference_text_check(value: Any, scope: Scope) -> Findings:
    """Return what is wrong with the text of `Reference.reference`; ref-1 as well."""
    if _LITERAL.fullmatch(value) is None:
        return error(IssueType.VALUE, _FORM)
    if value[0] == "#":
        return _local(value[1:], scope)
    head = value.partition("/")[0].partition("?")[0]
    is_relative = head.isalpha() and ":" not in value.partition("/")[0]
    if is_relative and not definitions.is_resource_type(head):
        return error(IssueType.VALUE, "The reference names no resource type of R4.")
    return None


def _local(id_: str, scope: Scope) -> Findings:
    if scope.contained(id_) is not None:
        return None
    text = "ref-1: A reference within the resource is to something it contains."
    return error(IssueType.INVARIANT, text)


_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}", re.ASCII).fullmatch


def is_plain_reference(text: str) -> bool:
    """Return whether a text is `Type/id`, as nearly every reference is."""
    match = _RELATIVE(text)
    return match is not None and match.group(1) in _types()


@cache
def _types() -> frozenset[str]:
    return frozenset(definitions.type_names())


def _target_type(reference: dict[str, Any], scope: Scope) -> str | None:
    """Return the type of what a reference points at, as far as it tells."""
    text: str | None = reference.get("reference")
    if text is not None:
        if text[:1] == "#":
            found = (scope.contained(text[1:]) or {}).get("resourceType")
            return found if isinstance(found, str) else None
        found = referenced_type(text)
        if found is not None:
            return found
    named: str | None = reference.get("type")
    return named


def target_check(targets: Sequence[str]) -> Check:
    """Return a check that a reference points at one of some types."""
    allowed = frozenset(targets)
    prefixes = tuple(f"{target}/" for target in targets)
    text = f"The reference may only point at {', '.join(sorted(allowed))}."

    def check(reference: Any, scope: Scope) -> Findings:
        literal = reference.get("reference")
        if literal is not None and literal.startswith(prefixes):
            return None
        found = _target_type(reference, scope)
        if found is None or found in allowed:
            return None
        return error(IssueType.VALUE, text, "reference")

    return check
