"""History: versions newest first, each judged by itself, page after page."""

import pytest
from test_vread import deny, recoded
from worlds import RESTING, STEPS, link, observation, same_for

from conformance.validation import validate

INSTANTS = [
    "2026-11-20T12:00:00.000Z",
    "2026-11-20T12:01:00.000Z",
    "2026-11-20T12:02:00.000Z",
]


@pytest.fixture
def made(clinic):
    """Return three versions of one Observation, a minute between each two."""
    clinic.consented()
    versions = [clinic.world.create(observation(clinic.patient), clinic.admin)]
    for status in ("amended", "corrected"):
        clinic.world.clock.pass_s(60)
        versions.append(
            clinic.world.update({**versions[-1], "status": status}, clinic.admin)
        )
    return versions


def bundle(clinic, path, headers=None):
    answer = clinic.world.get(f"/fhir/{path}", headers or clinic.ehr)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert [one for one in validate(answer.json) if one.severity.value == "error"] == []
    return answer.json


def shown(found):
    """Return (id, version) of each entry."""
    return [
        (one["fullUrl"].rpartition("/")[2], int(one["response"]["etag"][3:-1]))
        for one in found.get("entry", ())
        if "fullUrl" in one
    ]


def versions(found):
    return [version for _, version in shown(found)]


def pages(clinic, path):
    """Yield every page from one on."""
    while path is not None:
        page = bundle(clinic, path)
        yield page
        following = link(page, "next")
        path = following and following.partition("/fhir/")[2]


def test_a_history_is_every_version_newest_first(clinic, made):
    path = f"Observation/{made[0]['id']}"
    base = "http://localhost:8000/fhir"

    found = bundle(clinic, f"{path}/_history")

    assert found["type"] == "history"
    assert found["total"] == 3
    assert found["link"] == [{"relation": "self", "url": f"{base}/{path}/_history"}]
    assert found["entry"] == [
        {
            "fullUrl": f"{base}/{path}",
            "resource": resource,
            "request": {"method": method, "url": url},
            "response": {"status": status, "etag": etag, "lastModified": instant},
        }
        for resource, method, url, status, etag, instant in (
            (made[2], "PUT", path, "200", 'W/"3"', INSTANTS[2]),
            (made[1], "PUT", path, "200", 'W/"2"', INSTANTS[1]),
            (made[0], "POST", "Observation", "201", 'W/"1"', INSTANTS[0]),
        )
    ]


def test_a_deletion_is_an_entry_without_a_resource(clinic, made):
    path = f"Observation/{made[0]['id']}"
    clinic.world.clock.pass_s(60)
    clinic.world.http.delete(f"/fhir/{path}", headers=clinic.admin)

    found = bundle(clinic, f"{path}/_history")

    assert versions(found) == [4, 3, 2, 1]
    assert found["entry"][0] == {
        "fullUrl": f"http://localhost:8000/fhir/{path}",
        "request": {"method": "DELETE", "url": path},
        "response": {
            "status": "204",
            "etag": 'W/"4"',
            "lastModified": "2026-11-20T12:03:00.000Z",
        },
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("_since=2026-11-20T12:01:00Z", [3, 2]),
        ("_since=2026-11-20T12:01:00.001Z", [3]),
        ("_since=2026-11-20T13:01:00%2B01:00", [3, 2]),
        ("_since=2026-11-20T13:01:00+01:00", [3, 2]),
        ("_since=2026-11-20", [3, 2, 1]),
        ("_since=2027-01-01T00:00:00Z", []),
        ("_at=2026-11-20T12:00:30Z", [1]),
        ("_at=2026-11-20T12:01:00.000Z", [2]),
        ("_at=2026-11-20T12:01", [2]),
        ("_at=2026-11-20T11:59:59Z", []),
        ("_at=2026-11-20", [3, 2, 1]),
        ("_at=2026-12", [3]),
        ("_at=2026-11-20T12:01:30Z&_since=2026-11-20T12:01:00Z", [2]),
        ("_at=2026-11-20T12:00:30Z&_since=2026-11-20T12:01:00Z", []),
    ],
)
@pytest.mark.parametrize("level", ["instance", "type", "system"])
def test_a_window_leaves_versions_out(clinic, made, level, query, expected):
    path = {
        "instance": f"Observation/{made[0]['id']}/_history",
        "type": "Observation/_history",
        "system": "_history",
    }[level]

    found = shown(bundle(clinic, f"{path}?{query}"))

    assert [v for id_, v in found if id_ == made[0]["id"]] == expected


def test_the_total_counts_the_window_and_not_the_page(clinic, made):
    path = f"Observation/{made[0]['id']}/_history"

    found = bundle(clinic, f"{path}?_since=2026-11-20T12:01:00Z&_count=1")

    assert found["total"] == 2
    assert versions(found) == [3]


