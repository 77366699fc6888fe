"""What another default policy would open and close, patient by patient, for some.

The same requesters are asked under both defaults, for every kind of data that the
service maps: nothing is changed, and nothing is remembered.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from conformance.issues import FHIRError, IssueType
from consent.decision import OFFERED_POLICIES, DefaultPolicy
from fhir_service.access import Gate
from fhir_service.compliance.reports.report import Report, heading, table
from fhir_service.compliance.reports.timeline import place_of
from fhir_service.compliance.rows import Reader
from fhir_service.explaining.asking import Asking, question
from fhir_service.explaining.change import changes
from fhir_service.storage import patients, types

PATIENTS = 10
"""Patients of one report: each asks up to 50 requesters about every kind of data."""


class Changed(NamedTuple):
    """What changes for one requester, and for how many patients."""

    who: str
    purposes: tuple[str, ...]
    kind: str
    change: str
    patients: int


def report(
    reader: Reader, default: str, *, after: int = 0, count: int = PATIENTS
) -> Report:
    """Return what another default would change for some of the officer's patients.

    Args:
        reader: Of the officer.
        default: The policy that would be set.
        after: Key after which to begin; 0 for the first patients.
        count: Patients to look at.

    Raises:
        FHIRError: `value` for what is no policy that is offered.

    """
    if default not in OFFERED_POLICIES:
        raise FHIRError(
            IssueType.VALUE,
            f"A default is one of {', '.join(sorted(OFFERED_POLICIES))}.",
        )
    services = reader.services
    gate = Gate(services.repository, DefaultPolicy(default), services.clock)
    states = patients.after(reader.snapshot, after, count + 1)
    counted: Counter[tuple[str, tuple[str, ...], str, str]] = Counter()
    left_out, own = 0, 0
    for state in states[:count]:
        if not state.id or not reader.officer.is_over(state.organization):
            continue
        own += 1
        try:
            counted.update(set(_of_patient(reader, state.id, gate)))
        except FHIRError as error:
            if error.type is not IssueType.TOO_COSTLY:
                raise
            left_out += 1
    lines = [Changed(*at, number) for at, number in sorted(counted.items())]
    more = len(states) > count
    notes = [f"Looked at {own} patients."]
    if left_out:
        notes.append(f"{left_out} patients name too many requesters to be compared.")
    if more:
        notes.append(f"More follow after key {states[count - 1].key}.")
    return Report(
        heading=heading(
            reader, "Another default", about=default, after=after or None, count=count
        ),
        tables=(table("changes", Changed, lines),),
        notes=tuple(notes),
        not_recorded=(
            "What another labeller version would change: this program holds one.",
        ),
        is_complete=not more and not left_out,
    )


def _of_patient(
    reader: Reader, id_: str, gate: Gate
) -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """Yield (who, purposes, kind, what becomes of it)."""
    place = place_of(reader)
    state = patients.by_id(reader.snapshot, _patient_type(), id_)
    if state is None:
        return
    before = question(place, state, Asking())
    after = replace(before, instant=replace(before.instant, gate=gate))
    for told in changes(before, after):
        at = (str(told["who"]), tuple(told["purposes"]))
        for name, word in _WORDS.items():
            for kind in told[name]:
                yield (*at, str(kind), word)


_WORDS = {"gains": "opened", "loses": "closed", "changesInPart": "changed in part"}


def _patient_type() -> int:
    return types.number_of("Patient")
