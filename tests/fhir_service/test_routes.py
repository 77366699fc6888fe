"""One table of routes behind Flask and in front of it."""

import pytest
from worlds import observation, same_for

from fhir_service.auth.scopes import parse_scopes
from fhir_service.interactions.capabilities import NEVER_DELETED, searched
from fhir_service.interactions.received import WRITABLE
from fhir_service.rest.message import Request
from fhir_service.routes import ROUTES, hot_routes


def request_of(clinic, path, method="GET", **headers):
    path, _, query = path.partition("?")
    return Request(
        method=method,
        path=path,
        query=query,
        headers={"authorization": clinic.ehr["Authorization"], **headers},
        body=b"",
        remote="192.0.2.1",
        scheme="http",
        host="localhost:8000",
        request_id="0123456789abcdef",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/Observation?patient={patient}",
        "/fhir/Observation?patient={patient}&_count=0",
        "/fhir/Observation/{id}",
        "/fhir/Observation/absent",
        "/fhir/Observation",
        "/fhir/Patient/{patient}",
        "/fhir/Nonsense/1",
        "/fhir/Patient?_format=xml",
    ],
)
def test_the_hot_door_answers_as_the_application_does(clinic, path):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    path = path.format(patient=clinic.patient, id=made["id"])

    hot = hot_routes(clinic.world.deployment.services)(request_of(clinic, path))
    cold = clinic.world.get(path, clinic.ehr)

    assert [ticket.result(10) for ticket in hot.tickets] == [None]
    status, headers, body = same_for(cold)
    assert hot.status == status
    assert {name.lower(): value for name, value in headers} == dict(hot.headers)
    assert hot.body == cold.get_data().replace(
        cold.json["id"].encode() if status >= 400 else b"\0",
        b"0123456789abcdef",
    )
    assert body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/fhir/Patient/1"),
        ("POST", "/fhir/Patient"),
        ("GET", "/fhir/metadata"),
        ("GET", "/fhir/CodeSystem/measurement"),
        ("GET", "/fhir/a/b/c"),
        ("GET", "/livez"),
    ],
)
def test_the_hot_door_passes_on_what_it_does_not_know(clinic, method, path):
    hot = hot_routes(clinic.world.deployment.services)

    assert hot(request_of(clinic, path, method)) is None


@pytest.mark.parametrize(
    "path",
    [
        "/fhir//Patient/1",
        "/fhir/Patient/",
        "/fhir/Patient/1/",
        "/fhir/patient/1",
        "/fhir/Patient/a;b",
        "/fhir/Patient/..%2F..%2Fetc",
        "/fhir/Patient/%2e%2e/Patient",
        "/fhir/Patient/" + "a" * 65,
        "/fhir/Patient/1/_history/1/2",
        "/fhir/Patient/1/$everything",
        "/fhir/Patient/%2e",
        "/fhir/Patient/1/$",
        "/FHIR/Patient/1",
        "/device-data/",
        "/device-data/a/b",
    ],
)
def test_a_path_that_is_no_route_is_404_and_discloses_nothing(clinic, path):
    answer = clinic.world.get(path, clinic.ehr)

    assert answer.status_code == 404


def test_another_method_in_a_header_is_ignored(clinic):
    answer = clinic.world.get(
        f"/fhir/Patient/{clinic.patient}",
        clinic.ehr,
        **{"X-HTTP-Method-Override": "DELETE"},
    )

    assert answer.status_code == 200


def test_every_route_of_the_table_needs_a_token_but_the_published_ones(clinic):
    expected = dict.fromkeys(
        ("/fhir/metadata", "/fhir/CodeSystem/{id}", "/fhir/$versions"), 200
    )
    # A vendor's signature is looked at once the endpoint is known.
    expected["/device-data/{source}/push/{endpoint}"] = 404
    for route in ROUTES:
        path = route.template.format(
            type="Patient",
            id="measurement",
            source="x",
            endpoint="a" * 26,
            version="1",
            member="*",
            operation="$x",
        )

        answer = clinic.world.http.open(path, method=route.method)

        status = expected.get(route.template, 401)
        assert answer.status_code == status, route.template


def test_every_served_type_is_in_the_capability_statement_as_it_is_served(clinic):
    statement = clinic.world.get("/fhir/metadata", {}).json

    [rest] = statement["rest"]
    told = {one["type"]: one for one in rest["resource"]}
    assert told.keys() == {*WRITABLE, "AuditEvent"}
    for type_ in WRITABLE:
        one = told[type_]
        found = {parameter["name"] for parameter in one["searchParam"]}
        assert found == set(searched(type_))
        codes = {each["code"] for each in one["interaction"]}
        assert ("delete" in codes) is (type_ not in NEVER_DELETED)


def test_a_scope_of_everything_covers_every_route(clinic):
    scopes = parse_scopes("system/*.cruds")

    for type_ in WRITABLE:
        for interaction in ("read", "search-type", "create", "update"):
            assert scopes.allows(type_, interaction) is not None
    assert clinic.world
