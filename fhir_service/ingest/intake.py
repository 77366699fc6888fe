"""Bytes of one delivery → a receipt; quarantine and audit in the same transaction."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from conformance import fhir_json
from consent.audit import entry
from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.exchange import Services
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.pipeline import Batch, Kept
from fhir_service.ingest.receipt import Receipt
from fhir_service.storage import quarantines
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository
from fhir_service.storage.tables import SHARED
from mappings.measurement import Component, DeviceClue, Measurement, Reading


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the audit says of how a payload came.

    Attributes:
        interaction: `ingest` or `import`.
        request: What was asked, to be kept encrypted.
        request_id: Joins it with the client's log.
        address: Network address; empty for a file.
        user: Who imports a file.

    """

    interaction: Interaction
    request: str
    request_id: str = ""
    address: str = ""
    user: str = ""


def take(
    services: Services, delivery: Delivery, origin: Origin, readings: Iterable[Reading]
) -> Receipt:
    """Store what may be stored, in one transaction, and account for all of it."""
    listed = list(readings)

    def work(transaction: Transaction) -> Receipt:
        batch = Batch(transaction, services.repository, services.gate, delivery)
        batch.run(listed)
        for kept in batch.quarantined:
            _keep(transaction, services.repository, delivery, kept)
        transaction.audit(leaf(services, transaction, delivery, origin, batch))
        return batch.receipt

    return services.database.write(work)


def leaf(
    services: Services,
    transaction: Transaction,
    delivery: Delivery,
    origin: Origin,
    batch: Batch,
) -> bytes:
    """Return the audit leaf that accounts for a batch."""
    grant = delivery.grant
    return entry.encode(
        AuditRecord(
            time_us=services.clock(),
            interaction=origin.interaction,
            outcome=Outcome.ALLOWED,
            status=200,
            request_id=origin.request_id,
            request=origin.request,
            resource_type="Observation",
            user=origin.user,
            client=grant.client_id,
            organisation=grant.organization or "",
            address=origin.address,
            token=grant.token_id,
            purposes=grant.purposes,
            patients=tuple(services.pseudonym(id_) for id_ in sorted(batch.patients)),
            written=batch.written,
            counts=batch.receipt.counted(),
        ),
        seal=services.seal.sealer(transaction, SHARED),
    )


def _keep(
    transaction: Transaction, repository: Repository, delivery: Delivery, kept: Kept
) -> None:
    """Put a refused part in quarantine, once however often it comes."""
    refusal = kept.refusal
    payload = fhir_json.dumps(portable(refusal.payload))
    digest = hashlib.blake2b(
        b"\x1f".join(
            (
                delivery.source.encode(),
                (delivery.patient_id or "").encode(),
                refusal.reason.encode(),
                (refusal.kind or "").encode(),
                payload if refusal.payload is not None else refusal.position.encode(),
            )
        ),
        digest_size=16,
    ).digest()
    if quarantines.holds(transaction, digest):
        return
    quarantines.add(
        transaction,
        {
            "digest": digest,
            "patient_key": kept.patient_key,
            "source": delivery.source,
            "client_id": delivery.grant.client_id,
            "reason": refusal.reason.value,
            "kind": refusal.kind,
            "position": refusal.position,
            "detail": refusal.detail,
            "records": refusal.records,
            "received": delivery.received_us,
            "payload": repository.seal_payload(
                transaction,
                kept.patient_key,
                fhir_json.dumps(
                    {
                        "patient": delivery.patient_id,
                        "payload": portable(refusal.payload),
                        "parsed": isinstance(refusal.payload, Measurement),
                    }
                ),
            ),
        },
    )


def portable(value: object) -> Any:
    """Return what a refusal holds in a form that JSON keeps without loss."""
    if isinstance(value, Measurement | DeviceClue | Component):
        return {name: portable(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): portable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [portable(part) for part in value]
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def restored(parsed: Any) -> Measurement:
    """Return the measurement that `portable` has taken apart."""
    device = parsed.get("device")
    return Measurement(
        **{
            **parsed,
            "device": None if device is None else DeviceClue(**device),
            "components": tuple(Component(**part) for part in parsed["components"]),
        }
    )
