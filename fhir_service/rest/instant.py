"""Instants as FHIR and HTTP write them, from microseconds since 1970.

https://hl7.org/fhir/R4/datatypes.html#instant
"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fhir_instant(us: int) -> str:
    """Return a FHIR instant with milliseconds, in UTC."""
    moment = _EPOCH + timedelta(microseconds=us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{us // 1000 % 1000:03d}Z"


def http_date(us: int) -> str:
    """Return the IMF-fixdate of RFC 9110 (§5.6.7)."""
    moment = _EPOCH + timedelta(seconds=us // 1_000_000)
    return format_datetime(moment, usegmt=True)
