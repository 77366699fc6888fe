"""Bodies that are no FHIR JSON: each is refused, told why, and never a 500.

The number before a case is that of its kind of bad input; test_bad_input_list.py
walks them.
"""

import gzip
import time

import pytest
from outcomes import assert_refused

from conformance import fhir_json
from conformance.fhir_json import MAX_DEPTH

FHIR_JSON = "application/fhir+json"
GOOD = b'{"resourceType":"Patient","active":true}'
REDOS_S = 0.05


def with_member(text: bytes) -> bytes:
    return b'{"resourceType":"Patient",' + text + b"}"


def nested(depth: int) -> bytes:
    return with_member(b'"extension":' + b"[" * depth + b"]" * depth)


BODIES: dict[str, tuple[bytes, set[int]]] = {
    "1 empty": (b"", {400}),
    "2 byte order mark": (b"\xef\xbb\xbf" + GOOD, {400}),
    "3 UTF-16": (GOOD.decode().encode("utf-16"), {400}),
    "3 UTF-32": (GOOD.decode().encode("utf-32-le"), {400}),
    "4 invalid UTF-8": (with_member(b'"id":"\xff"'), {400}),
    "4 overlong UTF-8": (with_member(b'"id":"\xc0\xaf"'), {400}),
    "4 lone surrogate": (with_member(b'"id":"\\ud800"'), {400}),
    "4 surrogate in UTF-8": (with_member(b'"id":"\xed\xa0\x80"'), {400}),
    "5 NUL": (with_member(b'"id":"a\x00"'), {400}),
    "5 escaped NUL": (with_member(b'"name":[{"family":"a\\u0000"}]'), {400}),
    "5 control character": (with_member(b'"name":[{"family":"a\\u0007"}]'), {400}),
    "6 member twice": (with_member(b'"active":true,"active":false'), {400}),
    "6 member twice in an object of an array": (
        with_member(b'"name":[{"family":"a","family":"b"}]'),
        {400},
    ),
    "6 member twice, once escaped": (
        with_member(b'"active":true,"\\u0061ctive":false'),
        {400},
    ),
    "7 NaN": (with_member(b'"multipleBirthInteger":NaN'), {400}),
    "7 Infinity": (with_member(b'"multipleBirthInteger":Infinity'), {400}),
    "7 -Infinity": (with_member(b'"multipleBirthInteger":-Infinity'), {400}),
    "8 overflow": (with_member(b'"multipleBirthInteger":1e400'), {400}),
    "9 5000 digits": (
        with_member(b'"multipleBirthInteger":' + b"9" * 5000),
        {400, 413},
    ),
    "10 too deep": (nested(MAX_DEPTH + 1), {400, 413}),
    "10 far too deep": (nested(100_000), {400, 413}),
    "11 100,000 items": (
        with_member(b'"name":[' + b",".join([b"{}"] * 100_000) + b"]"),
        {413, 422},
    ),
    "14 trailing garbage": (GOOD + b"x", {400}),
    "14 two documents": (GOOD + GOOD, {400}),
    "14 cut": (GOOD[:-1], {400}),
    "15 single quotes": (b"{'resourceType':'Patient'}", {400}),
    "15 comment": (GOOD + b"//", {400}),
    "15 comment inside": (with_member(b'/* */"active":true'), {400}),
    "15 trailing comma": (with_member(b'"active":true,'), {400}),
    "16 array": (b"[" + GOOD + b"]", {400}),
    "16 string": (b'"Patient"', {400}),
    "16 null": (b"null", {400}),
    "16 number": (b"1", {400}),
    "18 no type": (b'{"active":true}', {400}),
    "18 no string": (b'{"resourceType":["Patient"]}', {400}),
    "18 null for a type": (b'{"resourceType":null}', {400}),
    "18 another type": (b'{"resourceType":"Organization","name":"a"}', {400}),
    "18 type twice": (b'{"resourceType":"Patient","resourceType":"Patient"}', {400}),
    "19 __proto__": (with_member(b'"__proto__":{"active":true}'), {400}),
    "19 constructor": (with_member(b'"constructor":{"prototype":{}}'), {400}),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_json_of_fhir_is_refused(name, clinic):
    body, statuses = BODIES[name]

    answer = clinic.world.send("POST", "/fhir/Patient", body, clinic.admin)

    assert_refused(answer, statuses)


@pytest.mark.parametrize("name", BODIES)
def test_nor_is_it_taken_for_an_update(name, clinic):
    body, _ = BODIES[name]
    path = f"/fhir/Patient/{clinic.patient}"

    answer = clinic.world.send("PUT", path, body, clinic.admin)

    assert 400 <= answer.status_code < 500
    read = clinic.world.get(path, clinic.admin)
    assert read.json["meta"]["versionId"] == "1"


TYPES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "3 another charset": (f"{FHIR_JSON}; charset=iso-8859-1", GOOD, {}),
    "13 gzip": (FHIR_JSON, gzip.compress(GOOD), {"Content-Encoding": "gzip"}),
    "13 gzip bomb": (
        FHIR_JSON,
        gzip.compress(b" " * 10_000_000),
        {"Content-Encoding": "gzip"},
    ),
    "13 gzip in gzip": (
        FHIR_JSON,
        gzip.compress(gzip.compress(GOOD)),
        {"Content-Encoding": "gzip, gzip"},
    ),
    "13 not what it says": (FHIR_JSON, GOOD, {"Content-Encoding": "br"}),
    "17 text": ("text/plain", GOOD, {}),
    "17 form": ("application/x-www-form-urlencoded", b"active=true", {}),
    "17 multipart": ("multipart/form-data; boundary=x", b"--x--", {}),
    "17 missing": ("", GOOD, {}),
    "48 XML": (
        "application/fhir+xml",
        b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><Patient>&x;</Patient>',
        {},
    ),
    "49 billion laughs": (
        "application/xml",
        b'<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Patient>&b;</Patient>',
        {},
    ),
    "50 external DTD": (
        "text/xml",
        b'<!DOCTYPE p SYSTEM "https://clinic.example/p.dtd"><Patient/>',
        {},
    ),
    "51 XInclude": (
        "application/fhir+xml",
        b'<Patient xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include/></Patient>',
        {},
    ),
    "52 namespaces": ("application/fhir+xml", b'<Patient xmlns="urn:x"/>', {}),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_body_in_another_format_is_refused(name, clinic):
    content_type, body, headers = TYPES[name]

    answer = clinic.world.send(
        "POST", "/fhir/Patient", body, {**clinic.admin, **headers}, content_type
    )

    assert_refused(answer, {415})


LONG = 100_000
REGEX_BOMBS = {
    "66 date of digits": {"birthDate": "1" * LONG},
    "66 date that almost ends": {"birthDate": "2026-01-01" * (LONG // 10)},
    "66 code of spaces": {"gender": "a" + " " * LONG + "b"},
    "66 uri of spaces": {"implicitRules": "a" + " " * LONG},
    "66 code of words": {"language": "a " * (LONG // 2) + " b"},
    "66 id of letters": {"managingOrganization": {"reference": "a/" * (LONG // 2)}},
    "66 base64 of spaces": {"photo": [{"data": "A" * LONG + " " * LONG + "!"}]},
    "66 instant of digits": {"photo": [{"creation": "2026-01-01T" + "1" * LONG}]},
}


@pytest.mark.parametrize("name", REGEX_BOMBS)
def test_no_value_of_a_body_holds_a_regular_expression_up(name, clinic):
    body = fhir_json.dumps({"resourceType": "Patient", **REGEX_BOMBS[name]})
    took = []

    for _ in range(5):
        started = time.perf_counter()
        answer = clinic.world.send("POST", "/fhir/Patient", body, clinic.admin)
        took.append(time.perf_counter() - started)

    assert_refused(answer, {400, 413, 422}, "Patient.")
    assert min(took) < REDOS_S
