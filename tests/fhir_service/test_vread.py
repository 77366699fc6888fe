"""Vread: each version is judged by itself, under the consents of now."""

import pytest
from worlds import LOINC, RESTING, STEPS, codes, observation, same_for

CODE = {"coding": [{"system": LOINC, "code": STEPS}]}


def versions_of(clinic, *statuses, **more):
    """Create an Observation and update it once for each further status."""
    first = {**observation(clinic.patient), "status": statuses[0], **more}
    made = [clinic.world.create(first, clinic.admin)]
    for status in statuses[1:]:
        clinic.world.clock.pass_s(60)
        made.append(clinic.world.update({**made[-1], "status": status}, clinic.admin))
    return made


def vread(clinic, made, version, headers=None):
    path = f"/fhir/{made['resourceType']}/{made['id']}/_history/{version}"
    return clinic.world.get(path, headers or clinic.ehr)


def test_every_version_is_read_as_it_was_written(clinic):
    clinic.consented()
    made = versions_of(clinic, "preliminary", "final", "amended")

    answers = [vread(clinic, made[0], version) for version in (1, 2, 3)]

    assert [answer.json for answer in answers] == made
    assert [answer.headers["ETag"] for answer in answers] == [
        'W/"1"',
        'W/"2"',
        'W/"3"',
    ]
    assert answers[1].headers["Last-Modified"] == "Fri, 20 Nov 2026 12:01:00 GMT"


@pytest.mark.parametrize("version", ["0", "3", "01", "1.0", "-1", "a", "9" * 64])
def test_an_unknown_version_is_like_an_unknown_resource(clinic, version):
    clinic.consented()
    made = versions_of(clinic, "preliminary", "final")[0]
    absent = {**made, "id": "z" * len(made["id"])}

    unknown = same_for(vread(clinic, made, version))
    never = same_for(vread(clinic, absent, version))

    assert unknown[0] == 404
    assert (
        unknown[0],
        unknown[1],
        unknown[2].replace(made["id"].encode(), absent["id"].encode()),
    ) == never


def recoded(clinic):
    """Return an Observation whose second version has another code."""
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    return clinic.world.update({**made, "code": CODE}, clinic.admin)


def deny(clinic, given, code):
    """Change a consent so that it denies a code."""
    provision = {
        **given["provision"],
        "provision": [{"type": "deny", "code": codes(code)}],
    }
    clinic.world.update({**given, "provision": provision}, clinic.admin)


@pytest.mark.parametrize(
    ("denied", "visible", "hidden"), [(RESTING, 2, 1), (STEPS, 1, 2)]
)
def test_a_version_is_hidden_by_what_it_says_itself(clinic, denied, visible, hidden):
    given = clinic.consented()
    made = recoded(clinic)
    deny(clinic, given, denied)

    assert vread(clinic, made, visible).status_code == 200
    assert same_for(vread(clinic, made, hidden)) == same_for(vread(clinic, made, 7))


def test_an_earlier_version_is_judged_by_todays_consent(clinic):
    given = clinic.consented()
    made = versions_of(clinic, "preliminary", "final")[0]
    assert vread(clinic, made, 1).status_code == 200

    clinic.world.update({**given, "status": "inactive"}, clinic.admin)

    assert vread(clinic, made, 1).status_code == 404
    assert vread(clinic, made, 2).status_code == 404


def test_a_time_in_a_consent_is_that_of_the_version(clinic):
    period = {"start": "2026-01-01", "end": "2026-06-30"}
    clinic.consented(dataPeriod=period)
    made = versions_of(clinic, "preliminary", effectiveDateTime="2026-05-01")[0]
    clinic.world.update({**made, "effectiveDateTime": "2026-09-01"}, clinic.admin)

    assert vread(clinic, made, 1).status_code == 200
    assert vread(clinic, made, 2).status_code == 404


def test_a_deleted_version_is_gone_and_the_others_stay(clinic):
    clinic.consented()
    made = versions_of(clinic, "preliminary", "final")[0]
    path = f"/fhir/Observation/{made['id']}"
    clinic.world.http.delete(path, headers=clinic.admin)

    assert clinic.world.get(path, clinic.ehr).status_code == 410
    assert vread(clinic, made, 3).status_code == 410
    assert vread(clinic, made, 3).json["issue"][0]["code"] == "deleted"
    assert vread(clinic, made, 2).json["status"] == "final"


def test_what_was_hidden_when_it_was_deleted_is_not_gone_but_absent(clinic):
    given = clinic.consented()
    made = recoded(clinic)
    path = f"/fhir/Observation/{made['id']}"
    clinic.world.http.delete(path, headers=clinic.admin)
    deny(clinic, given, STEPS)

    assert clinic.world.get(path, clinic.ehr).status_code == 404
    assert vread(clinic, made, 3).status_code == 404
    assert vread(clinic, made, 1).status_code == 200


def test_a_vread_needs_the_scope_to_read(clinic):
    clinic.consented()
    made = versions_of(clinic, "final")[0]
    searching = clinic.world.client(
        "searching", "system/Observation.s", organization=clinic.organization
    )

    assert vread(clinic, made, 1, searching).status_code == 403


def test_a_scope_filter_is_asked_of_the_version(clinic):
    clinic.consented()
    survey = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "survey",
    }
    made = versions_of(clinic, "final", category=[{"coding": [survey]}])[0]
    other = [{"coding": [{**survey, "code": "exam"}]}]
    clinic.world.update({**made, "category": other}, clinic.admin)
    surveys = clinic.world.client(
        "surveys",
        f"system/Observation.rs?category={survey['system']}|survey",
        organization=clinic.organization,
    )

    assert vread(clinic, made, 1, surveys).status_code == 200
    assert vread(clinic, made, 2, surveys).status_code == 404


def test_the_audit_names_the_version_that_left(clinic):
    clinic.consented()
    made = versions_of(clinic, "preliminary", "final")[0]
    vread(clinic, made, 2)
    [current] = clinic.world.audited()[-1].disclosed

    vread(clinic, made, 1)

    last = clinic.world.audited()[-1]
    assert last.interaction.value == "vread"
    assert list(last.disclosed) == [current - 1]
