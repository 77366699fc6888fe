"""Reads under a condition: 304 for what the client holds and may see, else the body."""

import pytest
from worlds import codes, observation

WRITTEN = "Fri, 20 Nov 2026 12:00:00 GMT"


@pytest.fixture
def path(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    return f"/fhir/Observation/{made['id']}"


@pytest.mark.parametrize(
    "tags",
    ['W/"1"', '"1"', "*", ' W/"7" , W/"1"', '"x", "1"', 'W/"1",'],
)
def test_a_version_that_the_client_holds_is_not_sent_again(clinic, path, tags):
    answer = clinic.world.get(path, clinic.ehr, **{"If-None-Match": tags})

    assert answer.status_code == 304
    assert answer.get_data() == b""
    assert answer.headers["ETag"] == 'W/"1"'


@pytest.mark.parametrize("tags", ['W/"2"', '"11"', "1", "", 'W/"', 'W/"1', '"*"x'])
def test_another_version_is_sent(clinic, path, tags):
    answer = clinic.world.get(path, clinic.ehr, **{"If-None-Match": tags})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (WRITTEN, 304),
        ("Fri, 20 Nov 2026 12:00:01 GMT", 304),
        ("Friday, 20-Nov-26 12:00:00 GMT", 304),
        ("Fri, 20 Nov 2026 11:59:59 GMT", 200),
        ("Fri, 20 Nov 2026 13:00:00 +0200", 200),
        ("2026-11-20T12:00:00Z", 200),
        ("yesterday", 200),
        ("Fri, 20 Nov 99999999999999999999 12:00:00 GMT", 200),
        ("", 200),
    ],
)
def test_what_has_not_changed_since_is_not_sent_again(clinic, path, since, status):
    answer = clinic.world.get(path, clinic.ehr, **{"If-Modified-Since": since})

    assert answer.status_code == status


def test_a_change_within_the_second_counts_as_that_second(clinic):
    clinic.consented()
    clinic.world.clock.pass_s(0.5)
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    path = f"/fhir/Observation/{made['id']}"

    answer = clinic.world.get(path, clinic.ehr, **{"If-Modified-Since": WRITTEN})

    assert made["meta"]["lastUpdated"] == "2026-11-20T12:00:00.500Z"
    assert answer.status_code == 304


def test_the_tag_weighs_more_than_the_date(clinic, path):
    both = {"If-None-Match": 'W/"2"', "If-Modified-Since": WRITTEN}

    assert clinic.world.get(path, clinic.ehr, **both).status_code == 200


def test_a_new_version_is_sent(clinic, path):
    old = clinic.world.get(path, clinic.ehr)
    clinic.world.update({**old.json, "status": "amended"}, clinic.admin)

    answer = clinic.world.get(
        path, clinic.ehr, **{"If-None-Match": old.headers["ETag"]}
    )

    assert answer.json["status"] == "amended"


def test_a_head_answers_as_the_read_without_its_body(clinic, path):
    read = clinic.world.get(path, clinic.ehr)

    head = clinic.world.http.head(path, headers=clinic.ehr)
    held = clinic.world.http.head(path, headers={**clinic.ehr, "If-None-Match": "*"})

    assert head.status_code == 200
    assert head.get_data() == b""
    assert head.headers["ETag"] == read.headers["ETag"]
    assert held.status_code == 304


@pytest.mark.parametrize(
    "condition",
    [
        {"If-None-Match": "*"},
        {"If-None-Match": 'W/"1"'},
        {"If-Modified-Since": "Fri, 20 Nov 2026 13:00:00 GMT"},
    ],
)
def test_what_is_hidden_is_never_304(clinic, condition):
    clinic.consented(provision=[{"type": "deny", "code": codes("40443-4")}])
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    for suffix in ("", "/_history/1"):
        path = f"/fhir/Observation/{made['id']}{suffix}"
        answer = clinic.world.get(path, clinic.ehr, **condition)

        assert answer.status_code == 404


def test_what_was_not_sent_is_not_disclosed(clinic, path):
    clinic.world.get(path, clinic.ehr, **{"If-None-Match": "*"})

    last = clinic.world.audited()[-1]

    assert (last.status, list(last.disclosed)) == (304, [])
    assert last.patients
