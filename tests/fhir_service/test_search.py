"""Search parameters as clients meet them: understood, reported, refused by name."""

import re

import pytest
from worlds import APP_USER, LOINC, RESTING, link, observation

from fhir_service.rest.paging import Position, seal

PATIENT_FILTERS = (
    "Patient/1%2F..%2F2",
    "",
    ",",
    "%5C,",
    "%7C",
    "Patient/",
    "Patient/a%0D%0Ab",
    "Patient/" + "a" * 65,
    "٣٤",
)


@pytest.fixture
def few(clinic):
    """Return a clinic with five Observations that may be seen."""
    clinic.consented()
    for day in range(1, 6):
        clinic.world.create(
            observation(clinic.patient, effectiveDateTime=f"2026-11-{day:02}"),
            clinic.admin,
        )
    return clinic


def asked(clinic, query, **headers):
    return clinic.world.get(f"/fhir/{query}", clinic.ehr, **headers)


def refused(answer):
    assert answer.json["resourceType"] == "OperationOutcome"
    [issue] = answer.json["issue"]
    return answer.status_code, issue["code"]


def outcomes(bundle):
    return [
        issue["diagnostics"]
        for entry in bundle.get("entry", ())
        if entry["search"]["mode"] == "outcome"
        for issue in entry["resource"]["issue"]
    ]


# Unknown and unsupported


def test_an_unknown_parameter_is_left_out_and_said_to_be(few):
    bundle = few.search(f"Observation?patient={few.patient}&hitherto=1&_count=2")

    assert "hitherto" not in link(bundle, "self")
    assert "hitherto" not in link(bundle, "next")
    [told] = outcomes(bundle)
    assert "hitherto" in told
    assert len(bundle["entry"]) == 3


def test_an_unknown_parameter_is_refused_under_strict_handling(few):
    answer = asked(
        few, f"Observation?patient={few.patient}&hitherto=1", Prefer="handling=strict"
    )

    assert refused(answer) == (400, "not-supported")


@pytest.mark.parametrize(
    "parameter",
    [
        "_include=*",
        "_include=Observation:*",
        "_revinclude=*",
        "_filter=x",
        "_contained=true",
        "_type=Patient",
        "_text=x",
        "_content=x",
        "_list=x",
        "_query=x",
        "code:in=1",
        "code:below=1",
        "date:not=2026",
        "patient:Device=x",
        "patient.nothing=x",
        "_sort=code-value-quantity",
    ],
)
def test_what_changes_the_answer_and_is_not_served_is_refused(few, parameter):
    answer = asked(few, f"Observation?patient={few.patient}&{parameter}")

    assert refused(answer) == (400, "not-supported")


@pytest.mark.parametrize(
    "parameter",
    [
        "_summary=data",
        "_elements=status",
        "code:not=1",
        "code:text=x",
        "date:missing=false",
        "patient:missing=false",
        "subject:Patient.identifier=user-1",
        "subject.identifier=user-1",
        "patient.identifier=user-1",
        "_sort=code",
        "_sort=-_lastUpdated",
        "_sort=date,code",
        "_include=Observation:subject",
    ],
)
def test_what_is_served_changes_the_answer_and_not_what_is_found(few, parameter):
    found = few.found(f"Observation?patient={few.patient}&{parameter}")

    assert len(found) == (0 if parameter == "code:text=x" else 5)


def test_what_is_found_by_id_is_sorted_too(few):
    every = few.found(f"Observation?patient={few.patient}&_sort=date")
    ids = ",".join(sorted(one["id"] for one in every))

    found = few.found(f"Observation?_id={ids}&_sort=-date")

    assert [one["id"] for one in found] == [one["id"] for one in every][::-1]


@pytest.mark.parametrize("type_", ["Nonsense", "Bundle", "Parameters"])
def test_what_is_no_stored_type_is_not_searched(few, type_):
    assert refused(asked(few, f"{type_}?patient=1")) == (400, "not-supported")


def test_patient_data_is_searched_over_all_patients_that_may_be_seen(few):
    other = few.another_patient("user-2")
    few.world.create(observation(other), few.admin)

    hidden = few.found("Observation?_count=100")
    few.consented(patient_id=other)
    shown = few.found("Observation?_count=100")

    assert (len(hidden), len(shown)) == (5, 6)


# Patients


