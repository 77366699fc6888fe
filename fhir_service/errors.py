"""How an error looks over HTTP: statuses and OperationOutcome, in tables.

https://hl7.org/fhir/R4/operationoutcome.html
https://hl7.org/fhir/R4/http.html#status-codes
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, Issue, IssueType

STATUS: Mapping[IssueType, int] = MappingProxyType(
    {
        IssueType.INVALID: 400,
        IssueType.STRUCTURE: 400,
        IssueType.REQUIRED: 422,
        IssueType.VALUE: 422,
        IssueType.INVARIANT: 422,
        IssueType.SECURITY: 403,
        IssueType.LOGIN: 401,
        IssueType.UNKNOWN: 401,
        IssueType.EXPIRED: 401,
        IssueType.FORBIDDEN: 403,
        IssueType.SUPPRESSED: 403,
        IssueType.PROCESSING: 422,
        IssueType.NOT_SUPPORTED: 400,
        IssueType.DUPLICATE: 409,
        IssueType.MULTIPLE_MATCHES: 412,
        IssueType.NOT_FOUND: 404,
        IssueType.DELETED: 410,
        IssueType.TOO_LONG: 413,
        IssueType.CODE_INVALID: 422,
        IssueType.EXTENSION: 422,
        IssueType.TOO_COSTLY: 400,
        IssueType.BUSINESS_RULE: 422,
        IssueType.CONFLICT: 409,
        IssueType.TRANSIENT: 503,
        IssueType.LOCK_ERROR: 503,
        IssueType.NO_STORE: 503,
        IssueType.EXCEPTION: 500,
        IssueType.TIMEOUT: 408,
        IssueType.INCOMPLETE: 400,
        IssueType.THROTTLED: 429,
        IssueType.INFORMATIONAL: 200,
    }
)
"""The status of a response whose first issue has this type; a test walks it."""


class OAuthError(StrEnum):
    """Error codes of the token, introspection, revocation and registration pages.

    https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
    https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1
    https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2
    """

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - an error's code
    INSUFFICIENT_SCOPE = "insufficient_scope"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105 - an error's code
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"


OAUTH_STATUS: Mapping[OAuthError, int] = MappingProxyType(
    {
        OAuthError.INVALID_REQUEST: 400,
        # RFC 6749 §5.2: 401 is for who used the Authorization header, and the token
        # endpoint says so; tools for backend services take 400 for an assertion.
        OAuthError.INVALID_CLIENT: 400,
        OAuthError.INVALID_GRANT: 400,
        OAuthError.UNAUTHORIZED_CLIENT: 400,
        OAuthError.UNSUPPORTED_GRANT_TYPE: 400,
        OAuthError.INVALID_SCOPE: 400,
        OAuthError.ACCESS_DENIED: 403,
        OAuthError.UNSUPPORTED_RESPONSE_TYPE: 400,
        OAuthError.SERVER_ERROR: 500,
        OAuthError.TEMPORARILY_UNAVAILABLE: 503,
        OAuthError.INVALID_TOKEN: 401,
        OAuthError.INSUFFICIENT_SCOPE: 403,
        OAuthError.UNSUPPORTED_TOKEN_TYPE: 400,
        OAuthError.INVALID_REDIRECT_URI: 400,
        OAuthError.INVALID_CLIENT_METADATA: 400,
    }
)
"""The status of an OAuth error response; a test walks it."""


def status_of(error: FHIRError) -> int:
    """Return the HTTP status that the error's first issue names."""
    return STATUS[error.type]


def operation_outcome(issues: Iterable[Issue], request_id: str) -> dict[str, Any]:
    """Return the OperationOutcome that tells a client's developer what is wrong.

    Its id is the request's, by which the logs and the audit know it.
    """
    return {
        "resourceType": "OperationOutcome",
        "id": request_id,
        "issue": [_issue(issue) for issue in issues],
    }


def _issue(issue: Issue) -> dict[str, Any]:
    told: dict[str, Any] = {
        "severity": issue.severity.value,
        "code": issue.type.value,
        "diagnostics": issue.diagnostics,
    }
    if issue.expression is not None:
        told["expression"] = [issue.expression]
    return told


def outcome_bytes(error: FHIRError, request_id: str) -> bytes:
    """Return the body of the response that `error` gets."""
    return fhir_json.dumps(operation_outcome(error.issues, request_id))


def oauth_error(error: OAuthError, description: str) -> dict[str, str]:
    """Return the body of an OAuth error response (RFC 6749 §5.2).

    The description is for the client's developer, in the characters that §5.2
    allows: printable ASCII without quotation mark and backslash.
    """
    plain = "".join(
        character if _is_plain(character) else "?" for character in description
    )
    return {"error": error.value, "error_description": plain}


def _is_plain(character: str) -> bool:
    return " " <= character <= "~" and character not in '"\\'
