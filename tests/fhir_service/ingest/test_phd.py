"""What a personal health gateway uploads is stored as it came, once."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.issues import Issue, IssueType, Severity
from fhir_service.auth import local
from fhir_service.ingest import phd_again
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.phd import PARSER, SOURCE, take_upload
from fhir_service.ingest.raw import opened
from fhir_service.ingest.receipt import Fate
from fhir_service.ingest.remapping import remap
from fhir_service.ingest.retry import retry
from fhir_service.storage import quarantines, raw_payloads
from mappings.vendors.hl7_phd import parts
from mappings.vendors.hl7_phd.parts import SYSTEM

SAMPLES = (
    Path(__file__).parents[3].parent
    / "shared"
    / "data"
    / "payloads"
    / "hl7-phd-examples"
)
OBSERVATIONS = [
    "bits-observation",
    "coin-20181119174911",
    "coin-example-1",
    "compound-numeric-blood-pressure",
    "compound-observation-glucose",
    "meal-context-observation",
    "numeric-spo2-alarm",
    "numeric-spotnumeric",
    "rtsa-example",
    "string-observation-1",
    "temperature-observation",
]
OXIMETER = "phd-74E8FFFEFF051C00.001C05FFE874"
CUFF = "Device/phd-711000FEFF5F49B0.B0495F001071"


def sample(name):
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the sample payloads are not here")
    return json.loads(path.read_bytes())


def uploaded(clinic, payload, patient_id=None):
    body = json.dumps(payload).encode()
    services = clinic.world.deployment.services
    return take_upload(
        services,
        Delivery(
            source=SOURCE,
            parser=PARSER,
            identifier_system=SYSTEM,
            is_registered=False,
            patient_id=patient_id or clinic.patient,
            grant=local.operator(clinic.organization),
            payload_sha256=hashlib.sha256(body).digest(),
            received_us=services.clock(),
            raw=body,
        ),
        Origin(interaction="ingest", request="POST /device-data/hl7-phd"),
    )


def logical(reference):
    return {
        "type": reference.partition("/")[0],
        "identifier": {"system": SYSTEM, "value": reference},
    }


def expected(clinic, value):
    """Return what a resource becomes where nothing but its patient is here."""
    if isinstance(value, list):
        return [expected(clinic, one) for one in value]
    if not isinstance(value, dict):
        return value
    named = value.get("reference", "")
    if named.startswith("Patient/"):
        return {"reference": f"Patient/{clinic.patient}"}
    if named:
        return logical(named)
    return {name: expected(clinic, one) for name, one in value.items()}


def stored(clinic, type_="Observation"):
    return clinic.all_found(type_)


def content(resource):
    set_by_us = ("versionId", "lastUpdated", "security")
    meta = {n: v for n, v in resource["meta"].items() if n not in set_by_us}
    return {n: v for n, v in resource.items() if n != "id"} | {"meta": meta}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_an_observation_comes_back_as_it_came(clinic, name):
    clinic.consented()
    sent = sample(name)

    receipt = uploaded(clinic, sent)

    assert receipt.counts == {Fate.STORED: 1}
    [found] = stored(clinic)
    assert content(found) == content(expected(clinic, sent))


def test_a_device_comes_back_as_it_came_and_is_the_patients(clinic):
    clinic.consented()
    sent = sample(OXIMETER)

    uploaded(clinic, sent)

    [found] = stored(clinic, "Device")
    patient = {"patient": {"reference": f"Patient/{clinic.patient}"}}
    assert content(found) == content(sent) | patient


def test_references_lead_to_the_devices_that_are_stored(clinic):
    clinic.consented()
    uploaded(clinic, sample(OXIMETER))
    [device] = stored(clinic, "Device")

    uploaded(clinic, sample("numeric-spotnumeric"))

    [found] = stored(clinic)
    assert found["device"] == {"reference": f"Device/{device['id']}"}


def test_a_time_stamp_in_the_same_upload_comes_before_what_refers_to_it(clinic):
    clinic.consented()
    timed = sample("compound-numeric-blood-pressure")

    uploaded(clinic, [timed, sample("coin-20181119174911")])

    stamp, pressure = sorted(stored(clinic), key=lambda one: "valueDateTime" not in one)
    assert stamp["subject"] == logical(CUFF)
    assert pressure["extension"][1]["valueReference"] == {
        "reference": f"Observation/{stamp['id']}"
    }


def test_a_metric_leads_to_its_device(clinic):
    clinic.consented()
    device = sample(OXIMETER) | {"id": CUFF.partition("/")[2]}

    receipt = uploaded(clinic, [sample("bp-devicemetric-example"), device])

    [stored_device] = stored(clinic, "Device")
    [metric] = stored(clinic, "DeviceMetric")
    assert receipt.counts == {Fate.STORED: 2}
    assert metric["source"] == {"reference": f"Device/{stored_device['id']}"}


def test_a_bundle_is_stored_whole_and_once(clinic):
    clinic.consented()
    bundle = sample("bundle-continuousnonin")

    first = uploaded(clinic, bundle)
    again = uploaded(clinic, bundle)

    assert first.counts == {Fate.STORED: 47}
    assert again.counts == {Fate.DUPLICATE: 47}
    found = sorted(json.dumps(content(one), sort_keys=True) for one in stored(clinic))
    assert found == sorted(
        json.dumps(content(expected(clinic, one["resource"])), sort_keys=True)
        for one in bundle["entry"]
    )


def test_the_same_identifier_with_another_content_is_the_next_version(clinic):
    clinic.consented()
    sent = sample("numeric-spotnumeric")
    corrected = sent | {"valueQuantity": sent["valueQuantity"] | {"value": 97}}
    uploaded(clinic, sent)

    receipt = uploaded(clinic, corrected)
    back = uploaded(clinic, sent)

    assert (receipt.counts, back.counts) == (
        {Fate.AMENDED: 1},
        {Fate.DUPLICATE: 1},
    )
    [found] = stored(clinic)
    assert (found["valueQuantity"]["value"], found["meta"]["versionId"]) == (97, "2")


def test_a_device_that_is_registered_already_is_not_stored_twice(clinic):
    clinic.consented()
    registered = sample(OXIMETER) | {
        "patient": {"reference": f"Patient/{clinic.patient}"}
    }
    made = clinic.world.create(registered, clinic.admin)

    receipt = uploaded(clinic, [sample(OXIMETER), sample("bits-observation")])

    assert receipt.counts == {Fate.DUPLICATE: 1, Fate.STORED: 1}
    [found] = stored(clinic)
    assert found["device"] == {"reference": f"Device/{made['id']}"}


def test_without_consent_nothing_is_stored(clinic):
    receipt = uploaded(clinic, sample("bundle-continuousnonin"))

    assert receipt.counts == {Fate.WITHHELD: 47}


def test_a_patient_is_never_stored_and_what_is_wrong_is_refused(clinic):
    clinic.consented()
    entry = {
        "resource": sample("bits-observation"),
        "request": {"method": "DELETE"},
        "patient": {"reference": "Patient/1"},
    }
    broken = sample("bits-observation") | {"status": "done"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": sample("patientExample-1")},
            {"resource": broken},
            {"resource": {"resourceType": "Basic"}},
            entry,
            3,
            {},
        ],
    }

    receipt = uploaded(clinic, bundle)

    assert receipt.counts == {Fate.OUT_OF_SCOPE: 1, Fate.QUARANTINED: 5}
    assert [item.reason for item in receipt.items] == [
        None,
        "malformed",
        "unknown-kind",
        "malformed",
        "malformed",
        "malformed",
    ]
    assert retried(clinic) == (5, 0)


def test_a_patient_who_is_not_here_is_refused_by_name(clinic):
    clinic.consented()

    receipt = uploaded(clinic, sample("bits-observation"), patient_id="nobody")

    assert [item.reason for item in receipt.items] == ["unknown-patient"]


def test_an_upload_is_audited_with_what_it_wrote(clinic):
    clinic.consented()

    uploaded(clinic, sample("bits-observation"))

    leaf = clinic.world.audited()[-1]
    assert (leaf.interaction, len(leaf.written), leaf.client) == (
        "ingest",
        1,
        local.COMMAND_LINE,
    )


def test_a_resource_that_names_two_patients_is_refused_by_name(clinic):
    clinic.consented()
    other = {"performer": [{"reference": "Patient/another"}]}

    receipt = uploaded(clinic, sample("bits-observation") | other)

    assert [item.reason for item in receipt.items] == ["ambiguous-wearer"]


def test_a_reference_to_a_device_of_this_server_stays_one(clinic):
    clinic.consented()
    owner = {"patient": {"reference": f"Patient/{clinic.patient}"}}
    made = clinic.world.create({"resourceType": "Device", **owner}, clinic.admin)
    device = {"reference": f"Device/{made['id']}"}

    uploaded(clinic, sample("bits-observation") | {"device": device})

    assert stored(clinic)[0]["device"] == device


def test_a_device_of_another_patient_is_not_named(clinic):
    clinic.consented()
    other = clinic.another_patient()
    clinic.consented(patient_id=other)
    owner = {"patient": {"reference": f"Patient/{other}"}}
    made = clinic.world.create({"resourceType": "Device", **owner}, clinic.admin)
    device = {"reference": f"Device/{made['id']}"}

    uploaded(clinic, sample("bits-observation") | {"device": device})

    assert stored(clinic)[0]["device"] == logical(device["reference"])


def test_what_was_deleted_does_not_come_back_and_is_not_referred_to(clinic):
    clinic.consented()
    uploaded(clinic, sample(OXIMETER))
    [device] = stored(clinic, "Device")
    path = f"/fhir/Device/{device['id']}"
    clinic.world.send("DELETE", path, b"", clinic.admin)

    receipt = uploaded(
        clinic,
        [sample(OXIMETER) | {"modelNumber": "another"}, sample("bits-observation")],
    )

    assert receipt.counts == {Fate.DUPLICATE: 1, Fate.STORED: 1}
    assert stored(clinic, "Device") == []
    assert stored(clinic)[0]["device"] == logical(f"Device/{OXIMETER}")


def test_another_organisations_gateway_learns_nothing_of_a_patient(clinic):
    body = json.dumps(sample("bits-observation")).encode()
    services = clinic.world.deployment.services

    receipt = take_upload(
        services,
        Delivery(
            source=SOURCE,
            parser=PARSER,
            identifier_system=SYSTEM,
            is_registered=False,
            patient_id=clinic.patient,
            grant=stranger(clinic),
            payload_sha256=None,
            received_us=services.clock(),
            raw=body,
        ),
        Origin(interaction="ingest", request="POST /device-data/hl7-phd"),
    )

    assert [(one.fate, one.reason) for one in receipt.items] == [
        (Fate.QUARANTINED, "unknown-patient")
    ]


def stranger(clinic):
    """Return the grant of a client of another organisation."""
    mine = local.operator(clinic.organization)
    return replace(mine, client_id="strange", organization="Organization/b")


FAULT = Issue(
    type=IssueType.STRUCTURE,
    diagnostics="It is not valid.",
    expression="Observation",
    severity=Severity.ERROR,
)
URN = "urn:uuid:0f0f0f0f-0000-4000-8000-000000000001"


def spot(**more):
    """Return an Observation of a gateway that names a Device of its upload."""
    return {
        "resourceType": "Observation",
        "id": "spot",
        "identifier": [{"system": "urn:test", "value": "spot-1"}],
        "status": "final",
        "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "1"}]},
        "subject": {"reference": "Patient/p"},
        "device": {"reference": URN},
        "effectiveDateTime": "2026-11-19T10:00:00.00+01:00",
        "valueQuantity": {"value": 36.50, "unit": "Cel"},
        **more,
    }


def cuff():
    return {
        "resourceType": "Device",
        "identifier": [{"system": "urn:test", "value": "cuff-1"}],
    }


def bundle(*entries):
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": url, "resource": resource} if url else {"resource": resource}
            for url, resource in entries
        ],
    }


def deliver(clinic, payload, query=""):
    headers = clinic.world.client(
        "hub",
        "system/Observation.c",
        organization=clinic.organization,
        sources=(SOURCE,),
    )
    return clinic.world.deliver(SOURCE, payload, headers, query)


def retried(clinic):
    account = retry(clinic.world.deployment.services)
    return account.tried, account.resolved


def test_a_part_that_was_refused_is_stored_by_a_retry(clinic, monkeypatch):
    clinic.consented()
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    uploaded(clinic, spot())
    monkeypatch.undo()

    assert retried(clinic) == (1, 1)
    [found] = stored(clinic)
    unnamed = {n: one for n, one in spot().items() if n not in ("id", "device")}
    assert content(found) == content(
        {"meta": {}}
        | expected(clinic, unnamed)
        | {"device": {"identifier": {"system": SYSTEM, "value": URN}}}
    )


def test_a_part_that_is_refused_again_waits_with_todays_reason(clinic, monkeypatch):
    clinic.consented()
    uploaded(clinic, {"resourceType": "Basic"})
    monkeypatch.setattr(parts, "TYPES", (*parts.TYPES, "Basic"))

    account = retry(clinic.world.deployment.services)

    assert (account.tried, account.resolved) == (1, 0)
    assert account.waiting == {("hl7-phd", "malformed"): 1}


def test_a_retry_finds_the_patient_who_is_here_since(clinic):
    clinic.consented()
    sent = spot(subject={"reference": "Patient/later"})
    deliver(clinic, sent)
    clinic.world.update(
        {
            "resourceType": "Patient",
            "id": clinic.patient,
            "identifier": [{"system": SYSTEM, "value": "later"}],
            "managingOrganization": {"reference": clinic.organization},
        },
        clinic.admin,
    )

    assert retried(clinic) == (1, 1)
    assert len(stored(clinic)) == 1


def test_a_retry_knows_what_its_upload_called_a_device(clinic, monkeypatch):
    clinic.consented()
    real = parts.validate
    monkeypatch.setattr(
        parts,
        "validate",
        lambda one: [FAULT] if one["resourceType"] == "Observation" else real(one),
    )
    uploaded(clinic, bundle((URN, cuff()), (None, spot())))
    monkeypatch.undo()

    assert retried(clinic) == (1, 1)
    [device], [found] = stored(clinic, "Device"), stored(clinic)
    assert found["device"] == {"reference": f"Device/{device['id']}"}


def test_parts_that_are_tried_again_find_each_other(clinic, monkeypatch):
    clinic.consented()
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    uploaded(clinic, bundle((None, spot()), (URN, cuff())))
    monkeypatch.undo()

    assert retried(clinic) == (2, 2)
    [device], [found] = stored(clinic, "Device"), stored(clinic)
    assert found["device"] == {"reference": f"Device/{device['id']}"}


def test_a_retry_does_not_overrule_what_came_since(clinic, monkeypatch):
    clinic.consented()
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    uploaded(clinic, spot(valueQuantity={"value": 1}))
    monkeypatch.undo()
    clinic.world.clock.pass_s(1)
    uploaded(clinic, spot(valueQuantity={"value": 2}))

    assert retried(clinic) == (1, 1)
    [found] = stored(clinic)
    assert (found["valueQuantity"]["value"], found["meta"]["versionId"]) == (2, "1")


def test_of_one_upload_that_is_tried_again_the_last_counts(clinic, monkeypatch):
    clinic.consented()
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    uploaded(clinic, [spot(valueQuantity={"value": one}) for one in (1, 2)])
    monkeypatch.undo()
    clinic.world.clock.pass_s(1)

    assert retried(clinic) == (2, 2)
    [found] = stored(clinic)
    assert (found["valueQuantity"]["value"], found["meta"]["versionId"]) == (2, "2")


def test_a_deliverer_who_may_not_any_more_resolves_nothing(clinic, monkeypatch):
    clinic.consented()
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    deliver(clinic, spot(), query=f"?patient={clinic.patient}")
    monkeypatch.undo()
    monkeypatch.setattr(phd_again, "grant_today", lambda *_, **__: None)

    assert retried(clinic) == (1, 0)
    assert stored(clinic) == []


def test_a_part_of_which_consent_permits_nothing_is_not_kept(clinic):
    receipt = uploaded(clinic, {"resourceType": "Basic"})

    assert receipt.counts == {Fate.WITHHELD: 1}
    assert retried(clinic) == (0, 0)


def raw(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        return raw_payloads.since(snapshot, since_us=0, now_us=0, count=9)


def test_an_upload_is_kept_as_it_came_under_the_patients_key(clinic):
    clinic.consented()
    sent = bundle((URN, cuff()), (None, spot()))

    uploaded(clinic, sent)

    services = clinic.world.deployment.services
    [payload] = raw(clinic)
    with services.database.read() as snapshot:
        assert json.loads(opened(services, snapshot, payload)) == sent
    assert payload.patient_key
    assert (payload.source, payload.parser) == (SOURCE, PARSER)


def test_an_upload_of_which_anything_is_withheld_is_not_kept(clinic):
    uploaded(clinic, spot())

    assert raw(clinic) == []


def test_an_upload_that_came_before_is_not_kept_again(clinic):
    clinic.consented()
    for _ in range(2):
        uploaded(clinic, spot())

    assert len(raw(clinic)) == 1


def test_a_replay_leaves_uploads_as_they_came(clinic):
    clinic.consented()
    uploaded(clinic, spot())

    [left] = remap(clinic.world.deployment.services, since_us=0, is_trial=True)

    assert left.why_not == "It passes no mapping: its resources are as they came."


def waiting(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        return quarantines.pending(snapshot, after=0, count=9_999)


def of(patient, **more):
    return spot(subject={"reference": f"Patient/{patient}"}, **more)


def test_what_is_wrong_of_a_patient_who_does_not_consent_is_not_kept(clinic):
    receipt = deliver(clinic, of(clinic.patient, status="done"))

    assert receipt["withheld"] == 1
    assert waiting(clinic) == []


def test_what_is_wrong_of_another_is_not_kept_as_the_requests_patients(clinic):
    clinic.consented()
    sent = of(clinic.another_patient(), status="done")

    deliver(clinic, sent, f"?patient={clinic.patient}")

    assert [one.patient_key for one in waiting(clinic)] == [0]


def test_what_is_wrong_and_names_nobody_is_of_whom_the_rest_is(clinic):
    device = cuff() | {"status": "done"}

    receipt = deliver(clinic, [of(clinic.patient), device])

    assert receipt["withheld"] == 2
    assert waiting(clinic) == []


def test_several_whom_nobody_knows_are_not_taken_for_the_requests_patient(clinic):
    clinic.consented()
    second = [{"system": "urn:test", "value": "spot-2"}]

    receipt = uploaded(clinic, [of("x"), of("y", identifier=second)])

    assert [one.reason for one in receipt.items] == ["ambiguous-wearer"] * 2
    assert retried(clinic) == (2, 0)
    assert stored(clinic) == []


def test_of_one_upload_no_more_is_kept_than_of_another_delivery(clinic):
    clinic.consented()
    sent = [{"resourceType": "Basic", "id": f"a{number}"} for number in range(1_010)]

    receipt = uploaded(clinic, sent)

    assert receipt.counts == {Fate.QUARANTINED: 1_010}
    assert len(waiting(clinic)) == 1_000


ELSEWHERE = "http://other.example/fhir/Patient/p"
CALLED = "urn:uuid:0f0f0f0f-0000-4000-8000-000000000002"


def about(named, **more):
    return spot(subject={"reference": named}, **more)


@pytest.mark.parametrize("named", [ELSEWHERE, CALLED])
def test_however_a_patient_is_named_the_subject_is_the_one_here(clinic, named):
    clinic.consented()

    uploaded(clinic, bundle((named, {"resourceType": "Patient"}), (None, about(named))))

    [found] = stored(clinic)
    assert found["subject"] == {"reference": f"Patient/{clinic.patient}"}


@pytest.mark.parametrize("start", [ELSEWHERE, CALLED])
def test_two_patients_of_a_bundle_are_not_taken_for_one(clinic, start, monkeypatch):
    clinic.consented()
    names = [f"{start}{number}" for number in (1, 2)]
    people = [(name, {"resourceType": "Patient"}) for name in names]
    spots = [
        (None, about(name, identifier=[{"system": "urn:test", "value": name}]))
        for name in names
    ]
    real = parts.validate
    monkeypatch.setattr(parts, "validate", lambda _: [FAULT])
    uploaded(clinic, bundle(*people, *spots))
    monkeypatch.setattr(parts, "validate", real)

    receipt = uploaded(clinic, bundle(*people, *spots))

    assert [one.reason for one in receipt.items[2:]] == ["ambiguous-wearer"] * 2
    assert retried(clinic) == (4, 0)
    assert stored(clinic) == []


def test_a_patient_of_this_server_may_be_named_by_a_url(clinic):
    clinic.consented()
    other = clinic.another_patient()
    base = clinic.world.deployment.services.base_url
    sent = about(f"{base}/Patient/{other}")

    receipt = deliver(clinic, sent, f"?patient={clinic.patient}")

    assert receipt["kinds"][0]["reason"] == "ambiguous-wearer"
