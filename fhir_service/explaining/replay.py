"""A decision of the past, made again from what cannot change.

Of a row of the audit log. The record of the decision is canonical JSON: replayed
twice, it is the same bytes. What the log recorded is compared with it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance.classes import ResourceClass
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import (
    INTERACTION_CODE,
    AuditRecord,
    Basis,
    BasisKind,
    Interaction,
    decode,
)
from consent.policy_version import SHIPPED
from fhir_service.auth import local
from fhir_service.explaining.asking import Place
from fhir_service.explaining.replayed import PatientReplay, Version, versions, words
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import audit_log, past, patients
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.tables import SHARED

Json = dict[str, Any]

RECORD_VERSION = 1
"""Of the record of a replay; another layout gets another number."""

READING = frozenset(
    {
        Interaction.READ,
        Interaction.VREAD,
        Interaction.HISTORY,
        Interaction.SEARCH,
        Interaction.OPERATION,
    }
)
"""Interactions that release stored resources by consent."""

NOT_HELD = (
    "the scopes of the token, which are not kept: what they left out is not replayed",
    "how devices hung together, and who wrote what, at the time: as of now",
    "whether what a derived resource names was visible",
)
"""What the log does not hold and immutable history does not tell."""

PATIENTS_AT_ONCE = 1_000
_POLICY = "policy "

Unseal = Callable[[bytes], bytes | None]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A row of the log and what it is compared with.

    Attributes:
        place: Where the versions are.
        index: The row's index.
        record: What the row says.
        states: The patients whom it names.
        policy: Version of the rules that held when it was written.

    """

    place: Place
    index: int
    record: AuditRecord
    states: tuple[PatientState, ...]
    policy: str

    @cached_property
    def told(self) -> Json:
        """The record of the decision, and how it compares with the log.

        Raises:
            FHIRError: `not-supported` for a row of another kind.

        """
        is_request = self.record.client not in ("", local.COMMAND_LINE)
        if self.record.interaction not in READING or not is_request:
            raise FHIRError(
                IssueType.NOT_SUPPORTED,
                "This row of the log is of no decision on what may be read.",
            )
        replayed = self._replayed()
        own = [version for one in replayed for version in one.versions]
        unnamed = self._unnamed({one.stored.seq for one in own})
        differences = [*self._differences(replayed, [*own, *unnamed])]
        differences += [
            f"{one.name} was disclosed, and the row names no such patient"
            for one in unnamed
            if one.kind is ResourceClass.PATIENT_DATA
        ]
        others = [*own, *unnamed]
        return {
            "record": RECORD_VERSION,
            "entry": self._entry(),
            "recorded": self._recorded(),
            "patients": [one.told for one in replayed],
            "byScopeAlone": _of_class(others, ResourceClass.SHARED),
            "byWhatTheyName": _of_class(others, ResourceClass.DERIVED),
            "notHeld": list(NOT_HELD),
            "result": "different" if differences else "reproduced",
            "differences": differences,
        }

    def _replayed(self) -> list[PatientReplay]:
        return [
            PatientReplay(
                place=self.place,
                record=self.record,
                state=state,
                recorded=self.digest if len(self.states) == 1 else None,
            )
            for state in self.states
        ]

    @property
    def types(self) -> frozenset[str]:
        """The resource types that the record tells of."""
        told = self.told
        named = [*told["byScopeAlone"], *told["byWhatTheyName"]]
        named += [
            one["resource"]
            for patient in told["patients"]
            for one in patient["disclosed"]
        ]
        found = {name.partition("/")[0] for name in named}
        return frozenset(found | {self.record.resource_type} - {""})

    def _entry(self) -> Json:
        record = self.record
        return {
            "index": self.index,
            "requestId": record.request_id,
            "time": fhir_instant(record.time_us),
            "interaction": record.interaction.value,
            "outcome": record.outcome.value,
            "resourceType": record.resource_type,
            "client": record.client,
            "organization": record.organisation or None,
            "policy": self.policy,
        }

    def _recorded(self) -> Json:
        return {
            "inputs": self.digest,
            "basis": [words(basis) for basis in self.grounds],
            "disclosed": list(self.record.disclosed),
        }

    @property
    def digest(self) -> str | None:
        """The digest of the inputs; None where the row has none, or several."""
        found = {
            basis.name for basis in self.record.basis if basis.kind is BasisKind.INPUTS
        }
        return found.pop() if len(found) == 1 else None

    @property
    def grounds(self) -> tuple[Basis, ...]:
        """What else the row names."""
        return tuple(
            basis for basis in self.record.basis if basis.kind is not BasisKind.INPUTS
        )

    def _unnamed(self, own: set[int]) -> list[Version]:
        """Return the disclosed versions of no patient whom the row names."""
        snapshot = self.place.snapshot
        missing = set(self.record.disclosed) - own
        found = past.by_seq(snapshot, SHARED, missing)
        found |= past.anybodys(snapshot, missing - found.keys())
        return list(versions(self.place, found))

    def _differences(
        self, replayed: list[PatientReplay], found: list[Version]
    ) -> Iterator[str]:
        """Yield what the log says otherwise than the replay."""
        policy = self.place.gate.policy
        if self.policy != policy:
            yield f"the rules were {self.policy!r}, and are {policy!r}"
        for one in replayed:
            yield from one.differences
        there = {one.stored.seq for one in found}
        for seq in sorted(set(self.record.disclosed) - there):
            yield f"the disclosed version {seq} is not stored any more"
        told = {basis for one in replayed for basis in one.grounds}
        for basis in self.grounds:
            if basis.kind is not BasisKind.SCOPE and basis not in told:
                yield f"the log names {' '.join(words(basis))}, the replay does not"


