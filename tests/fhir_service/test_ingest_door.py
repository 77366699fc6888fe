"""What device payloads become: stored, known again, refused, always accounted for."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from worlds import (
    HEART_RATE,
    actions,
    classes,
    codes,
    furnish,
    heart_rate,
    opened_world,
    patient,
    point,
    steps,
)

from conformance import fhir_json
from conformance.issues import Severity
from conformance.validation import validate
from consent.labels import label
from consent.signature import describe
from fhir_service.auth.bearer import authenticate
from fhir_service.ingest.files import import_file
from fhir_service.search.postings import entries
from fhir_service.storage import mentions, observations, patients, resources, types
from fhir_service.storage.repository import codings_of
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import (
    directory,
    ingest_batch,
    metadata,
    observation_code,
    observation_time,
    quarantine,
    resource,
    resource_history,
    source_key,
)
from fhir_service.storage.tokens import effective_range
from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "payloads"

ADDRESS = "00:15:8D:00:01:02:03:04"
TOPIC = "zigbee2mqtt/0x00158d0001020304"


def rows_of(world, table):
    with world.deployment.database.read() as snapshot:
        return snapshot.all(Statement(select(table)))


def stored_state(world):
    """Return what a replay must leave as it was."""
    tables = (resource, resource_history, observation_code, source_key, directory)
    return {table.name: sorted(map(repr, rows_of(world, table))) for table in tables}


def pending(world):
    return [
        (row.source, row.reason)
        for row in map(_quarantined, rows_of(world, quarantine))
    ]


def _quarantined(row):
    return type("Row", (), dict(zip(quarantine.columns.keys(), row, strict=True)))


def all_observations(world):
    """Return (stored, resource) of every current Observation."""
    services = world.deployment.services
    number = types.number_of("Observation")
    found = []
    with services.database.read() as snapshot:
        for columns in rows_of(world, resource):
            stored = resources.stored(columns)
            if stored.type_id == number:
                body = services.repository.body(snapshot, stored)
                found.append((stored, fhir_json.loads(body)))
    return found


# Refused as a whole


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "structure"),
        (b"{", 400, "structure"),
        (b'{"a":1}{"b":2}', 400, "structure"),
        (b'{"a":1,"a":2}', 400, "structure"),
        (b'[{"body":{"x":{"value":1,"value":2}}}]', 400, "structure"),
        (b'{"a":NaN}', 400, "structure"),
        (b'{"a":[Infinity]}', 400, "structure"),
        (b'{"a":1e400}', 400, "structure"),
        (b"[" * 100 + b"]" * 100, 413, "too-long"),
        (b'"text"', 400, "structure"),
        (b"null", 400, "structure"),
        (b'{"a":"\xff"}', 400, "structure"),
        ("{}".encode("utf-16"), 400, "structure"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_leaves_nothing(
    clinic, body, status, code
):
    clinic.consented()
    before = stored_state(clinic.world)

    answer = clinic.world.send(
        "POST", "/device-data/open-mhealth", body, clinic.gateway, "application/json"
    )

    assert answer.status_code == status
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["code"] in {code, "invalid"}
    assert stored_state(clinic.world) == before
    assert rows_of(clinic.world, quarantine) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "",
    ],
)
def test_another_content_type_is_refused(clinic, content_type):
    answer = clinic.world.send(
        "POST", "/device-data/open-mhealth", b"[]", clinic.gateway, content_type
    )

    assert answer.status_code == 415


def test_a_compressed_body_is_refused(clinic):
    answer = clinic.world.send(
        "POST",
        "/device-data/open-mhealth",
        b"[]",
        {**clinic.gateway, "Content-Encoding": "gzip"},
        "application/json",
    )

    assert answer.status_code == 415


@pytest.mark.parametrize("source", ["unknown", "sleep-as-android"])
def test_an_unknown_source_is_named_with_those_there_are(clinic, source):
    answer = clinic.world.send(
        "POST", f"/device-data/{source}", b"[]", clinic.gateway, "application/json"
    )

    assert answer.status_code == 404
    assert "open-mhealth" in answer.json["issue"][0]["diagnostics"]


def test_a_client_speaks_for_its_sources_alone(clinic):
    other = clinic.world.client(
        "other", "system/Observation.c", sources=("zigbee2mqtt",)
    )

    answer = clinic.world.send(
        "POST", "/device-data/open-mhealth", b"[]", other, "application/json"
    )

    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_a_client_without_the_right_to_create_delivers_nothing(clinic):
    reader = clinic.world.client(
        "reader", "system/Observation.rs", sources=("open-mhealth",)
    )

    answer = clinic.world.send(
        "POST", "/device-data/open-mhealth", b"[]", reader, "application/json"
    )

    assert answer.status_code == 403


def test_a_client_of_one_category_delivers_nothing_unseen(clinic):
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    narrow = clinic.world.client(
        "narrow",
        f"system/Observation.c?category={system}|laboratory",
        organization=clinic.organization,
        sources=("open-mhealth",),
    )
    clinic.consented()

    answer = clinic.world.send(
        "POST",
        "/device-data/open-mhealth",
        [heart_rate(1, "user-1")],
        narrow,
        "application/json",
    )

    assert answer.status_code == 403


# Refused in part


def test_the_good_readings_around_a_bad_one_are_kept(clinic):
    clinic.consented()
    bad = [
        heart_rate(2, "user-1", at="2026-11-05T10:00:00"),
        heart_rate(3, "user-1", value=-5),
        heart_rate(4, "user-1", value="sixty"),
        heart_rate(5, "user-1", at="2027-11-05T10:00:00Z"),
        heart_rate(6, "nobody"),
        point(
            "heart-rate",
            {
                "heart_rate": {"value": 60, "unit": "furlongs"},
                "effective_time_frame": {"date_time": "2026-11-05T10:00:00Z"},
            },
            "user-1",
            7,
        ),
        {"header": {}, "body": {"hitherto_unknown": 1}},
        17,
    ]

    receipt = clinic.deliver(heart_rate(1, "user-1"), *bad, heart_rate(8, "user-1"))

    assert (receipt["stored"], receipt["quarantined"]) == (2, len(bad))
    reasons = {
        item["position"].partition(".")[0]: item["reason"]
        for item in receipt["items"]
        if item["outcome"] == "quarantined"
    }
    assert reasons == {
        "$[1]": "no-offset",
        "$[2]": "impossible",
        "$[3]": "invalid-value",
        "$[4]": "future",
        "$[5]": "unknown-patient",
        "$[6]": "unknown-unit",
        "$[7]": "unknown-kind",
        "$[8]": "malformed",
    }
    assert len(rows_of(clinic.world, quarantine)) == len(bad)
    assert len(clinic.found(f"Observation?patient={clinic.patient}")) == 2


def test_the_same_bad_part_is_kept_once_however_often_it_comes(clinic):
    clinic.consented()
    bad = heart_rate(1, "user-1", value=-5)

    for _ in range(3):
        clinic.deliver(bad)

    assert pending(clinic.world) == [("open-mhealth", "impossible")]


def test_quarantine_holds_no_readable_payload(clinic):
    clinic.deliver(heart_rate(1, "canary-user", value=-5))

    [row] = rows_of(clinic.world, quarantine)

    assert b"canary" not in repr(row).encode()


def test_an_implausible_reading_is_stored_and_flagged(clinic):
    clinic.consented()

    receipt = clinic.deliver(heart_rate(1, "user-1", value=295))

    assert receipt["stored"] == 1
    [found] = clinic.found(f"Observation?patient={clinic.patient}")
    assert found["interpretation"]


def test_two_patients_under_one_name_are_not_guessed_between(clinic):
    clinic.consented()
    clinic.another_patient("user-1")

    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert receipt["items"][0]["reason"] == "ambiguous-wearer"


def test_a_request_and_a_payload_that_name_different_patients_are_not_guessed(clinic):
    other = clinic.another_patient("user-2")

    receipt = clinic.world.deliver(
        "open-mhealth", [heart_rate(1, "user-1")], clinic.gateway, f"?patient={other}"
    )

    assert receipt["items"][0]["reason"] == "ambiguous-wearer"


@pytest.mark.parametrize(
    "query", ["?patient=a&patient=b", "?patient=", "?patient=a,b", "?patient=Device/a"]
)
def test_a_request_names_one_patient(clinic, query):
    answer = clinic.world.send(
        "POST",
        f"/device-data/open-mhealth{query}",
        [heart_rate(1, "user-1")],
        clinic.gateway,
        "application/json",
    )

    assert answer.status_code == 400


def test_the_patient_that_the_request_names_is_whose_it_is(clinic):
    clinic.consented()

    receipt = clinic.world.deliver(
        "open-mhealth",
        [heart_rate(1, "their own name for them")],
        clinic.gateway,
        f"?patient=Patient/{clinic.patient}",
    )

    assert receipt["stored"] == 1


# Sensors


@pytest.fixture
def sensed(clinic):
    """Return a clinic with a registered sensor and its room."""
    clinic.consented()
    room = clinic.world.create(
        {"resourceType": "Location", "status": "active", "name": "Bedroom"},
        clinic.admin,
    )
    device = {
        "resourceType": "Device",
        "identifier": [{"system": ZIGBEE_ADDRESS, "value": ADDRESS}],
        "status": "active",
        "patient": {"reference": f"Patient/{clinic.patient}"},
        "location": {"reference": f"Location/{room['id']}"},
    }
    clinic.world.create(device, clinic.admin)
    return clinic


def message(**payload):
    return {"topic": TOPIC, "payload": payload}


def test_a_sensor_is_of_the_patient_and_the_room_of_its_registration(sensed):
    sent = message(temperature=20.5, last_seen="2026-11-19T10:00:00+01:00")

    receipt = sensed.deliver(sent, source="zigbee2mqtt")

    assert receipt["stored"] == 1
    [found] = sensed.found(f"Observation?patient={sensed.patient}")
    [device] = sensed.found(f"Device?patient={sensed.patient}")
    assert found["device"]["reference"] == f"Device/{device['id']}"
    assert found["focus"][0] == device["location"]


def test_a_sensor_that_nobody_registered_is_quarantined(clinic):
    clinic.consented()
    sent = message(temperature=20.5, last_seen="2026-11-19T10:00:00+01:00")

    receipt = clinic.deliver(sent, source="zigbee2mqtt")

    assert receipt["items"][0]["reason"] == "unknown-device"
    assert clinic.found(f"Device?patient={clinic.patient}") == []


def test_a_message_without_any_time_is_quarantined(sensed):
    receipt = sensed.deliver(message(temperature=20.5), source="zigbee2mqtt")

    assert receipt["items"][0]["reason"] == "no-time"


def test_a_sensor_of_two_patients_is_nobodys(sensed):
    other = sensed.another_patient()
    sensed.consented(patient_id=other)
    sensed.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": ZIGBEE_ADDRESS, "value": ADDRESS}],
            "patient": {"reference": f"Patient/{other}"},
        },
        sensed.admin,
    )
    sent = message(temperature=20.5, last_seen="2026-11-19T10:00:00+01:00")

    receipt = sensed.deliver(sent, source="zigbee2mqtt")

    assert receipt["items"][0]["reason"] == "ambiguous-wearer"


def test_the_same_sensor_registered_again_is_the_same_unit(sensed):
    sent = message(temperature=20.5, last_seen="2026-11-19T10:00:00+01:00")
    sensed.deliver(sent, source="zigbee2mqtt")
    [device] = sensed.found(f"Device?patient={sensed.patient}")
    sensed.world.update({**device, "status": "inactive"}, sensed.admin)
    again = {name: device[name] for name in ("resourceType", "identifier", "patient")}
    sensed.world.create(again, sensed.admin)

    receipt = sensed.deliver(sent, source="zigbee2mqtt")

    assert receipt["duplicate"] == 1


# Known again


def test_a_replay_changes_nothing_and_says_so(clinic):
    clinic.consented()
    payload = [heart_rate(number, "user-1") for number in range(5)]
    clinic.deliver(*payload)
    before = stored_state(clinic.world)

    receipt = clinic.deliver(*payload)

    assert (receipt["duplicate"], receipt["changed"]) == (5, False)
    assert stored_state(clinic.world) == before


def test_a_corrected_reading_is_a_second_version_marked_amended(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=60))
    query = f"Observation?patient={clinic.patient}&code={HEART_RATE}&_total=accurate"
    [old] = clinic.found(query)

    receipt = clinic.deliver(
        heart_rate(1, "user-1", value=61, at="2026-11-05T10:00:00Z")
    )

    assert (receipt["amended"], receipt["changed"]) == (1, True)
    bundle = clinic.search(query)
    [new] = [one["resource"] for one in bundle["entry"]]
    assert bundle["total"] == 1
    assert (new["id"], new["status"]) == (old["id"], "amended")
    assert new["meta"]["versionId"] == "2"
    assert new["valueQuantity"]["value"] == 61
    assert new["effectiveDateTime"] == "2026-11-05T10:00:00Z"
    [kept] = rows_of(clinic.world, resource_history)
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        body = services.repository.codec.decode(
            snapshot, kept[0], kept[1], kept[2], bytes(kept[-1])
        )
    assert json.loads(body) == old


def test_a_correction_within_one_payload_is_stored_once_and_its_replay_is_one(clinic):
    clinic.consented()
    payload = [
        heart_rate(1, "user-1", value=60),
        heart_rate(1, "user-1", value=61),
        heart_rate(1, "user-1", value=61),
    ]

    first = clinic.deliver(*payload)
    before = stored_state(clinic.world)
    second = clinic.deliver(*payload)

    assert (first["stored"], first["amended"], first["duplicate"]) == (1, 1, 1)
    [found] = clinic.found(f"Observation?patient={clinic.patient}")
    assert found["valueQuantity"]["value"] == 61
    assert (second["duplicate"], second["changed"]) == (3, False)
    assert stored_state(clinic.world) == before


def test_two_readings_of_one_moment_without_ids_differ_by_device_alone(clinic):
    clinic.consented()

    def anonymous(model):
        sent = heart_rate(1, "user-1")
        del sent["header"]["id"]
        sent["header"]["acquisition_provenance"] = {"source_name": model}
        return sent

    receipt = clinic.deliver(anonymous("one"), anonymous("one"))

    assert (receipt["stored"], receipt["duplicate"]) == (1, 1)


NIGHT = {
    "effective_time_frame": {
        "time_interval": {
            "start_date_time": "2026-11-10T23:00:00+01:00",
            "end_date_time": "2026-11-11T07:00:00+01:00",
        }
    },
    "total_sleep_time": {"value": 450, "unit": "min"},
    "sleep_maintenance_efficiency_percentage": {"value": 93.75, "unit": "%"},
}


def test_a_night_brings_its_duration_as_an_observation_of_its_own(clinic):
    clinic.consented()

    receipt = clinic.deliver(point("sleep-episode", NIGHT, "user-1", 1))

    assert (receipt["received"], receipt["stored"]) == (1, 1)
    found = clinic.found(f"Observation?patient={clinic.patient}")
    derived = [one for one in found if "derivedFrom" in one]
    [whole] = [one for one in found if "derivedFrom" not in one]
    assert len(derived) == 1
    assert derived[0]["derivedFrom"] == [{"reference": f"Observation/{whole['id']}"}]
    assert clinic.deliver(point("sleep-episode", NIGHT, "user-1", 1))["duplicate"] == 1
    check_indexes(clinic.world)


def test_what_is_derived_from_a_withheld_night_names_none(clinic):
    clinic.consented(
        provision=[
            {"type": "deny", "code": codes("93832-4")},
        ]
    )

    clinic.deliver(point("sleep-episode", NIGHT, "user-1", 1))

    check_indexes(clinic.world)
    for found in clinic.found(f"Observation?patient={clinic.patient}"):
        assert "derivedFrom" not in found


# What leaves


def test_numbers_leave_with_the_digits_they_came_with(clinic):
    clinic.consented()
    sent = json.dumps([heart_rate(1, "user-1", value=0)])
    for written in ("72.50", "72", "72.0", "72.500"):
        body = sent.replace('"value": 0', f'"value": {written}').replace(
            "heart-rate-1", f"heart-rate-{written}"
        )
        clinic.world.deliver("open-mhealth", body.encode(), clinic.gateway)

    answer = clinic.world.get(f"/fhir/Observation?patient={clinic.patient}", clinic.ehr)

    text = answer.get_data(as_text=True)
    assert sorted(
        part.partition(",")[0] for part in text.split('"valueQuantity":{"value":')[1:]
    ) == ["72", "72.0", "72.50", "72.500"]


def check_indexes(world):
    """Compare what ingest worked out at once with what the stored JSON says."""
    services = world.deployment.services
    repository = services.repository
    zone = repository.deployment.zone
    entries = {row[3]: tuple(row) for row in rows_of(world, observation_code)}
    times = {row[2]: tuple(row) for row in rows_of(world, observation_time)}
    found = all_observations(world)
    assert entries.keys() == times.keys() == {stored.row for stored, _ in found}
    with services.database.read() as snapshot:
        for stored, body in found:
            described = describe(
                body, labels=label(body), deployment=repository.deployment
            )
            state = patients.by_key(snapshot, stored.patient_key)
            known = {
                one.id: one.facets for one in repository.signatures.of(snapshot, state)
            }
            start, end = effective_range(body, zone)
            entry = dict(
                zip(observations.CODE_COLUMNS, entries[stored.row], strict=True)
            )
            assert known[stored.signature_id] == described.facets
            assert entry == {
                "patient_key": stored.patient_key,
                "code_key": concept_of(world, codings_of(body["code"])),
                "start": start,
                "row": stored.row,
                "signature_id": stored.signature_id,
                "duration": end - start,
                "c_start": described.start_us,
                "c_end": described.end_us,
                "set_id": stored.set_id,
            }
            assert (stored.c_start, stored.c_end) == (entry["c_start"], entry["c_end"])
            assert found_by_search(world, stored) == indexed_anew(world, stored, body)
            assert mentioned(snapshot, stored) == {
                mentions.hash_of(repository.blind, one) for one in described.mentions
            }
            code = entries[stored.row]
            assert times[stored.row] == (code[0], *code[2:])


def mentioned(snapshot, stored):
    """Return the hashes of what the index of references holds of a row."""
    found = snapshot.sql(
        "SELECT hash FROM row_mention WHERE patient_key = ? AND row = ?",
        (stored.patient_key, stored.row),
    )
    return {hashed for (hashed,) in found}


def found_by_search(world, stored):
    """Return the index set of a row, and what is indexed of it alone."""
    at = (stored.patient_key, stored.row)
    with world.deployment.database.read() as snapshot:
        postings = snapshot.sql(
            "SELECT hash FROM row_posting WHERE patient_key = ? AND row = ?", at
        )
        quantities = snapshot.sql(
            "SELECT parameter, unit_id, low, high FROM quantity_index "
            "WHERE patient_key = ? AND row = ?",
            at,
        )
    return stored.set_id, {hash_ for (hash_,) in postings}, set(quantities)


def indexed_anew(world, stored, body):
    """Return the same as the repository indexes a resource that a client writes."""
    repository = world.deployment.services.repository
    made = entries(body["resourceType"], repository.found(body))
    index_sets = repository.index_sets

    def work(transaction):
        number = index_sets.intern(
            transaction, stored.patient_key, stored.type_id, made.shared
        )
        quantities = {
            (parameter, index_sets.unit(transaction, unit), low, high)
            for parameter, unit, low, high in made.quantities
        }
        return number, {repository.blind.posting(one) for one in made.own}, quantities

    return world.deployment.database.write(work)


def concept_of(world, codings):
    concepts = world.deployment.services.repository.concepts
    return world.deployment.database.write(
        lambda transaction: concepts.intern(transaction, codings)
    )


def payloads_of(source):
    names = {"open-mhealth": "openmhealth", "zigbee2mqtt": "zigbee2mqtt"}
    found = sorted((SHARED / names[source]).glob("*.json"))
    if not found:
        pytest.skip(f"the payloads of {source} are not here")
    # One example of a schema is a bare text, which no device sends.
    return [path for path in found if path.read_bytes()[:1] in b"{["]


def check_resources(world):
    found = all_observations(world)
    for _, body in found:
        issues = [
            issue
            for issue in validate(body)
            if issue.severity in {Severity.ERROR, Severity.FATAL}
        ]
        assert issues == [], body
    return found


def test_every_open_mhealth_payload_is_accounted_for_and_stored_valid(clinic):
    clinic.consented()
    query = f"?patient={clinic.patient}"
    for path in payloads_of("open-mhealth"):
        for _ in range(2):
            receipt = clinic.world.deliver(
                "open-mhealth", path.read_bytes(), clinic.gateway, query
            )
            assert receipt["received"] > 0, path.name
        assert (receipt["stored"], receipt["amended"]) == (0, 0), path.name

    check_indexes(clinic.world)
    found = check_resources(clinic.world)

    assert len(found) > 10
    for _, body in found:
        text = fhir_json.dumps(body).decode()
        assert "user_id" not in text
        assert "6b1c41c5" not in text


def test_every_zigbee_payload_is_accounted_for(sensed):
    for path in payloads_of("zigbee2mqtt"):
        receipt = sensed.world.deliver("zigbee2mqtt", path.read_bytes(), sensed.gateway)
        assert receipt["received"] > 0, path.name
    sent = message(
        temperature=20.74,
        humidity=44.43,
        battery=100,
        illuminance_lux=120,
        noise=41.5,
        last_seen="2026-11-19T10:00:00.123+01:00",
    )
    sensed.deliver(sent, source="zigbee2mqtt")

    check_indexes(sensed.world)

    assert check_resources(sensed.world)


@pytest.mark.parametrize(
    "name", ["apple-health-parser-export.xml", "healthkit-to-sqlite-zip-export.xml"]
)
def test_every_apple_export_is_accounted_for_and_stored_valid(clinic, name):
    path = SHARED / "apple" / name
    if not path.exists():
        pytest.skip("the exports are not here")
    clinic.consented()
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        grant = authenticate(
            snapshot, clinic.gateway["Authorization"], clinic.world.clock()
        )

    def run():
        return import_file(
            services,
            "apple-health",
            path,
            patient_id=clinic.patient,
            grant=grant,
            zone="Europe/Berlin",
        ).to_json()

    first = run()
    before = stored_state(clinic.world)
    second = run()

    fates = ("stored", "duplicate", "amended", "withheld", "quarantined", "outOfScope")
    assert first["received"] == sum(first[fate] for fate in fates) > 0
    assert second["received"] == first["received"]
    assert second["changed"] is False
    assert stored_state(clinic.world) == before
    check_indexes(clinic.world)
    assert len(check_resources(clinic.world)) >= first["stored"] > 0


def test_every_stored_device_is_valid_and_names_its_patient_alone(clinic):
    clinic.consented()
    sent = heart_rate(1, "user-1")
    sent["header"]["acquisition_provenance"] = {"source_name": "A watch"}
    clinic.deliver(sent, steps(1, "user-1"))

    for device in clinic.found(f"Device?patient={clinic.patient}"):
        assert device["patient"] == {"reference": f"Patient/{clinic.patient}"}
        assert not [
            issue for issue in validate(device) if issue.severity is Severity.ERROR
        ]


def test_what_is_withheld_leaves_no_trace_of_itself(clinic):
    clinic.consented(
        **{"class": classes("Observation")},
        dataPeriod={"start": "2026-12-01"},
        action=actions("collect", "access"),
    )
    tables = ("signature", "device_unit", "ingest_batch", "resource", "row_coding")
    before = {name: count(clinic.world, name) for name in tables}
    sent = heart_rate(1, "user-1")
    sent["header"]["acquisition_provenance"] = {"source_name": "A watch"}

    receipt = clinic.deliver(sent, steps(2, "user-1"))

    assert receipt["withheld"] == 2
    assert {name: count(clinic.world, name) for name in tables} == before


def count(world, name):
    return len(rows_of(world, metadata.tables[name]))


def test_a_batch_is_written_down_once_a_payload(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))

    [batch] = [row for row in rows_of(clinic.world, ingest_batch) if row[1]]

    assert batch[1:3] == ("open-mhealth", "gateway")
    assert {stored.batch_id for stored, _ in all_observations(clinic.world)} == {
        batch[0]
    }


def test_the_good_of_a_payload_is_stored_for_each_patient_it_names(clinic):
    other = clinic.another_patient("user-2")
    clinic.consented()
    clinic.consented(patient_id=other)
    clinic.another_patient("user-3")

    receipt = clinic.deliver(
        *(heart_rate(number, f"user-{number}") for number in (1, 2, 3))
    )

    assert (receipt["stored"], receipt["withheld"]) == (2, 1)
    for person in (clinic.patient, other):
        assert len(clinic.found(f"Observation?patient={person}")) == 1


def test_an_ids_owner_is_found_whatever_world_it_is_in(tmp_path, template):
    with opened_world(tmp_path, template) as world:
        clinic = furnish(world)
        clinic.consented()
        named = clinic.world.create(patient(clinic.organization), clinic.admin)

        receipt = clinic.deliver(heart_rate(1, f"Patient/{named['id']}"))

    assert receipt["items"][0]["outcome"] == "withheld"


def test_a_byte_order_mark_before_a_payload_is_passed_over(clinic):
    clinic.consented()
    body = b"\xef\xbb\xbf" + json.dumps([heart_rate(1, "user-1")]).encode()

    receipt = clinic.world.deliver("open-mhealth", body, clinic.gateway)

    assert receipt["stored"] == 1
