"""A dry run of a template: measurement by measurement, what would be stored.

Whose it is, which Device it names and what consent permits are decided when it is
delivered; here they are only named.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from conformance import fhir_json
from mappings.measurement import (
    Deletion,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.observation import render
from mappings.vendors.table import Vendor

SUBJECT, DEVICE = "Patient/to-be-found", "Device/to-be-found"
"""In place of what is found when a measurement is delivered."""

CONTENT = "made-of-the-content"
"""In place of an identifier, where the source has none."""

_EPOCH = "1970-01-01T00:00:00.000Z"


class Trial(NamedTuple):
    """What would become of one reading.

    Attributes:
        position: Where it is in the payload.
        outcome: `stored`, `quarantined` or `outOfScope`.
        kind: Row of kinds.csv, or what is out of scope; None where it is not known.
        reason: Why it would be quarantined.
        detail: A sentence about it.
        normalised: What would be stored.
        device: What the payload says of the device.
        patient: What the source calls the patient.
        resource: The Observation as JSON text.
        records: How many received measurements it stands for.

    """

    position: str
    outcome: str
    kind: str | None
    reason: str | None = None
    detail: str | None = None
    normalised: Normalised | None = None
    device: DeviceClue | None = None
    patient: str | None = None
    resource: bytes | None = None
    records: int = 1


def trials(
    vendor: Vendor, readings: Iterable[Reading], *, now_us: int
) -> Iterator[Trial]:
    """Yield what would become of each reading."""
    for reading in readings:
        if isinstance(reading, Measurement):
            yield _measured(vendor, reading, now_us)
        elif isinstance(reading, OutOfScope):
            yield Trial(
                reading.position,
                "outOfScope",
                reading.what,
                records=reading.records,
            )
        elif isinstance(reading, Refusal):
            yield _refused(reading)
        elif isinstance(reading, Deletion):
            yield _deleted(reading)


def _measured(vendor: Vendor, measurement: Measurement, now_us: int) -> Trial:
    found = normalise(measurement, now_us=now_us)
    if isinstance(found, Refusal):
        return _refused(found)
    device = measurement.device
    resource = render(
        found,
        id="to-be-given",
        version="1",
        last_updated=_EPOCH,
        subject=SUBJECT,
        identifier_system=vendor.system,
        identifier_value=measurement.source_id or CONTENT,
        device=None if device is None else DEVICE,
    )
    return Trial(
        measurement.position,
        "stored",
        found.kind.name,
        normalised=found,
        device=device,
        patient=measurement.patient,
        resource=resource,
    )


def _refused(refusal: Refusal) -> Trial:
    return Trial(
        refusal.position,
        "quarantined",
        refusal.kind,
        refusal.reason.value,
        refusal.detail,
        records=refusal.records,
    )


def _deleted(deletion: Deletion) -> Trial:
    return Trial(deletion.position, "deleted", deletion.kind, records=deletion.records)


def as_json(trial: Trial) -> dict[str, Any]:
    """Return a trial for programs, with the Observation that would be stored."""
    told: dict[str, Any] = {
        "position": trial.position,
        "outcome": trial.outcome,
        "kind": trial.kind,
        "reason": trial.reason,
        "detail": trial.detail,
        "count": trial.records if trial.records != 1 else None,
        "patient": trial.patient,
        "device": _device(trial.device),
        "resource": trial.resource and fhir_json.loads(trial.resource),
    }
    return {name: value for name, value in told.items() if value is not None}


def _device(clue: DeviceClue | None) -> dict[str, str] | None:
    if clue is None:
        return None
    return {name: value for name, value in clue._asdict().items() if value is not None}
