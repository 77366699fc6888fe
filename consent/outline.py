"""A stored Consent as a list of provisions, whatever its shape.

What the linter and the reader of provisions both walk.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from consent.codes import ACT_CODE
from consent.contents import partial_codings
from consent.request_selectors import Kind

OPT_IN = frozenset({"OPTIN", "OPTINR"})
OPT_OUT = frozenset({"OPTOUT", "OPTOUTE"})

ROOT = "provision"

_TYPES = {"permit": Kind.PERMIT, "deny": Kind.DENY}


@dataclass(frozen=True, kw_only=True, slots=True)
class Provision:
    """A provision as it stands.

    Attributes:
        path: Such as `provision.provision[0]`.
        depth: Levels below the root.
        kind: Its type; a root without one takes it from policyRule. None where it
            is needed and no code.
        node: The JSON object.

    """

    path: str
    depth: int
    kind: Kind | None
    node: Mapping[str, Any]


def provisions(consent: Mapping[str, Any]) -> Iterator[Provision]:
    """Yield every provision that is an object, level by level, the root first.

    A consent without a root is one whose root says nothing.
    """
    root = consent.get(ROOT, {})
    if not isinstance(root, dict):
        return
    waiting = [Provision(path=ROOT, depth=0, kind=_root_kind(root, consent), node=root)]
    for provision in waiting:
        yield provision
        waiting.extend(_children(provision))


def _children(provision: Provision) -> Iterator[Provision]:
    children = provision.node.get(ROOT)
    for index, node in enumerate(children if isinstance(children, list) else ()):
        if isinstance(node, dict):
            yield Provision(
                path=f"{provision.path}.provision[{index}]",
                depth=provision.depth + 1,
                kind=_kind(node.get("type")),
                node=node,
            )


def _kind(value: object) -> Kind | None:
    return _TYPES.get(value) if isinstance(value, str) else None


def _root_kind(root: Mapping[str, Any], consent: Mapping[str, Any]) -> Kind | None:
    if "type" in root:
        return _kind(root["type"])
    rule = policy_rule(consent)
    if rule.opts_out:
        return Kind.DENY
    return Kind.PERMIT if rule.opts_in else Kind.NONE


class PolicyRule(NamedTuple):
    """What policyRule says of the base.

    Attributes:
        opts_in: It is certainly an opt-in, so it may permit.
        opts_out: It may be an opt-out, so it denies.
        may_opt_in: It may be an opt-in, which contradicts a deny.

    """

    opts_in: bool
    opts_out: bool
    may_opt_in: bool


def policy_rule(consent: Mapping[str, Any]) -> PolicyRule:
    """Return how the consent's policyRule bears on its root."""
    codings = partial_codings(consent.get("policyRule"))
    codes = {code for _, code in codings}
    certain = {code for system, code in codings if system == ACT_CODE}
    return PolicyRule(
        opts_in=not certain.isdisjoint(OPT_IN),
        opts_out=not codes.isdisjoint(OPT_OUT),
        may_opt_in=not codes.isdisjoint(OPT_IN),
    )
