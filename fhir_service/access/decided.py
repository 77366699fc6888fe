"""What was decided: a view, why it is as it is, and for how long it holds."""

from collections.abc import (
    Iterable,
    Mapping,
)
from dataclasses import dataclass, replace

from consent.audit.entry import Basis, BasisKind
from consent.decision import Because, Reason
from consent.engine import PreparedRequest
from consent.explain import decide_resource
from consent.facets import Facets
from consent.formula import Formula, Row
from fhir_service.auth.closure import Closure, earliest, latest
from fhir_service.storage import device_ties
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import EVERYBODY, View
from fhir_service.storage.tables import SHARED


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A view, why it is as it is, and whose data it concerns.

    Attributes:
        view: The rows that may be seen.
        basis: What the decision rests on, for the audit.
        patients: Ids of the patients concerned; none for shared resources.
        by_code: Concept → the signatures that have it as their principal code.
        has_rows: Whether the patient has, or had, a row of the type at all.
        obliged: Whether something must go with rows that may be in the view.

    """

    view: View
    basis: tuple[Basis, ...]
    patients: tuple[str, ...]
    by_code: Mapping[int, frozenset[int]]
    has_rows: bool = True
    obliged: bool = False

    def of_codes(self, codes: Iterable[int]) -> View:
        """Return the part of the view that can have one of these concepts."""
        none: frozenset[int] = frozenset()
        return self.view.of_code(
            none.union(*(self.by_code.get(code, none) for code in codes))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    """The instants between which a decision holds."""

    start_us: int | None
    until_us: int | None

    def holds(self, at_us: int) -> bool:
        """Whether an instant is between them; the end is not."""
        return (self.start_us is None or self.start_us <= at_us) and (
            self.until_us is None or at_us < self.until_us
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed(Between):
    """A prepared request and the instants between which it holds.

    Attributes:
        prepared: The request.
        ties: Version of how devices hang together; None where no consent asks.
        rests_on: Digest of all that the decision rests on, for the audit.

    """

    prepared: PreparedRequest
    ties: int | None
    rests_on: Basis

    def is_tied(self, snapshot: Snapshot) -> bool:
        """Whether the devices still hang together as they did."""
        return self.ties is None or self.ties == device_ties.version(snapshot)


FOREVER = 1 << 62
AT_ONCE = Between(start_us=FOREVER, until_us=-FOREVER)
"""Nothing is remembered of a decision that has failed."""

ALWAYS = Between(start_us=None, until_us=None)
"""For as long as the token holds."""


EVERYTHING = View(patient_key=EVERYBODY, groups=(), whole=True)
"""Types of which scopes alone decide, and those that are judged row by row."""

NOBODYS = View(patient_key=EVERYBODY, groups=(), whole=False)
"""Nothing of anybody's."""

OF_SHARED = Decided(
    view=View(patient_key=SHARED, groups=(), whole=True),
    basis=(Basis(BasisKind.SCOPE, "shared"),),
    patients=(),
    by_code={},
)


def merged(
    decisions: Iterable[tuple[Between, Decided]],
) -> tuple[Between, View]:
    """Return the views of patients as one, and for how long all of them hold."""
    groups: dict[Formula, list[int]] = {}
    start, until, whole = -FOREVER, FOREVER, True
    for during, decided in decisions:
        whole = whole and (decided.view.whole or not decided.has_rows)
        start = start if during.start_us is None else max(start, during.start_us)
        until = until if during.until_us is None else min(until, during.until_us)
        for formula, ids in decided.view.groups:
            groups.setdefault(formula, []).extend(ids)
    kept = tuple((formula, tuple(ids)) for formula, ids in groups.items())
    view = View(patient_key=EVERYBODY, groups=kept, whole=whole)
    return Between(start_us=start, until_us=until), view


def while_called(timed: Timed, closure: Closure) -> Timed:
    """Return the same for as long as the requester is what it is now."""
    return Timed(
        prepared=timed.prepared,
        ties=timed.ties,
        rests_on=timed.rests_on,
        start_us=latest(timed.start_us, closure.start_us),
        until_us=earliest(timed.until_us, closure.until_us),
    )


def resting(decided: Decided, on: Basis) -> Decided:
    """Return the same with the digest of its inputs among its grounds, if any."""
    if not decided.basis:
        return decided
    return replace(decided, basis=(*decided.basis, on))


OUT_OF_SCOPE = (Basis(BasisKind.SCOPE, "patient"),)
"""Why everything is hidden of whom the token is not for."""

FAILED = (Basis(BasisKind.OVERLAY, "engine-failed"),)
"""Why everything is hidden where the engine itself has failed."""


def hidden(
    patient_key: int, patients: tuple[str, ...] = (), basis: tuple[Basis, ...] = ()
) -> Decided:
    """Return that nothing may be seen."""
    return Decided(
        view=View(patient_key=patient_key, groups=(), whole=False),
        basis=basis,
        patients=patients,
        by_code={},
    )


def basis_of(
    prepared: PreparedRequest,
    groups: tuple[tuple[Formula, tuple[int, ...]], ...],
    facets: Mapping[int, Facets],
) -> tuple[Basis, ...]:
    """Return why the first permitted signature is permitted, or the first denied."""
    first = groups[0][1][0] if groups else next(iter(facets), None)
    if first is None:
        return ()
    decision = decide_resource(prepared, facets[first], Row(reference=""))
    return tuple(dict.fromkeys(ground(reason) for reason in decision.reasons))


_KINDS = {Because.OVERLAY: BasisKind.OVERLAY}


def ground(reason: Reason) -> Basis:
    """Return a reason as the audit keeps it."""
    name = reason.name or reason.because.value
    if reason.version is not None:
        name = f"{name.removeprefix('Consent/')}/_history/{reason.version}"
    kind = _KINDS.get(
        reason.because,
        BasisKind.CONSENT if reason.version is not None else BasisKind.OVERLAY,
    )
    return Basis(kind, name, reason.path or "")
