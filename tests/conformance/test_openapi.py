from datetime import UTC, datetime

import jsonschema
import pytest

from conformance import fhir_json
from conformance.capability_statement import (
    Operation,
    Served,
    ServedType,
    Software,
    capability_statement,
)
from conformance.openapi import openapi

DEFINED = "http://hl7.org/fhir/OperationDefinition/"
BASE, TOKEN = "https://fhir.example/fhir", "https://fhir.example/auth/token"
METHODS = {"get", "put", "post", "patch", "delete"}

TYPE_PATHS = {
    "read": {("get", "/Patient/{id}")},
    "vread": {("get", "/Patient/{id}/_history/{vid}")},
    "update": {("put", "/Patient/{id}")},
    "patch": {("patch", "/Patient/{id}")},
    "delete": {("delete", "/Patient/{id}")},
    "history-instance": {("get", "/Patient/{id}/_history")},
    "history-type": {("get", "/Patient/_history")},
    "create": {("post", "/Patient")},
    "search-type": {("get", "/Patient"), ("post", "/Patient/_search")},
}
SYSTEM_PATHS = {
    "transaction": {("post", "/")},
    "batch": {("post", "/")},
    "search-system": {("get", "/"), ("post", "/_search")},
    "history-system": {("get", "/_history")},
}
METADATA = ("get", "/metadata")

OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "tags", "responses"],
    "properties": {
        "parameters": {"type": "array", "uniqueItems": True},
        "responses": {
            "type": "object",
            "propertyNames": {"pattern": "^([2-5][0-9][0-9]|default)$"},
            "minProperties": 1,
        },
    },
}
SHAPE = {
    "type": "object",
    "required": ["openapi", "info", "servers", "paths", "components"],
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "parameters": {"type": "array", "uniqueItems": True},
                    **dict.fromkeys(METHODS, OPERATION),
                },
                "additionalProperties": False,
            },
        },
        "components": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"pattern": r"^[A-Za-z0-9._-]+$"},
            },
            "properties": {
                "parameters": {
                    "additionalProperties": {
                        "type": "object",
                        "required": ["name", "in", "schema"],
                        "properties": {"in": {"enum": ["query", "path", "header"]}},
                    }
                },
                "responses": {
                    "additionalProperties": {
                        "type": "object",
                        "required": ["description"],
                    }
                },
            },
        },
    },
}
"""What the OpenAPI Specification demands of the objects that are used."""


