"""Searches that ask for nothing sensible: refused by name, never wider, never slow.

The number before a case is that of its kind of bad input; test_bad_input_list.py
walks them.
"""

import time
from urllib.parse import quote

import pytest
from outcomes import assert_refused
from worlds import Clinic, furnish, link, observation, opened_world

FAST_S = 0.05


@pytest.fixture(scope="module")
def two(tmp_path_factory, template):
    """Return a clinic with two patients, each with one Observation to be seen."""
    with opened_world(tmp_path_factory.mktemp("two"), template) as world:
        clinic = furnish(world)
        other = clinic.another_patient()
        for patient in (clinic.patient, other):
            clinic.consented(patient_id=patient)
            world.create(observation(patient), clinic.admin)
        yield clinic, other


@pytest.fixture
def clinic(two) -> Clinic:
    return two[0]


def asked(clinic, query, **headers):
    return clinic.world.get(f"/fhir/{query}", clinic.ehr, **headers)


def patients_in(answer):
    """Return whose Observations an answer holds."""
    assert answer.json["resourceType"] == "Bundle"
    return {
        entry["resource"]["subject"]["reference"].removeprefix("Patient/")
        for entry in answer.json.get("entry", ())
        if entry["resource"]["resourceType"] == "Observation"
    }


REFUSED = {
    "54 path in an id": "patient=Patient/1%2F..%2F2",
    "54 empty": "patient=",
    "54 comma": "patient=,",
    "54 escaped comma": "patient=%5C,",
    "54 bar": "patient=%7C",
    "54 half a list": "patient=Patient/1,",
    "54 another type": "patient=Practitioner/1",
    "55 modifier of nothing": "patient:nonsense=1",
    "55 modifier of a code": "code:nonsense=1",
    "55 modifier of another kind": "code:exact=1",
    "55 two modifiers": "code:not:missing=1",
    "55 value set": "code:in=http://clinic.example/ValueSet/1",
    "55 missing of neither": "code:missing=perhaps",
    "56 negative count": "_count=-1",
    "56 count of other digits": "_count=%D9%A3",
    "56 count of Python": "_count=1_000",
    "56 count with a point": "_count=1.5",
    "56 count of many digits": "_count=" + "9" * 40,
    "57 10,000 ids": "_id=" + ",".join(["a"] * 10_000),
    "58 everything included": "_include=*",
    "58 everything that includes": "_revinclude=*:*",
    "58 everything again and again": "_include:iterate=*",
    "58 included by what is none": "_include=Observation:nonsense",
    "58 included from another type": "_revinclude=Nonsense:patient",
    "59 has of has of has": "_has:" + "Observation:subject:_has:" * 10 + "code=1",
    "59 has of nothing": "_has:Observation",
    "60 sort by nothing": "_sort=nonsense",
    "60 sort by two nothings": "_sort=-,-",
    "62 summary of another kind": "_summary=nonsense",
    "63 month 13": "date=ge2026-13",
    "63 30 February": "date=2026-02-30",
    "63 word": "date=yesterday",
    "63 prefix alone": "date=ge",
    "63 year of five digits": "date=20261",
    "63 hour without minutes": "date=2026-01-01T10",
    "64 filter": "_filter=" + quote("code eq 1 or true"),
    "64 query": "_query=all",
    "67 two thousand parameters": "&".join(["code=1"] * 2000),
    "67 two hundred thousand parameters": "&".join(["a=1"] * 200_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_search_that_is_none_is_refused(name, clinic):
    answer = asked(clinic, f"Observation?{REFUSED[name]}")

    assert_refused(answer, {400, 413, 414})


NARROW = {
    "53 two patients": "patient={one}&patient={other}",
    "53 two names of the filter": "patient={one}&subject=Patient/{other}",
    "53 in the form of a list": "patient={one}&subject:Patient={other}",
    "54 with a bar": "patient=%7C{other}",
    "54 of another host": "patient=http://evil.example/Patient/{one}",
    "55 no patient": "patient:missing=true",
    "55 identifier": "subject:identifier=nobody",
    "68 line feed": "patient={one}%0D%0A&patient={other}",
    "70 unknown filter of a patient": "patient={one}&patient.nonsense=1",
}


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_a_filter_by_patient_is_never_widened(name, handling, two):
    clinic, other = two
    query = NARROW[name].format(one=clinic.patient, other=other)

    answer = asked(clinic, f"Observation?{query}", Prefer=f"handling={handling}")

    if answer.status_code == 200:
        assert patients_in(answer) == set()
    else:
        assert_refused(answer, {400})


def test_a_list_of_patients_finds_each_of_them(two):
    clinic, other = two

    answer = asked(clinic, f"Observation?patient={clinic.patient},{other}")

    assert patients_in(answer) == {clinic.patient, other}


NOTHING = {
    "38 letters that look alike": "Patient?family=\u0430dmin",
    "65 percent": "Patient?name:contains=%25",
    "65 underscore": "Patient?name:contains=_",
    "65 backslash": "Patient?name:contains=%5C%5C",
    "65 quote": "Patient?name=" + quote("' OR 1=1 --"),
    "65 statement": "Patient?identifier=" + quote("x'; DROP TABLE resource; --"),
    "65 asterisk": "Patient?family=*",
    "66 brackets": "Patient?name:contains=" + quote("(a+)+$" * 100),
    "66 many letters": "Patient?name=" + "a" * 3000 + "!",
    "66 many dots": "Observation?code:text=" + ".*" * 1500,
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_value_means_itself_alone_and_quickly(name, clinic):
    took = []
    for _ in range(5):
        started = time.perf_counter()
        answer = asked(clinic, NOTHING[name])
        took.append(time.perf_counter() - started)

    assert answer.status_code == 200
    assert [
        e for e in answer.json.get("entry", ()) if e["search"]["mode"] == "match"
    ] == []
    assert min(took) < FAST_S


LONG = 100_000
BOMBS = {
    "66 date of digits": ("date=" + "1" * LONG, {400, 413, 414}),
    "66 date of dates": ("date=" + "2026-01-01T" * (LONG // 11), {400, 413, 414}),
    "66 number of digits": ("value-quantity=" + "1" * LONG, {400, 413, 414}),
    "66 reference of slashes": ("subject=" + "a/" * (LONG // 2), {400, 413, 414}),
    "66 code of escapes": ("code=" + "%5C" * (LONG // 10), {200, 400, 413, 414}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_form_of_any_length_holds_no_regular_expression_up(name, clinic):
    form, statuses = BOMBS[name]
    took = []
    for _ in range(5):
        started = time.perf_counter()
        answer = clinic.world.send(
            "POST",
            "/fhir/Observation/_search",
            form.encode(),
            clinic.ehr,
            "application/x-www-form-urlencoded",
        )
        took.append(time.perf_counter() - started)

    assert answer.status_code in statuses
    assert min(took) < FAST_S


def test_names_are_found_however_their_accents_are_written(clinic):
    """39: NFC and NFD."""
    person = {
        "resourceType": "Patient",
        "managingOrganization": {"reference": clinic.organization},
        "name": [{"family": "Zo\u00eb"}],
    }
    made = clinic.world.create(person, clinic.admin)

    for name in (quote("Zo\u00eb"), quote("Zoe\u0308"), "zoe", "Zo\u00eb"):
        [found] = clinic.found(f"Patient?family={name}")
        assert found["id"] == made["id"]


def test_labels_stay_whatever_elements_are_asked_for(clinic):
    """61: _elements that would drop meta.security."""
    [found] = clinic.found(f"Observation?patient={clinic.patient}&_elements=status")

    assert found["meta"]["security"]
    assert "subject" in found or "code" in found
    assert "SUBSETTED" in {tag["code"] for tag in found["meta"]["tag"]}


@pytest.mark.parametrize("summary", ["true", "text", "data", "count", "false"])
def test_every_summary_is_answered(summary, clinic):
    """62: and what they leave out is not told in another way."""
    answer = asked(clinic, f"Observation?patient={clinic.patient}&_summary={summary}")

    assert answer.status_code == 200
    assert ("entry" not in answer.json) is (summary == "count")


def test_a_large_count_is_cut_or_refused(clinic):
    """56: a count of a thousand million."""
    answer = asked(clinic, "Patient?_count=1000000000")

    assert answer.status_code in {200, 400}
    assert len(answer.json.get("entry", ())) < 1000


def altered(url, change):
    head, _, token = url.rpartition("=")
    return f"{head}={change(token)}".partition("/fhir/")[2]


TOKENS = {
    "69 cut": lambda token: token[:-5],
    "69 empty": lambda _: "",
    "69 another letter": lambda token: ("a" if token[0] != "a" else "b") + token[1:],
    "69 made up": lambda _: "AAAA",
    "69 longer": lambda token: token + "A",
    "69 no letters": lambda _: "%00%FF",
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_page_token_that_was_not_given_is_refused(name, clinic):
    following = link(clinic.search("Patient?_count=1"), "next")

    answer = asked(clinic, altered(following, TOKENS[name]))

    assert_refused(answer, {400, 410})


def test_a_page_token_of_another_client_is_refused(two):
    """69: other user's."""
    clinic, _ = two
    following = link(clinic.search("Patient?_count=1"), "next")

    answer = clinic.world.get(f"/fhir/{following.partition('/fhir/')[2]}", clinic.admin)

    assert_refused(answer, {400, 403, 410})


INJECTIONS = ("%0D%0AX-Evil:%201", "%0AX-Evil:%201", "%00", "\u2028", "%E2%80%A8")


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("parameter", ["code", "_format", "_sort", "hitherto", "_id"])
def test_no_parameter_writes_a_header(injection, parameter, clinic):
    """68: CRLF in any parameter."""
    answer = asked(
        clinic, f"Observation?patient={clinic.patient}&{parameter}=a{injection}"
    )

    assert answer.status_code < 500
    assert "X-Evil" not in answer.headers
    assert all("\n" not in value for _, value in answer.headers)


def test_an_unknown_parameter_is_refused_or_told(clinic):
    """70: under strict and under lenient handling."""
    query = f"Observation?patient={clinic.patient}&hitherto=1"

    strict = asked(clinic, query, Prefer="handling=strict")
    lenient = asked(clinic, query)

    assert_refused(strict, {400})
    assert "hitherto" not in link(lenient.json, "self")
    [told] = [e for e in lenient.json["entry"] if e["search"]["mode"] == "outcome"]
    assert "hitherto" in told["resource"]["issue"][0]["diagnostics"]
    assert patients_in(lenient) == {clinic.patient}
