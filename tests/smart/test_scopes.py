"""What a token's scopes open, and what they do not.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
https://hl7.org/fhir/us/core/STU7/scopes.html
"""

import pytest
from smart_flow import scopes, tokens
from smart_person import Wish
from smart_seed import (
    CONDITION_CATEGORY,
    CONDITIONS,
    OBSERVATION_CATEGORY,
    US_CORE_SCOPES,
    by_code,
    observed,
)

VITAL = f"Observation.rs?category={OBSERVATION_CATEGORY}|vital-signs"
SURVEY = f"Observation.rs?category={OBSERVATION_CATEGORY}|survey"
PROBLEM = f"Condition.rs?category={CONDITION_CATEGORY}|problem-list-item"

US_CORE_TYPES = (
    "Condition",
    "Device",
    "Encounter",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
)
"""The types whose profiles of US Core are served."""


def too_small(answer):
    """Whether a refusal says that the scope is too small."""
    return (
        answer.status_code == 403
        and 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        and answer.json()["resourceType"] == "OperationOutcome"
    )


@pytest.mark.parametrize("level", ["patient", "user"])
@pytest.mark.parametrize("granular", US_CORE_SCOPES)
def test_every_granular_scope_of_us_core_is_granted_as_it_was_asked(
    granular, level, practitioner, apps
):
    asked = f"{level}/{granular}"

    given = tokens(practitioner, apps["public-app"], asked)

    assert scopes(given) == {asked}


@pytest.mark.parametrize("level", ["patient", "user"])
def test_a_scope_for_each_type_of_us_core_is_granted(level, practitioner, apps):
    asked = {f"{level}/{type_}.rs" for type_ in US_CORE_TYPES}

    given = tokens(practitioner, apps["public-app"], " ".join(asked))

    assert scopes(given) == asked


@pytest.fixture(scope="module")
def vital(patient, apps):
    """Return the token of an app that may see vital signs and problems alone."""
    asked = (
        f"patient/{VITAL} patient/{PROBLEM} patient/Patient.rs patient/Provenance.rs"
    )
    return tokens(patient, apps["public-app"], asked)["access_token"]


@pytest.mark.parametrize(
    "query",
    [
        "patient={patient}",
        "patient={patient}&category=vital-signs",
        f"patient={{patient}}&category={OBSERVATION_CATEGORY}|vital-signs",
        "patient={patient}&category=vital-signs&date=2026-03-01",
        "patient={patient}&category=vital-signs&status=final",
        "patient={patient}&category=vital-signs&_lastUpdated=ge2020",
        "patient={patient}&category=vital-signs,survey",
    ],
)
@pytest.mark.parametrize("by", ["GET", "POST"])
def test_a_search_finds_exactly_what_the_scope_is_about(
    by, query, vital, service, clinic
):
    text = query.format(patient=clinic.patient)
    if by == "GET":
        found = service.ids(f"Observation?{text}", vital)
    else:
        answer = service.ask(
            "POST",
            "Observation/_search",
            vital,
            data=dict(pair.split("=", 1) for pair in text.split("&")),
        )
        found = {one["resource"]["id"] for one in answer.json()["entry"]}

    assert found == set(clinic.observations["vital-signs"])


@pytest.mark.parametrize("query", ["category=survey", by_code("44249-1")])
def test_a_search_beyond_the_scope_finds_nothing(query, vital, service, clinic):
    path = f"Observation?patient={clinic.patient}&{query}&_total=accurate"

    answer = service.get(path, vital)

    assert answer.status_code == 200
    assert answer.json()["total"] == 0


def test_what_is_outside_the_scope_is_not_counted(vital, service, clinic):
    path = f"Observation?patient={clinic.patient}&_summary=count"

    assert service.get(path, vital).json()["total"] == 2


def test_what_is_outside_the_scope_is_neither_read_nor_told(vital, service, clinic):
    [inside, _] = clinic.observations["vital-signs"]
    [outside] = clinic.observations["survey"]

    assert service.get(f"Observation/{inside}", vital).status_code == 200
    for path in (
        f"Observation/{outside}",
        f"Observation/{outside}/_history/1",
        f"Observation/{outside}/_history",
    ):
        answer = service.get(path, vital)
        assert answer.status_code in {403, 404}
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_another_category_of_another_type_is_hidden_too(vital, service, clinic):
    found = service.ids(f"Condition?patient={clinic.patient}", vital)

    assert found == {clinic.conditions["problem-list-item"]}


def test_a_type_that_was_not_granted_is_403(vital, service, clinic):
    for path in (
        f"Encounter?patient={clinic.patient}",
        f"Encounter/{clinic.encounters[0]}",
        f"Device?patient={clinic.patient}",
    ):
        assert too_small(service.get(path, vital))


