"""What every refusal of the API has in common, for the tests of bad input."""

from collections.abc import Container
from typing import Any

ISSUE_TYPES = frozenset(
    {
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    }
)
"""Codes of http://hl7.org/fhir/R4/valueset-issue-type.html, written from that page."""

SEVERITIES = frozenset({"fatal", "error", "warning", "information"})


def outcome_of(answer: Any) -> list[dict[str, Any]]:
    """Return the issues of an answer, which is an OperationOutcome of FHIR's codes."""
    assert answer.content_type.startswith("application/fhir+json")
    assert answer.json["resourceType"] == "OperationOutcome"
    issues: list[dict[str, Any]] = answer.json["issue"]
    assert issues
    for issue in issues:
        assert issue["code"] in ISSUE_TYPES
        assert issue["severity"] in SEVERITIES
        assert issue["diagnostics"]
    return issues


def places_of(answer: Any) -> list[str]:
    return [
        place for issue in outcome_of(answer) for place in issue.get("expression", [])
    ]


def assert_refused(
    answer: Any, statuses: Container[int], place: str | None = None
) -> None:
    """Check that a request was refused, with the element to blame."""
    told = answer.get_data(as_text=True)[:500]
    assert answer.status_code in statuses, f"{answer.status_code}: {told}"
    places = places_of(answer)
    assert place is None or any(one.startswith(place) for one in places), told
