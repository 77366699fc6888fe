import json

import pytest

from conformance.build_packages import Package
from conformance.build_search_expressions import (
    Elements,
    ExpressionError,
    places,
    terms,
)
from conformance.build_search_parameters import main, search_parameter_tables
from conformance.fhir_json import dumps

STANDARDS_STATUS = (
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
)


def structure(type_, kind, *elements, **members):
    return {
        "resourceType": "StructureDefinition",
        "url": f"urn:structure:{type_}",
        "type": type_,
        "kind": kind,
        "abstract": False,
        "snapshot": {"element": [{"path": type_, "max": "*"}, *elements]},
        **members,
    }


def element(path, *types, maximum="1", **members):
    return {
        "path": path,
        "max": maximum,
        "type": [{"code": type_} for type_ in types],
        **members,
    }


def own(type_, code, expression, *, base="Thing", **members):
    return {
        "resourceType": "SearchParameter",
        "url": f"urn:parameter:{code}",
        "extension": [{"url": STANDARDS_STATUS}],
        "code": code,
        "base": [base],
        "type": type_,
        "expression": expression,
        "version": "1",
        **members,
    }


def component(code, expression):
    return {"definition": f"urn:parameter:{code}", "expression": expression}


THING = structure(
    "Thing",
    "resource",
    element("Thing.id", "http://hl7.org/fhirpath/System.String"),
    element(
        "Thing.status",
        "code",
        binding={"strength": "required", "valueSet": "urn:set:one|4.0.1"},
    ),
    element(
        "Thing.mood",
        "code",
        binding={"strength": "required", "valueSet": "urn:set:two"},
    ),
    element("Thing.tint", "code", binding={"strength": "example"}),
    element("Thing.value[x]", "Quantity", "dateTime", "Period"),
    element("Thing.subject", "Reference"),
    element("Thing.part", "BackboneElement", maximum="*"),
    element("Thing.part.code", "CodeableConcept"),
    element("Thing.part.value[x]", "Quantity", "string"),
    {"path": "Thing.part.part", "max": "*", "contentReference": "#Thing.part"},
    element("Thing.telecom", "ContactPoint", maximum="*"),
    element("Thing.when", "Timing"),
)
RELEASE = [
    THING,
    structure(
        "CodeableConcept", "complex-type", element("CodeableConcept.text", "string")
    ),
    structure("Other", "resource", derivation="constraint"),
    {
        "resourceType": "ValueSet",
        "url": "urn:set:one",
        "compose": {"include": [{"system": "urn:system"}]},
    },
    {
        "resourceType": "ValueSet",
        "url": "urn:set:two",
        "compose": {"include": [{"system": "urn:a"}, {"system": "urn:b"}]},
    },
]


def package(*definitions):
    return Package(
        name="own",
        version="1",
        licence="CC0-1.0",
        definitions={definition["url"]: definition for definition in definitions},
    )


def table(*parameters, guides=()):
    tables = search_parameter_tables([package(*RELEASE, *parameters), *guides])
    return tables["search_parameters.json"]["types"]["Thing"]


def branches(type_, expression):
    record = table(own(type_, "x", expression))["x"]
    return record.get("branches", record.get("refused"))


