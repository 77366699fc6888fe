"""`consent show` in plain sentences, with how easy they are to read."""

import json

from fhir_service.demo.seed import Size
from fhir_service.deployment import opened
from fhir_service.ingest.cohort import PEOPLE


def test_a_consent_is_shown_in_spanish(filled_on_either, fhir_service):
    words = ("--patient", "demo-patient-11", "--language", "es")

    result = fhir_service(filled_on_either, "consent", "show", *words)

    assert result.exit_code == 0
    assert result.stdout.startswith("Consent/demo-consent-11/_history/1\n")
    assert "\nLo que usted permite\n" in result.stdout
    assert "\n      tiempo que duerme\n" in result.stdout


def test_the_json_tells_every_language_and_its_ease(filled, fhir_service):
    words = ("--patient", "demo-patient-01", "--json")

    result = fhir_service(filled, "consent", "show", *words)

    [consent] = json.loads(result.stdout)
    english, spanish = consent["text"]["en"], consent["text"]["es"]
    assert english["lines"][0] == "Your consent: what you decide about your data"
    assert english["fleschKincaidGrade"] <= 8
    assert spanish["fernandezHuerta"] >= 70
    assert english["isEasy"] is spanish["isEasy"] is True


def test_a_patient_without_consent_is_told_what_that_means(
    settings, cohort, fhir_service
):
    with opened(settings) as deployment:
        cohort.fill(deployment, Size(people=(PEOPLE[11],), days=1))
    words = ("--patient", "demo-patient-12", "--language", "es")

    result = fhir_service(settings, "consent", "show", *words)

    assert result.stdout == (
        "Patient/demo-patient-12 has no consent: the default policy decides.\n"
    )


def test_a_language_that_we_do_not_speak_is_refused(filled, fhir_service):
    words = ("--patient", "demo-patient-01", "--language", "fr")

    result = fhir_service(filled, "consent", "show", *words)

    assert result.exit_code == 2
    assert "fr" in result.stderr
