"""Every path of the service, in one table for FHIR and the device door.

The same functions answer behind Flask and, for the hot reads, in front of it.
"""

import re
import secrets
from collections.abc import Callable, Sequence
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
    Handler,
    Services,
    answer,
)
from fhir_service.ingest import days_door, door, health_door, pairing_door, push
from fhir_service.interactions import (
    compartment,
    create,
    delete,
    history,
    patch,
    published,
    read,
    search,
    update,
    vread,
)
from fhir_service.interactions.bundles import bundle
from fhir_service.operations import unknown
from fhir_service.operations.table import OPERATIONS
from fhir_service.rest.compression import compressed
from fhir_service.rest.content import (
    CSV,
    as_asked,
    refuse_long_queries,
    refuse_other_formats,
)
from fhir_service.rest.message import Request, Response
from fhir_service.rest.refusals import MethodNotAllowed
from fhir_service.rest.wsgi import REQUEST_ID, ROUTE, TICKETS

ID = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9.\-]{1,64}"
"""A logical id; `.` and `..` are none, whatever a proxy makes of them."""

TYPE = r"[A-Z][A-Za-z]{1,63}"

OPERATION = r"\$[A-Za-z0-9_\-]{1,40}"


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
        also: What it writes beside JSON.

    """

    method: str
    template: str
    pattern: re.Pattern[str]
    interaction: Interaction
    handler: Callable[..., Response]
    is_hot: bool = False
    also: tuple[str, ...] = ()


def _route(  # noqa: PLR0913 - one argument a column
    method: str,
    template: str,
    interaction: Interaction,
    handler: Callable[..., Response],
    *,
    is_hot: bool = False,
    also: tuple[str, ...] = (),
) -> Route:
    pattern = template.replace("$", r"\$").replace("{type}", f"({TYPE})")
    pattern = pattern.replace("{id}", f"({ID})").replace("{version}", f"({ID})")
    pattern = pattern.replace("{operation}", f"({OPERATION})")
    pattern = pattern.replace("{member}", rf"({TYPE}|\*)")
    pattern = pattern.replace("{source}", r"([a-z0-9\-]{1,64})")
    pattern = pattern.replace("{endpoint}", r"([a-z2-7]{26})")
    return Route(
        method=method,
        template=template,
        pattern=re.compile(pattern),
        interaction=interaction,
        handler=handler,
        is_hot=is_hot,
        also=also,
    )


def _bundle(exchange: Exchange) -> Response:
    return bundle.bundle(exchange, _found)


ROUTES: tuple[Route, ...] = (
    _route("POST", "/fhir", Interaction.TRANSACTION, _bundle),
    _route("POST", "/fhir/", Interaction.TRANSACTION, _bundle),
    _route("GET", "/fhir/metadata", Interaction.CAPABILITIES, published.metadata),
    _route("GET", "/fhir/CodeSystem/{id}", Interaction.READ, published.code_system),
    _route("GET", "/fhir/{type}", Interaction.SEARCH, search.search, is_hot=True),
    _route("GET", "/fhir/{type}/{id}", Interaction.READ, read.read, is_hot=True),
    _route(
        "GET", "/fhir/{type}/{id}/_history/{version}", Interaction.VREAD, vread.vread
    ),
    _route(
        "GET", "/fhir/{type}/{id}/_history", Interaction.HISTORY, history.of_instance
    ),
    _route("GET", "/fhir/{type}/_history", Interaction.HISTORY, history.of_type),
    _route("GET", "/fhir/_history", Interaction.HISTORY, history.of_system),
    _route("POST", "/fhir/{type}/_search", Interaction.SEARCH, search.search),
    _route(
        "GET",
        "/fhir/{type}/{id}/{member}",
        Interaction.SEARCH,
        compartment.search_compartment,
    ),
    _route(
        "POST",
        "/fhir/{type}/{id}/{member}/_search",
        Interaction.SEARCH,
        compartment.search_compartment,
    ),
    _route("GET", "/fhir", Interaction.SEARCH, compartment.search_system),
    _route("GET", "/fhir/", Interaction.SEARCH, compartment.search_system),
    _route("POST", "/fhir/_search", Interaction.SEARCH, compartment.search_system),
    *(
        _route(
            method,
            call.template,
            Interaction.OPERATION,
            call.handler,
            also=call.also,
        )
        for operation in OPERATIONS
        for call in operation.calls
        for method in call.methods
    ),
    *(
        _route(method, template, Interaction.OPERATION, handler)
        for template, handler in (
            ("/fhir/{operation}", unknown.unknown),
            ("/fhir/{type}/{operation}", unknown.unknown_of_type),
            ("/fhir/{type}/{id}/{operation}", unknown.unknown_of_instance),
        )
        for method in ("GET", "POST")
    ),
    _route("POST", "/fhir/{type}", Interaction.CREATE, create.create),
    _route("PUT", "/fhir/{type}", Interaction.UPDATE, update.update_where),
    _route("PUT", "/fhir/{type}/{id}", Interaction.UPDATE, update.update),
    _route("PATCH", "/fhir/{type}", Interaction.PATCH, patch.patch_where),
    _route("PATCH", "/fhir/{type}/{id}", Interaction.PATCH, patch.patch),
    _route("DELETE", "/fhir/{type}", Interaction.DELETE, delete.delete_where),
    _route("DELETE", "/fhir/{type}/{id}", Interaction.DELETE, delete.delete),
    _route("POST", "/device-data/pairings", Interaction.REGISTER, pairing_door.add),
    _route("GET", "/device-data/pairings", Interaction.SEARCH, pairing_door.listing),
    _route(
        "POST",
        "/device-data/pairings/{id}/notice",
        Interaction.UPDATE,
        pairing_door.tell,
    ),
    _route(
        "DELETE", "/device-data/pairings/{id}", Interaction.REVOKE, pairing_door.revoke
    ),
    _route("GET", "/device-data/health", Interaction.SEARCH, health_door.health),
    _route("GET", "/device-data/days", Interaction.READ, days_door.days, also=(CSV,)),
    _route("POST", "/device-data/{source}", Interaction.INGEST, door.receive),
    *(
        _route(
            method, "/device-data/{source}/push/{endpoint}", Interaction.INGEST, handler
        )
        for method, handler in (("POST", push.receive), ("GET", push.shake))
    ),
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


def _options(services: Services, request: Request) -> Response:
    """Tell which methods a path answers; anybody may ask (RFC 9110 §9.3.7)."""

    def tell(_exchange: Exchange) -> Response:
        methods = {
            route.method for route in ROUTES if route.pattern.fullmatch(request.path)
        }
        if not methods:
            raise FHIRError(IssueType.NOT_FOUND, "There is nothing at this path.")
        if "GET" in methods:
            methods.add("HEAD")
        allowed = ", ".join(sorted({*methods, "OPTIONS"}))
        return Response(status=204, headers=(("allow", allowed),))

    return answer(_exchange(services, request, Interaction.CAPABILITIES), tell)


def respond(services: Services, request: Request) -> Response:
    """Answer one request to FHIR or to the device door."""
    if request.method == "OPTIONS":
        return _options(services, request)
    try:
        route, names = find(request)
    except FHIRError as error:
        return _unrouted(services, request, error)
    return _respond(services, request, route, names)


def _unrouted(services: Services, request: Request, error: FHIRError) -> Response:
    def refuse(_exchange: Exchange) -> Response:
        raise error

    exchange = _exchange(services, request, Interaction.UNKNOWN)
    return compressed(request, answer(exchange, refuse))


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
    exchange = _exchange(services, request, route.interaction)
    handler = _handler(route, names)
    return compressed(request, answer(exchange, handler, route.template))


def _handler(route: Route, names: tuple[str, ...]) -> Handler:
    def handle(exchange: Exchange) -> Response:
        refuse_long_queries(exchange.request)
        refuse_other_formats(exchange.request, route.also)
        return as_asked(exchange.request, route.handler(exchange, *names))

    return handle


def _found(request: Request) -> tuple[Interaction, Handler]:
    """Return what answers an entry of a Bundle, as it answers the request alone."""
    route, names = find(request)
    return route.interaction, _handler(route, names)


def hot_routes(
    services: Services, routes: Sequence[Route] = ROUTES
) -> Callable[[Request], Response | None]:
    """Return what answers the hot reads in front of Flask.

    Args:
        services: Of the deployment.
        routes: Other ones only in the benchmark that measures what the log costs.

    """

    def try_hot(request: Request) -> Response | None:
        if request.method != "GET":
            return None
        for route in routes:
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
        query=flask_request.query_string.decode("utf-8", "backslashreplace"),
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
    return _AsItIs(
        response.body, status=response.status, headers=list(response.headers)
    )


class _AsItIs(FlaskResponse):
    """Flask's response without a content type of its own: a 204 has none."""

    default_mimetype = None
