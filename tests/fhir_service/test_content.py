"""Formats: what is accepted, what is written, what is read, and how it is packed."""

import gzip
import json
from dataclasses import replace

import pytest
from test_prefer import request_with
from worlds import observation

from conformance.issues import FHIRError
from fhir_service.rest.compression import LEAST_BYTES, compressed, takes_gzip
from fhir_service.rest.content import (
    FORM,
    JSON_PATCH,
    MAX_FIELDS,
    as_asked,
    refuse_other_bodies,
    refuse_other_formats,
)
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters
from fhir_service.rest.refusals import NotAcceptable, UnsupportedMediaType

ACCEPTED = [
    "application/fhir+json",
    "Application/FHIR+JSON",
    "application/json",
    "application/json+fhir",
    "text/json",
    "*/*",
    "application/*",
    "application/fhir+json;fhirVersion=4.0",
    'application/fhir+json; fhirVersion="4.0"; q=0.9',
    "application/fhir+json;q=0.2, application/fhir+xml;q=0.9",
    "application/fhir+xml, application/json",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "application/fhir+json;fhirVersion=5.0, application/fhir+json;fhirVersion=4.0",
    "application/fhir+json;q=0, application/json",
    "application/fhir+json; charset=utf-8",
    "",
]
REFUSED = [
    "application/fhir+xml",
    "text/turtle",
    "text/html",
    "application/fhir+json;q=0",
    "application/fhir+json;q=0.000",
    "application/fhir+json;q=0, */*",
    "*/*;q=0",
    "application/fhir+json;fhirVersion=3.0",
    "application/fhir+json;fhirVersion=5.0",
    "application/json;fhirVersion=1.0, application/fhir+xml",
    "application/fhir+jsonx",
]


@pytest.mark.parametrize("accept", ACCEPTED)
def test_an_accept_that_names_json_is_served(accept):
    request = request_with(accept=accept)

    refuse_other_formats(request)  # raises where it refuses


@pytest.mark.parametrize("accept", REFUSED)
def test_an_accept_without_json_is_refused(accept):
    with pytest.raises(NotAcceptable):
        refuse_other_formats(request_with(accept=accept))


@pytest.mark.parametrize(
    "query",
    [
        "_format=json",
        "_format=application/fhir+json",
        "_format=application%2Ffhir%2Bjson",
        "_format=application/json",
        "_format=application/fhir%2Bjson;fhirVersion=4.0",
        "a=b&_format=text/json",
        "_format=",
        "_format=xml&_format=json",
    ],
)
def test_a_format_of_json_wins_over_the_header(query):
    accept = "*/*" if query == "_format=" else "application/fhir+xml"
    request = replace(request_with(accept=accept), query=query)

    refuse_other_formats(request)  # raises where it refuses


@pytest.mark.parametrize(
    "query",
    [
        "_format=xml",
        "_format=application/fhir+xml",
        "_format=ttl",
        "_format=text/html",
        "_format=html",
        "_format=application/fhir%2Bjson;fhirVersion=3.0",
    ],
)
def test_another_format_wins_over_the_header_too(query):
    request = replace(request_with(accept="application/fhir+json"), query=query)

    with pytest.raises(NotAcceptable):
        refuse_other_formats(request)


def posted(form, content_type=FORM[0]):
    request = request_with(**{"content-type": content_type})
    return replace(request, method="POST", query="a=1", body=form)


def test_the_form_of_a_search_may_name_the_format():
    refuse_other_formats(posted(b"_format=json&code=x"))

    with pytest.raises(NotAcceptable):
        refuse_other_formats(posted(b"code=x&_format=xml"))


def test_the_form_of_a_search_may_ask_for_indented_json():
    response = Response(status=200, body=b'{"value":1.50}')

    indented = as_asked(posted(b"_pretty=true"), response)

    assert indented.body == b'{\n  "value": 1.50\n}'
    assert as_asked(posted(b"_pretty=false"), response) is response


def test_a_body_that_is_no_form_names_no_format():
    refuse_other_formats(posted(b"_format=xml", "application/fhir+json"))

    assert parameters(posted(b"b=2", "application/fhir+json")) == [("a", "1")]


def test_parameters_come_from_the_url_and_the_form():
    request = posted(b"b=2&c=%C3%A4&d=", f"{FORM[0]}; charset=UTF-8")

    assert parameters(request) == [("a", "1"), ("b", "2"), ("c", "\u00e4"), ("d", "")]


@pytest.mark.parametrize(
    "form", [b"a=%FF", b"a=\xff", b"a=%0D%0A", b"a%00=1", b"&".join([b"a=1"] * 201)]
)
def test_parameters_that_cannot_be_read_are_refused(form):
    with pytest.raises(FHIRError, match=r"The query|control character") as caught:
        parameters(posted(form))

    assert caught.value.type.value == "invalid"


