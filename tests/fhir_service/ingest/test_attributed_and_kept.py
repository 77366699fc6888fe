"""Whose a reading is where several are told of; what is kept of what is refused."""

import json

import pytest
from sqlalchemy import select
from worlds import heart_rate, purposes

from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.ingest import remapping, retry
from fhir_service.ingest.arrival import Arrival, arrive
from fhir_service.ingest.files import import_file
from fhir_service.ingest.intake import Origin
from fhir_service.storage.raw_payloads import raw_payload
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import quarantine

DAY = {
    "calendarDate": "2026-11-01",
    "startTimeInSeconds": 1793491200,
    "startTimeOffsetInSeconds": 0,
    "durationInSeconds": 86400,
}


def daily(user, steps, summary="s-1"):
    return {**DAY, "userId": user, "summaryId": summary, "steps": steps}


@pytest.fixture
def sender(clinic):
    """Return what sends a payload of a vendor, for the clinic's patient or nobody."""
    headers = clinic.world.client(
        "vendors",
        "system/Observation.c",
        organization=clinic.organization,
        sources=("garmin", "health-connect", "open-mhealth", "whoop"),
    )

    def send(source, payload, *, named=True):
        query = f"?patient={clinic.patient}" if named else ""
        return clinic.world.deliver(source, payload, headers, query)

    return send


def rows(clinic, table, *columns):
    statement = Statement(select(*(table.c[name] for name in columns)))
    with clinic.world.deployment.database.read() as snapshot:
        return snapshot.all(statement)


def versions(clinic):
    found = clinic.found(f"Observation?patient={clinic.patient}")
    return [
        (one["valueQuantity"]["value"], one["status"], one["meta"]["versionId"])
        for one in found
    ]


def test_two_users_of_one_payload_are_not_the_patient_of_the_request(clinic, sender):
    clinic.consented()

    receipt = sender("garmin", {"dailies": [daily("one", 4000), daily("two", 9000)]})

    assert receipt["stored"] == 0
    assert {each["reason"] for each in receipt["kinds"] if "reason" in each} == {
        "ambiguous-wearer"
    }


def test_a_retry_does_not_take_one_of_several_for_the_patient(clinic, sender):
    clinic.consented()
    sender("garmin", {"dailies": [daily("one", 4000), daily("two", 9000)]})

    account = retry.retry(clinic.world.deployment.services)

    assert account.resolved == 0
    assert versions(clinic) == []


def test_the_one_user_of_a_payload_is_the_patient_of_the_request(clinic, sender):
    clinic.consented()

    assert sender("garmin", {"dailies": [daily("one", 4000)]})["stored"] > 0


@pytest.mark.parametrize("value", [{"value": 999}, {"unit": "bpm"}])
def test_nothing_is_kept_of_what_may_not_be_collected(clinic, sender, value):
    point = heart_rate(1, "user-1")
    point["body"]["heart_rate"].update(value)

    receipt = sender("open-mhealth", [point])

    assert (receipt["withheld"], receipt["quarantined"]) == (1, 0)
    assert rows(clinic, quarantine, "reason") == []
    assert rows(clinic, raw_payload, "payload_id") == []


def test_a_refused_part_is_kept_where_its_kind_may_be_collected(clinic, sender):
    clinic.consented()
    point = heart_rate(1, "user-1")
    point["body"]["heart_rate"]["unit"] = "bpm"

    receipt = sender("open-mhealth", [point])

    assert receipt["quarantined"] == 1
    [(key,)] = rows(clinic, quarantine, "patient_key")
    assert key > 0


def test_another_purpose_does_not_let_a_part_be_kept(clinic, sender):
    clinic.consented(purpose=purposes("HRESCH"))
    point = heart_rate(1, "user-1", value=999)

    assert sender("open-mhealth", [point])["withheld"] == 1
    assert rows(clinic, quarantine, "reason") == []


def test_a_retry_does_not_overrule_what_has_come_since(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-9", value=60))
    made = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.admin).json
    names = [*made["identifier"], {**made["identifier"][0], "value": "user-9"}]
    clinic.world.update({**made, "identifier": names}, clinic.admin)
    clinic.world.clock.pass_s(60)
    clinic.deliver(heart_rate(1, "user-9", value=72))

    retry.retry(clinic.world.deployment.services)

    assert versions(clinic) == [(72, "final", "1")]


def test_a_replay_does_not_overrule_what_a_file_has_corrected(clinic, tmp_path):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=60))
    services = clinic.world.deployment.services
    path = tmp_path / "corrected.json"
    path.write_text(json.dumps([heart_rate(1, "user-1", value=72)]))
    import_file(
        services,
        "open-mhealth",
        path,
        patient_id=clinic.patient,
        grant=local.operator(clinic.organization),
    )

    list(remapping.remap(services, since_us=0, is_trial=False))

    assert versions(clinic) == [(72, "amended", "2")]


def test_what_a_payload_corrects_itself_is_a_version_of_its_own(clinic):
    clinic.consented()

    receipt = clinic.deliver(
        heart_rate(1, "user-1", value=60), heart_rate(1, "user-1", value=61)
    )

    assert (receipt["stored"], receipt["amended"]) == (1, 1)
    assert versions(clinic) == [(61, "amended", "2")]


