import json
from datetime import UTC
from decimal import Decimal
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conformance import fhirpath
from conformance.build_search_parameters import INDEXED
from conformance.date_range import LATEST_US
from conformance.fhir_json import loads
from conformance.issues import FHIRError, IssueType
from conformance.search_conversions import _CONVERSIONS, _READINGS, interval
from conformance.search_extraction import along
from conformance.search_parameters import (
    Composite,
    DateRange,
    Number,
    Quantity,
    Reference,
    SearchParameter,
    String,
    Token,
    Uri,
    _table,
    date_range,
    extract_all,
    extractor,
    not_compiled,
    parameters,
    resource_types,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

HEART_RATE = loads(
    b"""{
    "resourceType": "Observation", "id": "h1",
    "meta": {"lastUpdated": "2026-11-20T08:15:30.123Z",
             "profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"],
             "tag": [{"system": "urn:t", "code": "seed"}]},
    "identifier": [{"system": "urn:x", "value": "7"}],
    "status": "final",
    "category": [{"coding": [{"system": "urn:c", "code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4",
                         "display": "Heart rate"}], "text": "Pulse"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-11-20T09:15:00+01:00",
    "device": {"reference": "Device/d1"},
    "valueQuantity": {"value": 72.50, "unit": "beats/minute",
                      "system": "http://unitsofmeasure.org", "code": "/min"}
    }"""
)
RATE = Quantity(
    Decimal("72.50"),
    Decimal("72.495"),
    Decimal("72.505"),
    UCUM,
    "/min",
    "beats/minute",
)
CODE = Token(LOINC, "8867-4", "Heart rate")


def test_everything_that_search_can_find_in_an_observation():
    found = extract_all("Observation")(HEART_RATE)

    assert found == {
        "_id": [Token(None, "h1")],
        "_lastUpdated": [
            DateRange(*date_range("2026-11-20T08:15:30.123Z", UTC), "fraction")
        ],
        "_profile": [Uri("http://hl7.org/fhir/StructureDefinition/heartrate")],
        "_tag": [Token("urn:t", "seed")],
        "identifier": [Token("urn:x", "7")],
        "status": [Token("http://hl7.org/fhir/observation-status", "final")],
        "category": [Token("urn:c", "vital-signs")],
        "code": [CODE, Token(None, None, "Pulse")],
        "combo-code": [CODE, Token(None, None, "Pulse")],
        "subject": [Reference("Patient", "p1")],
        "patient": [Reference("Patient", "p1")],
        "date": [DateRange(*date_range("2026-11-20T08:15:00Z", UTC), "second")],
        "device": [Reference("Device", "d1")],
        "value-quantity": [RATE],
        "combo-value-quantity": [RATE],
        "code-value-quantity": [Composite((CODE, RATE))],
        "combo-code-value-quantity": [Composite((CODE, RATE))],
    }


def test_a_values_class_is_not_lost_on_the_way():
    found = extract_all("Observation")(HEART_RATE)

    assert {code: type(values[0]).__name__ for code, values in found.items()} == {
        "_id": "Token",
        "_lastUpdated": "DateRange",
        "_profile": "Uri",
        "_tag": "Token",
        "identifier": "Token",
        "status": "Token",
        "category": "Token",
        "code": "Token",
        "combo-code": "Token",
        "subject": "Reference",
        "patient": "Reference",
        "date": "DateRange",
        "device": "Reference",
        "value-quantity": "Quantity",
        "combo-value-quantity": "Quantity",
        "code-value-quantity": "Composite",
        "combo-code-value-quantity": "Composite",
    }


def find(resource, code, **reader):
    return extractor(resource["resourceType"], code, **reader)(resource)


def observation_of(quantity):
    return {"resourceType": "Observation", "valueQuantity": quantity}


CASES = {
    "a patient is none where the subject is a group": (
        {"resourceType": "Observation", "subject": {"reference": "Group/1"}},
        "patient",
        [],
    ),
    "components are searched with the code above them": (
        {
            "resourceType": "Observation",
            "code": {"coding": [{"code": "a"}]},
            "component": [{"code": {"coding": [{"code": "b"}]}}, {}],
        },
        "combo-code",
        [Token(None, "a"), Token(None, "b")],
    ),
    "a component is combined with its own value": (
        {
            "resourceType": "Observation",
            "code": {"coding": [{"code": "a"}]},
            "component": [
                {
                    "code": {"coding": [{"code": "b"}]},
                    "valueCodeableConcept": {"coding": [{"code": "v"}], "text": "V"},
                },
                {"code": {"coding": [{"code": "c"}]}},
            ],
        },
        "combo-code-value-concept",
        [Composite((Token(None, "b"), Token(None, "v")))],
    ),
    "a period is a date": (
        {"resourceType": "Observation", "effectivePeriod": {"start": "2026-11-20"}},
        "date",
        [DateRange(1795132800000000, LATEST_US, "period")],
    ),
    "samples are searched by their bounds": (
        {
            "resourceType": "Observation",
            "valueSampledData": {
                "origin": {"value": Decimal(2), "code": "mV", "system": UCUM},
                "factor": Decimal("1.5"),
                "data": "1 E -3 2.0",
            },
        },
        "value-quantity",
        [Quantity(None, Decimal("-2.55"), Decimal("5.005"), UCUM, "mV", None)],
    ),
    "samples above the limit have no upper bound": (
        {
            "resourceType": "Observation",
            "valueSampledData": {"origin": {"value": 0}, "data": "1 U"},
        },
        "value-quantity",
        [Quantity(None, Decimal("0.5"), None, None, None, None)],
    ),
    "less than is a bound": (
        {
            "resourceType": "Observation",
            "valueQuantity": {"value": Decimal("5.0"), "comparator": "<", "code": "g"},
        },
        "value-quantity",
        [Quantity(None, None, Decimal("5.0"), None, "g", None)],
    ),
    "at most is a bound with its precision": (
        observation_of({"value": Decimal("5.0"), "comparator": "<="}),
        "value-quantity",
        [Quantity(None, None, Decimal("5.05"), None, None, None)],
    ),
    "more than is a bound": (
        observation_of({"value": 5, "comparator": ">"}),
        "value-quantity",
        [Quantity(None, Decimal(5), None, None, None, None)],
    ),
    "at least is a bound with its precision": (
        observation_of({"value": 5, "comparator": ">="}),
        "value-quantity",
        [Quantity(None, Decimal("4.5"), None, None, None, None)],
    ),
    "a quantity without a value is not found": (
        observation_of({"unit": "g"}),
        "value-quantity",
        [],
    ),
    "samples without numbers are not found": (
        {
            "resourceType": "Observation",
            "valueSampledData": {"origin": {"value": 0}, "data": "E NaN 1e9"},
        },
        "value-quantity",
        [],
    ),
    "a range is searched by its bounds": (
        {
            "resourceType": "Condition",
            "onsetRange": {"low": {"value": 30, "code": "a", "system": UCUM}},
        },
        "onset-age",
        [Quantity(None, Decimal("29.5"), None, UCUM, "a", None)],
    ),
    "an empty range is not found": (
        {"resourceType": "Condition", "onsetRange": {}},
        "onset-age",
        [],
    ),
    "a probability may be a range": (
        {
            "resourceType": "RiskAssessment",
            "prediction": [
                {"probabilityRange": {"low": {"value": 1}, "high": {"value": 5}}},
                {"probabilityRange": {}},
            ],
        },
        "probability",
        [Number(None, Decimal("0.5"), Decimal("5.5"))],
    ),
    "money without an amount is not found": (
        {"resourceType": "Invoice", "totalNet": {"currency": "EUR"}},
        "totalnet",
        [],
    ),
    "a reference may be a URI": (
        {"resourceType": "ConceptMap", "sourceUri": "http://x/ValueSet/1"},
        "source-uri",
        [Reference("ValueSet", None, "http://x/ValueSet/1")],
    ),
    "a string is a string": (
        {"resourceType": "Observation", "valueString": "calm"},
        "value-string",
        [String("calm")],
    ),
    "a canonical may be searched as it stands": (
        {"resourceType": "Observation", "meta": {"profile": ["urn:p|1"]}},
        "_profile",
        [Uri("urn:p|1")],
    ),
    "a timing may set a date": (
        {"resourceType": "Observation", "effectiveTiming": {"event": ["2026-11-20"]}},
        "date",
        [DateRange(1795132800000000, 1795219199999999, "period")],
    ),
    "a timing without limits is not found": (
        {"resourceType": "Observation", "effectiveTiming": {"code": {"text": "BID"}}},
        "date",
        [],
    ),
    "a telecom of another system is no email": (
        {
            "resourceType": "Patient",
            "telecom": [
                {"system": "phone", "value": "1", "use": "home"},
                {"system": "email", "value": "a@example.org", "use": "work"},
            ],
        },
        "email",
        [Token("work", "a@example.org")],
    ),
    "every part of a name is searched": (
        {
            "resourceType": "Patient",
            "name": [{"family": "F", "given": ["G", None, "H"], "suffix": ["Jr"]}],
        },
        "name",
        [String("F"), String("G"), String("H"), String("Jr")],
    ),
    "every part of an address is searched": (
        {"resourceType": "Patient", "address": [{"city": "C", "line": ["L"]}]},
        "address",
        [String("C"), String("L")],
    ),
    "an identifier's type can be asked for": (
        {
            "resourceType": "Patient",
            "identifier": [
                {
                    "system": "urn:x",
                    "value": "7",
                    "type": {"coding": [{"system": "urn:y", "code": "MR"}]},
                }
            ],
        },
        "identifier",
        [Token("urn:x", "7", None, (("urn:y", "MR"),))],
    ),
    "who died at a time is deceased": (
        {"resourceType": "Patient", "deceasedDateTime": "2026"},
        "deceased",
        [Token("http://terminology.hl7.org/CodeSystem/special-values", "true")],
    ),
    "who did not die is not deceased": (
        {"resourceType": "Patient", "deceasedBoolean": False},
        "deceased",
        [Token("http://terminology.hl7.org/CodeSystem/special-values", "false")],
    ),
    "of whom nothing is said is not deceased": (
        {"resourceType": "Patient"},
        "deceased",
        [Token("http://terminology.hl7.org/CodeSystem/special-values", "false")],
    ),
    "a boolean is a token": (
        {"resourceType": "Patient", "active": True},
        "active",
        [Token("http://terminology.hl7.org/CodeSystem/special-values", "true")],
    ),
    "a price is a quantity of money": (
        {"resourceType": "Invoice", "totalNet": {"value": 100, "currency": "EUR"}},
        "totalnet",
        [
            Quantity(
                Decimal(100),
                Decimal("99.5"),
                Decimal("100.5"),
                "urn:iso:std:iso:4217",
                "EUR",
                None,
            )
        ],
    ),
    "a number has its precision": (
        {
            "resourceType": "RiskAssessment",
            "prediction": [{"probabilityDecimal": Decimal("0.10")}],
        },
        "probability",
        [Number(Decimal("0.10"), Decimal("0.095"), Decimal("0.105"))],
    ),
    "a related artifact of another type is not a predecessor": (
        {
            "resourceType": "Library",
            "relatedArtifact": [
                {"type": "successor", "resource": "http://x/Library/2"},
                {"type": "predecessor", "resource": "http://x/Library/1|1.0"},
            ],
        },
        "predecessor",
        [Reference("Library", None, "http://x/Library/1", "1.0")],
    ),
    "a bundle's first resource is its composition": (
        {
            "resourceType": "Bundle",
            "entry": [
                {"resource": {"resourceType": "Composition", "id": "1"}},
                {"resource": {"resourceType": "Patient", "id": "2"}},
            ],
        },
        "composition",
        [Reference("Composition", "1")],
    ),
    "US Core's race is found in its extension": (
        {
            "resourceType": "Patient",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                    "extension": [
                        {"url": "ombCategory", "valueCoding": {"code": "2106-3"}},
                        {"url": "text", "valueString": "White"},
                    ],
                },
                {"url": "urn:other", "extension": [{"valueCoding": {"code": "no"}}]},
            ],
        },
        "race",
        [Token(None, "2106-3")],
    ),
    "a composite may look at the resource as well": (
        {
            "resourceType": "MolecularSequence",
            "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}},
            "variant": [{"start": 5, "end": 9}],
        },
        "chromosome-variant-coordinate",
        [Composite((Token(None, "1"), interval(5), interval(9)))],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_search_parameter_finds_its_values(name):
    resource, code, expected = CASES[name]

    assert find(resource, code) == expected


@pytest.mark.parametrize("name", CASES)
def test_all_parameters_together_find_what_each_finds(name):
    resource, _, _ = CASES[name]
    type_ = resource["resourceType"]

    together = extract_all(type_)(resource)

    alone = {
        code: extractor(type_, code)(resource)
        for code, parameter in parameters(type_).items()
        if not parameter.refusal
    }
    assert _sorted(together) == _sorted(alone)


def _sorted(found):
    return {code: sorted(values, key=repr) for code, values in found.items() if values}


def test_a_date_without_an_offset_is_in_the_readers_zone():
    patient = {"resourceType": "Patient", "birthDate": "1980-02-01"}
    zone = ZoneInfo("Asia/Tokyo")

    [born] = find(patient, "birthdate", zone=zone)

    assert (born.start_us, born.end_us) == date_range("1980-02-01", zone)


def test_a_reference_on_our_own_base_is_local():
    resource = {
        "resourceType": "Observation",
        "subject": {"reference": "urn:b/Patient/1"},
    }

    assert find(resource, "patient", base_urls=("urn:b",)) == [
        Reference("Patient", "1")
    ]


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("0", "-0.5", "0.5"),
        ("-7.50", "-7.505", "-7.495"),
        (
            "123456789012345678901234567890.1",
            "123456789012345678901234567890.05",
            "123456789012345678901234567890.15",
        ),
    ],
)
def test_a_number_lies_between_the_bounds_of_its_precision(number, low, high):
    found = interval(loads(number.encode()))

    assert found == Number(Decimal(number), Decimal(low), Decimal(high))


