import pytest

from conformance.references import Reference, canonical_of, reference_in, reference_of

BASES = ("https://ehr.example/fhir", "http://localhost:8000/fhir")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/1", Reference("Patient", "1")),
        ("Patient/1/_history/2", Reference("Patient", "1", version="2")),
        ("https://ehr.example/fhir/Patient/1", Reference("Patient", "1")),
        (
            "http://localhost:8000/fhir/Device/a.b-C/_history/7",
            Reference("Device", "a.b-C", version="7"),
        ),
        (
            "https://other.example/fhir/Patient/1",
            Reference("Patient", None, "https://other.example/fhir/Patient/1"),
        ),
        (
            "https://ehr.example/fhir2/Patient/1",
            Reference("Patient", None, "https://ehr.example/fhir2/Patient/1"),
        ),
        (
            "https://ehr.example/fhir/x/Patient/1",
            Reference("Patient", None, "https://ehr.example/fhir/x/Patient/1"),
        ),
        ("urn:uuid:05efabf0", Reference(None, None, "urn:uuid:05efabf0")),
        ("#p1", Reference(None, None, "#p1")),
        ("Patient/..", Reference(None, None, "Patient/..")),
        ("Patient/1 ", Reference(None, None, "Patient/1 ")),
        ("Patient/1/", Reference(None, None, "Patient/1/")),
        ("patient/1", Reference(None, None, "patient/1")),
        ("Patient/" + "1" * 65, Reference(None, None, "Patient/" + "1" * 65)),
        ("Patient/1?x=Group/2", Reference(None, None, "Patient/1?x=Group/2")),
        ("javascript:Patient/1", Reference(None, None, "javascript:Patient/1")),
        ("", Reference(None, None, "")),
    ],
)
def test_a_reference_is_of_this_server_or_of_another(text, expected):
    assert reference_of(text, BASES) == expected


def test_without_base_urls_no_absolute_reference_is_ours():
    assert reference_of("https://ehr.example/fhir/Patient/1").id is None


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"reference": "Patient/1", "type": "Group"}, Reference("Patient", "1")),
        (
            {"reference": "urn:uuid:1", "type": "Patient"},
            Reference("Patient", None, "urn:uuid:1"),
        ),
        (
            {"type": "Patient", "identifier": {"system": "urn:x", "value": "7"}},
            Reference("Patient", None, identifier=("urn:x", "7")),
        ),
        (
            {"identifier": {"value": "7"}},
            Reference(None, None, identifier=(None, "7")),
        ),
        ({"display": "Somebody"}, None),
    ],
)
def test_an_element_names_by_reference_or_by_identifier(element, expected):
    assert reference_in(element) == expected


def test_a_canonicals_version_is_taken_apart():
    canonical = canonical_of("http://example.org/Questionnaire/phq|2.0")

    assert (canonical.url, canonical.version) == (
        "http://example.org/Questionnaire/phq",
        "2.0",
    )


def test_a_long_text_is_read_in_linear_time():
    assert reference_of("http://" + "/A" * 500_000).id is None
