"""Provenance of what devices deliver and of what clients write, as readers see it."""

import json
from urllib.parse import parse_qsl

import pytest
from worlds import (
    RESTING,
    codes,
    heart_rate,
    matches,
    observation,
    same_for,
    steps,
)

from conformance.issues import Severity
from conformance.validation import validate
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.exchange import Exchange
from fhir_service.ingest.files import import_file
from fhir_service.interactions import provenance
from fhir_service.interactions.provenance_id import id_of
from fhir_service.rest.message import Request
from fhir_service.search.parse import parse
from fhir_service.storage import batches, patients, types
from fhir_service.storage.batches import Activity, Part
from mappings.provenance import PAYLOAD_SYSTEM, PROFILE

HEART_RATE, STEPS = "8867-4", "55423-8"


WATCH = "&lt;&lt;HKDevice: 0x1&gt;, name:Watch, manufacturer:Maker, model:Model&gt;"


def import_of_a_watch(clinic, folder):
    """Import one heart rate of a watch, which becomes a Device."""
    at = "2026-09-01 10:00:00 +0200"
    path = folder / "export.xml"
    path.write_text(
        '<?xml version="1.0"?><HealthData locale="en_US">'
        '<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" '
        f'unit="count/min" device="{WATCH}" creationDate="{at}" startDate="{at}" '
        f'endDate="{at}" value="60"/></HealthData>'
    )
    import_file(
        clinic.world.deployment.services,
        "apple-health",
        path,
        patient_id=clinic.patient,
        grant=local.operator(clinic.organization),
    )


def revincluded(clinic, query, headers=None):
    bundle = clinic.search(f"{query}&_revinclude=Provenance:target", headers)
    return [
        one["resource"]
        for one in bundle.get("entry", ())
        if one["search"]["mode"] == "include"
    ]


def of_code(clinic, code, headers=None):
    query = f"Observation?patient={clinic.patient}&code={code}"
    return revincluded(clinic, query, headers)


def targets(told):
    return {one["reference"] for one in told["target"]}


def named(resources):
    return {f"{one['resourceType']}/{one['id']}" for one in resources}


def agents(told):
    return {one["type"]["coding"][0]["code"]: one for one in told["agent"]}


def activity(told):
    return told["activity"]["coding"][0]["code"]


def faults(resource):
    return [
        issue.diagnostics
        for issue in validate(resource, profiles=[f"{PROFILE}|7.0.0"])
        if issue.severity in (Severity.ERROR, Severity.FATAL)
    ]


def read(clinic, id_, headers=None):
    return clinic.world.get(f"/fhir/Provenance/{id_}", headers or clinic.ehr)


def without_request(answer, id_):
    status, headers, body = same_for(answer)
    return status, headers, body.replace(id_.encode(), b"ID")


def test_one_delivery_of_one_kind_has_one_provenance_of_all_of_it(clinic):
    clinic.consented()
    clinic.deliver(*(heart_rate(number, "user-1") for number in range(3)))

    [told] = of_code(clinic, HEART_RATE)

    found = clinic.found(f"Observation?patient={clinic.patient}")
    assert targets(told) == named(found)
    assert len(found) == 3
    assert activity(told) == "CREATE"
    assert told["recorded"] == "2026-11-20T12:00:00.000Z"


def test_what_a_device_measured_is_by_it_for_the_organization(clinic, tmp_path):
    clinic.consented()
    import_of_a_watch(clinic, tmp_path)

    [told] = of_code(clinic, HEART_RATE)

    [device] = clinic.found(f"Device?patient={clinic.patient}")
    organization = {"reference": clinic.organization, "display": "Clinic"}
    found = agents(told)
    assert faults(told) == []
    assert told["meta"]["profile"] == [PROFILE]
    assert found["author"]["who"] == {"reference": f"Device/{device['id']}"}
    assert found["author"]["onBehalfOf"] == organization
    assert found["transmitter"]["who"] == organization
    assert "apple-health/" in found["assembler"]["who"]["display"]


def test_a_device_that_a_delivery_brings_is_told_of_with_it(clinic, tmp_path):
    clinic.consented()
    import_of_a_watch(clinic, tmp_path)

    [told] = revincluded(clinic, f"Device?patient={clinic.patient}")

    assert faults(told) == []
    assert targets(told) == named(clinic.found(f"Device?patient={clinic.patient}"))


