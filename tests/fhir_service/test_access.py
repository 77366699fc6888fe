"""What consent lets out, told by what clients see; often in two worlds at once."""

from datetime import UTC, datetime

import pytest
from worlds import (
    HEART_RATE,
    LOINC,
    RESTING,
    SPO2,
    STEPS,
    actions,
    actor,
    classes,
    codes,
    consent,
    furnish,
    heart_rate,
    link,
    observation,
    opened_world,
    patient,
    permit,
    reopened_world,
    same_for,
    steps,
)

from consent.audit.entry import Outcome


@pytest.fixture
def twins(tmp_path, template):
    """Yield two clinics in which the same steps give the same bytes."""
    with (
        opened_world(tmp_path, template, name="one") as one,
        opened_world(tmp_path, template, name="other") as other,
    ):
        yield furnish(one), furnish(other)


def codes_of(found):
    return {resource["code"]["coding"][0]["code"] for resource in found}


def test_without_a_consent_nothing_is_collected(clinic):
    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert receipt["withheld"] == 1
    assert receipt["items"][0]["reason"] == "consent"
    clinic.consented()
    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_without_a_consent_nothing_is_released(clinic):
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    answer = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)

    assert answer.status_code == 404
    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_a_consent_lets_data_in_and_out(clinic):
    clinic.consented()

    clinic.deliver(heart_rate(1, "user-1"))

    [found] = clinic.found(f"Observation?patient={clinic.patient}")
    answer = clinic.world.get(f"/fhir/Observation/{found['id']}", clinic.ehr)
    assert answer.json == found


@pytest.mark.parametrize(
    ("given", "collected", "released"),
    [
        (("collect",), 1, 0),
        (("access",), 0, 0),
        (("collect", "access"), 1, 1),
        (("collect", "access", "disclose"), 1, 1),
    ],
)
def test_each_action_is_permitted_by_itself(clinic, given, collected, released):
    clinic.consented(action=actions(*given))

    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert receipt["stored"] == collected
    found = clinic.found(f"Observation?patient={clinic.patient}")
    assert len(found) == released


def test_another_organisation_needs_disclosure_to_be_permitted(clinic):
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Laboratory"}, clinic.admin
    )
    laboratory = f"Organization/{made['id']}"
    other = clinic.world.client("laboratory", "system/*.rs", organization=laboratory)
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    query = f"Observation?patient={clinic.patient}"
    allowed = permit(actor=actor(laboratory), action=actions("access"))
    stored = clinic.world.create(consent(clinic.patient, allowed), clinic.admin)

    assert clinic.found(query, other) == []

    stored["provision"]["action"] += actions("disclose")
    clinic.world.update(stored, clinic.admin)

    assert len(clinic.found(query, other)) == 1


def test_a_deny_by_code_hides_that_code_alone(clinic):
    clinic.consented(provision=[{"type": "deny", "code": codes(STEPS)}])

    receipt = clinic.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))

    assert (receipt["stored"], receipt["withheld"]) == (1, 1)
    found = clinic.found(f"Observation?patient={clinic.patient}")
    assert codes_of(found) == {HEART_RATE}


def test_a_permit_by_code_opens_that_code_alone(clinic):
    clinic.consented(code=codes(HEART_RATE))

    receipt = clinic.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))

    assert (receipt["stored"], receipt["withheld"]) == (1, 1)


def test_a_permit_by_class_opens_that_class_alone(clinic):
    clinic.consented(**{"class": classes("Observation")})
    clinic.deliver(heart_rate(1, "user-1"))

    assert len(clinic.found(f"Observation?patient={clinic.patient}")) == 1
    assert clinic.found(f"Device?patient={clinic.patient}") == []


@pytest.mark.parametrize(
    ("asked", "seen"),
    [(("TREAT",), 1), (("HRESCH",), 0), (("TREAT", "HRESCH"), 0), ((), 0)],
)
def test_every_purpose_of_a_request_must_be_permitted(clinic, asked, seen):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    client = clinic.world.client(
        "other", "system/*.rs", organization=clinic.organization, purposes=asked
    )

    found = clinic.found(f"Observation?patient={clinic.patient}", client)

    assert len(found) == seen


