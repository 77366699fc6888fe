"""The fhir.resources models: a typed API at the edges and an oracle in tests.

The only file that names the release. fhir.resources has no R4 but R4B, whose
definitions differ for a few types; those are refused by name. The models are too
lax to be the gate (they know no bindings, no invariants, no profiles): that is
`validation`. A model is imported when it is first asked for.

https://github.com/nazrulworld/fhir.resources and
https://hl7.org/fhir/R4B/diff.html
"""

from functools import cache
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from conformance.issues import FHIRError, Issue, IssueType

RELEASE: Final = "R4B"

_PACKAGE: Final = f"fhir.resources.{RELEASE}"

NOT_IN_RELEASE: Final = frozenset(
    {
        "EffectEvidenceSynthesis",
        "MedicinalProduct",
        "MedicinalProductAuthorization",
        "MedicinalProductContraindication",
        "MedicinalProductIndication",
        "MedicinalProductIngredient",
        "MedicinalProductInteraction",
        "MedicinalProductManufactured",
        "MedicinalProductPackaged",
        "MedicinalProductPharmaceutical",
        "MedicinalProductUndesirableEffect",
        "RiskEvidenceSynthesis",
        "SubstanceNucleicAcid",
        "SubstancePolymer",
        "SubstanceProtein",
        "SubstanceReferenceInformation",
        "SubstanceSourceMaterial",
        "SubstanceSpecification",
    }
)
"""R4 types that R4B no longer has."""

DIFFERENT: Final = frozenset(
    {"ActivityDefinition", "Evidence", "EvidenceVariable", "PlanDefinition"}
)
"""Types whose elements differ between R4 and R4B, compared element by element."""


@cache
def model(type_: str) -> type[BaseModel]:
    """Return the model of a resource type whose R4 and R4B definitions agree.

    Raises:
        FHIRError: `not-supported` for every other type.

    """
    if type_.isalpha() and type_ not in NOT_IN_RELEASE | DIFFERENT:
        try:
            module = import_module(f"{_PACKAGE}.{type_.lower()}")
        except ModuleNotFoundError:
            module = None
        found = getattr(module, type_, None)
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    raise FHIRError(
        IssueType.NOT_SUPPORTED, f"There is no model of the resource type {type_[:64]}."
    )


def typed(resource: dict[str, Any]) -> BaseModel:
    """Return a resource as an instance of its model; numbers lose their text.

    Raises:
        FHIRError: `structure`, an issue for each element that the model refuses;
            `not-supported` for a type without a model.

    """
    type_ = str(resource.get("resourceType"))
    try:
        return model(type_).model_validate(resource)
    except ValidationError as error:
        issues = [
            Issue(
                type=IssueType.STRUCTURE,
                diagnostics=f"The model of {type_} refuses this: {fault['type']}.",
                expression=_expression(type_, fault["loc"]),
            )
            for fault in error.errors(include_input=False, include_context=False)
        ]
    raise FHIRError.of(issues)


def _expression(type_: str, location: tuple[int | str, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return f"{type_}{''.join(steps)}"