def test_a_write_of_a_client_is_by_its_organization(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    [told] = of_code(clinic, RESTING)

    organization = {"reference": clinic.organization, "display": "Clinic"}
    found = agents(told)
    assert faults(told) == []
    assert targets(told) == {f"Observation/{made['id']}"}
    assert set(found) == {"author", "transmitter"}
    assert found["author"]["who"] == found["transmitter"]["who"] == organization
    assert "entity" not in told


def test_a_client_without_an_organization_is_named_itself(clinic):
    lone = clinic.world.client("lone", "system/Organization.crs", purposes=())
    made = clinic.world.create({"resourceType": "Organization", "name": "One"}, lone)

    reader = clinic.world.client("reader", "system/*.rs")
    [told] = revincluded(clinic, f"Organization?_id={made['id']}", reader)

    assert faults(told) == []
    assert agents(told)["author"]["who"]["display"] == "lone"


def author_of(clinic, **batch):
    """Return the author of a write in a batch of which more is said."""
    services = clinic.world.deployment.services

    def work(transaction):
        number = batches.add(
            transaction,
            received_us=services.clock(),
            client_id="app",
            **{"organization": clinic.organization, **batch},
        )
        key = patients.by_id(
            transaction, types.number_of("Patient"), clinic.patient
        ).key
        services.repository.create(
            transaction, observation(clinic.patient), patient_key=key, batch_id=number
        )

    services.database.write(work)
    [told] = of_code(clinic, RESTING)
    assert faults(told) == []
    return agents(told)["author"]


def test_a_practitioner_writes_for_the_organization(clinic):
    clinic.consented()

    author = author_of(clinic, person="Practitioner/1")

    assert author["who"] == {"reference": "Practitioner/1"}
    assert author["onBehalfOf"]["reference"] == clinic.organization


def test_a_patient_writes_for_himself(clinic):
    clinic.consented()

    author = author_of(clinic, person=f"Patient/{clinic.patient}")

    assert author["who"] == {"reference": f"Patient/{clinic.patient}"}
    assert "onBehalfOf" not in author


@pytest.mark.parametrize("person", ["Device/1", "a name", "Patient/1/../2"])
def test_who_is_no_person_of_fhir_is_not_named(clinic, person):
    clinic.consented()

    author = author_of(clinic, person=person)

    assert author["who"]["reference"] == clinic.organization


def test_a_practitioner_without_an_organization_is_not_named_alone(clinic):
    clinic.consented()

    author = author_of(clinic, person="Practitioner/1", organization=None)

    assert author["who"]["display"] == "app"


def test_an_organization_that_is_not_here_is_named_without_a_name(clinic):
    clinic.consented()

    author = author_of(clinic, organization="Organization/elsewhere")

    assert author["who"] == {"reference": "Organization/elsewhere"}


@pytest.mark.parametrize(
    ("batch_id", "signature_id"), [(1, 99_999), (99_999, 1), (99_999, 99_999)]
)
def test_a_good_id_of_what_is_no_longer_there_is_absent(clinic, batch_id, signature_id):
    blind = clinic.world.deployment.services.repository.blind
    id_ = id_of(blind, Part(batch_id, signature_id, Activity.CREATE))

    assert read(clinic, id_).status_code == 404


def test_all_that_one_transaction_writes_is_one_batch(clinic):
    services = clinic.world.deployment.services
    exchange = exchange_of(clinic, clinic.admin)

    def work(transaction):
        return {provenance.record(exchange, transaction) for _ in range(2)}

    [one] = services.database.write(work)
    [other] = services.database.write(work)

    assert other == one + 1


def exchange_of(clinic, headers):
    services = clinic.world.deployment.services
    request = Request(
        method="POST",
        path="/fhir",
        query="",
        headers={"authorization": headers["Authorization"]},
        body=b"",
        remote="",
        scheme="http",
        host="service.example",
        request_id="",
    )
    exchange = Exchange(
        services=services,
        request=request,
        now_us=services.clock(),
        interaction=Interaction.TRANSACTION,
    )
    with services.database.read() as snapshot:
        exchange.granted(snapshot)
    return exchange


@pytest.mark.parametrize(
    ("type_", "id_"), [("Observation", "absent"), ("Nonsense", "1")]
)
def test_what_is_not_there_has_no_provenance(clinic, type_, id_):
    exchange = exchange_of(clinic, clinic.ehr)

    with clinic.world.deployment.database.read() as snapshot:
        assert provenance.of_target(exchange, snapshot, type_, id_) == []


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("target={target}", True),
        ("target=Observation/{target}", True),
        ("target:Observation={target}", True),
        ("target=Patient/{target}", False),
        ("target=Observation/absent", False),
        ("_id={id}", True),
        ("_id={id},absent", True),
        ("_id=absent", False),
        ("_id={id}&target=Observation/absent", False),
        ("target={target}&recorded=2026-11-20", True),
        ("target={target}&recorded=2026-11-21", False),
        ("target={target}&agent={organization}", True),
        ("target={target}&target:missing=false", True),
        ("patient={target}", False),
        ("target:Observation.code=8867-4&target={target}", False),
        ("recorded=2026-11-20", False),
    ],
)
def test_what_a_search_names_is_compared_with_all_of_it(clinic, query, is_found):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [one] = clinic.found(f"Observation?patient={clinic.patient}")
    [told] = of_code(clinic, HEART_RATE)
    exchange = exchange_of(clinic, clinic.ehr)
    asked = query.format(
        target=one["id"], id=told["id"], organization=clinic.organization
    )

    with clinic.world.deployment.database.read() as snapshot:
        found = provenance.searched(exchange, snapshot, conditions(clinic, asked))

    assert [json.loads(each.body) for each in found] == ([told] if is_found else [])


