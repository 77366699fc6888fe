"""What a body must be to be stored: told with its place, whichever way it comes."""

import pytest
from worlds import observation
from writes import code, patch, post

XHTML = "http://www.w3.org/1999/xhtml"
HEART_RATE_PROFILE = "http://hl7.org/fhir/StructureDefinition/heartrate"


def media(**content):
    return {
        "resourceType": "Media",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "content": {"contentType": "text/plain", **content},
    }


@pytest.mark.parametrize(
    ("body", "issue"),
    [
        (b'{"status":"final"}', "invalid"),
        (b'{"resourceType":"Patient"}', "invalid"),
        (b'{"resourceType":7}', "invalid"),
        (b'{"resourceType":"Observation","resourceType":"Observation"}', "structure"),
        (b"[]", "structure"),
        (b"", "structure"),
    ],
)
def test_a_body_is_one_resource_of_the_type_of_the_url(clinic, body, issue):
    made = clinic.world.send("POST", "/fhir/Observation", body, clinic.admin)
    changed = clinic.world.send("PUT", "/fhir/Observation/1", body, clinic.admin)

    for answer in (made, changed):
        assert (answer.status_code, code(answer)) == (400, issue)


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"performer": [{"reference": "javascript:alert(1)"}]}, "performer[0]"),
        ({"performer": [{"reference": "data:text/html,x"}]}, "performer[0]"),
        ({"performer": [{"reference": "file:///etc/passwd"}]}, "performer[0]"),
        ({"performer": [{"reference": "#none"}]}, "performer[0]"),
        (
            {"modifierExtension": [{"url": "https://x.example", "valueCode": "a"}]},
            "modifierExtension",
        ),
        (
            {
                "text": {
                    "status": "generated",
                    "div": f'<div xmlns="{XHTML}" onclick="x">a</div>',
                }
            },
            "text.div",
        ),
        (
            {
                "text": {
                    "status": "generated",
                    "div": f'<div xmlns="{XHTML}"><script>x</script></div>',
                }
            },
            "text.div",
        ),
        ({"meta": {"profile": [HEART_RATE_PROFILE]}}, "category"),
        ({"valueBoolean": True}, "value"),
        ({"dataAbsentReason": {"text": "x"}}, ""),
    ],
)
def test_what_is_dangerous_or_untrue_is_refused_with_its_place(clinic, change, element):
    clinic.consented()
    made = post(clinic, observation(clinic.patient)).json
    operations = [
        {"op": "add", "path": f"/{name}", "value": value}
        for name, value in change.items()
    ]

    answers = [
        post(clinic, {**observation(clinic.patient), **change}),
        patch(clinic, f"Observation/{made['id']}", operations),
    ]

    for answer in answers:
        assert answer.status_code == 422
        places = [one["expression"][0] for one in answer.json["issue"]]
        wanted = f"Observation.{element}".rstrip(".")
        assert any(one.startswith(wanted) for one in places), places


@pytest.mark.parametrize(
    "content", [{"data": "abc"}, {"data": "YWJj", "hash": "AAAA", "size": -1}]
)
def test_an_attachment_that_is_not_base64_is_refused(clinic, content):
    answer = post(clinic, media(**content))

    assert answer.status_code == 422
    places = [one["expression"][0] for one in answer.json["issue"]]
    assert any(one.startswith("Media.content") for one in places)


def test_text_of_any_script_is_kept_as_it_is(clinic):
    clinic.consented()
    text = "e\u0301 \u202e \u200b <b>&amp;</b> \U0001f9e0 " + "x" * 1_000_000
    body = {**observation(clinic.patient), "note": [{"text": text}]}

    made = post(clinic, body).json

    read = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)
    assert read.json["note"] == [{"text": text}]


def test_what_refers_to_itself_is_stored(clinic):
    clinic.consented()
    made = post(clinic, observation(clinic.patient)).json
    itself = [{"reference": f"Observation/{made['id']}"}]

    answer = clinic.world.send(
        "PUT",
        f"/fhir/Observation/{made['id']}",
        {**made, "hasMember": itself},
        clinic.admin,
    )

    assert (answer.status_code, answer.json["hasMember"]) == (200, itself)


def test_a_profile_that_nobody_knows_is_kept_and_no_obstacle(clinic):
    claimed = ["https://nobody.example/StructureDefinition/x"]

    answer = post(clinic, observation(clinic.patient, meta={"profile": claimed}))

    assert (answer.status_code, answer.json["meta"]["profile"]) == (201, claimed)
