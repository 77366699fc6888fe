"""A stored Consent has a text, made of its own provisions, however it was written."""

import json

import pytest
from worlds import (
    HEART_RATE,
    LOINC,
    actions,
    actor,
    codes,
    consent,
    permit,
    purposes,
)

from conformance.narrative import narrative_problem
from consent.readability import MEASURES
from fhir_service.interactions.consent_text import MAX_NAMES
from mappings.plain_names import plain_names

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


def heart_rate_only(clinic, **more):
    provision = permit(
        actor=actor(clinic.organization),
        purpose=purposes("TREAT"),
        action=actions("collect", "access"),
        code=codes(HEART_RATE),
    )
    return consent(clinic.patient, provision, **more)


def test_a_created_consent_is_told_in_both_languages(clinic):
    stored = clinic.world.create(heart_rate_only(clinic), clinic.admin)

    text = stored["text"]
    assert text["status"] == "generated"
    assert narrative_problem(text["div"]) is None
    for phrase in ("heart rate", "ritmo cardíaco", "“Clinic”", "«Clinic»"):
        assert f"<li>{phrase}</li>" in text["div"]


def test_only_the_text_differs_from_what_was_sent(clinic):
    sent = heart_rate_only(clinic, extension=[{"url": "http://x", "valueDecimal": 7}])
    body = json.dumps(sent).replace(": 7}", ": 7.250}").encode()

    answer = clinic.world.send("POST", "/fhir/Consent", body, clinic.admin)
    stored = clinic.world.get(
        f"/fhir/Consent/{answer.json['id']}", clinic.admin
    ).get_data(as_text=True)

    assert '"valueDecimal":7.250' in stored
    kept = {
        name: value
        for name, value in json.loads(stored).items()
        if name not in {"id", "meta", "text"}
    }
    assert kept == json.loads(body)
    assert list(kept) == list(json.loads(body))


def test_an_updated_consent_is_told_anew(clinic):
    stored = clinic.world.create(heart_rate_only(clinic), clinic.admin)
    stored["provision"]["code"] = codes("55423-8")

    updated = clinic.world.update(stored, clinic.admin)

    assert "<li>steps</li>" in updated["text"]["div"]
    assert "heart rate" not in updated["text"]["div"]


def test_a_patched_consent_is_told_anew(clinic):
    stored = clinic.world.create(heart_rate_only(clinic), clinic.admin)
    patch = [{"op": "replace", "path": "/status", "value": "inactive"}]

    answer = clinic.world.send(
        "PATCH",
        f"/fhir/Consent/{stored['id']}",
        patch,
        clinic.admin,
        "application/json-patch+json",
    )

    assert "This has ended. Its rules no longer count." in answer.json["text"]["div"]


def test_a_consent_in_a_transaction_is_told(clinic):
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": heart_rate_only(clinic),
                "request": {"method": "POST", "url": "Consent"},
            }
        ],
    }

    clinic.world.send("POST", "/fhir", bundle, clinic.admin)

    [stored] = clinic.found(f"Consent?patient={clinic.patient}", clinic.admin)
    assert "<li>heart rate</li>" in stored["text"]["div"]


def test_a_text_that_was_generated_elsewhere_is_replaced(clinic):
    claim = {"status": "generated", "div": DIV.format("Everything is permitted.")}

    stored = clinic.world.create(heart_rate_only(clinic, text=claim), clinic.admin)

    assert "Everything is permitted." not in stored["text"]["div"]
    assert "<li>heart rate</li>" in stored["text"]["div"]


@pytest.mark.parametrize("status", ["additional", "extensions"])
def test_a_text_that_a_person_wrote_is_kept(clinic, status):
    own = {"status": status, "div": DIV.format("As we spoke about.")}

    stored = clinic.world.create(heart_rate_only(clinic, text=own), clinic.admin)

    assert stored["text"] == own


def test_a_consent_in_spanish_is_told_in_spanish(clinic):
    stored = clinic.world.create(heart_rate_only(clinic, language="es"), clinic.admin)

    assert "Lo que usted permite" in stored["text"]["div"]
    assert "What you allow" not in stored["text"]["div"]


