"""From which pages browsers may call.

What is published is for pages of anybody; the FHIR door and the endpoints of
authorization are for the origins of registered clients, by one indexed read. There are
no credentials but the token that a page sends itself, so that `*` gives nothing away.
A request without `Origin` passes untouched.

https://fetch.spec.whatwg.org/#http-cors-protocol
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

import re
from dataclasses import dataclass, replace

from fhir_service.auth.endpoints import JWKS_PATH
from fhir_service.rest.message import Handler, Header, HotRoutes, Request, Response
from fhir_service.storage import registrations
from fhir_service.storage.engine import Database

PUBLIC = re.compile(
    rf"(?:/fhir)?/\.well-known/[a-z-]+|{JWKS_PATH}|/fhir/metadata"
    r"|/pages/smart-style\.json"
)
"""Paths that pages of anybody may read."""

GUARDED = re.compile(r"/fhir(?:/.*)?|/auth/(?:token|introspect|revoke)", re.DOTALL)
"""Paths that the pages of registered clients may call."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

FIELDS = (
    "Authorization",
    "Content-Type",
    "Accept",
    "Prefer",
    "If-Match",
    "If-None-Match",
    "If-None-Exist",
    "If-Modified-Since",
)
"""Fields of a request that a page may set."""

EXPOSED = (
    "Location",
    "ETag",
    "Content-Location",
    "Retry-After",
    "X-Progress",
    "Last-Modified",
    "WWW-Authenticate",
)
"""Fields of a response that a page may read, beside those that it always may."""

MAX_AGE_S = 600
"""Seconds for which a browser may remember what a preflight said."""

MAX_ORIGIN = 512
"""Characters of an origin that is looked up."""

ALLOW_ORIGIN = "access-control-allow-origin"

_VARY: Header = ("vary", "Origin")
_EXPOSE: Header = ("access-control-expose-headers", ", ".join(EXPOSED))
_PREFLIGHT: tuple[Header, ...] = (
    ("access-control-allow-methods", ", ".join(METHODS)),
    ("access-control-allow-headers", ", ".join(FIELDS)),
    ("access-control-max-age", str(MAX_AGE_S)),
)


@dataclass(frozen=True)
class Cors:
    """Tells browsers which pages may read what is answered.

    Attributes:
        database: Where the origins of clients are.

    """

    database: Database

    def around(self, handle: Handler) -> Handler:
        """Return `handle` with the fields that browsers ask for."""

        def answer(request: Request) -> Response:
            origin = request.headers.get("origin")
            if origin is None:
                return handle(request)
            allowed = self._allowed(request, origin)
            if _is_preflight(request) and dict(allowed).get(ALLOW_ORIGIN):
                return Response(
                    status=204, headers=(*allowed, *_PREFLIGHT), route="preflight"
                )
            return _with(handle(request), allowed)

        return answer

    def around_hot(self, hot: HotRoutes) -> HotRoutes:
        """Return the hot routes with the same fields."""

        def answer(request: Request) -> Response | None:
            response = hot(request)
            origin = request.headers.get("origin")
            if response is None or origin is None:
                return response
            return _with(response, self._allowed(request, origin))

        return answer

    def _allowed(self, request: Request, origin: str) -> tuple[Header, ...]:
        """Return the fields that tell whether pages of `origin` may read."""
        if PUBLIC.fullmatch(request.path):
            return ((ALLOW_ORIGIN, "*"), _EXPOSE)
        if not GUARDED.fullmatch(request.path):
            return ()
        if not self._is_registered(origin):
            return (_VARY,)
        return ((ALLOW_ORIGIN, origin), _VARY, _EXPOSE)

    def _is_registered(self, origin: str) -> bool:
        if len(origin) > MAX_ORIGIN:
            return False
        with self.database.read() as snapshot:
            return registrations.is_origin(snapshot, origin)


def _is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "access-control-request-method" in request.headers
    )


def _with(response: Response, allowed: tuple[Header, ...]) -> Response:
    """Return the response with fields that it does not have yet."""
    names = {name for name, _ in response.headers} - {"vary"}
    added = tuple(field for field in allowed if field[0] not in names)
    return replace(response, headers=(*response.headers, *added))
