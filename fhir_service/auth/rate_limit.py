"""Token buckets, each one number: when the bucket will be full again.

A bucket of `burst` tokens gains one every `interval_us`. Storing the time at which it
will be full (the generic cell rate algorithm) makes a row of one integer that can be
forgotten once that time has passed.
"""

import hashlib
import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """So many at once, then one every so often.

    Attributes:
        burst: Tokens in a full bucket.
        interval_us: Microseconds until one token comes back.

    """

    burst: int
    interval_us: int


def per_second(count: int, *, burst: int) -> RateLimit:
    """Return a limit that gives `count` tokens back every second."""
    return RateLimit(burst=burst, interval_us=1_000_000 // count)


def per_minute(count: int, *, burst: int) -> RateLimit:
    """Return a limit that gives `count` tokens back every minute."""
    return RateLimit(burst=burst, interval_us=60_000_000 // count)


def spend(limit: RateLimit, full_at: int | None, now_us: int) -> tuple[int, int]:
    """Take one token; return (when it is full again, microseconds to wait).

    A wait above zero means that no token was there and none was taken.
    """
    start = now_us if full_at is None else max(full_at, now_us)
    start = min(start, now_us + limit.burst * limit.interval_us)
    after = start + limit.interval_us
    wait = after - now_us - limit.burst * limit.interval_us
    return (start, wait) if wait > 0 else (after, 0)


def place(address: str) -> str:
    """Return what is counted as one place: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def key(name: str, *parts: str) -> bytes:
    """Return the key of a bucket; it does not tell whose bucket it is."""
    return hashlib.sha256("\x00".join((name, *parts)).encode()).digest()
