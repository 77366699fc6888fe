"""What consent hides leaves no trace where else resources are listed or read.

Each request is asked in a world with hidden resources and in one without them.
"""

import re

import pytest
from twin_worlds import twins
from worlds import opened_world

RENDERED = re.compile(r"\bpb-[a-z0-9]+")
"""Ids of Provenances, which are hashes of where the rows are."""

TYPES = (
    "Patient,Device,Encounter,Observation,Condition,QuestionnaireResponse,"
    "RiskAssessment,Organization,Practitioner"
)
"""All but Consent: those of the two worlds have ids of their own."""

OF_A_PATIENT = (
    "Patient/{}",
    "Patient/{}/_history",
    "Patient/{}/_history/1",
    "Patient/{}/$meta",
    f"Patient/{{}}/$everything?_count=5&_type={TYPES}",
    "Patient/{}/Observation?_count=3&_total=accurate",
    "Patient/{}/Condition?_total=accurate",
    "Patient/{}/Encounter?_include=Encounter:participant",
    "Observation/$lastn?patient={}&max=2",
    "Observation?patient={}&_summary=count",
    "Observation?patient={}&_revinclude=Provenance:target&_count=4",
    "Observation?subject:Patient._id={}",
    "Organization?_has:Patient:organization:_id={}",
)
OF_ALL = (
    "?_type=Observation,Condition,Encounter&_count=7&_total=accurate",
    "?_type=Patient,Device&_count=3",
    "Observation/_history?_count=9",
    "Condition/_history?_count=2",
    "Patient/_history",
    "Patient?_count=2&_total=accurate&_sort=-_id",
    "Observation?_summary=count",
    "Condition?_summary=count",
    "Patient?_revinclude=Provenance:target",
)
OF_A_RESOURCE = ("{}", "{}/_history", "{}/_history/1", "{}/$meta")


@pytest.fixture(scope="module")
def pair(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("elsewhere")
    with (
        opened_world(folder, template, name="whole") as whole,
        opened_world(folder, template, name="bare") as bare,
    ):
        yield twins(whole, bare, seed=13)


def answers(side, path, translated):
    """Return the pages of an answer as they are in the bare world."""
    return [
        (status, RENDERED.sub("pb-", translated(text)))
        for status, text in side.pages(path)
    ]


def as_it_is(text):
    return text


def differing(pair, paths):
    """Return the paths that are answered differently."""
    return [
        path
        for path in paths
        if answers(pair.whole, path, pair.translated)
        != answers(pair.bare, pair.translated(path), as_it_is)
    ]


def patients(pair):
    return [one["id"] for one in pair.everything if one["resourceType"] == "Patient"]


@pytest.mark.parametrize("path", OF_A_PATIENT)
def test_nothing_of_a_patient_tells_of_what_is_hidden(pair, path):
    assert differing(pair, [path.format(one) for one in patients(pair)]) == []


@pytest.mark.parametrize("path", OF_ALL)
def test_no_list_tells_of_what_is_hidden(pair, path):
    assert differing(pair, [path]) == []


@pytest.mark.parametrize("path", OF_A_RESOURCE)
def test_a_hidden_resource_is_read_as_one_that_never_was(pair, path):
    paths = [
        path.format(f"{one['resourceType']}/{one['id']}") for one in pair.everything
    ]

    assert differing(pair, paths) == []