BRANCHES = {
    "a code of one system": (
        "token",
        "Thing.status",
        [{"path": ["status"], "type": "code", "system": "urn:system"}],
    ),
    "a code of several systems": (
        "token",
        "Thing.mood",
        [{"path": ["mood"], "type": "code"}],
    ),
    "a code without a required binding": (
        "token",
        "Thing.tint",
        [{"path": ["tint"], "type": "code"}],
    ),
    "an id": ("token", "Thing.id", [{"path": ["id"], "type": "id"}]),
    "a choice as the type that is asked for": (
        "quantity",
        "(Thing.value as Quantity)",
        [{"path": ["valueQuantity"], "type": "Quantity"}],
    ),
    "a choice of which some types are searched": (
        "date",
        "Thing.value",
        [
            {"path": ["valueDateTime"], "type": "dateTime"},
            {"path": ["valuePeriod"], "type": "Period"},
        ],
    ),
    "a type in the wrong case": (
        "date",
        "Thing.value.as(DateTime)",
        [{"path": ["valueDateTime"], "type": "dateTime"}],
    ),
    "a member of a cast": (
        "string",
        "(Thing.part.code as CodeableConcept).text",
        [{"path": ["part*", "code", "text"], "type": "string"}],
    ),
    "a part of a part": (
        "token",
        "Thing.part.part.code",
        [{"path": ["part*", "part*", "code"], "type": "CodeableConcept"}],
    ),
    "a target": (
        "reference",
        "Thing.subject.where(resolve() is Patient)",
        [{"path": ["subject"], "type": "Reference", "target": "Patient"}],
    ),
    "an equality": (
        "token",
        "Thing.telecom.where(system='email')",
        [{"path": ["telecom*", "?system=email"], "type": "ContactPoint"}],
    ),
    "an index": (
        "token",
        "Thing.part[0].code",
        [{"path": ["part*", "#0", "code"], "type": "CodeableConcept"}],
    ),
    "existence": (
        "token",
        "Thing.subject.exists() and Thing.subject != false",
        [{"path": ["subject"], "type": "Reference", "present": True}],
    ),
    "a union of which a part is for another type": (
        "date",
        "Other.value | Thing.when",
        [{"path": ["when"], "type": "Timing"}],
    ),
    "the same twice": (
        "date",
        "Thing.when | Thing.when",
        [{"path": ["when"], "type": "Timing"}],
    ),
    "what its type cannot search": (
        "token",
        "Thing.subject",
        "no token search looks at Reference",
    ),
    "what is not there": ("token", "Thing.nope", "'Thing.nope' names no element"),
    "what only another type has": (
        "token",
        "Other.x",
        "no token search looks at nothing",
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_an_expression_becomes_typed_paths(name):
    type_, expression, expected = BRANCHES[name]

    assert branches(type_, expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "Thing.part.first()",
        "Thing.part.where(code = 5)",
        "Thing.iif(true, part, id)",
        "Thing.part > 5",
        "Thing.part.where(code='a' or code='b')",
        "Thing.part.",
    ],
)
def test_an_expression_that_is_not_understood_is_refused(expression):
    elements = Elements(package(*RELEASE))

    with pytest.raises(ExpressionError):
        places(elements, "Thing", expression)


def test_a_parameter_without_an_expression_says_so():
    parameter = own("token", "x", "")
    del parameter["expression"]

    assert table(parameter)["x"] == {
        "type": "token",
        "url": "urn:parameter:x",
        "refused": "there is no expression",
    }


def test_a_composite_has_parts_for_each_of_its_elements():
    found = table(
        own("token", "code", "Thing.part.code"),
        own("quantity", "size", "Thing.part.value"),
        own("token", "status", "Thing.status"),
        own(
            "composite",
            "all",
            "Thing.part",
            component=[
                component("code", "code"),
                component("size", "value.as(Quantity)"),
                component("status", "%resource.status"),
            ],
        ),
    )

    assert found["all"] == {
        "type": "composite",
        "url": "urn:parameter:all",
        "expression": "Thing.part",
        "component": ["code", "size", "status"],
        "composites": [
            {
                "path": ["part*"],
                "components": [
                    {
                        "type": "token",
                        "branches": [{"path": ["code"], "type": "CodeableConcept"}],
                    },
                    {
                        "type": "quantity",
                        "branches": [{"path": ["valueQuantity"], "type": "Quantity"}],
                    },
                    {
                        "type": "token",
                        "branches": [
                            {
                                "path": ["status"],
                                "type": "code",
                                "system": "urn:system",
                                "root": True,
                            }
                        ],
                    },
                ],
            }
        ],
    }


def test_an_example_in_the_release_is_no_parameter():
    parameter = own("token", "x", "Thing.status") | {"extension": []}

    assert table(parameter) == {}


def test_a_guide_adds_a_parameter_and_changes_none():
    guide = package(
        own("date", "when", "Thing.when"),
        own("date", "status", "Thing.when") | {"url": "urn:other"},
    )

    found = table(own("token", "status", "Thing.status"), guides=[guide])

    assert {code: record["type"] for code, record in found.items()} == {
        "status": "token",
        "when": "date",
    }


def test_a_later_guide_mends_what_an_earlier_one_says_wrongly():
    wrong = package(own("date", "when", "Thing.whenTiming"))
    right = package(own("date", "when", "Thing.when") | {"url": "urn:right"})

    found = table(guides=[wrong, right])

    assert (found["when"]["url"], "refused" in found["when"]) == ("urn:right", False)


def test_a_union_is_split_outside_quotes_and_parentheses():
    assert terms("A.b.where(x='|') | (A.c as B) | A.d") == [
        "A.b.where(x='|')",
        "(A.c as B)",
        "A.d",
    ]


def test_a_compartment_lists_who_is_linked_and_not_itself():
    compartment = {
        "resourceType": "CompartmentDefinition",
        "url": "urn:compartment",
        "code": "Thing",
        "resource": [
            {"code": "Thing", "param": ["{def}"]},
            {"code": "Part", "param": ["thing", "{def}"]},
            {"code": "Stone"},
        ],
    }
    example = compartment | {"url": "urn:/example", "code": "Example"}

    tables = search_parameter_tables([package(*RELEASE, compartment, example)])

    assert tables["compartments.json"]["compartments"] == {"Thing": {"Part": ["thing"]}}


def test_the_command_writes_the_tables_of_a_package_and_a_bundle(tmp_path, capsys):
    source = tmp_path / "source" / "package"
    source.mkdir(parents=True)
    manifest = {"name": "own", "version": "1", "license": "CC0-1.0"}
    (source / "package.json").write_bytes(dumps(manifest))
    for number, definition in enumerate(RELEASE):
        (source / f"{number}.json").write_bytes(dumps(definition))
    bundle = tmp_path / "more.json"
    parameter = own("token", "status", "Thing.status")
    bundle.write_bytes(dumps({"entry": [{"resource": parameter}]}))

    main(["--out", str(tmp_path / "out"), str(source.parent), str(bundle)])

    written = json.loads((tmp_path / "out" / "search_parameters.json").read_bytes())
    assert [source["package"] for source in written["sources"]] == ["own", "more"]
    assert list(written["types"]["Thing"]) == ["status"]
    assert "compartments.json" in capsys.readouterr().out
