import base64
import hashlib
import hmac

import pytest

from mappings.notices import (
    HANDSHAKES,
    NOTICES,
    is_notice,
    is_ping,
    is_verification,
    shake,
)
from mappings.signatures import SCHEMES, UNSIGNED, Checked, Verdict, check

SECRET = b"shared-with-the-vendor"
BODY = b'{"b": 1.50,\n "a":"\xc3\xa9"}'
NOW_S = 1_790_000_000
NOW_US = NOW_S * 1_000_000


def mac(digest, key, text):
    return hmac.new(key, text, getattr(hashlib, digest))


def signed(source, body=BODY, secret=SECRET, at=NOW_S):
    """Return what the vendor would send, as its documentation says."""
    if source == "fitbit":
        made = mac("sha1", secret + b"&", body).digest()
        return {"x-fitbit-signature": base64.b64encode(made).decode()}
    if source == "oura":
        made = mac("sha256", secret, str(at).encode() + body).hexdigest().upper()
        return {"x-oura-signature": made, "x-oura-timestamp": str(at)}
    if source == "whoop":
        time = str(at * 1000)
        made = mac("sha256", secret, time.encode() + body).digest()
        return {
            "x-whoop-signature": base64.b64encode(made).decode(),
            "x-whoop-signature-timestamp": time,
        }
    if source == "polar":
        return {"polar-webhook-signature": mac("sha256", secret, body).hexdigest()}
    return {"authorization": secret.decode()}


TIMED = sorted(source for source, scheme in SCHEMES.items() if scheme.timestamp)


def verdict(source, headers, body=BODY, now_us=NOW_US, **more):
    found = check(SCHEMES[source], SECRET, headers, body, now_us=now_us, **more)
    return found.verdict


def test_the_known_answer_of_rfc_4231_is_genuine():
    # RFC 4231 §4.3, test case 2.
    signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    headers = {"polar-webhook-signature": signature}

    found = check(
        SCHEMES["polar"], b"Jefe", headers, b"what do ya want for nothing?", now_us=0
    )

    assert found.verdict is Verdict.GENUINE


def test_every_vendor_that_pushes_signs_or_is_known_to_sign_nothing():
    assert set(SCHEMES) == {"fitbit", "google-health", "oura", "polar", "whoop"}
    assert {"garmin", "withings"} == UNSIGNED
    assert set(NOTICES) | set(HANDSHAKES) <= set(SCHEMES)


@pytest.mark.parametrize("source", sorted(SCHEMES))
def test_what_the_vendor_signed_is_genuine(source):
    assert verdict(source, signed(source)) is Verdict.GENUINE


@pytest.mark.parametrize("source", sorted(set(SCHEMES) - {"google-health"}))
def test_the_same_json_written_otherwise_is_not_what_was_signed(source):
    rewritten = b'{"b":1.5,"a":"\xc3\xa9"}'

    assert verdict(source, signed(source), rewritten) is Verdict.WRONG


@pytest.mark.parametrize("source", sorted(SCHEMES))
def test_another_secret_is_wrong(source):
    assert verdict(source, signed(source, secret=b"another")) is Verdict.WRONG


@pytest.mark.parametrize("source", sorted(SCHEMES))
def test_a_push_without_a_signature_is_told_from_a_wrong_one(source):
    assert verdict(source, {}) is Verdict.MISSING


@pytest.mark.parametrize("source", sorted(SCHEMES))
@pytest.mark.parametrize(
    "text", ["=", "é", "zz", "0" * 5000, "\udcff", "00 00", "AA=="]
)
def test_a_signature_that_cannot_be_read_is_wrong(source, text):
    headers = {**signed(source), SCHEMES[source].header: text}

    assert verdict(source, headers) is Verdict.WRONG


def test_fitbit_appends_an_ampersand_to_the_secret():
    without = base64.b64encode(mac("sha1", SECRET, BODY).digest()).decode()

    assert verdict("fitbit", {"x-fitbit-signature": without}) is Verdict.WRONG


def test_whoop_and_oura_sign_the_time_before_the_body():
    for source in TIMED:
        time = str(NOW_S).encode()
        made = mac("sha256", SECRET, BODY + time).digest()
        text = made.hex() if source == "oura" else base64.b64encode(made).decode()
        headers = {**signed(source), SCHEMES[source].header: text}

        assert verdict(source, headers) is Verdict.WRONG


@pytest.mark.parametrize("source", TIMED)
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-301, Verdict.STALE),
        (-300, Verdict.GENUINE),
        (300, Verdict.GENUINE),
        (301, Verdict.STALE),
    ],
)
def test_a_signed_time_is_good_for_five_minutes_on_either_side(
    source, seconds, expected
):
    now_us = NOW_US + seconds * 1_000_000

    assert verdict(source, signed(source), now_us=now_us) is expected


