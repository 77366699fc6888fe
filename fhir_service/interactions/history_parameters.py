"""What a history is asked for: since when, current when, how much of it.

https://hl7.org/fhir/R4/http.html#history
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from conformance.date_range import date_range
from conformance.issues import FHIRError, IssueType
from fhir_service.rest.message import Request
from fhir_service.rest.parameters import Pair, parameters
from fhir_service.rest.prefer import prefer
from fhir_service.rest.projection import Projection, projection
from fhir_service.storage.history import Window

PAGE = "_page"
"""Our own parameter that carries the continuation token."""

DEFAULT_COUNT = 50
MAX_COUNT = 1000

PARAMETERS = frozenset(
    {"_at", "_count", "_elements", "_format", "_pretty", "_since", "_summary"}
)
"""What a history takes."""

NARROWING = frozenset({"_list", "_type"})
"""Parameters of the standard that leave something out; without them the answer would
be wider than the question, so that they are refused even leniently."""

_ONCE = ("_at", "_count", "_since", PAGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A history as it was asked for.

    Attributes:
        path: Below the base, such as `Patient/1/_history`.
        window: Which versions.
        count: Entries on a page; 0 for none.
        shown: Which part of each resource.
        applied: The parameters that were understood, without the page.
        ignored: Names of those that were not.
        page: The continuation token.

    """

    path: str
    window: Window
    count: int
    shown: Projection
    applied: tuple[Pair, ...]
    ignored: tuple[str, ...]
    page: str | None


def asked_of(request: Request, path: str, zone: tzinfo) -> Asked:
    """Return what a request asks for.

    Args:
        request: The request.
        path: Below the base.
        zone: Of dates without an offset.

    Raises:
        FHIRError: `invalid` for a value that cannot be read, `not-supported` for a
            parameter that is not known, where it would narrow the answer or strict
            handling is preferred.

    """
    pairs = parameters(request)
    values = _once(pairs)
    known = PARAMETERS | {PAGE}
    ignored = tuple(dict.fromkeys(name[:64] for name, _ in pairs if name not in known))
    is_strict = prefer(request).is_strict
    for name in ignored:
        if is_strict or name.partition(":")[0] in NARROWING:
            raise FHIRError(
                IssueType.NOT_SUPPORTED,
                f"The parameter {name!r} is not supported here.",
            )
    shown = projection(pairs)
    return Asked(
        path=path,
        window=_window(values, zone),
        count=0 if shown.summary == "count" else _count(values.get("_count")),
        shown=shown,
        applied=tuple(pair for pair in pairs if pair[0] in PARAMETERS),
        ignored=ignored,
        page=values.get(PAGE),
    )


def _once(pairs: Iterable[Pair]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in _ONCE:
            if name in values:
                raise FHIRError(IssueType.INVALID, f"{name} is given once.")
            values[name] = value
    return values


def _count(value: str | None) -> int:
    if value is None:
        return DEFAULT_COUNT
    if not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004 - more digits than any page
        raise FHIRError(IssueType.INVALID, "_count is a whole number, 0 or more.")
    return min(int(value), MAX_COUNT)


def _window(values: Mapping[str, str], zone: tzinfo) -> Window:
    since, at = values.get("_since"), values.get("_at")
    window = Window(at=None if at is None else _interval("_at", at, zone))
    if since is None:
        return window
    return Window(since=_interval("_since", since, zone)[0], at=window.at)


def _interval(name: str, value: str, zone: tzinfo) -> tuple[int, int]:
    try:
        return date_range(value.replace(" ", "+"), zone)
    except (FHIRError, ValueError):
        raise FHIRError(
            IssueType.INVALID,
            f"{name} is an instant, as 2026-01-31T08:00:00Z, or a date.",
        ) from None
