"""Requests that are odd as HTTP: methods, paths, headers, smuggling.

The number before a case is that of its kind of bad input; test_bad_input_list.py
walks them.
"""

import re
import socket

import pytest
from deployed import deployed
from outcomes import assert_refused
from worlds import patient

METHODS = {
    "71 TRACE of the base": ("TRACE", "/fhir"),
    "71 TRACE of a type": ("TRACE", "/fhir/Patient"),
    "71 CONNECT": ("CONNECT", "/fhir/Patient"),
    "71 a method of our own": ("FETCH", "/fhir/Patient"),
    "71 PUT of the metadata": ("PUT", "/fhir/metadata"),
    "71 DELETE of the metadata": ("DELETE", "/fhir/metadata"),
    "71 PUT of a history": ("PUT", "/fhir/Patient/_history"),
    "71 POST of an instance": ("POST", "/fhir/Patient/1"),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_the_path_does_not_know_is_refused(name, clinic):
    method, path = METHODS[name]

    answer = clinic.world.send(method, path, b"{}", clinic.admin)

    assert_refused(answer, {400, 404, 405})


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
)
def test_a_header_changes_no_method(header, clinic):
    """71: X-HTTP-Method-Override."""
    path = f"/fhir/Patient/{clinic.patient}"

    answer = clinic.world.get(path, clinic.admin, **{header: "DELETE"})

    assert answer.status_code == 200
    assert clinic.world.get(path, clinic.admin).status_code == 200


@pytest.mark.parametrize(
    "header", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"]
)
def test_links_are_of_the_configured_base(header, clinic):
    """72: Host header attack."""
    value = "host=evil.example" if header == "Forwarded" else "evil.example"

    answer = clinic.world.get("/fhir/Patient?_count=1", clinic.admin, **{header: value})

    assert answer.status_code == 200
    assert "evil" not in answer.get_data(as_text=True)
    made = clinic.world.send(
        "POST", "/fhir/Patient", patient(), {**clinic.admin, header: value}
    )
    assert made.headers["Location"].startswith("http://localhost:8000/fhir/Patient/")


ACCEPTED = (
    "*/*",
    "application/fhir+json",
    "application/json",
    "application/json+fhir",
    "application/fhir+json;q=0.9, application/json;q=0.8, */*;q=0.1",
    "application/fhir+xml;q=0.5, application/fhir+json;q=0.4",
    "text/html, application/xhtml+xml, */*;q=0.8",
    "application/fhir+json; fhirVersion=4.0",
    "application/fhir+json;charset=UTF-8",
    "APPLICATION/FHIR+JSON",
    "application/fhir+json,,",
    "",
)
NOT_ACCEPTED = (
    "application/fhir+xml",
    "application/xml, text/xml",
    "text/turtle",
    "application/fhir+json;q=0",
    "application/fhir+json; fhirVersion=5.0",
    "image/png",
)


@pytest.mark.parametrize("accept", ACCEPTED)
def test_what_can_mean_json_is_answered_in_json(accept, clinic):
    """76: Accept, leniently."""
    path = f"/fhir/Patient/{clinic.patient}"

    answer = clinic.world.get(path, clinic.admin, Accept=accept)

    assert answer.status_code == 200
    assert answer.content_type.startswith("application/fhir+json")


@pytest.mark.parametrize("accept", NOT_ACCEPTED)
def test_what_is_not_written_is_406_in_json(accept, clinic):
    """76: Accept of other formats alone."""
    path = f"/fhir/Patient/{clinic.patient}"

    answer = clinic.world.get(path, clinic.admin, Accept=accept)

    assert_refused(answer, {406})


@pytest.mark.parametrize(
    "match", ['W/""', '""', "W/", '"', 'W/"9"', 'W/"1', "W/1", "a"]
)
def test_a_version_that_is_not_the_current_one_writes_nothing(match, clinic):
    """77: If-Match."""
    path = f"/fhir/Patient/{clinic.patient}"
    resource = clinic.world.get(path, clinic.admin).json

    answer = clinic.world.send(
        "PUT", path, {**resource, "active": False}, {**clinic.admin, "If-Match": match}
    )

    assert_refused(answer, {400, 412})
    assert clinic.world.get(path, clinic.admin).json == resource


