"""Where resources come from: who measured, wrote and handed over, and which payload.

There is one Provenance a batch, patient, signature and activity; its targets are
rendered on read, so that it names no resource that the reader may not see. It meets
US Core's profile.

https://hl7.org/fhir/R4/provenance.html
https://hl7.org/fhir/us/core/STU7/StructureDefinition-us-core-provenance.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mappings.kinds import Coding
from mappings.template import concept

PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance"

PAYLOAD_SYSTEM = "https://fhir-interop-service.org/fhir/sid/payload"
"""Identifiers of raw payloads: a keyed hash as hexadecimal text.

It is the same for the same payload and tells nothing to those without the key: of an
open hash, whoever knows all of a payload but one number could try them all.
"""

_PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_US_CORE_PARTICIPANT_TYPE = (
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
)
_DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"

_ROLES = MappingProxyType(
    {
        "assembler": Coding(_PARTICIPANT_TYPE, "assembler", "Assembler"),
        "author": Coding(_PARTICIPANT_TYPE, "author", "Author"),
        "transmitter": Coding(_US_CORE_PARTICIPANT_TYPE, "transmitter", "Transmitter"),
    }
)

ACTIVITIES = MappingProxyType(
    {
        "CREATE": Coding(_DATA_OPERATION, "CREATE", "create"),
        "UPDATE": Coding(_DATA_OPERATION, "UPDATE", "revise"),
        "DELETE": Coding(_DATA_OPERATION, "DELETE", "delete"),
    }
)
"""What was done to the targets."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """Who took part.

    Attributes:
        role: `assembler`, `author` or `transmitter`.
        who: A Reference.
        on_behalf_of: A Reference to the organization; US Core asks it of a Device and
            of a Practitioner (provenance-1).

    """

    role: str
    who: Mapping[str, Any]
    on_behalf_of: Mapping[str, Any] | None = None

    def element(self) -> dict[str, Any]:
        """Return the element of the resource."""
        element = {"type": concept([_ROLES[self.role]]), "who": dict(self.who)}
        if self.on_behalf_of is not None:
            element["onBehalfOf"] = dict(self.on_behalf_of)
        return element


def provenance_resource(  # noqa: PLR0913 - one argument an element of the resource
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    targets: Sequence[str],
    recorded: str,
    agents: Sequence[Agent],
    occurred: str | None = None,
    activity: str | None = None,
    sources: Sequence[tuple[str, str]] = (),
    policies: Sequence[str] = (),
    profiles: Sequence[str] = (),
    security: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the Provenance of a batch.

    Args:
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stored it.
        targets: References to the resources of the batch that the reader may see.
        recorded: Instant at which the batch was recorded.
        agents: Who took part.
        occurred: When the source handed the data over, with its offset; or not known.
        activity: A key of `ACTIVITIES`, where it is known.
        sources: System and value of identifiers of the raw payload.
        policies: URLs of the Consent versions that permitted the collection.
        profiles: Profiles that it meets.
        security: Labels, as Codings.

    Raises:
        ValueError: where there is no target; R4 requires one.

    """
    if not targets:
        raise ValueError("a Provenance has at least one target")
    meta = {
        "versionId": version,
        "lastUpdated": last_updated,
        "profile": list(profiles),
        "security": [dict(coding) for coding in security],
    }
    elements: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": id,
        "meta": {name: value for name, value in meta.items() if value},
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": occurred,
        "recorded": recorded,
        "policy": list(policies),
        "activity": activity and concept([ACTIVITIES[activity]]),
        "agent": [agent.element() for agent in agents],
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"system": system, "value": value}},
            }
            for system, value in sources
        ],
    }
    return {element: value for element, value in elements.items() if value}
