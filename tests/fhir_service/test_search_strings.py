"""No query string, however made, is a fault of the service.

Beside arbitrary text this puts together the words of FHIR's search, rightly and
wrongly, so that it comes past the first check.
"""

from urllib.parse import quote

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from outcomes import outcome_of
from worlds import furnish, observation, opened_world

NAMES = [
    *("code", "date", "patient", "subject", "category", "status", "device", "name"),
    *("value-quantity", "combo-code", "code-value-quantity", "identifier", "family"),
    *("_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_sort"),
    *("_count", "_summary", "_elements", "_total", "_include", "_revinclude", "_has"),
    *("_type", "_list", "_text", "_content", "_format", "_pretty", "_filter"),
    *("_contained", "_page", "nonsense", "birthdate"),
]
SUFFIXES = [
    *("", ":missing", ":exact", ":contains", ":not", ":text", ":identifier", ":in"),
    *(":of-type", ":below", ":above", ":not-in", ":iterate", ":Patient", ":", ".name"),
    *(":Patient.name", ".identifier", ":Observation:patient:code"),
]
PIECES = [
    *("ge", "le", "gt", "lt", "ne", "eb", "sa", "ap", "eq", "2026", "-01", "-13"),
    *("-30", "T10:00", "Z", "+01:00", "%2B", "|", ",", "$", "\\", "\\,", "/", "*"),
    *("Patient/", "http://loinc.org", "8867-4", "1e3", "-0.0", "5.40", "{}", "[]"),
    *("'", '"', "%", "_", ";", "#", "true", "false", "Observation:", "code", "-", "."),
    *(":", "!", "\u00fc", "\u0663", "\u202e", "\U0001f600", "\x00", "\r\n", " "),
]

values = st.one_of(
    st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
)
names = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(SUFFIXES)).map("".join),
    st.text(max_size=20),
)


def written(pairs):
    return "&".join(
        f"{quote(name, safe=':.')}={quote(value, safe='')}" for name, value in pairs
    )


queries = st.one_of(
    st.lists(st.tuples(names, values), max_size=6).map(written),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=80),
)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory, template):
    with opened_world(tmp_path_factory.mktemp("asked"), template) as world:
        clinic = furnish(world)
        clinic.consented()
        world.create(observation(clinic.patient), clinic.admin)
        yield clinic


@seed(20261128)
@settings(max_examples=400, deadline=None, database=None)
@given(
    type_=st.sampled_from(["Observation", "Patient", "Device", ""]),
    query=queries,
    handling=st.sampled_from(["strict", "lenient"]),
    method=st.sampled_from(["GET", "POST"]),
)
def test_no_query_is_a_fault_of_the_service(type_, query, handling, method, clinic):
    headers = {**clinic.ehr, "Prefer": f"handling={handling}"}
    path = f"/fhir/{type_}".rstrip("/")

    if method == "GET":
        answer = clinic.world.get(f"{path}?{query}", headers)
    else:
        answer = clinic.world.send(
            "POST",
            f"{path}/_search",
            query.encode(),
            headers,
            "application/x-www-form-urlencoded",
        )

    assert answer.status_code < 500
    if answer.status_code == 200:
        assert (answer.json["resourceType"], answer.json["type"]) == (
            "Bundle",
            "searchset",
        )
    else:
        outcome_of(answer)
