"""An entry of a Bundle as an exchange of its own, and its faults told by its place.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from conformance.issues import FHIRError, Issue, IssueType
from consent.audit.entry import Interaction
from fhir_service.exchange import Exchange, Handler
from fhir_service.interactions.bundles.entries import Entry
from fhir_service.rest.bundle_response import Answered
from fhir_service.rest.content import FHIR_JSON
from fhir_service.rest.message import Request

Find = Callable[[Request], tuple[Interaction, Handler]]
"""Returns what the audit calls a request, and what answers it; refuses where nothing
does."""

BASE_PATH = "/fhir"

_KEPT = ("prefer", "user-agent")
"""Headers of the Bundle's request that hold for each entry."""


def request_of(exchange: Exchange, entry: Entry, body: bytes, type_: str) -> Request:
    """Return an entry as the request that it stands for.

    Args:
        exchange: Of the Bundle.
        entry: The entry.
        body: Of the request.
        type_: Content type of the body.

    """
    kept = exchange.request.headers
    headers = {name: kept[name] for name in _KEPT if name in kept}
    path = entry.target.path
    return replace(
        exchange.request,
        method=entry.method,
        path=f"{BASE_PATH}/{path}" if path else BASE_PATH,
        query=entry.target.query,
        headers={**headers, **entry.conditions, "content-type": type_},
        body=body,
    )


def part(
    exchange: Exchange,
    entry: Entry,
    interaction: Interaction = Interaction.UNKNOWN,
    *,
    body: bytes = b"",
    type_: str = FHIR_JSON,
) -> Exchange:
    """Return the exchange of one entry, for the same grant and the same batch."""
    return Exchange(
        services=exchange.services,
        request=request_of(exchange, entry, body, type_),
        now_us=exchange.now_us,
        interaction=interaction,
        resource_type=entry.target.type,
        grant=exchange.grant,
        batch=exchange.batch,
    )


MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of all that the entries of one Bundle show; what comes after is not looked up."""


class Shown:
    """How much the entries of one Bundle have shown."""

    def __init__(self) -> None:
        self._size = 0

    def add(self, answered: Answered) -> Answered:
        """Count what an entry shows, and return it."""
        self._size += len(answered.resource) + len(answered.outcome)
        return answered

    def refuse_more(self) -> None:
        """Refuse another entry where enough has been shown.

        Raises:
            FHIRError: `too-costly`.

        """
        if self._size > MAX_ANSWER_BYTES:
            raise FHIRError(
                IssueType.TOO_COSTLY,
                "The entries before this one show too much: ask in several Bundles.",
            )


@contextmanager
def told_at(entry: Entry) -> Iterator[None]:
    """Tell whatever is refused within by the place of the entry."""
    try:
        yield
    except FHIRError as error:
        error.issues = tuple(_at(entry, issue) for issue in error.issues)
        raise


def _at(entry: Entry, issue: Issue) -> Issue:
    inner = issue.expression or ""
    if inner.startswith("Bundle."):
        return issue
    type_ = str((entry.resource or {}).get("resourceType"))
    if inner in {type_, "resourceType"} or inner.startswith(f"{type_}."):
        within = inner.removeprefix(type_).removeprefix(".")
        place = f"{entry.place}.resource"
        return replace(issue, expression=f"{place}.{within}" if within else place)
    return replace(issue, expression=entry.place)
