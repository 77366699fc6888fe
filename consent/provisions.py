"""A stored Consent version, read once into what the engine decides on.

The tree does not depend on a request: keep it as long as the version, which is
immutable, and the deployment's zone and bases.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from conformance.fhir_json import loads
from conformance.issues import FHIRError, Issue, IssueType, Severity
from consent.contents import PartialCoding, coding_parts
from consent.elements import DATA_SELECTORS, actions, actor, is_label
from consent.lint import LISTS, PERIODS, faults, scope_codes
from consent.moments import Interval, bounds, period
from consent.outline import Provision, provisions
from consent.part_2 import NOT_READ, Part2, part_2
from consent.references import Deployment, target
from consent.request_selectors import Actions, Actor, Kind
from consent.selectors import Selector

ALWAYS = Interval(None, None)

_Built = TypeVar("_Built")


class Scope(StrEnum):
    """For which purposes a consent speaks."""

    PRIVACY = "patient-privacy"
    RESEARCH = "research"
    OTHER = "other"
    """adr or treatment: never used for a disclosure."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Rule:
    """A provision in the engine's words.

    Attributes:
        path: Such as `provision.provision[0]`.
        kind: What it does.
        period: When the rule is in force.
        actors: None where the element is absent.
        purposes: None where the element is absent.
        actions: None where the element is absent.
        selectors: Data selectors in effect: a permit's own, and for each element it
            does not state the one of the nearest permit above; a deny's own only.
        children: The rules nested in it.

    """

    path: str
    kind: Kind
    period: Interval
    actors: tuple[Actor, ...] | None
    purposes: tuple[PartialCoding, ...] | None
    actions: Actions | None
    selectors: tuple[Selector, ...]
    children: tuple["Rule", ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedConsent:
    """One version of one Consent.

    Attributes:
        reference: `Consent/id`.
        version: Its version id; None where it has none.
        patient: Whose it is, as `Type/id`; None: it is never selected.
        is_active: Whether its status is active.
        scope: For which purposes it speaks.
        from_us: First moment at which it is in force; None: always.
        period: The root's period; `ALWAYS` where the root has a broken one.
        root: The tree; None where the consent is indeterminate.
        faults: Why it is indeterminate.
        alerts: What an officer should know: the faults, and what is evaluated
            differently from what its author may have meant.
        elements: Names of the provision elements it uses.
        depth: Levels of provisions below the root.
        boundaries: Moments at which its effect may change, ascending.
        part_2: Whether it may open a record of a Part 2 program.

    """

    reference: str
    version: str | None
    patient: str | None
    is_active: bool
    scope: Scope
    from_us: int | None
    period: Interval
    root: Rule | None
    faults: tuple[Issue, ...]
    alerts: tuple[Issue, ...]
    elements: frozenset[str] = field(default=frozenset())
    depth: int = 0
    boundaries: tuple[int, ...] = ()
    part_2: Part2 = NOT_READ


def read_bytes(
    data: bytes, *, reference: str, patient: str | None, deployment: Deployment
) -> ParsedConsent:
    """Return the stored consent; an unreadable one is indeterminate for its patient.

    Args:
        data: The stored JSON.
        reference: `Consent/id` under which it is stored.
        patient: The Patient to whom the row is attributed.
        deployment: Zone and bases.

    """
    try:
        consent = loads(data)
    except FHIRError as error:
        return _unreadable(reference, patient, error.issues)
    if not isinstance(consent, dict):
        return _unreadable(reference, patient, (_NO_OBJECT,))
    return read(consent, deployment=deployment)


_NO_OBJECT = Issue(type=IssueType.STRUCTURE, diagnostics="A Consent is an object.")


def _unreadable(
    reference: str, patient: str | None, issues: tuple[Issue, ...]
) -> ParsedConsent:
    return ParsedConsent(
        reference=reference,
        version=None,
        patient=patient,
        is_active=True,
        scope=Scope.UNKNOWN,
        from_us=None,
        period=ALWAYS,
        root=None,
        faults=issues,
        alerts=issues,
    )


def read(consent: Mapping[str, Any], *, deployment: Deployment) -> ParsedConsent:
    """Return the consent as the engine decides on it; of any shape, never raising."""
    found = tuple(faults(consent, deployment))
    outline = list(provisions(consent))
    root = None if found else _rule(outline[0], _by_parent(outline), deployment, {})
    written = bounds(consent.get("dateTime"), deployment.zone)
    meta = consent.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    patient = target(consent.get("patient"), deployment.own_bases)
    return ParsedConsent(
        reference=f"Consent/{consent.get('id')}",
        version=version if isinstance(version, str) else None,
        patient=patient,
        is_active=consent.get("status") == "active",
        scope=_scope(consent),
        from_us=written[0] if written else None,
        period=_root_period(outline, deployment),
        root=root,
        faults=found,
        alerts=(*found, *_alerts(outline, patient)),
        elements=frozenset(name for entry in outline for name in entry.node)
        & _SELECTORS,
        depth=max((entry.depth for entry in outline), default=0),
        boundaries=_boundaries(outline, written, deployment),
        part_2=part_2(consent, root),
    )


_SELECTORS = frozenset({*LISTS, *PERIODS})
_SCOPES = {"patient-privacy": Scope.PRIVACY, "research": Scope.RESEARCH}


def _scope(consent: Mapping[str, Any]) -> Scope:
    codes = scope_codes(consent)
    if len(codes) != 1:
        return Scope.UNKNOWN
    return _SCOPES.get(codes.pop(), Scope.OTHER)


def _root_period(outline: list[Provision], deployment: Deployment) -> Interval:
    node = outline[0].node if outline else {}
    return period(node.get("period"), deployment.zone) or ALWAYS


def _boundaries(
    outline: Iterable[Provision],
    written: tuple[int, int] | None,
    deployment: Deployment,
) -> tuple[int, ...]:
    moments = {written[0]} if written else set()
    for entry in outline:
        interval = period(entry.node.get("period"), deployment.zone) or ALWAYS
        if interval.start is not None:
            moments.add(interval.start)
        if interval.end is not None:
            moments.add(interval.end + 1)
    return tuple(sorted(moments))


def _by_parent(outline: Iterable[Provision]) -> Mapping[str, list[Provision]]:
    children: dict[str, list[Provision]] = {}
    for entry in outline:
        children.setdefault(entry.path.rpartition(".")[0], []).append(entry)
    return children


def _rule(
    provision: Provision,
    children: Mapping[str, list[Provision]],
    deployment: Deployment,
    inherited: Mapping[str, Selector],
) -> Rule:
    """Return the provision's rule; `inherited` are selectors of the permits above."""
    node, kind = provision.node, provision.kind or Kind.NONE
    own = {
        name: build(node[name], kind, deployment)
        for name, build in DATA_SELECTORS.items()
        if name in node
    }
    effective = own if kind is Kind.DENY else {**inherited, **own}
    below = inherited if kind is Kind.DENY else effective
    return Rule(
        path=provision.path,
        kind=kind,
        period=period(node.get("period"), deployment.zone) or ALWAYS,
        actors=_each(node.get("actor"), lambda entry: actor(entry, deployment)),
        purposes=_each(node.get("purpose"), coding_parts),
        actions=actions(node["action"]) if "action" in node else None,
        selectors=tuple(effective.values()),
        children=tuple(
            _rule(child, children, deployment, below)
            for child in children.get(provision.path, ())
        ),
    )


def _each(
    entries: list[Any] | None, build: Callable[[Any], _Built]
) -> tuple[_Built, ...] | None:
    return None if entries is None else tuple(build(entry) for entry in entries)


def _alerts(outline: Iterable[Provision], patient: str | None) -> Iterator[Issue]:
    if patient is None:
        yield Issue(
            type=IssueType.REQUIRED,
            diagnostics="Without a Patient of this server it is never selected.",
            expression="Consent.patient",
            severity=Severity.WARNING,
        )
    for entry in outline:
        for index, label in enumerate(_objects(entry.node.get("securityLabel"))):
            if not is_label(coding_parts(label)):
                yield Issue(
                    type=IssueType.CODE_INVALID,
                    diagnostics="This label is unknown, or its system is a ValueSet.",
                    expression=f"Consent.{entry.path}.securityLabel[{index}]",
                    severity=Severity.WARNING,
                )


def _objects(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
