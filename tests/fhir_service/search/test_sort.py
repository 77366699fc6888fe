from datetime import UTC
from decimal import Decimal
from functools import cmp_to_key
from typing import get_args

import pytest

from conformance.search_parameters import Composite, Value, parameters
from fhir_service.search.criteria import SortKey
from fhir_service.search.sort import _KEYS, compared, sort_key

UCUM = "http://unitsofmeasure.org"
NEW_YEAR_US = 1_767_225_600_000_000


def keyed(type_, code, resource, descending):
    key = SortKey(parameters(type_)[code], descending)
    return sort_key(
        key, {"resourceType": type_, **resource}, zone=UTC, base_urls=("https://o/f",)
    )


def weight(value, code):
    quantity = {"value": Decimal(value), "system": UCUM, "code": code}
    return {"valueQuantity": quantity}


NAMES = {"name": [{"family": "Zoë"}, {"family": "Ådam", "given": ["Mia"]}]}
PERIOD = {"effectivePeriod": {"start": "2026-01-01", "end": "2026-01-02"}}
RANGE = {
    "prediction": [{"probabilityRange": {"low": {"value": 10}, "high": {"value": 20}}}]
}
CASES = [
    ("Patient", "name", NAMES, False, "adam"),
    ("Patient", "name", NAMES, True, "zoe"),
    ("Patient", "name", {}, False, None),
    ("Patient", "_id", {"id": "x"}, False, "x"),
    ("Observation", "date", PERIOD, False, NEW_YEAR_US),
    ("Observation", "date", PERIOD, True, NEW_YEAR_US),
    ("Observation", "code", {"code": {"text": "Über"}}, False, "uber"),
    ("Observation", "code", {"code": {"coding": [{"code": "B"}]}}, False, "B"),
    ("Observation", "subject", {"subject": {"reference": "Patient/1"}}, False,
     "Patient/1"),
    ("Observation", "subject", {"subject": {"reference": "urn:x:1"}}, False, "urn:x:1"),
    ("Observation", "subject", {"subject": {"identifier": {"value": "7"}}}, False, "7"),
    ("Observation", "value-quantity", weight("500", "g"), False, Decimal("0.5")),
    ("Observation", "value-quantity", weight("3", "{puff}"), False, Decimal(3)),
    ("Observation", "value-quantity", {"valueQuantity": {"value": 3}}, False,
     Decimal(3)),
    ("RiskAssessment", "probability", RANGE, False, Decimal("9.5")),
    ("RiskAssessment", "probability", RANGE, True, Decimal("20.5")),
    ("Observation", "_profile", {"meta": {"profile": ["b", "a"]}}, False, "a"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "code", "resource", "descending", "key"), CASES)
def test_a_resource_is_placed_by_its_lowest_or_highest_value(
    type_, code, resource, descending, key
):
    assert keyed(type_, code, resource, descending) == key


def test_values_of_each_type_but_composites_have_a_key():
    assert set(_KEYS) == set(get_args(Value)) - {Composite}


def test_pounds_are_sorted_among_kilograms():
    values = [("70", "kg"), ("150", "[lb_av]"), ("69000", "g")]

    found = sorted(
        values,
        key=lambda one: keyed("Observation", "value-quantity", weight(*one), False),  # noqa: FBT003 - ascending
    )

    assert found == [("150", "[lb_av]"), ("69000", "g"), ("70", "kg")]


@pytest.mark.parametrize(
    ("descending", "expected"),
    [
        ((False, False), [("a", 1), ("a", 2), ("b", 1), ("b", None), (None, 1)]),
        ((True, False), [("b", 1), ("b", None), ("a", 1), ("a", 2), (None, 1)]),
        ((False, True), [("a", 2), ("a", 1), ("b", 1), ("b", None), (None, 1)]),
    ],
)
def test_several_keys_sort_one_after_the_other_and_what_lacks_one_comes_last(
    descending, expected
):
    known = parameters("Observation")
    keys = tuple(
        SortKey(known[code], descending=one)
        for code, one in zip(("code", "date"), descending, strict=True)
    )
    values = [(None, 1), ("b", None), ("a", 2), ("b", 1), ("a", 1)]

    found = sorted(
        values, key=cmp_to_key(lambda one, other: compared(keys, one, other))
    )

    assert found == expected


def test_what_is_equal_has_no_order():
    keys = (SortKey(parameters("Observation")["code"], descending=False),)

    assert compared(keys, ("a",), ("a",)) == 0
    assert compared(keys, (None,), (None,)) == 0
