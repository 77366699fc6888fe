"""Whatever the OpenAPI document allows, the service answers as the document says.

schemathesis makes requests from `/openapi.json`, good ones and bad ones. There are
too many operations to try each in the time there is: one type of each class is
tried, and all that is of no type.

https://schemathesis.readthedocs.io
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from outcomes import ISSUE_TYPES
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks
from worlds import furnish, observation, opened_world

TYPES = ("Observation", "Patient", "Organization", "List", "Consent")
"""Of patient data, a patient, a shared type, a derived one and a guarded one."""

AS_DESCRIBED = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""What is compared: status, format, headers and body."""

CHOICE = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""Few requests for each operation, the same ones each time."""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory, template):
    with opened_world(tmp_path_factory.mktemp("described"), template) as world:
        clinic = furnish(world)
        clinic.consented()
        world.create(observation(clinic.patient), clinic.admin)
        yield clinic


def chosen(application):
    """Return the operations of the chosen types, and those of none."""
    document = schemathesis.openapi.from_wsgi("/openapi.json", application)
    types = "|".join(TYPES)
    kept = document.include(path_regex=rf"^/(fhir/)?(({types})(/|$)|[^A-Z]*$)")
    return [found.ok() for found in kept.get_all_operations()]


def fault(clinic, case):
    """Return what is wrong with the answer to a request, or None."""
    # Called without a socket, schemathesis does not unpack what is compressed.
    response = case.call(headers={**clinic.admin, "Accept-Encoding": "identity"})
    if response.status_code >= 500:
        return f"{response.status_code}"
    try:
        case.validate_response(response, checks=AS_DESCRIBED)
    except FailureGroup as failures:
        return f"{response.status_code}: {failures.exceptions}"
    if response.status_code < 400:
        return None
    outcome = response.json()
    codes = {issue["code"] for issue in outcome.get("issue", ())}
    is_told = outcome.get("resourceType") == "OperationOutcome" and codes
    return None if is_told and codes <= ISSUE_TYPES else f"{outcome}"


def faults(clinic, operation):
    """Return what went wrong with requests that schemathesis makes of an operation."""
    found = []

    @seed(20261128)
    @CHOICE
    @given(case=operation.as_strategy())
    def ask(case):
        if wrong := fault(clinic, case):
            found.append(f"{case.as_curl_command()}: {wrong}")

    ask()
    return found


def test_no_request_of_the_document_is_a_fault_of_the_service(clinic):
    operations = chosen(clinic.world.http.application)

    found = [wrong for one in operations for wrong in faults(clinic, one)]

    assert len(operations) > len(TYPES)
    assert found == []
