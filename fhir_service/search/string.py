"""Strings: by their beginning, anywhere, or exactly.

https://hl7.org/fhir/R4/search.html#string
"""

from conformance.search_parameters import SearchParameter
from conformance.search_values import String
from fhir_service.search.collation import normalised
from fhir_service.search.criteria import Text
from fhir_service.search.escaping import unescape
from fhir_service.search.reading import Reading, unreadable


def ask(text: str, parameter: SearchParameter, _: Reading) -> Text:
    """Return the text that is looked for without regard to case and accents.

    Raises:
        FHIRError: `invalid` where nothing of it is left to compare: everything would
            begin with it.

    """
    plain = unescape(text)
    if not normalised(plain):
        raise unreadable(parameter, "a text with letters or digits")
    return Text(plain)


def ask_exact(text: str, _: SearchParameter, __: Reading) -> Text:
    """Return the text that is looked for as it stands."""
    return Text(unescape(text))


def holds(found: String, asked: Text, _: str) -> bool:
    """Whether it begins with what is asked."""
    return normalised(found.text).startswith(normalised(asked.text))


def holds_exact(found: String, asked: Text, _: str) -> bool:
    """Whether it is the text, to the letter."""
    return found.text == asked.text


def holds_contains(found: String, asked: Text, _: str) -> bool:
    """Whether what is asked is anywhere in it."""
    return normalised(asked.text) in normalised(found.text)
