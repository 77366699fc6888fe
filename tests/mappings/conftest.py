import pytest
from pydantic import ValidationError

from conformance.fhir_json import dumps
from conformance.issues import Severity
from conformance.models import model
from conformance.validation import validate


def _issues(resource, profiles):
    return [
        f"{issue.expression}: {issue.diagnostics}"
        for issue in validate(resource, profiles=profiles)
        if issue.severity in (Severity.FATAL, Severity.ERROR)
    ]


def _model_errors(resource):
    """Return the errors of an independent implementation of the model."""
    try:
        model(resource["resourceType"]).model_validate_json(dumps(resource))
    except ValidationError as error:
        return [str(error)]
    return []


@pytest.fixture(scope="session")
def faults():
    """What is wrong with a resource: our validator and fhir.resources agree on []."""
    return lambda resource, profiles=(): [
        *_issues(resource, profiles),
        *_model_errors(resource),
    ]