def test_a_permit_to_one_organisation_is_none_to_another(clinic):
    stranger = clinic.world.client(
        "stranger", "system/*.rs", organization="Organization/elsewhere"
    )
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))

    assert clinic.found(f"Observation?patient={clinic.patient}", stranger) == []


def test_a_client_can_be_permitted_by_its_own_identifier(clinic):
    named = {
        "role": actor("Organization/x")[0]["role"],
        "reference": {
            "identifier": {
                "system": "https://fhir-interop-service.org/fhir/sid/client",
                "value": "ehr",
            }
        },
    }
    clinic.world.create(consent(clinic.patient, permit(actor=[named])), clinic.admin)
    clinic.world.create(observation(clinic.patient), clinic.admin)
    sibling = clinic.world.client(
        "sibling", "system/*.rs", organization=clinic.organization
    )
    query = f"Observation?patient={clinic.patient}"

    assert len(clinic.found(query)) == 1
    assert clinic.found(query, sibling) == []


def test_a_deny_of_a_person_is_a_deny_of_every_client_without_one(clinic):
    clinic.consented(provision=[{"type": "deny", "actor": actor("Practitioner/7")}])
    clinic.world.create(observation(clinic.patient), clinic.admin)

    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_a_data_period_bounds_what_is_collected_and_seen(clinic):
    clinic.consented(dataPeriod={"start": "2026-11-05", "end": "2026-11-10"})
    inside = heart_rate(1, "user-1", at="2026-11-10T23:59:59Z")
    before = heart_rate(2, "user-1", at="2026-11-04T23:59:59Z")
    after = heart_rate(3, "user-1", at="2026-11-11T00:00:00Z")

    receipt = clinic.deliver(inside, before, after)

    assert (receipt["stored"], receipt["withheld"]) == (1, 2)


def test_a_nested_data_period_hides_and_totals_do_not_tell(clinic):
    denied = {"type": "deny", "dataPeriod": {"start": "2026-11-05"}}
    for day in (3, 4, 5, 6):
        at = f"2026-11-{day:02}T10:00:00Z"
        clinic.world.create(
            observation(clinic.patient, effectiveDateTime=at), clinic.admin
        )
    clinic.consented(provision=[denied])

    bundle = clinic.search(f"Observation?patient={clinic.patient}&_total=accurate")

    assert bundle["total"] == 2
    assert [one["resource"]["effectiveDateTime"][:10] for one in bundle["entry"]] == [
        "2026-11-04",
        "2026-11-03",
    ]


