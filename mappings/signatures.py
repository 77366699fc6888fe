"""How vendors sign what they push: one table, and one check of it over raw bytes.

The body is never parsed before it is checked, and a signature is compared as bytes in
constant time. What carries a time is good for a while around it; what carries none can
be replayed by whoever once saw it, and a replay changes nothing that is stored.

* Fitbit: https://dev.fitbit.com/build/reference/web-api/developer-guide/using-subscriptions/
* Oura: https://cloud.ouraring.com/v2/docs#tag/Webhook-Subscription-Routes
* WHOOP: https://developer.whoop.com/docs/developing/webhooks
* Polar: https://www.polar.com/accesslink-api/#webhooks
* Google Health: https://developers.google.com/health/webhooks
* Withings: https://developer.withings.com/developer-guide/v3/data-api/notifications/notification-overview
* Garmin: https://developer.garmin.com/gc-developer-program/health-api/
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

SECOND_US = 1_000_000

MAX_SIGNATURE = 512
"""Characters of a signature or of a static secret; none is nearly as long."""

_MAX_TIME_DIGITS = 16
_MILLISECONDS_FROM = 100_000_000_000
"""A number this large is no time in seconds before the year 5138: milliseconds."""


class Verdict(StrEnum):
    """What a signature says of the bytes that came with it."""

    GENUINE = "genuine"
    MISSING = "missing"
    WRONG = "wrong"
    STALE = "stale"


def _hex(text: str) -> bytes:
    return bytes.fromhex(text) if text.isalnum() else b""


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _plain(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """How one vendor signs.

    Attributes:
        header: Field that holds the signature, in lower case.
        digest: Hash of the MAC; empty where the secret itself is sent.
        decode: Bytes of the MAC from the field's text; raises `ValueError`.
        key_suffix: What is appended to the secret to give the key.
        timestamp: Field that holds the time, which is signed before the body; empty
            where there is none.
        tolerance_s: Seconds for which it is good, before and after its time.

    """

    header: str
    digest: str
    decode: Callable[[str], bytes]
    key_suffix: bytes = b""
    timestamp: str = ""
    tolerance_s: int = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a check has found.

    Attributes:
        verdict: What the signature says.
        mac: The bytes by which a replay is known again; empty where no time is signed
            or nothing is genuine.
        signed_us: The time that is signed, microseconds since 1970; 0 for none.

    """

    verdict: Verdict
    mac: bytes = b""
    signed_us: int = 0


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "fitbit": Scheme(
            header="x-fitbit-signature",
            digest="sha1",
            decode=_base64,
            key_suffix=b"&",
        ),
        "google-health": Scheme(header="authorization", digest="", decode=_plain),
        "oura": Scheme(
            header="x-oura-signature",
            digest="sha256",
            decode=_hex,
            timestamp="x-oura-timestamp",
        ),
        "polar": Scheme(header="polar-webhook-signature", digest="sha256", decode=_hex),
        "whoop": Scheme(
            header="x-whoop-signature",
            digest="sha256",
            decode=_base64,
            timestamp="x-whoop-signature-timestamp",
        ),
    }
)
"""Vendors that sign, by their source's name."""

UNSIGNED = frozenset({"garmin", "withings"})
"""Vendors that push and sign nothing: what comes is a hint, never data."""


def check(  # noqa: PLR0913 - what a signature is over
    scheme: Scheme,
    secret: bytes,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_us: int,
    tolerance_s: int | None = None,
) -> Checked:
    """Return what the signature says of a body.

    Args:
        scheme: How the vendor signs.
        secret: What the vendor and the service share.
        headers: Names in lower case.
        body: The bytes as they came.
        now_us: Microseconds since 1970.
        tolerance_s: Another one than the vendor's own.

    """
    text = headers.get(scheme.header, "").strip()
    time_text = headers.get(scheme.timestamp, "").strip() if scheme.timestamp else ""
    if not text or (scheme.timestamp and not time_text):
        return Checked(verdict=Verdict.MISSING)
    signed_us = _time(time_text)
    mac = _expected(scheme, secret, time_text.encode("utf-8", "replace") + body)
    if not hmac.compare_digest(mac, _received(scheme, text)) or signed_us is None:
        return Checked(verdict=Verdict.WRONG)
    if not time_text:
        return Checked(verdict=Verdict.GENUINE)
    good_us = (scheme.tolerance_s if tolerance_s is None else tolerance_s) * SECOND_US
    if abs(now_us - signed_us) > good_us:
        return Checked(verdict=Verdict.STALE, signed_us=signed_us)
    return Checked(verdict=Verdict.GENUINE, mac=mac, signed_us=signed_us)


def _expected(scheme: Scheme, secret: bytes, signed: bytes) -> bytes:
    if not scheme.digest:
        return secret
    return hmac.digest(secret + scheme.key_suffix, signed, scheme.digest)


def _received(scheme: Scheme, text: str) -> bytes:
    """Return the bytes that were sent as signature; none where they are unreadable."""
    if len(text) > MAX_SIGNATURE:
        return b""
    try:
        return scheme.decode(text)
    except (ValueError, binascii.Error):
        return b""


def _time(text: str) -> int | None:
    """Return a time in seconds or milliseconds as microseconds; 0 for no text."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_TIME_DIGITS):
        return None
    number = int(text)
    return number * (1000 if number >= _MILLISECONDS_FROM else SECOND_US)
