import json
from datetime import UTC, datetime

import pytest

from conformance import fhir_json
from consent.audit.entry import Interaction, decode
from fhir_service.auth import clients, local
from fhir_service.commands.quarantine import age
from fhir_service.demo.clients import GATEWAY
from fhir_service.demo.seed import Size
from fhir_service.deployment import opened
from fhir_service.ingest import retry
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.ingest.cohort_resources import APP_USER
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.receipt import Fate
from fhir_service.storage import audit_log, patients, quarantines, types
from fhir_service.storage.observations import Question, page
from mappings.measurement import Reason, Refusal
from mappings.vendors.table import VENDORS

HIDDEN = "61.7890"


def point(key, user="somebody-new", value=HIDDEN, time="2026-02-01T10:00:00+01:00"):
    return {
        "header": {
            "id": key,
            "creation_date_time": "2026-02-01T11:00:00+01:00",
            "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
            "user_id": user,
        },
        "body": {
            "heart_rate": {"value": fhir_json.Number(value), "unit": "beats/min"},
            "effective_time_frame": {"date_time": time},
        },
    }


def deliver(deployment, readings, source="open-mhealth", patient_id=None):
    """Take readings as the device door takes them from the example gateway."""
    services, vendor = deployment.services, VENDORS[source]
    with services.database.read() as snapshot:
        grant = local.registered(snapshot, GATEWAY)
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=patient_id,
        grant=grant,
        payload_sha256=None,
        received_us=services.clock(),
    )
    origin = Origin(interaction=Interaction.INGEST, request="a test")
    return take(services, delivery, origin, readings)


def send(deployment, *points, **options):
    parse = VENDORS["open-mhealth"].parse
    readings = parse(list(points), received_at=datetime.now(tz=UTC))
    return deliver(deployment, readings, **options)


def waiting(deployment, source=None):
    with deployment.database.read() as snapshot:
        return quarantines.pending(snapshot, count=1000, source=source)


def rename(deployment, patient_id, user):
    """Give a patient the name that a source has for somebody."""
    services = deployment.services

    def work(transaction):
        old = services.repository.read(transaction, "Patient", patient_id)
        patient = fhir_json.loads(services.repository.body(transaction, old))
        patient["identifier"].append({"system": APP_USER, "value": user})
        services.repository.update(transaction, old, patient, id_=patient_id)

    services.database.write(work)


def values_of(deployment, patient_id):
    with deployment.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), patient_id)
        rows = page(snapshot, Question(patient_key=state.key), 5000)
        bodies = deployment.services.repository.codec.decode_many(
            snapshot,
            [(state.key, one.row, one.version, one.body) for _, one in rows],
        )
    return [body.decode() for body in bodies]


def test_a_list_tells_where_and_why_and_never_what(filled_on_either, fhir_service):
    with opened(filled_on_either) as deployment:
        send(deployment, point("a", value="61.789"))

    text = fhir_service(filled_on_either, "quarantine", "list")
    told = fhir_service(filled_on_either, "quarantine", "list", "--json")

    assert (text.exit_code, told.exit_code) == (0, 0)
    assert "61.789" not in text.stdout + told.stdout
    assert "somebody-new" not in text.stdout + told.stdout
    last = json.loads(told.stdout)["parts"][-1]
    assert (
        last.items()
        >= {
            "source": "open-mhealth",
            "reason": "unknown-patient",
            "kind": "heart-rate",
            "position": "$[0].body",
            "detail": "The payload's user is no patient here.",
            "count": 1,
            "retries": 0,
        }.items()
    )


def test_a_list_can_be_of_one_source(filled, fhir_service):
    result = fhir_service(
        filled, "quarantine", "list", "--source", "zigbee2mqtt", "--json"
    )

    told = json.loads(result.stdout)
    assert {part["source"] for part in told["parts"]} == {"zigbee2mqtt"}
    assert {count["source"] for count in told["waiting"]} == {"zigbee2mqtt"}


def test_a_list_has_no_more_rows_than_asked_for_and_counts_all(filled, fhir_service):
    result = fhir_service(filled, "quarantine", "list", "--limit", "1", "--json")

    told = json.loads(result.stdout)
    assert len(told["parts"]) == 1
    assert sum(count["count"] for count in told["waiting"]) > 1


def test_an_empty_quarantine_says_so(settings, fhir_service):
    result = fhir_service(settings, "quarantine", "list")

    assert result.stdout == "Nothing is in quarantine.\n"


def test_a_reading_is_stored_once_its_patient_is_known(filled_on_either, fhir_service):
    with opened(filled_on_either) as deployment:
        send(deployment, point("a"))
        rename(deployment, "demo-patient-07", "somebody-new")
        before = len(values_of(deployment, "demo-patient-07"))

    result = fhir_service(filled_on_either, "quarantine", "retry", "--json")

    told = json.loads(result.stdout)
    with opened(filled_on_either) as deployment:
        stored = values_of(deployment, "demo-patient-07")
    assert (result.exit_code, told["resolved"]) == (0, 1)
    assert told["measurements"]["open-mhealth"]["stored"] == 1
    assert len(stored) == before + 1
    assert any(f'"value":{HIDDEN},' in body for body in stored)


