"""$evaluate: what a requester would get, why, and what a draft would change."""

import json
from datetime import UTC, datetime

import pytest
from worlds import (
    ACT_REASON,
    HEART_RATE,
    LOINC,
    RESTING,
    STEPS,
    actions,
    actor,
    classes,
    codes,
    consent,
    furnish,
    heart_rate,
    observation,
    opened_world,
    patient,
    permit,
    purposes,
    same_for,
    steps,
)

from consent.audit.entry import Interaction
from fhir_service.operations.evaluate_inputs import INPUTS

HIV = "56888-1"


@pytest.fixture
def officer(clinic):
    """Return the headers of the clinic's compliance officer."""
    return clinic.world.client(
        "officer",
        "system/*.rs",
        organization=clinic.organization,
        purposes=("HCOMPL",),
    )


@pytest.fixture
def told(clinic):
    """Return a clinic with six heart rates, and two records of steps withheld."""
    clinic.consented(provision=[{"type": "deny", "code": codes(STEPS)}])
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(6)])
    for day in (2, 3):
        clinic.world.create(
            observation(
                clinic.patient, STEPS, effectiveDateTime=f"2026-11-0{day}T09:00:00Z"
            ),
            clinic.admin,
        )
    return clinic


def ask(clinic, headers, query=""):
    path = f"/fhir/Consent/$evaluate?patient=Patient/{clinic.patient}{query}"
    return clinic.world.get(path, headers)


def post(clinic, headers, *parameters, patient_id=None):
    whose = {"reference": f"Patient/{patient_id or clinic.patient}"}
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "patient", "valueReference": whose}, *parameters],
    }
    return clinic.world.send("POST", "/fhir/Consent/$evaluate", body, headers)


def plain(part):
    """Return a parameter's value, or its parts as lists by name."""
    if "part" not in part:
        [value] = [part[name] for name in part if name.startswith("value")]
        return value
    found = {}
    for one in part["part"]:
        found.setdefault(one["name"], []).append(plain(one))
    return found