def test_no_provenance_of_what_is_hidden_is_included(vital, service, clinic):
    path = f"Observation?patient={clinic.patient}&_revinclude=Provenance:target"

    answer = service.get(path, vital)

    included = {
        one["resource"]["id"]
        for one in answer.json()["entry"]
        if one["search"]["mode"] == "include"
    }
    seen = clinic.observations["vital-signs"]
    written = included & set(clinic.provenance.values())
    assert written == {clinic.provenance[id_] for id_ in seen}
    for hidden in clinic.everything_observed - set(seen):
        assert hidden not in answer.text


def test_the_provenance_of_a_hidden_target_is_hidden(vital, service, clinic):
    hidden = clinic.provenance[clinic.observations["survey"][0]]

    found = service.get(f"Provenance?_id={hidden}&_include=Provenance:target", vital)
    read = service.get(f"Provenance/{hidden}", vital)

    assert found.status_code == 200
    assert not found.json().get("entry")
    assert read.status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "Patient?_has:Observation:patient:code={code}",
        "Condition?subject:Patient._has:Observation:patient:code={code}",
    ],
)
def test_a_hidden_observation_matches_no_reverse_chain(query, vital, service):
    seen = service.get(query.format(code="8867-4"), vital)
    hidden = service.get(query.format(code="44249-1"), vital)

    if seen.status_code == 400:
        pytest.fail(f"{query} is not served: {seen.text}")
    assert seen.json().get("entry")
    assert not hidden.json().get("entry")


def test_a_chain_does_not_ask_what_the_scope_does_not_open(vital, service):
    answer = service.get("Observation?encounter.status=in-progress", vital)

    assert answer.status_code in {200, 403}
    assert not answer.json().get("entry")


def test_the_history_of_a_type_keeps_to_the_scope(vital, service, clinic):
    answer = service.get("Observation/_history?_count=100", vital)

    assert answer.status_code == 200
    ids = {one["resource"]["id"] for one in answer.json().get("entry", ())}
    assert ids <= set(clinic.observations["vital-signs"])


def test_everything_keeps_to_the_scope(vital, service, clinic):
    answer = service.get(f"Patient/{clinic.patient}/$everything", vital)

    assert answer.status_code in {200, 403}
    entries = answer.json().get("entry", ())
    observations = {
        one["resource"]["id"]
        for one in entries
        if one["resource"]["resourceType"] == "Observation"
    }
    assert observations <= set(clinic.observations["vital-signs"])


def test_lastn_keeps_to_the_scope(vital, service, clinic):
    path = f"Observation/$lastn?patient={clinic.patient}&category=survey"

    answer = service.get(path, vital)

    assert answer.status_code in {200, 403}
    assert not answer.json().get("entry")


def test_several_granular_scopes_are_joined_by_or(patient, apps, service, clinic):
    asked = f"patient/{VITAL} patient/{SURVEY}"
    token = tokens(patient, apps["public-app"], asked)["access_token"]

    found = service.ids(f"Observation?patient={clinic.patient}", token)

    assert found == {
        *clinic.observations["vital-signs"],
        *clinic.observations["survey"],
    }


def test_the_person_chooses_parts_in_place_of_the_whole(patient, apps, service, clinic):
    given = tokens(
        patient,
        apps["secret-app"],
        "patient/Condition.rs patient/Observation.rs patient/Patient.rs",
        Wish(parts=frozenset({f"patient/{VITAL}", f"patient/{PROBLEM}"})),
    )

    assert scopes(given) == {
        "patient/Patient.rs",
        f"patient/{VITAL}",
        f"patient/{PROBLEM}",
    }
    found = service.ids(f"Observation?patient={clinic.patient}", given["access_token"])
    assert found == set(clinic.observations["vital-signs"])


def test_the_person_takes_away_types_and_they_are_refused(
    patient, apps, service, clinic
):
    taken = frozenset({"patient/Observation.rs", "patient/Device.rs"})
    given = tokens(
        patient,
        apps["secret-app"],
        "launch/patient patient/Patient.rs patient/Observation.rs patient/Device.rs",
        Wish(without=taken),
    )
    token = given["access_token"]

    assert scopes(given) == {"launch/patient", "patient/Patient.rs"}
    assert service.get(f"Patient/{clinic.patient}", token).status_code == 200
    for path in ("Observation", "Device"):
        assert too_small(service.get(f"{path}?patient={clinic.patient}", token))


@pytest.mark.parametrize(
    ("asked", "open_to"),
    [
        ("patient/Observation.rs", "rs"),
        ("patient/Observation.r", "r"),
        ("patient/Observation.s", "s"),
        ("patient/Observation.read", "rs"),
        ("patient/*.read", "rs"),
        ("patient/*.rs", "rs"),
        ("patient/*.r", "r"),
        ("patient/*.*", "rs"),
    ],
)
def test_the_letters_are_what_they_say(asked, open_to, patient, apps, clinic):
    token = tokens(patient, apps["public-app"], asked)["access_token"]
    [_, one] = clinic.observations["vital-signs"]
    answers = {
        "r": clinic.service.get(f"Observation/{one}", token),
        "s": clinic.service.get(f"Observation?patient={clinic.patient}", token),
    }

    for letter, answer in answers.items():
        assert answer.status_code == 200 if letter in open_to else too_small(answer)


