import json

import pytest

from consent.audit.entry import Interaction, decode
from fhir_service.auth import local
from fhir_service.auth.bearer import authenticate
from fhir_service.demo import clients
from fhir_service.demo.clients import EHR, GATEWAY, PRACTICE
from fhir_service.demo.seed import Size
from fhir_service.deployment import opened
from fhir_service.ingest.cohort import PEOPLE
from fhir_service.storage import audit_log

CONSENT = "Consent/demo-consent-01/_history/1"


@pytest.fixture
def shown(fhir_service):
    def show(settings, patient="demo-patient-01"):
        result = fhir_service(
            settings, "consent", "show", "--patient", patient, "--json"
        )
        assert result.exit_code == 0
        return json.loads(result.stdout)

    return show


@pytest.fixture
def explained(fhir_service):
    def explain(settings, client=EHR, patient="demo-patient-01", resource=None):
        words = ("--patient", patient, "--client", client, "--json")
        more = ("--resource", resource) if resource else ()
        result = fhir_service(settings, "consent", "explain", *words, *more)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return explain


def change_consent(settings, change):
    """Store another version of a consent, as an import from elsewhere might."""
    with opened(settings) as deployment:
        repository = deployment.services.repository

        def work(transaction):
            old = repository.read(transaction, "Consent", "demo-consent-01")
            consent = json.loads(repository.body(transaction, old))
            change(consent)
            repository.update(transaction, old, consent, id_="demo-consent-01")

        deployment.database.write(work)


def test_a_consent_is_shown_provision_by_provision(filled_on_either, shown):
    [consent] = shown(filled_on_either, "demo-patient-11")

    assert (
        consent.items()
        >= {
            "consent": "Consent/demo-consent-11",
            "version": "1",
            "status": "active",
            "scope": "patient-privacy",
            "inForce": True,
            "isDeterminate": True,
            "alerts": [],
        }.items()
    )
    root, nested, within = consent["provisions"]
    assert (root["path"], root["type"]) == ("provision", "permit")
    assert root["class"] == [
        "http://hl7.org/fhir/resource-types|Observation",
        "http://hl7.org/fhir/resource-types|Device",
    ]
    assert root["actor"][0].endswith("|IRCP Organization/demo-clinic")
    assert (nested["path"], nested["type"]) == ("provision.provision[0]", "deny")
    assert "http://loinc.org|93832-4" in nested["code"]
    assert (within["path"], within["type"], within["purpose"]) == (
        "provision.provision[0].provision[0]",
        "permit",
        ["http://terminology.hl7.org/CodeSystem/v3-ActReason|BTG"],
    )


def test_a_consent_that_is_withdrawn_is_shown_as_not_in_force(filled, shown):
    change_consent(filled, lambda consent: consent.update(status="inactive"))

    [consent] = shown(filled)

    assert (consent["version"], consent["inForce"]) == ("2", False)


def test_a_fault_is_named_with_its_place(filled, shown, fhir_service):
    change_consent(filled, lambda consent: consent["provision"].update(code=[]))

    [consent] = shown(filled)
    text = fhir_service(filled, "consent", "show", "--patient", "demo-patient-01")

    assert consent["isDeterminate"] is False
    assert consent["alerts"][0]["place"] == "Consent.provision.code"
    assert "It is indeterminate, which denies everything." in text.stdout
    assert "! Consent.provision.code: " in text.stdout


def test_a_patient_without_consent_is_told_what_that_means(
    settings, cohort, fhir_service
):
    with opened(settings) as deployment:
        cohort.fill(deployment, Size(people=(PEOPLE[11],), days=1))

    result = fhir_service(settings, "consent", "show", "--patient", "demo-patient-12")

    assert result.stdout == (
        "Patient/demo-patient-12 has no consent: the default policy decides.\n"
    )


def test_an_unknown_patient_is_named(filled, fhir_service):
    result = fhir_service(filled, "consent", "show", "--patient", "nobody")

    assert result.exit_code == 1
    assert "There is no Patient/nobody here." in result.stderr


def observations(told):
    [found] = [one for one in told["types"] if one["type"] == "Observation"]
    return found


def test_an_ehr_gets_what_the_consent_permits(filled_on_either, explained):
    told = explained(filled_on_either)

    found = observations(told)
    assert (found["inScope"], found["permitted"]) == (True, found["rows"])
    assert {
        (reason["kind"], reason["name"], reason["path"])
        for signature in found["signatures"]
        for why in signature["why"]
        for reason in why["because"]
    } == {("permit", CONSENT, "provision")}


def test_the_numbers_are_those_that_a_search_gives(filled, explained):
    told = observations(explained(filled))

    with opened(filled) as deployment, deployment.database.read() as snapshot:
        [[count]] = snapshot.sql(
            "SELECT COUNT(*) FROM observation_time o JOIN patient p"
            " ON p.patient_key = o.patient_key WHERE p.id = ?",
            ("demo-patient-01",),
        )
    assert told["rows"] == told["permitted"] == count > 100


