"""`patient/` and `user/` scopes: what they open, and what they never do."""

from dataclasses import replace

import pytest
from worlds import (
    Clinic,
    Headers,
    actor,
    consent,
    observation,
    permit,
    purposes,
)

from fhir_service.auth.bearer import authenticate
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import authorizations
from fhir_service.storage.views import Views

VITAL = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"


def observed(clinic, patient, **more):
    return clinic.world.create(observation(patient, **more), clinic.admin)["id"]


def of_category(code):
    system, _, value = VITAL.replace("vital-signs", code).partition("|")
    return [{"coding": [{"system": system, "code": value}]}]


def listed(clinic, *references):
    resource = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "entry": [{"item": {"reference": one}} for one in references],
    }
    return clinic.world.create(resource, clinic.admin)["id"]


@pytest.fixture
def two(clinic: Clinic) -> tuple[Clinic, str]:
    """Return a clinic with two patients, each with a reading that it may see."""
    clinic.consented()
    other = clinic.another_patient("user-2")
    clinic.consented(patient_id=other)
    return clinic, other


def clinician(clinic: Clinic, scopes: str, *, patient: str | None = None) -> Headers:
    made = clinic.world.create({"resourceType": "Practitioner"}, _people(clinic))
    return clinic.world.person(
        "clinician",
        scopes,
        reference=f"Practitioner/{made['id']}",
        organization=clinic.organization,
        patient=patient,
    )


def _people(clinic: Clinic) -> Headers:
    return clinic.world.client("people", "system/Practitioner.c")


def status(clinic, path, headers):
    return clinic.world.get(f"/fhir/{path}", headers).status_code


def test_a_patient_scope_opens_the_patient_in_context_alone(two):
    clinic, other = two
    own = observed(clinic, clinic.patient)
    others = observed(clinic, other)
    app = clinician(clinic, "patient/*.rs", patient=clinic.patient)

    found = clinic.found("Observation", app)

    assert {one["id"] for one in found} == {own}
    assert status(clinic, f"Observation/{own}", app) == 200
    assert status(clinic, f"Observation/{others}", app) == 404
    assert status(clinic, f"Observation/{others}/_history", app) == 404
    assert status(clinic, f"Observation/{others}/_history/1", app) == 404
    assert status(clinic, f"Patient/{other}", app) == 404
    assert status(clinic, f"Patient/{other}/$everything", app) == 404
    assert status(clinic, f"Patient/{clinic.patient}", app) == 200


@pytest.mark.parametrize(
    "query",
    [
        "Observation?_count=50",
        "Observation?_lastUpdated=gt2000-01-01",
        "Observation?patient={other}",
        "Observation?_sort=-_lastUpdated",
        "Observation?code=http://loinc.org|40443-4",
        "Observation?_id={others}",
        "Observation?patient:Patient._id={other}",
        "Observation?_has:Provenance:target:_id=x",
        "Patient?_revinclude=Observation:subject",
        "Patient?_has:Observation:subject:_id={others}",
        "Patient?_id={other}",
        "Patient?identifier=user-2",
        "Patient/{other}/Observation",
        "Patient/{patient}/Observation",
        "?_type=Observation,Patient",
        "Observation/$lastn?patient={other}",
        "Observation/_history",
        "_history",
        "Patient/{patient}/$everything",
        "List?_include=List:item",
        "Provenance?target=Observation/{others}",
        "Provenance?patient=Patient/{other}",
        "Observation?_revinclude=Provenance:target",
    ],
)
def test_no_path_of_a_patient_scope_tells_of_another_patient(two, query):
    clinic, other = two
    observed(clinic, clinic.patient)
    others = observed(clinic, other)
    listed(clinic, f"Observation/{others}")
    app = clinician(clinic, "patient/*.rs", patient=clinic.patient)

    answer = clinic.world.get(
        "/fhir/" + query.format(other=other, others=others, patient=clinic.patient),
        app,
    )

    assert answer.status_code in {200, 404}, answer.get_data(as_text=True)
    resources = [
        entry.get("resource", {}) for entry in (answer.json or {}).get("entry", ())
    ]
    for resource in resources:
        assert resource.get("id") not in {other, others}
        text = str({k: v for k, v in resource.items() if k != "link"})
        assert others not in text
        assert other not in text
    assert answer.json.get("total", 0) <= len(resources) + 1


