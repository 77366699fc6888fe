import pytest

from consent.codes import (
    ACT_REASON,
    PURPOSES,
    SELECTABLE_SENSITIVITIES,
    SENSITIVITIES,
    is_purpose,
)


def test_the_purpose_tree_is_that_of_r4():
    assert PURPOSES["TREAT"] == {
        "TREAT",
        "CLINTRL",
        "COC",
        "ETREAT",
        "POPHLTH",
        "BTG",
        "ERTREAT",
    }
    assert PURPOSES["HRESCH"] >= {"BIORCH", "CLINTRCH", "PRECLINTRCH"}
    assert PURPOSES["PATRQT"] == {"PATRQT", "FAMRQT", "PWATRNY", "SUPNWK"}
    assert PURPOSES["BTG"] == {"BTG"}
    assert PURPOSES["PurposeOfUse"] == set(PURPOSES)
    assert len(PURPOSES) == 60


@pytest.mark.parametrize(
    ("purpose", "ancestor", "expected"),
    [
        ((ACT_REASON, "BTG"), (ACT_REASON, "TREAT"), True),
        ((ACT_REASON, "TREAT"), (ACT_REASON, "BTG"), False),
        ((ACT_REASON, "TREAT"), (ACT_REASON, "TREAT"), True),
        (("http://local", "BTG"), ("http://local", "TREAT"), False),
        (("http://local", "BTG"), (ACT_REASON, "TREAT"), False),
        (("http://local", "x"), ("http://local", "x"), True),
        ((ACT_REASON, "unheard-of"), (ACT_REASON, "unheard-of"), True),
        ((ACT_REASON, "unheard-of"), (ACT_REASON, "TREAT"), False),
        ((ACT_REASON, "TREAT"), (ACT_REASON, "unheard-of"), False),
    ],
)
def test_a_purpose_is_itself_and_what_it_specialises(purpose, ancestor, expected):
    assert is_purpose(purpose, ancestor) is expected


def test_ethanol_and_substance_use_cover_each_other_and_bh_covers_both():
    assert SENSITIVITIES["ETH"] == SENSITIVITIES["SUD"]
    assert SENSITIVITIES["ETH"] == {"ETH", "SUD", "ETHUD", "OPIOIDUD"}
    assert SENSITIVITIES["BH"] >= SENSITIVITIES["SUD"] | SENSITIVITIES["MH"]
    assert SENSITIVITIES["MH"] == {"MH", "PSY", "PSYTHPN"}
    for alone in ("HIV", "SDV", "SEX", "STD"):
        assert SENSITIVITIES[alone] == {alone}


def test_an_abstract_sensitivity_covers_but_cannot_be_chosen():
    assert SENSITIVITIES["_InformationSensitivityPolicy"] == set(SENSITIVITIES)
    assert "_InformationSensitivityPolicy" not in SELECTABLE_SENSITIVITIES
    assert len(SENSITIVITIES) == 45
