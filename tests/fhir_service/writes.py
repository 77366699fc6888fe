"""Writes over HTTP, as the tests of the writing interactions send them."""

import json
from typing import Any

from werkzeug.test import TestResponse
from worlds import Clinic, Headers, Json, same_for

JSON_PATCH = "application/json-patch+json"


def post(
    clinic: Clinic, resource: Json, headers: Headers | None = None, **more: str
) -> TestResponse:
    path = f"/fhir/{resource['resourceType']}"
    return send(clinic, "POST", path, resource, headers, **more)


def put(
    clinic: Clinic, resource: Json, headers: Headers | None = None, **more: str
) -> TestResponse:
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    return send(clinic, "PUT", path, resource, headers, **more)


def patch(
    clinic: Clinic,
    path: str,
    operations: Any,
    headers: Headers | None = None,
    **more: str,
) -> TestResponse:
    body = operations if isinstance(operations, bytes) else json.dumps(operations)
    return clinic.world.send(
        "PATCH",
        f"/fhir/{path}",
        body if isinstance(body, bytes) else body.encode(),
        {**(headers or clinic.admin), **_fields(more)},
        JSON_PATCH,
    )


def delete(
    clinic: Clinic, path: str, headers: Headers | None = None, **more: str
) -> TestResponse:
    return clinic.world.http.delete(
        f"/fhir/{path}", headers={**(headers or clinic.admin), **_fields(more)}
    )


def send(
    clinic: Clinic,
    method: str,
    path: str,
    body: Any,
    headers: Headers | None = None,
    **more: str,
) -> TestResponse:
    return clinic.world.send(
        method, path, body, {**(headers or clinic.admin), **_fields(more)}
    )


def _fields(more: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in more.items()}


def code(answer: TestResponse) -> str:
    """Return the code of the first issue."""
    return str(answer.json["issue"][0]["code"])


def place(answer: TestResponse) -> str | None:
    """Return the element that the first issue names."""
    found = answer.json["issue"][0].get("expression")
    return found[0] if found else None


def without_id(answer: TestResponse, id_: str) -> tuple[int, Any, bytes]:
    """Return what a client sees, with `id_` made the same for any id."""
    status, headers, body = same_for(answer)
    return status, headers, body.replace(id_.encode(), b"-")
