"""Sources that templates describe: found by name, each alone in its faults."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import heart_rate

from conformance.fhir_json import dumps, loads
from fhir_service.ingest import retry, sources, templates
from fhir_service.storage import mapping_templates
from fhir_service.storage.mapping_templates import Stored
from mappings.templates import check
from mappings.vendors.table import VENDORS

EXAMPLES = Path(__file__).parents[3] / "mappings" / "templates" / "examples"
SYSTEM = "https://fhir-interop-service.org/fhir/sid/mqtt-noise-light-device"
AT = 1_793_000_000_000
"""Milliseconds since 1970, in 2026."""


def example(name="mqtt-noise-light"):
    return check.read((EXAMPLES / f"{name}.json").read_bytes())


def message(**state):
    return {"topic": "sensors/kitchen/state", "payload": {"ts": AT, **state}}


@pytest.fixture
def services(clinic):
    return clinic.world.deployment.services


def find(services, name="mqtt-noise-light"):
    with services.database.read() as snapshot:
        return sources.find(snapshot, name)


def gateway(clinic):
    """Return a clinic whose gateway speaks for a template and a vendor."""
    clinic.consented()
    clinic.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": SYSTEM, "value": "kitchen"}],
            "status": "active",
            "patient": {"reference": f"Patient/{clinic.patient}"},
        },
        clinic.admin,
    )
    headers = clinic.world.client(
        "sensors",
        "system/Observation.c",
        organization=clinic.organization,
        sources=("mqtt-noise-light", "open-mhealth"),
    )
    return replace(clinic, gateway=headers)


def test_a_vendor_is_found_without_a_template(services):
    assert find(services, "open-mhealth") is VENDORS["open-mhealth"]


def test_nobody_knows_a_source_without_a_template(services):
    assert find(services) is None


def test_a_template_is_a_source_until_it_is_removed(services):
    added = templates.add(services, example())

    found = find(services)
    again = find(services)
    templates.remove(services, "mqtt-noise-light")

    assert found is again
    assert (found.source, found.title) == (
        "mqtt-noise-light",
        "Noise and light sensor over MQTT",
    )
    assert found.parser == (f"template/mqtt-noise-light/1@{added.stored.sha256.hex()}")
    assert find(services) is None


def test_a_new_version_is_another_source(services):
    templates.add(services, example())
    before = find(services)

    templates.add(services, {**example(), "title": "Another title"})

    assert find(services) is not before
    assert find(services).title == "Another title"
    assert find(services).version.startswith("2@")


def test_every_version_is_kept_on_each_database(either):
    services = either.world.deployment.services
    templates.add(services, example())
    templates.add(services, {**example(), "title": "Another title"})
    templates.remove(services, "mqtt-noise-light")
    templates.add(services, example())

    with services.database.read() as snapshot:
        stored = mapping_templates.every(snapshot)
        active = mapping_templates.active(snapshot, "mqtt-noise-light")

    assert [(one.version, one.ended is None) for one in stored] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert active == stored[2]
    assert stored[0].sha256 == stored[2].sha256
    assert loads(active.body.encode()) == example()


def test_what_a_template_maps_is_stored_with_its_provenance(clinic):
    services = clinic.world.deployment.services
    clinic = gateway(clinic)
    templates.add(services, example())

    receipt = clinic.deliver(
        message(noise=41, noise_unit="dBA", grown=1), source="mqtt-noise-light"
    )

    [found] = clinic.found("Observation?code=noise-level")
    assert (receipt["stored"], receipt["quarantined"]) == (1, 1)
    assert found["valueQuantity"]["value"] == 41
    assert found["subject"] == {"reference": f"Patient/{clinic.patient}"}
    [provenance] = clinic.found(f"Provenance?target=Observation/{found['id']}")
    assert find(services).parser in dumps(provenance).decode()


BROKEN = json.dumps(
    {**example(), "measurements": [{"kind": "gone", "value": "g", "unit": "%"}]}
)


def break_template(services):
    """Store what an earlier version of the service took for a template."""
    services.database.write(
        lambda transaction: mapping_templates.add(
            transaction,
            name="mqtt-noise-light",
            sha256=b"x" * 32,
            body=BROKEN,
            made=services.clock(),
            made_by="somebody",
        )
    )


def test_a_broken_template_stops_only_itself(clinic):
    services = clinic.world.deployment.services
    clinic = gateway(clinic)
    break_template(services)

    refused = clinic.deliver(
        message(noise=41), message(noise=42), source="mqtt-noise-light"
    )
    others = clinic.deliver(heart_rate(1, clinic.patient))

    assert [
        (item["position"], item["reason"], item["detail"]) for item in refused["items"]
    ] == [
        (
            position,
            "malformed",
            (
                "Version 1 of the template cannot be used: /measurements/0/kind: There "
                "is no kind `gone`."
            ),
        )
        for position in ("$[0]", "$[1]")
    ]
    assert others["stored"] == 1


def test_what_a_broken_template_left_is_read_once_it_is_mended(clinic):
    services = clinic.world.deployment.services
    clinic = gateway(clinic)
    break_template(services)
    clinic.deliver(message(noise=41, noise_unit="dBA"), source="mqtt-noise-light")

    templates.add(services, example())
    account = retry.retry(services)

    assert (account.tried, account.resolved) == (1, 1)
    assert len(clinic.found("Observation?code=noise-level")) == 1


def test_a_broken_template_reads_no_file(tmp_path, clinic):
    services = clinic.world.deployment.services
    break_template(services)
    told = []

    [refused] = find(services).parse_file(
        tmp_path, received_at=None, progress=told.append
    )
    [single] = find(services).parse({"x": 1}, received_at=None)

    assert (refused.position, refused.payload) == ("$", None)
    assert (single.position, single.payload) == ("$", {"x": 1})
    assert told == [0]


def test_two_deployments_never_share_a_template_of_one_name():
    def stored(title):
        body = dumps({**example(), "title": title})
        return Stored(
            name="mqtt-noise-light",
            version=1,
            sha256=title.encode(),
            body=body.decode(),
            made=0,
            made_by="somebody",
        )

    titles = [sources.of_template(stored(title)).title for title in ("one", "two")]

    assert titles == ["one", "two"]
