"""The model of R4 search, beside examples from the specification's own text.

https://hl7.org/fhir/R4/search.html
"""

import pytest
from model_examples import LOINC, MODEL, UCUM
from model_order import order


def found(query):
    type_, _, rest = query.partition("?")
    pairs = [one.split("=", 1) for one in rest.split("&")]
    return " ".join(one["id"] for one in MODEL.found(type_, pairs))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("given=eve", "eve"),
        ("given:contains=eve", "eve severine"),
        ("given:exact=Eve", "eve"),
        ("given:exact=eve", ""),
        ("name=mull", "eve"),
        ("family=zoe", ""),
        ("given=Zo", "eve"),
        ("given=sev,zoe", "eve severine"),
        ("given=eve&given=zoe", "eve"),
        ("given=eve&given=sev", ""),
        ("given:missing=true", "nobody"),
        ("given:missing=false", "eve severine"),
    ],
)
def test_strings_begin_with_what_is_asked(query, expected):
    assert found(f"Patient?{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("identifier=446053", "eve severine"),
        ("identifier=http://example.org/mrn|446053", "eve"),
        ("identifier=|446053", "severine"),
        ("identifier=http://example.org/mrn|", "eve"),
        ("identifier:not=http://example.org/mrn|446053", "severine nobody"),
        ("identifier:of-type=http://example.org/v2|MR|446053", "eve"),
        ("identifier:of-type=http://example.org/v2|XX|446053", ""),
        ("identifier:text=medical", "eve"),
        ("gender=female", "eve"),
        ("gender=http://hl7.org/fhir/administrative-gender|female", "eve"),
        ("gender:not=female", "severine nobody"),
        ("gender=FEMALE", ""),
        ("email=eve@example.org", "eve"),
        ("phone=eve@example.org", ""),
        ("active=true", "nobody"),
        ("deceased=true", "eve"),
        ("deceased=false", "severine nobody"),
        ("_id=eve,nobody", "eve nobody"),
    ],
)
def test_tokens_are_compared_by_system_and_code(query, expected):
    assert found(f"Patient?{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (r"code=a\|b", "a|b"),
        (rf"code={LOINC}|a\|b", "a|b"),
        ("code=a|b", ""),
        (r"code:text=poids\, c", "a|b pounds warm pressure"),
        ("code:text=WEI", "a|b pounds warm pressure"),
        ("code:text=corporel", ""),
        ("combo-code=8480-6,warm", "warm pressure"),
        ("component-code=warm", ""),
    ],
)
def test_codes_are_escaped_and_have_texts(query, expected):
    assert found(f"Observation?{query}") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-03", "a|b pounds"),
        ("2026-11", "a|b pounds"),
        ("2026-11-03T09:00:00Z", "pounds"),
        ("ne2026-11-03", "warm"),
        ("gt2026-11-03", "warm"),
        ("lt2026-11-03", "warm"),
        ("ge2026-11-03", "a|b pounds warm"),
        ("le2026-11-03", "a|b pounds warm"),
        ("sa2026-11-02", "a|b pounds"),
        ("eb2026-11-04", "a|b pounds"),
        ("ap2026-11-04", "a|b pounds warm"),
        ("ap2026-11-10", "warm"),
    ],
)
def test_dates_are_compared_as_intervals(value, expected):
    assert found(f"Observation?date={value}") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("100", "99.5"),
        ("1e2", "99.5 100.5"),
        ("100.5", "100.5"),
        ("1", "half two"),
        ("1.0", "two"),
        ("ne100", "half 100.5 two"),
        ("gt99.5", "100.5"),
        ("ge99.5", "99.5 100.5"),
        ("lt1", "half"),
        ("le1", "half two"),
        ("sa9", "99.5 100.5"),
        ("eb9", "half two"),
        ("ap110", "99.5 100.5"),
        ("ap10.0", "two"),
    ],
)
def test_numbers_have_the_precision_in_which_they_are_written(value, expected):
    assert found(f"RiskAssessment?probability={value}") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", "a|b puffs"),
        (f"2|{UCUM}|kg", "a|b pounds"),
        (f"2.0|{UCUM}|kg", "a|b pounds"),
        (f"2.00|{UCUM}|kg", "a|b pounds"),
        (f"2.000|{UCUM}|kg", "a|b"),
        (f"gt2|{UCUM}|kg", ""),
        (f"lt2|{UCUM}|kg", "pounds"),
        (f"98.6|{UCUM}|[degF]", "warm"),
        (f"750|{UCUM}|mm[Hg]", "pressure"),
        ("2||puff", "puffs"),
        ("2||kg", "a|b"),
        ("2|urn:x|puff", ""),
    ],
)
def test_quantities_are_compared_in_units_of_one_dimension(value, expected):
    assert found(f"Observation?value-quantity={value}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("component-code-value-quantity=8480-6$120", "pressure"),
        ("component-code-value-quantity=8480-6$80", ""),
        ("component-code-value-quantity=8480-6$lt100,8462-4$lt100", "pressure"),
        ("combo-code-value-quantity=pressure$100", "pressure"),
        ("combo-code-value-quantity=pressure$120", ""),
        (r"code-value-quantity=a\|b$2", "a|b"),
    ],
)
def test_both_parts_of_a_composite_are_in_one_element(query, expected):
    assert found(f"Observation?{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Patient?general-practitioner=23", "eve"),
        ("Patient?general-practitioner=Practitioner/24", "severine"),
        ("Patient?general-practitioner:Practitioner=24", "severine"),
        ("Patient?general-practitioner:Organization=24", ""),
        (
            "Patient?general-practitioner=http://localhost:8000/fhir/Practitioner/23",
            "eve",
        ),
        ("Patient?general-practitioner=http://other.example/fhir/Practitioner/23", ""),
        ("Observation?performer:identifier=urn:x|7", "pressure"),
        ("Observation?performer:identifier=urn:y|7", ""),
        ("Observation?performer:missing=false", "pressure"),
        ("Observation?subject:missing=true", "puffs"),
        ("Patient?general-practitioner:Practitioner.name=joe", "severine"),
        ("Patient?organization.name=ol", "eve"),
        ("Observation?patient.organization.name=old&code=warm", "warm"),
        ("Observation?subject:Patient.name=sev", ""),
        ("Observation?has-member:Observation.code=warm", "pressure"),
        ("Patient?_has:Observation:patient:code=warm", "eve"),
        ("Patient?_has:Observation:patient:code=puffs", ""),
        ("Organization?_has:Patient:organization:given=eve", "1"),
        (
            "Organization?_has:Patient:organization:_has:Observation:patient:code=warm",
            "1",
        ),
        ("Observation?_has:Observation:has-member:status=final", "warm"),
    ],
)
def test_references_are_found_and_followed(query, expected):
    assert found(query) == expected


@pytest.mark.parametrize(
    ("type_", "keys", "expected"),
    [
        ("Patient", "birthdate", "eve severine nobody"),
        ("Patient", "-birthdate", "severine eve nobody"),
        ("Patient", "-given", "eve severine nobody"),
        ("Patient", "given", "eve severine nobody"),
        ("RiskAssessment", "probability", "half two 99.5 100.5"),
        ("RiskAssessment", "-probability", "100.5 99.5 two half"),
        ("Observation", "status,-_id", "warm puffs pressure pounds a|b"),
        ("Observation", "date,_id", "warm a|b pounds pressure puffs"),
    ],
)
def test_an_order_is_by_the_lowest_or_the_highest_value(type_, keys, expected):
    every = [one for one in MODEL.resources if one["resourceType"] == type_]

    ordered = order(MODEL, every, keys)

    assert " ".join(one["id"] for one in ordered) == expected
