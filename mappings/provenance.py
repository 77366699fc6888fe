"""Where a batch of resources comes from.

There is one Provenance a batch, patient and signature; its targets are rendered on
read, so that it names no resource that the reader may not see.

https://hl7.org/fhir/R4/provenance.html
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from mappings.kinds import Coding
from mappings.template import concept

PAYLOAD_SYSTEM = "https://fhir-interop-service.org/fhir/sid/payload-sha256"
"""Identifiers of raw payloads: their SHA-256 as hexadecimal text."""

_PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

_ROLES = MappingProxyType(
    {
        "assembler": Coding(_PARTICIPANT_TYPE, "assembler", "Assembler"),
        "author": Coding(_PARTICIPANT_TYPE, "author", "Author"),
        "enterer": Coding(_PARTICIPANT_TYPE, "enterer", "Enterer"),
        "custodian": Coding(_PARTICIPANT_TYPE, "custodian", "Custodian"),
    }
)


def _agents(who: dict[str, str | None]) -> list[dict[str, Any]]:
    return [
        {"type": concept([_ROLES[role]]), "who": {"reference": target}}
        for role, target in who.items()
        if target is not None
    ]


def provenance_resource(  # noqa: PLR0913 - one argument an element of the resource
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    targets: Sequence[str],
    occurred: str | None,
    recorded: str,
    assembler: str,
    author: str | None = None,
    enterer: str | None = None,
    custodian: str | None = None,
    sources: Sequence[tuple[str, str]] = (),
    policies: Sequence[str] = (),
    security: Sequence[Coding] = (),
) -> dict[str, Any]:
    """Return the Provenance of a batch.

    Args:
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stored it.
        targets: References to the resources of the batch that the reader may see.
        occurred: When the source handed the data over, with its offset; or not known.
        recorded: Instant at which the batch was recorded.
        assembler: Reference to the Device that stands for this service.
        author: Reference to the Device that measured.
        enterer: Reference to the Patient who entered the values.
        custodian: Reference to the Organization that held the data.
        sources: System and value of identifiers of the raw payload.
        policies: URLs of the Consent versions that permitted the collection.
        security: Labels.

    Raises:
        ValueError: where there is no target; R4 requires one.

    """
    if not targets:
        raise ValueError("a Provenance has at least one target")
    meta: dict[str, Any] = {"versionId": version, "lastUpdated": last_updated}
    if security:
        meta["security"] = concept(security)["coding"]
    elements: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": id,
        "meta": meta,
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": occurred,
        "recorded": recorded,
        "policy": list(policies),
        "agent": _agents(
            {
                "assembler": assembler,
                "author": author,
                "enterer": enterer,
                "custodian": custodian,
            }
        ),
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"system": system, "value": value}},
            }
            for system, value in sources
        ],
    }
    return {element: value for element, value in elements.items() if value}
