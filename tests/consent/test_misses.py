"""Which elements keep a consent from permitting, rule by rule."""

from datetime import UTC

import pytest

from consent.codes import ACT_REASON, CONSENT_ACTION, RESOURCE_TYPES
from consent.data_references import Context
from consent.elements import DATA_SELECTORS
from consent.formula import Row
from consent.labels import label
from consent.misses import ELEMENTS, Asked, misses
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest
from consent.signature import describe
from consent.topology import NO_DEVICES

PLACE = Deployment(zone=UTC)
LOINC = "http://loinc.org"
DAY_US = 86_400_000_000
AT_US = 20_454 * DAY_US
"""2026-01-01."""

RESOURCE = {
    "resourceType": "Observation",
    "id": "o",
    "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
    "subject": {"reference": "Patient/p"},
    "effectiveDateTime": "2025-06-01T00:00:00Z",
}
PURPOSE = [{"system": ACT_REASON, "code": "HPAYMT"}]
ACTOR = [{"role": {"text": "recipient"}, "reference": {"reference": "Organization/o"}}]


def consent(provision, **more):
    return read(
        {
            "resourceType": "Consent",
            "id": "c",
            "meta": {"versionId": "3"},
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "patient-privacy",
                    }
                ]
            },
            "patient": {"reference": "Patient/p"},
            "dateTime": "2025-01-01",
            "provision": provision,
            **more,
        },
        deployment=PLACE,
    )


def missed(parsed):
    described = describe(RESOURCE, labels=label(RESOURCE), deployment=PLACE)
    asked = Asked(
        request=AccessRequest(
            actors=frozenset({"Organization/clinic"}),
            individual_known=False,
            purposes=((ACT_REASON, "TREAT"),),
            actions=("access",),
            btg_attested=False,
            at_us=AT_US,
        ),
        facets=described.facets,
        row=Row(
            reference="Observation/o",
            start_us=described.start_us,
            end_us=described.end_us,
        ),
        context=Context(patient="Patient/p", topology=NO_DEVICES),
    )
    return [(one.path, one.elements) for one in misses([parsed], asked)]


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("actor", ACTOR),
        ("purpose", PURPOSE),
        ("action", [{"coding": [{"system": CONSENT_ACTION, "code": "collect"}]}]),
        ("class", [{"system": RESOURCE_TYPES, "code": "Device"}]),
        ("code", [{"coding": [{"system": LOINC, "code": "55423-8"}]}]),
        ("dataPeriod", {"start": "2025-07-01"}),
        ("data", [{"meaning": "instance", "reference": {"reference": "Patient/x"}}]),
        (
            "securityLabel",
            [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                    "code": "L",
                }
            ],
        ),
    ],
)
def test_the_element_that_does_not_match_is_named(element, value):
    parsed = consent({"type": "permit", element: value})

    assert missed(parsed) == [("provision", (element,))]


def test_every_data_element_of_the_engine_has_its_name():
    assert set(ELEMENTS.values()) == DATA_SELECTORS.keys()


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ({"status": "inactive"}, "status"),
        ({"dateTime": "2026-02-01"}, "dateTime"),
        (
            {
                "scope": {
                    "coding": [
                        {
                            "system": (
                                "http://terminology.hl7.org/CodeSystem/consentscope"
                            ),
                            "code": "research",
                        }
                    ]
                }
            },
            "scope",
        ),
    ],
)
def test_a_consent_that_does_not_speak_is_named_as_a_whole(more, element):
    assert missed(consent({"type": "permit"}, **more)) == [(None, (element,))]


def test_a_consent_that_has_ended_is_named_by_its_period():
    parsed = consent({"type": "permit", "period": {"end": "2025-12-31"}})

    assert missed(parsed) == [(None, ("provision.period",))]


def test_what_permits_misses_nothing():
    assert missed(consent({"type": "permit"})) == []


def test_a_nested_permit_has_what_is_in_the_way_of_those_above():
    parsed = consent(
        {
            "type": "permit",
            "actor": ACTOR,
            "provision": [{"type": "permit", "purpose": PURPOSE}],
        }
    )

    assert missed(parsed) == [
        ("provision", ("actor",)),
        ("provision.provision[0]", ("actor", "purpose")),
    ]


def test_an_exception_is_bound_by_what_its_denial_covers():
    parsed = consent(
        {
            "type": "deny",
            "code": [{"coding": [{"system": LOINC, "code": "55423-8"}]}],
            "provision": [{"type": "permit"}],
        }
    )

    assert missed(parsed) == [("provision.provision[0]", ("code",))]


def test_a_denial_alone_misses_nothing():
    assert missed(consent({"type": "deny"})) == []


def test_the_version_is_named():
    parsed = consent({"type": "permit", "purpose": PURPOSE})

    described = describe(RESOURCE, labels=label(RESOURCE), deployment=PLACE)
    [one] = misses(
        [parsed],
        Asked(
            request=AccessRequest(
                actors=frozenset(),
                individual_known=False,
                purposes=(),
                actions=("access",),
                btg_attested=False,
                at_us=AT_US,
            ),
            facets=described.facets,
            row=Row(reference="Observation/o"),
            context=Context(patient="Patient/p", topology=NO_DEVICES),
        ),
    )

    assert (one.name, one.version, one.elements) == ("Consent/c", "3", ("purpose",))


def test_an_indeterminate_consent_misses_nothing_for_it_denies():
    assert missed(consent({"type": "PERMIT"})) == []
