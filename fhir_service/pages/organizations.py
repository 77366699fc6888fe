"""What an organization is called on a page.

https://hl7.org/fhir/R4/organization-definitions.html#Organization.name
"""

from collections.abc import Callable

from conformance import fhir_json
from fhir_service.deployment import Deployment

NameOf = Callable[[str], str]
"""Returns the name of `Organization/id`; the reference itself where it has none."""


def as_referred(reference: str) -> str:
    """Return the reference, where no organization can be looked up."""
    return reference


def names(deployment: Deployment) -> NameOf:
    """Return what looks names up; an Organization is no patient's data."""
    repository = deployment.services.repository

    def name_of(reference: str) -> str:
        type_, _, id_ = reference.partition("/")
        with deployment.database.read() as snapshot:
            stored = repository.read(snapshot, type_, id_)
            if stored is None or stored.deleted:
                return reference
            body = fhir_json.loads_object(repository.body(snapshot, stored))
        return str(body.get("name") or reference)

    return name_of
