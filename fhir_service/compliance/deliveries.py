"""What device data did not become: parts that wait in quarantine, readings withheld."""

from collections import Counter
from dataclasses import dataclass

from consent.audit.entry import Interaction
from fhir_service.compliance.rows import Reader
from fhir_service.storage import quarantines
from fhir_service.storage.audit_filter import AuditFilter

NEWEST = 1_000
"""Deliveries whose receipts are added up."""


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """What became of deliveries.

    Attributes:
        quarantined: (source, reason, readings) of what waits.
        fates: (client, fate, readings) of the newest deliveries, by their receipts.
        looked: How many deliveries that were.

    """

    quarantined: tuple[tuple[str, str, int], ...]
    fates: tuple[tuple[str, str, int], ...]
    looked: int


def deliveries(reader: Reader) -> Deliveries:
    """Return what became of deliveries that the officer may know of."""
    [organization] = reader.officer.organizations or ("",)
    asked = AuditFilter(interactions=(Interaction.INGEST, Interaction.IMPORT))
    found = reader.find(asked, count=NEWEST)
    fates: Counter[tuple[str, str]] = Counter()
    for row in found:
        for fate, readings in row.record.counts:
            fates[row.record.client or row.record.user, fate] += readings
    return Deliveries(
        quarantined=tuple(quarantines.counts_within(reader.snapshot, organization)),
        fates=tuple((*key, readings) for key, readings in sorted(fates.items())),
        looked=len(found),
    )
