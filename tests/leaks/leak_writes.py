"""Writes that a hidden resource could answer for, by the row of the leak list.

They happen in both worlds alike; so afterwards both must still look the same.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from leak_catalogue import CATALOGUE, SAMPLE
from leak_resources import (
    NUMBERS,
    about,
    concept,
    condition,
    device,
    group,
    measured,
    metric,
    permitting,
    person,
    report,
    worn,
)
from leak_script import SCRIPT
from leak_worlds import Ask
from worlds import HEART_RATE, RESTING, Json, heart_rate, steps

BOTH = ("writer", "stranger")
ONE = ("writer",)

CONDITIONS: Mapping[str, str] = {
    "one hidden": f"identifier={NUMBERS}|carol-2339-0-6",
    "one visible and one hidden": (
        f"identifier={NUMBERS}|carol-40443-4-2,{NUMBERS}|carol-2339-0-6"
    ),
    "several hidden": "patient=Patient/{carol}&code=http://loinc.org|55423-8",
    "by chain": "patient.identifier=bob-number",
    "by id": "_id={secret}",
    "by hidden patient": "patient=Patient/{bob}",
}
"""Conditions on Observations that a hidden one would meet."""

FINAL = [{"op": "replace", "path": "/status", "value": "amended"}]


def _bodies() -> dict[str, Json]:
    return {step.name: step.body for step in SCRIPT if step.method == "POST"}


BODIES = _bodies()


def of(name: str, **more: Any) -> Json:
    """Return a hidden resource as whoever guesses it would send it."""
    return {**BODIES[name], "id": f"{{{name}}}", **more}


def _conditional() -> Iterator[Ask]:
    for condition_ in CONDITIONS.values():
        none = {"If-None-Exist": condition_}
        body = measured("carol", RESTING, 16)
        yield Ask(path="Observation", method="POST", body=body, headers=none, by=BOTH)
        path = f"Observation?{condition_}"
        yield Ask(path=path, method="PATCH", body=FINAL, by=BOTH)
        yield Ask(path=path, method="PUT", body=body, by=BOTH)
        yield Ask(path=path, method="DELETE", by=BOTH)
    patient = person("bob")
    for condition_ in ("name=bob-family", f"identifier={NUMBERS}|bob-number"):
        none = {"If-None-Exist": condition_}
        yield Ask(path="Patient", method="POST", body=patient, headers=none, by=BOTH)
        yield Ask(path=f"Patient?{condition_}", method="DELETE", by=BOTH)


def _addressed() -> Iterator[Ask]:
    """Yield writes to ids that are hidden, and to such as were never given."""
    for name, type_ in SAMPLE.items():
        path = f"{type_}/{{{name}}}"
        for headers in ({"If-Match": 'W/"7"'}, {"If-Match": 'W/"1"'}, {}):
            body = of(name)
            yield Ask(path=path, method="PUT", body=body, headers=headers, by=ONE)
            yield Ask(path=path, method="PATCH", body=FINAL, headers=headers, by=ONE)
        none = {"If-None-Match": "*"}
        yield Ask(path=path, method="PUT", body=of(name), headers=none, by=ONE)
        yield Ask(path=path, method="PUT", body={**of(name), "id": "other"}, by=ONE)
        yield Ask(path=path, method="DELETE", headers={"If-Match": 'W/"7"'}, by=BOTH)
        yield Ask(path=path, method="DELETE", by=BOTH)


CONDITIONAL = (*_conditional(), *_addressed())


def _post(body: Json, by: tuple[str, ...] = BOTH) -> Ask:
    return Ask(path=body["resourceType"], method="POST", body=body, by=by)


HIDDEN_TARGETS = {
    "secret": "Observation",
    "bobs-a": "Observation",
    "bob": "Patient",
    "stay": "Encounter",
    "strap": "Device",
}

_BOB_INSIDE = {
    "resourceType": "Observation",
    "id": "c",
    "status": "final",
    "code": concept(RESTING),
    "subject": {"reference": "Patient/{bob}"},
}


def _naming() -> Iterator[Ask]:
    """Yield creations of what names something hidden."""
    for name, type_ in HIDDEN_TARGETS.items():
        yield from map(_post, about(type_, name).values())
    yield from map(_post, NAMING)


NAMING: tuple[Json, ...] = (
    report("carol", "secret", "steps-a"),
    condition("carol", "6142004", "stay"),
    condition("alice", "6142004", "bobs-visit"),
    condition("bob", "6142004"),
    measured("carol", RESTING, 17, hasMember=[{"reference": "Observation/{secret}"}]),
    measured("bob", RESTING, 17),
    worn("carol", HEART_RATE, 17, "strap"),
    worn("alice", HEART_RATE, 17, "strap"),
    worn("alice", HEART_RATE, 17, "bobs-ring"),
    worn("bob", HEART_RATE, 17, "bobs-ring"),
    {
        **measured("alice", HEART_RATE, 17),
        "device": {"reference": "DeviceMetric/{strap-metric}"},
    },
    device("bob", "another"),
    device("carol", "strap-1"),
    device("alice", "bobs-ring-1"),
    metric("strap"),
    metric("bobs-ring"),
    group("bob"),
    group("alice", "bob"),
    person("bob"),
    person(
        "carl", link=[{"other": {"reference": "Patient/{bob}"}, "type": "replaces"}]
    ),
    permitting("bob"),
    {
        **permitting("carol"),
        "identifier": [{"system": NUMBERS, "value": "bobs-consent"}],
    },
    {
        **measured("carol", RESTING, 17, hasMember=[{"reference": "#c"}]),
        "contained": [_BOB_INSIDE],
    },
)
"""What names hidden resources, belongs to hidden people, or has their identifiers."""


def _moving() -> Iterator[Ask]:
    """Yield updates of what is visible, towards what is hidden."""
    moved = {**of("rest-a"), "subject": {"reference": "Patient/{bob}"}}
    yield Ask(path="Observation/{rest-a}", method="PUT", body=moved, by=BOTH)
    worn = {**of("rest-a"), "device": {"reference": "Device/{strap}"}}
    yield Ask(path="Observation/{rest-a}", method="PUT", body=worn, by=BOTH)
    items = [{"item": {"reference": "Observation/{secret}"}}]
    listed = {**of("pulse-list"), "entry": items}
    yield Ask(path="List/{pulse-list}", method="PUT", body=listed, by=BOTH)
    members = {**group("alice", "bob"), "id": "{alices-group}"}
    yield Ask(path="Group/{alices-group}", method="PUT", body=members, by=BOTH)
    for name in ("carol", "dora", "alice"):
        yield Ask(path=f"Patient/{{{name}}}", method="DELETE", by=BOTH)
    yield Ask(path="Encounter/{visit}", method="DELETE", by=BOTH)
    yield Ask(path="Device/{ring}", method="DELETE", by=BOTH)


REFERRING = (*_naming(), *_moving())


_CONDITIONS = {
    "If-None-Exist": "ifNoneExist",
    "If-Match": "ifMatch",
    "If-None-Match": "ifNoneMatch",
}


def entry(ask: Ask) -> Json:
    """Return a request as an entry of a Bundle."""
    told = {
        _CONDITIONS[name]: value
        for name, value in ask.headers.items()
        if name in _CONDITIONS
    }
    made: Json = {"request": {"method": ask.method, "url": ask.path, **told}}
    if ask.method == "PATCH":
        made["resource"] = {
            "resourceType": "Binary",
            "contentType": "application/json-patch+json",
            "data": base64.b64encode(json.dumps(ask.body).encode()).decode(),
        }
    elif ask.body is not None:
        made["resource"] = ask.body
    return made


def bundle(type_: str, asks: Iterable[Ask], by: tuple[str, ...]) -> Ask:
    """Return the same requests as one Bundle."""
    entries = [entry(ask) for ask in asks]
    body = {"resourceType": "Bundle", "type": type_, "entry": entries}
    return Ask(path="/fhir", method="POST", body=body, by=by)


BATCHED = ("L1", "L4", "L5", "L7", "L8", "L14", "L21")

A_BATCH = 50
"""Requests of which every third one is in the same batch."""


def _bundles() -> Iterator[Ask]:
    reads = [ask for row in BATCHED for ask in CATALOGUE[row] if ask.method == "GET"]
    for at in range(0, len(reads), A_BATCH):
        yield bundle("batch", reads[at : at + A_BATCH : 3], ("ehr",))
    writes = (*CONDITIONAL, *REFERRING)
    for at in range(0, len(writes), A_BATCH):
        yield bundle("batch", writes[at : at + A_BATCH : 3], ONE)
    for ask in (*writes[::11], *reads[::40]):
        yield bundle("transaction", [ask], ("writer",))
    yield from _referring_by_search()


def _referring_by_search() -> Iterator[Ask]:
    for query in (
        {"identifier": f"{NUMBERS}|bob-number"},
        {"identifier": f"{NUMBERS}|carol-number"},
    ):
        body = measured("alice", RESTING, 18)
        body["subject"] = {"reference": f"Patient?{urlencode(query)}"}
        yield bundle("transaction", [_post(body)], BOTH)


BUNDLES = tuple(_bundles())


KEPT = {"Prefer": "return=representation"}


def delivery(*points: Json, **more: Any) -> Ask:
    query = more.get("query", "")
    return Ask(
        path=f"/device-data/open-mhealth{query}",
        method="POST",
        body=list(points),
        headers=KEPT,
        by=("gateway",),
    )


def _deliveries() -> Iterator[Ask]:
    for user in ("dora-user", "bob-user"):
        yield delivery(heart_rate(1, user), steps(2, user))
        yield delivery(heart_rate(1, user, value=61))
        yield delivery(heart_rate(1, user), heart_rate(9, user))
    yield delivery(heart_rate(1, "nobody"), query="?patient={bob}")
    yield delivery(heart_rate(1, "bob-user"), query="?patient={carol}")
    yield delivery(heart_rate(1, "alice-user"), heart_rate(4, "carol-user"))
    for name in ("secret", "steps-a", "strap", "worn", "bobs-a"):
        body = BODIES[name]
        yield replace(_post(body), headers=KEPT)
        none = {**KEPT, "If-None-Exist": f"identifier={_value(body)}"}
        yield replace(_post(body), headers=none)


def _value(body: Json) -> str:
    return str(body["identifier"][0]["value"])


DELIVERIES = tuple(_deliveries())

WRITES: Mapping[str, tuple[Ask, ...]] = {
    "L9": CONDITIONAL,
    "L10": REFERRING,
    "L19": BUNDLES,
    "L20": DELIVERIES,
}
"""Row of the list → what is written in both worlds for it."""

AFTERWARDS = tuple(
    Ask(path=path, by=("ehr", "lab"))
    for path in (
        "_history?_count=1000",
        "Observation?_count=1000&_revinclude=Provenance:target",
        "Patient?_count=1000",
        "Device?_count=1000",
    )
)
"""How both worlds look when everything was written."""
