"""Refused parts of a delivery on their way into quarantine.

Equal parts are kept once and counted; of one delivery no more than `MAX_PARTS` are
kept, so that a payload of faults does not hold the writer or fill the disk.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol

from conformance import fhir_json
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.receipt import shortened
from fhir_service.storage import quarantines
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository
from mappings.measurement import (
    Component,
    Deletion,
    DeviceClue,
    Measurement,
    Refusal,
    Samples,
)

MAX_PARTS = 1_000
"""Different parts of one delivery that are kept for a retry."""

NOT_KEPT = "not-kept"
"""Reason of what was refused beyond `MAX_PARTS`."""

NOT_KEPT_DETAIL = (
    f"Of one delivery {MAX_PARTS:,} different parts are kept in quarantine; "
    "this is a further one that was not understood, and it is not kept."
)


class Keeper(Protocol):
    """Takes what a batch refuses."""

    def add(self, refusal: Refusal, patient_key: int) -> bool:
        """Take a refusal; return whether its part is kept for a retry."""


@dataclass(kw_only=True, slots=True)
class _Part:
    """A part to be kept: its first refusal, and how much it stands for."""

    refusal: Refusal
    patient_key: int
    records: int


class Parts:
    """What one transaction of a delivery is to keep.

    Args:
        delivery: What the parts came with.
        secret: Keys the digests: what was refused may hold a guessable value.
        seen: Digests of what its earlier transactions have kept.

    """

    def __init__(
        self,
        delivery: Delivery,
        secret: bytes,
        seen: frozenset[bytes] = frozenset(),
    ) -> None:
        self._secret = secret
        self._delivery = delivery
        self._seen = seen
        self._parts: dict[bytes, _Part] = {}

    @property
    def seen(self) -> frozenset[bytes]:
        """Return the digests of what the delivery has kept so far."""
        return self._seen.union(self._parts)

    def add(self, refusal: Refusal, patient_key: int) -> bool:
        """Take a refusal; return whether its part is kept for a retry."""
        digest = self._digest(refusal)
        known = self._parts.get(digest)
        if known is not None:
            known.records += refusal.records
        elif digest not in self._seen:
            if len(self._seen) + len(self._parts) >= MAX_PARTS:
                return False
            self._parts[digest] = _Part(
                refusal=refusal, patient_key=patient_key, records=refusal.records
            )
        return True

    def _digest(self, refusal: Refusal) -> bytes:
        """Return what is equal for the same part, wherever in a payload it comes."""
        delivery, payload = self._delivery, refusal.payload
        if isinstance(payload, Measurement | Deletion):
            payload = payload._replace(position="")
        text = (
            refusal.position.encode()
            if payload is None
            else fhir_json.dumps(portable(payload))
        )
        members = (
            delivery.source.encode(),
            (delivery.grant.client_id or "").encode(),
            (delivery.patient_id or "").encode(),
            refusal.reason.encode(),
            (refusal.kind or "").encode(),
            text,
        )
        return hashlib.blake2b(
            b"\x1f".join(members), digest_size=16, key=self._secret
        ).digest()

    def keep(self, transaction: Transaction, repository: Repository) -> None:
        """Put into quarantine what does not wait there already."""
        held = quarantines.held(transaction, list(self._parts))
        quarantines.add(
            transaction,
            [
                self._values(transaction, repository, digest, part)
                for digest, part in self._parts.items()
                if digest not in held
            ],
        )

    def _values(
        self,
        transaction: Transaction,
        repository: Repository,
        digest: bytes,
        part: _Part,
    ) -> dict[str, object]:
        delivery, refusal = self._delivery, part.refusal
        return {
            "digest": digest,
            "patient_key": part.patient_key,
            "source": delivery.source,
            "client_id": delivery.grant.client_id,
            "reason": refusal.reason.value,
            "kind": refusal.kind,
            "position": shortened(refusal.position),
            "detail": refusal.detail,
            "records": part.records,
            "received": delivery.received_us,
            "payload": repository.seal_payload(
                transaction,
                part.patient_key,
                fhir_json.dumps(
                    {
                        "patient": delivery.patient_id,
                        "zone": delivery.zone,
                        "upload": None
                        if delivery.payload_sha256 is None
                        else delivery.payload_sha256.hex(),
                        "several": len(delivery.accounts) > 1,
                        "payload": portable(refusal.payload),
                        "parsed": _PARSED.get(type(refusal.payload), False),
                    }
                ),
            ),
        }


_PARSED = MappingProxyType({Measurement: True, Deletion: "deletion"})
"""What a part says of a payload that was understood once."""


def portable(value: object) -> Any:
    """Return what a refusal holds in a form that JSON keeps without loss."""
    if isinstance(value, Measurement | Deletion | DeviceClue | Component):
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


def restored(parsed: Any, form: object = True) -> Measurement | Deletion:  # noqa: FBT002 - what older parts hold
    """Return the measurement or the deletion that `portable` has taken apart."""
    if form == _PARSED[Deletion]:
        return Deletion(**parsed)
    device = parsed.get("device")
    return Measurement(
        **{
            **parsed,
            "value": _value(parsed["value"]),
            "device": None if device is None else DeviceClue(**device),
            "components": tuple(
                Component(**{**part, "value": _value(part["value"])})
                for part in parsed["components"]
            ),
            "flags": tuple(parsed.get("flags", ())),
        }
    )


def _value(value: Any) -> Any:
    """Return a value; samples are the only list among them."""
    if not isinstance(value, list):
        return value
    period_ms, data, factor, origin = value
    return Samples(period_ms, tuple(data), factor, origin)
