"""What entries call each other is rewritten where R4 says so, and nowhere else."""

from decimal import Decimal

import pytest
from bundles import BASE, creating, done, entry, id_of, json_patch, transact, uuid
from worlds import observation, patient
from writes import code, place, post

from fhir_service.interactions.bundles.entries import Entry, Target
from fhir_service.interactions.bundles.plan import ordered
from fhir_service.interactions.bundles.references import Names, meaning_of, rewritten

NEW = "Patient/new"
NAMED = uuid(1)


def made(index, type_, full_url=None, method="POST"):
    return Entry(
        index=index,
        method=method,
        target=Target(type_, ""),
        resource={"resourceType": type_},
        full_url=full_url,
        conditions={},
    )


def meant(resource, full_url=None, named=NAMED):
    """Return a resource of an entry beside one called `named`, which becomes NEW."""
    within = made(0, resource["resourceType"], full_url)
    names = Names([within, made(1, "Patient", named)], (BASE,))
    meaning = meaning_of(
        names, within, lambda _entry: NEW, lambda type_, query: f"{type_}/{query}"
    )
    return rewritten(resource, meaning)


def reference_in(text, full_url=None, named=NAMED):
    resource = {"resourceType": "Basic", "subject": {"reference": text}}
    return meant(resource, full_url, named)["subject"]["reference"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (uuid(1), NEW),
        (f"{uuid(1)}#part", f"{NEW}#part"),
        (uuid(1).replace("8f2c", "8F2C"), NEW),
        ("#inside", "#inside"),
        ("Patient/1", "Patient/1"),
        ("http://other.example/Patient/1", "http://other.example/Patient/1"),
        ("Patient?name=x", "Patient/name=x"),
        ("Patient", "Patient"),
    ],
)
def test_a_reference_becomes_what_it_means(text, expected):
    assert reference_in(text) == expected


@pytest.mark.parametrize(
    ("text", "full_url", "named", "expected"),
    [
        ("Patient/1", None, f"{BASE}/Patient/1", NEW),
        ("Patient/1", None, "Patient/1", NEW),
        (f"{BASE}/Patient/1", None, "Patient/1", NEW),
        ("Patient/1", "http://a.example/Basic/9", "http://a.example/Patient/1", NEW),
        (
            "Patient/1",
            "http://b.example/Basic/9",
            "http://a.example/Patient/1",
            "Patient/1",
        ),
        ("Patient/1", uuid(2), "http://a.example/Patient/1", "Patient/1"),
        ("http://a.example/Patient/1", uuid(2), "http://a.example/Patient/1", NEW),
        ("urn:oid:1.2.3", None, "urn:oid:1.2.3", NEW),
    ],
)
def test_a_relative_reference_is_completed_by_its_own_full_url(
    text, full_url, named, expected
):
    assert reference_in(text, full_url, named) == expected


def test_only_elements_that_hold_a_reference_or_an_address_are_rewritten():
    resource = {
        "resourceType": "Observation",
        "id": "kept",
        "meta": {"source": uuid(1), "profile": [uuid(1)]},
        "identifier": [{"system": uuid(1), "value": uuid(1)}],
        "contained": [
            {
                "resourceType": "QuestionnaireResponse",
                "id": "q",
                "item": [
                    {
                        "linkId": uuid(1),
                        "item": [
                            {
                                "linkId": "1",
                                "answer": [{"valueReference": {"reference": uuid(1)}}],
                            }
                        ],
                    }
                ],
            }
        ],
        "_status": {
            "extension": [
                {"url": "http://x.example/a", "valueReference": {"reference": uuid(1)}}
            ]
        },
        "extension": [
            {"url": "http://x.example/b", "valueUuid": uuid(1)},
            {"url": "http://x.example/c", "valueUrl": uuid(1)},
            {"url": "http://x.example/d", "valueUri": uuid(1)},
            {"url": "http://x.example/e", "valueString": uuid(1)},
            {"url": "http://x.example/f", "valueUri": f"{uuid(1)}#part"},
            {"url": "http://x.example/g", "valueUri": "Patient?name=x"},
        ],
        "valueQuantity": {"value": Decimal("72.50")},
        "note": [{"text": uuid(1)}],
    }

    found = meant(resource)

    assert found == {
        **resource,
        "meta": {"source": NEW, "profile": [uuid(1)]},
        "identifier": [{"system": NEW, "value": uuid(1)}],
        "contained": [
            {
                "resourceType": "QuestionnaireResponse",
                "id": "q",
                "item": [
                    {
                        "linkId": uuid(1),
                        "item": [
                            {
                                "linkId": "1",
                                "answer": [{"valueReference": {"reference": NEW}}],
                            }
                        ],
                    }
                ],
            }
        ],
        "_status": {
            "extension": [
                {"url": "http://x.example/a", "valueReference": {"reference": NEW}}
            ]
        },
        "extension": [
            {"url": "http://x.example/b", "valueUuid": NEW},
            {"url": "http://x.example/c", "valueUrl": NEW},
            {"url": "http://x.example/d", "valueUri": NEW},
            {"url": "http://x.example/e", "valueString": uuid(1)},
            {"url": "http://x.example/f", "valueUri": f"{uuid(1)}#part"},
            {"url": "http://x.example/g", "valueUri": "Patient?name=x"},
        ],
    }


