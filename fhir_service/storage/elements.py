"""What storage reads of a resource as it stands, and what it writes into one.

https://hl7.org/fhir/R4/resource.html#Meta
"""

from collections.abc import Mapping
from typing import Any

from consent import labels
from consent.labels import Labels
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage.concepts import Coding

Resource = Mapping[str, Any]


def managing_organization(patient: Resource) -> str | None:
    """Return `Patient.managingOrganization` as a relative reference."""
    reference = (patient.get("managingOrganization") or {}).get("reference")
    return reference if isinstance(reference, str) else None


def codings_of(concept: Any) -> list[Coding]:
    """Return (system, code) of a CodeableConcept's codings that have a code."""
    if not isinstance(concept, Mapping):
        return []
    return [
        (coding.get("system", ""), coding["code"])
        for coding in concept.get("coding", ())
        if "code" in coding
    ]


def category_codings(observation: Resource) -> list[Coding]:
    """Return the codings of every category."""
    return [
        coding
        for category in observation.get("category", ())
        for coding in codings_of(category)
    ]


def stamp(
    resource: Resource, found: Labels, *, id_: str, version: int, now_us: int
) -> dict[str, Any]:
    """Return the resource with its id, meta and labels.

    A client's labels may raise ours and are kept; its versionId and lastUpdated are
    replaced.
    """
    meta = dict(labels.labelled(resource, found).get("meta") or {})
    meta.update(versionId=str(version), lastUpdated=fhir_instant(now_us))
    ordered = {name: meta[name] for name in _META if name in meta}
    stamped = {
        "resourceType": resource["resourceType"],
        "id": id_,
        "meta": {**ordered, **meta},
    }
    stamped.update(
        (name, value) for name, value in resource.items() if name not in stamped
    )
    return stamped


_META = ("id", "extension", "versionId", "lastUpdated", "source", "profile", "security")
"""The elements of Meta in FHIR's order; `tag` is the last."""
