"""Pairings as they are told: by the API, on the command line and on a page."""

from dataclasses import dataclass
from typing import Any

from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Services
from fhir_service.ingest.pairing import LABEL_FORM
from fhir_service.ingest.pairing_asked import written_in
from fhir_service.ingest.resolve import device_reference
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import device_states, resources, source_grants
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.patients import PatientState
from fhir_service.storage.source_grants import SourceGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A pairing with what is known of it now.

    Attributes:
        grant: The pairing.
        patient: Id of the Patient.
        label: The account or identifier as it was typed; empty once it is erased.
        device: `Device/id` of the unit; None where an account is paired.
        last_heard: When a device of it was last heard, microseconds since 1970; None
            where none was yet.

    """

    grant: SourceGrant
    patient: str
    label: str
    device: str | None
    last_heard: int | None


def of_patient(
    services: Services, snapshot: Snapshot, state: PatientState
) -> list[Told]:
    """Return every pairing of a patient, newest first."""
    grants = source_grants.of_patient(snapshot, state.key)
    return [told(services, snapshot, state, grant) for grant in reversed(grants)]


def told(
    services: Services, snapshot: Snapshot, state: PatientState, grant: SourceGrant
) -> Told:
    """Return one pairing of a patient."""
    row = grant.device_row
    repository = services.repository
    return Told(
        grant=grant,
        patient=state.id,
        label=_label(services, snapshot, grant),
        device=None if row is None else device_reference(repository, snapshot, row),
        last_heard=_last_heard(snapshot, grant),
    )


def _label(services: Services, snapshot: Snapshot, grant: SourceGrant) -> str:
    try:
        return services.repository.payloads.decode(
            snapshot, grant.patient_key, grant.grant_id, LABEL_FORM, grant.label
        ).decode()
    except (BodyError, DataKeyError):
        return ""


def _last_heard(snapshot: Snapshot, grant: SourceGrant) -> int | None:
    """Return when its unit, or any unit that its account speaks for, was heard."""
    states = device_states.of_patient(snapshot, grant.patient_key)
    heard = [
        state.last_received
        for row, state in states.items()
        if row == grant.device_row
        or (grant.device_row is None and state.source == grant.source)
    ]
    return max(heard, default=None)


def is_seen(
    services: Services,
    snapshot: Snapshot,
    grant: Grant,
    one: Told,
    filters: tuple[Filters, ...],
) -> bool:
    """Whether consent shows somebody the Device of a pairing, if it has one."""
    row = one.grant.device_row
    stored = None if row is None else resources.current(snapshot, row)
    if stored is None:
        return True
    decided = services.gate.of_row(snapshot, grant, stored)
    return services.gate.permits(snapshot, decided, stored, filters)


def as_json(one: Told) -> dict[str, Any]:
    """Return a pairing for programs."""
    grant = one.grant
    period = {"start": written_in(grant.starts, grant.zone)}
    if grant.ends is not None:
        period["end"] = written_in(grant.ends, grant.zone)
    found: dict[str, Any] = {
        "id": grant.id,
        "patient": f"Patient/{one.patient}",
        "source": grant.source,
        "account": one.label if one.device is None else None,
        "device": one.device and {"reference": one.device, "value": one.label},
        "location": grant.location,
        "zone": grant.zone,
        "period": period,
        "made": _event(grant.made, grant.made_by),
        "notice": _event(grant.notice, grant.notice_by),
        "revoked": _event(grant.revoked, grant.revoked_by),
        "lastHeard": one.last_heard and fhir_instant(one.last_heard),
    }
    return {name: value for name, value in found.items() if value is not None}


def _event(at_us: int | None, by: str | None) -> dict[str, str] | None:
    return None if at_us is None else {"at": fhir_instant(at_us), "by": by or ""}
