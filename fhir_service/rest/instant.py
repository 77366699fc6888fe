"""Instants as FHIR and HTTP write them, from microseconds since 1970.

https://hl7.org/fhir/R4/datatypes.html#instant
"""

from time import gmtime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_SECOND_US = 1_000_000


def fhir_instant(us: int) -> str:
    """Return a FHIR instant with milliseconds, in UTC."""
    seconds, rest_us = divmod(us, _SECOND_US)
    year, month, day, hour, minute, second = gmtime(seconds)[:6]
    return (
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        f".{rest_us // 1000:03}Z"
    )


def http_date(us: int) -> str:
    """Return the IMF-fixdate of RFC 9110 (§5.6.7)."""
    year, month, day, hour, minute, second, weekday = gmtime(us // _SECOND_US)[:7]
    return (
        f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} "
        f"{hour:02}:{minute:02}:{second:02} GMT"
    )