def test_parameters_of_url_and_form_are_counted_together():
    request = posted(b"&".join([b"b=1"] * 150))

    assert len(parameters(request)) == 151
    with pytest.raises(FHIRError, match="too many parameters"):
        parameters(replace(request, query="&".join(["a=1"] * 51)))


def test_a_format_behind_too_many_parameters_is_left_to_the_search():
    query = "&".join(["a=1"] * MAX_FIELDS) + "&_format=xml"

    refuse_other_formats(replace(request_with(), query=query))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/fhir+json",
        "application/json",
        "application/json+fhir",
        "Application/JSON; Charset=UTF-8",
        'application/fhir+json; charset="utf-8"; fhirVersion=4.0',
    ],
)
def test_a_body_of_json_in_utf_8_is_read(content_type):
    refuse_other_bodies(request_with(**{"content-type": content_type}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/fhir+xml"},
        {"content-type": "application/fhir+json; charset=latin-1"},
        {"content-type": "application/fhir+json; x=y; charset=utf-16"},
        {"content-type": "application/fhir+json; fhirVersion=5.0"},
        {"content-type": "application/json-patch+json"},
        {"content-type": "application/fhir+json", "content-encoding": "gzip"},
    ],
)
def test_any_other_body_is_refused(headers):
    with pytest.raises(UnsupportedMediaType):
        refuse_other_bodies(request_with(**headers))


@pytest.mark.parametrize("allowed", [JSON_PATCH, FORM])
def test_a_path_may_take_another_format_and_then_that_alone(allowed):
    refuse_other_bodies(request_with(**{"content-type": allowed[0]}), allowed)

    with pytest.raises(UnsupportedMediaType, match=allowed[0].replace("+", "[+]")):
        refuse_other_bodies(
            request_with(**{"content-type": "application/fhir+json"}), allowed
        )


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("*", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_written_where_the_client_takes_it(accepted, expected):
    assert takes_gzip(accepted) is expected


LONG = b'{"resourceType":"Basic","language":"%b"}' % (b"x" * LEAST_BYTES)


def test_a_long_body_is_compressed_and_keeps_its_entity_tag():
    response = Response(status=200, headers=(("etag", 'W/"1"'),), body=LONG)

    packed = compressed(request_with(**{"accept-encoding": "gzip"}), response)

    headers = dict(packed.headers)
    assert gzip.decompress(packed.body) == LONG
    assert len(packed.body) < len(LONG)
    assert headers["content-encoding"] == "gzip"
    assert headers["etag"] == 'W/"1"'
    assert "Accept-Encoding" in headers["vary"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, LONG),
        ({"accept-encoding": "gzip;q=0"}, LONG),
        ({"accept-encoding": "gzip"}, LONG[: LEAST_BYTES - 1]),
        ({"accept-encoding": "gzip"}, b""),
    ],
)
def test_what_is_not_compressed_varies_all_the_same(headers, body):
    sent = compressed(request_with(**headers), Response(status=200, body=body))

    assert sent.body == body
    assert dict(sent.headers) == {
        "vary": "Accept, Accept-Encoding, Authorization, Prefer"
    }


def test_a_client_that_takes_gzip_gets_the_same_resource(clinic):
    clinic.consented()
    note = [{"text": "rest " * 400}]
    made = clinic.world.create(observation(clinic.patient, note=note), clinic.admin)
    path = f"/fhir/Observation/{made['id']}"

    answer = clinic.world.get(path, clinic.ehr, **{"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert json.loads(gzip.decompress(answer.get_data())) == made


@pytest.mark.parametrize("path", ["Patient", "Patient/absent", "nowhere/at/all"])
def test_every_answer_says_what_it_depends_on(clinic, path):
    answer = clinic.world.get(f"/fhir/{path}", clinic.ehr)

    assert answer.headers["Vary"] == "Accept, Accept-Encoding, Authorization, Prefer"


@pytest.mark.parametrize("query", ["?_format=xml", "?_format=ttl", "?_format=html"])
def test_another_format_is_406_with_an_outcome(clinic, query):
    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient}{query}", clinic.ehr)

    assert answer.status_code == 406
    assert answer.json["issue"][0]["code"] == "not-supported"
    assert answer.headers["Content-Type"] == "application/fhir+json; charset=utf-8"


def test_another_body_is_415_with_an_outcome(clinic):
    answer = clinic.world.send(
        "POST", "/fhir/Patient", b"<Patient/>", clinic.admin, "application/fhir+xml"
    )

    assert answer.status_code == 415
    assert answer.json["issue"][0]["code"] == "not-supported"
