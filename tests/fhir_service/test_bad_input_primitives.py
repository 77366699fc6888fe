"""Values that FHIR's data types do not allow: refused with the element to blame.

The number before a case is that of its kind of bad input; test_bad_input_list.py
walks them.
"""

import pytest
from outcomes import assert_refused
from worlds import observation

from conformance import fhir_json

UCUM = "http://unitsofmeasure.org"
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def quantity(**more):
    return {"valueInteger": None, "valueQuantity": {"unit": "x", **more}}


def contained(**more):
    inner = {"resourceType": "Device", "id": "a", **more}
    return {"contained": [inner], "focus": [{"reference": "#a"}]}


def narrative(inside):
    return {"text": {"status": "generated", "div": f"<div {XHTML}>{inside}</div>"}}


BAD = {
    "23 number in a string": (quantity(value="72"), "Observation.value"),
    "24 boolean for a number": (quantity(value=True), "Observation.value"),
    "24 number for a boolean": (
        {"valueInteger": None, "valueBoolean": 1},
        "Observation.value",
    ),
    "25 status of no value set": ({"status": "bogus"}, "Observation.status"),
    "26 empty array": ({"category": []}, "Observation.category"),
    "26 empty object": ({"method": {}}, "Observation.method"),
    "26 empty string": ({"method": {"text": ""}}, "Observation.method.text"),
    "26 whitespace": ({"method": {"text": " \t"}}, "Observation.method.text"),
    "26 null": ({"method": None}, "Observation.method"),
    "26 array of null": ({"category": [None]}, "Observation.category"),
    "27 id of 65 characters": (contained(id="a" * 65), "Observation.contained[0].id"),
    "27 id with dots and slash": (contained(id="../a"), "Observation.contained[0].id"),
    "27 id of other digits": (contained(id="\u0663"), "Observation.contained[0].id"),
    "28 no zone": ({"effectiveDateTime": "2026-01-01T10:00:00"}, "Observation.effect"),
    "28 hour 24": ({"effectiveDateTime": "2026-01-01T24:00:00Z"}, "Observation.effect"),
    "28 30 February": ({"effectiveDateTime": "2026-02-30"}, "Observation.effect"),
    "28 year 0": ({"effectiveDateTime": "0000"}, "Observation.effect"),
    "28 offset +15": (
        {"effectiveDateTime": "2026-01-01T10:00:00+15:00"},
        "Observation.effect",
    ),
    "28 seconds since 1970": ({"effectiveDateTime": 1767261600}, "Observation.effect"),
    "28 instant of a day": ({"issued": "2026-01-01"}, "Observation.issued"),
    "30 end before start": (
        {"effectivePeriod": {"start": "2026-02-02", "end": "2026-01-01"}},
        "Observation.effective",
    ),
    "33 two values": ({"valueBoolean": True}, "Observation.value"),
    "34 a value and why there is none": (
        {"dataAbsentReason": {"text": "a"}},
        "Observation",
    ),
    "35 javascript": (
        {"focus": [{"reference": "javascript:a()"}]},
        "Observation.focus",
    ),
    "35 data": ({"focus": [{"reference": "data:text/html,a"}]}, "Observation.focus"),
    "35 file": ({"focus": [{"reference": "file:///etc/a"}]}, "Observation.focus"),
    "36 contained and absent": ({"focus": [{"reference": "#no"}]}, "Observation"),
    "36 contained and not named": (
        {"contained": [{"resourceType": "Device", "id": "a"}]},
        "Observation",
    ),
    "36 subject of another host": (
        {"subject": {"reference": "https://evil.example/Patient/1"}},
        "Observation",
    ),
    "40 modifier that nobody knows": (
        {
            "modifierExtension": [
                {"url": "https://clinic.example/not", "valueBoolean": True}
            ]
        },
        "Observation.modifierExtension",
    ),
    "41 script": (narrative("<script>a()</script>"), "Observation.text"),
    "41 handler": (narrative('<p onclick="a()">a</p>'), "Observation.text"),
    "41 drawing": (narrative("<svg><script/></svg>"), "Observation.text"),
    "41 image elsewhere": (
        narrative('<img src="https://evil.example/a.png" alt="a"/>'),
        "Observation.text",
    ),
    "41 entity": (
        {
            "text": {
                "status": "generated",
                "div": f'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///a">]><div {XHTML}>&x;'
                "</div>",
            }
        },
        "Observation.text",
    ),
    "42 base64 without its end": (
        {"extension": [{"url": "https://a.example/b", "valueBase64Binary": "AAA"}]},
        "Observation.extension[0].value",
    ),
    "43 profile not met": (
        {"meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"]}},
        "Observation",
    ),
}