def test_an_array_of_addresses_is_rewritten_one_by_one():
    resource = {
        "resourceType": "ActivityDefinition",
        "status": "draft",
        "relatedArtifact": [{"type": "citation", "url": uuid(1)}],
    }
    plan = {"resourceType": "CarePlan", "instantiatesUri": [uuid(1), "urn:x:y"]}

    assert meant(resource)["relatedArtifact"] == [{"type": "citation", "url": NEW}]
    assert meant(plan)["instantiatesUri"] == [NEW, "urn:x:y"]


def test_links_and_images_of_a_narrative_are_rewritten():
    div = (
        f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{uuid(1)}">one</a>'
        f"<a title='x' href='{uuid(1)}#part'>two</a><img src=\"{uuid(1)}\"/>"
        f'<a href="http://x.example/?a=1&amp;b=2">kept</a><p>{uuid(1)}</p></div>'
    )
    resource = {"resourceType": "Basic", "text": {"status": "generated", "div": div}}

    found = meant(resource)["text"]["div"]

    assert found == (
        f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{NEW}">one</a>'
        f"<a title='x' href='{NEW}#part'>two</a><img src=\"{NEW}\"/>"
        f'<a href="http://x.example/?a=1&amp;b=2">kept</a><p>{uuid(1)}</p></div>'
    )


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Nonsense", "subject": {"reference": 1}},
        {"resourceType": "Basic", "subject": [{"reference": {"reference": []}}]},
        {"resourceType": "Basic", "contained": [{"resourceType": 7}, 3, None]},
        {"resourceType": "Basic", "text": {"div": 5}, "unknown": {"reference": None}},
    ],
)
def test_what_is_no_resource_is_left_to_validation(resource):
    assert meant(resource) == resource


def test_what_others_are_judged_by_comes_before_them():
    types = [
        "Provenance",
        "Observation",
        "Consent",
        "DeviceMetric",
        "Device",
        "Patient",
        "Organization",
    ]
    entries = [made(index, type_) for index, type_ in enumerate(types)]

    found = ordered(entries, {4: [1], 5: [1], 1: [4]})

    assert [entry.target.type for entry in found] == [
        "Organization",
        "Patient",
        "Device",
        "DeviceMetric",
        "Consent",
        "Observation",
        "Provenance",
    ]


def test_methods_are_done_in_the_order_of_the_standard():
    methods = ["GET", "PATCH", "PUT", "POST", "HEAD", "DELETE"]
    entries = [
        made(index, "Basic", None, method) for index, method in enumerate(methods)
    ]

    found = ordered(entries, {})

    assert [entry.method for entry in found] == [
        "DELETE",
        "POST",
        "PATCH",
        "PUT",
        "GET",
        "HEAD",
    ]


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({0: [1], 1: [2], 2: [3]}, [3, 2, 1, 0]),
        ({0: [3], 3: [0]}, [3, 0, 1, 2]),
        ({0: [0, 2], 1: [0]}, [2, 0, 1, 3]),
        ({0: [9]}, [0, 1, 2, 3]),
    ],
)
def test_what_is_needed_comes_first_and_circles_end(needs, expected):
    entries = [made(index, "List") for index in range(4)]

    found = ordered(entries, needs)

    assert [entry.index for entry in found] == expected


def test_what_is_stored_is_rewritten_in_contained_resources_too(clinic):
    clinic.consented()
    contained = {
        "resourceType": "Basic",
        "id": "inside",
        "code": {"text": "x"},
        "subject": {"reference": uuid(1)},
    }

    answered = done(
        clinic,
        creating(
            observation(
                "-",
                subject={"reference": uuid(1)},
                contained=[contained],
                focus=[{"reference": "#inside"}],
            )
        ),
        creating(patient(clinic.organization), uuid(1)),
    )

    stored = answered[0]["resource"]
    person = {"reference": f"Patient/{id_of(answered[1])}"}
    assert stored["contained"] == [{**contained, "subject": person}]
    assert stored["focus"] == [{"reference": "#inside"}]


def test_a_contained_resource_of_another_patient_is_refused(clinic):
    contained = {
        "resourceType": "Basic",
        "id": "inside",
        "code": {"text": "x"},
        "subject": {"reference": uuid(1)},
    }

    answer = transact(
        clinic,
        creating(patient(clinic.organization), uuid(1)),
        creating(
            observation(
                clinic.patient, contained=[contained], focus=[{"reference": "#inside"}]
            )
        ),
    )

    assert (answer.status_code, code(answer)) == (422, "business-rule")
    assert place(answer) == "Bundle.entry[1].resource.contained[0]"


def test_a_patch_may_refer_to_what_is_created_with_it(clinic):
    clinic.consented()
    old = post(clinic, observation(clinic.patient)).json
    operations = [
        {"op": "add", "path": "/hasMember", "value": [{"reference": uuid(1)}]},
        {"op": "add", "path": "/derivedFrom", "value": [{"display": "x"}]},
        {"op": "add", "path": "/derivedFrom/0/reference", "value": uuid(1)},
    ]
    binary = json_patch(operations)

    answered = done(
        clinic,
        entry("PATCH", f"Observation/{old['id']}", binary),
        creating(observation(clinic.patient), uuid(1)),
    )

    member = {"reference": f"Observation/{id_of(answered[1])}"}
    assert answered[0]["resource"]["hasMember"] == [member]
    assert answered[0]["resource"]["derivedFrom"] == [{"display": "x", **member}]
