"""Resource → issues: R4's definitions, then the profiles it is held to.

A resource is held to the profiles that it claims, to those the caller names, and to
the vital-signs profile that its code implies, unless it claims one that derives from
R4's vital signs and names the code itself, as US Core's do. What is not checked is
said, and is never counted as passed: see `not_checked`.

https://hl7.org/fhir/R4/validation.html
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from conformance import definitions, fhirpath
from conformance.codes import LOINC, VITAL_SIGN_PROFILES, VITAL_SIGNS_PROFILE
from conformance.fhirpath_nodes import Scope
from conformance.issues import Issue, IssueType, Severity
from conformance.validation_findings import (
    Finding,
    Findings,
    error,
    is_shapeless,
    joined,
    under,
)
from conformance.validation_passed import Passed
from conformance.validation_profiles import (
    derives_with_code,
    profile,
    profile_findings,
)
from conformance.validation_structures import resource_check

MAX_ISSUES = 100
"""More are counted, not listed."""


def implied_profiles(resource: dict[str, Any]) -> list[str]:
    """Return the R4 vital-signs profiles that an Observation's code implies.

    "If a vital sign is recorded with one of these codes, it SHALL meet the profile"
    (§10.1.11, the magic values).
    """
    if resource.get("resourceType") != "Observation":
        return []
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    if not isinstance(codings, list):
        return []
    return [
        VITAL_SIGN_PROFILES[coding["code"]]
        for coding in codings
        if isinstance(coding, dict)
        and coding.get("system") == LOINC
        and coding.get("code") in VITAL_SIGN_PROFILES
    ]


def _claimed_profiles(resource: dict[str, Any]) -> list[str]:
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    if not isinstance(claimed, list):
        return []
    return [canonical for canonical in claimed if isinstance(canonical, str)]


def _against(canonical: str, resource: dict[str, Any], scope: Scope) -> Findings:
    """Return what keeps a resource from meeting a profile, or that nobody knows."""
    known = profile(canonical)
    if known.not_checked is not None:
        text = f"The profile was not checked: {known.not_checked}."
        return [
            Finding(
                IssueType.NOT_SUPPORTED, text, "meta.profile", severity=Severity.WARNING
            )
        ]
    if known.type != resource["resourceType"]:
        text = f"The profile is about {known.type}."
        return error(IssueType.VALUE, text, "meta.profile")
    return profile_findings(known, resource, scope)


def _names_a_vital_sign(canonical: str) -> bool:
    return derives_with_code(canonical, VITAL_SIGNS_PROFILE)


def _profiled(
    resource: dict[str, Any], scope: Scope, profiles: Sequence[str]
) -> Findings:
    wanted = dict.fromkeys((*profiles, *_claimed_profiles(resource)))
    for implied in implied_profiles(resource):
        if implied not in wanted and not any(map(_names_a_vital_sign, wanted)):
            wanted[implied] = None
    found: Findings = None
    for canonical in wanted:
        problems = _against(canonical, resource, scope)
        if problems is not None:
            found = joined(found, problems)
    return found


_CARRIERS = {"Bundle": "entry", "Parameters": "parameter"}
"""Types that carry whole resources, and the element that does."""


def _nested(resource: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield path, resource and whether it is contained, of what a resource holds."""
    for index, contained in enumerate(resource.get("contained", ())):
        yield f"contained[{index}]", contained, True
    name = _CARRIERS.get(resource["resourceType"])
    for index, carrier in enumerate(resource.get(name, ()) if name else ()):
        if "resource" in carrier:
            yield f"{name}[{index}].resource", carrier["resource"], False


def _all_profiled(
    resource: dict[str, Any], scope: Scope, profiles: Sequence[str]
) -> Findings:
    """Check a resource and all that it holds against the profiles of each."""
    found = _profiled(resource, scope, profiles)
    if "contained" not in resource and resource["resourceType"] not in _CARRIERS:
        return found
    for path, inner, is_contained in _nested(resource):
        inner_scope = scope.within(inner) if is_contained else Scope(inner, inner)
        problems = _all_profiled(inner, inner_scope, ())
        if problems is not None:
            found = joined(found, under(path, problems))
    return found


def validate(resource: Any, *, profiles: Sequence[str] = ()) -> list[Issue]:
    """Return what is wrong with a resource, and what was not checked.

    Nothing else is wrong with it where no issue is an error: warnings say what is
    advisable, or name a profile that is not known here.

    Args:
        resource: What `fhir_json.loads` gave.
        profiles: Canonicals of profiles to be met beside those it claims.

    """
    passed = _passed()
    frame = passed.frame(resource, profiles)
    known = None if frame is None else passed.warnings(frame)
    if known is not None:
        return list(known)
    issues = _issues(resource, profiles)
    if frame is not None and all(_is_warning(issue) for issue in issues):
        passed.add(frame, issues)
    return issues


def _is_warning(issue: Issue) -> bool:
    return issue.severity is Severity.WARNING


def _issues(resource: Any, profiles: Sequence[str]) -> list[Issue]:
    found = _findings(resource, profiles)
    if found is None:
        return []
    type_ = resource.get("resourceType") if isinstance(resource, dict) else None
    root = str(type_) if definitions.is_resource_type(str(type_)) else "Resource"
    if len(found) > MAX_ISSUES:
        return _shortened(found, root)
    return [finding.issue(root) for finding in found]


@cache
def _passed() -> Passed:
    return Passed()


def _findings(resource: Any, profiles: Sequence[str]) -> Findings:
    scope = Scope(resource, resource)
    found = resource_check(resource, scope)
    if is_shapeless(found):
        return found
    return joined(found, _all_profiled(resource, scope, profiles))


def _shortened(found: list[Finding], root: str) -> list[Issue]:
    """Return the first issues, errors before warnings, and how many there are more."""
    ordered = sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)
    first, rest = ordered[:MAX_ISSUES], ordered[MAX_ISSUES:]
    more = Issue(
        type=IssueType.PROCESSING,
        diagnostics=f"There are {len(rest)} more issues.",
        expression=root,
        severity=rest[0].severity,
    )
    return [finding.issue(root) for finding in first] + [more]


BEYOND = (
    "Bindings that are extensible, preferred or examples.",
    "Whether a display belongs to its code.",
    "Whether a reference resolves, and whether its target meets a profile.",
    "Definitions of extensions, beyond those that a known profile names.",
    "Where an extension may be used.",
    "Canonical references: whether what they name exists.",
)
"""What is looked at in no resource."""


def not_checked() -> list[str]:
    """Return, for the documentation, what `validate` does not look at."""
    value_sets = sorted(
        {
            f"Required value set {found.url}: {found.not_checked}."
            for found in definitions.value_sets()
            if found.not_checked is not None
        }
    )
    invariants = [
        f"Invariant {found.key} of {found.where}: {found.reason}."
        for found in fhirpath.not_compiled()
    ]
    profiles = [
        f"Profile {url}: {reason}."
        for url in sorted(definitions.profile_urls())
        if (reason := profile(url).not_checked) is not None
    ]
    return [*BEYOND, *value_sets, *invariants, *profiles]