def answered(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["resourceType"] == "Parameters"
    return plain({"part": answer.json["parameter"]})


def counted(found):
    return {
        one["code"][0]: (one["rows"][0], one["permitted"][0], one["withheld"][0])
        for one in found.get("type", ())
    }


def signature(found, code):
    [one] = [
        one
        for kind in found["type"]
        for one in kind["signature"]
        if code in [coding["code"] for coding in one.get("code", ())]
    ]
    return one


def draft(resource):
    return {"name": "draft", "resource": resource}


COMPARE = {"name": "compare", "valueBoolean": True}
EHR = {"name": "client", "valueString": "ehr"}


def test_the_officer_is_told_what_is_permitted_and_what_is_withheld(told, officer):
    found = answered(ask(told, officer, "&client=ehr"))

    assert found["decision"] == ["CONSENT_PERMIT"]
    assert counted(found) == {
        "Consent": (1, 1, 0),
        "Observation": (8, 6, 2),
        "Patient": (1, 1, 0),
    }


def test_a_signature_is_described_and_its_deciding_provision_named(told, officer):
    [version] = answered(ask(told, officer, "&client=ehr"))["consent"]

    one = signature(answered(ask(told, officer, "&client=ehr")), STEPS)

    assert one["code"] == [
        {
            "system": LOINC,
            "code": STEPS,
            "display": "Number of steps in unspecified time Pedometer",
        }
    ]
    assert (one["outcome"], one["rows"], one["withheld"]) == (["withheld"], [2], [2])
    [why] = one["why"]
    assert why["permitted"] == [False]
    assert why["because"] == [
        {
            "kind": ["deny"],
            "name": [version],
            "path": ["provision.provision[0]"],
            "purpose": [{"system": ACT_REASON, "code": "TREAT"}],
            "action": ["access"],
        }
    ]
    assert version.endswith("/_history/1")


def test_what_is_left_out_is_an_obligation(told, officer):
    found = answered(ask(told, officer, "&client=ehr"))

    [obligation] = found["obligation"]
    assert obligation["id"][0]["code"] == "REDACT"
    assert [one["code"] for one in obligation["parameters"][0]["codes"]] == [STEPS]


def test_where_nothing_denies_the_elements_in_the_way_are_named(told, officer):
    found = answered(ask(told, officer, "&client=ehr&purpose=HPAYMT&type=Observation"))

    assert found["decision"] == ["NO_CONSENT"]
    one = signature(found, HEART_RATE)
    assert [reason["kind"] for reason in one["why"][0]["because"]] == [["default"]]
    assert [
        (missed["path"], missed["element"]) for missed in one["why"][0]["missed"]
    ] == [(["provision"], ["purpose"])]


def test_a_rule_of_time_is_told_in_part(clinic, officer):
    clinic.consented(dataPeriod={"end": "2026-11-03"})
    for day in (2, 9):
        clinic.world.create(
            observation(clinic.patient, effectiveDateTime=f"2026-11-0{day}T09:00:00Z"),
            clinic.admin,
        )

    one = signature(answered(ask(clinic, officer, "&client=ehr")), RESTING)

    assert (one["outcome"], one["rows"], one["permitted"]) == (["in-part"], [2], [1])
    assert [why["permitted"] for why in one["why"]] == [[True], [False]]
    assert one["why"][1]["missed"][0]["element"] == ["dataPeriod"]


def test_without_consent_no_consent_is_the_answer(clinic, officer):
    clinic.world.create(observation(clinic.patient), clinic.admin)

    found = answered(ask(clinic, officer, "&client=ehr"))

    assert found["decision"] == ["NO_CONSENT"]
    assert counted(found)["Observation"] == (1, 0, 1)


def test_a_consent_that_permits_nothing_is_a_denial(told, officer):
    found = answered(
        ask(told, officer, "&actor=Organization/other&purpose=TREAT&type=Patient")
    )
    denied = answered(
        post(
            told,
            officer,
            EHR,
            {"name": "type", "valueCode": "Observation"},
            draft(consent(told.patient, {"type": "deny"})),
        )
    )

    assert found["decision"] == ["NO_CONSENT"]
    assert denied["decision"] == ["CONSENT_DENY"]


def test_the_custodian_is_told_of_no_row_that_it_may_not_see(told):
    found = answered(ask(told, told.ehr, "&client=ehr"))

    assert counted(found)["Observation"] == (6, 6, 0)
    assert "obligation" not in found
    assert STEPS not in ask(told, told.ehr, "&client=ehr").get_data(as_text=True)


def test_hidden_rows_change_nothing_of_what_the_custodian_is_told(clinic):
    clinic.consented(
        provision=[
            {"type": "deny", "code": codes(HIV), "class": classes("Observation")}
        ]
    )
    clinic.world.create(observation(clinic.patient), clinic.admin)
    whatever = draft(consent(clinic.patient, permit()))
    before = [
        same_for(ask(clinic, clinic.ehr, "&client=ehr")),
        same_for(post(clinic, clinic.ehr, EHR, COMPARE, whatever)),
    ]

    clinic.world.create(observation(clinic.patient, HIV), clinic.admin)

    after = [
        same_for(ask(clinic, clinic.ehr, "&client=ehr")),
        same_for(post(clinic, clinic.ehr, EHR, COMPARE, whatever)),
    ]
    assert after == before


def test_a_type_outside_the_scopes_is_not_told(told):
    narrow = told.world.client(
        "narrow",
        "system/Consent.r system/Patient.r",
        organization=told.organization,
        purposes=("HCOMPL",),
    )

    found = answered(ask(told, narrow, "&client=ehr"))

    assert counted(found).keys() == {"Consent", "Patient"}


def test_whoever_is_not_the_custodian_is_answered_as_where_nobody_is(told):
    world = told.world
    other = world.create({"resourceType": "Organization", "name": "O"}, told.admin)
    headers = [
        world.client("stray", "system/*.cruds"),
        world.client(
            "other", "system/*.cruds", organization=f"Organization/{other['id']}"
        ),
        world.client(
            "research",
            "system/*.rs",
            organization=told.organization,
            purposes=("HRESCH",),
        ),
        world.client(
            "aimless", "system/*.rs", organization=told.organization, purposes=()
        ),
    ]

    for one in headers:
        hidden = ask(told, one, "&client=ehr")
        path = "/fhir/Consent/$evaluate?patient=Patient/none&client=ehr"
        absent = world.get(path, one)
        assert hidden.status_code == absent.status_code == 404
        told_of = [same_for(answer)[2] for answer in (hidden, absent)]
        assert told_of[0].replace(told.patient.encode(), b"none") == told_of[1]


def test_a_scope_for_consents_is_needed(told):
    headers = told.world.client(
        "blind", "system/Observation.rs", organization=told.organization
    )

    answer = ask(told, headers, "&client=ehr")

    assert answer.status_code == 403


def test_it_is_audited_with_the_patient_and_nothing_disclosed(told, officer):
    ask(told, officer, "&client=ehr")

    row = told.world.audited()[-1]
    pseudonym = told.world.deployment.services.pseudonym(told.patient)
    assert (row.interaction, row.client) == (Interaction.OPERATION, "officer")
    assert (row.patients, row.disclosed) == ((pseudonym,), ())


def test_an_instant_that_has_passed_is_judged_by_what_was_filed_then(clinic, officer):
    world = clinic.world
    world.create(observation(clinic.patient), clinic.admin)
    first = world.clock()
    world.clock.pass_s(3600)
    made = clinic.consented()
    world.clock.pass_s(3600)
    world.update({**made, "status": "inactive"}, clinic.admin)
    world.clock.pass_s(3600)

    def at(hours):
        moment = datetime.fromtimestamp(first / 1e6 + 3600 * hours, UTC)
        query = f"&client=ehr&type=Observation&at={moment:%Y-%m-%dT%H:%M:%SZ}"
        found = answered(ask(clinic, officer, query))
        return found["decision"][0], counted(found)["Observation"][1]

    assert [at(0.5), at(1.5), at(2.5)] == [
        ("NO_CONSENT", 0),
        ("CONSENT_PERMIT", 1),
        ("NO_CONSENT", 0),
    ]


def test_the_custody_of_an_instant_that_has_passed_is_that_of_then(clinic):
    world = clinic.world
    clinic.consented()
    world.create(observation(clinic.patient), clinic.admin)
    then = datetime.fromtimestamp(world.clock() / 1e6 + 60, UTC)
    world.clock.pass_s(3600)
    other = world.create({"resourceType": "Organization", "name": "O"}, clinic.admin)
    reference = f"Organization/{other['id']}"
    person = world.get(f"/fhir/Patient/{clinic.patient}", clinic.admin).json
    world.update(
        {**person, "managingOrganization": {"reference": reference}}, clinic.admin
    )
    new = world.client(
        "new", "system/*.rs", organization=reference, purposes=("HCOMPL",)
    )

    now = answered(ask(clinic, new, "&client=ehr"))
    before = answered(ask(clinic, new, f"&client=ehr&at={then:%Y-%m-%dT%H:%M:%SZ}"))

    assert now["action"] == ["access", "disclose"]
    assert before["action"] == ["access"]


def test_cache_until_is_when_the_consent_ends(clinic, officer):
    clinic.consented(period={"end": "2026-12-31"})

    found = answered(ask(clinic, officer, "&client=ehr"))

    assert found["cacheUntil"] == ["2027-01-01T00:00:00.000Z"]


def test_the_future_is_judged_by_the_consents_of_now(clinic, officer):
    clinic.consented(period={"end": "2026-12-31"})
    clinic.world.create(observation(clinic.patient), clinic.admin)

    query = "&client=ehr&type=Observation&at=2027-02-01T00:00:00Z"
    found = answered(ask(clinic, officer, query))

    assert found["decision"] == ["NO_CONSENT"]


def test_actors_are_asked_with_all_that_they_belong_to(clinic, officer):
    world = clinic.world
    whole = world.create({"resourceType": "Organization", "name": "W"}, clinic.admin)
    part = world.create(
        {
            "resourceType": "Organization",
            "name": "P",
            "partOf": {"reference": f"Organization/{whole['id']}"},
        },
        clinic.admin,
    )
    named = permit(actor=actor(f"Organization/{whole['id']}"))
    world.create(consent(clinic.patient, named), clinic.admin)
    world.create(observation(clinic.patient), clinic.admin)

    query = f"&actor=Organization/{part['id']}&purpose=TREAT&type=Observation"
    found = answered(ask(clinic, officer, query))

    assert counted(found)["Observation"] == (1, 1, 0)
    assert found["action"] == ["access", "disclose"]


def test_a_person_who_is_denied_is_told_apart_only_where_one_is_known(clinic, officer):
    rule = {"type": "deny", "actor": actor("Practitioner/dr")}
    clinic.consented(provision=[rule])
    clinic.world.create(observation(clinic.patient), clinic.admin)

    feed = answered(ask(clinic, officer, "&client=ehr&type=Observation"))
    other = answered(
        ask(clinic, officer, "&client=ehr&individualKnown=true&type=Observation")
    )
    denied = answered(
        ask(clinic, officer, "&client=ehr&actor=Practitioner/dr&type=Observation")
    )

    assert [one["decision"] for one in (feed, other, denied)] == [
        ["CONSENT_DENY"],
        ["CONSENT_PERMIT"],
        ["CONSENT_DENY"],
    ]


def test_break_glass_is_refused_until_it_is_attested(clinic, officer):
    clinic.world.create(
        consent(clinic.patient, permit(purpose=purposes("BTG"))), clinic.admin
    )
    clinic.world.create(observation(clinic.patient), clinic.admin)
    query = "&client=ehr&purpose=BTG&type=Observation"

    plainly = answered(ask(clinic, officer, query))
    attested = answered(ask(clinic, officer, f"{query}&btgAttested=true"))

    assert plainly["decision"] == ["CONSENT_DENY"]
    assert attested["decision"] == ["CONSENT_PERMIT"]


def test_an_action_is_decided_by_itself(clinic, officer):
    clinic.consented(action=actions("access"))
    clinic.world.create(observation(clinic.patient), clinic.admin)

    found = answered(ask(clinic, officer, "&client=ehr&action=use&type=Observation"))

    one = signature(found, RESTING)
    assert one["why"][0]["missed"][0]["element"] == ["action"]


def test_a_draft_stands_in_the_place_of_the_stored_consent(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    changed = {**stored, "provision": permit(code=codes(STEPS))}

    found = answered(post(told, officer, EHR, draft(changed)))

    assert counted(found)["Observation"] == (8, 2, 6)
    assert found["consent"] == [f"Consent/{stored['id']} (draft)"]
    [after] = told.found(f"Consent?patient={told.patient}", told.admin)
    assert after == stored


def test_a_draft_without_an_id_is_one_more(told, officer):
    found = answered(
        post(told, officer, EHR, draft(consent(told.patient, {"type": "deny"})))
    )

    assert len(found["consent"]) == 2
    assert counted(found)["Observation"] == (8, 0, 8)


def test_what_a_draft_changes_is_told_in_kinds_of_data(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    root = dict(stored["provision"])
    sleep = [
        "93832-4 93831-6 93830-8 93829-0 93828-2 93827-4 103213-5 103212-7 103215-0"
    ]
    root["provision"] = [{"type": "deny", "code": codes(*sleep[0].split())}]

    found = answered(
        post(told, officer, EHR, COMPARE, draft({**stored, "provision": root}))
    )

    change = {one["who"][0]: one for one in found["change"]}["ehr"]
    assert "Number of steps in unspecified time Pedometer" in change["gains"]
    assert "Sleep duration" in change["loses"]
    assert (change["rowsBefore"], change["rowsAfter"]) == ([8], [10])


def test_a_class_of_which_all_changes_is_named_by_itself(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)

    found = answered(
        post(told, officer, EHR, COMPARE, draft({**stored, "status": "inactive"}))
    )

    change = {one["who"][0]: one for one in found["change"]}["ehr"]
    assert {"sleep", "heart", "glucose"} <= set(change["loses"])
    assert "gains" not in change


def test_whom_a_draft_names_is_compared(told, officer):
    named = permit(actor=actor("Practitioner/dr"), purpose=purposes("TREAT"))

    found = answered(post(told, officer, COMPARE, draft(consent(told.patient, named))))

    assert [one["who"] for one in found["change"]] == [["Practitioner/dr"]]


def test_a_draft_that_changes_nothing_is_told_as_no_change(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)

    found = answered(post(told, officer, EHR, COMPARE, draft(stored)))

    assert "change" not in found


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        ({"status": "nope"}, 422),
        ({"provision": {"type": "PERMIT"}}, 422),
        ({"patient": {"reference": "Patient/other"}}, 400),
        ({"resourceType": "Patient"}, 400),
    ],
)
def test_a_draft_that_could_not_be_filed_is_refused(told, officer, broken, status):
    resource = {**consent(told.patient, permit()), **broken}

    answer = post(told, officer, EHR, draft(resource))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("&client=nobody", 404),
        ("&actor=nobody", 400),
        ("&purpose=%7CTREAT", 400),
        ("&action=look", 400),
        ("&at=2026-01-01", 400),
        ("&individualKnown=maybe", 400),
        ("&type=Nonsense", 400),
        ("&draft=x", 400),
        ("&other=1", 400),
        ("&client=ehr&client=ehr", 400),
    ],
)
def test_an_input_that_is_none_is_refused(told, officer, query, status):
    assert ask(told, officer, query).status_code == status


