"""What US Core demands that can be searched, profile by profile, asked of seeded data.

https://hl7.org/fhir/us/core/STU7/CapabilityStatement-us-core-server.html
"""

from urllib.parse import urlencode

import pytest
from us_core_asking import asked, compared, is_date, values, with_systems
from us_core_matrix import WHOLE, is_whole
from us_core_served import ABSTRACT, CLAIMED, SERVED
from worlds import matches

SEARCHES = {
    f"{group.profile}-{'+'.join(sorted(names))}": (group, names)
    for group in SERVED
    for names in group.searches
}
"""The searches of every version, those that several have in common once."""

of_search = pytest.mark.parametrize(
    ("group", "names"), SEARCHES.values(), ids=SEARCHES.keys()
)


def ids(resources):
    return sorted(one["id"] for one in resources)


def expected(seeded, group, parameters):
    return [
        one
        for one in seeded.everything
        if one["resourceType"] == group.type
        and all(parameter.finds(one) for parameter in parameters)
    ]


def comparators_of(group, names):
    [date] = [name for name in names if is_date(group, name)] or [None]
    return {} if date is None else group.definitions[date]["comparators"]


def pairs_of(parameters):
    return [(parameter.name, parameter.value) for parameter in parameters]


def asked_by(seeded, group, names):
    """Return the parameters by which the resources of a profile are asked for."""
    found = (
        [asked(group, name, one) for name in names] for one in seeded.of[group.profile]
    )
    return list({tuple(pairs_of(one)): one for one in found}.values())


@pytest.mark.skipif(
    not is_whole(), reason=f"the whole matrices are not here ({WHOLE.name} is absent)"
)
def test_every_profile_that_is_claimed_is_in_the_matrices():
    assert {group.profile for group in SERVED} >= CLAIMED - ABSTRACT


def test_every_profile_that_is_claimed_is_seeded(seeded):
    assert set(seeded.of) >= CLAIMED - ABSTRACT


@of_search
def test_a_search_finds_what_matches_and_nothing_else(seeded, group, names):
    for parameters in asked_by(seeded, group, names):
        resources = seeded.found(group.type, pairs_of(parameters))

        wanted = expected(seeded, group, parameters)
        assert wanted
        assert ids(resources) == ids(wanted)


@of_search
def test_a_search_by_post_finds_the_same(seeded, group, names):
    [parameters, *_] = asked_by(seeded, group, names)

    resources = seeded.found_by_post(group.type, pairs_of(parameters))

    assert ids(resources) == ids(expected(seeded, group, parameters))


@of_search
def test_a_token_is_found_with_its_system(seeded, group, names):
    [one, *_] = seeded.of[group.profile]
    plain = [asked(group, name, one) for name in names]
    pairs = [
        (name, *(with_systems(group, name, one)[:1] or [value]))
        for name, value in pairs_of(plain)
    ]

    resources = seeded.found(group.type, pairs)

    assert ids(resources) == ids(expected(seeded, group, plain))


@pytest.mark.parametrize(
    "form", ["Patient/{}", "http://localhost:8000/fhir/Patient/{}"], ids=["type", "url"]
)
@pytest.mark.parametrize(
    ("group", "names"),
    [one for one in SEARCHES.values() if "patient" in one[1]],
    ids=[name for name, one in SEARCHES.items() if "patient" in one[1]],
)
def test_a_patient_is_named_by_type_and_id_or_url(seeded, group, names, form):
    [parameters, *_] = asked_by(seeded, group, names)
    pairs = [
        (name, form.format(value) if name == "patient" else value)
        for name, value in pairs_of(parameters)
    ]

    resources = seeded.found(group.type, pairs)

    assert ids(resources) == ids(expected(seeded, group, parameters))


COMPARED = {
    f"{name}-{comparator}": (group, names, comparator)
    for name, (group, names) in SEARCHES.items()
    for comparator, demanded in comparators_of(group, names).items()
    if demanded == "SHALL"
}


@pytest.mark.parametrize(
    ("group", "names", "comparator"), COMPARED.values(), ids=COMPARED.keys()
)
def test_a_date_is_compared(seeded, group, names, comparator):
    for one in seeded.of[group.profile]:
        parameters = [
            compared(group, name, one, comparator)
            if is_date(group, name)
            else asked(group, name, one)
            for name in names
        ]

        resources = seeded.found(group.type, pairs_of(parameters))

        assert one["id"] in ids(resources)
        assert ids(resources) == ids(expected(seeded, group, parameters))


OR = {
    f"{search}-{name}": (group, names, name)
    for search, (group, names) in SEARCHES.items()
    for name in names
    if group.definitions[name]["multiple_or"] != "MAY"
}


@pytest.mark.parametrize(("group", "names", "many"), OR.values(), ids=OR.keys())
def test_one_of_several_values_suffices(seeded, group, names, many):
    [one, *_] = seeded.of[group.profile]
    others = [asked(group, name, one) for name in names if name != many]
    alone = seeded.found(group.type, pairs_of(others))
    every = {value for other in alone for value in values(group, many, other)}
    every |= set(group.definitions[many]["values"])

    asked_for = [*pairs_of(others), (many, ",".join(sorted(every)))]
    resources = seeded.found(group.type, asked_for)

    assert one["id"] in ids(resources)
    assert ids(resources) == ids(alone)


@pytest.mark.parametrize(
    "group", [one for one in SERVED if one.reverse_includes], ids=repr
)
def test_what_is_found_brings_its_provenance(seeded, group):
    [names, *_] = group.searches
    [parameters, *_] = asked_by(seeded, group, names)
    query = [*pairs_of(parameters), ("_revinclude", *group.reverse_includes)]

    bundle = seeded.get(f"{group.type}?{urlencode(query)}")

    told = {
        target["reference"]
        for entry in bundle["entry"]
        if entry["search"]["mode"] == "include"
        for target in entry["resource"]["target"]
    }
    assert {f"{group.type}/{one['id']}" for one in matches(bundle)} <= told
