"""`:missing`: whether a resource has any value of a parameter.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from collections.abc import Mapping
from types import MappingProxyType

from conformance.search_parameters import SearchParameter
from fhir_service.search.criteria import Missing
from fhir_service.search.reading import Reading, unreadable

_ASKED: Mapping[str, Missing] = MappingProxyType(
    {"true": Missing(is_missing=True), "false": Missing(is_missing=False)}
)


def ask(text: str, parameter: SearchParameter, _: Reading) -> Missing:
    """Return what `:missing` asks.

    Raises:
        FHIRError: `invalid` for anything but `true` and `false`.

    """
    if text not in _ASKED:
        raise unreadable(parameter, "true or false, as :missing wants")
    return _ASKED[text]