def test_a_patient_is_required(told, officer):
    answer = told.world.get("/fhir/Consent/$evaluate?client=ehr", officer)

    assert (answer.status_code, answer.json["issue"][0]["code"]) == (422, "required")


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Consent"},
        {"resourceType": "Parameters", "parameter": [{"name": "patient"}]},
        {"resourceType": "Parameters", "parameter": [7]},
        {"resourceType": "Parameters", "parameter": {}},
    ],
)
def test_a_body_that_is_no_such_parameters_is_refused(told, officer, body):
    answer = told.world.send("POST", "/fhir/Consent/$evaluate", body, officer)

    assert answer.status_code == 400


def test_every_input_is_on_the_page_of_operations(request):
    page = request.config.rootpath / "docs" / "fhir-operations.md"
    text = page.read_text().partition("## `$evaluate`")[2].partition("### ")[0]

    told = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}

    assert told == INPUTS.keys()


def test_no_value_of_a_measurement_is_told(clinic, officer):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=77), steps(1, "user-1", value=4321))

    text = ask(clinic, officer, "&client=ehr").get_data(as_text=True)

    assert "77" not in text.replace(clinic.patient, "")
    assert "4321" not in text
    assert "beats" not in text


def test_another_patient_is_not_counted(told, officer):
    world = told.world
    other = world.create(patient(told.organization, "user-2"), told.admin)
    told.consented(patient_id=other["id"])
    world.create(observation(other["id"]), told.admin)

    found = answered(ask(told, officer, "&client=ehr"))

    assert counted(found)["Observation"] == (8, 6, 2)


