"""The life of a Consent: from which status to which, and on what evidence.

Draft and proposed consents, rejected, withdrawn and erroneous ones decide nothing. A
consent that ends by its period needs no change of status. What was withdrawn is in
force again only by a new version that shows that it was confirmed afterwards.

https://hl7.org/fhir/R4/valueset-consent-state-codes.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.issues import Issue, IssueType
from consent.moments import bounds
from consent.references import Deployment

Resource = Mapping[str, Any]

BEGINNINGS = frozenset({"draft", "proposed", "active", "rejected", "inactive"})
"""Statuses in which a consent may be filed; the last two as the record of a past."""

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"draft", "proposed", "active", "rejected", "entered-in-error"}),
    "proposed": frozenset(
        {"draft", "proposed", "active", "rejected", "entered-in-error"}
    ),
    "active": frozenset({"active", "inactive", "rejected", "entered-in-error"}),
    "rejected": frozenset({"rejected", "entered-in-error"}),
    "inactive": frozenset({"inactive", "active", "entered-in-error"}),
    "entered-in-error": frozenset({"entered-in-error"}),
}
"""Status → the statuses that the next version may have; the same one amends."""

DAY_US = 86_400_000_000


def filing_issues(new: Resource) -> Iterator[Issue]:
    """Yield why a consent does not begin like this."""
    if new.get("status") not in BEGINNINGS:
        yield Issue(
            type=IssueType.BUSINESS_RULE,
            diagnostics="What was never filed is not marked as an error.",
            expression="Consent.status",
        )


def amending_issues(
    old: Resource,
    new: Resource,
    *,
    replaced_us: int,
    at_us: int,
    deployment: Deployment,
) -> Iterator[Issue]:
    """Yield why a version does not follow another one.

    Args:
        old: The version that is replaced.
        new: The version that would replace it.
        replaced_us: When the old one was filed: for a withdrawn one, the withdrawal.
        at_us: Now.
        deployment: Zone of dates.

    """
    before, after = str(old.get("status")), str(new.get("status"))
    if after not in TRANSITIONS.get(before, frozenset()):
        yield Issue(
            type=IssueType.BUSINESS_RULE,
            diagnostics=f"A consent that is {before} does not become {after}.",
            expression="Consent.status",
        )
    elif (before, after) == ("inactive", "active"):
        span = (replaced_us, at_us)
        if not _is_confirmed(old, new, span, deployment):
            yield Issue(
                type=IssueType.BUSINESS_RULE,
                diagnostics="A withdrawn consent is active again only with evidence "
                "from after the withdrawal: a verification that says so, or another "
                "source with its dateTime.",
                expression="Consent.status",
            )


def _is_confirmed(
    old: Resource, new: Resource, span: tuple[int, int], deployment: Deployment
) -> bool:
    """Whether the new version shows that the patient agreed within the span."""
    return _is_verified(new, span, deployment) or (
        _source(new) is not None
        and _source(new) != _source(old)
        and _is_within(new.get("dateTime"), span, deployment)
    )


def _is_verified(new: Resource, span: tuple[int, int], deployment: Deployment) -> bool:
    verifications = new.get("verification")
    return any(
        isinstance(one, Mapping)
        and one.get("verified") is True
        and _is_within(one.get("verificationDate"), span, deployment)
        for one in (verifications if isinstance(verifications, list) else ())
    )


def _source(consent: Resource) -> object:
    return consent.get("sourceAttachment", consent.get("sourceReference"))


def _is_within(value: object, span: tuple[int, int], deployment: Deployment) -> bool:
    """Whether a date or time may lie in the span."""
    found = bounds(value, deployment.zone)
    return found is not None and found[1] > span[0] and found[0] <= span[1]


def is_back_dated(consent: Resource, filed_us: int, deployment: Deployment) -> bool:
    """Whether an active consent says that it is more than a day older than its filing.

    It is kept as it is. What was decided before it was filed stays decided without it:
    a past decision is repeated from the versions that were filed then.
    """
    written = bounds(consent.get("dateTime"), deployment.zone)
    return (
        consent.get("status") == "active"
        and written is not None
        and written[1] < filed_us - DAY_US
    )


def shared_identifiers(one: Resource, other: Resource) -> bool:
    """Whether two consents have an identifier in common, so that they are the same."""
    return not _identifiers(one).isdisjoint(_identifiers(other))


def _identifiers(consent: Resource) -> frozenset[tuple[str, str]]:
    found = consent.get("identifier")
    return frozenset(
        (one["system"], one["value"])
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, Mapping) and "system" in one and "value" in one
    )
