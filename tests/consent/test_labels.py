import csv
from pathlib import Path

import pytest

from consent.codes import ACT_CODE, CONFIDENTIALITY, LEVELS, LOINC, MDC, MEASUREMENT
from consent.label_tables import (
    CODE_LABELS,
    NORMAL_CODES,
    PHYSICAL_ACTIVITY,
    TYPE_LABELS,
)
from consent.labels import (
    UNLABELLED,
    carried,
    label,
    labelled,
    labels_of,
    policy_tags,
    stated_labels,
    tagged,
)

KINDS = Path(__file__).parents[2] / "mappings" / "kinds.csv"
SYSTEMS = {
    "loinc": LOINC,
    "mdc": MDC,
    "local": MEASUREMENT,
    "pa": PHYSICAL_ACTIVITY,
}


def observation(*codes, security=(), **more):
    return {
        "resourceType": "Observation",
        "code": {"coding": [{"system": LOINC, "code": code} for code in codes]},
        **({"meta": {"security": list(security)}} if security else {}),
        **more,
    }


def level(code):
    return {"system": CONFIDENTIALITY, "code": code}


def sensitivity(code):
    return {"system": ACT_CODE, "code": code}


def test_a_heart_rate_is_normal():
    assert label(observation("8867-4")) == labels_of(3, (), is_labelled=True)


def test_a_depression_score_is_restricted_mental_health():
    assert label(observation("44261-6")) == labels_of(4, {"MH"}, is_labelled=True)


def test_an_unknown_code_stays_unlabelled():
    assert label(observation("00000-0")) == UNLABELLED
    assert label({"resourceType": "Observation"}) == UNLABELLED
    assert label({"resourceType": "Encounter"}) == UNLABELLED


def test_a_client_raises_and_never_lowers():
    raised = label(observation("8867-4", security=[level("V"), sensitivity("HIV")]))
    lowered = label(observation("44261-6", security=[level("U")]))

    assert raised == labels_of(LEVELS["V"], {"HIV"}, is_labelled=True)
    assert lowered == labels_of(LEVELS["R"], {"MH"}, is_labelled=True)


def test_a_client_never_vouches():
    found = label(observation("00000-0", security=[level("N"), sensitivity("ETH")]))

    assert not found.is_labelled
    assert found.sensitivities == {"ETH"}
    assert found.level == LEVELS["R"]


def test_a_sensitive_component_or_answer_raises_the_whole():
    panel = observation(
        "85353-1",
        component=[
            {"code": {"coding": [{"system": LOINC, "code": "8867-4"}]}},
            {"code": {"coding": [{"system": LOINC, "code": "93267-3"}]}},
        ],
    )
    answer = observation(
        "8867-4",
        valueCodeableConcept={"coding": [{"system": LOINC, "code": "74013-4"}]},
    )

    assert label(panel) == labels_of(LEVELS["V"], {"MH", "PSYTHPN"}, is_labelled=True)
    assert label(answer) == labels_of(LEVELS["R"], {"ETHUD"}, is_labelled=True)


def test_an_unknown_component_leaves_the_panel_unlabelled():
    panel = observation("85353-1", component=[{"code": {"text": "?"}}, "broken"])

    assert not label(panel).is_labelled


def test_a_device_is_labelled_by_its_type():
    def device(code):
        return {
            "resourceType": "Device",
            "type": {"coding": [{"system": MDC, "code": code}]},
        }

    assert label(device("528388")) == labels_of(3, (), is_labelled=True)
    assert label(device("0")) == UNLABELLED


@pytest.mark.parametrize("resource_type", sorted(TYPE_LABELS))
def test_some_types_need_no_code(resource_type):
    code, sensitivities = TYPE_LABELS[resource_type]

    assert label({"resourceType": resource_type}) == labels_of(
        LEVELS[code], sensitivities, is_labelled=True
    )


def test_a_consent_that_names_a_sensitivity_is_of_that_sensitivity():
    consent = {
        "resourceType": "Consent",
        "provision": {"securityLabel": [sensitivity("HIV")]},
    }

    assert label(consent) == labels_of(LEVELS["R"], {"HIV"}, is_labelled=True)


def test_every_row_of_the_tables_is_a_known_label():
    for code, sensitivities in (*CODE_LABELS.values(), *TYPE_LABELS.values()):
        assert code in LEVELS
        assert label(
            observation(
                "8867-4", security=[sensitivity(each) for each in sensitivities]
            )
        ).sensitivities == set(sensitivities)
    assert not NORMAL_CODES & set(CODE_LABELS)


