"""The accounting of disclosures of one patient, as two laws read it.

45 CFR 164.528 (six years) leaves out what 164.528(a)(1) names; 42 CFR 2.25 (three
years) is of what was disclosed with consent. What is left out is counted, by its rule.
How a FHIR Consent stands to an authorisation under 164.508, and whether 2.25 is in
force for treatment, payment and operations, is for counsel: both are options here.

https://www.ecfr.gov/current/title-45/section-164.528
https://www.ecfr.gov/current/title-42/section-2.25
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from consent.codes import ACT_REASON, OPERATIONS, PAYMENT, TREATMENT, is_purpose
from fhir_service.compliance.reports.releases import (
    Recipients,
    Release,
    consents_of,
    describe,
    is_custodian,
    is_own_access,
    of_patient,
    signatures_of,
)
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Line,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    moment_or_none,
    patient,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.storage.patients import PatientState

YEAR_US = 31_557_600_000_000
"""A year of 365.25 days."""

CLOCK_DAYS = 60
"""Within which an accounting is to be given (164.528(c)(1))."""


class Reading(StrEnum):
    """Which law is asked."""

    HIPAA = "hipaa"
    PART_2 = "part-2"
    ALL = "all"


Is = Callable[[Release, PatientState], bool]


class _Exclusion(NamedTuple):
    """Why a release is not in an accounting."""

    rule: str
    holds: Is


@dataclass(frozen=True, kw_only=True, slots=True)
class _Law:
    """What a reading asks for."""

    years: int
    exclusions: tuple[_Exclusion, ...]
    notes: tuple[str, ...]


def _own(release: Release, state: PatientState) -> bool:
    return is_own_access(release.record, state)


def _custodian(release: Release, state: PatientState) -> bool:
    return is_custodian(release.record, state)


_TPO = (TREATMENT, PAYMENT, OPERATIONS)


def _tpo(release: Release, _: PatientState) -> bool:
    purposes = [(ACT_REASON, code) for code in release.record.purposes]
    return bool(purposes) and all(
        any(is_purpose(one, listed) for listed in _TPO) for one in purposes
    )


def _authorised(release: Release, _: PatientState) -> bool:
    return bool(consents_of(release.record))


def _without_consent(release: Release, _: PatientState) -> bool:
    return not consents_of(release.record)


_WITHIN = _Exclusion(
    "kept within the organisation that manages the patient: a use and no disclosure "
    "(45 CFR 160.103)",
    _custodian,
)
_TO_SELF = _Exclusion("to the individual (45 CFR 164.528(a)(1)(ii))", _own)
_FOR_TPO = _Exclusion(
    "for treatment, payment or health care operations (45 CFR 164.528(a)(1)(i))", _tpo
)
_BY_AUTHORITY = _Exclusion(
    "by the patient's authorisation, taken to be what a FHIR Consent permitted "
    "(45 CFR 164.528(a)(1)(iv))",
    _authorised,
)
_NO_CONSENT = _Exclusion(
    "without the patient's consent: not of 42 CFR 2.25; emergencies are of 2.51",
    _without_consent,
)

LAWS: Mapping[Reading, _Law] = MappingProxyType(
    {
        Reading.HIPAA: _Law(
            years=6,
            exclusions=(_TO_SELF, _WITHIN, _FOR_TPO, _BY_AUTHORITY),
            notes=(
                (
                    "45 CFR 164.528: six years. Whether a FHIR Consent is an "
                    "authorisation of 164.508 is uncertain; ask with `consents "
                    "authorise: no` to list what consents permitted."
                ),
                (
                    "Not told apart, since nothing here records it: incidental "
                    "disclosures, facility directories, national security, "
                    "correctional institutions, limited data sets "
                    "(164.528(a)(1)(iii), (v)-(viii))."
                ),
                (
                    "A law enforcement suspension (164.528(a)(2)) is not recorded "
                    "here: ask counsel before this is given."
                ),
            ),
        ),
        Reading.PART_2: _Law(
            years=3,
            exclusions=(_TO_SELF, _WITHIN, _NO_CONSENT),
            notes=(
                (
                    "42 CFR 2.25: three years, disclosures with consent included, "
                    "those for treatment, payment and operations too. That the duty "
                    "for the latter waits for a revised 164.528 is believed and not "
                    "confirmed: ask counsel."
                ),
                (
                    "Every release with consent is listed, of records of a Part 2 "
                    "program and of others alike."
                ),
            ),
        ),
        Reading.ALL: _Law(
            years=6,
            exclusions=(_TO_SELF, _WITHIN),
            notes=("Every release to others; no law's exclusions but own access.",),
        ),
    }
)
"""Reading → what it asks for."""


class Disclosure(NamedTuple):
    """Releases to one recipient for one purpose of the same kinds of data."""

    first: datetime
    last: datetime
    times: int
    recipient: str
    address: str
    reference: str
    purposes: tuple[str, ...]
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    categories: tuple[str, ...]
    data_from: datetime | None
    data_to: datetime | None
    versions: int
    consents: tuple[str, ...]
    rows: tuple[int, ...]


class Excluded(NamedTuple):
    """Releases that a rule leaves out."""

    rule: str
    releases: int
    versions: int


MAX_NAMED_ROWS = 50
"""Rows of the log that a line names; it counts the others."""


def report(
    reader: Reader,
    patient_id: str,
    *,
    reading: Reading = Reading.HIPAA,
    period: Period = ALWAYS,
    consents_authorise: bool = True,
) -> Report:
    """Return the accounting of one patient.

    Args:
        reader: Of the officer.
        patient_id: Whose.
        reading: Which law.
        period: The time; the law's years before now where it has no beginning.
        consents_authorise: Whether what a Consent permitted counts as authorised
            (HIPAA alone).

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state, law = patient(reader, patient_id), LAWS[reading]
    now = reader.services.clock()
    asked = Period(
        now - law.years * YEAR_US if period.since_us is None else period.since_us,
        now + 1 if period.until_us is None else period.until_us,
    )
    found = of_patient(reader, state, asked)
    rules = [
        one for one in law.exclusions if consents_authorise or one is not _BY_AUTHORITY
    ]
    kept, left = _sorted_out(found.releases, state, rules)
    made = Report(
        heading=heading(
            reader,
            "Accounting of disclosures",
            about=f"Patient/{state.id}",
            period=asked,
            reading=reading.value,
            consents_authorise="yes" if consents_authorise else "no",
        ),
        tables=(
            table("disclosures", Disclosure, _grouped(reader, state, kept)),
            table("left out", Excluded, left),
        ),
        notes=(*law.notes, f"To be given within {CLOCK_DAYS} days (164.528(c)(1))."),
    )
    return cut_at(reader, made, found.oldest_us)