def test_what_has_no_time_is_hidden_by_a_data_period(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.consented(dataPeriod={"start": "1900-01-01", "end": "2100-01-01"})

    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_a_consent_begins_and_ends_with_its_period_to_the_microsecond(clinic):
    clinic.consented(
        period={"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z"}
    )
    clinic.world.create(observation(clinic.patient), clinic.admin)
    query = f"Observation?patient={clinic.patient}"
    seen = []

    for moment in (
        datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
        datetime(2026, 11, 22, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
    ):
        clinic.world.clock.go(moment)
        seen.append(len(clinic.found(query)))

    assert seen == [0, 1, 1, 0, 1]


def test_a_consent_of_the_future_is_not_yet_one(clinic):
    stored = consent(
        clinic.patient,
        permit(actor=actor(clinic.organization)),
        dateTime="2026-11-25T00:00:00Z",
    )
    clinic.world.create(stored, clinic.admin)
    clinic.world.create(observation(clinic.patient), clinic.admin)
    query = f"Observation?patient={clinic.patient}"

    assert clinic.found(query) == []

    clinic.world.clock.go(datetime(2026, 11, 25, tzinfo=UTC))

    assert len(clinic.found(query)) == 1


@pytest.mark.parametrize("status", ["inactive", "rejected", "entered-in-error"])
def test_a_withdrawal_holds_from_the_next_request_on(clinic, status):
    stored = clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    query = f"Observation?patient={clinic.patient}"
    [found] = clinic.found(query)

    clinic.world.update({**stored, "status": status}, clinic.admin)

    assert clinic.found(query) == []
    answer = clinic.world.get(f"/fhir/Observation/{found['id']}", clinic.ehr)
    assert answer.status_code == 404
    assert clinic.deliver(heart_rate(2, "user-1"))["withheld"] == 1


def test_a_withdrawal_holds_at_once_in_another_process(clinic):
    stored = clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    query = f"/fhir/Observation?patient={clinic.patient}&_total=accurate"

    with reopened_world(clinic.world.data) as other:
        before = other.get(query, clinic.ehr).json["total"]
        clinic.world.update({**stored, "status": "inactive"}, clinic.admin)
        after = other.get(query, clinic.ehr).json["total"]

    assert (before, after) == (1, 0)


def test_the_custodian_reads_patient_and_consents_and_nothing_else(clinic):
    stored = clinic.world.create(
        consent(clinic.patient, {"type": "deny"}), clinic.admin
    )
    clinic.world.create(observation(clinic.patient), clinic.admin)

    assert len(clinic.found(f"Patient?_id={clinic.patient}")) == 1
    assert clinic.found(f"Consent?patient={clinic.patient}")[0]["id"] == stored["id"]
    assert clinic.found(f"Observation?patient={clinic.patient}") == []


@pytest.mark.parametrize(
    ("organization", "asked"),
    [(None, ("TREAT",)), ("Organization/elsewhere", ("TREAT",)), ("own", ("HRESCH",))],
)
def test_the_custodian_is_the_managing_organisation_for_its_purposes(
    clinic, organization, asked
):
    client = clinic.world.client(
        "other",
        "system/*.rs",
        organization=clinic.organization if organization == "own" else organization,
        purposes=asked,
    )

    assert clinic.found(f"Patient?_id={clinic.patient}", client) == []
    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient}", client)
    assert answer.status_code == 404


def test_a_new_managing_organisation_is_the_custodian_at_once(clinic):
    stored = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr).json
    for_admin = clinic.world.client(
        "keeper", "system/*.cruds", organization=clinic.organization
    )
    moved = {**stored, "managingOrganization": {"reference": "Organization/elsewhere"}}

    clinic.world.update(moved, for_admin)

    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)
    assert answer.status_code == 404


FOURTH = permit(provision=[{"type": "deny"}])


@pytest.mark.parametrize(
    ("provision", "expression"),
    [
        (
            {"securityLabel": [{"system": "urn:x", "code": "R"}]},
            "Consent.provision.securityLabel[0]",
        ),
        (
            {"data": [{"meaning": "instance", "reference": {"display": "my ring"}}]},
            "Consent.provision.data[0]",
        ),
        (
            {"provision": [permit(provision=[permit(provision=[FOURTH])])]},
            "Consent.provision",
        ),
        (
            {"purpose": [{"system": "urn:x", "code": "TREAT"}]},
            "Consent.provision.purpose[0]",
        ),
        (
            {"code": codes("1", system="urn:x")},
            "Consent.provision.code[0]",
        ),
        (
            {"actor": actor("https://elsewhere.example/fhir/Organization/1")},
            "Consent.provision.actor[0]",
        ),
    ],
)
def test_a_consent_that_would_be_ignored_is_refused_with_the_element(
    clinic, provision, expression
):
    resource = consent(clinic.patient, permit(**provision))

    answer = clinic.world.send("POST", "/fhir/Consent", resource, clinic.admin)

    assert answer.status_code in {400, 422}
    assert [expression] in [one.get("expression") for one in answer.json["issue"]]
    assert clinic.found(f"Consent?patient={clinic.patient}") == []


def panel(patient_id, *components):
    return observation(
        patient_id,
        code="35094-2",
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueInteger": 1,
            }
            for code in components
        ],
    )


