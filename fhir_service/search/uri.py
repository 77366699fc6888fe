"""URIs: compared as they stand, case and version included.

https://hl7.org/fhir/R4/search.html#uri
"""

from conformance.search_parameters import SearchParameter
from conformance.search_values import Uri
from fhir_service.search.criteria import UriValue
from fhir_service.search.escaping import unescape
from fhir_service.search.reading import Reading


def ask(text: str, _: SearchParameter, __: Reading) -> UriValue:
    """Return the URI that a value writes."""
    return UriValue(unescape(text))


def holds(found: Uri, asked: UriValue, _: str) -> bool:
    """Whether it is the URI, to the letter."""
    return found.uri == asked.uri
