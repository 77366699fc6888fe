"""Request selectors: what actor, purpose and action mean to a permit and a deny.

Entries of one element are alternatives. Each is asked of the request alone.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.actor
"""

from dataclasses import dataclass
from enum import StrEnum

from consent.codes import ACT_REASON, PURPOSES, is_purpose
from consent.contents import PartialCoding
from consent.formula import Coding
from consent.request import AccessRequest
from consent.truth import Truth, either


class Kind(StrEnum):
    """What a provision does with what it matches."""

    PERMIT = "permit"
    DENY = "deny"
    NONE = "none"
    """A root without type: matched like a permit, it never votes itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """An entry of `provision.actor`.

    Attributes:
        names: `Type/id` and `system|value` by which the closure may know it.
        may_be_person: Whether it needs the individual to be ruled out: it is neither
            an Organization nor a Group nor a Device, or only an identifier.

    """

    names: frozenset[str]
    may_be_person: bool

    def matches(self, request: AccessRequest, kind: Kind) -> Truth:
        """Return whether the requester is this actor; unknown where it may be."""
        if not self.names:
            return None
        if not self.names.isdisjoint(request.actors):
            return True
        if not self.names.isdisjoint(request.possible):
            return None
        is_open = self.may_be_person and not request.individual_known
        return None if kind is Kind.DENY and is_open else False


def match_purpose(listed: PartialCoding, asked: Coding | None, kind: Kind) -> Truth:
    """Return whether the purpose asked for is a listed one.

    A permit covers its specialisations; a deny also reaches what may be one of its
    generalisations. A code that v3-ActReason does not know may mean anything there.
    """
    system, code = listed
    if asked is None or system is None or code is None:
        return None
    if is_purpose(asked, (system, code)):
        return True
    if kind is Kind.DENY and is_purpose((system, code), asked):
        return True
    are_known = code in PURPOSES and asked[1] in PURPOSES
    return False if are_known or not system == asked[0] == ACT_REASON else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """The element `provision.action`.

    Attributes:
        codes: Codes of consentaction.
        has_unknown: Whether an entry is none of them.

    """

    codes: frozenset[str]
    has_unknown: bool

    def matches(self, action: str) -> Truth:
        """Return whether the action is listed."""
        if action in self.codes:
            return True
        return None if self.has_unknown else False


def any_actor(actors: tuple[Actor, ...], request: AccessRequest, kind: Kind) -> Truth:
    """Return whether the requester is one of the actors."""
    return either(actor.matches(request, kind) for actor in actors)
