from datetime import UTC

import pytest

from consent.life_cycle import (
    BEGINNINGS,
    TRANSITIONS,
    amending_issues,
    filing_issues,
    is_back_dated,
    shared_identifiers,
)
from consent.moments import bounds
from consent.references import Deployment

PLACE = Deployment(zone=UTC)
STATUSES = (
    "draft",
    "proposed",
    "active",
    "rejected",
    "inactive",
    "entered-in-error",
)
"""The value set consent-state-codes of R4."""

ALLOWED = {
    ("draft", "proposed"),
    ("draft", "active"),
    ("draft", "rejected"),
    ("draft", "entered-in-error"),
    ("proposed", "draft"),
    ("proposed", "active"),
    ("proposed", "rejected"),
    ("proposed", "entered-in-error"),
    ("active", "inactive"),
    ("active", "rejected"),
    ("active", "entered-in-error"),
    ("rejected", "entered-in-error"),
    ("inactive", "active"),
    ("inactive", "entered-in-error"),
    *((status, status) for status in STATUSES),
}
WITHDRAWN, NOW = "2026-06-01T12:00:00Z", "2026-07-01T12:00:00Z"
VERIFIED = {"verified": True, "verificationDate": "2026-06-20"}


def moment(text):
    return bounds(text, UTC)[0]


def issues(before, after, **more):
    return list(
        amending_issues(
            {"status": before},
            {"status": after, **more},
            replaced_us=moment(WITHDRAWN),
            at_us=moment(NOW),
            deployment=PLACE,
        )
    )


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_change_of_status_is_decided_by_the_table(before, after):
    found = issues(before, after, verification=[VERIFIED])

    assert (not found) == ((before, after) in ALLOWED)
    assert all(one.expression == "Consent.status" for one in found)


def test_the_table_knows_every_status():
    assert set(TRANSITIONS) == set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
def test_a_consent_does_not_begin_as_an_error(status):
    assert (list(filing_issues({"status": status})) == []) == (status in BEGINNINGS)
    assert set(STATUSES) - {"entered-in-error"} == BEGINNINGS


SCAN = {"url": "https://clinic.example/scan/2"}


@pytest.mark.parametrize(
    ("evidence", "is_enough"),
    [
        ({}, False),
        ({"verification": [VERIFIED]}, True),
        ({"verification": [{**VERIFIED, "verified": False}]}, False),
        ({"verification": [{"verified": True}]}, False),
        ({"verification": [{**VERIFIED, "verificationDate": "2026-05-31"}]}, False),
        ({"verification": [{**VERIFIED, "verificationDate": "2026-06-01"}]}, True),
        ({"verification": [{**VERIFIED, "verificationDate": "2026-07-02"}]}, False),
        ({"verification": "broken"}, False),
        ({"sourceAttachment": SCAN, "dateTime": "2026-06-20"}, True),
        ({"sourceAttachment": SCAN, "dateTime": "2026-05-20"}, False),
        ({"sourceAttachment": SCAN}, False),
        ({"dateTime": "2026-06-20"}, False),
        ({"sourceReference": {"reference": "D/1"}, "dateTime": "2026-06-20"}, True),
    ],
)
def test_a_withdrawn_consent_is_confirmed_by_evidence_from_afterwards(
    evidence, is_enough
):
    assert (issues("inactive", "active", **evidence) == []) is is_enough


def test_the_old_source_is_no_new_evidence():
    found = list(
        amending_issues(
            {"status": "inactive", "sourceAttachment": SCAN},
            {"status": "active", "sourceAttachment": SCAN, "dateTime": "2026-06-20"},
            replaced_us=moment(WITHDRAWN),
            at_us=moment(NOW),
            deployment=PLACE,
        )
    )

    assert [one.expression for one in found] == ["Consent.status"]


@pytest.mark.parametrize(
    ("written", "is_flagged"),
    [
        ("2026-01-01", True),
        ("2026-06-29", True),
        ("2026-06-30", False),
        ("2026-06-30T11:59:59Z", True),
        ("2026-06", False),
        ("2026-07-02", False),
        (None, False),
    ],
)
def test_a_consent_older_than_a_day_when_it_is_filed_is_flagged(written, is_flagged):
    consent = {"status": "active", **({"dateTime": written} if written else {})}

    assert is_back_dated(consent, moment(NOW), PLACE) is is_flagged


def test_only_what_is_in_force_can_legalise_the_past():
    withdrawn = {"status": "inactive", "dateTime": "2026-01-01"}

    assert not is_back_dated(withdrawn, moment(NOW), PLACE)


def identified(*values):
    return {"identifier": [{"system": "http://s", "value": one} for one in values]}


def test_one_identifier_in_common_makes_two_consents_the_same():
    assert shared_identifiers(identified("1", "2"), identified("2", "3"))
    assert not shared_identifiers(identified("1"), identified("2"))
    assert not shared_identifiers({}, {})
    assert not shared_identifiers(
        {"identifier": [{"value": "1"}]}, {"identifier": [{"value": "1"}]}
    )
