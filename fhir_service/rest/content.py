"""Which format is written and read: FHIR JSON, leniently recognised.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from urllib.parse import parse_qsl

from conformance import fhir_json
from fhir_service.rest.message import Request, Response
from fhir_service.rest.refusals import (
    MAX_QUERY,
    NotAcceptable,
    UnsupportedMediaType,
    URITooLong,
)

FHIR_JSON = "application/fhir+json"

_WRITTEN = frozenset(
    {
        "*/*",
        "application/*",
        "application/fhir+json",
        "application/json",
        "application/json+fhir",
        "json",
        "text/json",
    }
)
"""What a client may call the one format that is written."""

_READ = frozenset({"application/fhir+json", "application/json"})


def _names(header: str) -> list[str]:
    return [
        part.partition(";")[0].strip().lower()
        for part in header.split(",")
        if ";q=0" not in part.replace(" ", "") + ";" or ";q=0." in part.replace(" ", "")
    ]


def refuse_long_queries(request: Request) -> None:
    """Refuse a query that the audit log could not keep whole.

    Raises:
        URITooLong: saying how long it may be.

    """
    if len(request.query) > MAX_QUERY:
        raise URITooLong


def refuse_other_formats(request: Request) -> None:
    """Refuse a request that accepts nothing that is written.

    Raises:
        NotAcceptable: `_format` overrides the Accept header (§3.1.0.1.11).

    """
    asked = (
        [value for name, value in parse_qsl(request.query) if name == "_format"]
        if "_format" in request.query
        else []
    )
    accept = request.headers.get("accept", "*/*")
    if not asked and accept in _WRITTEN:
        return
    accepted = asked or _names(accept)
    plain = (name.replace(" ", "+").partition(";")[0].lower() for name in accepted)
    if not any(name in _WRITTEN or not name for name in plain):
        raise NotAcceptable


def as_asked(request: Request, response: Response) -> Response:
    """Return the response indented where `_pretty=true` asks for it (§3.1.0.1.13)."""
    if "_pretty" not in request.query or not response.body:
        return response
    if dict(parse_qsl(request.query)).get("_pretty") != "true":
        return response
    return Response(
        status=response.status,
        headers=response.headers,
        body=fhir_json.pretty(fhir_json.loads(response.body)),
        tickets=response.tickets,
        route=response.route,
    )


def refuse_other_bodies(request: Request) -> None:
    """Refuse a body that is not JSON.

    Raises:
        UnsupportedMediaType: naming what is read.

    """
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").lower()
    if media_type.strip().lower() not in _READ or (
        charset.startswith("charset=")
        and charset[8:].strip('"') not in ("utf-8", "utf8")
    ):
        raise UnsupportedMediaType(FHIR_JSON)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("sent without Content-Encoding")
