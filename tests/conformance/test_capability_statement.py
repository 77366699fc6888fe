from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conformance.capability_statement import (
    INTERACTIONS,
    OAUTH_URIS,
    Endpoints,
    Operation,
    Served,
    ServedType,
    Software,
    capability_statement,
)
from conformance.models import typed
from conformance.validation import validate

BASE = "https://ehr.example/fhir"
OBSERVATION = ServedType(
    type="Observation",
    interactions=("search-type", "read"),
    search_parameters=("patient", "code", "_lastUpdated"),
    includes=("Observation:patient",),
    reverse_includes=("Provenance:target",),
    supported_profiles=("http://hl7.org/fhir/StructureDefinition/heartrate",),
    operations=(
        Operation("lastn", "http://hl7.org/fhir/OperationDefinition/Observation-lastn"),
    ),
    interaction_notes={"search-type": "Newest first."},
    parameter_notes={"_lastUpdated": "Any change."},
)
SERVED = Served(
    types=(OBSERVATION,),
    interactions=("batch",),
    search_parameters=("_id",),
    compartments=("Patient", "RelatedPerson"),
    endpoints=Endpoints(
        authorize="https://ehr.example/auth/authorize",
        token="https://ehr.example/auth/token",  # noqa: S106 - a URL
    ),
    security_description="Consent decides.",
    instantiates=("http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server",),
)
SOFTWARE = Software(
    name="fhir-interop-service",
    version="0.1.0",
    title="FHIR Interop Service",
    publisher="Example Clinic",
)
DATE = datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)


def statement(served=SERVED, date=DATE):
    return capability_statement(served, base_url=BASE, software=SOFTWARE, date=date)


def test_what_is_served_is_what_is_said():
    assert statement() == {
        "resourceType": "CapabilityStatement",
        "id": "metadata",
        "url": "https://ehr.example/fhir/metadata",
        "version": "0.1.0",
        "name": "FhirInteropService",
        "title": "FHIR Interop Service",
        "status": "active",
        "experimental": False,
        "date": "2026-11-20T08:15:30Z",
        "publisher": "Example Clinic",
        "kind": "instance",
        "instantiates": [
            "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
        ],
        "software": {"name": "fhir-interop-service", "version": "0.1.0"},
        "implementation": {"description": "FHIR Interop Service", "url": BASE},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "extension": [
                        {
                            "url": OAUTH_URIS,
                            "extension": [
                                {
                                    "url": "authorize",
                                    "valueUri": "https://ehr.example/auth/authorize",
                                },
                                {
                                    "url": "token",
                                    "valueUri": "https://ehr.example/auth/token",
                                },
                            ],
                        }
                    ],
                    "cors": False,
                    "description": "Consent decides.",
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/"
                                    "restful-security-service",
                                    "code": "SMART-on-FHIR",
                                    "display": "SMART-on-FHIR",
                                }
                            ],
                            "text": "OAuth 2.0 with SMART App Launch",
                        }
                    ],
                },
                "resource": [
                    {
                        "type": "Observation",
                        "supportedProfile": [
                            "http://hl7.org/fhir/StructureDefinition/heartrate"
                        ],
                        "interaction": [
                            {"code": "read"},
                            {"code": "search-type", "documentation": "Newest first."},
                        ],
                        "versioning": "versioned",
                        "readHistory": False,
                        "updateCreate": False,
                        "conditionalCreate": False,
                        "conditionalRead": "not-supported",
                        "conditionalUpdate": False,
                        "conditionalDelete": "not-supported",
                        "referencePolicy": ["literal"],
                        "searchInclude": ["Observation:patient"],
                        "searchRevInclude": ["Provenance:target"],
                        "searchParam": [
                            {
                                "name": "_lastUpdated",
                                "definition": "http://hl7.org/fhir/SearchParameter/"
                                "Resource-lastUpdated",
                                "type": "date",
                                "documentation": "Any change.",
                            },
                            {
                                "name": "code",
                                "definition": "http://hl7.org/fhir/SearchParameter/"
                                "clinical-code",
                                "type": "token",
                            },
                            {
                                "name": "patient",
                                "definition": "http://hl7.org/fhir/SearchParameter/"
                                "clinical-patient",
                                "type": "reference",
                            },
                        ],
                        "operation": [
                            {
                                "name": "lastn",
                                "definition": "http://hl7.org/fhir/"
                                "OperationDefinition/Observation-lastn",
                            }
                        ],
                    }
                ],
                "interaction": [{"code": "batch"}],
                "searchParam": [
                    {
                        "name": "_id",
                        "definition": "http://hl7.org/fhir/SearchParameter/Resource-id",
                        "type": "token",
                    }
                ],
                "compartment": [
                    "http://hl7.org/fhir/CompartmentDefinition/patient",
                    "http://hl7.org/fhir/CompartmentDefinition/relatedPerson",
                ],
            }
        ],
    }


WITHOUT_SECURITY = Served(
    types=(ServedType(type="Patient", interactions=INTERACTIONS),), cors=True
)


@pytest.mark.parametrize("served", [SERVED, WITHOUT_SECURITY])
def test_the_statement_is_a_valid_resource(served):
    typed(statement(served))

    assert [
        issue for issue in validate(statement(served)) if issue.severity == "error"
    ] == []


def test_without_an_authorization_server_there_is_no_service():
    [rest] = statement(WITHOUT_SECURITY)["rest"]

    assert rest["security"] == {"cors": True}


def test_without_a_launch_the_way_to_a_token_is_that_of_backends():
    served = replace(SERVED, endpoints=Endpoints(token="https://ehr.example/token"))  # noqa: S106 - a URL

    [service] = statement(served)["rest"][0]["security"]["service"]

    assert service["text"] == "OAuth 2.0 with SMART Backend Services"


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (
            replace(SERVED, types=(OBSERVATION, OBSERVATION)),
            "a resource type is served twice",
        ),
        (replace(SERVED, interactions=("read",)), "the system has no interaction read"),
        (
            replace(SERVED, types=(replace(OBSERVATION, interactions=("batch",)),)),
            "Observation has no interaction batch",
        ),
        (
            replace(SERVED, search_parameters=("code",)),
            "every type has no search parameter code",
        ),
        (
            replace(SERVED, types=(replace(OBSERVATION, search_parameters=("nope",)),)),
            "Observation has no search parameter nope",
        ),
        (
            replace(
                SERVED, types=(replace(OBSERVATION, search_parameters=("_content",)),)
            ),
            "Observation has no search parameter _content",
        ),
    ],
)
def test_what_fhir_does_not_have_cannot_be_declared(served, message):
    with pytest.raises(ValueError, match=message):
        statement(served)


def test_a_date_has_its_offset():
    with pytest.raises(ValueError, match="offset"):
        statement(date=datetime(2026, 11, 20))  # noqa: DTZ001 - the fault that is looked for
