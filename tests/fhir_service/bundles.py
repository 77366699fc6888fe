"""Batches and transactions over HTTP, as their tests send them."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from werkzeug.test import TestResponse
from worlds import Clinic, Headers, Json, observation, patient

BASE = "http://localhost:8000/fhir"


def uuid(number: int) -> str:
    return f"urn:uuid:8f2c1a4e-1111-4111-8111-{number:012d}"


def entry(
    method: str,
    url: str,
    resource: Json | None = None,
    full_url: str | None = None,
    **conditions: str,
) -> Json:
    made: Json = {"request": {"method": method, "url": url, **conditions}}
    if resource is not None:
        made["resource"] = resource
    if full_url is not None:
        made["fullUrl"] = full_url
    return made


def creating(resource: Json, full_url: str | None = None, **conditions: str) -> Json:
    return entry("POST", resource["resourceType"], resource, full_url, **conditions)


def creating_observation(
    clinic: Clinic, number: int | None = None, **more: Any
) -> Json:
    full_url = None if number is None else uuid(number)
    return creating(observation(clinic.patient, **more), full_url)


def new_patient(clinic: Clinic, number: int, value: str | None = None) -> Json:
    return creating(patient(clinic.organization, value), uuid(number))


def json_patch(operations: Sequence[Json]) -> Json:
    return {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(json.dumps(operations).encode()).decode(),
    }


def send(
    clinic: Clinic,
    type_: str,
    entries: Sequence[Any],
    headers: Headers | None = None,
    **more: str,
) -> TestResponse:
    bundle: Json = {"resourceType": "Bundle", "type": type_}
    if entries:
        bundle["entry"] = list(entries)
    fields = {name.replace("_", "-"): value for name, value in more.items()}
    return clinic.world.send(
        "POST", "/fhir", bundle, {**(headers or clinic.admin), **fields}
    )


def transact(
    clinic: Clinic,
    *entries: Json,
    headers: Headers | None = None,
    **more: str,
) -> TestResponse:
    return send(clinic, "transaction", entries, headers, **more)


def done(clinic: Clinic, *entries: Json, **more: Any) -> list[Json]:
    """Return the entries of the answer to a transaction that must succeed."""
    answer = transact(clinic, *entries, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(answer.json.get("entry", ()))


def batched(clinic: Clinic, *entries: Json, **more: Any) -> list[Json]:
    """Return the entries of the answer to a batch."""
    answer = send(clinic, "batch", entries, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(answer.json.get("entry", ()))


def statuses(entries: Sequence[Json]) -> list[int]:
    return [int(one["response"]["status"].split()[0]) for one in entries]


def id_of(answered: Json) -> str:
    """Return the id that the location of an entry names."""
    return str(answered["response"]["location"].split("/")[-3])


def read(clinic: Clinic, path: str, headers: Headers | None = None) -> TestResponse:
    return clinic.world.get(f"/fhir/{path}", headers or clinic.admin)


def total(clinic: Clinic, query: str) -> int:
    mark = "&" if "?" in query else "?"
    return int(clinic.search(f"{query}{mark}_total=accurate", clinic.admin)["total"])
