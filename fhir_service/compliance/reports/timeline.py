"""Every version of a patient's consents: who changed what, and what that opened.

What a change opened and closed is asked of the engine: the same requesters before and
after, for every kind of data that the service maps.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Outcome
from consent.provisions import ParsedConsent, read_bytes
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    heading,
    moment,
    moment_or_none,
    patient,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.explaining.asking import Asking, Place, question
from fhir_service.explaining.change import changes
from fhir_service.explaining.instant import Instant
from fhir_service.storage import batches, history, released, rows, types
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored

MAX_COMPARED = 10
"""Changes whose effect is worked out, the newest; each asks up to 50 requesters."""

MAX_VERSIONS = 1_000


class ConsentVersion(NamedTuple):
    """One version of one consent."""

    when: datetime
    consent: str
    version: int
    change: str
    status: str
    given: str
    ends: datetime | None
    by: str
    client: str
    organisation: str
    evidence: tuple[str, ...]
    faults: tuple[str, ...]
    row: int | None


class Effect(NamedTuple):
    """What one requester gained and lost by a change."""

    when: datetime
    who: str
    purposes: tuple[str, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]
    changed_in_part: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Filed:
    """A stored version of a consent, read.

    Attributes:
        reference: `Consent/id`.
        stored: Where it is.
        body: What it says; empty for a deletion.
        parsed: As the engine reads it; None for a deletion.

    """

    reference: str
    stored: Stored
    body: Mapping[str, Any]
    parsed: ParsedConsent | None

    @property
    def name(self) -> str:
        """The reference of the exact version."""
        return f"{self.reference}/_history/{self.stored.version}"

    @property
    def is_active(self) -> bool:
        """Whether it may permit or deny anything."""
        return self.parsed is not None and self.parsed.is_active


def report(reader: Reader, patient_id: str, *, period: Period = ALWAYS) -> Report:
    """Return the consent timeline of a patient.

    Grows with the patient's consents, and with the rows of the log that wrote them.

    Args:
        reader: Of the officer.
        patient_id: Whose.
        period: Of which changes the effect is told; every version is listed.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state = patient(reader, patient_id)
    filed = filings(reader, state)
    effects, notes = _effects(reader, state, filed, period)
    return Report(
        heading=heading(
            reader,
            "Consent timeline",
            about=f"Patient/{state.id}",
            period=period,
        ),
        tables=(
            table(
                "versions",
                ConsentVersion,
                _versions(reader, filed, _writing(reader, state)),
            ),
            table("effects", Effect, effects),
        ),
        notes=(
            "`given` is what the consent says of itself; `when` is when it was filed.",
            *notes,
        ),
        not_recorded=(
            (
                "When a consent was requested and offered: nothing is stored before it "
                "is filed."
            ),
        ),
    )


def filings(reader: Reader, state: PatientState) -> list[Filed]:
    """Return every version of a patient's consents, in the order of filing."""
    type_id = types.number_of("Consent")
    found = [
        _filed(reader, state, rows.public_id(row), stored)
        for row in released.rows_of_type(reader.snapshot, state.key, type_id)
        for stored in history.versions(reader.snapshot, type_id, rows.public_id(row))
    ]
    found.sort(key=lambda one: one.stored.seq)
    return found[-MAX_VERSIONS:]


def _filed(reader: Reader, state: PatientState, id_: str, stored: Stored) -> Filed:
    reference = f"Consent/{id_}"
    if stored.deleted:
        return Filed(reference=reference, stored=stored, body={}, parsed=None)
    repository = reader.services.repository
    body = repository.body(reader.snapshot, stored)
    return Filed(
        reference=reference,
        stored=stored,
        body=fhir_json.loads_object(body),
        parsed=read_bytes(
            body,
            reference=reference,
            patient=f"Patient/{state.id}",
            deployment=repository.deployment,
        ),
    )


MAX_ROWS = 1_000
"""Rows of the log that wrote Consents of the patient and are looked at."""


def _writing(reader: Reader, state: PatientState) -> dict[int, int]:
    """Return the row of the log that wrote a version: `seq` → row."""
    asked = AuditFilter(
        patients=(reader.pseudonym(state.id),),
        types=("Consent",),
        outcomes=(Outcome.ALLOWED,),
    )
    found = reader.find(asked, count=MAX_ROWS)
    return {seq: row.index for row in found for seq in row.record.written}