def test_every_kind_of_measurement_is_labelled():
    with KINDS.open(encoding="utf-8", newline="") as table:
        kinds = list(csv.DictReader(table))

    for kind in kinds:
        codings = [each.split("|") for each in kind["codings"].split(";")]
        resource = {
            "resourceType": "Observation",
            "code": {
                "coding": [
                    {"system": SYSTEMS[system], "code": code}
                    for system, code, *_ in codings
                ]
            },
        }
        assert label(resource).is_labelled, kind["name"]


def test_a_sensitivity_counts_as_restricted():
    assert labels_of(None, {"MH"}, is_labelled=True).level == LEVELS["R"]
    assert labels_of(LEVELS["N"], {"MH"}, is_labelled=True).level == LEVELS["R"]
    assert labels_of(LEVELS["V"], {"MH"}, is_labelled=True).level == LEVELS["V"]
    assert labels_of(None, (), is_labelled=True) == UNLABELLED


def test_stated_labels_know_the_valueset_urls_and_the_highest_level():
    value_set = "http://terminology.hl7.org/ValueSet/"
    found = stated_labels(
        observation(
            security=[
                level("N"),
                {"system": f"{value_set}v3-Confidentiality", "code": "R"},
                level("L"),
                {
                    "system": f"{value_set}v3-InformationSensitivityPolicy",
                    "code": "HIV",
                },
                sensitivity("OPTIN"),
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                    "code": "HTEST",
                },
                {"code": "V"},
                "broken",
            ]
        )
    )

    assert found == labels_of(LEVELS["R"], {"HIV"}, is_labelled=True)


def test_a_resource_without_labels_of_ours_is_unlabelled():
    htest = {"system": "http://local", "code": "HTEST"}

    assert stated_labels(observation(security=[htest])) == UNLABELLED
    assert stated_labels({"meta": {"security": "R"}}) == UNLABELLED
    assert stated_labels({"meta": "R"}) == UNLABELLED


def test_labels_are_written_into_meta_security_beside_what_is_not_a_label():
    htest = {"system": "http://local", "code": "HTEST"}
    resource = observation("44261-6", security=[level("N"), htest, sensitivity("BH")])

    written = labelled(resource, label(resource))

    assert written["meta"]["security"] == [
        htest,
        sensitivity("BH"),
        sensitivity("MH"),
        level("R"),
    ]
    assert resource["meta"]["security"][0] == level("N")
    assert stated_labels(written) == label(resource)


def test_an_unlabelled_resource_gets_no_meta():
    assert labelled({"resourceType": "Basic"}, UNLABELLED) == {"resourceType": "Basic"}


def test_part_2_is_a_policy_tag():
    tagged = observation(security=[sensitivity("42CFRPart2"), sensitivity("MH"), "x"])
    lookalike = observation(security=[{"system": "http://local", "code": "42CFRPart2"}])

    assert policy_tags(tagged) == {"42CFRPart2"}
    assert policy_tags(lookalike) == frozenset()
    assert policy_tags({}) == frozenset()


def codes(resource):
    return [each["code"] for each in resource["meta"]["security"]]


def test_a_part_2_record_says_what_the_law_asks_wherever_it_goes():
    resource = tagged(observation("8867-4", security=[level("L")]), "42CFRPart2")

    once = labelled(resource, label(resource))
    twice = labelled(tagged(once, "42CFRPart2"), label(once))

    assert codes(once) == ["42CFRPart2", "NORDSCLCD", "part-2", "N"]
    assert once["meta"]["security"][2]["display"] == (
        "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
    )
    assert twice == once


def test_a_next_version_keeps_what_clients_have_raised():
    plain = observation("8867-4")
    old = observation("8867-4", security=[level("V"), sensitivity("HIV")])
    part_2 = tagged(plain, "42CFRPart2")

    assert codes(carried(old, plain)) == ["HIV", "V"]
    assert codes(carried(old, carried(old, plain))) == ["HIV", "V"]
    assert codes(carried(part_2, plain)) == ["42CFRPart2"]
    assert carried(part_2, part_2) == part_2


def test_a_next_version_does_not_keep_what_our_tables_said_of_the_old_code():
    old = observation("44261-6")
    stored = labelled(old, label(old))
    new = observation("8867-4")

    assert codes(stored) == ["MH", "R"]
    assert carried(stored, new) == new
