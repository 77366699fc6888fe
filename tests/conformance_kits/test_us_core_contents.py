"""What US Core demands of resources, profile by profile, of seeded data.

https://hl7.org/fhir/us/core/STU7/must-support.html
"""

import json

from us_core_elements import at, is_in_slice
from us_core_seed import CORE
from us_core_served import SERVED, of_group

from conformance.fhir_json import loads
from conformance.issues import Severity
from conformance.validation import validate


def test_every_resource_is_valid_against_its_profile(seeded):
    faults = {
        (repr(group), issue.diagnostics)
        for group in SERVED
        for one in seeded.of[group.profile]
        for issue in validate(
            loads(json.dumps(one).encode()),
            profiles=[f"{CORE}{group.profile}|{group.version}"],
        )
        if issue.severity in (Severity.ERROR, Severity.FATAL)
    }

    assert faults == set()


@of_group
def test_each_resource_is_read(seeded, group):
    for one in seeded.of[group.profile]:
        read = seeded.get(f"{group.type}/{one['id']}")

        assert (read["resourceType"], read["id"]) == (group.type, one["id"])


def has(group, one, path):
    return bool(at(one, path, group.must_supports["slices"]))


@of_group
def test_each_element_that_must_be_supported_is_in_some_resource(seeded, group):
    chosen = group.must_supports.get("choices") or []
    choices = [one["paths"] for one in chosen if "paths" in one]
    alone = [
        [element["path"]]
        for element in group.must_supports["elements"]
        if not any(element["path"] in paths for paths in choices)
    ]

    missing = [
        paths
        for paths in [*alone, *choices]
        if not any(
            has(group, one, path) for one in seeded.of[group.profile] for path in paths
        )
    ]

    assert missing == []


@of_group
def test_each_fixed_value_that_must_be_supported_is_in_some_resource(seeded, group):
    fixed = {
        element["path"]: element["fixed_value"]
        for element in group.must_supports["elements"]
        if "fixed_value" in element
    }

    missing = {
        path: value
        for path, value in fixed.items()
        if not any(
            value in at(one, path, group.must_supports["slices"])
            for one in seeded.of[group.profile]
        )
    }

    assert missing == {}


@of_group
def test_each_slice_that_must_be_supported_is_in_some_resource(seeded, group):
    missing = [
        one["slice_name"]
        for one in group.must_supports["slices"]
        if not any(
            is_in_slice(one, element)
            for resource in seeded.of[group.profile]
            for element in at(resource, one["path"])
        )
    ]

    assert missing == []


@of_group
def test_each_extension_that_must_be_supported_is_in_some_resource(seeded, group):
    missing = [
        one["url"]
        for one in group.must_supports["extensions"]
        if not any(
            extension["url"] == one["url"]
            for resource in seeded.of[group.profile]
            for extension in at(resource, one["path"])
        )
    ]

    assert missing == []


@of_group
def test_an_element_that_is_mandatory_is_in_every_resource(seeded, group):
    """Those inside another are where the other is."""
    paths = [path.partition(".")[2] for path in group.mandatory]

    missing = {
        path
        for path in paths
        for resource in seeded.of[group.profile]
        for parent in parents(resource, path)
        if not at(parent, path.rpartition(".")[2])
    }

    assert missing == set()


def parents(resource, path):
    above = path.rpartition(".")[0]
    return at(resource, above) if above else [resource]


@of_group
def test_a_reference_that_must_be_supported_leads_to_a_resource(seeded, group):
    for element in group.must_supports["elements"]:
        profiles = element.get("target_profiles")
        named = [
            one["reference"]
            for resource in seeded.of[group.profile]
            for one in at(resource, element["path"])
            if profiles and "reference" in one
        ]
        for reference in named:
            read = seeded.get(reference)

            assert f"{read['resourceType']}/{read['id']}" == reference


# What the server says of itself


@of_group
def test_the_server_declares_the_profile_and_what_it_demands(seeded, group):
    statement = seeded.get("metadata")

    [told] = [
        one for one in statement["rest"][0]["resource"] if one["type"] == group.type
    ]
    assert CORE + group.profile in told["supportedProfile"]
    assert {one["code"] for one in told["interaction"]} >= {
        "read",
        "search-type",
        "vread",
        "history-instance",
    }
    assert {one["name"] for one in told["searchParam"]} >= {
        name for names in group.searches for name in names
    }
    assert set(told.get("searchRevInclude", ())) >= set(group.reverse_includes)
