"""What makes a stored consent indeterminate: it votes deny, and somebody is told.

A table of rules over the consent as it stands; the same faults are refused when a
consent is written (`consent.capture`), so this guards against imports.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from conformance.issues import Issue, IssueType
from consent.codes import CONSENT_SCOPE
from consent.contents import partial_codings
from consent.moments import bounds, period
from consent.outline import Provision, policy_rule, provisions
from consent.references import Deployment, is_foreign
from consent.request_selectors import Kind

MAX_DEPTH = 3
"""Levels of provisions below the root."""

MAX_PROVISIONS = 200
"""Provisions of one consent, the root included."""

LISTS = ("actor", "action", "securityLabel", "purpose", "class", "code", "data")
PERIODS = ("period", "dataPeriod")

_ELEMENTS = frozenset(
    {"id", "extension", "modifierExtension", "type", "provision", *LISTS, *PERIODS}
)

SCOPES = frozenset({"patient-privacy", "research", "adr", "treatment"})

Rule = Callable[[Mapping[str, Any], Deployment], Iterator[Issue]]
ProvisionRule = Callable[[Provision, Deployment], Iterator[Issue]]


def faults(consent: Mapping[str, Any], deployment: Deployment) -> list[Issue]:
    """Return everything that makes the consent indeterminate."""
    found = [issue for rule in RULES for issue in rule(consent, deployment)]
    for provision in provisions(consent):
        for provision_rule in PROVISION_RULES:
            found.extend(provision_rule(provision, deployment))
    return found


def scope_codes(consent: Mapping[str, Any]) -> set[str]:
    """Return the codes of consentscope that the consent states."""
    return {
        code
        for system, code in partial_codings(consent.get("scope"))
        if system == CONSENT_SCOPE and code in SCOPES
    }


def _scope(consent: Mapping[str, Any], _: Deployment) -> Iterator[Issue]:
    if len(scope_codes(consent)) != 1:
        yield Issue(
            type=IssueType.REQUIRED,
            diagnostics="A consent has exactly one scope of the code system "
            "consentscope.",
            expression="Consent.scope",
        )


def _date_time(consent: Mapping[str, Any], deployment: Deployment) -> Iterator[Issue]:
    if "dateTime" in consent and bounds(consent["dateTime"], deployment.zone) is None:
        yield Issue(
            type=IssueType.VALUE,
            diagnostics="This is no FHIR dateTime.",
            expression="Consent.dateTime",
        )


def _policy_rule(consent: Mapping[str, Any], _: Deployment) -> Iterator[Issue]:
    rule = policy_rule(consent)
    root = next(provisions(consent), None)
    kind = root.kind if root else None
    if (
        (rule.opts_out and rule.may_opt_in)
        or (kind is Kind.PERMIT and rule.opts_out)
        or (kind is Kind.DENY and rule.may_opt_in)
    ):
        yield Issue(
            type=IssueType.BUSINESS_RULE,
            diagnostics="policyRule contradicts the root provision.",
            expression="Consent.policyRule",
        )


def _modifiers(consent: Mapping[str, Any], _: Deployment) -> Iterator[Issue]:
    if "implicitRules" in consent or _holds(consent, "modifierExtension"):
        yield Issue(
            type=IssueType.EXTENSION,
            diagnostics="No modifier extension and no implicitRules is understood.",
            expression="Consent",
        )


def _holds(resource: Mapping[str, Any], name: str) -> bool:
    nodes: list[Any] = [resource]
    for node in nodes:
        if isinstance(node, dict):
            if name in node:
                return True
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)
    return False


def _tree(consent: Mapping[str, Any], _: Deployment) -> Iterator[Issue]:
    if not isinstance(consent.get("provision", {}), dict):
        yield Issue(
            type=IssueType.STRUCTURE,
            diagnostics="The root provision is one object.",
            expression="Consent.provision",
        )
    found = list(provisions(consent))
    if len(found) > MAX_PROVISIONS:
        yield Issue(
            type=IssueType.TOO_COSTLY,
            diagnostics=f"A consent has at most {MAX_PROVISIONS} provisions.",
            expression="Consent.provision",
        )
    if any(provision.depth > MAX_DEPTH for provision in found):
        yield Issue(
            type=IssueType.TOO_COSTLY,
            diagnostics=f"Provisions nest at most {MAX_DEPTH} levels below the root.",
            expression="Consent.provision",
        )


RULES: tuple[Rule, ...] = (_scope, _date_time, _policy_rule, _modifiers, _tree)


def _type(provision: Provision, _: Deployment) -> Iterator[Issue]:
    if provision.kind is None:
        yield Issue(
            type=IssueType.REQUIRED,
            diagnostics="A provision is of type permit or deny.",
            expression=f"Consent.{provision.path}.type",
        )


def _periods(provision: Provision, deployment: Deployment) -> Iterator[Issue]:
    for name in PERIODS:
        if name in provision.node and not period(provision.node[name], deployment.zone):
            yield Issue(
                type=IssueType.VALUE,
                diagnostics="This Period cannot be read, or ends before it starts.",
                expression=f"Consent.{provision.path}.{name}",
            )


def _lists(provision: Provision, _: Deployment) -> Iterator[Issue]:
    for name in (*LISTS, "provision"):
        if name in provision.node and not _is_list(provision.node[name]):
            yield Issue(
                type=IssueType.STRUCTURE,
                diagnostics="This element is a list of objects, at least one.",
                expression=f"Consent.{provision.path}.{name}",
            )


def _is_list(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) for entry in value)
    )


def _elements(provision: Provision, _: Deployment) -> Iterator[Issue]:
    for name in sorted(provision.node):
        if name not in _ELEMENTS and not name.startswith("_"):
            yield Issue(
                type=IssueType.NOT_SUPPORTED,
                diagnostics="R4 has no such element in a provision.",
                expression=f"Consent.{provision.path}",
            )


def _foreign(provision: Provision, deployment: Deployment) -> Iterator[Issue]:
    """Find references to other servers in what may permit."""
    if provision.kind is Kind.DENY:
        return
    for name in ("actor", "data"):
        for index, text in enumerate(_references(provision.node.get(name))):
            if is_foreign(text, deployment.own_bases):
                yield Issue(
                    type=IssueType.NOT_SUPPORTED,
                    diagnostics="A permit names nothing of another server.",
                    expression=f"Consent.{provision.path}.{name}[{index}].reference",
                )


def _references(entries: object) -> Iterable[object]:
    for entry in entries if isinstance(entries, list) else ():
        reference = entry.get("reference") if isinstance(entry, dict) else None
        yield reference.get("reference") if isinstance(reference, dict) else None


PROVISION_RULES: tuple[ProvisionRule, ...] = (
    _type,
    _periods,
    _lists,
    _elements,
    _foreign,
)
