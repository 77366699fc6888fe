"""What happened after a patient withdrew a consent: every release, every attempt.

A release that rests on a withdrawn consent must not exist; one that rests on another
ground is listed beside it, so that nobody has to take our word. So is what was refused.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from consent.audit.entry import AuditRecord, Outcome
from fhir_service.compliance.reports.releases import (
    Recipients,
    Release,
    consents_of,
    describe,
    grounds_of,
    is_custodian,
    is_own_access,
    of_patient,
    person_words,
    signatures_of,
)
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    patient,
    table,
)
from fhir_service.compliance.reports.timeline import Filed, filings
from fhir_service.compliance.rows import Reader
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState


class Withdrawal(NamedTuple):
    """A consent that was active and is not any more."""

    when: datetime
    consent: str
    releases_by_it_after: int
    other_releases_after: int
    refused_after: int


class ReleaseAfter(NamedTuple):
    """A release after the withdrawal."""

    when: datetime
    withdrawn: str
    rests_on_it: bool
    recipient: str
    reference: str
    purposes: tuple[str, ...]
    types: tuple[str, ...]
    versions: int
    allowed_by: tuple[str, ...]
    row: int


class Attempt(NamedTuple):
    """A request about the patient that was refused after the withdrawal."""

    when: datetime
    withdrawn: str
    who: str
    client: str
    organisation: str
    purposes: tuple[str, ...]
    what: str
    had_read_by_it: bool
    row: int


MAX_ATTEMPTS = 1_000
"""Refused requests of one withdrawal that are told, the newest."""


class ToTell(NamedTuple):
    """Who received something by the consent before, and is to be told."""

    withdrawn: str
    recipient: str
    address: str
    reference: str
    first: datetime
    last: datetime
    times: int


def report(reader: Reader, patient_id: str, *, period: Period = ALWAYS) -> Report:
    """Return what was released of a patient after withdrawals.

    Args:
        reader: Of the officer.
        patient_id: Whose.
        period: When the patient withdrew.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state = patient(reader, patient_id)
    withdrawn = [
        one
        for one in withdrawals(filings(reader, state))
        if (period.since_us or 0) <= one.stored.last_updated
        and (period.until_us is None or one.stored.last_updated < period.until_us)
    ]
    found = of_patient(reader, state, ALWAYS)
    made = Report(
        heading=heading(
            reader,
            "Releases after withdrawal",
            about=f"Patient/{state.id}",
            period=period,
        ),
        tables=(
            table(
                "withdrawals",
                Withdrawal,
                [_told(reader, state, one, found.releases) for one in withdrawn],
            ),
            table(
                "releases after",
                ReleaseAfter,
                _releases(reader, state, withdrawn, found.releases),
            ),
            table(
                "attempts after",
                Attempt,
                _attempts(reader, state, withdrawn, found.releases),
            ),
            table(
                "recipients to tell",
                ToTell,
                _to_tell(reader, state, withdrawn, found.releases),
            ),
        ),
        not_recorded=(
            (
                "Running exports and deliveries that a withdrawal cut off: this "
                "service has no bulk export and no subscriptions; a page of a search "
                "is decided anew when it is asked for."
            ),
        ),
    )
    return cut_at(reader, made, found.oldest_us)


def withdrawals(filed: Iterable[Filed]) -> Iterator[Filed]:
    """Yield the versions by which a consent ended that was active before."""
    active: dict[str, bool] = {}
    for one in filed:
        if active.get(one.reference) and not one.is_active:
            yield one
        active[one.reference] = one.is_active


def rests_on(release: Release, consent: str) -> bool:
    """Whether any version of a consent is among the grounds of a release."""
    names = consents_of(release.record)
    return any(name.startswith(f"{consent}/_history/") for name in names)


def _after(one: Filed, releases: Iterable[Release]) -> list[Release]:
    return [
        release
        for release in releases
        if release.record.time_us > one.stored.last_updated
    ]


def _told(
    reader: Reader, state: PatientState, one: Filed, releases: Iterable[Release]
) -> Withdrawal:
    after = _after(one, releases)
    by_it = sum(rests_on(release, one.reference) for release in after)
    return Withdrawal(
        when=moment(reader, one.stored.last_updated),
        consent=one.name,
        releases_by_it_after=by_it,
        other_releases_after=len(after) - by_it,
        refused_after=reader.count(_refused(reader, state, one)),
    )


def _refused(reader: Reader, state: PatientState, one: Filed) -> AuditFilter:
    return AuditFilter(
        patients=(reader.pseudonym(state.id),),
        outcomes=(Outcome.DENIED,),
        since_us=one.stored.last_updated + 1,
    )


def _attempts(
    reader: Reader,
    state: PatientState,
    withdrawn: Iterable[Filed],
    releases: Iterable[Release],
) -> Iterator[Attempt]:
    """Yield what was refused, newest first; who had read by the consent is marked."""
    releases = list(releases)
    for one in withdrawn:
        readers = {
            _asker(release.record)
            for release in releases
            if rests_on(release, one.reference)
        }
        for row in reader.find(_refused(reader, state, one), count=MAX_ATTEMPTS):
            record = row.record
            yield Attempt(
                when=moment(reader, record.time_us),
                withdrawn=one.name,
                who=person_words(reader, record.user),
                client=record.client,
                organisation=record.organisation,
                purposes=record.purposes,
                what=f"{record.interaction.value} {record.resource_type}".strip(),
                had_read_by_it=_asker(record) in readers,
                row=row.index,
            )


def _asker(record: AuditRecord) -> str:
    """Return who asked: the person, else the client."""
    return record.user or record.client


def _releases(
    reader: Reader,
    state: PatientState,
    withdrawn: Iterable[Filed],
    releases: Iterable[Release],
) -> Iterator[ReleaseAfter]:
    recipients, known = Recipients(reader), signatures_of(reader, state)
    releases = list(releases)
    for one in withdrawn:
        for release in _after(one, releases):
            to = recipients.of(release.record)
            told = describe(known, release.versions)
            yield ReleaseAfter(
                when=moment(reader, release.record.time_us),
                withdrawn=one.name,
                rests_on_it=rests_on(release, one.reference),
                recipient=to.name,
                reference=to.reference,
                purposes=release.record.purposes,
                types=told.types,
                versions=told.versions,
                allowed_by=grounds_of(release.record),
                row=release.row.index,
            )


def _to_tell(
    reader: Reader,
    state: PatientState,
    withdrawn: Iterable[Filed],
    releases: Iterable[Release],
) -> Iterator[ToTell]:
    """Yield each recipient but the patient and the custodian, oldest first."""
    recipients, releases = Recipients(reader), list(releases)
    for one in withdrawn:
        groups: dict[object, list[Release]] = {}
        for release in releases:
            record = release.record
            is_theirs = is_own_access(record, state) or is_custodian(record, state)
            if rests_on(release, one.reference) and not is_theirs:
                groups.setdefault(recipients.of(record), []).append(release)
        for group in groups.values():
            to = recipients.of(group[0].record)
            yield ToTell(
                withdrawn=one.name,
                recipient=to.name,
                address=to.address,
                reference=to.reference,
                first=moment(reader, group[0].record.time_us),
                last=moment(reader, group[-1].record.time_us),
                times=len(group),
            )
