"""A request and its response, whichever server carries them.

https://www.rfc-editor.org/rfc/rfc9110
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

Header = tuple[str, str]
"""A field's name, in lower case, and its value."""

Ticket = Future[Any]
"""Done when what a response depends on is durable; failed when it never will be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a client asked, its body complete.

    Attributes:
        method: As sent, such as `GET`.
        path: Percent-decoded, such as `/fhir/Patient/1`.
        query: As sent, after the `?`; "" where there is none.
        headers: Names in lower case; repeats joined as RFC 9110 §5.3 says.
        body: All of it, within the limit of its door.
        remote: Address of the client, as far as proxies are trusted.
        scheme: Of the public URL, whatever reached this process.
        host: Of the public URL, with its port where it has one.
        request_id: Names this request in logs, audit and response.

    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    remote: str
    scheme: str
    host: str
    request_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What a handler answers.

    Attributes:
        status: HTTP status.
        headers: In order; the door adds the defaults that are not among them.
        body: All of it.
        tickets: All are awaited before anything of the response leaves.
        route: Template of the route that answered, such as `/fhir/{type}/{id}`,
            for logs and metrics; never the path itself.

    """

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    tickets: tuple[Ticket, ...] = ()
    route: str = ""


Handler = Callable[[Request], Response]
"""Answers every request."""

HotRoutes = Callable[[Request], Response | None]
"""Answers the few requests it knows, quickly; None passes a request on."""


def no_hot_routes(_request: Request) -> None:
    """Know no request."""
