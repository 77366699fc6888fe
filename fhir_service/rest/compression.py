"""Compression of what is sent, where the client can unpack it.

Requests carry a bearer token, which no other site can make a browser send; so an
answer holds no secret that its compressed length could betray (BREACH). Pages, which
go by a cookie, are never compressed.

https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
"""

import gzip

from fhir_service.rest.lists import members
from fhir_service.rest.message import Header, Request, Response

LEAST_BYTES = 1024
"""Shorter bodies are sent as they are: they would fit one packet either way."""

LEVEL = 1
"""Of gzip: FHIR repeats itself so much that more effort saves little."""

VARY: Header = ("vary", "Accept, Accept-Encoding, Authorization, Prefer")
"""What an answer depends on besides its URL."""

_GZIP = ("gzip", "x-gzip")


def compressed(request: Request, response: Response) -> Response:
    """Return the response as it is sent, saying what it depends on.

    An entity tag stays: ours are weak, and name the version and not the bytes.
    """
    headers, body = (*response.headers, VARY), response.body
    accepted = request.headers.get("accept-encoding")
    if accepted and len(body) >= LEAST_BYTES and takes_gzip(accepted):
        body = gzip.compress(body, LEVEL, mtime=0)
        headers += (("content-encoding", "gzip"),)
    return Response(
        status=response.status,
        headers=headers,
        body=body,
        tickets=response.tickets,
        route=response.route,
    )


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` allows gzip; a name weighs more than `*`."""
    weights = {member.name: not member.is_refused for member in members(accepted)}
    named = [weights[name] for name in _GZIP if name in weights]
    return any(named) if named else weights.get("*", False)
