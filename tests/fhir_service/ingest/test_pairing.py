"""Pairings: whose readings they make it, where, from when until when."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select
from worlds import (
    HOUR_US,
    actions,
    actor,
    classes,
    consent,
    heart_rate,
    patient,
    purposes,
)

from consent.audit.entry import Interaction, Outcome
from fhir_service.auth import local
from fhir_service.ingest import retry
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.files import import_file
from fhir_service.ingest.intake import TRANSACTION, Origin, take
from fhir_service.ingest.pairing_told import told
from fhir_service.ingest.resolve import Resolver, Wearer
from fhir_service.storage import patients, rows, source_grants, types
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import quarantine
from mappings.measurement import DeviceClue, Measurement
from mappings.vendors.table import VENDORS
from mappings.vendors.zigbee2mqtt.device import FRIENDLY_NAME, ZIGBEE_ADDRESS

ADDRESS = "00:15:8D:00:01:02:03:04"
TOPIC = "zigbee2mqtt/0x00158d0001020304"
PAIRINGS = "/device-data/pairings"


def message(at="2026-11-19T10:00:00+01:00", value=20.5):
    return {"topic": TOPIC, "payload": {"temperature": value, "last_seen": at}}


def ask(clinic, who=None, **body):
    """Ask to pair, from 2026-11-01 on, for the clinic's patient."""
    whole = {
        "patient": clinic.patient,
        "source": "open-mhealth",
        "period": {"start": "2026-11-01T00:00:00Z"},
        **body,
    }
    return clinic.world.send(
        "POST", PAIRINGS, whole, who or clinic.admin, "application/json"
    )


def paired(clinic, **body):
    answer = ask(clinic, **body)
    assert answer.status_code == 201, answer.text
    return answer.json


def sensor(clinic, **body):
    return paired(clinic, source="zigbee2mqtt", device={"value": ADDRESS}, **body)


def room(clinic, name="Bedroom"):
    made = clinic.world.create(
        {"resourceType": "Location", "status": "active", "name": name}, clinic.admin
    )
    return f"Location/{made['id']}"


def revoke(clinic, id_, who=None):
    return clinic.world.send("DELETE", f"{PAIRINGS}/{id_}", b"", who or clinic.admin)


def tell(clinic, id_, who=None):
    return clinic.world.send(
        "POST", f"{PAIRINGS}/{id_}/notice", b"", who or clinic.admin
    )


def fates(receipt):
    return [(item["outcome"], item.get("reason")) for item in receipt["items"]]


def another(clinic, **more):
    """Return the clinic as one of its other patients, who consented too."""
    made = clinic.world.create(patient(clinic.organization), clinic.admin)
    clinic.consented(patient_id=made["id"])
    return replace(clinic, patient=made["id"], **more)


STORED, UNKNOWN = ("stored", None), ("quarantined", "unknown-patient")
AMBIGUOUS = ("quarantined", "ambiguous-wearer")
NO_DEVICE, UNTOLD = ("quarantined", "unknown-device"), ("quarantined", "no-notice")


@pytest.fixture
def stranger(clinic):
    """Return the clinic as another organisation meets it."""
    world = clinic.world
    organization = "Organization/b"
    return replace(
        clinic,
        organization=organization,
        admin=world.client("elsewhere", "system/*.cruds", organization=organization),
        gateway=world.client(
            "strange",
            "system/Observation.c",
            organization=organization,
            sources=("open-mhealth", "zigbee2mqtt"),
        ),
    )


def at(moment, number=1, user="account-9"):
    return heart_rate(number, user, at=moment)


def retried(clinic):
    """Retry what is in quarantine; return how much of it was understood."""
    account = retry.retry(clinic.world.deployment.services)
    return account.tried, account.resolved


# An account


def test_a_reading_of_a_paired_account_is_the_patients(either):
    either.consented()
    before = either.deliver(heart_rate(1, "account-9"))
    paired(either, account="account-9")

    after = either.deliver(heart_rate(1, "account-9"))

    assert (fates(before), fates(after)) == ([UNKNOWN], [STORED])
    [stored] = either.found(f"Observation?patient={either.patient}")
    assert stored["subject"] == {"reference": f"Patient/{either.patient}"}
    assert "focus" not in stored


