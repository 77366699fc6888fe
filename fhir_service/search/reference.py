"""References: to a resource here, to one elsewhere, to a canonical.

`id`, `Type/id`, either with a version, an absolute URL, `urn:`; for canonicals
`url|version`. What cannot be read is refused even under lenient handling: without it
the answer would be about others.

https://hl7.org/fhir/R4/search.html#reference
"""

import re
from dataclasses import replace

from conformance.issues import FHIRError, IssueType
from conformance.references import Reference
from conformance.search_parameters import (
    SearchParameter,
    element_types,
    reference_of,
    resource_types,
)
from fhir_service.search.criteria import ReferenceValue, TokenValue
from fhir_service.search.escaping import unescape
from fhir_service.search.reading import Reading, unreadable

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PATH_IDS = frozenset({".", ".."})
_ABSOLUTE = re.compile(r"https?://[^\s|/?#]+(?:[/?#][^\s|]*)?")
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:[^\s|]+")
_VERSION = re.compile(r"[^\s|]{1,64}")
_LONGEST = 2048
"""Characters of a URL."""

_EXPECTED = "a reference, as Type/id or id"


def aimed(parameter: SearchParameter, type_: str | None = None) -> SearchParameter:
    """Return the parameter with the targets that it can mean.

    A parameter named `patient` means Patients, whatever else its definition lists.

    Args:
        parameter: The reference parameter.
        type_: A type modifier, one of its targets; None for none.

    """
    if type_ is not None:
        return replace(parameter, targets=(type_,))
    if parameter.code == "patient" and "Patient" in parameter.targets:
        return replace(parameter, targets=("Patient",))
    return parameter


def ask(text: str, parameter: SearchParameter, reading: Reading) -> ReferenceValue:
    """Return what a value points at; where only one type is possible, of that type.

    Raises:
        FHIRError: `invalid` for what is no reference, or one to another type.

    """
    only = parameter.targets[0] if len(parameter.targets) == 1 else None
    plain, version = unescape(text), None
    is_canonical = _is_canonical(parameter, reading)
    if is_canonical:
        plain, bar, version = plain.partition("|")
        if bar and not _VERSION.fullmatch(version):
            raise unreadable(parameter, "a canonical, as url|version")
    if _ID.fullmatch(plain) and plain not in _PATH_IDS:
        return ReferenceValue(only, plain, None, version or None)
    found = reference_of(plain[:_LONGEST], reading.base_urls)
    is_readable = _is_local if found.url is None else _is_elsewhere
    if len(plain) > _LONGEST or not is_readable(found, reading):
        raise unreadable(parameter, _EXPECTED)
    if only is not None and not is_canonical and _is_other(found, only):
        raise unreadable(parameter, f"a reference to a {only}, as {only}/id or id")
    return _value(found, version or None)


def _is_canonical(parameter: SearchParameter, reading: Reading) -> bool:
    return all(
        "canonical" in element_types(type_, parameter.code) for type_ in reading.types
    )


def _is_local(found: Reference, _: Reading) -> bool:
    return found.type in resource_types()


def _is_elsewhere(found: Reference, reading: Reading) -> bool:
    """Whether it is a URL of others; one of ours would name a resource."""
    url = found.url or ""
    if any(url.startswith(f"{base}/") for base in reading.base_urls):
        return False
    is_url = _ABSOLUTE.fullmatch(url) or _URN.fullmatch(url)
    return is_url is not None and "/../" not in f"{url}/"


def _is_other(found: Reference, only: str) -> bool:
    return found.type != only and found.type in resource_types()


def _value(found: Reference, version: str | None) -> ReferenceValue:
    if found.url is not None:
        return ReferenceValue(None, None, found.url, version)
    return ReferenceValue(found.type, found.id, None, version or found.version)


def holds(found: Reference, asked: ReferenceValue, _: str) -> bool:
    """Whether a reference of a resource points there."""
    if asked.version not in (None, found.version):
        return False
    if asked.id is None:
        return found.url is not None and found.url == asked.url
    return found.id == asked.id and asked.type in (None, found.type)


def holds_identifier(found: Reference, asked: TokenValue, _: str) -> bool:
    """Whether a logical reference names that identifier (`:identifier`)."""
    if found.identifier is None:
        return False
    system, value = found.identifier
    if asked.code is None:
        return system == asked.system
    return value == asked.code and asked.system in (None, system or "")


def patient_id(text: str, name: str, base_url: str) -> str:
    """Return the id of the one Patient that a value names, outside a search.

    Raises:
        FHIRError: `invalid` where it does not name exactly one Patient of this server.

    """
    found = reference_of(unescape(text), (base_url,))
    id_ = found.id if found.type == "Patient" and found.version is None else None
    if id_ is None and _ID.fullmatch(text) and text not in _PATH_IDS:
        id_ = text
    if id_ is None:
        raise FHIRError(
            IssueType.INVALID,
            f"The parameter {name[:64]} must name one Patient, as Patient/id or id.",
        )
    return id_