def test_the_officer_replays_a_decision_about_the_patient(told, officer):
    told.found(f"Observation?patient={told.patient}")
    index = len(told.world.audited()) - 1

    found = answered(ask(told, officer, f"&replay={index}"))

    record = json.loads(found["record"][0])
    assert found["result"] == ["reproduced"]
    assert record["entry"]["index"] == index
    assert len(record["patients"][0]["disclosed"]) == 6
    assert record == json.loads(
        answered(ask(told, officer, f"&replay={index}"))["record"][0]
    )


def test_a_row_that_is_not_for_who_asks_is_as_if_absent(told, officer):
    world = told.world
    other = world.create(patient(told.organization, "user-2"), told.admin)
    world.get(f"/fhir/Patient/{other['id']}", told.ehr)
    of_other = len(world.audited()) - 1
    told.found(f"Observation?patient={told.patient}")
    own = len(world.audited()) - 1
    narrow = world.client(
        "narrow",
        "system/Consent.r",
        organization=told.organization,
        purposes=("HCOMPL",),
    )

    asked = [
        ask(told, officer, "&replay=99999"),
        ask(told, officer, f"&replay={of_other}"),
        ask(told, told.ehr, f"&replay={own}"),
        ask(told, narrow, f"&replay={own}"),
    ]

    assert {answer.status_code for answer in asked} == {404}
    assert len({same_for(answer)[2] for answer in asked}) == 1