def changed(clinic, change):
    """Return an Observation with the members of `change`; None removes one."""
    resource = {**observation(clinic.patient), **change}
    if change.get("valueInteger", 1) is None:
        del resource["valueInteger"]
    return resource


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_with_its_place(name, clinic):
    clinic.consented()
    change, place = BAD[name]

    answer = clinic.world.send(
        "POST", "/fhir/Observation", changed(clinic, change), clinic.admin
    )

    assert_refused(answer, {400, 422}, place)


GOOD = {
    "28 leap second": {"effectiveDateTime": "2016-12-31T23:59:60Z"},
    "28 offset +14": {"effectiveDateTime": "2026-01-01T10:00:00+14:00"},
    "28 offset -12": {"effectiveDateTime": "2026-01-01T10:00:00-12:00"},
    "28 nine digits of a second": {
        "effectiveDateTime": "2026-01-01T10:00:00.123456789Z"
    },
    "28 year 9999": {"effectiveDateTime": "9999-12-31"},
    "29 in the future": {"effectiveDateTime": "2126-01-01"},
    "29 issued before it happened": {
        "effectiveDateTime": "2026-01-02",
        "issued": "2026-01-01T00:00:00Z",
    },
    "31 unit that UCUM lacks": quantity(value=1, system=UCUM, code="[wrong]"),
    "31 unit that says another thing": quantity(value=1, system=UCUM, code="Cel"),
    "32 below what a body can be": quantity(value=-5, system=UCUM, code="/min"),
    "36 another host": {"focus": [{"reference": "https://other.example/Device/1"}]},
    "36 of a version": {"focus": [{"reference": "Device/1/_history/2"}]},
    "38 long": {"note": [{"text": "a" * 1_000_000}]},
    "38 marks upon marks": {"note": [{"text": "a" + "\u0301" * 200}]},
    "38 right to left": {"note": [{"text": "a\u202egpj.exe"}]},
    "38 nothing to see": {"note": [{"text": "a\u200b\u2060b"}]},
    "38 letters that look alike": {"note": [{"text": "\u0430dmin"}]},
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_odd_and_allowed_is_kept_as_it_was(name, clinic):
    clinic.consented()
    sent = changed(clinic, GOOD[name])

    made = clinic.world.create(sent, clinic.admin)

    path = f"/fhir/Observation/{made['id']}"
    read = clinic.world.get(path, clinic.admin).json
    assert {name: read.get(name) for name in sent} == sent


DIGITS = {
    "20 zeros at the end": "72.00",
    "21 thirty digits": "123456789012345678901234567.890",
    "22 negative zero": "-0.0",
    "22 exponent": "1E-3",
}


@pytest.mark.parametrize("name", DIGITS)
def test_a_decimal_comes_back_with_its_own_digits(name, clinic):
    clinic.consented()
    body = fhir_json.dumps(changed(clinic, quantity(value=12345)))
    body = body.replace(b"12345", DIGITS[name].encode())

    made = clinic.world.send("POST", "/fhir/Observation", body, clinic.admin)

    assert made.status_code == 201
    path = f"/fhir/Observation/{made.json['id']}"
    text = clinic.world.get(path, clinic.admin).get_data(as_text=True)
    assert f'"value":{DIGITS[name]}' in text


def test_members_that_name_each_other_are_no_loop(clinic):
    """36: hasMember in a circle."""
    clinic.consented()
    first = clinic.world.create(observation(clinic.patient), clinic.admin)
    to_first = {"hasMember": [{"reference": f"Observation/{first['id']}"}]}
    second = clinic.world.create(observation(clinic.patient, **to_first), clinic.admin)
    to_second = {"hasMember": [{"reference": f"Observation/{second['id']}"}]}

    clinic.world.update({**first, **to_second}, clinic.admin)

    assert len(clinic.found(f"Observation?patient={clinic.patient}")) == 2


def test_what_is_contained_is_of_the_same_patient(clinic):
    """37: a contained resource of another patient."""
    clinic.consented()
    other = clinic.another_patient()
    inner = {**observation(other), "id": "a"}
    resource = observation(
        clinic.patient, contained=[inner], hasMember=[{"reference": "#a"}]
    )

    answer = clinic.world.send("POST", "/fhir/Observation", resource, clinic.admin)

    assert_refused(answer, {422}, "Observation.contained[0]")


IDS = {
    "27 65 characters": "a" * 65,
    "27 dots": "..",
    "27 escaped dots": "%2e%2e",
    "27 escaped slash": "a%2Fb",
    "27 other digits": "%D9%A3",
    "27 NUL": "a%00",
    "27 space": "a%20",
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_id_that_is_none_is_nowhere(name, method, clinic):
    body = {"resourceType": "Patient", "id": "a"} if method == "PUT" else b""

    answer = clinic.world.send(method, f"/fhir/Patient/{IDS[name]}", body, clinic.admin)

    assert_refused(answer, {400, 404})


def test_an_id_in_another_case_is_another_id(clinic):
    """27: case variants."""
    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient.upper()}", clinic.admin)

    assert_refused(answer, {404})
