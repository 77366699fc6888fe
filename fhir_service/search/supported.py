"""Which search parameters each type answers; the CapabilityStatement is made of it.

A parameter that FHIR defines and this table lacks is refused by name or reported,
never ignored silently.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """The type of a search parameter. https://hl7.org/fhir/R4/search.html#ptypes."""

    DATE = "date"
    REFERENCE = "reference"
    TOKEN = "token"  # noqa: S105 - FHIR's word


_EVERYWHERE: Mapping[str, Kind] = {"_id": Kind.TOKEN, "_lastUpdated": Kind.DATE}

_BUSINESS: Mapping[str, Kind] = {**_EVERYWHERE, "identifier": Kind.TOKEN}

SUPPORTED: Mapping[str, Mapping[str, Kind]] = {
    "Consent": {**_EVERYWHERE, "patient": Kind.REFERENCE},
    "Device": {**_BUSINESS, "patient": Kind.REFERENCE},
    "Location": _BUSINESS,
    "Observation": {
        **_EVERYWHERE,
        "category": Kind.TOKEN,
        "code": Kind.TOKEN,
        "date": Kind.DATE,
        "patient": Kind.REFERENCE,
        "subject": Kind.REFERENCE,
    },
    "Organization": _BUSINESS,
    "Patient": _BUSINESS,
    "Practitioner": _BUSINESS,
}
"""Type → parameter → its kind."""

SORTABLE: Mapping[str, frozenset[str]] = {
    "Observation": frozenset({"date"}),
}
"""Type → parameters by which its results can be sorted."""

NEEDS_PATIENT = frozenset({"Consent", "Device", "Observation"})
"""Types that are searched one patient at a time."""

RESULT_PARAMETERS = frozenset({"_count", "_format", "_pretty", "_sort", "_total"})
"""Parameters that shape the answer and restrict nothing."""

REFUSED_PARAMETERS = frozenset(
    {
        "_contained",
        "_containedType",
        "_content",
        "_elements",
        "_filter",
        "_has",
        "_include",
        "_list",
        "_query",
        "_revinclude",
        "_summary",
        "_text",
        "_type",
    }
)
"""Parameters of the standard that change what is answered, refused by name."""
