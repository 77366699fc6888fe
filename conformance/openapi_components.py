"""The parts that the operations of an OpenAPI document refer to by name.

https://spec.openapis.org/oas/v3.1.0#components-object
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from conformance.openapi_parameters import FHIR_JSON, ID, SEARCH_TYPES, Json

JSON_PATCH: Final = "application/json-patch+json"
FORM: Final = "application/x-www-form-urlencoded"

REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "The request cannot be understood, or asks for what is not supported.",
        401: "No valid access token was sent.",
        403: "The scopes of the token do not cover the request.",
        404: "It does not exist, or may not be seen.",
        405: "The path does not answer this method.",
        406: "JSON alone is written.",
        409: "The request conflicts with what is stored.",
        410: "It was deleted.",
        412: "A condition of the request is not met.",
        413: "The body is too long.",
        414: "The query is too long.",
        415: "The body is in a format that is not read.",
        422: "The resource breaks a rule of FHIR or of this service.",
        429: "Too many requests; try again later.",
        500: "A fault of the service.",
        503: "The service cannot answer now; try again later.",
    }
)
"""Status of an error → its meaning; the body is an OperationOutcome."""


def parameter_ref(name: str) -> Json:
    """Return a reference to a parameter."""
    return {"$ref": f"#/components/parameters/{name}"}


def schema_ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def response_ref(name: str) -> Json:
    """Return a reference to a response."""
    return {"$ref": f"#/components/responses/{name}"}


def schemas(types: Iterable[str]) -> Json:
    """Return the schemas of resources, of search values and of a patch."""
    values = {
        f"{type_}-value": {"type": "string", "description": text}
        for type_, text in SEARCH_TYPES.items()
    }
    step = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "copy", "move", "remove", "replace", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
    }
    return {
        **{type_: _resource(type_) for type_ in sorted(types)},
        **values,
        "json-patch": {"type": "array", "items": step},
        "resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"type": "string"}},
        },
        "search-form": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "The parameters of the search, as a form.",
        },
    }


def _resource(type_: str) -> Json:
    return {
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"const": type_},
            "id": {"type": "string", "pattern": ID},
            "meta": {"type": "object"},
        },
        "externalDocs": {"url": f"https://hl7.org/fhir/R4/{type_.lower()}.html"},
    }


def headers() -> Json:
    """Return the headers of responses."""
    told = {
        "ETag": "Version of the resource, as a weak entity tag.",
        "Last-Modified": "When this version was made.",
        "Location": "The version that was written.",
    }
    return {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in told.items()
    }


def responses(types: Iterable[str]) -> Json:
    """Return the answers: a resource of each type, pages, and the refusals."""
    found = {f"{type_}": _answer(type_, f"{type_}.") for type_ in sorted(types)}
    for type_ in sorted(types):
        version = _headers("ETag", "Last-Modified")
        found[type_]["headers"] = version
        found[f"{type_}-created"] = {
            **_answer(type_, "Created; empty for `return=minimal`."),
            "headers": {**version, **_headers("Location")},
        }
    return {
        **found,
        "page": _answer("Bundle", "A page, with links to those beside it."),
        "not-modified": {"description": "The version that the client has."},
        "deleted": {"description": "Deleted, or it was not there."},
        **{
            str(status): _answer(
                "OperationOutcome", f"{HTTPStatus(status).phrase}: {text}"
            )
            for status, text in REFUSALS.items()
        },
        "refusal": _answer(
            "OperationOutcome",
            "Any other refusal, as any request may meet it: 405, 406, 413, 414, 415, "
            "429, 500 or 503.",
        ),
    }


def _answer(type_: str, description: str) -> Json:
    return {
        "description": description,
        "content": {FHIR_JSON: {"schema": schema_ref(type_)}},
    }


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def request_bodies(types: Iterable[str]) -> Json:
    """Return what is sent: a resource of each type, a patch, a form."""
    return {
        **{type_: _body(FHIR_JSON, type_) for type_ in sorted(types)},
        "json-patch": _body(JSON_PATCH, "json-patch"),
        "resource": _body(FHIR_JSON, "resource"),
        "search-form": _body(FORM, "search-form"),
    }


def _body(media_type: str, schema: str) -> Json:
    return {"required": True, "content": {media_type: {"schema": schema_ref(schema)}}}
