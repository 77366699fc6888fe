"""Every operation that is answered, in one table.

Routes, the CapabilityStatement and the refusals of `operations.unknown` are made of
it; tests hold the documentation and the OpenAPI document against it.

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from fhir_service.operations import (
    evaluate,
    everything,
    lastn,
    meta,
    patient_reports,
    validate,
    versions,
)
from fhir_service.rest.content import CSV
from fhir_service.rest.message import Response

EVERY_TYPE: Final = "*"
SYSTEM: Final = ""

_DEFINED: Final = "http://hl7.org/fhir/OperationDefinition/"
_OWN: Final = "https://fhir-interop-service.org/fhir/OperationDefinition/"


class Call(NamedTuple):
    """One path of an operation.

    Attributes:
        template: The path, as in the table of routes.
        handler: Answers it.
        methods: HTTP methods that call it.
        also: What it writes beside JSON.

    """

    template: str
    handler: Callable[..., Response]
    methods: tuple[str, ...] = ("GET", "POST")
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation and where it is called.

    Attributes:
        name: Name without the dollar sign.
        definition: Canonical of its OperationDefinition.
        of: The resource type that has it, `EVERY_TYPE` or `SYSTEM`.
        calls: Its paths.
        documentation: What clients must know of this server's way.
        instead: What to do where it is called elsewhere.

    """

    name: str
    definition: str
    of: str
    calls: tuple[Call, ...]
    documentation: str | None = None
    instead: str


OPERATIONS: Final = (
    Operation(
        name="accounting-of-disclosures",
        definition=f"{_OWN}Patient-accounting-of-disclosures",
        of="Patient",
        calls=(
            Call(
                "/fhir/Patient/{id}/$accounting-of-disclosures",
                patient_reports.accounting_of_disclosures,
                also=(CSV,),
            ),
        ),
        documentation=(
            "Of the audit log, for compliance officers of the organization that "
            "manages the patient; as Parameters, or as CSV."
        ),
        instead="it is of one patient, at Patient/[id]/$accounting-of-disclosures",
    ),
    Operation(
        name="consent-report",
        definition=f"{_OWN}Patient-consent-report",
        of="Patient",
        calls=(
            Call(
                "/fhir/Patient/{id}/$consent-report",
                patient_reports.consent_report,
                also=(CSV,),
            ),
        ),
        documentation=(
            "Every version of the patient's Consents and what each change opened, for "
            "compliance officers of the organization that manages the patient."
        ),
        instead="it is of one patient, at Patient/[id]/$consent-report",
    ),
    Operation(
        name="evaluate",
        definition=f"{_OWN}Consent-evaluate",
        of="Consent",
        calls=(Call("/fhir/Consent/$evaluate", evaluate.evaluate),),
        documentation=(
            "For the organization that manages the patient: what a requester would "
            "get, counted, with the deciding provisions; of stored Consents or drafts."
        ),
        instead="it is of one patient, at Consent/$evaluate",
    ),
    Operation(
        name="everything",
        definition=f"{_DEFINED}Patient-everything",
        of="Patient",
        calls=(Call("/fhir/Patient/{id}/$everything", everything.everything),),
        documentation="Paged; of one patient at a time.",
        instead="it is of one patient, at Patient/[id]/$everything",
    ),
    Operation(
        name="lastn",
        definition=f"{_DEFINED}Observation-lastn",
        of="Observation",
        calls=(Call("/fhir/Observation/$lastn", lastn.lastn),),
        documentation=f"Of one patient; `max` up to {lastn.MAX_OF_CODE}.",
        instead="it is at Observation/$lastn",
    ),
    Operation(
        name="meta",
        definition=f"{_DEFINED}Resource-meta",
        of=EVERY_TYPE,
        calls=(Call("/fhir/{type}/{id}/$meta", meta.meta),),
        documentation="Of one resource; not of a type and not of the system.",
        instead=(
            "it is of one resource, at [type]/[id]/$meta; the labels of many would "
            "tell of data that is hidden"
        ),
    ),
    Operation(
        name="validate",
        definition=f"{_DEFINED}Resource-validate",
        of=EVERY_TYPE,
        calls=(
            Call("/fhir/{type}/$validate", validate.validate_type, ("POST",)),
            Call("/fhir/{type}/{id}/$validate", validate.validate_instance),
        ),
        documentation="Modes create, update and delete; what is not checked is said.",
        instead=(
            "it is a POST to [type]/$validate, or of one resource, at "
            "[type]/[id]/$validate"
        ),
    ),
    Operation(
        name="versions",
        definition=f"{_DEFINED}CapabilityStatement-versions",
        of=SYSTEM,
        calls=(Call("/fhir/$versions", versions.versions),),
        instead="it is of the whole server, at $versions",
    ),
)
"""In the order of their names."""
