"""Each element of a provision against one signature: true, false or not known."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consent.codes import (
    ACT_CODE,
    ACT_REASON,
    CONFIDENTIALITY,
    RESOURCE_TYPES,
    URI,
)
from consent.data_references import Context
from consent.elements import DATA_SELECTORS
from consent.formula import (
    And,
    EndGE,
    EndLE,
    Mentions,
    Or,
    RefersTo,
    StartGE,
    StartLE,
)
from consent.labels import labels_of
from consent.references import Deployment
from consent.request_selectors import Actions, Kind, match_purpose
from consent.signature import describe
from consent.topology import Topology
from consent.truth import DIFFERS, MATCHES, UNKNOWN, exactly

PERMIT, DENY = Kind.PERMIT, Kind.DENY
CONTEXT = Context(patient="Patient/p1", topology=Topology())
LOINC = "http://loinc.org"
PULSE = {"coding": [{"system": LOINC, "code": "8867-4"}]}
STEPS = {"coding": [{"system": LOINC, "code": "55423-8"}]}
NORMAL = labels_of(3, (), is_labelled=True)
UNRESTRICTED = labels_of(0, (), is_labelled=True)
RESTRICTED = labels_of(4, (), is_labelled=True)
HIV = labels_of(4, {"HIV"}, is_labelled=True)
HIV_AND_MENTAL = labels_of(4, {"HIV", "MH"}, is_labelled=True)


def match(element, value, kind, *, labels=NORMAL, zone=UTC, **resource):
    deployment = Deployment(zone=zone)
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "code": PULSE,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-10T08:00:00Z",
        **resource,
    }
    described = describe(observation, labels=labels, deployment=deployment)
    selector = DATA_SELECTORS[element](value, kind, deployment)
    return selector.matches(described.facets, CONTEXT)


def coding(system, code):
    return [{"system": system, "code": code}]


def level(code):
    return coding(CONFIDENTIALITY, code)


def sensitivity(code):
    return coding(ACT_CODE, code)


def us(text):
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return moment // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("listed", "labels", "permit", "deny"),
    [
        (level("U"), UNRESTRICTED, MATCHES, MATCHES),
        (level("L"), UNRESTRICTED, MATCHES, DIFFERS),
        (level("N"), NORMAL, MATCHES, MATCHES),
        (level("N"), RESTRICTED, DIFFERS, MATCHES),
        (level("R"), NORMAL, MATCHES, DIFFERS),
    ],
)
def test_a_level_is_a_ceiling_of_a_permit_and_a_floor_of_a_deny(
    listed, labels, permit, deny
):
    assert match("securityLabel", listed, PERMIT, labels=labels) == permit
    assert match("securityLabel", listed, DENY, labels=labels) == deny


def test_a_permit_wants_every_sensitivity_covered_and_a_deny_any():
    def matches(kind, labels):
        return match("securityLabel", sensitivity("HIV"), kind, labels=labels)

    assert matches(PERMIT, HIV) == MATCHES
    assert matches(PERMIT, HIV_AND_MENTAL) == DIFFERS
    assert matches(PERMIT, RESTRICTED) == DIFFERS
    assert matches(DENY, HIV) == MATCHES
    assert matches(DENY, HIV_AND_MENTAL) == MATCHES
    assert matches(DENY, RESTRICTED) == DIFFERS


@pytest.mark.parametrize(
    ("listed", "labels"),
    [
        (coding("http://local", "N"), NORMAL),
        (coding("http://local", "N"), RESTRICTED),
        (coding("http://local", "HIV"), HIV),
        (coding("http://local", "HIV"), HIV_AND_MENTAL),
        (coding(CONFIDENTIALITY, "X"), NORMAL),
        (coding(ACT_CODE, "XYZ"), NORMAL),
        ([{"code": "N"}], NORMAL),
    ],
)
@pytest.mark.parametrize("kind", [PERMIT, DENY])
def test_a_label_we_do_not_know_may_mean_anything(listed, labels, kind):
    assert match("securityLabel", listed, kind, labels=labels) == UNKNOWN


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (coding(RESOURCE_TYPES, "Observation"), MATCHES),
        (coding(RESOURCE_TYPES, "Condition"), DIFFERS),
        (coding(URI, "Observation"), DIFFERS),
        (coding("http://local", "Observation"), UNKNOWN),
        ([{"code": "Observation"}], UNKNOWN),
        (
            [
                *coding("http://local", "anything"),
                *coding(RESOURCE_TYPES, "Observation"),
            ],
            MATCHES,
        ),
    ],
)
@pytest.mark.parametrize("kind", [PERMIT, DENY])
def test_a_class_is_a_type_of_resource_or_not_known(listed, expected, kind):
    assert match("class", listed, kind) == expected


@pytest.mark.parametrize(
    ("claimed", "listed", "expected"),
    [
        ("https://p.example/heart", "https://p.example/heart", MATCHES),
        ("https://p.example/heart|2", "https://p.example/heart", MATCHES),
        ("https://p.example/heart|2", "https://p.example/heart|2", MATCHES),
        ("https://p.example/heart|2|draft", "https://p.example/heart", MATCHES),
        ("https://p.example/heart|2", "https://p.example/heart|1", DIFFERS),
        ("https://p.example/heart", "https://p.example/heart|2", DIFFERS),
        ("https://p.example/heart", "https://p.example/sleep", DIFFERS),
    ],
)
def test_a_profile_without_version_means_every_version(claimed, listed, expected):
    found = match("class", coding(URI, listed), PERMIT, meta={"profile": [claimed]})

    assert found == expected


@pytest.mark.parametrize(
    ("listed", "code", "expected"),
    [
        ([PULSE], PULSE, MATCHES),
        ([STEPS], PULSE, DIFFERS),
        ([STEPS], {"text": "steps"}, UNKNOWN),
        ([STEPS, {"text": "pulse"}], PULSE, UNKNOWN),
        ([STEPS, {"text": "pulse"}], {"text": "pulse"}, UNKNOWN),
        ([PULSE, {"text": "pulse"}], PULSE, MATCHES),
    ],
)
@pytest.mark.parametrize("kind", [PERMIT, DENY])
def test_a_code_differs_only_where_both_sides_are_coded(listed, code, expected, kind):
    assert match("code", listed, kind, code=code) == expected


def test_a_window_of_days_is_of_the_deployments_zone():
    window = {"start": "2026-03-08", "end": "2026-03-08"}
    first = us("2026-03-08T00:00:00-05:00")
    last = us("2026-03-08T23:59:59.999999-04:00")

    def found(kind):
        zone = ZoneInfo("America/New_York")
        return match("dataPeriod", window, kind, zone=zone)

    assert found(PERMIT) == exactly(And((StartGE(first), EndLE(last))))
    assert found(DENY) == exactly(And((EndGE(first), StartLE(last))))


def test_related_takes_mentions_for_a_deny_and_for_what_is_recorded_in_a_frame():
    def related(reference, kind):
        listed = [{"meaning": "related", "reference": {"reference": reference}}]
        elsewhere = {"reference": "Encounter/other"}
        return match("data", listed, kind, encounter=elsewhere)

    condition = RefersTo("Condition/c"), Mentions("Condition/c")
    encounter = RefersTo("Encounter/e"), Mentions("Encounter/e")

    assert related("Condition/c", PERMIT) == exactly(condition[0])
    assert related("Condition/c", DENY) == exactly(Or(condition))
    assert related("Encounter/e", PERMIT) == exactly(Or(encounter))
    assert related("Encounter/e", DENY) == exactly(Or(encounter))


@pytest.mark.parametrize("kind", [PERMIT, DENY])
@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ((None, "HMARKT"), (ACT_REASON, "TREAT")),
        ((ACT_REASON, None), (ACT_REASON, "TREAT")),
        ((None, None), (ACT_REASON, "TREAT")),
        ((ACT_REASON, "TREAT"), None),
    ],
)
def test_an_incomplete_or_missing_purpose_may_be_any(listed, asked, kind):
    assert match_purpose(listed, asked, kind) is None


def test_only_a_deny_reaches_what_may_be_a_generalisation():
    listed, asked = (ACT_REASON, "BIORCH"), (ACT_REASON, "HRESCH")

    assert match_purpose(listed, asked, DENY) is True
    assert match_purpose(listed, asked, PERMIT) is False
    assert match_purpose(asked, listed, PERMIT) is True


def test_an_action_that_is_not_listed_differs_unless_an_entry_is_unknown():
    closed = Actions(codes=frozenset({"use"}), has_unknown=False)
    open_ = Actions(codes=frozenset({"use"}), has_unknown=True)

    assert closed.matches("use") is True
    assert closed.matches("access") is False
    assert open_.matches("use") is True
    assert open_.matches("access") is None