def test_a_total_counts_the_patient_in_context_alone(two):
    clinic, other = two
    observed(clinic, clinic.patient)
    for _ in range(3):
        observed(clinic, other)
    app = clinician(clinic, "patient/*.rs", patient=clinic.patient)

    totals = [
        clinic.search(f"Observation?{query}", app)["total"]
        for query in (
            "_summary=count",
            "_total=accurate",
            f"patient={other}&_total=accurate",
        )
    ]

    assert totals == [1, 1, 0]


def test_the_widest_of_several_scopes_counts(two):
    clinic, other = two
    own = observed(clinic, clinic.patient)
    vital = observed(clinic, other, category=of_category("vital-signs"))
    observed(clinic, other, category=of_category("survey"))
    app = clinician(
        clinic,
        f"patient/Observation.rs user/Observation.rs?category={VITAL}",
        patient=clinic.patient,
    )

    found = {one["id"] for one in clinic.found("Observation", app)}

    assert found == {own, vital}
    assert clinic.search("Observation?_summary=count", app)["total"] == 2
    assert status(clinic, f"Observation/{own}", app) == 200
    assert status(clinic, f"Observation/{vital}", app) == 200


def test_a_filtered_patient_scope_is_held_to_both(two):
    clinic, other = two
    vital = observed(clinic, clinic.patient, category=of_category("vital-signs"))
    survey = observed(clinic, clinic.patient, category=of_category("survey"))
    observed(clinic, other, category=of_category("vital-signs"))
    app = clinician(
        clinic, f"patient/Observation.rs?category={VITAL}", patient=clinic.patient
    )

    found = {one["id"] for one in clinic.found("Observation", app)}

    assert found == {vital}
    assert status(clinic, f"Observation/{survey}", app) == 404


def test_what_is_derived_is_shown_where_it_names_the_patient_alone(two):
    clinic, other = two
    own, others = observed(clinic, clinic.patient), observed(clinic, other)
    of_own = listed(clinic, f"Observation/{own}")
    of_both = listed(clinic, f"Observation/{own}", f"Observation/{others}")
    alone = clinician(clinic, "patient/List.rs", patient=clinic.patient)

    found = {one["id"] for one in clinic.found("List", alone)}

    assert found == {of_own}
    assert status(clinic, f"List/{of_own}", alone) == 200
    assert status(clinic, f"List/{of_both}", alone) == 404


def test_a_list_of_another_patient_stays_hidden_beside_a_user_scope(two):
    clinic, other = two
    others = observed(clinic, other)
    of_other = listed(clinic, f"Observation/{others}")
    app = clinician(
        clinic, "patient/List.rs user/Observation.rs", patient=clinic.patient
    )

    assert status(clinic, f"Observation/{others}", app) == 200
    assert status(clinic, f"List/{of_other}", app) == 404


def test_a_provenance_of_another_patient_stays_hidden_beside_a_user_scope(two):
    clinic, other = two
    own, others = observed(clinic, clinic.patient), observed(clinic, other)
    app = clinician(
        clinic,
        "patient/Provenance.rs user/Observation.rs",
        patient=clinic.patient,
    )

    seen = [
        len(clinic.found(f"Provenance?target=Observation/{one}", app))
        for one in (own, others)
    ]

    assert seen == [1, 0]


def test_what_names_a_reading_outside_a_filtered_scope_stays_hidden(two):
    clinic, _ = two
    vital = observed(clinic, clinic.patient, category=of_category("vital-signs"))
    survey = observed(clinic, clinic.patient, category=of_category("survey"))
    of_vital = listed(clinic, f"Observation/{vital}")
    of_survey = listed(clinic, f"Observation/{survey}")
    app = clinician(
        clinic,
        f"patient/Observation.rs?category={VITAL} patient/List.rs",
        patient=clinic.patient,
    )

    found = {one["id"] for one in clinic.found("List", app)}

    assert found == {of_vital}
    assert status(clinic, f"List/{of_survey}", app) == 404


def test_a_patient_scope_without_a_patient_opens_nothing(two):
    clinic, _ = two
    own = observed(clinic, clinic.patient)
    app = clinician(clinic, "patient/*.rs patient/*.read")

    assert status(clinic, f"Observation/{own}", app) == 403
    assert status(clinic, "Observation", app) == 403


def test_a_system_scope_opens_nothing_to_a_person(two):
    clinic, _ = two
    app = clinician(clinic, "system/*.cruds")

    assert status(clinic, "Observation", app) == 403


def test_a_user_scope_opens_nothing_to_a_client_alone(two):
    clinic, _ = two
    alone = clinic.world.client(
        "alone", "user/*.rs patient/*.rs", organization=clinic.organization
    )

    assert status(clinic, "Observation", alone) == 403