def test_what_a_parser_has_learnt_meanwhile_is_stored(filled):
    """The older parser did not understand what today's does."""
    with opened(filled) as deployment:
        kept = point("b", user="demo-user-07")
        deliver(
            deployment,
            [Refusal("$[4].body", Reason.UNKNOWN_UNIT, "heart-rate", "Old.", kept)],
        )

        account = retry.retry(deployment.services, source="open-mhealth")

        assert account.resolved == 1
        assert account.receipts["open-mhealth"].counts[Fate.STORED] == 1


def test_a_retry_is_idempotent(filled):
    with opened(filled) as deployment:
        send(deployment, point("a"))
        rename(deployment, "demo-patient-07", "somebody-new")
        first = retry.retry(deployment.services)

        second = retry.retry(deployment.services)

        assert (first.resolved, second.resolved) == (1, 0)
        assert second.tried == first.tried - 1
        assert second.waiting == first.waiting


def test_what_is_not_understood_counts_its_retries_and_says_why_now(filled):
    with opened(filled) as deployment:
        kept = point("c", time="2026-02-01T10:00:00")
        deliver(
            deployment,
            [Refusal("$[0].body", Reason.UNKNOWN_UNIT, None, "An older reason.", kept)],
        )

        retry.retry(deployment.services)
        retry.retry(deployment.services)

        last = waiting(deployment)[-1]
        assert (last.retries, last.reason, last.kind) == (2, "no-offset", "heart-rate")
        assert last.detail != "An older reason."
        assert last.position == "$[0].body"


def test_what_has_left_quarantine_is_erased_there(filled):
    with opened(filled) as deployment:
        send(deployment, point("a"))
        [row] = [one for one in waiting(deployment) if one.reason == "unknown-patient"]
        rename(deployment, "demo-patient-07", "somebody-new")

        retry.retry(deployment.services)

        with deployment.database.read() as snapshot:
            rows = snapshot.sql(
                "SELECT payload, resolved IS NULL FROM quarantine"
                " WHERE quarantine_id = ?",
                (row.id,),
            )
        assert rows == [(b"", 0)]


def test_what_consent_does_not_permit_is_withheld_and_leaves_quarantine(
    settings, cohort
):
    with opened(settings) as deployment:
        cohort.fill(deployment, Size(people=(PEOPLE[11],), days=1))
        send(deployment, point("a"))
        rename(deployment, "demo-patient-12", "somebody-new")

        account = retry.retry(deployment.services)

        assert account.receipts["open-mhealth"].counts[Fate.WITHHELD] == 1
        assert values_of(deployment, "demo-patient-12") == []


def test_only_the_source_that_was_asked_for_is_tried(filled):
    with opened(filled) as deployment:
        account = retry.retry(deployment.services, source="zigbee2mqtt")

        assert account.tried == len(waiting(deployment, "zigbee2mqtt")) > 0
        assert {row.retries for row in waiting(deployment, "apple-health")} == {0}


def test_parts_of_a_client_that_was_removed_stay_where_they_are(filled):
    with opened(filled) as deployment:
        send(deployment, point("a"))
        rename(deployment, "demo-patient-07", "somebody-new")
        clients.remove(deployment.auth, GATEWAY)

        account = retry.retry(deployment.services)

        assert account.resolved == 0
        assert account.waiting[("open-mhealth", "unknown-patient")] == 1


def test_a_part_of_which_nothing_was_kept_stays(filled):
    with opened(filled) as deployment:
        refusal = Refusal("HealthData", Reason.TRUNCATED, None, "Cut.", None)
        deliver(deployment, [refusal])

        account = retry.retry(deployment.services)

        assert account.waiting[("open-mhealth", "truncated")] == 1


def test_a_registered_sensor_is_found_at_the_next_retry(filled, fhir_service):
    """The cohort's sensors send a message of one that nobody registered."""
    with opened(filled) as deployment:
        unknown = [
            row
            for row in waiting(deployment, "zigbee2mqtt")
            if row.reason == "unknown-device"
        ]
        assert unknown
        kept = json.loads(_kept(deployment, unknown[0]))
        clue = kept["payload"]["device"]
        _register(deployment, clue["system"], clue["identifier"])

    result = fhir_service(filled, "quarantine", "retry")

    assert result.exit_code == 0
    assert f"{len(unknown)}  were understood and left quarantine" in result.stdout


def _kept(deployment, row):
    with deployment.database.read() as snapshot:
        return deployment.services.repository.open_payload(
            snapshot, row.patient_key, row.payload
        )


def _register(deployment, system, value):
    services = deployment.services
    device = {
        "resourceType": "Device",
        "identifier": [{"system": system, "value": value}],
        "status": "active",
        "patient": {"reference": "Patient/demo-patient-07"},
    }

    def work(transaction):
        state = patients.by_id(
            transaction, types.number_of("Patient"), "demo-patient-07"
        )
        services.repository.create(transaction, device, patient_key=state.key)

    services.database.write(work)


def test_a_retry_is_in_the_log_under_the_operators_name(filled):
    with opened(filled) as deployment:
        send(deployment, point("a"))

        retry.retry(deployment.services)

        with deployment.database.read() as snapshot:
            *_, (_, leaf, _) = audit_log.entries(snapshot)
        last = decode(leaf, unseal=lambda _: None)
        assert (last.user, last.interaction) == (local.user(), Interaction.INGEST)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")],
)
def test_an_age_is_told_in_its_largest_unit(seconds, text):
    assert age(seconds) == text
