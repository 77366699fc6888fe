"""The comparators before numbers, dates and quantities.

https://hl7.org/fhir/R4/search.html#prefix
"""

from typing import Final

PREFIXES: Final = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"})


def prefixed(text: str) -> tuple[str, str]:
    """Return the comparator, `eq` where there is none, and what follows it."""
    if text[:2] in PREFIXES:
        return text[:2], text[2:]
    return "eq", text