def test_another_purpose_gets_nothing_by_default(filled, explained):
    told = explained(filled, client=PRACTICE)

    found = observations(told)
    assert (found["inScope"], found["permitted"]) == (False, 0)
    assert found["signatures"][0]["why"] == [
        {
            "permitted": False,
            "because": [
                {
                    "kind": "default",
                    "name": "deny",
                    "purpose": "HOPERAT",
                    "action": "access",
                }
            ],
            "missed": [
                {"consent": CONSENT, "path": "provision", "elements": ["purpose"]}
            ],
        }
    ]


def test_the_custodians_overlay_is_named(filled, explained):
    told = explained(filled, client=PRACTICE, resource="Patient/demo-patient-01")

    assert told["resource"] == {
        "resource": "Patient/demo-patient-01",
        "inScope": True,
        "permitted": True,
        "because": [{"kind": "overlay", "name": "custodian/1"}],
    }


def deny_before(day):
    """Return a change after which what was measured before `day` is withheld."""

    def change(consent):
        consent["provision"]["provision"] = [
            {"type": "deny", "dataPeriod": {"end": day}}
        ]

    return change


def test_a_rule_that_depends_on_time_counts_both_sides_and_explains_both(
    filled_on_either, explained
):
    change_consent(filled_on_either, deny_before("2026-03-14"))

    found = observations(explained(filled_on_either))

    heart_rate = next(
        one for one in found["signatures"] if "http://loinc.org|8867-4" in one["code"]
    )
    assert 0 < heart_rate["permitted"] < heart_rate["rows"]
    assert [why["permitted"] for why in heart_rate["why"]] == [True, False]
    assert [reason["path"] for reason in heart_rate["why"][1]["because"]] == [
        "provision.provision[0]"
    ]


def test_one_resource_is_explained_as_it_would_be_read(filled, explained):
    change_consent(filled, deny_before("2026-03-14"))
    with opened(filled) as deployment, deployment.database.read() as snapshot:
        [[oldest]] = snapshot.sql(
            "SELECT d.id FROM observation_time o JOIN directory d ON d.row = o.row"
            " JOIN patient p ON p.patient_key = o.patient_key"
            " WHERE p.id = ? ORDER BY o.start LIMIT 1",
            ("demo-patient-01",),
        )

    told = explained(filled, resource=f"Observation/{oldest}")

    assert told["resource"]["permitted"] is False
    assert told["resource"]["because"] == [
        {
            "kind": "deny",
            "name": "Consent/demo-consent-01/_history/2",
            "path": "provision.provision[0]",
            "purpose": "TREAT",
            "action": "access",
        }
    ]


@pytest.mark.parametrize(
    "resource",
    [
        "Observation/none",
        "Nonsense/1",
        "Observation",
        "Patient/demo-patient-07",
        "Organization/demo-clinic",
    ],
)
def test_a_resource_that_is_not_the_patients_is_not_found(
    filled, fhir_service, resource
):
    words = ("--patient", "demo-patient-01", "--client", EHR, "--resource", resource)

    result = fhir_service(filled, "consent", "explain", *words)

    assert result.exit_code == 1
    assert "of Patient/demo-patient-01." in result.stderr


def test_an_unknown_client_is_named(filled, fhir_service):
    words = ("--patient", "demo-patient-01", "--client", "nobody")

    result = fhir_service(filled, "consent", "explain", *words)

    assert result.exit_code == 1
    assert "There is no such active client." in result.stderr


def test_no_value_of_a_measurement_is_printed(filled, fhir_service):
    words = ("--patient", "demo-patient-01", "--client", EHR)

    text = fhir_service(filled, "consent", "explain", *words).stdout
    told = fhir_service(filled, "consent", "explain", *words, "--json").stdout

    assert "value" not in text + told
    assert "beats/min" not in text + told
    assert "effective" not in text + told


@pytest.mark.parametrize(
    ("words", "interaction"),
    [
        (("show",), Interaction.READ),
        (("explain", "--client", EHR), Interaction.CONSENT_DECISION),
    ],
)
def test_asking_is_itself_in_the_log(filled, fhir_service, words, interaction):
    fhir_service(filled, "consent", *words, "--patient", "demo-patient-01")

    with opened(filled) as deployment, deployment.database.read() as snapshot:
        *_, (_, leaf, _) = audit_log.entries(snapshot)
        pseudonym = deployment.services.pseudonym("demo-patient-01")
    last = decode(leaf, unseal=lambda _: None)
    assert (last.interaction, last.user) == (interaction, local.user())
    assert last.patients == (pseudonym,)


@pytest.mark.parametrize("client_id", [EHR, PRACTICE, GATEWAY])
def test_a_client_is_explained_as_its_own_token_would_be_judged(deployment, client_id):
    token = clients.issue_token(deployment.auth, client_id)

    with deployment.database.read() as snapshot:
        named = local.registered(snapshot, client_id)
        shown = authenticate(snapshot, f"Bearer {token}", deployment.auth.clock())

    # Without a known topology the organizations above are looked up each time.
    own = {"token_id", "expires", "topology"}
    for field in shown.__dataclass_fields__.keys() - own:
        assert getattr(named, field) == getattr(shown, field), field
