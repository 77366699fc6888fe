"""Ask a WSGI application, such as Flask's, with a body that has arrived.

https://peps.python.org/pep-3333/
"""

import io
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fhir_service.rest.message import Handler, Header, Request, Response, Ticket

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

TICKETS = "fhir_service.tickets"
"""Key of the environ: a list of Futures that handlers append to. The door awaits
them before the response leaves."""

ROUTE = "fhir_service.route"
"""Key of the environ: where the application puts its route's template, for logs
and metrics."""

REQUEST_ID = "fhir_service.request_id"
"""Key of the environ: the id of the request."""

UNROUTED = "unrouted"
"""The route of a request for which the application has named none."""

_BODILESS = frozenset({204, 304})
_OURS = frozenset({"content-length", "connection", "x-request-id"})
"""Fields that the server writes itself."""


def wsgi_handler(application: "WSGIApplication") -> Handler:
    """Return a handler that asks `application`."""

    def handle(request: Request) -> Response:
        environ = make_environ(request)
        answer = _Answer()
        body = _collected(application(environ, answer.start))
        if answer.status == 0:
            raise ValueError("the application did not start its response")
        return Response(
            status=answer.status,
            headers=tuple(_kept(answer.headers, request, answer.status)),
            body=body,
            tickets=tuple(environ[TICKETS]),
            route=str(environ.get(ROUTE, UNROUTED)),
        )

    return handle


def _kept(headers: list[Header], request: Request, status: int) -> Iterable[Header]:
    """Drop what the server writes itself, but the length of an absent body."""
    bodiless = request.method == "HEAD" or status in _BODILESS
    for name, value in headers:
        if name not in _OURS or (bodiless and name == "content-length"):
            yield name, value


class _Answer:
    """Takes `start_response`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[Header] = []

    def start(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: "tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None" = None,  # noqa: E501 - typeshed's shape
        /,
    ) -> Callable[[bytes], object]:
        """Take the status and the fields; nothing has been sent yet (PEP 3333)."""
        del exc_info
        self.status = int(status[:3])
        self.headers = [(name.lower(), value) for name, value in headers]
        return _refuse_write


def _refuse_write(_data: bytes) -> object:
    raise NotImplementedError("write() of PEP 3333 is not offered")


def _collected(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close: Callable[[], object] | None = getattr(parts, "close", None)
        if close is not None:
            close()


def make_environ(request: Request) -> "WSGIEnvironment":
    """Return the environ of `request` (PEP 3333 §environ Variables)."""
    host, _, port = request.host.partition(":")
    tickets: list[Ticket] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode("utf-8").decode("latin-1"),
        "QUERY_STRING": request.query.encode("utf-8").decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": port or _PORTS[request.scheme],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        TICKETS: tickets,
        REQUEST_ID: request.request_id,
    }
    for name, value in request.headers.items():
        if name not in _NOT_HTTP:
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ["HTTP_HOST"] = request.host
    if "content-type" in request.headers:
        environ["CONTENT_TYPE"] = request.headers["content-type"]
    return environ


_PORTS = {"http": "80", "https": "443"}

_NOT_HTTP = frozenset(
    {
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "proxy",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
    }
)
"""Fields that the environ holds elsewhere, or that nobody may believe."""
