"""What was released under a label that was raised later.

Labels are of a version: what left is compared with the version that is current now.

https://hl7.org/fhir/R4/security-labels.html
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from consent.audit.entry import Interaction
from consent.codes import LEVELS
from consent.facets import Facets
from fhir_service.compliance.reports.releases import (
    Recipients,
    Release,
    name_of_version,
    of_patient,
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
from fhir_service.compliance.rows import Reader
from fhir_service.storage import released
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.released import Released
from fhir_service.storage.signatures import Signature


class Raised(NamedTuple):
    """A version that left with a lower label than its resource has now."""

    when: datetime
    version: str
    label_then: str
    label_now: str
    recipient: str
    reference: str
    purposes: tuple[str, ...]
    row: int


class Labeller(NamedTuple):
    """A change of the rules by which the service labels, for everybody's data."""

    when: datetime
    labeller: str
    was: str
    row: int


MAX_CHANGES = 1_000
"""Changes of the configuration, the newest, among which they are looked for."""

_POLICY, _WAS, _LABELLER = "policy ", "; was ", "labeller="


def _labellers(reader: Reader) -> Iterator[Labeller]:
    """Yield when the labeller changed, newest first."""
    asked = AuditFilter(interactions=(Interaction.CONFIG,))
    for row in reader.find(asked, count=MAX_CHANGES):
        request = row.record.request or ""
        now, _, before = request.removeprefix(_POLICY).partition(_WAS)
        labeller, was = _labeller(now), _labeller(before)
        if request.startswith(_POLICY) and labeller != was:
            yield Labeller(
                when=moment(reader, row.record.time_us),
                labeller=labeller,
                was=was,
                row=row.index,
            )


def _labeller(policy: str) -> str:
    """Return the version of the labeller in that of a policy."""
    found = (part for part in policy.split() if part.startswith(_LABELLER))
    return next(found, "").removeprefix(_LABELLER)


def report(reader: Reader, patient_id: str, *, period: Period = ALWAYS) -> Report:
    """Return what of a patient left under a label that was raised later.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state = patient(reader, patient_id)
    found = of_patient(reader, state, period)
    rows = {version.row for one in found.releases for version in one.versions}
    current = released.current_of(reader.snapshot, state.key, rows)
    known = signatures_of(reader, state)
    made = Report(
        heading=heading(
            reader,
            "Labels raised after a release",
            about=f"Patient/{state.id}",
            period=period,
        ),
        tables=(
            table("raised", Raised, _lines(reader, found.releases, current, known)),
            table("labellers", Labeller, _labellers(reader)),
        ),
        notes=(
            (
                "`labellers` says when the service began to label by other rules: what "
                "left before may have had another label then than its version has now."
            ),
        ),
        not_recorded=(
            (
                "Which label a version had under an earlier labeller: `fhir-service "
                "migrate` labels what is stored anew, in its place."
            ),
        ),
    )
    return cut_at(reader, made, found.oldest_us)


def _lines(
    reader: Reader,
    releases: Iterable[Release],
    current: Mapping[int, Released],
    known: Mapping[int, Signature],
) -> Iterator[Raised]:
    recipients = Recipients(reader)
    for release in releases:
        for then in release.versions:
            now = current.get(then.row)
            if now is None or now.signature_id == then.signature_id:
                continue
            before, after = (known[one.signature_id].facets for one in (then, now))
            if is_raised(before, after):
                to = recipients.of(release.record)
                yield Raised(
                    when=moment(reader, release.record.time_us),
                    version=name_of_version(then),
                    label_then=label(before),
                    label_now=label(after),
                    recipient=to.name,
                    reference=to.reference,
                    purposes=release.record.purposes,
                    row=release.row.index,
                )


def is_raised(before: Facets, after: Facets) -> bool:
    """Whether labels are higher, or say more, than they were."""
    levels = [
        -1 if one.labels.level is None else one.labels.level for one in (before, after)
    ]
    is_more = after.labels.sensitivities - before.labels.sensitivities
    return levels[1] > levels[0] or bool(is_more) or bool(after.tags - before.tags)


_LEVELS = {place: code for code, place in LEVELS.items()}


def label(facets: Facets) -> str:
    """Return labels in their codes."""
    level = facets.labels.level
    words = [
        "none" if level is None else _LEVELS[level],
        *sorted(facets.labels.sensitivities),
        *sorted(facets.tags),
    ]
    return " ".join(words)