def _sorted_out(
    releases: Iterable[Release], state: PatientState, rules: Iterable[_Exclusion]
) -> tuple[list[Release], list[Line]]:
    """Return what is accounted for, and how much each rule leaves out."""
    kept: list[Release] = []
    left = {one.rule: [0, 0] for one in rules}
    for release in releases:
        rule = next((one for one in rules if one.holds(release, state)), None)
        if rule is None:
            kept.append(release)
            continue
        left[rule.rule][0] += 1
        left[rule.rule][1] += len(release.versions)
    return kept, [Excluded(rule, *counted) for rule, counted in left.items()]


def _grouped(
    reader: Reader, state: PatientState, releases: Iterable[Release]
) -> list[Disclosure]:
    """Return a line for each recipient, purpose and kind of data (164.528(b)(3))."""
    recipients, known = Recipients(reader), signatures_of(reader, state)
    groups: dict[tuple[object, ...], list[Release]] = {}
    for one in releases:
        kinds = frozenset(version.type_id for version in one.versions)
        at = (recipients.of(one.record), tuple(sorted(one.record.purposes)), kinds)
        groups.setdefault(at, []).append(one)
    lines = []
    for group in groups.values():
        record = group[0].record
        to = recipients.of(record)
        told = describe(known, [version for one in group for version in one.versions])
        lines.append(
            Disclosure(
                first=moment(reader, record.time_us),
                last=moment(reader, group[-1].record.time_us),
                times=len(group),
                recipient=to.name,
                address=to.address,
                reference=to.reference,
                purposes=tuple(sorted(record.purposes)),
                types=told.types,
                kinds=told.kinds,
                categories=told.categories,
                data_from=moment_or_none(reader, told.first_us),
                data_to=moment_or_none(reader, told.last_us),
                versions=told.versions,
                consents=tuple(
                    dict.fromkeys(
                        name for one in group for name in consents_of(one.record)
                    )
                ),
                rows=tuple(one.row.index for one in group[:MAX_NAMED_ROWS]),
            )
        )
    return sorted(lines, key=lambda line: line.first)
