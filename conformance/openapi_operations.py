"""How the operations of this service look over HTTP: a row for each request.

The statement says which are served; on what they are called, and with what, their
definitions say.

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from conformance.openapi_forms import ASKING, PAGE, READING, Form
from conformance.openapi_parameters import FORMAT, READ

_DEFINED: Final = "http://hl7.org/fhir/OperationDefinition/"
_OWN: Final = "https://fhir-interop-service.org/fhir/OperationDefinition/"
_PARAMETERS: Final = MappingProxyType({200: "Parameters"})

_EVERYTHING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "everything",
        "path": "/{type}/{id}/$everything",
        "summary": "Return a patient and all that is about the patient, page by page",
        "letters": "rs",
        "answers": PAGE,
    }
)
_LASTN: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "lastn",
        "path": "/{type}/$lastn",
        "summary": "Return the newest Observations of each code of a patient",
        "letters": "s",
        "answers": PAGE,
    }
)

_EVALUATE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "evaluate",
        "path": "/{type}/$evaluate",
        "summary": "Return what a requester would get of a patient, and why",
        "letters": "r",
        "answers": _PARAMETERS,
        "refusals": (*ASKING, 404, 422),
    }
)

_ACCOUNTING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "accounting-of-disclosures",
        "path": "/{type}/{id}/$accounting-of-disclosures",
        "summary": "Return what was disclosed of a patient, to whom and what for",
        "letters": "r",
        "scope_of": "AuditEvent",
        "answers": _PARAMETERS,
    }
)
_CONSENT_REPORT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "consent-report",
        "path": "/{type}/{id}/$consent-report",
        "summary": "Return every version of a patient's Consents, and what it opened",
        "letters": "r",
        "scope_of": "AuditEvent",
        "answers": _PARAMETERS,
    }
)
_VALIDATE: Final[Mapping[str, Any]] = MappingProxyType(
    {"of": "validate", "answers": MappingProxyType({200: "OperationOutcome"})}
)
_SENT: Final = "; the body is the resource, or Parameters"

OPERATION_FORMS: Final[Mapping[str, tuple[Form, ...]]] = MappingProxyType(
    {
        f"{_OWN}Consent-evaluate": (
            Form(
                **_EVALUATE,
                name="evaluate",
                method="get",
                parameters=(
                    *("evaluate-patient", "evaluate-client", "evaluate-actor"),
                    *("evaluate-purpose", "evaluate-action", "evaluate-at"),
                    *("evaluate-type", *FORMAT),
                ),
            ),
            Form(
                **_EVALUATE,
                name="evaluate-by-parameters",
                method="post",
                parameters=FORMAT,
                body="resource",
            ),
        ),
        f"{_OWN}Patient-accounting-of-disclosures": (
            Form(
                **_ACCOUNTING,
                name="accounting",
                method="get",
                parameters=(
                    *("id", "report-reading", "report-since", "report-until"),
                    *("report-authorise", "report-zone", *FORMAT),
                ),
            ),
            Form(
                **_ACCOUNTING,
                name="accounting-by-parameters",
                method="post",
                parameters=("id", *FORMAT),
                body="resource",
            ),
        ),
        f"{_OWN}Patient-consent-report": (
            Form(
                **_CONSENT_REPORT,
                name="consent-report",
                method="get",
                parameters=("id", "report-zone", *FORMAT),
            ),
            Form(
                **_CONSENT_REPORT,
                name="consent-report-by-parameters",
                method="post",
                parameters=("id", *FORMAT),
                body="resource",
            ),
        ),
        f"{_DEFINED}Observation-lastn": (
            Form(
                **_LASTN,
                name="lastn",
                method="get",
                parameters=("lastn-max", "_count", *READ),
                is_searching=True,
                refusals=(*ASKING, 422),
            ),
            Form(
                **_LASTN,
                name="lastn-by-form",
                method="post",
                body="search-form",
                refusals=(*ASKING, 422),
            ),
        ),
        f"{_DEFINED}Patient-everything": (
            Form(
                **_EVERYTHING,
                name="everything",
                method="get",
                parameters=(
                    *("id", "everything-type", "everything-start", "everything-end"),
                    *("_since", "_count", *READ),
                ),
            ),
            Form(
                **_EVERYTHING,
                name="everything-by-form",
                method="post",
                parameters=("id",),
                body="search-form",
            ),
        ),
        f"{_DEFINED}CapabilityStatement-versions": (
            Form(
                of="versions",
                name="versions",
                method="get",
                path="/$versions",
                summary="Tell which releases of FHIR are spoken",
                letters="",
                parameters=FORMAT,
                answers=_PARAMETERS,
                refusals=(400,),
            ),
        ),
        f"{_DEFINED}Resource-meta": (
            Form(
                of="meta",
                name="meta",
                method="get",
                path="/{type}/{id}/$meta",
                summary="Return the meta of a {type}",
                letters="r",
                parameters=("id", *FORMAT),
                answers=_PARAMETERS,
                refusals=(*READING, 410),
            ),
        ),
        f"{_DEFINED}Resource-validate": (
            Form(
                **_VALIDATE,
                name="validate",
                method="post",
                path="/{type}/$validate",
                summary=f"Validate a {{type}}{_SENT}",
                letters="c",
                parameters=("validate-mode", "validate-profile", *FORMAT),
                body="resource",
                refusals=(*ASKING, 422),
            ),
            Form(
                **_VALIDATE,
                name="validate-stored",
                method="get",
                path="/{type}/{id}/$validate",
                summary="Validate a {type} that is stored",
                letters="r",
                parameters=("id", "validate-mode", "validate-profile", *FORMAT),
                refusals=(*READING, 410),
            ),
            Form(
                **_VALIDATE,
                name="validate-next",
                method="post",
                path="/{type}/{id}/$validate",
                summary=f"Validate what a {{type}} shall become{_SENT}",
                letters="r",
                parameters=("id", "validate-mode", "validate-profile", *FORMAT),
                body="resource",
                refusals=(*READING, 410, 422),
            ),
        ),
    }
)
"""OperationDefinition → its requests; a test walks what is served.

Where a GET says all, the POST that FHIR allows beside it is not listed.
"""
