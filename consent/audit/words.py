"""What the texts of the log repeat, and the character that stands for it there.

Control characters are free: no neutralised text holds one. Two are no words but part
fields, U+0000 and U+001E, and U+001F ends the readable part of one.
"""

from types import MappingProxyType

_WORDS = (
    ("\x01", "provision"),
    ("\x02", "Observation"),
    ("\x03", "patient/"),
    ("\x04", "system/"),
    ("\x05", "user/"),
    ("\x06", "/_history/"),
    # From version 2 of an entry on.
    ("\x07", "Organization/"),
    ("\x08", "Practitioner/"),
    ("\x09", "Patient/"),
    ("\x0a", "TREAT"),
    ("\x0b", "GET /fhir/"),
    ("\x0c", "POST /fhir/"),
    ("\x0d", "PUT /fhir/"),
    ("\x0e", "POST /device-data/"),
    ("\x0f", "?patient="),
    ("\x10", "&patient="),
    ("\x11", "&_count="),
    ("\x12", "&code="),
    ("\x13", "&date="),
    ("\x14", "&category="),
    ("\x15", "_lastUpdated"),
    ("\x16", "http%3A%2F%2Floinc.org%7C"),
    ("\x17", "http://loinc.org|"),
    ("\x18", "/_search"),
    ("\x19", "DetectedIssue"),
    ("\x1a", "AuditEvent"),
    ("\x1b", "QuestionnaireResponse"),
    ("\x1c", "token-granted"),
)
"""Stored characters: a word is only ever added at the end, and none is taken away."""

WORDS = MappingProxyType(dict(_WORDS))
"""Character → what it stands for."""

_EXPANDED = str.maketrans(dict(_WORDS))


def shorten(text: str) -> str:
    """Return a neutralised text with characters in place of words."""
    for short, word in _WORDS:
        text = text.replace(word, short)
    return text


def expand(text: str) -> str:
    """Return what was shortened; a text without such characters is itself."""
    return text if text.isprintable() else text.translate(_EXPANDED)
