"""CapabilityStatement → OpenAPI, for tools that know HTTP and not FHIR.

Whatever the statement declares has its path here, and nothing else has. Modifiers,
chains and `_has` are names of parameters that OpenAPI cannot list; the text of the
document says so.

https://spec.openapis.org/oas/v3.1.0 and https://hl7.org/fhir/R4/http.html
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from conformance.openapi_compartments import (
    COMPARTMENT_FORMS,
    member_parameters,
    with_compartment,
)
from conformance.openapi_components import (
    headers,
    parameter_ref,
    request_bodies,
    response_ref,
    responses,
    schema_ref,
    schemas,
)
from conformance.openapi_forms import SYSTEM_FORMS, TYPE_FORMS, Form
from conformance.openapi_operations import OPERATION_FORMS
from conformance.openapi_parameters import Json, in_query, shared_parameters

SYSTEM: Final = "System"
"""Tag of what is of no type."""

_ALWAYS: Final = frozenset(
    {"Bundle", "CapabilityStatement", "OperationOutcome", "Parameters"}
)
"""Types that answers hold, whatever is served."""

_CONDITIONS: Mapping[str, tuple[str, frozenset[Any]]] = MappingProxyType(
    {
        "if-modified-since": (
            "conditionalRead",
            frozenset({"modified-since", "full-support"}),
        ),
        "if-none-exist": ("conditionalCreate", frozenset({True})),
        "if-none-match": ("conditionalRead", frozenset({"not-match", "full-support"})),
    }
)
"""Header → element of the statement, and the values that allow it."""

_DESCRIPTION: Final = (
    "FHIR R4 as JSON. Modifiers (`name:exact`), chains (`subject:Patient.name`) and "
    "`_has` go with the names of the search parameters. A resource that the token, or "
    "the patient's Consent, does not let the client see is answered like one that does "
    "not exist."
)


def openapi(
    statement: Mapping[str, Any], *, server_url: str, token_url: str | None
) -> Json:
    """Return the OpenAPI document of what a CapabilityStatement declares.

    Args:
        statement: A CapabilityStatement of kind `instance`.
        server_url: The FHIR base, without a slash at its end.
        token_url: Where clients get tokens; None where nobody needs one.

    Raises:
        ValueError: for an operation whose requests are not known, and where two
            search parameters go by one name.

    """
    [rest] = statement["rest"]
    resources = rest["resource"]
    types = {resource["type"] for resource in resources} | _ALWAYS
    return {
        "openapi": "3.1.0",
        "info": {
            "title": statement["title"],
            "version": statement["version"],
            "description": _DESCRIPTION,
        },
        "externalDocs": {"url": "https://hl7.org/fhir/R4/http.html"},
        "servers": [{"url": server_url}],
        "tags": [{"name": one} for one in (SYSTEM, *_types(resources))],
        "security": _security(token_url),
        "paths": _paths(rest),
        "components": {
            "schemas": schemas(types),
            "parameters": {
                **shared_parameters(),
                **member_parameters(with_compartment(rest), _types(resources)),
                **_search_parameters(rest),
            },
            "headers": headers(),
            "requestBodies": request_bodies(types),
            "responses": responses(types),
            "securitySchemes": _security_schemes(token_url),
        },
    }


def _types(resources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (resource["type"] for resource in resources)


def _security(token_url: str | None) -> list[Json]:
    return [] if token_url is None else [{"oauth2": []}, {"bearer": []}]


def _security_schemes(token_url: str | None) -> Json:
    if token_url is None:
        return {}
    scopes = {
        "system/*.rs": "Read and search every type.",
        "system/*.cruds": "Create, read, update, delete and search every type.",
    }
    return {
        "oauth2": {
            "type": "oauth2",
            "description": (
                "SMART Backend Services: the client proves who it is with a JWT that "
                "it signs (`private_key_jwt`). A scope may name a type instead of `*`."
            ),
            "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": scopes}},
        },
        "bearer": {"type": "http", "scheme": "bearer"},
    }


def _paths(rest: Mapping[str, Any]) -> Json:
    paths: Json = {}
    for resource in (rest, *rest["resource"]):
        for form in forms(resource, rest):
            path = form.path.replace("{type}", resource.get("type", ""))
            paths.setdefault(path, {})[form.method] = _operation(form, resource)
    for item in paths.values():
        _share(item)
    return paths


def _share(item: Json) -> None:
    """Say once, for the path, which parameters all of its operations take."""
    listed = [operation.get("parameters", []) for operation in item.values()]
    shared = [one for one in listed[0] if all(one in each for each in listed)]
    if len(listed) == 1 or not shared:
        return
    for operation, each in zip(list(item.values()), listed, strict=True):
        operation["parameters"] = [one for one in each if one not in shared]
    item["parameters"] = shared


def forms(declared: Mapping[str, Any], rest: Mapping[str, Any]) -> Iterator[Form]:
    """Yield the requests that a part of a CapabilityStatement declares.

    Args:
        declared: An entry of `rest.resource`, or `rest` itself.
        rest: What the entry stands in.

    Raises:
        ValueError: for an operation whose requests are not known.

    """
    known = TYPE_FORMS if "type" in declared else SYSTEM_FORMS
    codes = {one["code"] for one in declared.get("interaction", ())}
    for form in known:
        if form.of in codes | {"capabilities"} and _is_allowed(form, declared):
            yield form
    if declared.get("type") in with_compartment(rest):
        yield from COMPARTMENT_FORMS
    for operation in declared.get("operation", ()):
        if operation["definition"] not in OPERATION_FORMS:
            raise ValueError(f"nothing is known of ${operation['name']}")
        yield from OPERATION_FORMS[operation["definition"]]


def _is_allowed(form: Form, declared: Mapping[str, Any]) -> bool:
    return not form.needs or declared[form.needs] not in (False, "not-supported")


def scope(form: Form, type_: str | None) -> str | None:
    """Return the SMART scope that a request needs; None where it needs no token.

    Args:
        form: The request.
        type_: Resource type; None for what is of the system.

    """
    if not form.letters:
        return None
    return f"system/{form.scope_of.replace('{type}', type_ or '*')}.{form.letters}"


def _operation(form: Form, declared: Mapping[str, Any]) -> Json:
    type_ = declared.get("type")
    found: Json = {
        "operationId": form.name if type_ is None else f"{form.name}-{type_}",
        "tags": [type_ or SYSTEM],
        "summary": form.summary.replace("{type}", type_ or ""),
        "responses": _responses(form, type_ or ""),
    }
    if needed := scope(form, type_):
        found["description"] = f"Scope: `{needed}`."
    else:
        found["security"] = []
    if parameters := _parameters(form, declared):
        found["parameters"] = parameters
    if form.body:
        body = form.body.replace("{type}", type_ or "")
        found["requestBody"] = {"$ref": f"#/components/requestBodies/{body}"}
    return found


def _parameters(form: Form, declared: Mapping[str, Any]) -> list[Json]:
    type_ = declared.get("type", "")
    heeded = (name for name in form.parameters if _is_heeded(name, declared))
    names = [name.replace("{type}", type_) for name in heeded]
    if form.is_searching:
        names += [_key(one) for one in declared.get("searchParam", ())]
    return [parameter_ref(name) for name in names]


def _is_heeded(name: str, declared: Mapping[str, Any]) -> bool:
    if name not in _CONDITIONS or "type" not in declared:
        return True
    element, values = _CONDITIONS[name]
    return declared.get(element) in values


def _responses(form: Form, type_: str) -> Json:
    named = {
        **{
            status: name.replace("{type}", type_)
            for status, name in form.answers.items()
        },
        **{status: str(status) for status in form.refusals},
    }
    return {
        **{str(status): response_ref(named[status]) for status in sorted(named)},
        "default": response_ref("refusal"),
    }


def _key(parameter: Mapping[str, Any]) -> str:
    """Return the name of a search parameter among the components."""
    tail: str = parameter["definition"].rpartition("/")[2]
    return tail


def _search_parameters(rest: Mapping[str, Any]) -> Json:
    """Return every search parameter once; types share those of one definition.

    Raises:
        ValueError: where two definitions end alike.

    """
    found: dict[str, Mapping[str, Any]] = {}
    for declared in (rest, *rest["resource"]):
        for parameter in declared.get("searchParam", ()):
            first = found.setdefault(_key(parameter), parameter)
            if first["definition"] != parameter["definition"]:
                raise ValueError(f"two search parameters are {_key(parameter)}")
    return {key: _search_parameter(found[key]) for key in sorted(found)}


def _search_parameter(parameter: Mapping[str, Any]) -> Json:
    return in_query(
        parameter["name"],
        parameter["definition"],
        {"type": "array", "items": schema_ref(f"{parameter['type']}-value")},
    )