def test_a_replay_takes_no_other_question(told, officer):
    assert ask(told, officer, "&replay=1&client=ehr").status_code == 400


def test_the_counts_are_those_of_searches_on_postgresql(
    tmp_path, template, migrated_postgres_url
):
    with opened_world(tmp_path, template, database_url=migrated_postgres_url) as world:
        clinic = furnish(world)
        headers = world.client(
            "officer",
            "system/*.rs",
            organization=clinic.organization,
            purposes=("HCOMPL",),
        )
        clinic.consented(
            dataPeriod={"end": "2026-11-05"},
            provision=[{"type": "deny", "code": codes(HIV)}],
        )
        coded = {"coding": [{"system": LOINC, "code": HIV}]}
        for day, more in ((2, {}), (3, {"valueCodeableConcept": coded}), (9, {})):
            row = observation(
                clinic.patient, effectiveDateTime=f"2026-11-0{day}T09:00:00Z", **more
            )
            world.create(row, clinic.admin)

        found = answered(ask(clinic, headers, "&client=ehr&type=Observation"))
        query = f"Observation?patient={clinic.patient}&_summary=count"
        total = clinic.search(query)["total"]
        before = answered(
            ask(clinic, headers, "&client=ehr&type=Patient&at=2026-01-01T00:00:00Z")
        )

    assert counted(found)["Observation"] == (3, 1, 2)
    assert total == 1
    assert before["decision"] == ["NO_CONSENT"]