def test_a_deny_by_code_reaches_components(clinic):
    clinic.world.create(panel(clinic.patient, "8480-6", "8462-4"), clinic.admin)
    clinic.world.create(panel(clinic.patient, "8480-6"), clinic.admin)
    clinic.consented(provision=[{"type": "deny", "code": codes("8462-4")}])

    [found] = clinic.found(f"Observation?patient={clinic.patient}")

    assert len(found["component"]) == 1


def test_a_deny_by_code_reaches_codings_of_values(clinic):
    for code in ("260385009", "10828004"):
        clinic.world.create(
            observation(
                clinic.patient,
                valueCodeableConcept={
                    "coding": [{"system": "http://snomed.info/sct", "code": code}]
                },
            ),
            clinic.admin,
        )
    denied = codes("10828004", system="http://snomed.info/sct")
    clinic.consented(provision=[{"type": "deny", "code": denied}])
    query = f"Observation?patient={clinic.patient}&_total=accurate"

    bundle = clinic.search(query)

    [one] = bundle["entry"]
    assert bundle["total"] == 1
    shown = one["resource"]["valueCodeableConcept"]["coding"][0]["code"]
    assert shown == "260385009"


def test_an_update_that_brings_a_denied_code_hides_the_resource(clinic):
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.consented(provision=[{"type": "deny", "code": codes("8462-4")}])
    keeper = clinic.world.client(
        "keeper", "system/*.cruds", organization=clinic.organization
    )
    query = f"Observation?patient={clinic.patient}"
    before = len(clinic.found(query))

    denied = {**panel(clinic.patient, "8462-4"), "id": made["id"]}
    clinic.world.update(denied, keeper)

    assert (before, len(clinic.found(query))) == (1, 0)
    answer = clinic.world.send("PUT", f"/fhir/Observation/{made['id']}", made, keeper)
    assert answer.status_code == 404


# Two worlds that differ in what is denied alone.


QUERIES = (
    "",
    "&_total=accurate",
    "&_count=0",
    "&_count=2",
    f"&code={RESTING}&_count=2&_total=accurate",
    f"&code={STEPS}",
    f"&code={STEPS}&_total=accurate",
    f"&code={RESTING},{STEPS}&_count=3",
    f"&code={SPO2}",
    "&_sort=date&_count=3",
    "&_sort=-date&date=ge2026-11-05",
    "&date=lt2026-11-03&_count=1",
    "&category=vital-signs",
    "&_lastUpdated=ge2026-01-01",
)


@pytest.mark.parametrize(
    "provision",
    [
        {"type": "deny", "code": codes(STEPS)},
        {"type": "deny", "dataPeriod": {"start": "2026-11-10"}},
        {"type": "deny", "dataPeriod": {"start": "2026-11-10"}, "code": codes(STEPS)},
    ],
    ids=["code", "period", "both"],
)
def test_no_search_tells_whether_denied_rows_exist(twins, provision):
    for clinic in twins:
        for number in range(5):
            at = f"2026-11-0{1 + number}T10:00:00Z"
            clinic.world.create(
                observation(clinic.patient, effectiveDateTime=at), clinic.admin
            )
    with_rows, _ = twins
    for number in range(5):
        at = f"2026-11-1{number}T10:00:00Z"
        with_rows.world.create(
            observation(with_rows.patient, STEPS, effectiveDateTime=at),
            with_rows.admin,
        )
    for clinic in twins:
        clinic.consented(provision=[provision])

    for more in QUERIES:
        path = f"/fhir/Observation?patient={with_rows.patient}{more}"
        one, other = (same_for(c.world.get(path, c.ehr)) for c in twins)

        assert one == other, more


