"""The entries of a batch or a transaction, read: what each asks for, and of whom.

Nothing here knows a database: what is refused here is refused by its form.

https://hl7.org/fhir/R4/http.html#transaction
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from conformance.issues import FHIRError, IssueType

CARRYING = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose entries hold a resource; those of all others hold none."""

WRITING = CARRYING | {"DELETE"}

_UNIQUE = {
    "urn:uuid:": re.compile(
        r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
    ),
    "urn:oid:": re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
}
"""Scheme → form of a `fullUrl` that only names an entry."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|//")


class Target(NamedTuple):
    """Where an entry's request goes, under the FHIR base.

    Attributes:
        path: Percent-decoded, such as `Patient/1`; "" for the base itself.
        query: As it was sent, after the `?`.

    """

    path: str
    query: str

    @property
    def type(self) -> str:
        """The first segment; of a path that names a type, the type."""
        return self.path.partition("/")[0]

    @property
    def id(self) -> str | None:
        """The second segment, if there are just two."""
        _, _, id_ = self.path.partition("/")
        return id_ if id_ and "/" not in id_ else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry of a batch or a transaction.

    Attributes:
        index: Its place among the entries, from 0.
        method: HTTP method.
        target: Where it goes.
        resource: What it carries; None where its method carries nothing.
        full_url: What other entries call it.
        conditions: Header in lower case → value.

    """

    index: int
    method: str
    target: Target
    resource: dict[str, Any] | None
    full_url: str | None
    conditions: Mapping[str, str]

    @property
    def place(self) -> str:
        """FHIRPath of the entry."""
        return place_of(self.index)

    @property
    def writes(self) -> bool:
        """Whether its method changes something."""
        return self.method in WRITING


CONDITIONS = {
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifMatch": "if-match",
    "ifNoneExist": "if-none-exist",
}
"""Element of `Bundle.entry.request` → the header that it stands for."""


def place_of(index: int) -> str:
    """Return the FHIRPath of an entry."""
    return f"Bundle.entry[{index}]"


def read_entry(raw: Mapping[str, Any], index: int, bases: Sequence[str]) -> Entry:
    """Return an entry of a valid frame.

    Args:
        raw: The entry.
        index: Its place.
        bases: Our base URLs.

    Raises:
        FHIRError: `invalid` for a URL that leads elsewhere, a resource that does not
            go with the method, a `fullUrl` that is malformed; `not-supported` for a
            Bundle within the Bundle.

    """
    request, place = raw["request"], place_of(index)
    entry = Entry(
        index=index,
        method=request["method"],
        target=_target(request["url"], bases, f"{place}.request.url"),
        resource=raw.get("resource"),
        full_url=raw.get("fullUrl"),
        conditions={
            header: request[name]
            for name, header in CONDITIONS.items()
            if name in request
        },
    )
    _refuse_mismatch(entry)
    _refuse_malformed(entry)
    return entry


def _target(url: str, bases: Sequence[str], place: str) -> Target:
    """Return where a URL goes: relative to the base, or absolute with it."""
    text = next(
        (url[len(base) + 1 :] for base in bases if url.startswith(f"{base}/")), url
    )
    path, _, query = text.partition("?")
    if _SCHEME.match(path):
        raise FHIRError(IssueType.INVALID, "The URL is not of this server.", place)
    path = unquote(path.removeprefix("/"))
    segments = path.split("/") if path else []
    if "#" in text or not path.isprintable() or not all(map(_is_plain, segments)):
        raise FHIRError(
            IssueType.INVALID, "The URL is not a path under the FHIR base.", place
        )
    return Target(path, query)


def _is_plain(segment: str) -> bool:
    return segment not in {"", ".", ".."} and "\\" not in segment


def _refuse_mismatch(entry: Entry) -> None:
    carries = entry.method in CARRYING
    if carries != (entry.resource is not None):
        raise FHIRError(
            IssueType.INVALID,
            f"An entry of method {entry.method} holds "
            f"{'a' if carries else 'no'} resource.",
            f"{entry.place}.resource",
        )
    if entry.resource is None:
        return
    if entry.resource.get("resourceType") == "Bundle" or not entry.target.path:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "A Bundle within a Bundle is not processed.",
            f"{entry.place}.resource",
        )


def _refuse_malformed(entry: Entry) -> None:
    url = entry.full_url or ""
    for scheme, form in _UNIQUE.items():
        if url.lower().startswith(scheme) and form.fullmatch(url) is None:
            raise FHIRError(
                IssueType.INVALID,
                f"The fullUrl is no {scheme.removesuffix(':')}.",
                f"{entry.place}.fullUrl",
            )