def test_an_account_of_another_source_is_another_account(clinic):
    clinic.consented()
    paired(clinic, account="account-9")

    receipt = clinic.deliver(heart_rate(1, "Account-9"))

    assert fates(receipt) == [UNKNOWN]


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        (
            {"start": "2026-11-10T10:00:00+01:00", "end": "2026-11-10T12:00:00+01:00"},
            ("2026-11-10T10:00:00+01:00", "2026-11-10T11:59:59+01:00"),
            ("2026-11-10T09:59:59+01:00", "2026-11-10T12:00:00+01:00"),
        ),
        (  # a day of 23 hours
            {"start": "2026-03-29", "end": "2026-03-29"},
            ("2026-03-29T00:00:00+01:00", "2026-03-29T23:59:59+02:00"),
            ("2026-03-28T23:59:59+01:00", "2026-03-30T00:00:00+02:00"),
        ),
        (  # a day of 25 hours
            {"start": "2026-10-25", "end": "2026-10-25"},
            ("2026-10-25T00:00:00+02:00", "2026-10-25T23:59:59+01:00"),
            ("2026-10-24T23:59:59+02:00", "2026-10-26T00:00:00+01:00"),
        ),
    ],
)
def test_a_pairing_counts_from_its_first_moment_to_before_its_last(
    clinic, period, inside, outside
):
    clinic.consented()
    paired(clinic, account="account-9", zone="Europe/Berlin", period=period)

    receipt = clinic.deliver(
        *(at(moment, number) for number, moment in enumerate((*inside, *outside)))
    )

    told = sorted((item["position"], item["outcome"]) for item in receipt["items"])
    assert told == [
        ("$[0].body", "stored"),
        ("$[1].body", "stored"),
        ("$[2].body", "quarantined"),
        ("$[3].body", "quarantined"),
    ]


def test_an_account_that_changes_hands_gives_each_their_own(clinic):
    clinic.consented()
    second = another(clinic)
    handover = "2026-11-10T12:00:00Z"
    paired(
        clinic,
        account="account-9",
        period={"start": "2026-11-01T00:00:00Z", "end": handover},
    )
    paired(second, account="account-9", period={"start": handover})

    receipt = clinic.deliver(
        at("2026-11-10T11:59:59Z", 1), at("2026-11-10T12:00:00Z", 2)
    )

    assert fates(receipt) == [STORED, STORED]
    [first] = clinic.found(f"Observation?patient={clinic.patient}")
    [other] = clinic.found(f"Observation?patient={second.patient}")
    assert first["effectiveDateTime"] == "2026-11-10T11:59:59Z"
    assert other["effectiveDateTime"] == "2026-11-10T12:00:00Z"


def test_two_patients_at_one_time_are_not_guessed(clinic):
    clinic.consented()
    paired(clinic, account="account-9")
    paired(
        another(clinic), account="account-9", period={"start": "2026-11-10T00:00:00Z"}
    )

    receipt = clinic.deliver(
        at("2026-11-09T23:59:59Z", 1), at("2026-11-10T00:00:00Z", 2)
    )

    assert sorted(fates(receipt)) == [AMBIGUOUS, STORED]


def test_a_pairing_and_an_identifier_of_different_patients_are_not_guessed(clinic):
    clinic.consented()
    paired(another(clinic), account="user-1")

    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert fates(receipt) == [AMBIGUOUS]


def test_an_identifier_does_not_count_where_its_patient_has_paired_the_account(clinic):
    clinic.consented()
    paired(clinic, account="user-1", period={"start": "2026-11-10T00:00:00Z"})

    receipt = clinic.deliver(
        at("2026-11-09T23:59:59Z", 1, "user-1"), at("2026-11-10T00:00:00Z", 2, "user-1")
    )

    assert sorted(fates(receipt)) == [UNKNOWN, STORED]


def test_two_rooms_of_one_account_are_not_guessed(clinic):
    clinic.consented()
    first = paired(clinic, account="account-9", location=room(clinic, "One"))
    tell(clinic, first["id"])
    second = replace(
        stored_grant(clinic, first["id"]), grant_id=1, location=room(clinic, "Two")
    )
    clinic.world.deployment.database.write(
        lambda transaction: source_grants.add(transaction, second)
    )

    receipt = clinic.deliver(heart_rate(1, "account-9"))

    assert fates(receipt) == [AMBIGUOUS]


def stored_grant(clinic, id_):
    with clinic.world.deployment.database.read() as snapshot:
        return source_grants.find(snapshot, rows.row_of(id_))


# Revoked


def test_a_revoked_pairing_does_not_attribute_the_next_delivery(either):
    either.consented()
    made = paired(either, account="user-1")
    first = either.deliver(heart_rate(1, "user-1"))

    answer = revoke(either, made["id"])

    second = either.deliver(heart_rate(2, "user-1"))
    assert answer.status_code == 204
    assert (fates(first), fates(second)) == ([STORED], [UNKNOWN])
    assert len(either.found(f"Observation?patient={either.patient}")) == 1


