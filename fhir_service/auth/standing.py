"""What the person behind a request is to a patient: himself, or who stands for him.

Asked of what is stored in the snapshot of the decision, each time: an authority that
has ended, or a birthday, holds for the next request.

https://hl7.org/fhir/R4/relatedperson.html
"""

from typing import Any

from conformance import fhir_json
from conformance.definitions import is_resource_type
from consent.overlays import Overlay
from consent.representatives import standing
from fhir_service.auth.bearer import Grant
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository


def standing_of(
    repository: Repository,
    snapshot: Snapshot,
    grant: Grant,
    state: PatientState,
    at_us: int,
) -> Overlay | None:
    """Return the overlay that speaks for the person; None where none is, or does."""
    if grant.user is None:
        return None
    patient = _current(repository, snapshot, f"Patient/{state.id}")
    if patient is None:
        return None
    return standing(
        grant.user,
        patient,
        _current(repository, snapshot, grant.user),
        at_us=at_us,
        deployment=repository.deployment,
    )


def _current(
    repository: Repository, snapshot: Snapshot, reference: str
) -> dict[str, Any] | None:
    type_, _, id_ = reference.partition("/")
    if not is_resource_type(type_):
        return None
    stored = repository.read(snapshot, type_, id_)
    if stored is None or stored.deleted:
        return None
    return fhir_json.loads_object(repository.body(snapshot, stored))