@pytest.mark.parametrize("value", PATIENT_FILTERS)
@pytest.mark.parametrize("parameter", ["patient", "subject"])
def test_a_patient_filter_that_names_no_one_patient_is_refused(few, value, parameter):
    answer = asked(few, f"Observation?patient={few.patient}&{parameter}={value}")

    assert answer.status_code == 400
    assert answer.json["issue"][0]["code"] in {"invalid", "not-supported"}


@pytest.mark.parametrize(
    "value", ["http://evil.example/Patient/1", "Device/1", "Patient/1,Patient/2"]
)
def test_a_subject_that_is_nobodys_here_finds_nothing(few, value):
    found = few.found(f"Observation?patient={few.patient}&subject={value}")

    assert found == []


def test_patients_may_be_alternatives(few):
    other = few.another_patient("user-2")
    few.consented(patient_id=other)
    few.world.create(observation(other), few.admin)

    found = few.found(f"Observation?patient={few.patient},{other}&_count=100")

    assert len(found) == 6


def test_a_patient_is_named_in_any_of_its_spellings(few):
    id_ = few.patient

    for value in (id_, f"Patient/{id_}", f"http://localhost:8000/fhir/Patient/{id_}"):
        assert len(few.found(f"Observation?patient={value}")) == 5
        assert len(few.found(f"Observation?subject:Patient={value}")) == 5


def test_two_patients_at_once_are_nobody(few):
    other = few.another_patient()
    few.consented(patient_id=other)
    few.world.create(observation(other), few.admin)

    for query in (
        f"patient={few.patient}&patient={other}",
        f"patient={other}&subject={few.patient}",
    ):
        assert few.found(f"Observation?{query}") == []
    twice = f"patient={few.patient}&subject=Patient/{few.patient}"
    assert len(few.found(f"Observation?{twice}")) == 5


# Counts, totals, pages


@pytest.mark.parametrize(
    "value", ["-1", "1.5", "٣", "1_000", "+5", " 5", "", "9" * 40, "1e3", "0x10"]
)
def test_a_count_that_is_no_whole_number_is_refused(few, value):
    answer = asked(few, f"Observation?patient={few.patient}&_count={value}")

    assert refused(answer) == (400, "invalid")


def test_a_huge_count_is_cut_to_the_largest_page(few):
    assert len(few.found(f"Observation?patient={few.patient}&_count=999999999")) == 5


def test_a_count_of_zero_asks_for_the_total_alone(few):
    bundle = few.search(f"Observation?patient={few.patient}&_count=0")

    assert bundle["total"] == 5
    assert "entry" not in bundle
    assert link(bundle, "next") is None


def test_a_total_is_told_when_it_is_asked_for(few):
    query = f"Observation?patient={few.patient}&_count=2"

    assert "total" not in few.search(query)
    assert few.search(f"{query}&_total=accurate")["total"] == 5
    assert "total" not in few.search(f"{query}&_total=none")
    assert refused(asked(few, f"{query}&_total=many")) == (400, "invalid")


def test_the_last_page_has_no_next(few):
    query = f"Observation?patient={few.patient}&_count="

    assert link(few.search(f"{query}5"), "next") is None
    assert link(few.search(f"{query}6"), "next") is None
    first = few.search(f"{query}4")
    last = few.search(link(first, "next").partition("/fhir/")[2])
    assert link(last, "next") is None
    assert len(last["entry"]) == 1


def test_the_self_link_says_what_was_understood_on_the_configured_base(few):
    query = f"Observation?patient={few.patient}&code={LOINC}|{RESTING}&_count=1"

    bundle = few.search(query)
    spoofed = few.world.get(
        f"/fhir/{query}", few.ehr, Host="evil.example", **{"X-Forwarded-Host": "evil"}
    ).json

    assert link(bundle, "self").startswith("http://localhost:8000/fhir/Observation?")
    assert link(spoofed, "self") == link(bundle, "self")
    assert bundle["entry"][0]["fullUrl"].startswith("http://localhost:8000/fhir/")


def token_of(few, query):
    return re.search("_page=([^&]+)", link(few.search(query), "next"))[1]


def test_a_page_token_is_good_for_its_own_client_and_search_alone(few):
    query = f"Observation?patient={few.patient}&_count=2"
    token = token_of(few, query)
    other = few.world.client("other", "system/*.rs", organization=few.organization)

    assert len(few.found(f"{query}&_page={token}")) == 2
    for headers, path in (
        (other, f"{query}&_page={token}"),
        (few.ehr, f"Observation?patient={few.patient}&_count=3&_page={token}"),
        (few.ehr, f"Observation?patient={few.patient}&_page={token}"),
        (few.ehr, f"{query}&code={RESTING}&_page={token}"),
        (few.ehr, f"Consent?patient={few.patient}&_count=2&_page={token}"),
    ):
        answer = few.world.get(f"/fhir/{path}", headers)
        assert refused(answer) == (400, "invalid"), path