@pytest.mark.parametrize("source", TIMED)
def test_an_endpoint_may_be_stricter(source):
    now_us = NOW_US + 31 * 1_000_000

    assert verdict(source, signed(source), now_us=now_us, tolerance_s=30) is (
        Verdict.STALE
    )


@pytest.mark.parametrize("source", TIMED)
@pytest.mark.parametrize("text", ["-1", "1e9", "٣", "9" * 17, "2026-11-28T00:00:00Z"])
def test_a_time_that_is_no_number_is_wrong_however_it_is_signed(source, text):
    made = mac("sha256", SECRET, text.encode() + BODY).digest()
    scheme = SCHEMES[source]
    encoded = made.hex() if source == "oura" else base64.b64encode(made).decode()

    headers = {scheme.header: encoded, scheme.timestamp: text}

    assert verdict(source, headers) is Verdict.WRONG


def test_a_time_in_milliseconds_is_read_as_such_by_its_size():
    for source in TIMED:
        time = str(NOW_S * 1000)
        made = mac("sha256", SECRET, time.encode() + BODY).digest()
        scheme = SCHEMES[source]
        encoded = made.hex() if source == "oura" else base64.b64encode(made).decode()
        headers = {scheme.header: encoded, scheme.timestamp: time}

        found = check(scheme, SECRET, headers, BODY, now_us=NOW_US)

        assert found == Checked(verdict=Verdict.GENUINE, mac=made, signed_us=NOW_US)


def test_the_case_of_a_hexadecimal_signature_does_not_make_a_replay_another_push():
    headers = signed("oura")
    lower = {**headers, "x-oura-signature": headers["x-oura-signature"].lower()}

    macs = [
        check(SCHEMES["oura"], SECRET, one, BODY, now_us=NOW_US).mac
        for one in (headers, lower)
    ]

    assert macs[0] == macs[1] != b""


def test_what_carries_no_time_has_nothing_to_be_remembered_by():
    for source in set(SCHEMES) - set(TIMED):
        found = check(SCHEMES[source], SECRET, signed(source), BODY, now_us=NOW_US)

        assert found == Checked(verdict=Verdict.GENUINE)


NOTICE = {
    "fitbit": [
        {
            "collectionType": "activities",
            "date": "2026-01-01",
            "ownerId": "X",
            "ownerType": "user",
            "subscriptionId": "1",
        }
    ],
    "google-health": {
        "data": {
            "version": "1",
            "healthUserId": "X",
            "operation": "UPSERT",
            "dataType": "steps",
            "intervals": [],
        }
    },
    "oura": {
        "event_type": "update",
        "event_time": "2026-01-01T00:00:00Z",
        "data_type": "sleep",
        "object_id": "X",
        "user_id": "Y",
    },
    "polar": {
        "event": "SLEEP",
        "user_id": 1,
        "entity_id": "X",
        "timestamp": "2026-01-01T00:00:00Z",
        "url": "https://vendor.example/x",
    },
    "whoop": {"user_id": 1, "id": "X", "type": "sleep.updated", "trace_id": "Y"},
}


@pytest.mark.parametrize("source", sorted(NOTICES))
def test_a_notice_is_known_by_its_members(source):
    assert is_notice(source, NOTICE[source])
    assert not is_notice(source, {"records": [{"id": "X"}]})
    assert not is_notice(source, [NOTICE[source], {"value": 1}])
    assert not is_notice(source, [])
    assert not is_notice(source, None)
    assert not is_notice("open-mhealth", NOTICE[source])


def test_only_google_asks_for_verification_by_a_push():
    asked = {"type": "verification"}

    assert is_verification("google-health", asked)
    assert not is_verification("google-health", {**asked, "data": {}})
    assert not is_verification("whoop", asked)


def test_only_polar_sends_a_ping_and_it_holds_nothing_else():
    ping = {"timestamp": "2026-01-01T00:00:00Z", "event": "PING"}

    assert is_ping("polar", ping)
    assert not is_ping("polar", {**ping, "user_id": 1})
    assert not is_ping("polar", {"event": "SLEEP"})
    assert not is_ping("oura", ping)


def test_a_handshake_gives_the_challenge_back_for_the_right_code_alone():
    oura, fitbit = HANDSHAKES["oura"], HANDSHAKES["fitbit"]
    asked = {"verification_token": "right", "challenge": "abc"}

    assert shake(oura, b"right", asked) == "abc"
    assert shake(oura, b"other", asked) is None
    assert shake(oura, b"", {"verification_token": "", "challenge": "abc"}) is None
    assert shake(oura, b"right", {**asked, "challenge": "a" * 257}) is None
    assert shake(fitbit, b"right", {"verify": "right"}) == ""
    assert shake(fitbit, b"right", {"verify": "wrong"}) is None
    assert shake(fitbit, b"right", {}) is None