def test_a_delivery_that_came_before_the_revocation_stays_whole(clinic):
    clinic.consented()
    made = paired(clinic, account="account-9")
    services = clinic.world.deployment.services
    delivery = delivered(clinic)
    vendor = VENDORS["open-mhealth"]

    def readings():
        for number in range(TRANSACTION + 1):
            if number == TRANSACTION:
                clinic.world.clock.pass_s(1)
                assert revoke(clinic, made["id"]).status_code == 204
            moment = f"2026-11-10T{number // 3600:02}:{number // 60 % 60:02}"
            yield from vendor.parse(
                at(f"{moment}:{number % 60:02}Z", number),
                received_at=clinic.world.clock.us,
            )

    receipt = take(
        services,
        delivery,
        Origin(interaction=Interaction.INGEST, request="a test"),
        readings(),
    )

    assert receipt.counts["stored"] == TRANSACTION + 1
    assert fates(clinic.deliver(at("2026-11-11T00:00:00Z", 9_999))) == [UNKNOWN]


def delivered(clinic, source="open-mhealth", **more):
    """Return a delivery of the clinic's gateway, come now."""
    services, vendor = clinic.world.deployment.services, VENDORS[source]
    with services.database.read() as snapshot:
        grant = local.registered(snapshot, "gateway")
    return Delivery(
        **{
            "source": source,
            "parser": vendor.parser,
            "identifier_system": vendor.system,
            "is_registered": vendor.is_registered,
            "patient_id": None,
            "grant": grant,
            "payload_sha256": None,
            "received_us": services.clock(),
            **more,
        }
    )


def test_a_retry_counts_by_when_the_reading_came(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "account-9"))
    clinic.world.clock.pass_s(60)
    made = paired(clinic, account="account-9")
    clinic.world.clock.pass_s(60)
    revoke(clinic, made["id"])
    clinic.deliver(heart_rate(2, "account-9"))

    tried = retried(clinic)

    assert tried == (2, 1)
    [stored] = clinic.found(f"Observation?patient={clinic.patient}")
    assert stored["identifier"][0]["value"] == "heart-rate-1"


def test_a_reading_that_waited_is_stored_once_its_account_is_paired(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "account-9"))
    paired(clinic, account="account-9")

    assert retried(clinic) == (1, 1)


# A request that names a patient


def test_a_request_does_not_stand_against_a_pairing(clinic):
    clinic.consented()
    second = another(clinic)
    paired(second, account="account-9", period={"start": "2026-11-10T00:00:00Z"})

    answers = [
        clinic.world.deliver(
            "open-mhealth", [at(moment)], clinic.gateway, f"?patient={named}"
        )
        for named, moment in (
            (clinic.patient, "2026-11-10T00:00:00Z"),
            (second.patient, "2026-11-10T00:00:00Z"),
            (second.patient, "2026-11-09T23:59:59Z"),
        )
    ]

    assert [fates(one) for one in answers] == [[AMBIGUOUS], [STORED], [UNKNOWN]]


def test_an_account_is_looked_up_once_in_a_transaction(clinic, monkeypatch):
    clinic.consented()
    paired(clinic, account="account-9")
    asked = []
    look_up = source_grants.of_account
    monkeypatch.setattr(
        source_grants,
        "of_account",
        lambda *arguments: asked.append(arguments) or look_up(*arguments),
    )

    receipt = clinic.deliver(
        *(heart_rate(number, "account-9") for number in range(1, 51))
    )

    assert receipt["stored"] == 50
    assert len(asked) == 1


# A sensor


def test_a_paired_sensor_needs_no_registration_and_its_room_is_the_focus(either):
    either.consented()
    bedroom = room(either)
    made = sensor(either, location=bedroom)
    tell(either, made["id"])

    receipt = either.deliver(message(), source="zigbee2mqtt")

    assert fates(receipt) == [STORED]
    [stored] = either.found(f"Observation?patient={either.patient}")
    assert stored["focus"] == [{"reference": bedroom}]
    assert stored["device"] == {"reference": made["device"]["reference"]}


@pytest.mark.parametrize(
    "device",
    [
        {"value": ADDRESS},
        {"value": "0x00158d0001020304"},
        {"value": "00158D0001020304"},
        {"value": ADDRESS, "system": ZIGBEE_ADDRESS},
    ],
)
def test_an_address_is_the_same_however_it_is_written(clinic, device):
    clinic.consented()
    paired(clinic, source="zigbee2mqtt", device=device)

    assert fates(clinic.deliver(message(), source="zigbee2mqtt")) == [STORED]


