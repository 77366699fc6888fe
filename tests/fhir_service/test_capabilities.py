"""The CapabilityStatement of the whole service, held against what the service does."""

import json

import pytest
from outcomes import outcome_of
from worlds import opened_world

from conformance import fhir_json
from conformance.capability_statement import Endpoints
from conformance.models import typed
from conformance.validation import validate
from conformance.validation_profiles import profile
from consent.audit.entry import Interaction
from fhir_service.interactions.capabilities import statement as statement_of
from fhir_service.interactions.received import WRITABLE
from fhir_service.operations.table import EVERY_TYPE, OPERATIONS, SYSTEM
from fhir_service.rest.message import Request
from fhir_service.routes import find
from fhir_service.search.include import include

REQUESTS = {
    "read": ("GET", "/1", Interaction.READ),
    "vread": ("GET", "/1/_history/1", Interaction.VREAD),
    "update": ("PUT", "/1", Interaction.UPDATE),
    "patch": ("PATCH", "/1", Interaction.PATCH),
    "delete": ("DELETE", "/1", Interaction.DELETE),
    "history-instance": ("GET", "/1/_history", Interaction.HISTORY),
    "history-type": ("GET", "/_history", Interaction.HISTORY),
    "create": ("POST", "", Interaction.CREATE),
    "search-type": ("GET", "", Interaction.SEARCH),
}
"""Interaction of a type → method, path below the type, and what the audit calls it."""

SYSTEM_REQUESTS = {
    "transaction": ("POST", "", Interaction.TRANSACTION),
    "batch": ("POST", "", Interaction.TRANSACTION),
    "search-system": ("GET", "", Interaction.SEARCH),
    "history-system": ("GET", "/_history", Interaction.HISTORY),
}


@pytest.fixture(scope="module")
def http(tmp_path_factory, template):
    with opened_world(tmp_path_factory.mktemp("declared"), template) as world:
        yield world.http


@pytest.fixture(scope="module")
def statement(http):
    return fhir_json.loads(http.get("/fhir/metadata").get_data())


@pytest.fixture(scope="module")
def rest(statement):
    [found] = statement["rest"]
    return found


@pytest.fixture(scope="module")
def resources(rest):
    """Return the types that are stored; an AuditEvent is rendered from the log."""
    declared = {one["type"]: one for one in rest["resource"]}
    return {name: one for name, one in declared.items() if name != "AuditEvent"}


def routed(method, path):
    request = Request(
        method=method,
        path=f"/fhir{path}",
        query="",
        headers={},
        body=b"",
        remote="",
        scheme="http",
        host="",
        request_id="",
    )
    route, _ = find(request)
    return route.interaction


def codes(declared):
    return {one["code"] for one in declared["interaction"]}


def test_it_is_valid(statement):
    found = validate(statement)

    assert [issue for issue in found if issue.severity == "error"] == []


def test_it_is_what_the_models_of_fhir_resources_take(statement):
    served = {*WRITABLE, "AuditEvent"}
    assert len(typed(statement).rest[0].resource) == len(served)


def test_it_says_what_is_asked_of_an_instance(statement):
    base = "http://localhost:8000/fhir"
    software = statement["software"]

    assert statement["kind"] == "instance"
    assert statement["url"] == f"{base}/metadata"
    assert statement["implementation"]["url"] == base
    assert statement["fhirVersion"] == "4.0.1"
    assert software == {
        "name": "FHIR interoperability service",
        "version": statement["version"],
    }
    assert statement["format"] == ["application/fhir+json", "json"]
    assert statement["patchFormat"] == ["application/json-patch+json"]


def test_it_claims_no_guide_as_a_whole(statement):
    assert "instantiates" not in statement
    assert "implementationGuide" not in statement


OAUTH_URIS = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "introspect": "introspection_endpoint",
    "revoke": "revocation_endpoint",
    "manage": "management_endpoint",
    "register": "registration_endpoint",
}
"""Name in the CapabilityStatement → name in the SMART configuration."""


def test_the_endpoints_are_those_of_the_smart_configuration(http, rest):
    known = http.get("/fhir/.well-known/smart-configuration").json

    [uris] = rest["security"]["extension"]

    told = {one["url"]: one["valueUri"] for one in uris["extension"]}
    assert uris["url"].endswith("/StructureDefinition/oauth-uris")
    assert {called: told.get(called) for called in OAUTH_URIS} == {
        called: known.get(name) for called, name in OAUTH_URIS.items()
    }
    assert told.keys() == OAUTH_URIS.keys() - {"register"}


def test_it_says_that_apps_of_browsers_may_call(rest):
    [service] = rest["security"]["service"]

    assert rest["security"]["cors"] is True
    assert service["coding"][0]["code"] == "SMART-on-FHIR"


def test_every_interaction_of_a_type_is_routed(resources):
    assert {
        (type_, code): routed(method, f"/{type_}{path}")
        for type_, declared in resources.items()
        for code in codes(declared)
        for method, path, _ in [REQUESTS[code]]
    } == {
        (type_, code): REQUESTS[code][2]
        for type_, declared in resources.items()
        for code in codes(declared)
    }


def test_every_interaction_of_the_system_is_routed(rest):
    assert codes(rest) == SYSTEM_REQUESTS.keys()
    for method, path, interaction in SYSTEM_REQUESTS.values():
        assert routed(method, path) == interaction