def no_such_row() -> FHIRError:
    """Return what is told of a row that is absent, or not for whoever asks."""
    return FHIRError(IssueType.NOT_FOUND, "There is no such row in the audit log.")


def _of_class(found: Iterable[Version], kind: ResourceClass) -> list[str]:
    return [one.name for one in found if one.kind is kind]


def replay(
    place: Place, entry: str, unseal: Unseal, pseudonym: Callable[[str], bytes]
) -> Replay:
    """Return the replay of a row of the log.

    Args:
        place: Where everything is.
        entry: The row's index, or the id of its request.
        unseal: Opens what the log keeps of a request.
        pseudonym: Patient id → the bytes by which the log names the patient.

    Raises:
        FHIRError: `not-found` where there is no such row, or one of its patients is
            not here any more.

    """
    index, record = _row(place.snapshot, entry, unseal)
    return Replay(
        place=place,
        index=index,
        record=record,
        states=tuple(_states(place.snapshot, record, pseudonym)),
        policy=_policy(place.snapshot, index, unseal),
    )


def _row(snapshot: Snapshot, entry: str, unseal: Unseal) -> tuple[int, AuditRecord]:
    """Return the index and the record of a row: the last one of a request."""
    if entry.isascii() and entry.isdigit() and len(entry) <= _DIGITS:
        first = next(audit_log.entries(snapshot, int(entry)), None)
        if first is not None and first[0] == int(entry):
            return first[0], decode(first[1], unseal=unseal)
    found = None
    for index, leaf, _ in audit_log.entries(snapshot):
        record = decode(leaf, unseal=lambda _: None)
        if record.request_id == entry:
            found = index, decode(leaf, unseal=unseal)
    if found is None:
        raise no_such_row()
    return found


_DIGITS = 18
"""Of an index; longer numbers are none."""


def _states(
    snapshot: Snapshot, record: AuditRecord, pseudonym: Callable[[str], bytes]
) -> Iterator[PatientState]:
    """Yield the patients whom a row names, in the order of their keys."""
    wanted, after = set(record.patients), SHARED
    while wanted and (found := patients.after(snapshot, after, PATIENTS_AT_ONCE)):
        for state in found:
            if (name := pseudonym(state.id)) in wanted:
                wanted.discard(name)
                yield state
        after = found[-1].key
    if wanted:
        raise FHIRError(
            IssueType.NOT_FOUND, "A patient of this row is not stored any more."
        )


def _policy(snapshot: Snapshot, before: int, unseal: Unseal) -> str:
    """Return the version of the rules that the log names for a row."""
    policy = SHIPPED
    for index, leaf, _ in audit_log.entries(snapshot):
        if index >= before:
            break
        if leaf[_INTERACTION] == INTERACTION_CODE[Interaction.CONFIG]:
            request = decode(leaf, unseal=unseal).request or ""
            if request.startswith(_POLICY):
                policy = request.removeprefix(_POLICY).partition("; was ")[0]
    return policy


_INTERACTION = 9
"""Where the head of a leaf has the interaction."""