def test_a_page_token_that_was_altered_or_made_up_is_refused(few):
    query = f"Observation?patient={few.patient}&_count=2"
    token = token_of(few, query)
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    foreign = seal(
        b"0" * 32,
        Position(0, 1),
        bound_to=f"ehr\n\nObservation\npatient={few.patient}&_count=2",
        now_us=few.world.clock(),
        lifetime_s=3600,
    )

    for one in (altered, token[:-8], foreign, "", "x", "é", "%00", "A" * 2000):
        answer = asked(few, f"{query}&_page={one}")
        assert refused(answer) == (400, "invalid"), one
    assert refused(asked(few, f"{query}&_page={token}&_page={token}"))[0] == 400


def test_a_page_token_expires_after_the_time_of_the_settings(few):
    query = f"Observation?patient={few.patient}&_count=2"
    token = token_of(few, query)
    lifetime_s = few.world.deployment.settings.page_lifetime_s

    few.world.clock.pass_s(lifetime_s)
    assert asked(few, f"{query}&_page={token}").status_code == 200
    few.world.clock.pass_s(1)

    assert refused(asked(few, f"{query}&_page={token}")) == (400, "invalid")


# Values


@pytest.mark.parametrize(
    "value",
    [
        "ge2026-13",
        "2026-02-30",
        "xx2026",
        "",
        "ge",
        "2026-1-1",
        "1767225600",
        "2026-01-01T24:30:00Z",
        "2026-01-01T00:00:00+15:00",
        "99999",
        "2026" + "0" * 2_000,
    ],
)
def test_a_date_that_is_none_is_refused(few, value):
    answer = asked(few, f"Observation?patient={few.patient}&date={value}")

    assert refused(answer) == (400, "invalid")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("2026", 5),
        ("eq2026-11", 5),
        ("2026-11-03", 1),
        ("ne2026-11-03", 4),
        ("gt2026-11-03", 2),
        ("lt2026-11-03", 2),
        ("ge2026-11-03", 3),
        ("le2026-11-03", 3),
        ("sa2026-11-03", 2),
        ("eb2026-11-03", 2),
        ("ap2026-11-03", 5),
        ("ap2026-11-19", 0),
        ("2026-11-03T00:00:00Z", 0),
        ("ge2026-11-03T00:00:00Z&date=lt2026-11-05T00:00:00Z", 2),
        ("2026-11-01,2026-11-05", 2),
        ("0001", 0),
        ("9999", 0),
    ],
)
def test_a_date_is_compared_as_an_interval(few, value, count):
    query = f"Observation?patient={few.patient}&_count=0&date={value}"

    assert few.search(query)["total"] == count


def test_an_offset_survives_an_unencoded_plus(few):
    made = observation(few.patient, effectiveDateTime="2026-10-01T10:00:00+02:00")
    few.world.create(made, few.admin)

    bundle = few.search(
        f"Observation?patient={few.patient}&date=2026-10-01T10:00:00+02:00"
    )

    assert len(bundle["entry"]) == 1


@pytest.mark.parametrize("parameter", ["_id", "code"])
def test_six_hundred_values_are_too_many(few, parameter):
    values = ",".join("a" for _ in range(600))

    answer = asked(few, f"Observation?patient={few.patient}&{parameter}={values}")

    assert refused(answer) == (400, "too-costly")


def test_three_hundred_parameters_are_too_many(few):
    more = "&".join("a=1" for _ in range(300))

    answer = asked(few, f"Observation?patient={few.patient}&{more}")

    assert answer.status_code == 400


@pytest.mark.parametrize("unit", ["a,", "&a=1"])
def test_a_query_of_ten_thousand_values_is_too_long(few, unit):
    answer = asked(few, f"Observation?_id=a{unit * 10_000}")

    assert refused(answer) == (414, "too-costly")


