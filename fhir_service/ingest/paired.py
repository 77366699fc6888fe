"""What a payload names, and the pairings of it.

An account is known by the vendor's own id of it; a unit by an identifier with its
system, or by whatever of identifier, serial number and UDI a person has read off it.
Both are kept as keyed hashes. Once something was paired with a patient, its pairings
alone say when it counts for that patient.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fhir_service.ingest.delivery import Delivery
from fhir_service.storage import patients, source_grants, types
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.source_grants import SourceGrant
from mappings.device import stable_text
from mappings.measurement import DeviceClue
from mappings.vendors.zigbee2mqtt.device import address, device_of

_PAIRING = "pairing"
_ANY_SYSTEM = ""
_NEVER = 2**63

_SEPARATORS = re.compile(r"[\s:\-]+")
_UDI = "(01)"
"""How the human readable form of a UDI of GS1 begins."""


class Pairings(NamedTuple):
    """The pairings of what a payload names.

    Attributes:
        grants: Those that had not been revoked when the payload came.
        spans: Of each of them a bit, its first moment, and the first one after it.
        patients: Keys of everybody with whom it was ever paired.

    """

    grants: tuple[SourceGrant, ...]
    spans: tuple[tuple[int, int, int], ...]
    patients: frozenset[int]

    def at(self, at_us: int) -> int:
        """Return the bits of the pairings that cover a moment."""
        under = 0
        for bit, starts, ends in self.spans:
            if starts <= at_us < ends:
                under |= bit
        return under

    def under(self, bits: int) -> list[SourceGrant]:
        """Return the pairings of these bits."""
        return [
            grant
            for grant, (bit, _, _) in zip(self.grants, self.spans, strict=True)
            if bits & bit
        ]


def pairings_of(
    snapshot: Snapshot,
    blind: BlindIndex,
    delivery: Delivery,
    named: str | None,
    clue: DeviceClue | None,
) -> Pairings:
    """Return the pairings of an account, of a unit, or of both.

    Args:
        snapshot: Where they are.
        blind: Hashes what is looked for.
        delivery: Of which source, and when it came.
        named: The vendor's id of the account; None where the payload has none.
        clue: What the payload says of the unit; None where that decides nothing.

    """
    source = delivery.source
    keys = [] if named is None else [account_key(blind, source, named)]
    keys += [] if clue is None else unit_keys(blind, source, clue)
    found = [
        grant
        for key in dict.fromkeys(keys)
        for grant in source_grants.of_account(snapshot, source, key)
    ]
    grants = tuple(grant for grant in found if grant.stands(delivery.received_us))
    return Pairings(
        grants=grants,
        spans=tuple(
            (1 << number, grant.starts, _NEVER if grant.ends is None else grant.ends)
            for number, grant in enumerate(grants)
        ),
        patients=frozenset(grant.patient_key for grant in found),
    )


def account_key(blind: BlindIndex, source: str, account: str) -> bytes:
    """Return the hash by which the pairings of a vendor's account are found."""
    return blind.source(_PAIRING, source, account)


def unit_key(blind: BlindIndex, source: str, system: str | None, value: str) -> bytes:
    """Return the hash by which the pairings of a unit are found.

    Args:
        blind: Hashes it.
        source: The vendor's name.
        system: Of the identifier; None for a serial number, a UDI or an address that
            was read off the device.
        value: As it is written, in whatever case and with whatever separators.

    """
    text = _SEPARATORS.sub("", stable_text(value) or "").casefold().removeprefix("0x")
    return blind.unit(_PAIRING, source, system or _ANY_SYSTEM, text)


def unit_keys(blind: BlindIndex, source: str, clue: DeviceClue) -> list[bytes]:
    """Return the hashes of everything by which a unit can have been paired."""
    return [
        unit_key(blind, source, system, value) for system, value in _identifiers(clue)
    ]


def is_identified(clue: DeviceClue) -> bool:
    """Whether a payload says anything by which a unit can have been paired."""
    return bool(clue.identifier or clue.serial or clue.udi)


def _identifiers(clue: DeviceClue) -> Iterator[tuple[str | None, str]]:
    if clue.identifier and clue.system:
        yield clue.system, clue.identifier
    for value in (clue.identifier, clue.serial, clue.udi):
        if value:
            yield None, value


def keys_of_device(
    blind: BlindIndex, source: str, device: Mapping[str, Any]
) -> set[bytes]:
    """Return the hashes of everything that identifies the unit of a Device."""
    values = [(None, device.get("serialNumber"))]
    values += [(None, one.get("carrierHRF")) for one in device.get("udiCarrier", ())]
    for identifier in device.get("identifier", ()):
        value = identifier.get("value")
        values += [(None, value), (identifier.get("system"), value)]
    return {unit_key(blind, source, system, value) for system, value in values if value}


def clue_of(source: str, system: str | None, value: str) -> DeviceClue:
    """Return what is known of a unit from the identifier by which it is paired."""
    if system is not None:
        return DeviceClue(identifier=value, system=system)
    by_source = _WRITTEN.get(source)
    if by_source is not None:
        return by_source(value)
    if value.startswith(_UDI):
        return DeviceClue(udi=value)
    return DeviceClue(serial=value)


def _of_zigbee(value: str) -> DeviceClue:
    digits = _SEPARATORS.sub("", value)
    if address(f"0x{digits}") is not None:
        return device_of(f"0x{digits}", {})
    return device_of(value, {})


_WRITTEN = MappingProxyType({"zigbee2mqtt": _of_zigbee})
"""Source → what its own way to name a unit tells."""


def paired_zone(
    snapshot: Snapshot, source: str, patient_id: str | None, at_us: int
) -> str | None:
    """Return the zone of a patient's pairings with a source, if they agree on one."""
    if patient_id is None:
        return None
    state = patients.by_id(snapshot, types.number_of("Patient"), patient_id)
    if state is None:
        return None
    grants = source_grants.of_patient(snapshot, state.key)
    return source_grants.zone([one for one in grants if one.source == source], at_us)
