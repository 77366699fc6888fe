"""What is refused when a Consent is written, with the element.

All that would make it indeterminate later (`consent.lint`), all that cannot be
resolved, and all that this version does not enforce: a consent that would be ignored
is never stored. A table with a row for each element of a provision.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from conformance.definitions import is_resource_type
from conformance.issues import Issue, IssueType
from consent.codes import (
    ACT_REASON,
    ACTIONS,
    CONSENT_ACTION,
    LOINC,
    MDC,
    MEASUREMENT,
    PURPOSES,
    RESOURCE_TYPES,
    SNOMED,
    URI,
)
from consent.contents import coding_parts, partial_codings
from consent.elements import MEANINGS, actor, is_label
from consent.in_force import Enforced
from consent.lint import LISTS, MAX_DEPTH, PERIODS, faults, scope_codes
from consent.outline import Provision, provisions
from consent.references import Deployment, is_foreign, target, type_of

ENFORCED = Enforced(
    elements=frozenset({*LISTS, *PERIODS}),
    depth=MAX_DEPTH,
)
"""What the store enforces: all that the evaluator decides on, as deep as it reads."""

NOT_ENFORCED: Mapping[str, str] = {}
"""Elements that the evaluator decides on and the store does not."""

MAX_ENTRIES = 1_000
"""Entries of one element; ten thousand actors are no consent but a load."""

CODE_SYSTEMS = frozenset({LOINC, SNOMED, MDC, MEASUREMENT})
"""Systems whose codes our resources carry; a deny in another matches nothing."""

_USED_SCOPES = frozenset({"patient-privacy", "research"})

EntryRule = Callable[[Mapping[str, Any], Deployment], str | None]


def capture_issues(
    consent: Mapping[str, Any],
    *,
    deployment: Deployment,
    enforced: Enforced = ENFORCED,
) -> list[Issue]:
    """Return why the consent is refused; nothing where it can be stored.

    Args:
        consent: The resource as sent.
        deployment: Zone and bases.
        enforced: What the store enforces.

    """
    found = faults(consent, deployment)
    found.extend(_patient(consent, deployment))
    found.extend(_scope(consent))
    for provision in provisions(consent):
        found.extend(_not_enforced(provision, enforced))
        found.extend(_entries(provision, deployment))
    return found


def _patient(consent: Mapping[str, Any], deployment: Deployment) -> Iterator[Issue]:
    reference = target(consent.get("patient"), deployment.own_bases)
    if reference is None or not reference.startswith("Patient/"):
        yield Issue(
            type=IssueType.REQUIRED,
            diagnostics="A consent is about one Patient of this server.",
            expression="Consent.patient",
        )


def _scope(consent: Mapping[str, Any]) -> Iterator[Issue]:
    if scope_codes(consent) - _USED_SCOPES:
        yield Issue(
            type=IssueType.NOT_SUPPORTED,
            diagnostics="Consents of this scope decide nothing here.",
            expression="Consent.scope",
        )


def _not_enforced(provision: Provision, enforced: Enforced) -> Iterator[Issue]:
    for name in (*LISTS, "dataPeriod", "period"):
        if name in provision.node and name not in enforced.elements:
            yield _unsupported(
                NOT_ENFORCED.get(name, "This element is not enforced by this version."),
                f"Consent.{provision.path}.{name}",
            )
    if provision.depth > enforced.depth:
        yield _unsupported(
            "Provisions nested this deep are not enforced by this version.",
            f"Consent.{provision.path}",
        )


def _entries(provision: Provision, deployment: Deployment) -> Iterator[Issue]:
    for name, rule in ENTRY_RULES.items():
        entries = provision.node.get(name)
        path = f"Consent.{provision.path}.{name}"
        if not isinstance(entries, list):
            continue
        if len(entries) > MAX_ENTRIES:
            yield Issue(
                type=IssueType.TOO_COSTLY,
                diagnostics=f"An element has at most {MAX_ENTRIES} entries.",
                expression=path,
            )
            continue
        for index, entry in enumerate(entries):
            problem = rule(entry, deployment) if isinstance(entry, dict) else None
            if problem is not None:
                yield _unsupported(problem, f"{path}[{index}]")


def _unsupported(diagnostics: str, expression: str) -> Issue:
    return Issue(
        type=IssueType.NOT_SUPPORTED, diagnostics=diagnostics, expression=expression
    )


def _actor(entry: Mapping[str, Any], deployment: Deployment) -> str | None:
    if not actor(entry, deployment).names:
        return "An actor is a reference to this server or a complete identifier."
    reference = entry.get("reference")
    text = reference.get("reference") if isinstance(reference, dict) else None
    if is_foreign(text, deployment.own_bases):
        return "An actor is not on another server."
    return None


def _purpose(entry: Mapping[str, Any], _: Deployment) -> str | None:
    system, code = coding_parts(entry)
    if system == ACT_REASON and code in PURPOSES:
        return None
    return "A purpose is a purpose of use of the code system v3-ActReason."


def _action(entry: Mapping[str, Any], _: Deployment) -> str | None:
    codings = partial_codings(entry)
    if codings and all(
        system == CONSENT_ACTION and code in ACTIONS for system, code in codings
    ):
        return None
    return "An action is a code of the code system consentaction."


def _label(entry: Mapping[str, Any], _: Deployment) -> str | None:
    if is_label(coding_parts(entry)):
        return None
    return (
        "A label is a confidentiality or a sensitivity of v3-ActCode; the URL of a "
        "ValueSet is no code system."
    )


def _datum(entry: Mapping[str, Any], deployment: Deployment) -> str | None:
    reference = target(entry.get("reference"), deployment.own_bases)
    if reference is None or not is_resource_type(type_of(reference)):
        return "Data is named by a reference to a resource of this server."
    if entry.get("meaning") not in MEANINGS:
        return "The meaning is one of instance, related, dependents, authoredby."
    return None


def _class(entry: Mapping[str, Any], _: Deployment) -> str | None:
    system, code = coding_parts(entry)
    is_type = system == RESOURCE_TYPES and code and is_resource_type(code)
    if is_type or (system == URI and code):
        return None
    return "A class is a resource type of R4 or the URL of a profile."


def _code(entry: Mapping[str, Any], _: Deployment) -> str | None:
    codings = partial_codings(entry)
    if codings and all(system in CODE_SYSTEMS and code for system, code in codings):
        return None
    return "A code is of LOINC, SNOMED CT, MDC or the measurement code system."


ENTRY_RULES: Mapping[str, EntryRule] = {
    "actor": _actor,
    "purpose": _purpose,
    "action": _action,
    "securityLabel": _label,
    "data": _datum,
    "class": _class,
    "code": _code,
}
"""For each list element, why an entry of it is refused."""
