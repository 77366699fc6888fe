"""`fhir-service quarantine retry`: read again what could not be understood.

Each part goes through its vendor's parser and the pipeline as if it came now from who
had delivered it: as the client is registered today, and as consent stands today. What
is understood is marked and erased from quarantine; the rest keeps its place.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.exchange import Services
from fhir_service.ingest import phd, phd_again, sources
from fhir_service.ingest.deliverer import grant_today
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, leaf
from fhir_service.ingest.paired import paired_zone
from fhir_service.ingest.pipeline import Batch
from fhir_service.ingest.receipt import Receipt
from fhir_service.ingest.refused import restored
from fhir_service.ingest.tried import SEVERAL, Again, as_before
from fhir_service.storage import quarantines
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.quarantines import Quarantined
from mappings.measurement import Reading, Refusal

TRANSACTION = 200
"""Parts in one transaction."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]
"""Told how many parts have been tried."""


@dataclass(kw_only=True)
class Account:
    """What became of the parts that were tried again.

    Attributes:
        tried: How many parts.
        resolved: How many of them were understood.
        waiting: (source, reason) → parts that stay.
        receipts: What became of the measurements, by source.

    """

    tried: int = 0
    resolved: int = 0
    waiting: Counter[tuple[str, str]] = field(default_factory=Counter)
    receipts: dict[str, Receipt] = field(default_factory=dict)


class _Part(NamedTuple):
    """A part, and what its vendor's parser makes of it today."""

    row: Quarantined
    patient_id: str | None
    readings: Sequence[Reading]
    is_of_several: bool = False


class _Origin(NamedTuple):
    """What the parts of one delivery have in common."""

    source: str
    client_id: str | None
    patient_id: str | None
    received_us: int
    is_of_several: bool


def retry(
    services: Services,
    *,
    source: str | None = None,
    progress: Progress = lambda _: None,
) -> Account:
    """Try every waiting part of a source, or of all, once; account for it."""
    account = Account()
    after = 0
    while True:
        with services.database.read() as snapshot:
            page = quarantines.pending(
                snapshot, after=after, count=TRANSACTION, source=source
            )
        if not page:
            return account
        _try(services, page, account)
        progress(account.tried)
        after = page[-1].id


def _try(services: Services, page: Sequence[Quarantined], account: Account) -> None:
    def work(transaction: Transaction) -> Account:
        part_of_account = Account()
        groups: dict[_Origin, list[_Part]] = {}
        uploaded = [row for row in page if row.source == phd.SOURCE]
        if uploaded:
            _settle_uploaded(services, transaction, uploaded, part_of_account)
        for row in page:
            if row.source == phd.SOURCE:
                continue
            part = _read_again(services, transaction, row)
            at = _Origin(
                row.source,
                row.client_id,
                part.patient_id,
                row.received,
                part.is_of_several,
            )
            groups.setdefault(at, []).append(part)
        for at, parts in groups.items():
            _settle(services, transaction, at, parts, part_of_account)
        return part_of_account

    done = services.database.write(work)
    account.tried += done.tried
    account.resolved += done.resolved
    account.waiting.update(done.waiting)
    for source, receipt in done.receipts.items():
        account.receipts.setdefault(source, Receipt(source=source)).merge(receipt)


def _read_again(services: Services, snapshot: Snapshot, row: Quarantined) -> _Part:
    """Return what the parser makes of a part; its old refusal where it cannot."""
    try:
        kept = fhir_json.loads_object(
            services.repository.open_payload(snapshot, row.patient_key, row.payload)
        )
    except (BodyError, DataKeyError, FHIRError):
        return _Part(row, None, (as_before(row),))
    readings = _readings(snapshot, row, kept)
    return _Part(
        row,
        kept["patient"],
        readings or (as_before(row),),
        kept.get("several") is True,
    )


def _readings(
    snapshot: Snapshot, row: Quarantined, kept: dict[str, object]
) -> list[Reading]:
    """Return the readings, each placed by the number of the part it comes from."""
    vendor = sources.find(snapshot, row.source)
    payload = kept["payload"]
    if vendor is None or payload is None:
        return []
    received = _EPOCH + timedelta(microseconds=row.received)
    try:
        found: list[Reading] = (
            [restored(payload, kept["parsed"])]
            if kept["parsed"]
            else list(
                vendor.parse(
                    payload, received_at=received, zone=_zone(snapshot, row, kept)
                )
            )
        )
    except (
        FHIRError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ):
        return []
    return [reading._replace(position=str(row.id)) for reading in found]


def _zone(snapshot: Snapshot, row: Quarantined, kept: dict[str, object]) -> str | None:
    """Return the zone of a part's local times: as told then, or by a pairing since."""
    told, patient = kept.get("zone"), kept.get("patient")
    if isinstance(told, str):
        return told
    named = patient if isinstance(patient, str) else None
    return paired_zone(snapshot, row.source, named, row.received)


def _settle(
    services: Services,
    transaction: Transaction,
    at: _Origin,
    parts: Sequence[_Part],
    account: Account,
) -> None:
    """Give the readings of one delivery to the pipeline, and mark the parts."""
    grant = grant_today(
        transaction, at.source, client_id=at.client_id, patient_id=at.patient_id
    )
    vendor = sources.find(transaction, at.source)
    refused = {part.row.id: as_before(part.row) for part in parts}
    if grant is not None and vendor is not None:
        delivery = Delivery(
            source=at.source,
            parser=vendor.parser,
            identifier_system=vendor.system,
            is_registered=vendor.is_registered,
            patient_id=at.patient_id,
            grant=grant,
            payload_sha256=None,
            received_us=at.received_us,
            clock_us=services.clock(),
            settled_us=at.received_us,
            accounts=SEVERAL if at.is_of_several else frozenset(),
        )
        again = Again()
        batch = Batch(transaction, services.repository, services.gate, delivery, again)
        batch.run(reading for part in parts for reading in part.readings)
        refused = again.parts
        account.receipts.setdefault(at.source, Receipt(source=at.source)).merge(
            batch.receipt
        )
        transaction.audit(leaf(services, transaction, delivery, _origin(at), batch))
    for part in parts:
        _mark(services, transaction, part.row, refused.get(part.row.id), account)


def _settle_uploaded(
    services: Services,
    transaction: Transaction,
    rows: Sequence[Quarantined],
    account: Account,
) -> None:
    """Give the parts of gateways' uploads to what stores these, and mark them."""
    done = phd_again.tried(services, transaction, rows)
    account.receipts[phd.SOURCE] = done.receipt
    for row in rows:
        _mark(services, transaction, row, done.refused.get(row.id), account)


def _origin(at: _Origin) -> Origin:
    return Origin(
        interaction=Interaction.INGEST,
        request=f"quarantine retry {at.source}",
        user=local.user(),
    )


def _mark(
    services: Services,
    transaction: Transaction,
    row: Quarantined,
    refusal: Refusal | None,
    account: Account,
) -> None:
    account.tried += 1
    if refusal is None:
        account.resolved += 1
        quarantines.resolved(transaction, row.id, services.clock())
        return
    account.waiting[(row.source, refusal.reason.value)] += 1
    quarantines.retried(
        transaction,
        row.id,
        reason=refusal.reason.value,
        kind=refusal.kind,
        detail=refusal.detail,
    )
