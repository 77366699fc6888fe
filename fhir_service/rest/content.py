"""Which format is written and read: FHIR JSON, leniently recognised.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from conformance import fhir_json
from fhir_service.rest.lists import Member, members
from fhir_service.rest.message import Request, Response
from fhir_service.rest.refusals import (
    MAX_QUERY,
    NotAcceptable,
    UnsupportedMediaType,
    URITooLong,
)

FHIR_JSON = "application/fhir+json"

JSON = (FHIR_JSON, "application/json", "application/json+fhir")
"""Names of a body that is a resource; the first is the one that is recommended."""

JSON_PATCH = ("application/json-patch+json",)
"""The name of a body that is a JSON Patch (RFC 6902)."""

CSV = "text/csv"
"""The name of a table, which few routes write beside JSON (RFC 4180)."""

FORM = ("application/x-www-form-urlencoded",)
"""The name of a body that holds the parameters of a search."""

MAX_FIELDS = 1000
"""Parameters in which `_format` and `_pretty` are looked for."""

_NAMES = frozenset({*JSON, "text/json", "json"})
"""What a client may call the one format that is written."""

_ANY = frozenset({"*/*", "application/*"})

_PLAIN = _NAMES | _ANY
"""What an `Accept` mostly is, so that it need not be taken apart."""

_RELEASES = frozenset({"4.0", "4.0.1"})
"""Values of the parameter `fhirVersion` that mean R4 (§3.1.0.1.13)."""


def refuse_long_queries(request: Request) -> None:
    """Refuse a query, with its form, that the audit log could not keep whole.

    Raises:
        URITooLong: saying how long it may be.

    """
    asked = len(request.query) + (len(request.body) if is_form(request) else 0)
    if asked > MAX_QUERY:
        raise URITooLong


def refuse_other_formats(request: Request, also: tuple[str, ...] = ()) -> None:
    """Refuse a request that accepts nothing that is written.

    Args:
        request: The request.
        also: What its route writes beside JSON, such as `CSV`.

    Raises:
        NotAcceptable: `_format` overrides the Accept header (§3.1.0.1.11).

    """
    if any(asks_for(request, name) for name in also):
        return
    asked = [value for value in _given(request, "_format") if value]
    if asked:
        if not any(_is_written(_plus(value)) for value in asked):
            raise NotAcceptable
        return
    accept = request.headers.get("accept", "*/*")
    if accept not in _PLAIN and not _is_written(accept):
        raise NotAcceptable


def asks_for(request: Request, name: str) -> bool:
    """Whether a format beside JSON is what the request would rather have."""
    asked = [_plus(value) for value in _given(request, "_format") if value]
    if not asked:
        asked = [request.headers.get("accept", "")]
    found = [
        one
        for text in asked
        for one in members(text)
        if one.name in {name, *_NAMES} and not one.is_refused
    ]
    found.sort(key=lambda one: _weight(one.parameters.get("q", "1")), reverse=True)
    return bool(found) and found[0].name == name


def _weight(text: str) -> float:
    """Return the weight of a format; a quality that is none is the highest."""
    try:
        return float(text)
    except ValueError:
        return 1.0


def _plus(value: str) -> str:
    """Return a `_format` with the plus that a query string has made a space."""
    name, semicolon, parameters = value.partition(";")
    return f"{name.strip().replace(' ', '+')}{semicolon}{parameters}"


def _is_written(accept: str) -> bool:
    """Whether a list of formats holds one that is written.

    A range such as `*/*` does not mean FHIR JSON where its own name weighs nothing.
    """
    found = list(members(accept))
    if not found:
        return True
    if any(one.name in _NAMES and _is_good(one) for one in found):
        return True
    excluded = any(one.name == FHIR_JSON and one.is_refused for one in found)
    return not excluded and any(one.name in _ANY and _is_good(one) for one in found)


def _is_good(one: Member) -> bool:
    return not one.is_refused and _is_of_release(one)


def _is_of_release(one: Member) -> bool:
    return one.parameters.get("fhirversion", "4.0") in _RELEASES


def _given(request: Request, name: str) -> Iterator[str]:
    """Yield the values of a parameter, in the URL and in the form of a search."""
    texts = [request.query] if name in request.query else []
    if request.method == "POST" and is_form(request) and name.encode() in request.body:
        texts.append(request.body.decode("utf-8", "replace"))
    for text in texts:
        try:
            pairs = parse_qsl(text, max_num_fields=MAX_FIELDS)
        except ValueError:
            continue  # The search itself says that these are too many.
        yield from (value for key, value in pairs if key == name)


def is_form(request: Request) -> bool:
    """Whether the body is a form."""
    return request.headers.get("content-type", "").lower().startswith(FORM)


def as_asked(request: Request, response: Response) -> Response:
    """Return the response indented where `_pretty=true` asks for it (§3.1.0.1.13)."""
    if not response.body or "true" not in _given(request, "_pretty"):
        return response
    if any(name == "content-type" and CSV in value for name, value in response.headers):
        return response
    return Response(
        status=response.status,
        headers=response.headers,
        body=fhir_json.pretty(fhir_json.loads(response.body)),
        tickets=response.tickets,
        route=response.route,
    )


def refuse_other_bodies(request: Request, allowed: tuple[str, ...] = JSON) -> None:
    """Refuse a body that is in none of the formats that are read here.

    Args:
        request: The request.
        allowed: Names of the formats, such as `JSON`, `JSON_PATCH` or `FORM`.

    Raises:
        UnsupportedMediaType: naming what is read.

    """
    if not any(
        one.name in allowed and _is_of_release(one) and _is_utf8(one)
        for one in members(request.headers.get("content-type", ""))
    ):
        raise UnsupportedMediaType(allowed[0])
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("sent without Content-Encoding")


def _is_utf8(one: Member) -> bool:
    return one.parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}
