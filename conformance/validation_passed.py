"""Frames of which a resource was valid: another reading in them is valid as well.

So it is as long as no constraint on an Observation asks for more of a reading than
its form and its precision; a test walks every profile. Warnings are remembered, which
hold no value of a resource, but no error; and of the resource, a digest under a key of
this process.

https://hl7.org/fhir/R4/validation.html
"""

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from conformance.frames import frame_of
from conformance.issues import Issue
from conformance.validation_primitives import value_check

REMEMBERED_FRAMES = 4_096

_CONTAINED = "'contained'"
"""Whether anything refers to a contained resource is asked of the whole."""


class Passed:
    """The frames that were found valid last."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[Issue, ...]] = {}
        self._guard = threading.Lock()

    def frame(self, resource: Any, profiles: Sequence[str]) -> bytes | None:
        """Return by what a resource is remembered; None where it is looked at always.

        Args:
            resource: Of any shape.
            profiles: What it is to meet beside the profiles that it claims.

        """
        text = frame_of(resource) if isinstance(resource, dict) else None
        if text is None or _CONTAINED in text or not _is_formed(resource):
            return None
        whole = f"{tuple(profiles)!r}{resource.get('meta')!r}{text}"
        written = whole.encode("utf-8", "surrogatepass")
        return blake2b(written, key=self._secret, digest_size=16).digest()

    def warnings(self, frame: bytes) -> tuple[Issue, ...] | None:
        """Return the warnings of a frame; None where no such resource was valid."""
        return self._known.get(frame)

    def add(self, frame: bytes, warnings: Sequence[Issue]) -> None:
        """Remember a frame; the oldest is forgotten."""
        with self._guard:
            self._known[frame] = tuple(warnings)
            if len(self._known) > REMEMBERED_FRAMES:
                del self._known[next(iter(self._known))]


def _is_formed(resource: Mapping[str, Any]) -> bool:
    """Whether all that a frame leaves out has the form of its type."""
    return all(
        value_check(type_)(value) is None for type_, value in _left_out(resource)
    )


def _left_out(resource: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield type and value of every primitive that is not in the frame."""
    for name, type_ in _TYPES.items():
        if name in resource:
            yield type_, resource[name]
    for identifier in _objects(resource.get("identifier")):
        if "value" in identifier:
            yield "string", identifier["value"]
    for holder in (resource, *_objects(resource.get("component"))):
        quantity = holder.get("valueQuantity")
        if isinstance(quantity, dict) and "value" in quantity:
            yield "decimal", quantity["value"]


_TYPES = {"id": "id", "effectiveDateTime": "dateTime", "issued": "instant"}


def _objects(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, dict)]