def document(*types, token_url=TOKEN, **more):
    statement = capability_statement(
        Served(types=types, **more),
        base_url=BASE,
        software=Software(name="x", version="1", title="X", publisher="Y"),
        date=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return openapi(statement, server_url=BASE, token_url=token_url)


def whole(**more):
    """Return the document of a type and a system that serve everything."""
    patient = ServedType(
        type="Patient",
        interactions=tuple(TYPE_PATHS),
        search_parameters=("_id", "birthdate", "name"),
        operations=(
            Operation("everything", f"{DEFINED}Patient-everything"),
            Operation("meta", f"{DEFINED}Resource-meta"),
            Operation("validate", f"{DEFINED}Resource-validate"),
        ),
        read_history=True,
        conditional_create=True,
        conditional_read="full-support",
        conditional_update=True,
        conditional_delete="single",
    )
    observation = ServedType(
        type="Observation",
        interactions=("search-type",),
        search_parameters=("_id", "code"),
        operations=(Operation("lastn", f"{DEFINED}Observation-lastn"),),
    )
    return document(
        patient,
        observation,
        interactions=tuple(SYSTEM_PATHS),
        search_parameters=("_id", "_tag"),
        operations=(Operation("versions", f"{DEFINED}CapabilityStatement-versions"),),
        **more,
    )


def operations(found):
    return {
        (method, path): operation
        for path, item in found["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def resolved(found, reference):
    """Return what a reference leads to; a KeyError where it leads nowhere."""
    value = found
    for step in reference.removeprefix("#/").split("/"):
        value = value[step]
    return value


def parameters(found, method, path):
    """Return (where, name) of the parameters of an operation."""
    given = [resolved(found, one["$ref"]) for one in listed(found, method, path)]
    return {(one["in"], one["name"]) for one in given}


def listed(found, method, path):
    """Return the parameters of an operation, those of its path first."""
    item = found["paths"][path]
    return [*item.get("parameters", ()), *item[method].get("parameters", ())]


def test_every_object_has_what_openapi_demands():
    jsonschema.validate(whole(), SHAPE)


def test_every_schema_is_a_json_schema():
    found = whole()["components"]

    schemas = list(found["schemas"].values())
    schemas += [one["schema"] for one in found["parameters"].values()]

    assert schemas
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere():
    found = whole()

    made = set(references(found))

    assert {reference.rpartition("/")[0] for reference in made} == {
        f"#/components/{part}"
        for part in ("headers", "parameters", "requestBodies", "responses", "schemas")
    }
    assert all(resolved(found, reference) for reference in made)


def test_no_two_operations_have_the_same_id():
    ids = [one["operationId"] for one in operations(whole()).values()]

    assert len(ids) > len(TYPE_PATHS)
    assert len(set(ids)) == len(ids)


def test_what_all_operations_of_a_path_take_is_said_once():
    item = whole()["paths"]["/Patient/{id}"]

    assert item["parameters"] == [
        {"$ref": f"#/components/parameters/{name}"}
        for name in ("id", "_format", "_pretty")
    ]
    assert item["delete"]["parameters"] == [
        {"$ref": "#/components/parameters/if-match"}
    ]


def test_every_variable_of_a_path_is_a_parameter():
    found = whole()

    for method, path in operations(found):
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        given = {
            name for where, name in parameters(found, method, path) if where == "path"
        }
        assert given == named, path


@pytest.mark.parametrize("code", TYPE_PATHS)
def test_an_interaction_of_a_type_has_its_paths_and_no_other(code):
    found = document(ServedType(type="Patient", interactions=(code,)))

    assert set(operations(found)) == {METADATA, *TYPE_PATHS[code]}


@pytest.mark.parametrize("code", SYSTEM_PATHS)
def test_an_interaction_of_the_system_has_its_paths_and_no_other(code):
    found = document(ServedType(type="Patient", interactions=()), interactions=(code,))

    assert set(operations(found)) == {METADATA, *SYSTEM_PATHS[code]}


@pytest.mark.parametrize(
    ("allowed", "code", "method"),
    [
        ({"conditional_update": True}, "update", "put"),
        ({"conditional_update": True}, "patch", "patch"),
        ({"conditional_delete": "single"}, "delete", "delete"),
    ],
)
def test_a_conditional_interaction_has_a_path_where_it_is_allowed(
    allowed, code, method
):
    found = document(
        ServedType(
            type="Patient",
            interactions=(code,),
            search_parameters=("name",),
            **allowed,
        )
    )

    assert (method, "/Patient") in operations(found)
    assert ("query", "name") in parameters(found, method, "/Patient")


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("not-supported", set()),
        ("modified-since", {"If-Modified-Since"}),
        ("not-match", {"If-None-Match"}),
        ("full-support", {"If-Modified-Since", "If-None-Match"}),
    ],
)
def test_a_read_has_the_conditions_that_are_heeded(value, headers):
    found = document(
        ServedType(type="Patient", interactions=("read",), conditional_read=value)
    )

    given = parameters(found, "get", "/Patient/{id}")

    assert {name for where, name in given if where == "header"} == headers


@pytest.mark.parametrize("is_heeded", [True, False])
def test_a_create_has_its_condition_where_that_is_heeded(is_heeded):
    found = document(
        ServedType(
            type="Patient", interactions=("create",), conditional_create=is_heeded
        )
    )

    given = parameters(found, "post", "/Patient")

    assert (("header", "If-None-Exist") in given) is is_heeded
    assert ("header", "Prefer") in given


def test_a_search_has_its_parameters_and_those_of_the_answer():
    given = parameters(whole(), "get", "/Patient")

    assert {name for where, name in given if where == "query"} == {
        *("_id", "birthdate", "name"),
        *("_count", "_elements", "_include", "_revinclude", "_sort", "_summary"),
        *("_total", "_format", "_pretty"),
    }


def test_a_search_parameter_is_written_once_and_may_be_repeated():
    found = whole()

    assert found["components"]["parameters"]["individual-birthdate"] == {
        "name": "birthdate",
        "in": "query",
        "description": "http://hl7.org/fhir/SearchParameter/individual-birthdate",
        "schema": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/date-value"},
        },
        "style": "form",
        "explode": True,
    }
    names = [one["name"] for one in found["components"]["parameters"].values()]
    assert names.count("_id") == 1


def test_a_search_of_the_system_demands_types():
    found = whole()

    given = [resolved(found, one["$ref"]) for one in listed(found, "get", "/")]
    demanded = [one["name"] for one in given if one.get("required")]

    assert demanded == ["_type"]