def conditions(clinic, query):
    place = clinic.world.deployment.services.repository.deployment
    return parse(
        ("Provenance",),
        parse_qsl(query),
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=clinic.world.clock(),
        strict=True,
    ).conditions


def test_a_patient_is_told_who_wrote_it(clinic):
    clinic.consented()
    exchange = exchange_of(clinic, clinic.ehr)

    with clinic.world.deployment.database.read() as snapshot:
        [one] = provenance.searched(
            exchange, snapshot, conditions(clinic, f"patient={clinic.patient}")
        )

    assert targets(json.loads(one.body)) == {f"Patient/{clinic.patient}"}


def test_a_scope_of_a_category_admits_no_provenance(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [one] = of_code(clinic, HEART_RATE)
    narrow = clinic.world.client(
        "narrow",
        "system/Observation.rs system/Provenance.rs?category="
        "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs",
        organization=clinic.organization,
    )

    assert read(clinic, one["id"], narrow).status_code == 404
    assert of_code(clinic, HEART_RATE, narrow) == []


@pytest.mark.parametrize("path", ["", "/_history/1"])
def test_what_is_included_is_read_under_its_id(clinic, path):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)

    answer = read(clinic, f"{told['id']}{path}")

    assert answer.json == told
    assert len(told["id"]) <= 64
    assert answer.headers["Last-Modified"] == "Fri, 20 Nov 2026 12:00:00 GMT"


def test_there_is_no_second_version_of_what_is_rendered(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)

    assert read(clinic, f"{told['id']}/_history/2").status_code == 404


def test_an_id_that_was_made_up_is_one_that_never_was(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)
    id_ = told["id"]
    other = "a" if id_[20] != "a" else "b"

    forged = [
        f"{id_[:20]}{other}{id_[21:]}",
        id_[:-1],
        id_ + "a",
        id_.upper(),
        id_.removeprefix("pb-"),
        "pb-",
        "pb-" + "a" * 53,
        "pb-" + "." * 53,
    ]

    absent = without_request(read(clinic, "absent"), "absent")
    for one in forged:
        assert without_request(read(clinic, one), one) == absent


def test_one_of_which_nothing_may_be_seen_is_as_if_it_had_never_been(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))
    [told] = of_code(clinic, HEART_RATE)
    id_ = told["id"]
    clinic.consented(type="deny", code=codes(HEART_RATE))

    answer = read(clinic, id_)

    absent = without_request(read(clinic, "absent"), "absent")
    assert without_request(answer, id_) == absent
    assert of_code(clinic, HEART_RATE) == []
    assert len(of_code(clinic, STEPS)) == 1


def test_a_target_that_consent_hides_is_not_named(clinic):
    clinic.consented()
    clinic.deliver(
        heart_rate(1, "user-1", at="2026-11-01T08:00:00Z"),
        heart_rate(2, "user-1", at="2026-11-10T08:00:00Z"),
    )
    [before] = of_code(clinic, HEART_RATE)
    clinic.consented(type="deny", dataPeriod={"end": "2026-11-05"})

    after = read(clinic, before["id"]).json

    [left] = clinic.found(f"Observation?patient={clinic.patient}")
    assert len(targets(before)) == 2
    assert targets(after) == {f"Observation/{left['id']}"}


