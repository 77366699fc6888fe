"""What whoever delivered something once may do today."""

from conformance.issues import FHIRError
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.storage.engine import Snapshot


def grant_today(
    snapshot: Snapshot, source: str, *, client_id: str | None, patient_id: str | None
) -> Grant | None:
    """Return what the deliverer may do now; None where he may not any more.

    Args:
        snapshot: Of now.
        source: For which he must be registered.
        client_id: Who it was; the command line acts for the patient's custodian.
        patient_id: Whom the delivery named, or None.

    """
    try:
        if client_id != local.COMMAND_LINE:
            found = local.registered(snapshot, client_id or "")
            return found if source in found.sources else None
        if patient_id is None:
            return None
        return local.operator(local.patient(snapshot, patient_id).organization)
    except FHIRError:
        return None
