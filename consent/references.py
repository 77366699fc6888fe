"""References as one spelling: `Type/id` on our own server, or not ours.

`https://our.base/Practitioner/dr`, `Practitioner/dr/_history/2` and
`Practitioner/dr` are the same logical resource.

https://hl7.org/fhir/R4/references.html#literal
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

_LOCAL = re.compile(
    r"([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?"
)
_WEB = ("http://", "https://")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a consent's meaning takes from the place where it is evaluated.

    Attributes:
        zone: Zone in which a date without a time is a day.
        own_bases: FHIR base URLs that are ours, without a final slash.

    """

    zone: tzinfo
    own_bases: tuple[str, ...] = ()


def local(text: object, own_bases: tuple[str, ...]) -> str | None:
    """Return the reference as `Type/id`; None where it names nothing of ours."""
    return _local(text, own_bases) if isinstance(text, str) else None


@lru_cache(maxsize=16_384)
def _local(text: str, own_bases: tuple[str, ...]) -> str | None:
    match = _LOCAL.fullmatch(text)
    if match is None:
        return _below_own_base(text, own_bases)
    return match[1]


def _below_own_base(text: str, own_bases: tuple[str, ...]) -> str | None:
    for base in own_bases:
        prefix = f"{base.rstrip('/')}/"
        if text.startswith(prefix):
            match = _LOCAL.fullmatch(text, len(prefix))
            return match[1] if match else None
    return None


def is_foreign(text: object, own_bases: tuple[str, ...]) -> bool:
    """Whether the reference is absolute and on another server than ours."""
    return (
        isinstance(text, str)
        and text.lower().startswith(_WEB)
        and local(text, own_bases) is None
    )


def type_of(reference: str) -> str:
    """Return the resource type of a `Type/id`."""
    return reference.partition("/")[0]


def target(value: object, own_bases: tuple[str, ...]) -> str | None:
    """Return where a Reference element points, as `Type/id`."""
    if not isinstance(value, dict):
        return None
    return local(value.get("reference"), own_bases)


def attribution(
    resource: Mapping[str, object], own_bases: tuple[str, ...]
) -> str | None:
    """Return the Patient whose consent decides on the resource.

    `subject`, else `patient`, if that is a Patient of ours; a Patient is its own.
    Never focus, never performer. None: nobody's, and released to nobody.
    """
    if resource.get("resourceType") == "Patient":
        return local(f"Patient/{resource.get('id', '')}", own_bases)
    named = resource["subject"] if "subject" in resource else resource.get("patient")
    reference = target(named, own_bases)
    if reference is None or type_of(reference) != "Patient":
        return None
    return reference