def test_a_target_that_no_scope_opens_is_not_named(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)
    organization = clinic.organization
    only = clinic.world.client(
        "only", "system/Provenance.rs", organization=organization
    )
    other = clinic.world.client(
        "other",
        "system/Provenance.rs system/Observation.rs?category="
        "http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
        organization=organization,
    )

    assert read(clinic, told["id"], only).status_code == 404
    assert read(clinic, told["id"], other).status_code == 404


def test_provenances_take_a_scope_of_their_own(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)
    without = clinic.world.client(
        "without", "system/Observation.rs", organization=clinic.organization
    )

    assert of_code(clinic, HEART_RATE, without) == []
    assert read(clinic, told["id"], without).status_code == 403


def test_a_batch_is_told_to_each_patient_apart(clinic):
    other = clinic.another_patient("user-2")
    clinic.consented()
    clinic.consented(patient_id=other)
    clinic.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-2"))

    own = of_code(clinic, HEART_RATE)
    others = revincluded(clinic, f"Observation?patient={other}")

    [[one], [two]] = own, others
    assert one["id"] != two["id"]
    assert targets(one).isdisjoint(targets(two))
    assert one["entity"] == two["entity"]


def test_a_correction_is_an_update_and_leaves_the_first_version_its_own(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=60), heart_rate(2, "user-1"))
    clinic.world.clock.pass_s(60)
    clinic.deliver(heart_rate(1, "user-1", value=61))

    found = {activity(one): one for one in of_code(clinic, HEART_RATE)}

    [amended] = [
        one
        for one in clinic.found(f"Observation?patient={clinic.patient}")
        if one["status"] == "amended"
    ]
    name = f"Observation/{amended['id']}"
    assert targets(found["UPDATE"]) == {name}
    assert f"{name}/_history/1" in targets(found["CREATE"])
    assert len(targets(found["CREATE"])) == 2
    assert found["UPDATE"]["recorded"] == "2026-11-20T12:01:00.000Z"


def test_a_deletion_is_told_by_the_version_that_says_so(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    path = f"/fhir/Observation/{made['id']}"
    assert clinic.world.http.delete(path, headers=clinic.admin).status_code == 204

    found = {
        activity(one): targets(one)
        for one in clinic.found(f"Provenance?target=Observation/{made['id']}")
    }

    assert found == {
        "CREATE": {f"Observation/{made['id']}/_history/1"},
        "DELETE": {f"Observation/{made['id']}/_history/2"},
    }


def test_provenances_are_found_by_their_target(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))
    [one] = clinic.found(f"Observation?patient={clinic.patient}&code={STEPS}")

    [told] = matches(clinic.search(f"Provenance?target=Observation/{one['id']}"))

    assert targets(told) == {f"Observation/{one['id']}"}


def test_a_payload_is_named_by_a_hash_that_nobody_else_can_make(clinic):
    clinic.consented()
    first, second = heart_rate(1, "user-1"), heart_rate(2, "user-1")
    clinic.deliver(first)
    clinic.deliver(second)

    values = {
        one["entity"][0]["what"]["identifier"]["value"]
        for one in of_code(clinic, HEART_RATE)
    }

    assert len(values) == 2
    assert {len(value) for value in values} == {32}
    assert PAYLOAD_SYSTEM.endswith("/payload")


def test_labels_are_those_of_the_targets(clinic):
    clinic.consented()
    sensitive = observation(
        clinic.patient,
        meta={
            "security": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                    "code": "V",
                }
            ]
        },
    )
    made = clinic.world.create(sensitive, clinic.admin)

    [told] = of_code(clinic, RESTING)

    assert told["meta"]["security"] == made["meta"]["security"]


def test_the_audit_of_a_read_names_the_patient(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)

    read(clinic, told["id"])

    pseudonym = clinic.world.deployment.services.pseudonym(clinic.patient)
    assert clinic.world.audited()[-1].patients == (pseudonym,)


def test_a_withdrawal_hides_all_of_it(clinic):
    given = clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [told] = of_code(clinic, HEART_RATE)

    clinic.world.update({**given, "status": "inactive"}, clinic.admin)

    assert read(clinic, told["id"]).status_code == 404
