import pytest

from conformance.fhir_json import loads
from conformance.issues import FHIRError, Issue, IssueType, Severity
from fhir_service.errors import (
    OAUTH_STATUS,
    STATUS,
    OAuthError,
    oauth_error,
    operation_outcome,
    outcome_bytes,
    status_of,
)


def test_every_issue_type_has_a_status():
    assert set(STATUS) == set(IssueType)


def test_only_information_is_no_error():
    good = {type_ for type_, status in STATUS.items() if status < 400}

    assert good == {IssueType.INFORMATIONAL}


def test_every_oauth_error_has_a_status():
    assert set(OAUTH_STATUS) == set(OAuthError)
    assert {status // 100 for status in OAUTH_STATUS.values()} <= {4, 5}


def test_the_first_issue_names_the_status():
    error = FHIRError.of(
        [
            Issue(type=IssueType.NOT_FOUND, diagnostics="Gone."),
            Issue(type=IssueType.VALUE, diagnostics="Odd."),
        ]
    )

    assert status_of(error) == 404


def test_an_outcome_has_every_issue_and_the_id_of_the_request():
    issues = (
        Issue(
            type=IssueType.VALUE,
            diagnostics="The unit is not UCUM.",
            expression="Observation.valueQuantity",
        ),
        Issue(
            type=IssueType.INFORMATIONAL,
            diagnostics="Kept.",
            severity=Severity.INFORMATION,
        ),
    )

    assert operation_outcome(issues, "abc-1") == {
        "resourceType": "OperationOutcome",
        "id": "abc-1",
        "issue": [
            {
                "severity": "error",
                "code": "value",
                "diagnostics": "The unit is not UCUM.",
                "expression": ["Observation.valueQuantity"],
            },
            {
                "severity": "information",
                "code": "informational",
                "diagnostics": "Kept.",
            },
        ],
    }


def test_the_body_of_an_error_is_its_outcome():
    error = FHIRError(IssueType.TOO_LONG, "Too long.")

    assert loads(outcome_bytes(error, "r1")) == operation_outcome(error.issues, "r1")


@pytest.mark.parametrize(
    ("description", "sent"),
    [
        ("The key is not registered.", "The key is not registered."),
        ('A "quoted" \\ thing', "A ?quoted? ? thing"),
        ("Zeile\numbruch é", "Zeile?umbruch ?"),
    ],
)
def test_an_oauth_error_has_only_the_characters_of_rfc_6749(description, sent):
    assert oauth_error(OAuthError.INVALID_CLIENT, description) == {
        "error": "invalid_client",
        "error_description": sent,
    }