@pytest.mark.parametrize(
    ("more", "status"), [("x%0D%0ASet-Cookie:%20a=1", 400), ("code=a%0D%0Ab:c", 400)]
)
def test_a_line_feed_in_a_parameter_reaches_no_header_and_no_line(few, more, status):
    answer = asked(few, f"Observation?patient={few.patient}&{more}")

    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers
    assert all("\n" not in value for _, value in answer.headers)
    assert "\n" not in few.world.audited()[-1].request


def test_codes_are_escaped_as_fhir_says(few):
    few.world.create(observation(few.patient, "a,b|c$d\\e"), few.admin)

    found = few.found(
        f"Observation?patient={few.patient}&code={LOINC}|a%5C,b%5C|c%5C$d%5C%5Ce"
    )

    assert len(found) == 1


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (RESTING, 5),
        (f"{LOINC}|{RESTING}", 5),
        (f"|{RESTING}", 0),
        (f"urn:x|{RESTING}", 0),
        (f"{RESTING},1-8", 5),
        (f"{RESTING}&code=1-8", 0),
        ("' OR 1=1 --", 0),
        ("%25", 0),
        ("_", 0),
    ],
)
def test_a_code_is_matched_by_system_and_code(few, value, count):
    query = f"Observation?patient={few.patient}&_count=0&code={value}"

    assert few.search(query)["total"] == count


def test_a_system_alone_is_every_code_of_it(few):
    every = few.search(f"Observation?patient={few.patient}&_count=0&code={LOINC}|")
    none = few.search(f"Observation?patient={few.patient}&_count=0&code=urn:x|")

    assert (every["total"], none["total"]) == (5, 0)


def test_an_id_is_searched_together_with_the_other_filters(few):
    found = few.found(f"Observation?patient={few.patient}&_sort=date")
    ids = ",".join(one["id"] for one in found)
    other = few.another_patient()

    def count(more):
        return len(few.found(f"Observation?_id={ids}&{more}"))

    assert count("") == 5
    assert count(f"patient={few.patient}") == 5
    assert count(f"patient={other}") == 0
    assert count("date=2026-11-02") == 1
    assert count(f"code={RESTING}") == 5
    assert count("code=1-8") == 0
    assert count("category=vital-signs") == 0
    assert count(f"_id={found[0]['id']}") == 1
    assert len(few.all_found(f"Observation?_id={ids}&_count=2")) == 5


def test_a_patient_is_found_by_identifier(few):
    for query in ("identifier=user-1", f"identifier={APP_USER}|user-1"):
        assert [one["id"] for one in few.found(f"Patient?{query}")] == [few.patient]
    for query in ("identifier=user", "identifier=urn:x|user-1", "identifier=|user-1"):
        assert few.found(f"Patient?{query}") == []


def test_patients_come_in_pages_without_a_filter(few):
    others = {few.another_patient() for _ in range(4)}

    found = [one["id"] for one in few.all_found("Patient?_count=2&_total=accurate")]

    assert len(found) == 5
    assert set(found) == {few.patient, *others}


# The shape of an answer


def test_head_answers_like_get_without_a_body(few):
    path = f"/fhir/Observation?patient={few.patient}"

    answer = few.world.http.head(path, headers=few.ehr)

    assert answer.status_code == 200
    assert answer.get_data() == b""
    assert answer.headers["Content-Type"].startswith("application/fhir+json")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Accept": "application/fhir+json"}, "", 200),
        ({"Accept": "application/json"}, "", 200),
        ({"Accept": "*/*"}, "", 200),
        ({"Accept": "application/fhir+xml, */*;q=0.1"}, "", 200),
        ({"Accept": "application/fhir+xml"}, "", 406),
        ({"Accept": "text/html"}, "", 406),
        ({"Accept": "application/fhir+json;q=0, text/html"}, "", 406),
        ({"Accept": "application/fhir+xml"}, "&_format=json", 200),
        ({}, "&_format=application/fhir%2Bjson", 200),
        ({}, "&_format=xml", 406),
        ({}, "&_format=ttl", 406),
        ({}, "&_pretty=true", 200),
    ],
)
def test_the_format_is_negotiated(few, headers, query, status):
    answer = asked(few, f"Observation?patient={few.patient}{query}", **headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    "scopes", ["system/Patient.rs", "system/Observation.r", "system/Observation.c", ""]
)
def test_a_scope_that_does_not_cover_the_search_is_said_to_be_too_small(few, scopes):
    other = few.world.client("other", scopes, organization=few.organization)

    answer = few.world.get(f"/fhir/Observation?patient={few.patient}", other)

    assert refused(answer) == (403, "forbidden")
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
