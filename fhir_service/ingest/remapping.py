"""Payloads that are kept, read again by today's mapping: the difference, then the deed.

A measurement that reads otherwise is amended; one that is new is stored; an Observation
that its payload no longer gives, because its kind was wrong for instance, is withdrawn
as `entered-in-error`. Payloads follow each other as they came, so that a correction
that came later still counts. Consent of today decides.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.exchange import Services
from fhir_service.ingest import phd, raw, sources
from fhir_service.ingest.arrival import accounts_of
from fhir_service.ingest.deliverer import grant_today
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, leaf
from fhir_service.ingest.pipeline import Batch, Change
from fhir_service.ingest.receipt import Fate
from fhir_service.ingest.refused import Parts
from fhir_service.storage import batches, raw_payloads, rows, types
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.raw_payloads import RawPayload
from mappings.vendors.table import Vendor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 50
_WITHDRAWN = "entered-in-error"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What today's mapping makes of one Observation.

    Attributes:
        payload: Number of the payload.
        kind: What is measured, by today's mapping or by that of before.
        start: When it was taken, where it is stored by today's mapping.
        reference: `Observation/id`; None for one that is not stored yet.
        before: The stored value; None for one that is new.
        after: The value of today; None for one that is withdrawn.

    """

    payload: int
    kind: str
    start: str | None
    reference: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Remapped:
    """What became, or would become, of one payload.

    Attributes:
        payload: Number of the payload.
        source: The vendor's name.
        received: When it came, microseconds since 1970.
        parsers: What had read it, and what reads it now.
        differences: What changes.
        why_not: Why it was left as it is; None where it was read.

    """

    payload: int
    source: str
    received: int
    parsers: tuple[str, str]
    differences: tuple[Difference, ...] = ()
    why_not: str | None = None


class _TriedError(Exception):
    """Ends a transaction whose work is only looked at; never leaves this module."""

    def __init__(self, result: Remapped) -> None:
        super().__init__("a trial is not stored")
        self.result = result


def remap(
    services: Services,
    *,
    since_us: int,
    source: str | None = None,
    is_trial: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Remapped]:
    """Yield what becomes of each payload that was received since a moment.

    Args:
        services: Of the deployment.
        since_us: Microseconds since 1970.
        source: Only that vendor's.
        is_trial: Nothing is stored; each payload is compared with what is stored now.
        progress: Told how many payloads are done.

    """
    after = done = 0
    while True:
        with services.database.read() as snapshot:
            page = raw_payloads.since(
                snapshot,
                since_us=since_us,
                now_us=services.clock(),
                after=after,
                count=_PAGE,
                source=source,
            )
        if not page:
            return
        for payload in page:
            yield _one(services, payload, is_trial=is_trial)
            done += 1
            progress(done)
        after = page[-1].id


def _one(services: Services, payload: RawPayload, *, is_trial: bool) -> Remapped:
    def work(transaction: Transaction) -> Remapped:
        result = _read_again(services, transaction, payload)
        if is_trial:
            raise _TriedError(result)
        return result

    try:
        return services.database.write(work)
    except _TriedError as tried:
        return tried.result


def _read_again(
    services: Services, transaction: Transaction, payload: RawPayload
) -> Remapped:
    if payload.source == phd.SOURCE:
        return _left(payload, "It passes no mapping: its resources are as they came.")
    vendor = sources.find(transaction, payload.source)
    grant = grant_today(
        transaction,
        payload.source,
        client_id=payload.client_id,
        patient_id=payload.patient,
    )
    if vendor is None or grant is None:
        return _left(payload, "Who had delivered it may not speak for the source now.")
    try:
        text = raw.opened(services, transaction, payload)
        body = fhir_json.loads_foreign(text)
    except (BodyError, DataKeyError, FHIRError):
        return _left(payload, "It cannot be read any more.")
    delivery = Delivery(
        source=payload.source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=payload.patient,
        grant=grant,
        payload_sha256=hashlib.sha256(text).digest(),
        received_us=payload.received_us,
        zone=payload.zone,
        gateway=payload.gateway,
        clock_us=services.clock(),
        of_batches=frozenset(raw_payloads.batches_of(transaction, payload)),
    )
    readings = _parsed(vendor, payload, body)
    delivery = replace(delivery, accounts=accounts_of(readings))
    return _stored(services, transaction, payload, delivery, readings)


def _parsed(vendor: Vendor, payload: RawPayload, body: Any) -> list[Any]:
    received = _EPOCH + timedelta(microseconds=payload.received_us)
    return list(vendor.parse(body, received_at=received, zone=payload.zone))


def _left(payload: RawPayload, why: str) -> Remapped:
    return Remapped(
        payload=payload.id,
        source=payload.source,
        received=payload.received_us,
        parsers=(payload.parser, payload.parser),
        why_not=why,
    )


def _stored(
    services: Services,
    transaction: Transaction,
    payload: RawPayload,
    delivery: Delivery,
    readings: list[Any],
) -> Remapped:
    refused = Parts(delivery, services.repository.content_secret)
    batch = Batch(transaction, services.repository, services.gate, delivery, refused)
    batch.run(readings)
    if not batch.has_unattributed:
        for old in _vanished(transaction, payload, batch):
            before = fhir_json.loads(services.repository.body(transaction, old))
            if before["status"] != _WITHDRAWN:
                batch.withdraw(old)
    refused.keep(transaction, services.repository)
    if batch.number is not None:
        raw_payloads.link(
            transaction, payload.id, patient_keys=(), batches=(batch.number,)
        )
    origin = Origin(
        interaction=Interaction.INGEST,
        request=f"mapping replay {payload.source}",
        user=local.user(),
    )
    transaction.audit(leaf(services, transaction, delivery, origin, batch))
    return Remapped(
        payload=payload.id,
        source=payload.source,
        received=payload.received_us,
        parsers=(payload.parser, delivery.parser),
        differences=tuple(
            _difference(services, transaction, payload, change)
            for change in batch.changes
        ),
        why_not=(
            "Some of it may not be collected today; that is left as it is stored."
            if batch.receipt.counts[Fate.WITHHELD]
            else None
        ),
    )


def _vanished(snapshot: Snapshot, payload: RawPayload, batch: Batch) -> Iterator[Any]:
    """Yield what the payload once gave, and does not give any more."""
    type_id = types.number_of("Observation")
    for number in raw_payloads.batches_of(snapshot, payload):
        for key in sorted(batch.keys):
            for old in batches.still_there(snapshot, key, number, type_id):
                if old.row not in batch.confirmed:
                    yield old


def _difference(
    services: Services, snapshot: Snapshot, payload: RawPayload, change: Change
) -> Difference:
    candidate, old = change
    before = None
    if old is not None:
        before = fhir_json.loads(services.repository.body(snapshot, old))
    normalised = None if candidate is None else candidate.normalised
    return Difference(
        payload=payload.id,
        kind=_code(before) if normalised is None else normalised.kind.name,
        start=None if normalised is None else normalised.measurement.start,
        reference=None if old is None else f"Observation/{rows.public_id(old.row)}",
        before=None if before is None else _value(before),
        after=None
        if normalised is None
        else f"{normalised.value or 'components'} {normalised.unit}".strip(),
    )


def _code(resource: Any) -> str:
    return str(resource["code"]["coding"][0]["code"])


def _value(resource: Any) -> str:
    quantity = resource.get("valueQuantity")
    if quantity is not None:
        return f"{fhir_json.dumps(quantity['value']).decode()} {quantity.get('code')}"
    found = [name for name in resource if name.startswith("value")]
    return fhir_json.dumps(resource[found[0]]).decode() if found else "components"
