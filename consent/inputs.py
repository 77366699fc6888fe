"""Everything that a decision about one patient rests on, as canonical JSON.

Two decisions with the same inputs are the same decision; their digest is what the
audit keeps of them. The instant is not among them: the audit has it already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from conformance import fhir_json
from consent.provisions import ParsedConsent
from consent.request import AccessRequest

_BYTES = 16
_PART = "\x00"
"""Between parts; no name or code has it."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """The patient, and by what overlays the requester is looked at.

    Attributes:
        patient: `Patient/id`.
        custodian: The managing organization where the requester belongs to it.
        standing: Name of the overlay of the person behind the request, if any.

    """

    patient: str
    custodian: str | None
    standing: str | None


def version_of(consent: ParsedConsent) -> str:
    """Return the name of one version of a Consent: that of a draft is its name."""
    if consent.version is None:
        return consent.reference
    return f"{consent.reference}/_history/{consent.version}"


def inputs(
    consents: Iterable[ParsedConsent], request: AccessRequest, whose: Whose, policy: str
) -> Json:
    """Return the inputs of the decisions about one patient's resources.

    Args:
        consents: Every consent that was looked at, in force or not.
        request: Who asks for what.
        whose: Whose resources, and by what overlays.
        policy: Version of the rules.

    """
    return {
        "patient": whose.patient,
        "custodian": whose.custodian,
        "standing": whose.standing,
        "actors": sorted(request.actors),
        "possibleActors": sorted(request.possible),
        "individualKnown": request.individual_known,
        "purposes": ["|".join(purpose) for purpose in request.purposes],
        "actions": list(request.actions),
        "breakGlassAttested": request.btg_attested,
        "consents": sorted(version_of(consent) for consent in consents),
        "policy": policy,
    }


def canonical(value: object) -> bytes:
    """Return the JSON of a value, its members in order: the same value, same bytes."""
    return fhir_json.dumps(_ordered(value))


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def digest(
    consents: Iterable[ParsedConsent], request: AccessRequest, whose: Whose, policy: str
) -> str:
    """Return 32 hexadecimal digits that only these inputs have; as `inputs`."""
    parts = [
        whose.patient,
        whose.custodian or "",
        whose.standing or "",
        *sorted(map(version_of, consents)),
    ]
    key = _asked(request.context, policy)
    return blake2b(_PART.join(parts).encode(), key=key, digest_size=_BYTES).hexdigest()


@lru_cache(maxsize=4096)
def _asked(context: tuple[object, ...], policy: str) -> bytes:
    """Return what only this request has; it is asked of many patients."""
    parts = [policy, *map(_text, context)]
    return blake2b(_PART.join(parts).encode(), digest_size=_BYTES).digest()


def _text(part: object) -> str:
    """Return a part of a request, a set in order."""
    return repr(sorted(part) if isinstance(part, frozenset) else part)