def _versions(
    reader: Reader, filed: list[Filed], writing: Mapping[int, int]
) -> Iterator[ConsentVersion]:
    before: dict[str, Filed] = {}
    for one in filed:
        batch = (
            None
            if one.stored.batch_id is None
            else batches.read(reader.snapshot, one.stored.batch_id)
        )
        yield ConsentVersion(
            when=moment(reader, one.stored.last_updated),
            consent=one.reference,
            version=one.stored.version,
            change=_change(before.get(one.reference), one),
            status=str(one.body.get("status", "deleted")),
            given=str(one.body.get("dateTime", "")),
            ends=moment_or_none(reader, _end(one)),
            by="" if batch is None else batch.person or "",
            client="" if batch is None else batch.client_id,
            organisation="" if batch is None else batch.organization or "",
            evidence=tuple(_evidence(one.body)),
            faults=()
            if one.parsed is None
            else tuple(fault.diagnostics for fault in one.parsed.faults),
            row=writing.get(one.stored.seq),
        )
        before[one.reference] = one


def _end(one: Filed) -> int | None:
    return None if one.parsed is None else one.parsed.period.end


def _change(before: Filed | None, after: Filed) -> str:
    """Return what became of a consent, in a word."""
    if after.stored.deleted:
        return "deleted"
    if before is None:
        return "filed"
    if before.is_active and not after.is_active:
        return "withdrawn"
    return "begun" if after.is_active and not before.is_active else "changed"


def _evidence(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a consent names as its paper, and who verified it."""
    reference = body.get("sourceReference", {}).get("reference")
    if reference:
        yield f"source {reference}"
    if "sourceAttachment" in body:
        digest = body["sourceAttachment"].get("hash", "without a hash")
        yield f"attached document, SHA-1 {digest}"
    for one in body.get("verification", ()):
        if one.get("verified"):
            by = one.get("verifiedWith", {}).get("reference", "somebody")
            yield f"verified with {by} {one.get('verificationDate', '')}".strip()


def _effects(
    reader: Reader, state: PatientState, filed: list[Filed], period: Period
) -> tuple[list[Effect], list[str]]:
    """Return what the newest changes of a time opened and closed, with notes."""
    moments = sorted(
        {
            at_us
            for one in filed
            if (period.since_us or 0) <= (at_us := one.stored.last_updated)
            and (period.until_us is None or at_us < period.until_us)
        }
    )
    effects, notes = list[Effect](), list[str]()
    if len(moments) > MAX_COMPARED:
        first = moment(reader, moments[-MAX_COMPARED]).isoformat()
        notes.append(
            f"Effects are told of the newest {MAX_COMPARED} changes of the time, from "
            f"{first} on; ask for an earlier time to be told of earlier ones."
        )
    for at_us in moments[-MAX_COMPARED:]:
        try:
            effects += _effect(reader, state, at_us)
        except FHIRError as error:
            if error.type is not IssueType.TOO_COSTLY:
                raise
            when = moment(reader, at_us).isoformat()
            notes.append(f"The change of {when} names too many to be compared.")
    return effects, notes


def place_of(reader: Reader) -> Place:
    """Return where the engine is asked."""
    services = reader.services
    return Place(
        repository=services.repository,
        gate=services.gate,
        snapshot=reader.snapshot,
        now_us=services.clock(),
    )


def _effect(reader: Reader, state: PatientState, at_us: int) -> Iterator[Effect]:
    place = place_of(reader)
    after = question(place, state, Asking(at_us=at_us))
    earlier = Instant(
        repository=place.repository,
        gate=place.gate,
        snapshot=place.snapshot,
        at_us=at_us - 1,
        is_past=True,
    )
    before = after.under(earlier.consents(after.state))
    for told in changes(before, after):
        yield Effect(
            when=moment(reader, at_us),
            who=told["who"],
            purposes=tuple(told["purposes"]),
            opened=tuple(told["gains"]),
            closed=tuple(told["loses"]),
            changed_in_part=tuple(told["changesInPart"]),
        )
