"""The health of a patient's devices, as far as a grant may know it.

The Devices are those of a search, through the same gate. What readings tell of a
Device is told as far as consent shows the caller these readings: the level of a
battery where it shows that, and when a Device was last heard by those alone that it
shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance import fhir_json
from fhir_service.access import Decided
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest.device_health import Fact, facts
from fhir_service.interactions.planner import Planner
from fhir_service.search.parse import parse
from fhir_service.storage import device_states, observations, patients, types
from fhir_service.storage.device_states import ASPECTS, Aspect, DeviceState
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import clause
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signature
from mappings.kinds import kinds

_KINDS: Mapping[str, str] = {
    "battery": "battery-level",
    "low": "battery-low",
    "worn": "device-worn",
    "clock": "device-clock-offset",
}
"""Aspect → the kind of the readings that tell it."""

_CODES = {
    name: frozenset((one.system, one.code) for one in kinds()[kind].codings)
    for name, kind in _KINDS.items()
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceHealth:
    """A Device that may be seen, and what may be known of its health.

    Attributes:
        reference: `Device/id`.
        name: What people call it.
        state: What readings tell of it; None where none that may be seen has come.
        facts: What should be known of it.

    """

    reference: str
    name: str
    state: DeviceState | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The Devices of a patient that a grant may see.

    Attributes:
        devices: With their health.
        versions: The Devices as they are stored, for the audit.
        bodies: The same as JSON.
        decided: The decision on them.

    """

    devices: Sequence[DeviceHealth] = ()
    versions: Sequence[Stored] = ()
    bodies: Sequence[bytes] = ()
    decided: Decided | None = None


def listing(
    services: Services, snapshot: Snapshot, grant: Grant, patient: str, now_us: int
) -> Listing:
    """Return the Devices of a patient that a grant may see, with their health.

    Raises:
        FHIRError: `forbidden` where no scope covers Devices.

    """
    place = services.repository.deployment
    query = parse(
        ("Device",),
        (("patient", f"Patient/{patient}"),),
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=now_us,
        strict=True,
    )
    planner = Planner(services, snapshot, grant)
    plan = planner.plan("Device", query.conditions)
    state = patients.by_id(snapshot, types.number_of("Patient"), patient)
    if plan is None or state is None:
        return Listing()
    versions = planner.all(plan)
    bodies = planner.bodies(versions)
    seen = _Seen(services, snapshot, grant, state)
    known = device_states.of_patient(snapshot, state.key)
    devices = []
    for stored, body in zip(versions, bodies, strict=True):
        device = fhir_json.loads_object(body)
        reference = f"Device/{device['id']}"
        shown = seen.of(reference, known.get(stored.row))
        devices.append(
            DeviceHealth(
                reference=reference,
                name=name_of(device),
                state=shown,
                facts=() if shown is None else facts(shown, now_us),
            )
        )
    return Listing(
        devices=devices, versions=versions, bodies=bodies, decided=plan.decided
    )


def name_of(device: Mapping[str, Any]) -> str:
    """Return what people call a Device, as far as it says."""
    for name in device.get("deviceName", ()):
        if name.get("name"):
            return str(name["name"])
    told = (device.get("manufacturer"), device.get("modelNumber"))
    return " ".join(part for part in told if part)


class _Seen:
    """What a grant may know of Devices by the readings that consent shows it."""

    def __init__(
        self,
        services: Services,
        snapshot: Snapshot,
        grant: Grant,
        state: PatientState,
    ) -> None:
        self._snapshot = snapshot
        self._view = services.gate.view(snapshot, grant, state, "Observation").view
        number = types.number_of("Observation")
        self._of_device: dict[str | None, list[Signature]] = {}
        for one in services.repository.signatures.of(snapshot, state):
            if one.type_id == number:
                self._of_device.setdefault(one.facets.origin.device, []).append(one)

    def of(self, reference: str, state: DeviceState | None) -> DeviceState | None:
        """Return what of a state may be known; None for nothing."""
        own = self._of_device.get(reference, [])
        if state is None or all(map(self._is_open, own)):
            return state
        newest = self._newest(own)
        aspects: dict[str, Any] = {
            name: self._aspect(own, state, name) for name in ASPECTS
        }
        told = [one.at_us for one in aspects.values() if one is not None]
        if newest is None and not told:
            return None
        last = max(told) if newest is None else newest
        return replace(
            state,
            last_taken=last,
            last_received=last,
            usual_gap=None,
            versions_at=None,
            **aspects,
        )

    def _is_open(self, signature: Signature) -> bool:
        return self._view.whole or self._view.formula(signature.id) is True

    def _aspect(
        self, own: Sequence[Signature], state: DeviceState, name: str
    ) -> Aspect | None:
        """Return an aspect where all of the readings that tell it may be seen."""
        telling = [one for one in own if _CODES[name] & one.facets.codes.principal]
        aspect: Aspect | None = getattr(state, name)
        return aspect if telling and all(map(self._is_open, telling)) else None

    def _newest(self, own: Sequence[Signature]) -> int | None:
        """Return when the newest reading that may be seen began."""
        of_device = self._view.of_code(frozenset(one.id for one in own))
        view = replace(of_device, whole=False)
        where = clause(view, self._snapshot.dialect)
        question = Question(patient_key=view.patient_key, where=where)
        found = observations.page(self._snapshot, question, 1)
        return found[0][0] if found else None
