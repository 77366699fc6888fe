"""Every path of the service, in one table for FHIR and the device door.

The same functions answer behind Flask and, for the hot reads, in front of it.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint
from flask import Response as FlaskResponse
from flask import request as flask_request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.routing import Rule

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.exchange import (
    Exchange,
    Services,
    answer,
)
from fhir_service.ingest import door
from fhir_service.interactions import published, read, search, write
from fhir_service.rest.content import (
    as_asked,
    refuse_long_queries,
    refuse_other_formats,
)
from fhir_service.rest.message import Request, Response
from fhir_service.rest.refusals import MethodNotAllowed
from fhir_service.rest.wsgi import REQUEST_ID, ROUTE, TICKETS

ID = r"[A-Za-z0-9.\-]{1,64}"
TYPE = r"[A-Z][A-Za-z]{1,63}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        method: HTTP method.
        template: The path as logs and metrics show it.
        pattern: What matches it; its groups are the handler's arguments.
        interaction: What the audit calls it.
        handler: Answers it.
        is_hot: Whether it is answered in front of Flask.

    """

    method: str
    template: str
    pattern: re.Pattern[str]
    interaction: Interaction
    handler: Callable[..., Response]
    is_hot: bool = False


def _route(
    method: str,
    template: str,
    interaction: Interaction,
    handler: Callable[..., Response],
    *,
    is_hot: bool = False,
) -> Route:
    pattern = template.replace("{type}", f"({TYPE})").replace("{id}", f"({ID})")
    pattern = pattern.replace("{source}", r"([a-z0-9\-]{1,64})")
    return Route(
        method=method,
        template=template,
        pattern=re.compile(pattern),
        interaction=interaction,
        handler=handler,
        is_hot=is_hot,
    )


ROUTES: tuple[Route, ...] = (
    _route("GET", "/fhir/metadata", Interaction.CAPABILITIES, published.metadata),
    _route("GET", "/fhir/CodeSystem/{id}", Interaction.READ, published.code_system),
    _route("GET", "/fhir/{type}", Interaction.SEARCH, search.search, is_hot=True),
    _route("GET", "/fhir/{type}/{id}", Interaction.READ, read.read, is_hot=True),
    _route("POST", "/fhir/{type}", Interaction.CREATE, write.create),
    _route("PUT", "/fhir/{type}/{id}", Interaction.UPDATE, write.update),
    _route("POST", "/device-data/{source}", Interaction.INGEST, door.receive),
)
"""Every path that is audited here; the first that matches answers."""


def find(request: Request) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a request and what its path names.

    Raises:
        FHIRError: `not-found` for a path nobody answers, and 405 where it is the
            method.

    """
    other_method = False
    for route in ROUTES:
        match = route.pattern.fullmatch(request.path)
        if match is None:
            continue
        if route.method == request.method or (
            request.method == "HEAD" and route.method == "GET"
        ):
            return route, match.groups()
        other_method = True
    if other_method:
        raise MethodNotAllowed
    raise FHIRError(IssueType.NOT_FOUND, "There is nothing at this path.")


def respond(services: Services, request: Request) -> Response:
    """Answer one request to FHIR or to the device door."""
    try:
        route, names = find(request)
    except FHIRError as error:
        return _unrouted(services, request, error)
    return _respond(services, request, route, names)


def _unrouted(services: Services, request: Request, error: FHIRError) -> Response:
    def refuse(_exchange: Exchange) -> Response:
        raise error

    return answer(_exchange(services, request, Interaction.UNKNOWN), refuse)


def _exchange(
    services: Services, request: Request, interaction: Interaction
) -> Exchange:
    return Exchange(
        services=services,
        request=request,
        now_us=services.clock(),
        interaction=interaction,
    )


def _respond(
    services: Services, request: Request, route: Route, names: tuple[str, ...]
) -> Response:
    def handle(exchange: Exchange) -> Response:
        refuse_long_queries(exchange.request)
        refuse_other_formats(exchange.request)
        return as_asked(exchange.request, route.handler(exchange, *names))

    exchange = _exchange(services, request, route.interaction)
    return answer(exchange, handle, route.template)


def hot_routes(services: Services) -> Callable[[Request], Response | None]:
    """Return what answers the hot reads in front of Flask."""

    def try_hot(request: Request) -> Response | None:
        if request.method != "GET":
            return None
        for route in ROUTES:
            match = route.pattern.fullmatch(request.path)
            if match is not None and route.method == "GET":
                if not route.is_hot:
                    return None
                return _respond(services, request, route, match.groups())
        return None

    return try_hot


PATHS = (
    "/fhir",
    "/fhir/",
    "/fhir/<path:path>",
    "/device-data/",
    "/device-data/<path:path>",
)
"""What Flask hands to `respond`, whichever method it is."""


def fhir_blueprint(services: Services) -> Blueprint:
    """Return the same routes behind Flask.

    Every method comes here, known or not: what is refused is audited too.
    """
    blueprint = Blueprint("fhir", __name__)

    def view(path: str = "") -> FlaskResponse:
        del path
        return flask_response(respond(services, flask_to_request(services)))

    def register(state: BlueprintSetupState) -> None:
        state.app.view_functions[blueprint.name] = view
        for path in PATHS:
            state.app.url_map.add(Rule(path, endpoint=blueprint.name))

    blueprint.record(register)
    return blueprint


def flask_to_request(services: Services) -> Request:
    """Return the request that Flask is answering."""
    environ = flask_request.environ
    scheme, _, host = services.base_url.removesuffix("/fhir").partition("://")
    return Request(
        method=flask_request.method,
        path=flask_request.path,
        query=flask_request.query_string.decode("latin-1"),
        headers={name.lower(): value for name, value in flask_request.headers},
        body=flask_request.get_data(cache=False),
        remote=flask_request.remote_addr or "",
        scheme=scheme,
        host=host,
        request_id=environ.get(REQUEST_ID) or secrets.token_hex(8),
    )


def flask_response(response: Response) -> FlaskResponse:
    """Return `response` as Flask's; its tickets go to the door, or are awaited."""
    environ = flask_request.environ
    tickets = environ.get(TICKETS)
    if tickets is None:
        for ticket in response.tickets:
            ticket.result()
    else:
        tickets.extend(response.tickets)
    environ[ROUTE] = response.route
    return FlaskResponse(
        response.body, status=response.status, headers=list(response.headers)
    )