@pytest.mark.parametrize("asked", ["patient/Observation.sr", "patient/Observation."])
def test_letters_out_of_order_are_never_granted(asked, patient, apps):
    given = tokens(patient, apps["public-app"], f"openid {asked}")

    assert scopes(given) == {"openid"}


def test_the_words_of_smart_1_are_answered_in_kind(practitioner, apps):
    asked = {"user/Observation.read", "user/Condition.write", "user/Patient.*"}

    given = tokens(practitioner, apps["public-app"], " ".join(asked))

    assert scopes(given) == asked


def test_a_write_needs_its_letter(practitioner, apps, service, clinic):
    reading = tokens(practitioner, apps["secret-app"], "user/Observation.rs")
    writing = tokens(practitioner, apps["secret-app"], "user/Observation.cruds")
    made = observed(clinic.other, "vital-signs", "8867-4", "/min")

    refused = service.ask("POST", "Observation", reading["access_token"], json=made)
    assert too_small(refused)
    created = service.ask("POST", "Observation", writing["access_token"], json=made)
    assert created.status_code == 201
    path = f"Observation/{created.json()['id']}"
    body = {**created.json(), "status": "amended"}
    assert too_small(service.ask("PUT", path, reading["access_token"], json=body))
    assert too_small(service.ask("DELETE", path, reading["access_token"]))
    ended = service.ask("DELETE", path, writing["access_token"])
    assert ended.status_code in {200, 204}


def test_an_entry_of_a_batch_is_held_to_the_scope_for_itself(vital, service, clinic):
    [seen, _] = clinic.observations["vital-signs"]
    [hidden] = clinic.observations["survey"]
    urls = [
        f"Observation/{seen}",
        f"Observation/{hidden}",
        f"Encounter/{clinic.encounters[0]}",
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": url}} for url in urls],
    }

    answer = service.ask("POST", "", vital, json=bundle)

    statuses = [one["response"]["status"][:3] for one in answer.json()["entry"]]
    assert statuses[0] == "200"
    assert statuses[1] in {"403", "404"}
    assert statuses[2] == "403"


def test_an_entry_of_a_transaction_is_held_to_the_scope_too(
    practitioner, apps, service, clinic
):
    token = tokens(practitioner, apps["secret-app"], "user/Observation.rs")
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": observed(clinic.other, "vital-signs", "8867-4", "/min"),
                "request": {"method": "POST", "url": "Observation"},
            }
        ],
    }

    answer = service.ask("POST", "", token["access_token"], json=bundle)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("who", "asked", "given"),
    [
        ("patient", "patient/*.cruds", {"patient/*.rs"}),
        ("patient", "patient/Condition.cruds", {"patient/Condition.rs"}),
        ("patient", "user/Practitioner.cud openid", {"openid"}),
        ("related", "patient/*.cruds", {"patient/*.rs"}),
    ],
)
def test_no_scope_opens_more_than_the_person_may(who, asked, given, request, apps):
    person = request.getfixturevalue(who)

    answer = tokens(person, apps["public-app"], asked)

    readable = {one for one in scopes(answer) if not one.endswith((".c", ".cu"))}
    assert readable == given


@pytest.mark.parametrize(
    ("role", "types"),
    [
        ("compliance-officer", {"AuditEvent", "Consent", "Provenance", "Patient"}),
        ("administrator", {"Organization", "Practitioner", "PractitionerRole"}),
    ],
)
def test_an_office_opens_its_own_types_alone(role, types, add_person, apps):
    person = add_person(f"of-{role}", role).log_in()

    given = tokens(person, apps["public-app"], "user/*.rs openid patient/*.rs")

    opened = {one for one in scopes(given) if "/" in one}
    assert {f"user/{type_}.rs" for type_ in types} <= opened
    assert not {"user/*.rs", "user/Observation.rs", "patient/*.rs"} & opened


@pytest.mark.parametrize("type_", ["Patient", "Observation", "Condition", "Encounter"])
@pytest.mark.parametrize("level", ["patient", "user"])
def test_a_scope_for_one_type_opens_that_type(level, type_, practitioner, apps, clinic):
    given = tokens(
        practitioner,
        apps["public-app"],
        f"{level}/{type_}.rs",
        Wish(patient=clinic.patient),
    )
    query = "_id" if type_ == "Patient" else "patient"

    found = clinic.service.found(
        f"{type_}?{query}={clinic.patient}", given["access_token"]
    )

    assert found
    assert {one["resourceType"] for one in found} == {type_}


def test_every_condition_category_is_told_apart(practitioner, apps, service, clinic):
    for system, category in CONDITIONS:
        asked = f"user/Condition.rs?category={system}|{category}"
        token = tokens(practitioner, apps["public-app"], asked)["access_token"]

        found = service.ids(f"Condition?patient={clinic.patient}", token)

        assert found == {clinic.conditions[category]}
