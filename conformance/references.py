"""What a reference points at: a resource of ours, of another server, or none.

https://hl7.org/fhir/R4/references.html
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_LOCAL = re.compile(
    r"(?P<type>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9.-]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9.-]{1,64}))?"
)
_FOREIGN = re.compile(r"https?://[^\s|]+?/(?P<local>[A-Z][A-Za-z]{1,63}/[^\s|]+)")
_LONGEST = 2048
_PATH_IDS = frozenset({".", ".."})


class Reference(NamedTuple):
    """A reference, taken apart.

    Attributes:
        type: Resource type, as far as the text or `Reference.type` tells.
        id: Logical id of a resource *of this server*; None for every other.
        url: The text where it is no resource of this server: absolute on another
            base, `urn:`, `#contained`, canonical.
        version: Version that was named: of the resource, or of the canonical.
        identifier: System and value of a logical reference.

    """

    type: str | None
    id: str | None
    url: str | None = None
    version: str | None = None
    identifier: tuple[str | None, str | None] | None = None

    @property
    def local(self) -> str | None:
        """`Type/id` of a resource of this server, without a version."""
        return f"{self.type}/{self.id}" if self.id else None


@lru_cache(maxsize=16_384)
def reference_of(text: str, base_urls: tuple[str, ...] = ()) -> Reference:
    """Return what the text of a reference points at.

    Args:
        text: `Type/id`, with or without a version; absolute; `urn:`; `#contained`.
        base_urls: Base URLs under which this server is known.

    """
    own = next((url for url in base_urls if text.startswith(f"{url}/")), None)
    match = _LOCAL.fullmatch(text[len(own) + 1 :] if own else text)
    if match and match["id"] not in _PATH_IDS:
        return Reference(match["type"], match["id"], version=match["version"])
    return Reference(_foreign_type(text), None, url=text)


def _foreign_type(text: str) -> str | None:
    foreign = _FOREIGN.fullmatch(text) if len(text) <= _LONGEST else None
    match = _LOCAL.fullmatch(foreign["local"]) if foreign else None
    return match["type"] if match else None


def canonical_of(text: str, base_urls: tuple[str, ...] = ()) -> Reference:
    """Return what a canonical points at; `url|version` is taken apart."""
    url, _, version = text.partition("|")
    reference = reference_of(url, base_urls)
    return reference._replace(version=version) if version else reference


def reference_in(
    element: Mapping[str, Any], base_urls: tuple[str, ...] = ()
) -> Reference | None:
    """Return what a Reference element points at, or None where it says nothing."""
    text = element.get("reference")
    if text is not None:
        reference = reference_of(text, base_urls)
        if reference.type or "type" not in element:
            return reference
        return reference._replace(type=element["type"])
    if identifier := element.get("identifier"):
        pair = identifier.get("system"), identifier.get("value")
        return Reference(element.get("type"), None, identifier=pair)
    return None
