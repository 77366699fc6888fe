"""The table of operations, held against what routes, tells and describes them."""

import re
from pathlib import Path

from fhir_service.operations.table import EVERY_TYPE, OPERATIONS, SYSTEM
from fhir_service.routes import ROUTES

PAGE = Path(__file__).parents[3] / "docs" / "fhir-operations.md"

CALLS = {
    (method, call.template)
    for operation in OPERATIONS
    for call in operation.calls
    for method in call.methods
}


def test_every_call_is_routed_and_no_other():
    named = {
        (route.method, route.template)
        for route in ROUTES
        if "$" in route.template and route.interaction == "operation"
    }

    assert named == CALLS


def test_every_call_is_on_the_page_of_operations():
    rows = re.findall(
        r"^\| `\$[\w-]+` \| `([^`]+)` by ([A-Z or]+) \|", PAGE.read_text(), re.MULTILINE
    )

    told = {(method, path) for path, by in rows for method in by.split(" or ")}

    assert told == CALLS


def test_every_operation_has_a_section_of_the_page():
    sections = re.findall(r"^## `\$([\w-]+)`$", PAGE.read_text(), re.MULTILINE)

    assert sorted(sections) == [operation.name for operation in OPERATIONS]


def test_every_path_is_where_the_operation_belongs():
    starts = {EVERY_TYPE: "/fhir/{type}/", SYSTEM: "/fhir/$"}

    for operation in OPERATIONS:
        for call in operation.calls:
            start = starts.get(operation.of, f"/fhir/{operation.of}/")
            assert call.template.startswith(start)
            assert call.template.endswith(f"/${operation.name}")


def test_every_request_is_in_the_openapi_document(clinic):
    described = clinic.world.http.get("/openapi.json").json["paths"]

    paths = {
        template.removeprefix("/fhir").replace("{type}", "Patient")
        for _, template in CALLS
    }

    assert paths <= described.keys()