def test_every_type_has_every_interaction_but_that_a_consent_is_not_deleted(resources):
    lacking = {
        type_: REQUESTS.keys() - codes(declared)
        for type_, declared in resources.items()
        if REQUESTS.keys() != codes(declared)
    }

    assert lacking == {"Consent": {"delete"}}
    assert resources["Consent"]["conditionalDelete"] == "not-supported"


def test_the_types_of_later_releases_are_not_declared(resources):
    assert {"Subscription", "Bundle"}.isdisjoint(resources)


def test_the_log_is_read_and_searched_and_nothing_else(rest):
    [declared] = [one for one in rest["resource"] if one["type"] == "AuditEvent"]

    assert [one["code"] for one in declared["interaction"]] == ["read", "search-type"]
    assert {one["name"] for one in declared["searchParam"]} == {
        *("_id", "_lastUpdated", "action", "address", "agent", "date", "entity"),
        *("outcome", "patient", "source", "subtype", "type"),
    }
    assert declared["versioning"] == "no-version"


def test_conditions_and_versions_are_declared_as_they_are_served(resources):
    declared = resources["Observation"]

    assert {
        name: declared[name]
        for name in declared
        if name.startswith(("conditional", "version", "read", "update"))
    } == {
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
    }


def test_an_update_that_creates_is_declared_where_it_is_set():
    endpoints = Endpoints(authorize="https://b.example")
    told = statement_of("https://a.example", endpoints, update_creates=True)

    stored = [one for one in told["rest"][0]["resource"] if one["type"] != "AuditEvent"]
    assert {one["updateCreate"] for one in stored} == {True}


def test_every_include_that_is_declared_is_one_that_search_takes(resources):
    for declared in resources.values():
        for value in declared.get("searchInclude", ()):
            assert include("_include", value).source == declared["type"]


def test_every_reverse_include_that_is_declared_is_one_that_search_takes(resources):
    for type_, declared in resources.items():
        for value in declared.get("searchRevInclude", ()):
            assert include("_revinclude", f"{value}:{type_}").is_reverse


def test_provenance_is_found_by_reverse_includes_of_every_type(resources):
    without = [
        type_
        for type_, declared in resources.items()
        if "Provenance:target" not in declared["searchRevInclude"]
    ]

    assert without == []


def test_every_parameter_that_all_types_have_is_one_of_the_system(rest):
    assert [one["name"] for one in rest["searchParam"]] == [
        *("_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"),
    ]


def test_every_type_says_what_its_last_update_is(resources):
    for declared in resources.values():
        [told] = [
            each for each in declared["searchParam"] if each["name"] == "_lastUpdated"
        ]
        assert "Any write" in told["documentation"]


def test_every_profile_that_is_declared_is_checked_in_full_and_of_its_type(resources):
    claimed = {
        url: type_
        for type_, declared in resources.items()
        for url in declared.get("supportedProfile", ())
    }

    assert "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient" in claimed
    assert {url: profile(url).type for url in claimed} == claimed
    assert [url for url in claimed if profile(url).not_checked is not None] == []


def test_every_operation_is_declared_where_it_is_called(rest, resources):
    told = {
        (name, operation["definition"], place)
        for place, declared in ((SYSTEM, rest), *resources.items())
        for operation in declared.get("operation", ())
        for name in [operation["name"]]
    }

    assert told == {
        (one.name, one.definition, place)
        for one in OPERATIONS
        for place in (resources if one.of == EVERY_TYPE else [one.of])
    }


def test_the_compartments_are_those_of_the_release(rest):
    canonical = "http://hl7.org/fhir/CompartmentDefinition/"

    assert {one.removeprefix(canonical) for one in rest["compartment"]} == {
        *("device", "encounter", "patient", "practitioner", "relatedPerson"),
    }


@pytest.mark.parametrize("query", ["mode=full", "mode=normative", "_summary=false"])
def test_the_whole_of_it_may_be_asked_for_by_name(http, query):
    whole = http.get("/fhir/metadata").get_data()

    assert http.get(f"/fhir/metadata?{query}").get_data() == whole


@pytest.mark.parametrize(
    ("mode", "code"), [("terminology", "not-supported"), ("guess", "invalid")]
)
def test_a_mode_that_is_not_answered_is_refused(http, mode, code):
    answer = http.get(f"/fhir/metadata?mode={mode}")

    [issue] = outcome_of(answer)
    assert (answer.status_code, issue["code"]) == (400, code)


def test_a_part_of_it_can_be_asked_for(http):
    part = http.get("/fhir/metadata?_elements=url").json

    assert "rest" not in part
    assert {"url", "status", "kind", "fhirVersion", "format"} <= part.keys()
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_a_summary_of_it_is_short(http):
    whole = http.get("/fhir/metadata").get_data()

    summary = http.get("/fhir/metadata?_summary=true").get_data()

    assert len(summary) * 10 < len(whole)
    assert json.loads(summary)["rest"][0]["mode"] == "server"


@pytest.mark.parametrize("path", ["/fhir/metadata", "/fhir/CodeSystem/measurement"])
def test_what_is_published_is_not_sent_again_to_who_holds_it(http, path):
    first = http.get(path)

    again = http.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.get_data()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", ["/fhir/metadata", "/fhir/CodeSystem/measurement"])
def test_what_is_published_is_sent_to_who_holds_something_else(http, path):
    part = http.get(f"{path}?_elements=url")

    answer = http.get(path, headers={"If-None-Match": part.headers["ETag"]})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != part.headers["ETag"]