def test_a_refused_type_is_forbidden_with_its_challenge(two):
    clinic, _ = two
    app = clinician(clinic, "patient/Observation.rs", patient=clinic.patient)

    answer = clinic.world.get("/fhir/Device", app)

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_shared_types_are_read_under_a_patient_scope_and_never_written(two):
    clinic, _ = two
    app = clinician(clinic, "patient/*.cruds", patient=clinic.patient)

    read = clinic.found("Organization", app)
    written = clinic.world.send(
        "POST", "/fhir/Organization", {"resourceType": "Organization"}, app
    )

    assert [f"Organization/{one['id']}" for one in read] == [clinic.organization]
    assert written.status_code == 403


def test_a_patient_scope_writes_for_the_patient_in_context_alone(two):
    clinic, other = two
    others = observed(clinic, other)
    app = clinician(clinic, "patient/*.cruds", patient=clinic.patient)

    own = clinic.world.send(
        "POST", "/fhir/Observation", observation(clinic.patient), app
    )
    foreign = clinic.world.send("POST", "/fhir/Observation", observation(other), app)
    moved = clinic.world.send(
        "PUT",
        f"/fhir/Observation/{own.json['id']}",
        {**observation(other), "id": own.json["id"]},
        app,
    )
    changed = clinic.world.send(
        "PUT",
        f"/fhir/Observation/{others}",
        {**observation(clinic.patient), "id": others},
        app,
    )
    deleted = clinic.world.send("DELETE", f"/fhir/Observation/{others}", b"", app)
    new_patient = clinic.world.send(
        "POST", "/fhir/Patient", {"resourceType": "Patient"}, app
    )

    assert own.status_code == 201
    assert foreign.status_code == 403
    assert moved.status_code == 422
    assert changed.status_code == 404
    assert deleted.status_code in {204, 404}
    assert status(clinic, f"Observation/{others}", clinic.ehr) == 200
    assert new_patient.status_code == 403


def test_each_entry_of_a_bundle_is_held_to_the_patient(two):
    clinic, other = two
    others = observed(clinic, other)
    app = clinician(clinic, "patient/*.cruds", patient=clinic.patient)
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": f"Observation/{others}"}},
            {
                "resource": observation(other),
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }

    answer = clinic.world.send("POST", "/fhir", bundle, app)

    statuses = [one["response"]["status"][:3] for one in answer.json["entry"]]
    assert statuses == ["404", "403"]


def test_fhir_user_opens_the_own_resource_alone(two):
    clinic, _ = two
    app = clinician(clinic, "openid fhirUser patient/Observation.rs")
    own = clinic.world.get("/fhir/Practitioner", clinic.ehr).json["entry"][0][
        "resource"
    ]
    another = clinic.world.create(
        {"resourceType": "Practitioner"},
        clinic.world.client("more-people", "system/Practitioner.c"),
    )

    assert status(clinic, f"Practitioner/{own['id']}", app) == 200
    assert status(clinic, f"Practitioner/{another['id']}", app) == 404
    assert status(clinic, "Practitioner", app) == 403


def test_a_patient_reads_her_own_record_and_nobody_elses(two):
    clinic, other = two
    own, others = observed(clinic, clinic.patient), observed(clinic, other)
    app = clinic.world.person(
        "herself",
        "patient/*.rs user/*.rs fhirUser",
        role="patient",
        reference=f"Patient/{clinic.patient}",
        patient=clinic.patient,
        purposes=("PATRQT",),
    )

    found = {one["id"] for one in clinic.found("Observation", app)}

    assert found == {own}
    assert status(clinic, f"Observation/{others}", app) == 404
    assert status(clinic, f"Patient/{clinic.patient}", app) == 200


def test_a_patients_account_acts_for_no_organization(two):
    clinic, other = two
    app = clinic.world.person(
        "herself",
        "user/*.rs",
        role="patient",
        reference=f"Patient/{clinic.patient}",
        organization=clinic.organization,
        purposes=("TREAT",),
    )

    assert status(clinic, f"Patient/{other}", app) == 404


