"""References as R4 compares them.

https://hl7.org/fhir/R4/search.html#reference
"""

import re
from typing import Any

from model_text import is_code, tokens

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def relative(reference: str, base: str) -> str:
    """Return a reference to something of this server without the server."""
    return reference.removeprefix(base)


def target(element: Any, base: str) -> tuple[str, str] | None:
    """Return the type and id of what an element refers to on this server."""
    if not isinstance(element, dict):
        return None
    named = _LOCAL.fullmatch(relative(element.get("reference", ""), base))
    return None if named is None else (named[1], named[2])


def is_reference(element: Any, asked: str, modifier: str | None, base: str) -> bool:
    """Tell whether an element is the reference that is asked for.

    `asked` is an id, `Type/id` or a URL; with a type as the modifier an id of it,
    with `identifier` a token of the identifier beside the reference.
    """
    if modifier == "identifier":
        logical = element.get("identifier")
        found = [] if logical is None else tokens(logical, "Identifier", None)
        return any(is_code(one, asked) for one in found)
    if isinstance(element, str):
        return asked in (element, element.partition("|")[0])
    local = target(element, base)
    if modifier is not None:
        return local == (modifier, asked)
    if _ID.fullmatch(asked):
        return local is not None and local[1] == asked
    return relative(element.get("reference", ""), base) == relative(asked, base)