def test_a_parameter_says_what_it_is():
    assert parameters("Observation")["patient"] == SearchParameter(
        code="patient",
        type="reference",
        url="http://hl7.org/fhir/SearchParameter/clinical-patient",
        expression="Observation.subject.where(resolve() is Patient)",
        targets=("Patient", "Group"),
        components=(),
        refusal=None,
    )


def test_a_composite_names_its_components():
    composite = parameters("Observation")["combo-code-value-quantity"]

    assert composite.components == ("combo-code", "combo-value-quantity")


def test_every_type_has_the_parameters_of_all():
    lacking = [
        type_
        for type_ in resource_types()
        if not {"_id", "_lastUpdated", "_tag"} <= parameters(type_).keys()
    ]

    assert lacking == []


def test_what_is_not_compiled_is_known_by_name():
    assert [(type_, code) for type_, code, _ in not_compiled()] == [
        ("DocumentReference", "relationship"),
        ("DomainResource", "_text"),
        ("Location", "near"),
        ("Resource", "_content"),
        ("Resource", "_query"),
    ]


@pytest.mark.parametrize(
    ("type_", "code"),
    [("Location", "near"), ("Observation", "_content"), ("Observation", "nope")],
)
def test_what_is_not_compiled_is_refused_by_name(type_, code):
    with pytest.raises(FHIRError, match=rf"{type_}\.{code}") as refused:
        extractor(type_, code)

    assert refused.value.type is IssueType.NOT_SUPPORTED


