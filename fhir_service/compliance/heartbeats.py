"""Hours without a row in which the service was there: it signed the same log again.

https://c2sp.org/tlog-checkpoint
"""

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.audit import checkpoint
from consent.audit.checkpoint import CheckpointError
from fhir_service.audit_trail import HEARTBEAT
from fhir_service.exchange import Services
from fhir_service.storage.audit_counting import HOUR_US


def witnessed(services: Services, hours: Iterable[int]) -> frozenset[int]:
    """Return those of some hours since 1970 for which there is a signed heartbeat."""
    folder = services.heartbeats
    if folder is None:
        return frozenset()
    origin, key = checkpoint.parse_verifier_key(services.audit_key)
    return frozenset(hour for hour in hours if _is_signed(folder, hour, origin, key))


def _is_signed(folder: Path, hour: int, origin: str, key: Ed25519PublicKey) -> bool:
    path = folder / HEARTBEAT.format(hour=hour)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        note = file.read(checkpoint.MAX_NOTE)
    try:
        signed = checkpoint.verify(note, origin=origin, public_key=key)
    except CheckpointError:
        return False
    return signed.time_us // HOUR_US == hour
