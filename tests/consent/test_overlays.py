import pytest

from consent.codes import ACT_REASON
from consent.overlays import custodian, is_collected
from consent.request import AccessRequest

HOME = "Organization/home"


def request(purposes=("TREAT",), actions=("access",), **changes):
    return AccessRequest(
        **{
            "actors": frozenset({HOME}),
            "individual_known": False,
            "purposes": tuple((ACT_REASON, code) for code in purposes),
            "actions": actions,
            "btg_attested": False,
            "at_us": 0,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), True),
        (request(("HPAYMT", "HQUALIMP", "COC")), True),
        (request(actions=("access", "use", "disclose")), True),
        (request(("TREAT", "HMARKT")), False),
        (request(("BTG",)), False),
        (request(("BTG",), btg_attested=True), True),
        (request(()), False),
        (request(actions=()), False),
        (request(actions=("access", "correct")), False),
        (request(actions=("collect",)), False),
        (request(actors=frozenset({"Organization/other"})), False),
    ],
)
def test_the_custodian_reads_for_treatment_payment_and_operations(asked, expected):
    assert custodian(asked, HOME) is expected


def test_a_patient_without_managing_organization_has_no_custodian():
    assert not custodian(request(), None)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Observation", "device": {"reference": "Device/x"}}, True),
        ({"resourceType": "Device"}, True),
        ({"resourceType": "Observation"}, False),
        ({"resourceType": "Condition", "device": {}}, False),
    ],
)
def test_collection_governs_devices_and_what_they_measure(resource, expected):
    assert is_collected(resource) is expected