@pytest.mark.parametrize(
    ("provision", "query", "decision"),
    [
        (permit(), "", "CONSENT_PERMIT"),
        (permit(code=codes(STEPS)), "", "CONSENT_PERMIT"),
        ({"type": "deny"}, "", "CONSENT_DENY"),
        (permit(purpose=purposes("HPAYMT")), "", "NO_CONSENT"),
        (permit(), "&purpose=BTG", "CONSENT_DENY"),
    ],
)
def test_where_there_are_no_rows_the_kinds_of_data_are_asked(
    clinic, officer, provision, query, decision
):
    clinic.world.create(consent(clinic.patient, provision), clinic.admin)

    found = answered(ask(clinic, officer, f"&client=ehr&type=Observation{query}"))

    assert "type" not in found
    assert found["decision"] == [decision]


def test_another_part_of_a_kind_is_told_as_neither_gain_nor_loss(clinic, officer):
    stored = clinic.consented(dataPeriod={"start": "2026-01-01"})
    changed = dict(stored["provision"], dataPeriod={"start": "2026-06-01"})

    found = answered(
        post(clinic, officer, COMPARE, draft({**stored, "provision": changed}))
    )

    change = {one["who"][0]: one for one in found["change"]}["ehr"]
    assert "sleep" in change["changesInPart"]
    assert "gains" not in change
    assert "loses" not in change


