"""The parameters of a request, in its URL and in the form that a search may send.

https://hl7.org/fhir/R4/http.html#search-post
"""

from functools import lru_cache
from urllib.parse import parse_qsl

from conformance.issues import FHIRError, IssueType
from fhir_service.rest.content import is_form
from fhir_service.rest.message import Request

MAX_PARAMETERS = 200
"""Of one request; more is refused before they are looked at."""

REMEMBERED = 1024
"""Texts that are not read twice: systems ask again what they asked."""

LONGEST = 512
"""Characters of a text that is remembered."""

Pair = tuple[str, str]
"""A decoded name and its value."""


def parameters(request: Request) -> list[Pair]:
    """Return the parameters of a request, those of the URL first.

    Raises:
        FHIRError: `invalid` for what is not UTF-8, has too many parameters, or holds
            a control character.

    """
    texts = [request.query]
    if request.method == "POST" and is_form(request):
        texts.append(_form(request.body))
    pairs = [pair for text in texts if text for pair in _read(text)]
    if len(pairs) > MAX_PARAMETERS:
        raise _unreadable()
    return pairs


def _read(text: str) -> tuple[Pair, ...]:
    return _remembered(text) if len(text) <= LONGEST else _pairs(text)


def _form(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable() from None


def _pairs(text: str) -> tuple[Pair, ...]:
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise _unreadable() from None
    if not all(text.isprintable() for pair in pairs for text in pair):
        raise FHIRError(IssueType.INVALID, "A parameter holds a control character.")
    return tuple(pairs)


_remembered = lru_cache(maxsize=REMEMBERED)(_pairs)


def _unreadable() -> FHIRError:
    return FHIRError(
        IssueType.INVALID, "The query is not UTF-8, or has too many parameters."
    )
