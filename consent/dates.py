"""FHIR dates in words, with bounds as the evaluator takes them: both included.

A date, a month or a year means all of it, so it ends with its last moment; a moment
is told in the deployment's zone.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from consent.moments import bounds
from consent.words import said

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRECISIONS: Mapping[int, str] = {4: "year", 7: "month", 10: "day"}
"""Length of a partial value → its precision; any other is an instant."""


def period_words(
    value: Mapping[str, object], language: str, zone: tzinfo
) -> Iterator[str]:
    """Yield the start and the end of a Period that `moments.period` can read."""
    for bound in ("start", "end"):
        text = value.get(bound)
        if isinstance(text, str):
            at = moment_words(text, language, zone)
            yield said(f"{bound}.{_precision(text)}", language, at=at)


def moment_words(text: str, language: str, zone: tzinfo) -> str:
    """Return a date, dateTime or instant that `moments.bounds` can read, in words."""
    precision = _precision(text)
    local = _local(text, zone)
    return said(
        f"at.{precision}",
        language,
        year=f"{local:%Y}".lstrip("0"),
        month=said(f"month.{local.month}", language),
        day=local.day,
        time=_time(local),
    )


def _precision(text: str) -> str:
    return _PRECISIONS.get(len(text), "instant")


def _local(text: str, zone: tzinfo) -> datetime:
    """Return the first moment of the value where its day is named."""
    if _precision(text) != "instant":
        year, month, day = (int(part) for part in (text + "-01-01")[:10].split("-"))
        return datetime(year, month, day, tzinfo=UTC)
    found = bounds(text, zone)
    if found is None:
        raise ValueError("no FHIR instant")
    moment = _EPOCH + timedelta(microseconds=found[0])
    try:
        return moment.astimezone(zone)
    except OverflowError:  # Before the year 1 or after 9999 there.
        return moment


def _time(local: datetime) -> str:
    """Return hours and minutes, and what is finer where it is not zero."""
    if local.microsecond:
        return f"{local:%H:%M:%S.%f}".rstrip("0")
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
