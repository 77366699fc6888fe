"""What this server serves, for programs and for people: OpenAPI, and a page of it.

Both are made of the CapabilityStatement when they are first asked for, are the same
for everybody, and need no token; so that they are compressed and cached.

https://spec.openapis.org/oas/v3.1.0
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flask import Blueprint, Response, render_template, request

from conformance import fhir_json
from conformance.openapi import forms, openapi, scope
from conformance.openapi_components import REFUSALS
from conformance.openapi_forms import Form
from conformance.openapi_parameters import RESULTS, SEARCH_TYPES
from fhir_service.deployment import Deployment
from fhir_service.pages.frame import HEADERS
from fhir_service.rest.compression import takes_gzip

LEVEL: Final = 6
"""Of gzip: it is done once."""

CACHED: Final = "public, no-cache"
"""Anybody may keep it, and asks whether it is still the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What is published, as it is sent.

    Attributes:
        body: The document.
        packed: The same, compressed.
        tag: Opaque text of its entity tag.
        content_type: What it is.

    """

    body: bytes
    packed: bytes
    tag: str
    content_type: str

    def response(self) -> Response:
        """Return the answer to the request that Flask is answering."""
        is_packed = takes_gzip(request.headers.get("Accept-Encoding", ""))
        response = Response(
            self.packed if is_packed else self.body, content_type=self.content_type
        )
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = CACHED
        response.set_etag(self.tag, weak=True)
        response.make_conditional(request)
        return response


def document(body: bytes, content_type: str) -> Document:
    """Return what is published with this body."""
    return Document(
        body=body,
        packed=gzip.compress(body, LEVEL, mtime=0),
        tag=hashlib.sha256(body).hexdigest()[:32],
        content_type=content_type,
    )


def documentation_blueprint(deployment: Deployment) -> Blueprint:
    """Return the OpenAPI document and the page."""
    blueprint = Blueprint("documentation", __name__, template_folder="templates")
    services, token_url = deployment.services, deployment.auth.token_url

    def statement() -> Mapping[str, Any]:
        return fhir_json.loads_object(services.capabilities())

    @cache
    def described() -> Document:
        found = openapi(statement(), server_url=services.base_url, token_url=token_url)
        return document(fhir_json.dumps(found), "application/json")

    @cache
    def page() -> Document:
        found = _page(statement(), services.base_url, token_url)
        return document(found.encode(), "text/html; charset=utf-8")

    blueprint.add_url_rule("/openapi.json", view_func=_view(described, "openapi"))
    blueprint.add_url_rule("/docs", view_func=_view(page, "page"))
    blueprint.after_request(_guard)
    return blueprint


def _guard(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _view(made: Callable[[], Document], name: str) -> Callable[[], Response]:
    def view() -> Response:
        return made().response()

    view.__name__ = name
    return view


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """One section of the page: a resource type, or the whole system.

    Attributes:
        declared: Its entry in the statement.
        requests: What can be asked: method, path, summary, scope.
        notes: Interaction or operation → what the statement says about it.

    """

    declared: Mapping[str, Any]
    requests: tuple[tuple[str, str, str, str], ...]
    notes: tuple[tuple[str, str], ...]


def _page(statement: Mapping[str, Any], base_url: str, token_url: str) -> str:
    [rest] = statement["rest"]
    return render_template(
        "docs.html",
        statement=statement,
        base_url=base_url,
        token_url=token_url,
        system=_described(rest, rest),
        types=[_described(resource, rest) for resource in rest["resource"]],
        values=SEARCH_TYPES,
        results=RESULTS,
        refusals=REFUSALS,
    )


def _described(declared: Mapping[str, Any], rest: Mapping[str, Any]) -> Described:
    type_ = declared.get("type")
    return Described(
        declared=declared,
        requests=tuple(
            dict.fromkeys(_request(form, type_) for form in forms(declared, rest))
        ),
        notes=tuple(_notes(declared)),
    )


def _request(form: Form, type_: str | None) -> tuple[str, str, str, str]:
    path, summary = (
        text.replace("{type}", type_ or "") for text in (form.path, form.summary)
    )
    return form.method.upper(), path, summary, scope(form, type_) or "none"


def _notes(declared: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for interaction in declared.get("interaction", ()):
        if text := interaction.get("documentation"):
            yield interaction["code"], text
    for operation in declared.get("operation", ()):
        if text := operation.get("documentation"):
            yield f"${operation['name']}", text
