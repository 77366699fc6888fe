"""The one door: from a socket to a handler, and back when the audit is durable.

A body is read here, on the event loop, so that no stalled client holds a handler
thread. The hot routes are asked first, in a lane of their own; whatever they do not
know, and everything with a body, goes to the application in another lane, so that
an upload does not make a read wait.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from conformance.issues import FHIRError, IssueType
from fhir_service.errors import outcome_bytes, status_of
from fhir_service.logs import AccessLog
from fhir_service.metrics import Metrics
from fhir_service.rest.body import (
    Held,
    Limits,
    Pieces,
    arriving,
    drain,
    has_body,
    pieces,
    read_body,
    refuse_declared,
)
from fhir_service.rest.headers import (
    DEFAULTS,
    HTTPS_DEFAULTS,
    RequestIds,
    client_address,
    completed,
    joined,
)
from fhir_service.rest.lanes import Lane, Replies, Reply
from fhir_service.rest.message import (
    Handler,
    Header,
    HotRoutes,
    Request,
    Response,
    no_hot_routes,
)
from fhir_service.settings import Settings

FLUSH_S = 0.25
"""Seconds after which gathered access lines are written."""

EXPIRE_S = 0.5
"""Seconds between two looks for requests beyond their deadline."""

CLOSE_S = 5.0
"""Seconds for which closing waits for a handler thread."""

FHIR_JSON = ("content-type", "application/fhir+json; fhirVersion=4.0")

RETRY_AFTER = ("retry-after", "5")

HOT_METHODS = frozenset({"GET", "HEAD"})
"""Methods that the hot routes may know."""

DOOR_ROUTE = "door"
"""Route of a response that the door gave itself."""

_REASONS: Mapping[IssueType, str] = {
    IssueType.TOO_LONG: "too-long",
    IssueType.TIMEOUT: "timeout",
    IssueType.INCOMPLETE: "incomplete",
    IssueType.TRANSIENT: "throttled",
}
"""Why a body was refused, in the words of the metrics."""

_log = structlog.get_logger()


def _nothing() -> None:
    """Close nothing."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the door serves.

    Attributes:
        handle: Answers every request; `wsgi_handler(flask_app)` is one.
        hot: Asked first for GET and HEAD at `hot_prefixes`. It answers denials
            itself, with their tickets: what it raises gets 500.
        hot_prefixes: Starts of the paths that the hot routes may know.
        metrics: Counts requests; `/metrics` renders the same object.
        close: Called when the last request has been answered.

    """

    handle: Handler
    metrics: Metrics
    hot: HotRoutes = no_hot_routes
    hot_prefixes: tuple[str, ...] = ("/fhir/",)
    close: Callable[[], None] = field(default=_nothing)


class Scope(Protocol):
    """What RSGI tells of a request."""

    method: str
    path: str
    query_string: str
    client: str

    @property
    def headers(self) -> "Fields":
        """The fields, names in lower case."""


class Fields(Protocol):
    """RSGI's header fields."""

    def items(self) -> Iterable[Header]:
        """Return every field, repeats included."""


class Exchange(Protocol):
    """RSGI's HTTP protocol: the body comes from it, the response goes to it."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces of the body."""

    def response_bytes(self, status: int, headers: list[Header], body: bytes) -> None:
        """Send the response."""

    def response_empty(self, status: int, headers: list[Header]) -> None:
        """Send a response without a body."""


def limits_of(settings: Settings) -> Limits:
    """Return the limits on bodies that the settings name."""
    return Limits(
        by_prefix=(
            ("/fhir", settings.fhir_body_bytes),
            ("/device-data/", settings.device_body_bytes),
        ),
        elsewhere=settings.form_body_bytes,
        memory=settings.body_memory_bytes,
        deadline_s=settings.body_deadline_s,
    )


