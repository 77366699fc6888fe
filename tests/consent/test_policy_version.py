import pytest

from consent.decision import DefaultPolicy
from consent.policy_version import SHIPPED, policy_version


def test_the_policy_names_all_that_is_not_in_the_data():
    parts = dict(part.split("=") for part in SHIPPED.split(" "))

    assert set(parts) == {
        "default",
        "engine",
        "labeller",
        "minors",
        "overlays",
        "zone",
    }
    assert (parts["default"], parts["zone"]) == ("deny", "UTC")


@pytest.mark.parametrize(
    ("default", "zone"),
    [(DefaultPolicy.ALL_NORMAL, "UTC"), (DefaultPolicy.DENY, "Europe/Berlin")],
)
def test_another_choice_is_another_policy(default, zone):
    assert policy_version(default, zone) != SHIPPED
