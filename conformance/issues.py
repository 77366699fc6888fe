"""What can be wrong with a request or a resource, in FHIR's own words.

https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from dataclasses import dataclass
from enum import StrEnum


class IssueType(StrEnum):
    """The codes of FHIR's issue-type value set that this service sends."""

    INVALID = "invalid"
    STRUCTURE = "structure"
    REQUIRED = "required"
    VALUE = "value"
    INVARIANT = "invariant"
    SECURITY = "security"
    LOGIN = "login"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"
    SUPPRESSED = "suppressed"
    PROCESSING = "processing"
    NOT_SUPPORTED = "not-supported"
    DUPLICATE = "duplicate"
    MULTIPLE_MATCHES = "multiple-matches"
    NOT_FOUND = "not-found"
    DELETED = "deleted"
    TOO_LONG = "too-long"
    CODE_INVALID = "code-invalid"
    EXTENSION = "extension"
    TOO_COSTLY = "too-costly"
    BUSINESS_RULE = "business-rule"
    CONFLICT = "conflict"
    TRANSIENT = "transient"
    LOCK_ERROR = "lock-error"
    NO_STORE = "no-store"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    INCOMPLETE = "incomplete"
    THROTTLED = "throttled"
    INFORMATIONAL = "informational"


class Severity(StrEnum):
    """How bad an issue is. https://hl7.org/fhir/R4/valueset-issue-severity.html."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """One thing that is wrong, or worth saying.

    Attributes:
        type: FHIR's word for what kind of thing it is.
        diagnostics: A sentence for the client's developer; never a health value.
        expression: FHIRPath of the element, such as `Observation.component[1].code`.
        severity: `error` unless the resource may still be processed.

    """

    type: IssueType
    diagnostics: str
    expression: str | None = None
    severity: Severity = Severity.ERROR


class FHIRError(Exception):
    """A request that cannot be answered as asked.

    The HTTP status follows from the issue type, in one table of the service.
    """

    def __init__(
        self, type_: IssueType, diagnostics: str, expression: str | None = None
    ) -> None:
        super().__init__(diagnostics)
        self.issues: tuple[Issue, ...] = (
            Issue(type=type_, diagnostics=diagnostics, expression=expression),
        )

    @classmethod
    def of(cls, issues: "list[Issue] | tuple[Issue, ...]") -> "FHIRError":
        """Return one error that carries several issues; the first names the status."""
        first = issues[0]
        error = cls(first.type, first.diagnostics, first.expression)
        error.issues = tuple(issues)
        return error

    @property
    def type(self) -> IssueType:
        """The issue type that names the status."""
        return self.issues[0].type