def test_a_compartment_has_its_paths_where_it_is_declared():
    patient = ServedType(type="Patient", interactions=())
    observation = ServedType(type="Observation", interactions=())

    found = document(patient, observation, compartments=("Patient",))

    assert set(operations(found)) == {
        METADATA,
        ("get", "/Patient/{id}/{member}"),
        ("post", "/Patient/{id}/{member}/_search"),
    }
    asked = operations(found)["get", "/Patient/{id}/{member}"]
    assert asked["description"] == "Scope: `system/*.s`."


def test_what_a_compartment_holds_is_what_is_served_of_it():
    patient = ServedType(type="Patient", interactions=())
    device = ServedType(type="Device", interactions=())
    group = ServedType(type="Group", interactions=())
    organization = ServedType(type="Organization", interactions=())

    found = document(patient, device, group, organization, compartments=("Patient",))

    member = found["components"]["parameters"]["member-of-Patient"]
    assert member["schema"] == {"enum": ["Group", "Patient", "*"]}
    assert (member["in"], member["name"], member["required"]) == (
        *("path", "member"),
        True,
    )


def test_the_statement_itself_can_be_asked_for_in_parts_and_on_condition():
    found = whole()

    assert parameters(found, *METADATA) == {
        *(("query", name) for name in ("mode", "_summary", "_elements")),
        *(("query", name) for name in ("_format", "_pretty")),
        ("header", "If-None-Match"),
    }


def test_operations_have_their_paths():
    found = whole()

    assert {one for one in operations(found) if "$" in one[1]} == {
        ("get", "/$versions"),
        *((method, "/Observation/$lastn") for method in ("get", "post")),
        *((method, "/Patient/{id}/$everything") for method in ("get", "post")),
        ("get", "/Patient/{id}/$meta"),
        *((method, "/Patient/{id}/$validate") for method in ("get", "post")),
        ("post", "/Patient/$validate"),
    }
    assert ("query", "max") in parameters(found, "get", "/Observation/$lastn")
    assert ("query", "code") in parameters(found, "get", "/Observation/$lastn")
    assert ("query", "start") in parameters(found, "get", "/Patient/{id}/$everything")


def test_an_operation_whose_requests_are_not_known_is_not_made_up():
    other = ServedType(
        type="Patient",
        interactions=(),
        operations=(Operation("match", f"{DEFINED}Patient-match"),),
    )

    with pytest.raises(ValueError, match=r"\$match"):
        document(other)


def test_two_search_parameters_of_one_name_are_not_mixed_up():
    resource = {
        "type": "Patient",
        "searchParam": [
            {"name": "a", "definition": "http://a.example/x", "type": "token"},
            {"name": "b", "definition": "http://b.example/x", "type": "token"},
        ],
    }
    statement = {"title": "X", "version": "1", "rest": [{"resource": [resource]}]}

    with pytest.raises(ValueError, match="two search parameters are x"):
        openapi(statement, server_url=BASE, token_url=None)


def test_a_resource_is_known_by_its_type():
    found = whole()
    reference = resolved(
        found, operations(found)["post", "/Patient"]["requestBody"]["$ref"]
    )
    schema = resolved(
        found, reference["content"]["application/fhir+json"]["schema"]["$ref"]
    )

    checked = jsonschema.Draft202012Validator(schema)

    assert checked.is_valid({"resourceType": "Patient", "id": "1", "active": True})
    assert not checked.is_valid({"resourceType": "Observation"})
    assert not checked.is_valid({})


def test_a_refusal_is_an_operation_outcome():
    found = whole()
    answers = {
        status: resolved(found, one["$ref"])
        for status, one in operations(found)["put", "/Patient/{id}"][
            "responses"
        ].items()
    }

    assert set(answers) == {
        *("200", "201", "400", "401", "403", "404", "409", "412", "422", "default"),
    }
    for status in set(answers) - {"200", "201"}:
        schema = answers[status]["content"]["application/fhir+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/OperationOutcome"}
    assert set(answers["201"]["headers"]) == {"ETag", "Last-Modified", "Location"}


def test_tokens_come_from_where_they_are_issued():
    found = whole()

    flows = found["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == TOKEN
    assert "system/*.cruds" in flows["clientCredentials"]["scopes"]
    assert found["security"] == [{"oauth2": []}, {"bearer": []}]
    assert operations(found)["get", "/metadata"]["security"] == []
    assert (
        "system/Patient.r`" in operations(found)["get", "/Patient/{id}"]["description"]
    )


def test_without_an_authorization_server_no_token_is_asked_for():
    found = whole(token_url=None)

    assert found["security"] == []
    assert found["components"]["securitySchemes"] == {}


def test_the_same_statement_gives_the_same_document():
    assert fhir_json.dumps(whole()) == fhir_json.dumps(whole())