def test_other_resources_get_no_text(clinic):
    stored = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.admin).json

    assert "text" not in stored


def practitioner(clinic, **more):
    made = clinic.world.create({"resourceType": "Practitioner", **more}, clinic.admin)
    return f"Practitioner/{made['id']}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ([{"text": "Dr. Ana Ruiz <MD>"}], "“Dr. Ana Ruiz &lt;MD&gt;”"),
        (
            [{"family": "Ruiz", "given": ["Ana", "María"], "prefix": ["Dr."]}],
            "“Dr. Ana María Ruiz”",
        ),
    ],
)
def test_a_practitioner_is_told_by_name(clinic, name, told):
    reference = practitioner(clinic, name=name)
    resource = consent(clinic.patient, permit(actor=actor(reference)))

    stored = clinic.world.create(resource, clinic.admin)

    assert f"<li>{told}</li>" in stored["text"]["div"]


def test_who_has_no_name_or_is_deleted_is_told_by_reference(clinic):
    nameless = practitioner(clinic, active=True)
    gone = practitioner(clinic, name=[{"text": "Gone"}])
    clinic.world.http.delete(f"/fhir/{gone}", headers=clinic.admin)
    entries = [*actor(nameless), *actor(gone), *actor("Practitioner/never")]

    stored = clinic.world.create(
        consent(clinic.patient, permit(actor=entries)), clinic.admin
    )

    for reference in (nameless, gone, "Practitioner/never"):
        assert f"<li>“{reference}”</li>" in stored["text"]["div"]
    assert "Gone" not in stored["text"]["div"]


def test_who_may_not_read_organizations_is_not_told_their_names(clinic):
    clerk = clinic.world.client(
        "clerk", "system/Consent.cru", organization=clinic.organization
    )

    stored = clinic.world.create(heart_rate_only(clinic), clerk)

    assert f"“{clinic.organization}”" in stored["text"]["div"]
    assert "“Clinic”" not in stored["text"]["div"]


def test_patient_data_is_never_looked_up_for_a_name(clinic):
    other = clinic.world.create(
        {
            "resourceType": "Patient",
            "name": [{"text": "Somebody Else"}],
            "managingOrganization": {"reference": clinic.organization},
        },
        clinic.admin,
    )
    entries = [*actor(f"Patient/{other['id']}"), *actor(f"Patient/{clinic.patient}")]

    stored = clinic.world.create(
        consent(clinic.patient, permit(actor=entries)), clinic.admin
    )

    assert "Somebody Else" not in stored["text"]["div"]
    assert f"<li>“Patient/{other['id']}”</li><li>you</li>" in stored["text"]["div"]


def test_names_beyond_the_limit_are_told_by_reference(clinic):
    entries = [*(actor(f"Practitioner/no-{each}")[0] for each in range(MAX_NAMES))]
    resource = consent(
        clinic.patient, permit(actor=[*entries, *actor(clinic.organization)])
    )

    stored = clinic.world.create(resource, clinic.admin)

    assert f"<li>“{clinic.organization}”</li>" in stored["text"]["div"]


def test_a_display_of_the_client_cannot_become_markup(clinic):
    resource = heart_rate_only(clinic)
    resource["provision"]["code"] = [
        {
            "coding": [
                {
                    "system": LOINC,
                    "code": "99999-9",
                    "display": "<script>alert('x')</script>",
                }
            ]
        }
    ]

    stored = clinic.world.create(resource, clinic.admin)

    assert "<script" not in stored["text"]["div"]
    assert narrative_problem(stored["text"]["div"]) is None


@pytest.mark.parametrize(
    ("language", "question"),
    [("en", "Which kinds of data?"), ("es", "¿Qué tipo de datos?")],
)
def test_every_kind_is_easy_to_read_below_its_question(language, question):
    measure = MEASURES[language]

    hard = {
        name: measure.of([question, row[language]])
        for name, row in plain_names().items()
        if not measure.meets(measure.of([question, row[language]]))
    }

    assert hard == {}
