"""By what it is remembered what resources of one frame have in common.

https://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from conformance import frames

Resource = Mapping[str, Any]

_NUMBERED = frozenset({"versionId", "lastUpdated"})
"""Elements of `meta` that differ from version to version."""


class Frame(NamedTuple):
    """The frame of a resource; what is remembered under it can be read by nobody.

    Attributes:
        digest: Of everything whose replacement could change labels, signature or
            which parameters find anything.
        rest: Of the same without `meta`.

    """

    digest: bytes
    rest: bytes


def frame_of(resource: Resource, secret: bytes) -> Frame | None:
    """Return the frame of a resource; None where it has none.

    Args:
        resource: Of any shape.
        secret: Keys the digests, so that nobody can test guesses.

    """
    text = frames.frame_of(resource)
    if text is None or _SAMPLED in text:
        return None
    return under(_digest(text, b"", secret), resource, secret)


_SAMPLED = "'valueSampledData'"
"""Its quantities could be taken for those of the reading beside it."""


def under(rest: bytes, resource: Resource, secret: bytes) -> Frame:
    """Return the frame of what differs from a known one in `id` and `meta` alone."""
    meta = resource.get("meta")
    if isinstance(meta, dict):
        meta = [item for item in meta.items() if item[0] not in _NUMBERED]
    return Frame(_digest(repr(meta), rest, secret), rest)


def _digest(text: str, after: bytes, secret: bytes) -> bytes:
    written = after + text.encode("utf-8", "surrogatepass")
    return blake2b(written, key=secret, digest_size=16).digest()
