"""What validators find: nothing, mostly, which is why nothing is `None`.

A path is put together only where there is something to report: each level puts its
own name in front on the way out.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from collections.abc import Callable, Sequence
from typing import Any

from conformance.fhirpath_nodes import Scope
from conformance.issues import Issue, IssueType, Severity


class Finding:
    """Something wrong at or beneath the place that is being looked at.

    Attributes:
        path: Where, relative to that place: empty, `coding[0].code` or `[1]`.
        type: What kind of thing.
        text: A sentence without any value of the resource.
        severity: Error or warning.

    """

    __slots__ = ("path", "severity", "text", "type")

    def __init__(
        self,
        type_: IssueType,
        text: str,
        path: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        self.type = type_
        self.text = text
        self.path = path
        self.severity = severity

    def issue(self, root: str) -> Issue:
        """Return the issue to send, its path beginning with `root`."""
        path = f"{root}.{self.path}" if self.path else root
        return Issue(
            type=self.type,
            diagnostics=self.text,
            expression=path.replace(".[", "["),
            severity=self.severity,
        )


Findings = list[Finding] | None

Check = Callable[[Any, Scope], Findings]
"""Looks at one value."""

MemberCheck = Callable[[Any, dict[str, Any], Scope], Findings]
"""Looks at the value of a JSON member, with the object that holds it at hand."""

SHAPE = frozenset({IssueType.STRUCTURE, IssueType.VALUE})
"""Types after which an invariant could not be evaluated."""


def error(type_: IssueType, text: str, path: str = "") -> list[Finding]:
    """Return one error."""
    return [Finding(type_, text, path)]


def under(name: str, findings: list[Finding]) -> list[Finding]:
    """Return findings as seen from the object whose member is `name`."""
    for finding in findings:
        path = finding.path
        if not path:
            finding.path = name
        elif path[0] == "[":
            finding.path = name + path
        else:
            finding.path = f"{name}.{path}"
    return findings


def joined(first: Findings, second: Findings) -> Findings:
    """Return the findings of both; the first list takes in the second."""
    if first is None:
        return second
    if second is not None:
        first.extend(second)
    return first


def is_shapeless(findings: Findings) -> bool:
    """Return whether something found makes invariants impossible to evaluate."""
    return findings is not None and any(item.type in SHAPE for item in findings)


def is_refused(findings: Findings) -> bool:
    """Return whether there is more than warnings."""
    return findings is not None and any(
        item.severity is Severity.ERROR for item in findings
    )


def sequence(checks: Sequence[Check]) -> Check:
    """Return one check that does all of them."""
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, scope: Scope) -> Findings:
        found: Findings = None
        for part in checks:
            problems = part(value, scope)
            if problems is not None:
                found = joined(found, problems)
        return found

    return check


def then(first: Check, second: Check) -> Check:
    """Return a check whose second part sees only values of the right shape."""

    def check(value: Any, scope: Scope) -> Findings:
        found = first(value, scope)
        if found is not None and is_shapeless(found):
            return found
        return joined(found, second(value, scope))

    return check


def plain(check: Callable[[Any], Findings]) -> Check:
    """Return a check of the value alone as one that is given a scope too."""
    return lambda value, _scope: check(value)
