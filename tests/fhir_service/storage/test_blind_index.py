"""Keyed hashes: equal where people mean the same, different across purposes."""

import pytest

from fhir_service.search.collation import normalised
from fhir_service.storage.blind_index import (
    LENGTH,
    BlindIndex,
    Purpose,
    normalised_telecom,
)

BLIND = BlindIndex(bytes(range(32)))


@pytest.mark.parametrize("purpose", Purpose)
def test_a_hash_has_sixteen_bytes_and_stays_the_same(purpose):
    first = BLIND.hash(purpose, "value")

    assert len(first) == LENGTH == 16
    assert BlindIndex(bytes(range(32))).hash(purpose, "value") == first


def test_the_same_value_has_another_hash_for_each_purpose():
    assert len({BLIND.hash(purpose, "value") for purpose in Purpose}) == len(Purpose)


def test_another_key_gives_other_hashes():
    assert BlindIndex(bytes(32)).identifier("a") != BLIND.identifier("a")


@pytest.mark.parametrize("purpose", Purpose)
def test_a_purpose_fits_the_personalisation(purpose):
    assert 0 < len(purpose.encode()) <= 16


def test_parts_do_not_run_into_each_other():
    hashes = {
        BLIND.identifier(*parts)
        for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"))
    }

    assert len(hashes) == 5


def test_the_parts_of_an_identifier_are_taken_as_written():
    assert BLIND.identifier("urn:x", "A1") != BLIND.identifier("urn:x", "a1")
    assert BLIND.unit("urn:x", "A1") != BLIND.source("urn:x", "A1")


@pytest.mark.parametrize(
    ("written", "searched"),
    [
        ("Müller", "MULLER"),
        ("Mu\u0308ller", "müller"),
        ("Straße", "STRASSE"),
        ("\uff2d\uff49\uff4c\uff4c\uff45\uff52", "miller"),
        ("  van  der\tBerg ", "Van der Berg"),
        ("Nguyễn", "nguyen"),
        ("ΊΩΝ", "ιων"),
        ("Ångström", "angstrom"),
        ("İpek", "ipek"),
    ],
)
def test_a_name_is_found_as_people_write_it(written, searched):
    assert BLIND.name(written) == BLIND.name(searched)
    assert BLIND.exact_name(written) != BLIND.exact_name(searched)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Miller", "Millar"),
        ("か", "が"),
        ("कि", "कु"),
        ("", "a"),
    ],
)
def test_another_name_is_another_name(one, other):
    assert BLIND.name(one) != BLIND.name(other)


def test_an_exact_name_does_not_depend_on_how_an_accent_is_encoded():
    assert BLIND.exact_name("M\u00fcller") == BLIND.exact_name("Mu\u0308ller")


def test_a_name_is_normalised_once():
    assert normalised(normalised("Ǆurđević Ẽ")) == normalised("Ǆurđević Ẽ")


@pytest.mark.parametrize(
    ("system", "written", "searched"),
    [
        ("phone", "+49 (30) 123-456", "+4930123456"),
        ("sms", "\uff11\uff12\uff13", "123"),
        ("email", " Someone@Example.ORG ", "someone@example.org"),
        ("url", "HTTPS://Example.org", "https://example.org"),
    ],
)
def test_a_contact_point_is_found_as_people_write_it(system, written, searched):
    assert normalised_telecom(system, written) == searched
    assert BLIND.telecom(system, written) == BLIND.telecom(system, searched)


def test_a_number_is_not_an_address():
    assert BLIND.telecom("phone", "123") != BLIND.telecom("email", "123")


def test_a_lone_surrogate_is_hashed_like_any_other_text():
    assert BLIND.identifier("\ud800") != BLIND.identifier("\ud801")


def test_a_pseudonym_names_one_patient():
    assert BLIND.pseudonym("a") != BLIND.pseudonym("b")
    assert BLIND.pseudonym("a") != BLIND.identifier("a")
