"""Conditions on a read: whether the client already holds this version.

They are asked after it has been decided that the version may be seen: a condition
on what is hidden is answered like a condition on what never existed.

https://www.rfc-editor.org/rfc/rfc9110#section-13 and
https://hl7.org/fhir/R4/http.html#cread
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fhir_service.rest.message import Request

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_SECOND_US = 1_000_000


def names_version(field: str, version: int | str) -> bool:
    """Whether a list of entity tags names a version, weakly compared (§8.8.3.2).

    `*` names whichever there is; a version that has no number is an opaque text.
    """
    return field.strip() == "*" or str(version) in _ENTITY_TAG.findall(field)


def is_held(request: Request, *, version: int, last_updated: int) -> bool:
    """Whether the conditions of a read say that the client holds this version.

    `If-Modified-Since` is not looked at beside `If-None-Match` (§13.1.3), and a date
    that cannot be read is no condition.

    Args:
        request: The read.
        version: The version that may be seen.
        last_updated: When it was written, in microseconds; compared by the second.

    """
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return names_version(tags, version)
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    moment = _moment(since)
    return moment is not None and last_updated // _SECOND_US <= moment.timestamp()


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