def test_an_identifier_of_another_system_is_another_unit(clinic):
    clinic.consented()
    paired(
        clinic,
        source="zigbee2mqtt",
        device={"value": ADDRESS, "system": FRIENDLY_NAME},
    )

    assert fates(clinic.deliver(message(), source="zigbee2mqtt")) == [NO_DEVICE]


def test_a_room_sensor_waits_until_co_residents_were_told(either):
    either.consented()
    made = sensor(either, location=room(either))
    before = either.deliver(message(), source="zigbee2mqtt")
    too_early = retried(either)

    told = tell(either, made["id"])

    assert (fates(before), too_early) == ([UNTOLD], (1, 0))
    assert told.json["notice"] == {
        "at": "2026-11-20T12:00:00.000Z",
        "by": "client admin",
    }
    assert retried(either) == (1, 1)
    assert len(either.found(f"Observation?patient={either.patient}")) == 1


def test_what_waits_for_a_notice_is_under_the_patients_key(clinic):
    clinic.consented()
    sensor(clinic, location=room(clinic))

    clinic.deliver(message(), source="zigbee2mqtt")

    with clinic.world.deployment.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)
        keys = snapshot.all(Statement(select(quarantine.c.patient_key)))
    assert keys == [(state.key,)]


def test_a_sensor_without_a_room_needs_no_notice(clinic):
    clinic.consented()
    made = sensor(clinic)

    assert tell(clinic, made["id"]).status_code == 422
    assert fates(clinic.deliver(message(), source="zigbee2mqtt")) == [STORED]


def test_one_sensor_of_two_patients_is_not_guessed(clinic):
    clinic.consented()
    sensor(clinic)
    sensor(another(clinic))

    assert fates(clinic.deliver(message(), source="zigbee2mqtt")) == [AMBIGUOUS]


def test_a_sensor_that_is_registered_is_taken_over_by_its_pairing(clinic):
    clinic.consented()
    registered = clinic.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": ZIGBEE_ADDRESS, "value": ADDRESS}],
            "status": "active",
            "patient": {"reference": f"Patient/{clinic.patient}"},
        },
        clinic.admin,
    )
    before = clinic.deliver(message(value=20), source="zigbee2mqtt")
    made = sensor(clinic, period={"start": "2026-11-19T10:00:00+01:00"})
    early = clinic.deliver(message("2026-11-19T09:59:59+01:00"), source="zigbee2mqtt")
    during = clinic.deliver(message(value=21), source="zigbee2mqtt")

    revoke(clinic, made["id"])

    after = clinic.deliver(message("2026-11-19T11:00:00+01:00"), source="zigbee2mqtt")
    assert made["device"]["reference"] == f"Device/{registered['id']}"
    assert [fates(one) for one in (before, early, after)] == [
        [STORED],
        [NO_DEVICE],
        [NO_DEVICE],
    ]
    assert during["quarantined"] == 0


def test_a_device_that_was_ended_is_no_longer_paired(clinic):
    clinic.consented()
    made = sensor(clinic)
    id_ = made["device"]["reference"].removeprefix("Device/")
    device = clinic.world.get(f"/fhir/Device/{id_}", clinic.admin).json

    clinic.world.update({**device, "status": "inactive"}, clinic.admin)

    assert fates(clinic.deliver(message(), source="zigbee2mqtt")) == [NO_DEVICE]


@pytest.mark.parametrize(
    "clue",
    [
        DeviceClue(serial="SN-1"),
        DeviceClue(identifier="sn 1", system="urn:x"),
        DeviceClue(udi="SN1", model="Band"),
    ],
)
def test_a_unit_is_known_by_whatever_was_read_off_it(clinic, clue):
    clinic.consented()
    made = paired(clinic, device={"value": "SN-1"})
    measured = Measurement(
        "heart-rate",
        60,
        "/min",
        "2026-11-10T00:00:00Z",
        1_794_268_800_000_000,
        None,
        1_794_268_800_000_000,
        "$",
        device=clue,
    )

    def work(transaction):
        services = clinic.world.deployment.services
        return Resolver(transaction, services.repository, delivered(clinic)).wearer(
            measured
        )

    wearer = clinic.world.deployment.database.write(work)

    assert isinstance(wearer, Wearer)
    assert wearer.state.id == clinic.patient
    assert wearer.device == made["device"]["reference"]


# What it says in FHIR