CONDITIONS = {
    "78 empty": "",
    "78 question mark": "?",
    "78 everything": "_id:missing=false",
    "78 unknown parameter": "hitherto=1",
    "78 result parameter alone": "_count=1",
    "78 broad": "active=true",
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_create_under_a_broad_condition_stores_nothing(name, clinic):
    clinic.another_patient()
    before = len(clinic.all_found("Patient", clinic.admin))

    answer = clinic.world.send(
        "POST",
        "/fhir/Patient",
        patient(clinic.organization),
        {**clinic.admin, "If-None-Exist": CONDITIONS[name]},
    )

    assert_refused(answer, {400, 412})
    assert len(clinic.all_found("Patient", clinic.admin)) == before


PATHS = {
    "81 two slashes": "/fhir//Patient",
    "81 slash at the end": "/fhir/Patient/",
    "81 semicolon": "/fhir/Patient;v=1",
    "81 escaped dots": "/fhir/Organization/%2e%2e/Patient",
    "81 dots": "/fhir/Organization/../Patient",
    "81 another case": "/fhir/patient",
    "81 another case of the base": "/FHIR/Patient",
    "81 NUL": "/fhir/Patient%00",
    "81 escaped question mark": "/fhir/Patient%3F_id=1",
    "81 backslash": "/fhir\\Patient",
    "81 space": "/fhir/%20Patient",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_not_guessed_at(name, clinic):
    answer = clinic.world.get(PATHS[name], clinic.admin)

    assert answer.status_code in {400, 404, 405}


@pytest.mark.parametrize(
    "value", ["return=", "return=everything", "return=presentation", "x" * 5000, "=;,="]
)
def test_a_preference_that_nobody_knows_is_none(value, clinic):
    answer = clinic.world.send(
        "POST",
        "/fhir/Patient",
        patient(clinic.organization),
        {**clinic.admin, "Prefer": value},
    )

    assert answer.status_code == 201
    assert answer.json["resourceType"] == "Patient"


@pytest.mark.parametrize(
    "value", ["yesterday", "", "Thu, 99 Foo 2026 99:99:99 GMT", "0", "\u0663"]
)
def test_a_date_that_is_none_is_no_condition(value, clinic):
    path = f"/fhir/Patient/{clinic.patient}"

    answer = clinic.world.get(path, clinic.admin, **{"If-Modified-Since": value})

    assert answer.status_code == 200


# What only a socket can send


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("deployed")) as service:
        yield service.port


def spoken(port, data):
    """Return all that the server says to some bytes."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while part := client.recv(65536):
            heard += part
    return heard


SMUGGLED = b"GET /livez?canary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLING = {
    "74 length and chunks": (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    ),
    "74 two lengths": (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
    )
    + SMUGGLED,
    "74 chunks that are none": (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n"
        b"Content-Length: 0\r\n\r\n" + SMUGGLED
    ),
    "74 space before the colon": (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n"
        + SMUGGLED
    ),
    "74 folded line": (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n Content-Length: 9\r\n"
        b"\r\n" + SMUGGLED
    ),
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_what_two_readers_could_read_apart_is_one_request_at_most(name, port):
    heard = spoken(port, SMUGGLING[name])

    assert heard.count(b"HTTP/1.1 ") <= 1
    assert re.match(rb"HTTP/1\.1 (400|401|501) |$", heard)
    assert b"ok\n" not in heard


LINES = {
    "68 line feed in a header": (
        b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\nA: b\nX: 1\r\n"
    ),
    "71 no method": b" /fhir/Patient HTTP/1.1\r\nHost: x\r\n",
    "81 no path": b"GET HTTP/1.1\r\nHost: x\r\n",
    "81 no host": b"GET /fhir/Patient HTTP/1.1\r\n",
    "81 bytes that are no text": b"GET /fhir/\xff\xfe HTTP/1.1\r\nHost: x\r\n",
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_is_no_http_is_no_fault_of_the_service(name, port):
    heard = spoken(port, LINES[name] + b"Connection: close\r\n\r\n")

    status = re.match(rb"HTTP/1\.1 (\d{3})", heard)
    assert status is None or status[1] in {b"400", b"401", b"404"}