@pytest.mark.parametrize("query", ["_count=0", "_summary=count"])
def test_a_history_of_no_entries_is_its_total(clinic, made, query):
    found = bundle(clinic, f"Observation/{made[0]['id']}/_history?{query}")

    assert found["total"] == 3
    assert "entry" not in found
    assert link(found, "next") is None
    assert "entry" not in bundle(clinic, f"Observation/_history?{query}")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("level", ["instance", "type", "system"])
def test_pages_join_to_the_whole(clinic, made, level, count):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.world.create(observation(clinic.patient, STEPS), clinic.admin)
    path = {
        "instance": f"Observation/{made[0]['id']}/_history",
        "type": "Observation/_history",
        "system": "_history",
    }[level]
    whole = shown(bundle(clinic, path))

    found = list(pages(clinic, f"{path}?_count={count}"))

    assert [one for page in found for one in shown(page)] == whole
    assert len(set(whole)) == len(whole) >= 3
    assert {len(shown(page)) for page in found[:-1]} <= {count}


def test_a_page_moves_with_no_version_written_meanwhile(clinic, made):
    first, *_ = pages(clinic, "Observation/_history?_count=1")
    assert shown(first) == [(made[0]["id"], 3)]
    clinic.world.clock.pass_s(60)
    clinic.world.update({**made[2], "status": "final"}, clinic.admin)
    clinic.world.create(observation(clinic.patient), clinic.admin)

    following = link(first, "next").partition("/fhir/")[2]

    assert [one for page in pages(clinic, following) for one in shown(page)] == [
        (made[0]["id"], 2),
        (made[0]["id"], 1),
    ]


def test_more_versions_than_are_fetched_at_once_are_all_there(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    for number in range(70):
        made = clinic.world.update({**made, "valueInteger": number}, clinic.admin)
    expected = list(range(71, 0, -1))

    of_instance = bundle(clinic, f"Observation/{made['id']}/_history?_count=100")
    of_type = bundle(clinic, "Observation/_history?_count=100")

    assert versions(of_instance) == expected
    assert versions(of_type) == expected


def test_a_version_that_may_not_be_seen_is_left_out(clinic):
    given = clinic.consented()
    made = recoded(clinic)
    path = f"Observation/{made['id']}/_history"

    for denied, left in ((RESTING, [2]), (STEPS, [1])):
        deny(clinic, given, denied)

        assert versions(bundle(clinic, path)) == left
        assert bundle(clinic, path)["total"] == 1
        assert versions(bundle(clinic, "Observation/_history")) == left
        of_all = shown(bundle(clinic, "_history"))
        assert [v for id_, v in of_all if id_ == made["id"]] == left


def test_a_deletion_is_shown_where_the_version_before_it_is(clinic):
    given = clinic.consented()
    made = recoded(clinic)
    clinic.world.http.delete(f"/fhir/Observation/{made['id']}", headers=clinic.admin)
    path = f"Observation/{made['id']}/_history"

    deny(clinic, given, RESTING)
    assert versions(bundle(clinic, path)) == [3, 2]

    deny(clinic, given, STEPS)
    assert versions(bundle(clinic, path)) == [1]
    assert versions(bundle(clinic, "Observation/_history")) == [1]


def test_hidden_versions_leave_no_gap_between_pages(clinic):
    given = clinic.consented()
    for number in range(8):
        code = STEPS if number % 2 else RESTING
        clinic.world.create(observation(clinic.patient, code), clinic.admin)
    deny(clinic, given, STEPS)

    found = list(pages(clinic, "Observation/_history?_count=2"))

    assert [len(shown(page)) for page in found] == [2, 2]


def test_a_history_of_which_nothing_may_be_seen_is_like_none(clinic):
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    absent = "z" * len(made["id"])

    hidden, never = (
        same_for(clinic.world.get(f"/fhir/Observation/{id_}/_history", clinic.ehr))
        for id_ in (made["id"], absent)
    )

    assert hidden[0] == 404
    assert hidden[2].replace(made["id"].encode(), absent.encode()) == never[2]
    assert hidden[1] == never[1]


def test_a_type_of_which_nothing_may_be_seen_is_empty_like_one_without_any(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)

    hidden = bundle(clinic, "Observation/_history")
    none = bundle(clinic, "Location/_history")

    assert {**hidden, "link": []} == {**none, "link": []}


@pytest.mark.usefixtures("made")
def test_a_history_of_everything_is_of_the_types_that_scopes_cover(clinic):
    some = clinic.world.client(
        "some",
        "system/Organization.s system/Patient.r",
        organization=clinic.organization,
    )

    found = bundle(clinic, "_history", some)

    assert [one["resource"]["resourceType"] for one in found["entry"]] == [
        "Organization"
    ]


def test_shared_resources_have_a_history_too(clinic):
    found = bundle(clinic, "Organization/_history")

    assert versions(found) == [1]


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("system/Observation.s", "Observation/{id}/_history"),
        ("system/Observation.r", "Observation/_history"),
        ("system/Observation.r", "_history"),
        ("system/Patient.rs", "Observation/_history"),
    ],
)
def test_a_history_needs_its_scope(clinic, made, scope, path):
    client = clinic.world.client("c", scope, organization=clinic.organization)

    answer = clinic.world.get(f"/fhir/{path.format(id=made[0]['id'])}", client)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "_since=yesterday",
        "_since=2026-02-30T00:00:00Z",
        "_since=ge2026-01-01",
        "_since=",
        "_at=2026-13",
        "_count=-1",
        "_count=1.5",
        "_count=%D9%A3",
        "_count=",
        "_since=2026&_since=2027",
        "_at=2026&_at=2027",
        "_count=1&_count=2",
        "_page=abc",
        "_page=a&_page=b",
        "_summary=some",
        "_elements=nonsense",
        "a=%FF",
    ],
)
def test_a_value_that_cannot_be_read_is_refused(clinic, made, query):
    for path in (f"Observation/{made[0]['id']}/_history", "Observation/_history"):
        answer = clinic.world.get(f"/fhir/{path}?{query}", clinic.ehr)

        assert answer.status_code == 400
        assert answer.json["issue"][0]["code"] == "invalid"