@pytest.mark.parametrize("use", [parameters, extract_all])
@pytest.mark.parametrize("type_", ["Nope", "Resource", "DomainResource", ""])
def test_what_is_no_resource_type_is_refused(use, type_):
    with pytest.raises(FHIRError) as refused:
        use(type_)

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_every_compiled_parameter_becomes_an_extractor():
    for type_ in resource_types():
        extract_all(type_)
        for code, parameter in parameters(type_).items():
            if parameter.refusal is None:
                assert extractor(type_, code)({"resourceType": type_}) in (
                    [],
                    [
                        Token(
                            "http://terminology.hl7.org/CodeSystem/special-values",
                            "false",
                        )
                    ],
                )


def test_whatever_is_indexed_has_a_conversion():
    for type_, element_types in INDEXED.items():
        known = _CONVERSIONS.get(type_, {}).keys() | _READINGS.get(type_, {}).keys()
        assert element_types - {"code"} <= known


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Observation", "code": "8867-4"},
        {"resourceType": "Observation", "valueQuantity": {"value": "x"}},
        {"resourceType": "Observation", "subject": [{"reference": "Patient/1"}]},
        {"resourceType": "Observation", "category": {"coding": []}},
        {"resourceType": "Observation", "effectiveDateTime": 5},
        {
            "resourceType": "Observation",
            "valueQuantity": {"value": 1, "comparator": "?"},
        },
    ],
)
def test_a_misshapen_element_is_refused(resource):
    with pytest.raises(FHIRError) as refused:
        extract_all("Observation")(resource)

    assert refused.value.type is IssueType.STRUCTURE


