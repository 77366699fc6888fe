"""42 CFR Part 2: what a written consent must say before it opens such a record.

A row for each element of §2.31(a), and two for consents that stand alone. What a
Consent resource can hold is looked for in it; what only the signed paper holds (how
to revoke, what a recipient may do, who stands between) is attested by whoever files
it, by `ATTESTED` among its policies and the paper in `source[x]`.

https://www.ecfr.gov/current/title-42/section-2.31
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from consent.codes import ACT_REASON, OPERATIONS, PAYMENT, TREATMENT, is_purpose
from consent.contents import PartialCoding
from consent.formula import Coding
from consent.request_selectors import Kind

if TYPE_CHECKING:
    from consent.provisions import Rule

TAG = "42CFRPart2"
"""v3-ActCode in `meta.security` of a record of a Part 2 program."""

ATTESTED = "https://fhir-interop-service.org/fhir/policy/42-cfr-2.31"
"""`Consent.policy.uri` by which who files it says that the paper is complete."""

LEGAL: Coding = (ACT_REASON, "HLEGAL")

_OF_CARE = (TREATMENT, PAYMENT, OPERATIONS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part2:
    """What a consent is worth under Part 2.

    Attributes:
        missing: Names of the elements of §2.31 that are not there.
        is_legal: Whether it is for legal proceedings, and for nothing else.

    """

    missing: tuple[str, ...]
    is_legal: bool

    def may_permit(self, purposes: Sequence[Coding | None]) -> bool:
        """Whether it opens a record of a Part 2 program for all these purposes."""
        return not self.missing and all(
            self.is_legal == (purpose is not None and is_purpose(purpose, LEGAL))
            for purpose in purposes
        )


class Permit(NamedTuple):
    """A permitting provision with what it takes over from those above.

    Attributes:
        is_of_something: Whether it says which data.
        has_recipient: Whether it names an actor.
        purposes: The nearest ones stated; empty where none are.
        ends: Whether it has a last moment.

    """

    is_of_something: bool
    has_recipient: bool
    purposes: tuple[PartialCoding, ...]
    ends: bool

    @property
    def is_of_care(self) -> bool:
        """Whether it is for treatment, payment and operations alone."""
        return bool(self.purposes) and all(map(_is_of_care, self.purposes))


def _is_of_care(purpose: PartialCoding) -> bool:
    system, code = purpose
    return (
        system is not None
        and code is not None
        and any(is_purpose((system, code), broad) for broad in _OF_CARE)
    )


def _permits(rule: "Rule", above: Permit) -> Iterator[Permit]:
    """Yield every permit of the tree."""
    here = Permit(
        is_of_something=bool(rule.selectors),
        has_recipient=above.has_recipient or bool(rule.actors),
        purposes=rule.purposes or above.purposes,
        ends=above.ends or rule.period.end is not None,
    )
    if rule.kind is Kind.PERMIT:
        yield here
    for child in rule.children:
        yield from _permits(child, here)


_NOTHING = Permit(is_of_something=False, has_recipient=False, purposes=(), ends=False)

Test = Callable[[Mapping[str, Any], Sequence[Permit]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """A row of the checklist.

    Attributes:
        name: What a message calls it.
        section: Where 42 CFR asks for it.
        looked_for: Where it is looked for, in words.
        is_there: Whether the consent has it.

    """

    name: str
    section: str
    looked_for: str
    is_there: Test


def _has(*names: str) -> Test:
    return lambda consent, _: any(consent.get(name) for name in names)


def _each(test: Callable[[Permit], bool]) -> Test:
    return lambda _, permits: all(map(test, permits))


def _is_attested(consent: Mapping[str, Any], _: Sequence[Permit]) -> bool:
    policies = consent.get("policy")
    return isinstance(policies, list) and any(
        isinstance(policy, dict) and policy.get("uri") == ATTESTED
        for policy in policies
    )


def _is_apart(_: Mapping[str, Any], permits: Sequence[Permit]) -> bool:
    """Whether legal proceedings stand alone, or not at all."""
    found = {
        is_purpose((str(system), str(code)), LEGAL)
        for permit in permits
        for system, code in permit.purposes
    }
    return len(found) <= 1


CHECKLIST: tuple[Element, ...] = (
    Element(
        name="patient",
        section="2.31(a)(1)",
        looked_for="`patient`",
        is_there=_has("patient"),
    ),
    Element(
        name="discloser",
        section="2.31(a)(2)",
        looked_for="`organization`",
        is_there=_has("organization"),
    ),
    Element(
        name="information",
        section="2.31(a)(3)",
        looked_for="`class`, `code`, `securityLabel`, `dataPeriod` or `data` of every "
        "permit, its own or taken over",
        is_there=_each(lambda permit: permit.is_of_something),
    ),
    Element(
        name="recipient",
        section="2.31(a)(4)",
        looked_for="`actor` of every permit, or of one above it; not needed where all "
        "its purposes are treatment, payment or operations",
        is_there=_each(lambda permit: permit.has_recipient or permit.is_of_care),
    ),
    Element(
        name="purpose",
        section="2.31(a)(5)",
        looked_for="`purpose` of every permit, or of one above it",
        is_there=_each(lambda permit: bool(permit.purposes)),
    ),
    Element(
        name="revocation",
        section="2.31(a)(6)",
        looked_for="attested",
        is_there=_is_attested,
    ),
    Element(
        name="expiry",
        section="2.31(a)(7)",
        looked_for="`period.end` of every permit, or of one above it; not needed where "
        "all its purposes are treatment, payment or operations",
        is_there=_each(lambda permit: permit.ends or permit.is_of_care),
    ),
    Element(
        name="signature",
        section="2.31(a)(8)",
        looked_for="`sourceAttachment` or `sourceReference`, and `performer`",
        is_there=lambda consent, permits: (
            _has("sourceAttachment", "sourceReference")(consent, permits)
            and _has("performer")(consent, permits)
        ),
    ),
    Element(
        name="date",
        section="2.31(a)(9)",
        looked_for="`dateTime`",
        is_there=_has("dateTime"),
    ),
    Element(
        name="redisclosure",
        section="2.31(a)(10)",
        looked_for="attested",
        is_there=_is_attested,
    ),
    Element(
        name="intermediary",
        section="2.31(a)(4)(ii)(B)",
        looked_for="attested",
        is_there=_is_attested,
    ),
    Element(
        name="separate",
        section="2.31(d)",
        looked_for="`purpose`: legal proceedings (`HLEGAL`) stand with no other",
        is_there=_is_apart,
    ),
)
"""What a consent needs to open a record of a Part 2 program; a test walks it."""


NOT_READ = Part2(missing=tuple(element.name for element in CHECKLIST), is_legal=False)
"""What an unreadable consent is worth."""


def part_2(consent: Mapping[str, Any], root: "Rule | None") -> Part2:
    """Return what the consent is worth under Part 2; of any shape, never raising.

    Args:
        consent: The resource.
        root: Its tree; None where it is indeterminate.

    """
    permits = [] if root is None else list(_permits(root, _NOTHING))
    return Part2(
        missing=tuple(
            element.name
            for element in CHECKLIST
            if not permits or not element.is_there(consent, permits)
        ),
        is_legal=any(
            is_purpose((str(system), str(code)), LEGAL)
            for permit in permits
            for system, code in permit.purposes
        ),
    )
