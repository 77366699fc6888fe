import pytest

from mappings.measurement import Reason
from mappings.mqtt_message import heard_at, is_message, is_retained, payload_json
from mappings.payload import Instant, Unreadable

HEARD = "2025-01-15T09:00:00+01:00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"topic": "a", "payload": None}, True),
        ({"topic": "a"}, False),
        ({"payload": "a"}, False),
        ({"topic": 7, "payload": "a"}, False),
        (["topic", "payload"], False),
        (None, False),
    ],
)
def test_a_message_has_a_topic_and_a_payload(value, expected):
    assert is_message(value) is expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"a": [1]}', {"a": [1]}),
        (b"[7]", [7]),
        ("7", 7),
        (" \n", None),
        ("", None),
        (None, None),
        ({"a": 1}, {"a": 1}),
        (7, 7),
    ],
)
def test_a_payload_is_json_or_its_text(payload, expected):
    assert payload_json(payload) == expected


@pytest.mark.parametrize("payload", ["online", "{", b"\xff", "\ud800"])
def test_a_text_that_is_not_json_is_refused(payload):
    with pytest.raises(Unreadable) as refused:
        payload_json(payload)

    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, False),
        ({"retain": True}, True),
        ({"retained": True}, True),
        ({"retain": 1}, False),
    ],
)
def test_a_message_says_whether_it_was_retained(flags, expected):
    assert is_retained(flags) is expected


def test_a_message_has_the_time_at_which_it_was_heard():
    assert heard_at({"received_at": HEARD}) == Instant(HEARD, 1736928000000000)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({}, Reason.NO_TIME),
        ({"received_at": HEARD, "retain": True}, Reason.NO_TIME),
        ({"received_at": "2025-01-15T09:00:00"}, Reason.NO_OFFSET),
        ({"received_at": 7}, Reason.MALFORMED),
    ],
)
def test_a_message_without_a_time_that_can_be_trusted_has_none(message, reason):
    with pytest.raises(Unreadable) as refused:
        heard_at(message)

    assert refused.value.reason is reason
