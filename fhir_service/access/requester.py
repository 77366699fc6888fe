"""What whoever asks is to the patient, and what a request of hers implies."""

from fhir_service.auth.bearer import Grant
from fhir_service.storage.patients import PatientState


def authors_of(grant: Grant) -> frozenset[str]:
    """Return whom the Provenance of what a grant writes will name."""
    return frozenset(name for name in (grant.organization, grant.user) if name)


def is_attested(grant: Grant, state: PatientState) -> bool:
    """Whether a break-glass claim was attested, for this very patient."""
    return grant.is_attested and state.id == grant.patient


def is_custodian(grant: Grant, state: PatientState) -> bool:
    """Whether the client belongs to the organisation that manages the patient."""
    return state.organization is not None and grant.organization == state.organization


def reading(grant: Grant, state: PatientState) -> tuple[str, ...]:
    """Return the actions that a read implies.

    Within the organisation that manages the patient it is access; to anybody else
    the data is disclosed as well.
    """
    if is_custodian(grant, state):
        return ("access",)
    return ("access", "disclose")