def test_a_flood_of_combinations_is_refused():
    concept = {"coding": [{"code": str(number)} for number in range(1000)]}
    resource = {
        "resourceType": "Observation",
        "code": concept,
        "valueCodeableConcept": concept,
    }

    with pytest.raises(FHIRError) as refused:
        extract_all("Observation")(resource)

    assert refused.value.type is IssueType.TOO_COSTLY


def published():
    path = SHARED / "packages" / "r4-core" / "search-parameters.json"
    if not path.exists():
        pytest.skip("the published SearchParameters are not here")
    bundle = json.loads(path.read_bytes())
    return [entry["resource"] for entry in bundle["entry"]]


def test_every_published_parameter_is_in_the_table():
    expected = {
        (type_, item["code"], item["type"], item["url"])
        for item in published()
        for type_ in item["base"]
    }

    found = {
        (type_, code, record["type"], record["url"])
        for type_, codes in _table().items()
        for code, record in codes.items()
        if "/us/core/" not in record["url"]
    }

    assert found == expected


def examples():
    paths = [
        *(SHARED / "examples").glob("*.json"),
        *(SHARED / "packages" / "phd").glob("*.json"),
    ]
    for path in sorted(paths):
        resource = loads(path.read_bytes())
        entries = [
            item["resource"] for item in resource.get("entry", []) if "resource" in item
        ]
        yield from chain([resource], entries)