def test_the_organization_behind_an_app_opens_nothing_to_a_person(clinic):
    vendor = clinic.world.create(
        {"resourceType": "Organization", "name": "Vendor"},
        clinic.world.client("second", "system/Organization.c"),
    )
    house = f"Organization/{vendor['id']}"
    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(house), purpose=purposes("TREAT"))),
        clinic.admin,
    )
    own = observed(clinic, clinic.patient)
    staff = clinic.world.person(
        "staff", "user/*.rs", reference="Practitioner/x", organization=house
    )
    stranger = clinic.world.person(
        "stranger", "user/*.rs", reference="Practitioner/y", behind=house
    )

    assert status(clinic, f"Observation/{own}", staff) == 200
    assert status(clinic, f"Observation/{own}", stranger) == 404


def test_a_deny_of_the_organization_behind_an_app_holds_for_its_users(clinic):
    house = clinic.world.create(
        {"resourceType": "Organization", "name": "Vendor"},
        clinic.world.client("second", "system/Organization.c"),
    )
    behind = f"Organization/{house['id']}"
    clinic.consented()
    clinic.world.create(
        consent(
            clinic.patient,
            permit(
                actor=actor(clinic.organization),
                purpose=purposes("TREAT"),
                provision=[{"type": "deny", "actor": actor(behind)}],
            ),
        ),
        clinic.admin,
    )
    own = observed(clinic, clinic.patient)
    seen = {
        name: status(
            clinic,
            f"Observation/{own}",
            clinic.world.person(
                name,
                "user/*.rs",
                reference="Practitioner/x",
                organization=clinic.organization,
                behind=vendor,
            ),
        )
        for name, vendor in (("with-vendor", behind), ("without", None))
    }

    assert seen == {"with-vendor": 404, "without": 200}


def test_a_view_over_all_patients_never_leaves_the_patient_in_context(two):
    clinic, other = two
    observed(clinic, clinic.patient)
    observed(clinic, other)
    token = clinician(clinic, "patient/*.rs", patient=clinic.patient)["Authorization"]
    services = clinic.world.deployment.services

    with services.database.read() as snapshot:
        grant = authenticate(snapshot, token, services.clock())
        first = services.gate.everybody(snapshot, grant, "Observation")
        assert isinstance(first, Views)
        of_all = first.everybody()
        again = services.gate.everybody(snapshot, grant, "Observation")

    assert (of_all.whole, len(of_all.groups)) == (False, 1)
    assert isinstance(again, Views)


def of_another_patient(clinic: Clinic, patient: str) -> Headers:
    """Return a second token of the same person and app, for another patient."""
    database = clinic.world.deployment.database
    with database.read() as snapshot:
        first = authorizations.issued_token(snapshot, token_hash("token-of-clinician"))
    assert first is not None
    second = replace(first, hash=token_hash("second"), patient=patient)
    database.write(lambda transaction: authorizations.add_token(transaction, second))
    return {"Authorization": "Bearer second"}


def test_a_page_link_is_bound_to_the_patient_in_context(two):
    clinic, other = two
    for _ in range(3):
        observed(clinic, clinic.patient)
    own = clinician(clinic, "patient/*.rs", patient=clinic.patient)
    foreign = of_another_patient(clinic, other)
    bundle = clinic.search("Observation?_count=2", own)
    following = next(one["url"] for one in bundle["link"] if one["relation"] == "next")
    path = following.partition("/fhir/")[2]

    assert status(clinic, "Observation?_count=2", foreign) == 200
    assert status(clinic, path, own) == 200
    assert status(clinic, path, foreign) == 400


def test_the_audit_names_the_person(two):
    clinic, _ = two
    app = clinician(clinic, "patient/*.rs", patient=clinic.patient)

    clinic.search("Observation", app)

    [*_, last] = clinic.world.audited()
    assert last.user.startswith("Practitioner/")
    assert last.client == "app-of-clinician"


def test_break_glass_opens_what_names_it_for_the_one_patient(clinic):
    other = clinic.another_patient("user-2")
    for id_ in (clinic.patient, other):
        clinic.world.create(
            consent(
                id_,
                permit(actor=actor(clinic.organization), purpose=purposes("BTG")),
            ),
            clinic.admin,
        )
    own, others = observed(clinic, clinic.patient), observed(clinic, other)

    def emergency(name, *, is_attested):
        return clinic.world.person(
            name,
            "patient/*.rs user/*.rs",
            reference="Practitioner/x",
            organization=clinic.organization,
            patient=clinic.patient,
            purposes=("BTG",),
            is_attested=is_attested,
        )

    attested = emergency("attested", is_attested=True)
    claimed = emergency("claimed", is_attested=False)

    assert status(clinic, f"Observation/{own}", attested) == 200
    assert status(clinic, f"Observation/{others}", attested) == 404
    assert status(clinic, f"Observation/{own}", claimed) == 404