def test_an_unknown_parameter_is_left_out_and_reported(clinic, made):
    path = f"Observation/{made[0]['id']}/_history"

    found = bundle(clinic, f"{path}?foo=1&_count=1&foo=2")

    assert link(found, "self") == f"http://localhost:8000/fhir/{path}?_count=1"
    *_, last = found["entry"]
    [issue] = last["response"]["outcome"]["issue"]
    assert issue["severity"] == "warning"
    assert issue["code"] == "not-supported"
    assert "'foo'" in issue["diagnostics"]


def test_an_unknown_parameter_is_refused_under_strict_handling(clinic, made):
    path = f"/fhir/Observation/{made[0]['id']}/_history"

    strict = {"Prefer": "handling=strict"}
    refused = clinic.world.get(f"{path}?foo=1", clinic.ehr, **strict)
    served = clinic.world.get(path, clinic.ehr, **strict)

    assert refused.status_code == 400
    assert refused.json["issue"][0]["code"] == "not-supported"
    assert served.headers["Preference-Applied"] == "handling=strict"


@pytest.mark.parametrize("query", ["_list=1", "_type=Patient", "_type:not=Patient"])
def test_what_would_narrow_the_answer_is_refused_even_leniently(clinic, query):
    answer = clinic.world.get(f"/fhir/_history?{query}", clinic.ehr)

    assert answer.status_code == 400
    assert answer.json["issue"][0]["code"] == "not-supported"


@pytest.mark.usefixtures("made")
def test_a_page_token_belongs_to_its_history_and_client(clinic):
    first = bundle(clinic, "Observation/_history?_count=1")
    token = link(first, "next").partition("_page=")[2]
    tried = [
        (f"_history?_count=1&_page={token}", clinic.ehr),
        (f"Observation/_history?_count=2&_page={token}", clinic.ehr),
        (f"Observation/_history?_page={token}", clinic.ehr),
        (f"Observation/_history?_count=1&_page={token[:-2]}AA", clinic.ehr),
        (f"Observation/_history?_count=1&_page={token}", clinic.admin),
    ]

    for path, headers in tried:
        assert clinic.world.get(f"/fhir/{path}", headers).status_code == 400


def test_a_page_after_a_withdrawal_shows_nothing(clinic):
    given = clinic.consented()
    for _ in range(3):
        clinic.world.create(observation(clinic.patient), clinic.admin)
    first = bundle(clinic, "Observation/_history?_count=1")
    clinic.world.update({**given, "status": "inactive"}, clinic.admin)

    following = link(first, "next").partition("/fhir/")[2]

    assert shown(bundle(clinic, following)) == []


@pytest.mark.parametrize(
    ("path", "status"), [("Nonsense/_history", 400), ("Nonsense/1/_history", 404)]
)
def test_a_type_that_is_none_has_no_history(clinic, path, status):
    assert clinic.world.get(f"/fhir/{path}", clinic.ehr).status_code == status


def test_entries_may_be_shown_in_part(clinic, made):
    path = f"Observation/{made[0]['id']}/_history?_elements=subject"

    found = bundle(clinic, path)

    assert len(found["entry"]) == 3
    for one in found["entry"]:
        assert set(one["resource"]) == {
            "resourceType",
            "id",
            "meta",
            "status",
            "code",
            "subject",
        }


@pytest.mark.usefixtures("made")
def test_the_audit_names_the_versions_that_left_and_the_patient(clinic):
    bundle(clinic, "Observation/_history?_count=2")

    last = clinic.world.audited()[-1]

    assert last.interaction.value == "history"
    assert len(set(last.disclosed)) == 2
    pseudonym = clinic.world.deployment.services.pseudonym
    assert last.patients == (pseudonym(clinic.patient),)
