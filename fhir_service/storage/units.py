"""Physical units: which Devices stand for them, by keyed hash of what identifies them.

One Device resource stands for a unit and a patient; all Devices of a unit share its
hash, so that a consent that names one covers them all.
"""

from collections.abc import Mapping
from typing import Any

from consent.device_links import identities_in
from fhir_service.storage import devices
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Transaction
from mappings.device import clues_of, unit_identity
from mappings.measurement import DeviceClue


def unit_hash(blind: BlindIndex, source: str, clue: DeviceClue) -> bytes:
    """Return the keyed hash of the unit that a payload describes."""
    return blind.unit(unit_identity(source, clue))


def register(
    transaction: Transaction,
    blind: BlindIndex,
    patient_key: int,
    row: int,
    device: Mapping[str, Any],
) -> None:
    """Record that `device`, at `row`, stands for the units it tells."""
    for clue in clues_of(device):
        devices.add_unit(transaction, patient_key, unit_hash(blind, "", clue), row)


def hashes_of(blind: BlindIndex, device: Mapping[str, Any]) -> list[bytes]:
    """Return the hashes of everything that identifies what a Device stands for."""
    return [
        *(unit_hash(blind, "", clue) for clue in clues_of(device)),
        *(blind.unit(*identity) for identity in identities_in(device)),
    ]


def unregister(
    transaction: Transaction,
    blind: BlindIndex,
    patient_key: int,
    row: int,
    device: Mapping[str, Any],
) -> None:
    """Record that `device`, at `row`, stands for what its identifiers name no more."""
    for clue in clues_of(device):
        devices.remove_unit(transaction, patient_key, unit_hash(blind, "", clue), row)
