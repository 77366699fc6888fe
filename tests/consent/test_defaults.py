import pytest

from consent.codes import ACT_REASON
from consent.decision import OFFERED_POLICIES, DefaultPolicy
from consent.defaults import permits_by_default
from consent.labels import UNLABELLED, labels_of

NORMAL = labels_of(3, (), is_labelled=True)
RESTRICTED = labels_of(4, (), is_labelled=True)
TREAT, BTG, RESEARCH = ((ACT_REASON, code) for code in ("TREAT", "BTG", "HRESCH"))


@pytest.mark.parametrize(
    ("policy", "purpose", "labels", "expected"),
    [
        ("deny", TREAT, NORMAL, False),
        ("permit", None, UNLABELLED, True),
        ("basic-normal", TREAT, NORMAL, True),
        ("basic-normal", BTG, NORMAL, True),
        ("basic-normal", TREAT, RESTRICTED, False),
        ("basic-normal", TREAT, UNLABELLED, False),
        ("basic-normal", TREAT, labels_of(3, (), is_labelled=False), False),
        ("basic-normal", RESEARCH, NORMAL, False),
        ("basic-normal", None, NORMAL, False),
        ("all-normal", RESEARCH, NORMAL, True),
        ("all-normal", RESEARCH, RESTRICTED, False),
        ("all-normal", None, NORMAL, False),
        ("break-glass-only", BTG, RESTRICTED, True),
        ("break-glass-only", TREAT, NORMAL, False),
        ("break-glass-only", None, NORMAL, False),
    ],
)
def test_the_default_policies(policy, purpose, labels, expected):
    assert permits_by_default(DefaultPolicy(policy), purpose, labels) is expected


@pytest.mark.parametrize("policy", DefaultPolicy)
def test_every_policy_answers(policy):
    assert permits_by_default(policy, TREAT, NORMAL) in (True, False)


def test_the_open_policy_is_not_offered():
    assert DefaultPolicy.PERMIT not in OFFERED_POLICIES
    assert len(OFFERED_POLICIES) == 4