def test_a_unit_has_one_device_and_a_statement_for_each_time_of_use(either):
    either.consented()
    first = sensor(either, zone="Europe/Berlin", period={"start": "2026-11-01"})
    either.world.clock.pass_s(60)
    revoke(either, first["id"])
    second = sensor(either, period={"start": "2026-11-20T13:00:00Z"})

    statements = either.found(f"DeviceUseStatement?patient={either.patient}")

    assert first["device"] == second["device"]
    assert len(either.found(f"Device?patient={either.patient}")) == 1
    told = {
        one["identifier"][0]["value"]: {
            name: value
            for name, value in one.items()
            if name not in {"id", "meta", "identifier", "resourceType"}
        }
        for one in statements
    }
    shared = {
        "subject": {"reference": f"Patient/{either.patient}"},
        "device": {"reference": first["device"]["reference"]},
    }
    assert told == {
        first["id"]: {
            **shared,
            "status": "completed",
            "timingPeriod": {
                "start": "2026-11-01T00:00:00+01:00",
                "end": "2026-11-20T13:01:00+01:00",
            },
            "recordedOn": "2026-11-20T12:00:00.000Z",
        },
        second["id"]: {
            **shared,
            "status": "intended",
            "timingPeriod": {"start": "2026-11-20T13:00:00Z"},
            "recordedOn": "2026-11-20T12:01:00.000Z",
        },
    }


def test_what_a_pairing_writes_has_a_history_and_a_provenance(clinic):
    clinic.consented()
    made = sensor(clinic)
    revoke(clinic, made["id"])

    [statement] = clinic.found(f"DeviceUseStatement?patient={clinic.patient}")
    history = clinic.world.get(
        f"/fhir/DeviceUseStatement/{statement['id']}/_history", clinic.ehr
    ).json
    provenance = clinic.found(f"Provenance?target=DeviceUseStatement/{statement['id']}")

    assert history["total"] == 2
    assert [
        [agent["who"]["reference"] for agent in one["agent"]] for one in provenance
    ] == [[clinic.organization] * 2] * 2


def test_a_device_that_consent_does_not_collect_is_not_paired(clinic):
    answer = ask(clinic, source="zigbee2mqtt", device={"value": ADDRESS})

    assert answer.status_code == 403
    assert listed(clinic) == []
    assert clinic.found(f"Device?patient={clinic.patient}") == []


def listed(clinic, who=None):
    answer = clinic.world.get(
        f"{PAIRINGS}?patient={clinic.patient}", who or clinic.admin
    )
    assert answer.status_code == 200, answer.text
    return answer.json["pairings"]


def test_a_unit_is_paired_by_its_udi(clinic):
    clinic.consented()
    udi = "(01)00844588003288(21)A213B1"

    paired(clinic, device={"value": udi})

    [device] = clinic.found(f"Device?patient={clinic.patient}")
    assert device["udiCarrier"] == [{"carrierHRF": udi}]


def test_a_device_that_a_source_has_described_is_taken_over(clinic):
    clinic.consented()
    described = clinic.world.create(
        {
            "resourceType": "Device",
            "serialNumber": "SN-1",
            "manufacturer": "Maker",
            "modelNumber": "Band",
            "status": "active",
            "patient": {"reference": f"Patient/{clinic.patient}"},
        },
        clinic.admin,
    )

    made = paired(clinic, device={"value": "sn-1"})

    assert made["device"]["reference"] == f"Device/{described['id']}"


def use_of(clinic):
    [statement] = clinic.found(f"DeviceUseStatement?patient={clinic.patient}")
    return statement["status"], statement["timingPeriod"]


