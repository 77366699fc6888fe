"""IHE Privacy Consent on FHIR: which of its profiles a Consent fits.

The tables are the required and the forbidden elements of PCF 1.1. A Consent that fits
is stored with the profile in `meta.profile`; one that says more than PCF knows
(actions, classes, codes, deeper nesting) is stored without, and one that does not fit
any more loses the claim.

https://profiles.ihe.net/ITI/PCF/volume-3.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import (
    ACT_CODE,
    ACT_REASON,
    CONFIDENTIALITY,
    CONSENT_SCOPE,
)
from consent.contents import PartialCoding, coding_parts, partial_codings
from consent.outline import Provision, provisions

_URL = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF."

Resource = Mapping[str, Any]

REQUIRED = ("category", "patient", "dateTime", "performer", "organization", "provision")
"""Elements that every profile asks for, beside status, scope, source and policy."""

FORBIDDEN = frozenset({"verification"})
"""Elements of a Consent that no profile allows."""

MAX_DEPTH = 1
"""Levels of provisions below the root."""

IRCP: PartialCoding = (
    "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "IRCP",
)
"""The one role of an actor."""

MEANINGS = frozenset({"instance", "related", "authoredby"})

_BASIC_PURPOSES = frozenset({"TREAT", "HPAYMT", "HOPERAT"})
_LABELS = frozenset(
    {(ACT_CODE, code) for code in ("ETH", "ETHUD", "OPIOIDUD", "PSY", "SDV", "HIV")}
    | {(CONFIDENTIALITY, code) for code in ("N", "R")}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A row of the table.

    Attributes:
        url: Canonical URL.
        elements: Elements of a provision that it allows.
        purposes: Codes of v3-ActReason that it allows; None where any purpose is.
        depth: Levels of provisions below the root.

    """

    url: str
    elements: frozenset[str]
    purposes: frozenset[str] | None
    depth: int


_BASIC = frozenset({"id", "type", "period", "actor", "purpose"})
_INTERMEDIATE = _BASIC | {"dataPeriod", "data", "provision"}

PROFILES: tuple[Profile, ...] = (
    Profile(
        url=f"{_URL}consentBasic",
        elements=_BASIC,
        purposes=_BASIC_PURPOSES,
        depth=0,
    ),
    Profile(
        url=f"{_URL}consentIntermediate",
        elements=_INTERMEDIATE,
        purposes=None,
        depth=MAX_DEPTH,
    ),
    Profile(
        url=f"{_URL}consentAdvanced",
        elements=_INTERMEDIATE | {"securityLabel"},
        purposes=None,
        depth=MAX_DEPTH,
    ),
)
"""From the narrowest to the widest; a Consent fits the first that it meets."""

URLS = frozenset(profile.url for profile in PROFILES)


def fits(consent: Resource) -> str | None:
    """Return the URL of the narrowest profile that a valid Consent meets, or None."""
    if not _has_required(consent):
        return None
    tree = list(provisions(consent))
    return next(
        (
            profile.url
            for profile in PROFILES
            if all(_meets(provision, profile) for provision in tree)
        ),
        None,
    )


def _has_required(consent: Resource) -> bool:
    policies = consent.get("policy")
    scope = partial_codings(consent.get("scope"))
    return (
        all(consent.get(name) for name in REQUIRED)
        and FORBIDDEN.isdisjoint(consent)
        and ("sourceReference" in consent or "sourceAttachment" in consent)
        and isinstance(policies, list)
        and all(isinstance(one, Mapping) and one.get("uri") for one in policies)
        and (CONSENT_SCOPE, "patient-privacy") in scope
        and "type" in consent["provision"]
    )


def _meets(provision: Provision, profile: Profile) -> bool:
    node = provision.node
    return (
        provision.depth <= profile.depth
        and profile.elements.issuperset(node)
        and all(
            IRCP in partial_codings(each.get("role")) for each in _in(node, "actor")
        )
        and all(each.get("meaning") in MEANINGS for each in _in(node, "data"))
        and all(coding_parts(each) in _LABELS for each in _in(node, "securityLabel"))
        and all(_allows(profile, coding_parts(each)) for each in _in(node, "purpose"))
    )


def _allows(profile: Profile, purpose: PartialCoding) -> bool:
    system, code = purpose
    if profile.purposes is None:
        return system is not None and code is not None
    return system == ACT_REASON and code in profile.purposes


def _in(node: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    entries = node.get(name)
    for entry in entries if isinstance(entries, list) else ():
        yield entry if isinstance(entry, Mapping) else {}


def claimed(consent: Resource) -> Resource:
    """Return the Consent with the claim that is true of it, and no other of PCF's."""
    meta = consent.get("meta")
    kept = dict(meta) if isinstance(meta, Mapping) else {}
    told = kept.pop("profile", [])
    profiles = [url for url in told if str(url).partition("|")[0] not in URLS]
    url = fits(consent)
    if url is not None:
        profiles.append(url)
    if profiles:
        kept["profile"] = profiles
    bare = {name: value for name, value in consent.items() if name != "meta"}
    return {**bare, "meta": kept} if kept else bare