def test_what_was_of_the_future_is_stored_once_it_is_past(clinic):
    clinic.consented()
    ahead = heart_rate(1, "user-1", at="2026-11-20T14:00:00Z")
    first = clinic.deliver(ahead)
    clinic.world.clock.pass_s(3 * 3600)

    account = retry.retry(clinic.world.deployment.services)

    assert first["kinds"][0]["reason"] == "future"
    assert account.resolved == 1
    assert len(versions(clinic)) == 1


def test_the_same_instant_at_another_offset_is_no_correction(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", at="2026-11-05T10:00:00+01:00"))

    receipt = clinic.deliver(heart_rate(1, "user-1", at="2026-11-05T04:00:00-05:00"))

    assert (receipt["duplicate"], receipt["amended"]) == (1, 0)


def weight(kilograms, **metadata):
    return {
        "recordType": "Weight",
        "time": "2026-11-05T10:00:00Z",
        "weight": {"inKilograms": kilograms},
        "metadata": {"id": "hc-1", **metadata},
    }


def test_a_device_that_is_told_later_makes_no_second_reading(clinic, sender):
    clinic.consented()
    sender("health-connect", {"records": [weight(71)]})
    device = {"manufacturer": "Maker", "model": "Scale", "type": 3}

    sender("health-connect", {"records": [weight(72, device=device)]})

    assert versions(clinic) == [(72, "amended", "2")]


def test_provenance_names_the_gateway_and_the_parser(clinic):
    clinic.consented()
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        grant = local.registered(snapshot, "gateway")
    arrive(
        services,
        Arrival(
            source="open-mhealth",
            body=json.dumps([heart_rate(1, "user-1")]).encode(),
            grant=grant,
            origin=Origin(interaction=Interaction.INGEST, request="a message"),
            received_us=services.clock(),
            gateway="mqtt broker-1",
        ),
    )

    found = clinic.search(
        f"Observation?patient={clinic.patient}&_revinclude=Provenance:target"
    )

    [provenance] = [
        one["resource"]
        for one in found["entry"]
        if one["resource"]["resourceType"] == "Provenance"
    ]
    displays = [agent["who"].get("display", "") for agent in provenance["agent"]]
    assert "gateway mqtt broker-1" in displays
    assert any("open-mhealth/" in one for one in displays)
    assert provenance["entity"][0]["role"] == "source"


RECOVERY = {
    "cycle_id": 1,
    "sleep_id": "night-1",
    "user_id": 7,
    "created_at": "2026-11-05T11:25:44.774Z",
    "updated_at": "2026-11-05T14:25:44.774Z",
    "score_state": "SCORED",
    "score": {"user_calibrating": False, "resting_heart_rate": 64},
}
NIGHT = {
    "id": "night-1",
    "user_id": 7,
    "start": "2026-11-05T02:25:44.774Z",
    "end": "2026-11-05T10:25:44.774Z",
    "timezone_offset": "-05:00",
    "nap": False,
    "score_state": "PENDING_SCORE",
}


def test_a_recovery_alone_does_not_take_the_night_s_times_away(clinic, sender):
    clinic.consented()
    sender("whoop", {"sleeps": [NIGHT], "recoveries": [RECOVERY]})
    before = clinic.found(f"Observation?patient={clinic.patient}&code=40443-4")

    receipt = sender("whoop", {"recoveries": [RECOVERY]})

    assert receipt["changed"] is False
    assert "corrected-since" in {one.get("reason") for one in receipt["kinds"]}
    assert clinic.found(f"Observation?patient={clinic.patient}&code=40443-4") == before
    assert before[0]["effectivePeriod"]["start"] == "2026-11-04T21:25:44.774-05:00"


def test_a_newer_recovery_counts_though_it_comes_alone(clinic, sender):
    clinic.consented()
    sender("whoop", {"sleeps": [NIGHT], "recoveries": [RECOVERY]})
    newer = {
        **RECOVERY,
        "updated_at": "2026-11-05T15:00:00.000Z",
        "score": {"user_calibrating": False, "resting_heart_rate": 66},
    }

    sender("whoop", {"recoveries": [newer]})

    [found] = clinic.found(f"Observation?patient={clinic.patient}&code=40443-4")
    assert found["valueQuantity"]["value"] == 66
    assert [tag["code"] for tag in found["meta"]["tag"]] == ["recorded-later"]


def test_a_whole_day_replaces_the_part_of_it_that_came_before(clinic, sender):
    clinic.consented()
    part = {**daily("one", 4000), "durationInSeconds": 43_200}
    sender("garmin", {"dailies": [part]})

    receipt = sender("garmin", {"dailies": [daily("one", 9000)]})

    found = clinic.found(f"Observation?patient={clinic.patient}&code=41950-7,55423-8")
    assert [
        (one["code"]["coding"][0]["code"], one["valueQuantity"]["value"])
        for one in found
    ] == [("41950-7", 9000)]
    assert receipt["received"] == receipt["stored"] + receipt["outOfScope"]