@pytest.mark.parametrize(
    ("period", "before", "after"),
    [
        (
            {"start": "2026-11-21T00:00:00Z"},
            ("intended", {"start": "2026-11-21T00:00:00Z"}),
            ("entered-in-error", {"start": "2026-11-21T00:00:00Z"}),
        ),
        (
            {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"},
            (
                "completed",
                {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"},
            ),
            (
                "completed",
                {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"},
            ),
        ),
        (
            {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"},
            (
                "active",
                {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"},
            ),
            (
                "completed",
                {"start": "2026-11-01T00:00:00Z", "end": "2026-11-20T12:00:00Z"},
            ),
        ),
    ],
)
def test_a_revocation_ends_a_use_where_it_stands(clinic, period, before, after):
    clinic.consented()
    made = sensor(clinic, period=period)
    begun = use_of(clinic)

    revoke(clinic, made["id"])

    assert (begun, use_of(clinic)) == (before, after)


def test_a_statement_that_was_deleted_stays_deleted(clinic):
    clinic.consented()
    made = sensor(clinic)
    [statement] = clinic.found(f"DeviceUseStatement?patient={clinic.patient}")
    path = f"/fhir/DeviceUseStatement/{statement['id']}"
    clinic.world.send("DELETE", path, b"", clinic.admin)

    answer = revoke(clinic, made["id"])

    assert answer.status_code == 204
    assert clinic.world.get(path, clinic.admin).status_code == 410


def test_a_pairing_is_revoked_once(clinic):
    clinic.consented()
    made = sensor(clinic)
    revoke(clinic, made["id"])
    first = listed(clinic)
    clinic.world.clock.pass_s(60)

    again = revoke(clinic, made["id"])

    assert again.status_code == 204
    assert listed(clinic) == first


def test_the_pairings_of_a_patient_who_was_deleted_attribute_nothing(clinic):
    lonely = clinic.world.create(patient(clinic.organization), clinic.admin)
    theirs = replace(clinic, patient=lonely["id"])
    paired(theirs, account="account-9")
    gone = clinic.world.send(
        "DELETE", f"/fhir/Patient/{lonely['id']}", b"", clinic.admin
    )

    receipt = clinic.deliver(heart_rate(1, "account-9"))

    assert gone.status_code == 204
    assert fates(receipt) == [UNKNOWN]


# The API


@pytest.mark.parametrize(
    ("query", "status"), [("", 422), ("?patient=a&patient=b", 422), ("?patient=", 400)]
)
def test_a_listing_names_one_patient(clinic, query, status):
    answer = clinic.world.get(f"{PAIRINGS}{query}", clinic.admin)

    assert answer.status_code == status


def test_a_label_that_cannot_be_opened_is_not_told(clinic):
    clinic.consented()
    made = paired(clinic, account="account-9")
    services = clinic.world.deployment.services
    moved = replace(stored_grant(clinic, made["id"]), grant_id=7)

    with services.database.read() as snapshot:
        state = services.gate.state(snapshot, moved.patient_key)
        found = told(services, snapshot, state, moved)

    assert found.label == ""


def test_a_pairing_names_patient_and_source(clinic):
    answer = clinic.world.send(
        "POST", PAIRINGS, {"account": "a"}, clinic.admin, "application/json"
    )

    assert (answer.status_code, answer.json["issue"][0]["code"]) == (422, "required")


def test_a_pairing_is_told_whole(clinic):
    clinic.consented()
    bedroom = room(clinic)
    sensor_ = sensor(clinic, location=bedroom)
    tell(clinic, sensor_["id"])
    clinic.deliver(message(), source="zigbee2mqtt")
    clinic.world.clock.pass_s(1)
    account = paired(
        clinic,
        account="account-9",
        zone="Europe/Berlin",
        period={"start": "2026-11-01", "end": "2026-11-30"},
    )
    revoke(clinic, account["id"])

    assert listed(clinic) == [
        {
            "id": account["id"],
            "patient": f"Patient/{clinic.patient}",
            "source": "open-mhealth",
            "account": "account-9",
            "zone": "Europe/Berlin",
            "period": {
                "start": "2026-11-01T00:00:00+01:00",
                "end": "2026-12-01T00:00:00+01:00",
            },
            "made": {"at": "2026-11-20T12:00:01.000Z", "by": "client admin"},
            "revoked": {"at": "2026-11-20T12:00:01.000Z", "by": "client admin"},
        },
        {
            "id": sensor_["id"],
            "patient": f"Patient/{clinic.patient}",
            "source": "zigbee2mqtt",
            "device": {**sensor_["device"], "value": ADDRESS},
            "location": bedroom,
            "period": {"start": "2026-11-01T00:00:00Z"},
            "made": {"at": "2026-11-20T12:00:00.000Z", "by": "client admin"},
            "notice": {"at": "2026-11-20T12:00:00.000Z", "by": "client admin"},
            "lastHeard": "2026-11-20T12:00:00.000Z",
        },
    ]


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"account": "a", "source": "nothing"}, 422, "source"),
        ({"account": "a", "device": {"value": "b"}}, 422, "account"),
        ({}, 422, "account"),
        ({"account": "a", "source": "zigbee2mqtt"}, 422, "account"),
        ({"account": ""}, 422, "account"),
        ({"account": " a"}, 422, "account"),
        ({"account": "a\nb"}, 422, "account"),
        ({"account": "a" * 257}, 422, "account"),
        ({"account": 7}, 400, "account"),
        ({"device": "b"}, 400, "device"),
        ({"device": {"value": "b", "name": "c"}}, 400, "device"),
        ({"account": "a", "colour": "red"}, 400, "colour"),
        ({"account": "a", "zone": "Europe/Nowhere"}, 422, "zone"),
        ({"account": "a", "location": "Location/none"}, 422, "location"),
        ({"account": "a", "location": "Patient/p"}, 422, "location"),
        ({"account": "a", "period": {"start": "2026-11-01T10:00:00"}}, 422, "start"),
        ({"account": "a", "period": {"start": "2026-13-01"}}, 422, "start"),
        (
            {
                "account": "a",
                "period": {
                    "start": "2026-11-01T10:00:00Z",
                    "end": "2026-11-01T10:00:00Z",
                },
            },
            422,
            "end",
        ),
    ],
)
def test_what_cannot_be_paired_is_refused_by_its_place(clinic, body, status, place):
    clinic.consented()

    answer = ask(clinic, **body)

    assert answer.status_code == status, answer.text
    assert answer.json["issue"][0]["expression"][0].rpartition(".")[2] == place
    assert listed(clinic) == []


def test_the_same_is_not_paired_twice_for_one_time(clinic):
    clinic.consented()
    paired(clinic, account="account-9", period={"start": "2026-11-10"})

    answer = ask(clinic, account="account-9", period={"start": "2026-11-01"})
    earlier = ask(
        clinic,
        account="account-9",
        period={"start": "2026-11-01", "end": "2026-11-09"},
    )

    assert (answer.status_code, answer.json["issue"][0]["code"]) == (409, "duplicate")
    assert earlier.status_code == 201


def test_every_change_of_a_pairing_is_audited_with_what_it_wrote(clinic):
    clinic.consented()
    before = len(clinic.world.audited())
    made = sensor(clinic, location=room(clinic))
    tell(clinic, made["id"])
    revoke(clinic, made["id"])

    records = [
        one for one in clinic.world.audited()[before:] if one.resource_type == "Device"
    ]

    pseudonym = clinic.world.deployment.services.pseudonym(clinic.patient)
    assert [
        (one.interaction, one.outcome, one.status, one.client, len(one.written))
        for one in records
    ] == [
        (Interaction.REGISTER, Outcome.ALLOWED, 201, "admin", 2),
        (Interaction.UPDATE, Outcome.ALLOWED, 200, "admin", 0),
        (Interaction.REVOKE, Outcome.ALLOWED, 204, "admin", 1),
    ]
    assert {one.patients for one in records} == {(pseudonym,)}
    assert clinic.world.verified().findings == ()


def test_an_account_and_its_room_are_in_no_readable_column(clinic):
    clinic.consented()
    paired(clinic, account="account-of-somebody")

    with clinic.world.deployment.database.read() as snapshot:
        rows = snapshot.all(Statement(select(source_grants.source_grant)))

    assert "account-of-somebody" not in repr(rows)


# Leaks


@pytest.mark.parametrize("scope", ["system/Observation.cruds", "system/Device.rs"])
def test_a_client_without_the_scope_pairs_nothing(clinic, scope):
    clinic.consented()
    other = clinic.world.client("other", scope, organization=clinic.organization)

    assert ask(clinic, other, account="account-9").status_code == 403
    assert revoke(clinic, "0000000000000", other).status_code == 403


def test_another_organisation_learns_nothing_of_patient_or_pairing(clinic, stranger):
    clinic.consented()
    made = paired(clinic, account="account-9", location=room(clinic))
    absent = replace(stranger, patient="not-here")

    answers = [
        (
            ask(one, account="account-9"),
            one.world.get(f"{PAIRINGS}?patient={one.patient}", one.admin),
            revoke(one, id_),
            tell(one, id_),
        )
        for one, id_ in ((stranger, made["id"]), (absent, "0000000000000"))
    ]

    known, unknown = (
        [(one.status_code, one.json["issue"][0]["diagnostics"]) for one in found]
        for found in answers
    )
    assert known == unknown
    assert {status for status, _ in known} == {404}
    assert listed(clinic)[0].get("revoked") is None


def test_another_organisations_gateway_is_told_as_of_an_unknown_account(
    clinic, stranger
):
    clinic.consented()
    unknown = stranger.deliver(heart_rate(1, "account-9"), heart_rate(2, "nobody"))
    made = paired(clinic, account="account-9", location=room(clinic))

    untold = stranger.deliver(heart_rate(1, "account-9"), heart_rate(2, "nobody"))
    tell(clinic, made["id"])
    told = stranger.deliver(heart_rate(1, "account-9"), heart_rate(2, "nobody"))

    assert unknown == untold == told
    assert {reason for _, reason in fates(told)} == {"unknown-patient"}


def test_another_organisations_pairing_does_not_disturb(clinic, stranger):
    clinic.consented()
    theirs = stranger.world.create(patient(stranger.organization), stranger.admin)
    paired_there = ask(replace(stranger, patient=theirs["id"]), account="user-1")

    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert paired_there.status_code == 201
    assert fates(receipt) == [STORED]


def test_a_persons_app_pairs_for_the_organization_she_acts_for_and_no_other(clinic):
    clinic.consented()
    ours = clinic.world.person(
        "ours",
        "user/*.cruds",
        reference="Practitioner/1",
        organization=clinic.organization,
    )
    others = [
        clinic.world.person(
            "theirs",
            "user/*.cruds",
            reference="Practitioner/2",
            organization="Organization/b",
        ),
        clinic.world.person(
            "herself",
            "patient/*.cruds",
            role="patient",
            reference=f"Patient/{clinic.patient}",
            patient=clinic.patient,
            behind=clinic.organization,
        ),
    ]

    refused = [ask(clinic, who, account="account-9").status_code for who in others]
    made = ask(clinic, ours, account="account-9")

    assert refused == [404, 404]
    assert (made.status_code, made.json["made"]["by"]) == (201, "Practitioner/1")


def test_a_token_for_one_patient_does_not_pair_another(clinic):
    clinic.consented()
    second = another(clinic)
    confined = clinic.world.person(
        "confined",
        "patient/*.cruds",
        reference="Practitioner/1",
        organization=clinic.organization,
        patient=clinic.patient,
    )

    assert ask(second, confined, account="account-9").status_code == 404
    assert ask(clinic, confined, account="account-9").status_code == 201


def test_a_pairing_is_not_listed_whose_device_consent_hides(clinic):
    clinic.consented()
    sensor(clinic)
    account = paired(clinic, account="account-9")
    whole = [one["source"] for one in listed(clinic)]
    clinic.world.create(hiding_devices(clinic), clinic.admin)

    assert whole == ["open-mhealth", "zigbee2mqtt"]
    assert [one["id"] for one in listed(clinic)] == [account["id"]]


def hiding_devices(clinic):
    return consent(
        clinic.patient,
        {
            "type": "deny",
            "class": classes("Device"),
            "action": actions("access"),
            "actor": actor(clinic.organization),
            "purpose": purposes("TREAT"),
        },
    )


# Of one account or patient, as the doors ask


def test_the_zone_of_a_pairing_is_that_of_those_that_stand(clinic):
    clinic.consented()
    first = paired(clinic, account="account-9", zone="Europe/Berlin")
    grants = [stored_grant(clinic, first["id"])]
    other = replace(grants[0], grant_id=1, zone="America/New_York", revoked=50)

    zones = [
        source_grants.zone([], 0),
        source_grants.zone(grants, HOUR_US),
        source_grants.zone([*grants, other], 49),
        source_grants.zone([*grants, other], 50),
        source_grants.zone([*grants, replace(other, zone=None)], 49),
    ]

    assert zones == [None, "Europe/Berlin", None, "Europe/Berlin", None]


FITBIT_NIGHT = {
    "sleep": [
        {
            "logId": 7,
            "startTime": "2026-11-10T23:10:00.000",
            "endTime": "2026-11-11T06:40:00.000",
            "duration": 27_000_000,
            "minutesAsleep": 420,
            "timeInBed": 450,
            "isMainSleep": True,
            "type": "classic",
            "levels": {"data": [], "summary": {}},
        }
    ]
}


def test_local_times_wait_until_a_pairing_tells_their_zone(clinic, tmp_path):
    clinic.consented()
    services = clinic.world.deployment.services
    path = tmp_path / "sleep.json"
    path.write_text(json.dumps(FITBIT_NIGHT))
    grant = local.operator(clinic.organization)
    first = import_file(
        services, "fitbit", path, patient_id=clinic.patient, grant=grant
    )

    paired(clinic, source="fitbit", account="account-7", zone="America/New_York")
    account = retry.retry(services, source="fitbit")

    assert {reason for _, _, reason in first.kinds} == {"no-offset"}
    assert account.resolved == 1
    [night] = clinic.found(f"Observation?patient={clinic.patient}&code=sleep-session")
    assert night["effectivePeriod"]["start"] == "2026-11-10T23:10:00-05:00"
