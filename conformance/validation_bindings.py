"""Required bindings: a code that is not in the value set is refused.

https://hl7.org/fhir/R4/terminologies.html#required
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance import definitions
from conformance.definitions import ValueSet
from conformance.fhirpath_nodes import Scope
from conformance.issues import IssueType
from conformance.validation_findings import Check, Findings, error

_CODE_TYPES = frozenset({"code", "string", "uri"})


def _text(value_set: ValueSet) -> str:
    return f"A code of the value set {value_set.url} is required."


def _holds(value_set: ValueSet, coding: Mapping[str, Any]) -> bool:
    codes = value_set.systems.get(coding.get("system", ""), ())
    return coding.get("code") in codes


def _of_code(value_set: ValueSet) -> Check:
    codes, text = value_set.codes, _text(value_set)

    def check(value: Any, _scope: Scope) -> Findings:
        if value is None or value in codes:
            return None
        return error(IssueType.CODE_INVALID, text)

    return check


def _of_coding(value_set: ValueSet) -> Check:
    text = _text(value_set)

    def check(value: Any, _scope: Scope) -> Findings:
        if _holds(value_set, value):
            return None
        if "code" not in value and "extension" in value:
            return None
        return error(IssueType.CODE_INVALID, text)

    return check


def _of_concept(value_set: ValueSet) -> Check:
    text = _text(value_set)

    def check(value: Any, _scope: Scope) -> Findings:
        codings = value.get("coding", [])
        if any(_holds(value_set, coding) for coding in codings):
            return None
        return error(IssueType.CODE_INVALID, text, "coding" if codings else "")

    return check


def binding_check(canonical: str, type_: str) -> list[Check]:
    """Return the check of a required binding, or none where it is not checked."""
    value_set = definitions.value_set(canonical)
    if value_set.not_checked is not None:
        return []
    if type_ in _CODE_TYPES:
        return [_of_code(value_set)]
    if type_ in {"Coding", "Quantity", "SimpleQuantity"}:
        return [_of_coding(value_set)]
    return [_of_concept(value_set)] if type_ == "CodeableConcept" else []


def quick_binding(canonical: str, type_: str) -> Callable[[str], object] | None:
    """Return a test that tells at once that a `code` is in the value set."""
    value_set = definitions.value_set(canonical)
    if type_ != "code" or value_set.not_checked is not None:
        return None
    return value_set.codes.__contains__
