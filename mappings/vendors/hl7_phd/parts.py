"""Uploads of a personal health gateway, taken apart into resources.

They are resources already and stay what they are: codes, categories, extensions,
identifiers and signals are not touched. What changes is where they point to: the
patient is the one to whom the service binds them, and Devices are those stored here.

https://hl7.org/fhir/uv/phd/
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from conformance import fhir_json
from conformance.issues import Severity
from conformance.validation import validate
from mappings.measurement import OutOfScope, Reason, Refusal

SYSTEM = "https://fhir-interop-service.org/fhir/sid/hl7-phd"
"""Our system of what a gateway calls a resource that it has not sent."""

TYPES = ("Device", "DeviceMetric", "Observation")
"""Types that are stored, each before those that refer to it."""

PATIENT = "Patient/"

_ELSEWHERE = re.compile(r"https?://.+/Patient/[^/]+(?:/_history/.*)?")
"""A reference to a patient of a server that it names."""

_NOBODY: frozenset[str] = frozenset()

_SYSID = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
"""System of IEEE 11073 system identifiers: the identity of a physical unit."""

_LISTS = ("identifier", "component")
"""Elements that are looked into, and so must be lists."""

_METHODS = frozenset({"POST", "PUT"})

_OURS = frozenset({"versionId", "lastUpdated"})
"""Members of `meta` that the service sets."""


class Part(NamedTuple):
    """A resource of an upload.

    Attributes:
        position: Where in the payload.
        resource: As it came, without what the service sets.
        names: What others of the upload, or of later ones, call it.
        identity: What is equal for the same thing sent again: an identifier, or the
            content where the gateway gives none.
        patients: References to the patients that it names.
        kept: What a retry needs of it: the resource as it came, in its entry where
            that calls it by a URL, or where it so calls its patient.

    """

    position: str
    resource: Mapping[str, Any]
    names: tuple[str, ...]
    identity: str
    patients: frozenset[str]
    kept: Mapping[str, Any]


def parts(payload: object) -> list[Part | Refusal | OutOfScope]:
    """Return what an upload holds, Devices first and each in the order it came.

    Args:
        payload: A Bundle, a resource, or a list of either.

    """
    found = list(_found(payload, "$"))
    return sorted(found, key=_rank)


def again(kept: Mapping[str, Any]) -> list[Part | Refusal | OutOfScope]:
    """Return what refused parts are today, in the order of an upload.

    Args:
        kept: Position → payload of its refusal: an entry, or a resource.

    """
    found = [
        one._replace(position=position)
        for position, payload in kept.items()
        for one in (_entry_or_resource(payload, position),)
    ]
    return sorted(found, key=_rank)


def _entry_or_resource(payload: Any, position: str) -> Part | Refusal | OutOfScope:
    if isinstance(payload, Mapping) and "resourceType" in payload:
        return _part(payload, position, None)
    named = payload.get("patient") if isinstance(payload, Mapping) else None
    patients = frozenset({named}) if isinstance(named, str) else _NOBODY
    return _entry(payload, position, patients)


def _rank(part: Part | Refusal | OutOfScope) -> tuple[int, bool]:
    """Return where a part belongs: coincident time stamps come before what is timed."""
    if not isinstance(part, Part):
        return 0, False
    named = _named(part.resource, "subject")
    return TYPES.index(part.resource["resourceType"]), named in part.patients


def _found(payload: object, position: str) -> Iterator[Part | Refusal | OutOfScope]:
    if isinstance(payload, list):
        for index, one in enumerate(payload):
            yield _part(one, f"{position}[{index}]", None)
    elif isinstance(payload, Mapping) and payload.get("resourceType") == "Bundle":
        given = payload.get("entry", [])
        entries = given if isinstance(given, list) else []
        patients = frozenset(_urls_of_patients(entries))
        for index, entry in enumerate(entries):
            yield _entry(entry, f"{position}.entry[{index}]", patients)
    else:
        yield _part(payload, position, None)


def _urls_of_patients(entries: Iterable[object]) -> Iterator[str]:
    """Yield what a Bundle calls the patients that are in it."""
    for entry in entries:
        if isinstance(entry, Mapping):
            resource, url = entry.get("resource"), entry.get("fullUrl")
            is_patient = (
                isinstance(resource, Mapping)
                and resource.get("resourceType") == "Patient"
            )
            if is_patient and isinstance(url, str):
                yield url


def patients_of(kept: object) -> frozenset[str]:
    """Return the references to patients in what is kept of a part."""
    found = {
        one
        for one in references(kept)
        if one.startswith(PATIENT) or _ELSEWHERE.fullmatch(one)
    }
    named = kept.get("patient") if isinstance(kept, Mapping) else None
    return frozenset(found | {named} if isinstance(named, str) else found)


def _named(resource: Mapping[str, Any], element: str) -> str | None:
    """Return the reference in an element; None where there is none."""
    value = resource.get(element)
    named = value.get("reference") if isinstance(value, Mapping) else None
    return named if isinstance(named, str) else None


def _entry(
    entry: object, position: str, patients: frozenset[str]
) -> Part | Refusal | OutOfScope:
    if not isinstance(entry, Mapping):
        return _refusal(position, "An entry is a JSON object.", entry)
    request = entry.get("request")
    method = request.get("method", "POST") if isinstance(request, Mapping) else "POST"
    if not isinstance(method, str) or method not in _METHODS:
        return _refusal(position, "An upload creates or updates.", entry)
    resource, full_url = entry.get("resource"), entry.get("fullUrl")
    return _part(resource, f"{position}.resource", full_url, patients)


def _refusal(position: str, detail: str, payload: object) -> Refusal:
    return Refusal(position, Reason.MALFORMED, None, detail, payload)


def _part(
    resource: Any,
    position: str,
    full_url: object,
    patients: frozenset[str] = _NOBODY,
) -> Part | Refusal | OutOfScope:
    entry = _as_kept(resource, full_url, patients)
    if not isinstance(resource, Mapping):
        return _refusal(position, "There is no resource.", entry)
    type_ = resource.get("resourceType")
    if type_ == "Patient":
        return OutOfScope(position, "patient")
    if type_ not in TYPES:
        detail = "The type of resource is not one of the guide."
        return Refusal(position, Reason.UNKNOWN_KIND, None, detail, entry)
    wrong = _wrong(resource)
    if wrong is not None:
        return _refusal(position, wrong, entry)
    kept = _kept(resource)
    return Part(
        position,
        kept,
        tuple(_names(resource, full_url)),
        f"{type_} {_identity(kept)}",
        patients_of(entry),
        entry,
    )


def _as_kept(resource: Any, full_url: object, patients: frozenset[str]) -> Any:
    """Return a resource in an entry, where that tells what it is called by a URL."""
    entry = {"fullUrl": full_url} if isinstance(full_url, str) else {}
    if isinstance(resource, Mapping):
        element = "patient" if resource.get("resourceType") == "Device" else "subject"
        named = _named(resource, element)
        if named is not None and named in patients:
            entry["patient"] = named
    return {**entry, "resource": resource} if entry else resource


def _wrong(resource: Mapping[str, Any]) -> str | None:
    """Return where a resource is not valid; None where it is."""
    for name in _LISTS:
        if not isinstance(resource.get(name, []), list):
            return f"{resource['resourceType']}.{name} is not valid."
    for issue in validate(resource):
        if issue.severity in (Severity.ERROR, Severity.FATAL):
            return f"{issue.expression or resource['resourceType']} is not valid."
    return None


def _kept(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource without its id and what the service sets of its meta."""
    meta = {
        name: value
        for name, value in resource.get("meta", {}).items()
        if name not in _OURS
    }
    kept = {
        name: value for name, value in resource.items() if name not in ("id", "meta")
    }
    return kept | {"meta": meta} if meta else kept