class Door:
    """An RSGI application in front of a `Service`; one a process."""

    def __init__(
        self, service: Service, settings: Settings, access_log: AccessLog | None
    ) -> None:
        self._service = service
        self._settings = settings
        self._access_log = access_log
        self._limits = limits_of(settings)
        self._held = Held(self._limits.memory)
        self._ids = RequestIds()
        self._pending: dict[Reply, tuple[float, Request]] = {}
        self._scheme, _, self._host = settings.public_url.partition("://")
        self._defaults = HTTPS_DEFAULTS if self._scheme == "https" else DEFAULTS

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the lanes; called once, before the first request."""
        self._loop = loop
        replies = Replies(loop)
        self._hot = Lane(
            "hot",
            guarded(self._service.hot, self._service.metrics),
            threads=self._settings.hot_threads,
            replies=replies,
            undurable=self._undurable,
        )
        self._slow = Lane(
            "handler",
            guarded(self._service.handle, self._service.metrics),
            threads=self._settings.threads,
            replies=replies,
            undurable=self._undurable,
        )
        self._expire()
        if self._access_log is not None:
            self._flush(self._access_log)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """End the lanes and close the service; called once, after the last request."""
        self._hot.close(CLOSE_S)
        self._slow.close(CLOSE_S)
        self._service.close()
        if self._access_log is not None:
            self._access_log.flush()

    def _flush(self, access_log: AccessLog) -> None:
        access_log.flush()
        self._loop.call_later(FLUSH_S, self._flush, access_log)

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        started = time.perf_counter()
        headers = joined(scope.headers.items())
        id_ = self._ids.of(headers)
        if has_body(headers):
            limit = self._limits.at(scope.path)
            with pieces(self._held, limit) as parts:
                response = await self._read_and_answer(
                    scope, exchange, headers, parts, limit, id_
                )
        else:
            response = await self._answer(self._request(scope, headers, b"", id_))
        self._send(exchange, response, id_)
        self._note(scope.method, response, id_, time.perf_counter() - started)

    async def _read_and_answer(  # noqa: PLR0913, PLR0917 - a request's parts, once
        self,
        scope: Scope,
        exchange: Exchange,
        headers: dict[str, str],
        parts: Pieces,
        limit: int,
        id_: str,
    ) -> Response:
        async with aclosing(arriving(exchange)) as incoming:
            try:
                refuse_declared(headers, limit)
                await read_body(incoming, headers, parts, self._limits)
            except FHIRError as error:
                self._service.metrics.refused(_REASONS.get(error.type, "incomplete"))
                if error.type is not IssueType.TIMEOUT:
                    await drain(incoming)
                return refusal(error, id_)
        return await self._answer(self._request(scope, headers, parts.body(), id_))

    async def _answer(self, request: Request) -> Response:
        """Ask the hot routes, where they may know the path, then the application."""
        response = None
        if request.method in HOT_METHODS and request.path.startswith(
            self._service.hot_prefixes
        ):
            response = await self._ask(self._hot, request)
        if response is None:
            response = await self._ask(self._slow, request)
        return response or self._late(request)

    async def _ask(self, lane: Lane, request: Request) -> Response | None:
        reply: Reply = self._loop.create_future()
        deadline = self._loop.time() + self._settings.response_deadline_s
        self._pending[reply] = (deadline, request)
        lane.put(request, reply)
        try:
            return await reply
        finally:
            del self._pending[reply]

    def _expire(self) -> None:
        """Answer what waits beyond its deadline; the oldest come first."""
        now = self._loop.time()
        for reply, (deadline, request) in self._pending.items():
            if deadline > now:
                break
            if not reply.done():
                reply.set_result(self._late(request))
        self._loop.call_later(EXPIRE_S, self._expire)

    def _request(
        self, scope: Scope, headers: dict[str, str], body: bytes, id_: str
    ) -> Request:
        return Request(
            method=scope.method,
            path=scope.path,
            query=scope.query_string,
            headers=headers,
            body=body,
            remote=client_address(
                scope.client,
                headers.get("x-forwarded-for"),
                self._settings.trusted_proxies,
            ),
            scheme=self._scheme,
            host=self._host,
            request_id=id_,
        )

    def _late(self, request: Request) -> Response:
        _log.error("response-late", request_id=request.request_id)
        self._service.metrics.refused("late")
        error = FHIRError(
            IssueType.TRANSIENT,
            "The request was not answered in time; it may have been carried out.",
        )
        return refusal(error, request.request_id)

    def _undurable(self, request: Request) -> Response:
        _log.error("not-durable", request_id=request.request_id)
        self._service.metrics.failed("durability")
        error = FHIRError(
            IssueType.NO_STORE, "The request could not be recorded durably."
        )
        return refusal(error, request.request_id)

    def _send(self, exchange: Exchange, response: Response, id_: str) -> None:
        headers = completed(response.headers, self._defaults, id_)
        if response.body:
            exchange.response_bytes(response.status, headers, response.body)
        else:
            exchange.response_empty(response.status, headers)

    def _note(self, method: str, response: Response, id_: str, seconds: float) -> None:
        self._service.metrics.request(
            method=method,
            route=response.route,
            status=response.status,
            seconds=seconds,
        )
        if self._access_log is not None:
            self._access_log.add(
                request_id=id_,
                method=method,
                route=response.route,
                status=response.status,
                seconds=seconds,
            )


def refusal(error: FHIRError, id_: str) -> Response:
    """Return the response that the door itself gives for `error`."""
    status = status_of(error)
    busy = status == status_of(FHIRError(IssueType.TRANSIENT, ""))
    return Response(
        status=status,
        headers=(FHIR_JSON, RETRY_AFTER) if busy else (FHIR_JSON,),
        body=outcome_bytes(error, id_),
        route=DOOR_ROUTE,
    )


def guarded(
    handle: Callable[[Request], Response | None], metrics: Metrics
) -> Callable[[Request], Response | None]:
    """Return `handle`, with 500 and a log line where it raises."""

    def answer(request: Request) -> Response | None:
        try:
            return handle(request)
        except Exception as error:  # noqa: BLE001 - the error handler of last resort
            _log.error("failed", request_id=request.request_id, exc_info=error)
            metrics.failed("handler")
            failure = FHIRError(
                IssueType.EXCEPTION, "The service failed to answer; see its log."
            )
            return refusal(failure, request.request_id)

    return answer
