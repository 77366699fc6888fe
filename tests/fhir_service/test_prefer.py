"""Prefer, as clients write it: several headers, commas, quotes, any case."""

import pytest

from fhir_service.rest.lists import members
from fhir_service.rest.message import Request
from fhir_service.rest.prefer import Prefer, prefer


def request_with(**headers):
    return Request(
        method="GET",
        path="/fhir/Patient",
        query="",
        headers=headers,
        body=b"",
        remote="192.0.2.1",
        scheme="http",
        host="localhost",
        request_id="1",
    )


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("return=minimal", Prefer(returns="minimal")),
        ("return=representation", Prefer(returns="representation")),
        ("return=OperationOutcome", Prefer(returns="OperationOutcome")),
        ("Return = operationoutcome", Prefer(returns="OperationOutcome")),
        ('return="minimal"', Prefer(returns="minimal")),
        ("return=minimal; foo=bar", Prefer(returns="minimal")),
        ("handling=strict", Prefer(handling="strict")),
        ("HANDLING=Lenient", Prefer(handling="lenient")),
        ("respond-async", Prefer(respond_async=True)),
        (
            "respond-async, return=minimal, handling=strict",
            Prefer(returns="minimal", handling="strict", respond_async=True),
        ),
        (
            " , handling=strict ,, respond-async; wait=10 ",
            Prefer(handling="strict", respond_async=True),
        ),
        ("return=minimal, return=representation", Prefer(returns="minimal")),
        ("return=everything", Prefer()),
        ("returns=minimal", Prefer()),
        ('foo="return=minimal, handling=strict"', Prefer()),
        ("", Prefer()),
        ('foo="', Prefer()),
        ("=;,=", Prefer()),
    ],
)
def test_what_is_preferred_is_read_leniently(field, expected):
    assert prefer(request_with(prefer=field)) == expected


def test_without_the_header_nothing_is_preferred():
    assert prefer(request_with()) == Prefer()


def test_only_strict_handling_is_strict():
    assert Prefer(handling="strict").is_strict
    assert not Prefer(handling="lenient").is_strict
    assert not Prefer().is_strict


def test_what_was_applied_is_told_and_nothing_else():
    preferred = Prefer(returns="minimal", handling="strict")

    assert preferred.applied("return") == (("preference-applied", "return=minimal"),)
    assert preferred.applied("return", "handling", "respond-async") == (
        ("preference-applied", "return=minimal, handling=strict"),
    )
    assert preferred.applied("respond-async") == ()
    assert Prefer(respond_async=True).applied("respond-async") == (
        ("preference-applied", "respond-async"),
    )


def test_a_list_is_taken_apart_outside_its_quotes():
    found = list(members('Text/HTML;Level="1,\\"2\\"; x" ; q=0.0, gzip;q=0.001'))

    assert [one.name for one in found] == ["text/html", "gzip"]
    assert found[0].parameters == {"level": '1,"2"; x', "q": "0.0"}
    assert [one.is_refused for one in found] == [True, False]