def _names(resource: Mapping[str, Any], full_url: object) -> Iterator[str]:
    if isinstance(full_url, str):
        yield full_url
    if "id" in resource:
        yield f"{resource['resourceType']}/{resource['id']}"


def identifiers(resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return system and value of a resource's identifiers, the unit's own first."""
    found = [
        (one["system"], one["value"])
        for one in resource.get("identifier", ())
        if "system" in one and "value" in one
    ]
    return sorted(found, key=lambda one: one[0] != _SYSID)


def _identity(resource: Mapping[str, Any]) -> str:
    for system, value in identifiers(resource):
        return f"identifier {system}|{value}"
    return f"content {digest(resource)}"


def digest(resource: Mapping[str, Any]) -> str:
    """Return what differs where the content of two resources differs."""
    return hashlib.sha256(fhir_json.dumps(resource)).hexdigest()


def references(value: object) -> Iterator[str]:
    """Yield the literal references of a resource."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name == "reference" and isinstance(part, str):
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def pointed(
    resource: Mapping[str, Any], target: Callable[[str], str | None]
) -> dict[str, Any]:
    """Return a resource that points to what is stored here.

    Args:
        resource: As it came.
        target: Reference of what is stored under a sender's; None where nothing is:
            then the sender's own becomes a logical reference, and nothing is lost.

    """
    return {name: _pointed(value, target) for name, value in resource.items()}


def _pointed(value: Any, target: Callable[[str], str | None]) -> Any:
    if isinstance(value, list):
        return [_pointed(part, target) for part in value]
    if not isinstance(value, Mapping):
        return value
    named = value.get("reference")
    found = {name: _pointed(part, target) for name, part in value.items()}
    if not isinstance(named, str) or named.startswith("#"):
        return found
    stored = target(named)
    if stored is not None:
        return {**found, "reference": stored}
    return _logical(found, named)


def _logical(found: dict[str, Any], named: str) -> dict[str, Any]:
    """Return a reference by identifier in place of one that leads nowhere here."""
    if named.startswith(("http:", "https:")) or "identifier" in found:
        return found
    logical = {name: value for name, value in found.items() if name != "reference"}
    type_ = named.partition("/")[0]
    if type_ in TYPES:
        logical["type"] = type_
    return logical | {"identifier": {"system": SYSTEM, "value": named}}