PARTLY_INDEXED = {
    ("CarePlan", "activity-date"): "a time of day in words is no date",
    ("Consent", "source-reference"): "an attachment is no reference",
    ("Immunization", "date"): "a time in words is no date",
    ("Procedure", "date"): "an age or words are no date",
}
"""Parameters that reach more than their type can search."""


def test_the_paths_reach_what_fhirpath_reaches():
    compared = 0
    for resource in examples():
        type_ = resource["resourceType"]
        for code, record in _table()[type_].items():
            if _is_comparable(record) and (type_, code) not in PARTLY_INDEXED:
                reached = [
                    element
                    for branch in record["branches"]
                    for element in along(branch["path"], lambda element: [element])(
                        resource
                    )
                ]
                expected = fhirpath.compile(record["expression"], type_)(resource)
                assert _texts(reached) == _texts(expected), (type_, code)
                compared += bool(expected)
    if not compared:
        pytest.skip("the published examples are not here")
    assert compared > 100


def _is_comparable(record):
    branches = record.get("branches", [])
    plain = not any("target" in item or "present" in item for item in branches)
    return bool(branches) and plain


def _texts(elements):
    """Return what is there, once each: to a union 1.0 and 1.00 are the same."""
    return {json.dumps(element, default=float) for element in elements}


def test_every_example_can_be_searched():
    for resource in examples():
        type_ = resource["resourceType"]
        alone = {
            code: extractor(type_, code)(resource)
            for code, parameter in parameters(type_).items()
            if parameter.refusal is None
        }

        assert _sorted(extract_all(type_)(resource)) == _sorted(alone)
