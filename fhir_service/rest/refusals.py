"""Refusals whose HTTP status no issue type names; the one table beside `errors`.

https://www.rfc-editor.org/rfc/rfc9110#section-15.5
"""

from conformance.issues import FHIRError, IssueType
from fhir_service import errors

MAX_QUERY = 4000
"""Characters of a query: what the audit log keeps of it, so that nothing is cut."""


class MethodNotAllowed(FHIRError):  # noqa: N818 - HTTP's own name
    """The path exists and does not know the method, or what is there stands firm."""

    def __init__(
        self, diagnostics: str = "The path does not answer this method."
    ) -> None:
        super().__init__(IssueType.NOT_SUPPORTED, diagnostics)


class NotAcceptable(FHIRError):  # noqa: N818 - HTTP's own name
    """The client accepts no format that is written."""

    def __init__(self) -> None:
        super().__init__(
            IssueType.NOT_SUPPORTED, "Only application/fhir+json is written."
        )


class PreconditionFailed(FHIRError):  # noqa: N818 - HTTP's own name
    """The version that the client expects is not the current one."""

    def __init__(
        self, diagnostics: str = "If-Match names another version than the current one."
    ) -> None:
        super().__init__(IssueType.CONFLICT, diagnostics)


class URITooLong(FHIRError):  # noqa: N818 - HTTP's own name
    """The query is longer than the audit log keeps."""

    def __init__(self) -> None:
        super().__init__(
            IssueType.TOO_COSTLY, f"A query has at most {MAX_QUERY} characters."
        )


class Unprocessable(FHIRError):  # noqa: N818 - HTTP calls it a content
    """A well-formed resource that this version cannot honour."""


class UnsupportedMediaType(FHIRError):  # noqa: N818 - HTTP's own name
    """The body is in a format that is not read."""

    def __init__(self, expected: str) -> None:
        super().__init__(IssueType.NOT_SUPPORTED, f"The body must be {expected}.")


STATUS: dict[type[FHIRError], int] = {
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    PreconditionFailed: 412,
    URITooLong: 414,
    Unprocessable: 422,
    UnsupportedMediaType: 415,
}
"""Class of the refusal → status."""


def status_of(error: FHIRError) -> int:
    """Return the HTTP status of a refusal."""
    return STATUS.get(type(error)) or errors.status_of(error)