def test_more_requesters_than_are_compared_are_refused(clinic, officer):
    many = [
        {**one, "reference": {"reference": f"Practitioner/p{number}"}}
        for number in range(60)
        for one in actor("Practitioner/p")
    ]

    answer = post(
        clinic, officer, COMPARE, draft(consent(clinic.patient, permit(actor=many)))
    )

    assert answer.json["issue"][0]["code"] == "too-costly"


def test_a_client_that_is_named_by_its_identifier_is_compared(told, officer):
    world = told.world
    other = world.create({"resourceType": "Organization", "name": "O"}, told.admin)
    world.client("lab", "system/*.rs", organization=f"Organization/{other['id']}")
    system = "https://fhir-interop-service.org/fhir/sid/client"
    [named] = actor("Organization/none")
    named["reference"] = {"identifier": {"system": system, "value": "lab"}}

    found = answered(
        post(
            told,
            officer,
            COMPARE,
            draft(consent(told.patient, permit(actor=[named]))),
        )
    )

    [change] = found["change"]
    assert (change["who"], change["purpose"][0]["code"]) == (["lab"], "TREAT")
    assert change["action"] == ["access", "disclose"]
    assert (change["rowsBefore"], change["rowsAfter"]) == ([0], [10])


def test_too_many_drafts_and_one_given_twice_are_refused(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    new = draft(consent(told.patient, permit()))

    many = post(told, officer, EHR, *[new] * 11)
    twice = post(told, officer, EHR, draft(stored), draft(stored))

    assert many.json["issue"][0]["code"] == "too-costly"
    assert twice.json["issue"][0]["code"] == "invalid"


def test_a_draft_that_does_not_follow_the_stored_version_is_refused(told, officer):
    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    new = {**consent(told.patient, permit()), "status": "entered-in-error"}

    after = post(told, officer, EHR, draft({**stored, "status": "proposed"}))
    first = post(told, officer, EHR, draft(new))

    for answer in (after, first):
        assert answer.status_code == 422
        assert answer.json["issue"][0]["code"] == "business-rule"


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "client", "valueString": ""},
        {"name": "client", "valueId": 7},
        {"name": "actor", "valueReference": {"display": "Dr"}},
        {"name": "actor", "valueIdentifier": {"value": "x"}},
        {"name": "purpose", "valueCoding": {"code": "TREAT"}},
        {"name": "draft", "resource": "x"},
        {"name": "patient", "valueReference": {"reference": "Patient/other"}},
        {"name": "individualKnown", "valueBoolean": 1},
        {"name": "action", "valueCode": "access", "extension": []},
    ],
)
def test_a_value_of_another_type_is_refused(told, officer, parameter):
    assert post(told, officer, parameter).status_code == 400


def test_a_patient_who_is_none_is_refused(told, officer):
    path = "/fhir/Consent/$evaluate?patient=Practitioner/1"

    assert told.world.get(path, officer).status_code == 400


def test_actors_are_named_as_a_consent_may_name_them(told, officer):
    parameters = [
        {"name": "actor", "valueIdentifier": {"system": "urn:x", "value": "1"}},
        {"name": "actor", "valueReference": {"reference": "Practitioner/dr"}},
        {"name": "actor", "valueString": "Organization/o"},
        {"name": "purpose", "valueCoding": {"system": "urn:y", "code": "P"}},
    ]

    found = answered(post(told, officer, *parameters))

    assert found["actor"] == ["Organization/o", "Practitioner/dr", "urn:x|1"]
    assert found["purpose"] == [{"system": "urn:y", "code": "P"}]
    assert found["individualKnown"] == [True]
