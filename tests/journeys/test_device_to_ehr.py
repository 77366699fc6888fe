"""From a device's payload to an EHR's query, over HTTP, with the real server."""

import json
import secrets
import socket
import time

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from worlds import (
    HEART_RATE,
    actor,
    consent,
    heart_rate,
    patient,
    permit,
    purposes,
    reopened_world,
)

from fhir_service.commands import client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEYS = {"RS384": RSAKey, "ES384": ECKey}


def add(services, folder, client_id, scope, algorithm="ES384", **more):
    """Register a client as `fhir-service client add` does, its key generated."""
    client.add(
        services,
        client_id=client_id,
        name=None,
        scopes=(scope,),
        purposes=("TREAT",),
        organization=more.get("organization"),
        sources=more.get("sources", ()),
        key=client.KeySource(directory=folder / "clients", algorithm=algorithm),
    )


def token(service, client_id, scope, algorithm="ES384"):
    written = json.loads(service.key_of(client_id).read_text())
    key = KEYS[algorithm].import_key(written)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": f"{service.url}/auth/token",
        "exp": int(time.time()) + 200,
        "jti": secrets.token_hex(8),
    }
    header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    answer = requests.post(
        f"{service.url}/auth/token",
        data={
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jwt.encode(header, claims, key, algorithms=[algorithm]),
        },
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def made(answer):
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.fixture(scope="module")
def clinic(service):
    """Return the organisation, all clients registered."""
    folder = service.folder
    with service.opened() as services:
        add(services, folder, "founder", "system/Organization.c")
        founder = token(service, "founder", "system/Organization.c")
        resource = {"resourceType": "Organization", "name": "Clinic"}
        id_ = made(service.post("/fhir/Organization", resource, founder))
        own = {"organization": f"Organization/{id_}"}
        add(services, folder, "keeper", "system/*.cruds", **own)
        add(services, folder, "ehr", "system/*.rs", "RS384", **own)
        add(
            services,
            folder,
            "gateway",
            "system/Observation.c",
            sources=("open-mhealth",),
            **own,
        )
    return f"Organization/{id_}"


@pytest.fixture
def furnished(service, clinic, request):
    """Return the id of a patient who has agreed, known by the test's name."""
    keeper = token(service, "keeper", "system/*.cruds")
    person = patient(clinic, request.node.name)
    id_ = made(service.post("/fhir/Patient", person, keeper))
    provision = permit(actor=actor(clinic), purpose=purposes("TREAT"))
    made(service.post("/fhir/Consent", consent(id_, provision), keeper))
    return id_


def deliver(service, patient_id, count, access):
    """Send heart rates for the patient that the request names."""
    return service.post(
        f"/device-data/open-mhealth?patient={patient_id}",
        [heart_rate(number, "their app") for number in range(count)],
        access,
        content_type="json",
    )


def test_32_stalled_uploads_hold_up_no_reader(service, furnished):
    ehr = token(service, "ehr", "system/*.rs", "RS384")
    gateway = token(service, "gateway", "system/Observation.c")
    cut = (
        "POST /device-data/open-mhealth HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {gateway}\r\nContent-Type: application/json\r\n"
        'Content-Length: 1000\r\n\r\n[{"header":'
    ).encode()
    stalled = []
    for _ in range(32):
        sender = socket.create_connection(("127.0.0.1", service.port))
        sender.sendall(cut)
        stalled.append(sender)
    started = time.monotonic()

    statuses = {
        service.get(f"/fhir/Observation?patient={furnished}", ehr).status_code
        for _ in range(20)
    }
    sent = deliver(service, furnished, 2, gateway)
    took = time.monotonic() - started
    for sender in stalled:
        sender.close()

    assert statuses == {200}
    assert sent.json()["stored"] == 2
    assert took < 10, "the readers waited for the uploads"


def test_a_body_of_20_megabytes_is_refused_and_leaves_nothing(service, furnished):
    gateway = token(service, "gateway", "system/Observation.c")

    answer = requests.post(
        f"{service.url}/device-data/open-mhealth",
        data=b"[" + b" " * 20_000_000 + b"]",
        headers={
            "Authorization": f"Bearer {gateway}",
            "Content-Type": "application/json",
        },
        timeout=30,
    )

    assert answer.status_code == 413
    assert answer.json()["issue"][0]["code"] == "too-long"
    ehr = token(service, "ehr", "system/*.rs", "RS384")
    found = service.get(f"/fhir/Observation?patient={furnished}", ehr).json()
    assert "entry" not in found


def test_a_restarted_service_serves_what_it_had_promised(service, furnished):
    gateway = token(service, "gateway", "system/Observation.c")
    deliver(service, furnished, 5, gateway)

    service.crash()
    service.start()

    ehr = token(service, "ehr", "system/*.rs", "RS384")
    found = service.get(
        f"/fhir/Observation?patient={furnished}&_total=accurate", ehr
    ).json()
    assert found["total"] == 5
    again = deliver(service, furnished, 5, gateway)
    assert again.json()["duplicate"] == 5


def test_what_a_device_measured_reaches_the_ehr_until_it_is_removed(service, furnished):
    gateway = token(service, "gateway", "system/Observation.c")
    ehr = token(service, "ehr", "system/*.rs", "RS384")

    sent = deliver(service, furnished, 30, gateway)
    assert (sent.status_code, sent.json()["stored"]) == (200, 30)

    query = (
        f"/fhir/Observation?patient={furnished}&code={HEART_RATE}"
        "&date=ge2026-11-02&date=lt2026-11-20&_sort=-date&_count=10&_total=accurate"
    )
    page = service.get(query, ehr)
    assert page.headers["Content-Type"].startswith("application/fhir+json")
    assert page.headers["Cache-Control"] == "no-store"
    bundle = page.json()
    assert bundle["total"] > 20
    assert len(bundle["entry"]) == 10
    resource = bundle["entry"][0]["resource"]
    read = service.get(f"/fhir/Observation/{resource['id']}", ehr)
    assert read.json() == resource
    assert service.get(f"/fhir/Patient/{furnished}", ehr).status_code == 200
    assert service.get(f"/fhir/Device?patient={furnished}", ehr).status_code == 200
    metadata = requests.get(f"{service.url}/fhir/metadata", timeout=20)
    assert metadata.json()["fhirVersion"] == "4.0.1"

    with service.opened() as services:
        client.remove(services, client_id="ehr")

    assert service.get(query, ehr).status_code == 401
    assert service.stop() == 0, service.log()
    with reopened_world(service.data) as world:
        assert world.verified().is_intact
        assert world.audited()[-1].status == 401
