"""Tokens: `code`, `system|code`, `|code`, `system|`; and `system|code|value`.

Systems and codes are compared as they are written; the values of contact points
without regard to case.

https://hl7.org/fhir/R4/search.html#token
"""

from conformance.search_parameters import SearchParameter
from conformance.search_values import Token
from fhir_service.search.collation import normalised
from fhir_service.search.criteria import OfType, Text, TokenValue
from fhir_service.search.escaping import partition, split, unescape
from fhir_service.search.postings import code_text
from fhir_service.search.reading import Reading, unreadable

_OF_TYPE = 3
"""Parts of a value of `:of-type`."""


def ask(text: str, parameter: SearchParameter, _: Reading) -> TokenValue:
    """Return the token that a value writes.

    Raises:
        FHIRError: `invalid` for `|` alone.

    """
    system, bar, code = partition(text, "|")
    if not bar:
        return TokenValue(None, unescape(text))
    if not system and not code:
        raise unreadable(parameter, "a token, as system|code")
    return TokenValue(unescape(system), unescape(code) or None)


def ask_of_type(text: str, parameter: SearchParameter, _: Reading) -> OfType:
    """Return the identifier and its type that a value writes.

    Raises:
        FHIRError: `invalid` unless system, code and value are all given.

    """
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) != _OF_TYPE or not all(parts):
        raise unreadable(parameter, "system|code|value, as :of-type wants")
    return OfType(*parts)


def holds(found: Token, asked: TokenValue, code: str) -> bool:
    """Whether a token of a resource is the one that parameter `code` asks for."""
    if asked.code is None:
        return found.system == asked.system
    return (
        found.code is not None
        and code_text(code, found.code) == code_text(code, asked.code)
        and asked.system in (None, found.system or "")
    )


def holds_of_type(found: Token, asked: OfType, _: str) -> bool:
    """Whether it is the identifier of that type."""
    return found.code == asked.value and (asked.system, asked.code) in found.types


def holds_text(found: Token, asked: Text, _: str) -> bool:
    """Whether the text or the display begins with what is asked."""
    return normalised(found.text or "").startswith(normalised(asked.text))
