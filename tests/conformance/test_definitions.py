import pytest

from conformance import definitions


def test_the_tables_say_where_they_come_from() -> None:
    found = [
        (source["package"], source["version"], source["licence"])
        for source in definitions.sources()
    ]

    assert found == [
        ("hl7.fhir.r4.core", "4.0.1", "CC0-1.0"),
        ("hl7.fhir.us.core", "6.1.0", "CC0-1.0"),
        ("hl7.fhir.us.core", "7.0.0", "CC0-1.0"),
        ("hl7.fhir.us.core", "8.0.0", "CC0-1.0"),
        ("hl7.fhir.uv.ipa", "1.0.0", "CC0-1.0"),
    ]


def test_all_resource_types_of_r4_are_known() -> None:
    names = definitions.type_names()

    assert len(names) == 146
    assert {"Observation", "Device", "Bundle", "Parameters"} <= set(names)
    assert not {"Resource", "DomainResource", "Quantity"} & set(names)


def test_all_datatypes_of_r4_are_known() -> None:
    names = definitions.datatype_names()

    assert {"Quantity", "SimpleQuantity", "dateTime", "xhtml", "Dosage"} <= set(names)
    assert not {"Observation", "Resource", "DomainResource"} & set(names)


def test_a_choice_has_a_member_for_each_type() -> None:
    value = definitions.elements("Observation")["value"]

    assert value.is_choice
    assert value.keys["valueQuantity"] == "Quantity"
    assert len(value.keys) == len(value.types) == 11


def test_a_simple_quantity_is_written_as_a_quantity() -> None:
    dose = definitions.elements("Dosage.doseAndRate")["dose"]

    assert dose.keys == {"doseRange": "Range", "doseQuantity": "SimpleQuantity"}


def test_inherited_elements_come_first_and_in_order() -> None:
    names = list(definitions.elements("Observation"))

    assert names[:8] == [
        "id",
        "meta",
        "implicitRules",
        "language",
        "text",
        "contained",
        "extension",
        "modifierExtension",
    ]
    assert names[8:10] == ["identifier", "basedOn"]


def test_an_element_that_repeats_another_refers_to_its_structure() -> None:
    inner = definitions.elements("Questionnaire.item")["item"]

    assert inner.types == ("Questionnaire.item",)
    assert inner.is_array


def test_a_required_binding_and_its_codes_are_known() -> None:
    status = definitions.elements("Observation")["status"]
    assert status.binding is not None

    found = definitions.value_set(status.binding)

    assert found.not_checked is None
    assert found.codes == {
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    }


def test_every_required_binding_has_codes_or_says_why_not() -> None:
    bindings = {
        element.binding
        for name in definitions.structure_names()
        for element in definitions.elements(name).values()
        if element.binding is not None
    }

    unchecked = {
        found.url
        for found in map(definitions.value_set, bindings)
        if found.not_checked is not None
    }

    assert len(bindings) == 224
    assert unchecked == {
        "http://hl7.org/fhir/ValueSet/currencies",
        "http://hl7.org/fhir/ValueSet/mimetypes",
        "http://hl7.org/fhir/ValueSet/ucum-units",
        "http://loinc.org/vs/LL379-9",
    }


def test_a_value_set_that_is_not_known_says_so() -> None:
    found = definitions.value_set("http://x.example/ValueSet/y")

    assert found.not_checked == "the value set is not known"
    assert found.codes == frozenset()


@pytest.mark.parametrize(
    ("name", "ancestor", "expected"),
    [
        ("Age", "Quantity", True),
        ("SimpleQuantity", "Quantity", True),
        ("url", "uri", True),
        ("Observation", "DomainResource", True),
        ("Bundle", "DomainResource", False),
        ("Observation.component", "BackboneElement", True),
        ("Quantity", "Age", False),
        ("Wearable", "Quantity", False),
    ],
)
def test_types_know_what_they_specialise(
    name: str, ancestor: str, *, expected: bool
) -> None:
    assert definitions.is_a(name, ancestor) is expected


def test_a_primitive_inherits_its_base() -> None:
    found = definitions.primitive("positiveInt")

    assert found == definitions.Primitive(
        name="positiveInt", base="integer", system="integer", regex="[1-9][0-9]*"
    )


def test_a_structure_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        definitions.structure("Wearable")


def test_the_profiles_this_project_claims_are_held_in_each_version() -> None:
    us_core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    names = [
        "vital-signs",
        "heart-rate",
        "respiratory-rate",
        "pulse-oximetry",
        "body-temperature",
        "blood-pressure",
        "body-weight",
        "body-height",
        "bmi",
        "simple-observation",
        "patient",
        "practitioner",
        "organization",
        "provenance",
    ]

    versions = {name: definitions.profile_versions(us_core + name) for name in names}

    assert versions == dict.fromkeys(names, ("8.0.0", "7.0.0", "6.1.0"))