def test_a_whole_denied_patient_looks_like_one_who_is_not_here(twins):
    for clinic in twins:
        clinic.world.create(patient("Organization/elsewhere"), clinic.admin)
    with_patient, _ = twins
    keeper = with_patient.world.client(
        "keeper", "system/*.c", organization="Organization/elsewhere"
    )
    stranger = patient("Organization/elsewhere")
    hidden = with_patient.world.create(stranger, with_patient.admin)["id"]
    made = with_patient.world.create(observation(hidden), keeper)["id"]

    for path in (
        f"/fhir/Patient/{hidden}",
        f"/fhir/Patient?_id={hidden}&_total=accurate",
        "/fhir/Patient?_total=accurate",
        f"/fhir/Observation/{made}",
        f"/fhir/Observation?_id={made}",
        f"/fhir/Observation?_id={made}&_total=accurate",
        f"/fhir/Observation?patient={hidden}",
        f"/fhir/Observation?patient={hidden}&code={RESTING}&_total=accurate",
        f"/fhir/Observation?patient={hidden}&_id={made}",
        f"/fhir/Device?patient={hidden}",
        f"/fhir/Device?patient={hidden}&_total=accurate",
        f"/fhir/Consent?patient={hidden}",
    ):
        one, other = (same_for(c.world.get(path, c.ehr)) for c in twins)

        assert one == other, path


def test_an_update_of_what_is_hidden_is_answered_like_one_of_what_is_absent(twins):
    keepers = []
    for clinic in twins:
        clinic.consented(code=codes(RESTING))
        keepers.append(
            clinic.world.client(
                "keeper", "system/*.cruds", organization=clinic.organization
            )
        )
    made = twins[0].world.create(observation(twins[0].patient, STEPS), twins[0].admin)
    answers = []

    for clinic, keeper in zip(twins, keepers, strict=True):
        for headers in ({}, {"If-Match": 'W/"1"'}, {"If-Match": 'W/"9"'}):
            answer = clinic.world.send(
                "PUT", f"/fhir/Observation/{made['id']}", made, {**keeper, **headers}
            )
            answers.append(same_for(answer))

    assert answers[0][0] == 404
    assert len({repr(one) for one in answers}) == 1


def test_the_device_of_denied_readings_is_not_shown(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [stored] = clinic.found(f"Consent?patient={clinic.patient}")

    clinic.world.update({**stored, "status": "inactive"}, clinic.admin)

    assert clinic.found(f"Device?patient={clinic.patient}") == []


def test_a_replay_does_not_tell_what_was_stored_before_the_withdrawal(twins):
    with_rows, _ = twins
    payload = heart_rate(1, "user-1")
    stored = [clinic.consented() for clinic in twins]
    with_rows.deliver(payload)
    for clinic, one in zip(twins, stored, strict=True):
        clinic.world.update({**one, "status": "inactive"}, clinic.admin)
    changed = heart_rate(1, "user-1", value=61)

    for sent in ([payload], [changed], [payload, heart_rate(2, "user-1")]):
        one, other = (clinic.deliver(*sent) for clinic in twins)

        assert one == other


def test_errors_hold_no_value_of_the_request(clinic):
    canary = "canary-7f3a"
    resource = observation(clinic.patient, status=canary, note=[{"text": canary}])

    answer = clinic.world.send("POST", "/fhir/Observation", resource, clinic.admin)

    assert answer.status_code == 422
    assert canary not in answer.get_data(as_text=True)


def test_a_page_token_is_no_proof_of_access(clinic):
    stored = clinic.consented()
    for number in range(3):
        clinic.deliver(heart_rate(number, "user-1"))
    bundle = clinic.search(f"Observation?patient={clinic.patient}&_count=1")
    following = link(bundle, "next").partition("/fhir/")[2]
    clinic.world.update({**stored, "status": "inactive"}, clinic.admin)

    assert clinic.found(following) == []


def test_what_is_hidden_is_audited_as_denied_with_the_reason(clinic):
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)

    last = clinic.world.audited()[-1]
    assert (last.outcome, last.status, last.reason) == (Outcome.DENIED, 404, "consent")
    assert last.patients == (
        clinic.world.deployment.services.pseudonym(clinic.patient),
    )
    assert list(last.disclosed) == []
