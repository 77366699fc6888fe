"""Which patients have data and no valid consent; whose consents end soon or are faulty.

Patients are looked at in the order of their keys, some at a time: the log is not asked.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from consent.capture import ENFORCED
from consent.provisions import ParsedConsent, Scope
from fhir_service.compliance.reports.report import (
    Report,
    heading,
    moment,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.zones import DAY_US
from fhir_service.storage import patients, released, types
from fhir_service.storage.patients import PatientState

PATIENTS = 1_000
"""Patients of one report; the next begins after the last of it."""

_NO_DATA = ("Patient", "Consent")


class Uncovered(NamedTuple):
    """A patient with data and without a consent that may vote."""

    patient: str
    organisation: str
    consents: int
    why: str


class Ending(NamedTuple):
    """A consent that ends soon."""

    patient: str
    consent: str
    ends: datetime


class Faulty(NamedTuple):
    """A consent in which the linter finds something."""

    patient: str
    consent: str
    denies: bool
    findings: tuple[str, ...]


def report(
    reader: Reader, *, within_days: int = 30, after: int = 0, count: int = PATIENTS
) -> Report:
    """Return how far the consents of the officer's patients go.

    Args:
        reader: Of the officer.
        within_days: How soon an end is soon.
        after: Key after which to begin; 0 for the first patients.
        count: Patients to look at.

    """
    states = patients.after(reader.snapshot, after, count + 1)
    own = [one for one in states[:count] if reader.officer.is_over(one.organization)]
    now = reader.services.clock()
    consents = {
        one.key: reader.services.gate.consents(reader.snapshot, one) for one in own
    }
    soon = now + within_days * DAY_US
    is_complete = len(states) <= count
    more = () if is_complete else (f"More follow after key {states[count - 1].key}.",)
    return Report(
        heading=heading(
            reader,
            "Consents and data",
            about=f"{len(own)} patients",
            within_days=within_days,
            after=after or None,
        ),
        tables=(
            table("uncovered", Uncovered, _uncovered(reader, own, consents, now)),
            table("ending", Ending, _ending(reader, own, consents, (now, soon))),
            table("faulty", Faulty, _faulty(own, consents)),
        ),
        notes=more,
        is_complete=is_complete,
    )


Consents = dict[int, tuple[ParsedConsent, ...]]


def is_valid(consent: ParsedConsent, state: PatientState, at_us: int) -> bool:
    """Whether a consent may vote at an instant, for whatever purpose it speaks."""
    return (
        consent.is_active
        and consent.patient == f"Patient/{state.id}"
        and consent.scope in {Scope.PRIVACY, Scope.RESEARCH}
        and consent.root is not None
        and ENFORCED.covers(consent)
        and (consent.from_us is None or consent.from_us <= at_us)
        and consent.period.contains(at_us)
    )


def _uncovered(
    reader: Reader, states: list[PatientState], consents: Consents, now: int
) -> Iterator[Uncovered]:
    left_out = [types.number_of(name) for name in _NO_DATA]
    for state in states:
        theirs = consents[state.key]
        if any(is_valid(one, state, now) for one in theirs):
            continue
        if not state.id or not released.has_others(
            reader.snapshot, state.key, left_out
        ):
            continue
        yield Uncovered(
            patient=f"Patient/{state.id}",
            organisation=state.organization or "",
            consents=len(theirs),
            why="no consent is filed" if not theirs else "no consent is in force",
        )


def _ending(
    reader: Reader,
    states: list[PatientState],
    consents: Consents,
    between: tuple[int, int],
) -> Iterator[Ending]:
    for state in states:
        for one in consents[state.key]:
            end = one.period.end
            if one.is_active and end is not None and between[0] <= end < between[1]:
                yield Ending(
                    patient=f"Patient/{state.id}",
                    consent=_name(one),
                    ends=moment(reader, end),
                )


def _faulty(states: list[PatientState], consents: Consents) -> Iterator[Faulty]:
    for state in states:
        for one in consents[state.key]:
            if one.alerts:
                yield Faulty(
                    patient=f"Patient/{state.id}",
                    consent=_name(one),
                    denies=one.is_active and one.root is None,
                    findings=tuple(
                        f"{alert.expression}: {alert.diagnostics}"
                        for alert in one.alerts
                    ),
                )


def _name(one: ParsedConsent) -> str:
    return f"{one.reference}/_history/{one.version}"
