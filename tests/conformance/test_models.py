import subprocess
import sys
from pathlib import Path

import pytest

from conformance.fhir_json import loads
from conformance.issues import FHIRError, IssueType
from conformance.models import DIFFERENT, NOT_IN_RELEASE, model, typed
from conformance.search_parameters import resource_types

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "examples"


def test_a_type_has_a_model_unless_it_differs_from_r4():
    without = NOT_IN_RELEASE | DIFFERENT

    assert without <= resource_types()
    for type_ in resource_types() - without:
        assert model(type_).__name__ == type_


@pytest.mark.parametrize(
    "type_",
    [
        *sorted(NOT_IN_RELEASE | DIFFERENT),
        *("Nope", "", "observation", "SubscriptionTopic/x", "os.path", "__init__"),
    ],
)
def test_a_type_without_a_model_is_refused(type_):
    with pytest.raises(FHIRError) as refused:
        model(type_)

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_what_a_model_refuses_is_pointed_at():
    with pytest.raises(FHIRError) as refused:
        typed(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "x"},
                "component": [{"code": {}}, {"code": {"nope": "secret"}}],
            }
        )

    [issue] = refused.value.issues
    assert (issue.type, issue.expression) == (
        IssueType.STRUCTURE,
        "Observation.component[1].code.nope",
    )
    assert "secret" not in issue.diagnostics


def test_a_decimal_of_ours_is_understood():
    resource = loads(
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},'
        b'"valueQuantity":{"value":72.50}}'
    )

    assert str(typed(resource).valueQuantity.value) == "72.50"


def test_the_published_examples_fit_their_models():
    paths = sorted(EXAMPLES.glob("*.json"))
    if not paths:
        pytest.skip("the published examples are not here")

    for path in paths:
        typed(loads(path.read_bytes()))


def test_nothing_is_imported_before_it_is_asked_for():
    code = (
        "import sys, conformance.models; "
        "sys.exit('fhir.resources.R4B.observation' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own interpreter and text
