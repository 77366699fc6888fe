"""Strings and tokens as R4 compares them.

https://hl7.org/fhir/R4/search.html#string
https://hl7.org/fhir/R4/search.html#token
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_paths import split, unescaped

_PARTS = {
    "string": None,
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": (
        "text",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
    ),
}


def folded(text: str) -> str:
    """Return a text without what neither case nor accents tell apart."""
    bare = (
        one
        for one in unicodedata.normalize("NFD", text)
        if unicodedata.category(one) != "Mn"
    )
    return unicodedata.normalize("NFD", "".join(bare).casefold())


def strings(element: Any, of: str) -> list[str]:
    """Return the texts of an element that a string parameter looks at."""
    parts = _PARTS[of]
    if parts is None:
        return [element]
    found: list[str] = []
    for part in parts:
        value = element.get(part, [])
        found += value if isinstance(value, list) else [value]
    return found


STRING_TESTS: dict[str | None, Callable[[str, str], bool]] = {
    None: lambda text, asked: folded(text).startswith(folded(asked)),
    "contains": lambda text, asked: folded(asked) in folded(text),
    "exact": lambda text, asked: text == asked,
}


@dataclass(frozen=True, kw_only=True)
class Token:
    system: str | None = None
    code: str | None = None
    texts: tuple[str, ...] = ()
    types: tuple["Token", ...] = ()
    ignores_case: bool = False


def _coding(element: Any) -> Token:
    display = element.get("display")
    return Token(
        system=element.get("system"),
        code=element.get("code"),
        texts=() if display is None else (display,),
    )


def _concept(element: Any) -> list[Token]:
    codings = [_coding(one) for one in element.get("coding", ())]
    text = element.get("text")
    return codings if text is None else [*codings, Token(texts=(text,))]


def _identifier(element: Any) -> list[Token]:
    kind = element.get("type", {})
    text = kind.get("text")
    return [
        Token(
            system=element.get("system"),
            code=element.get("value"),
            texts=() if text is None else (text,),
            types=tuple(_concept(kind)),
        )
    ]


def _deceased(patient: Any) -> list[Token]:
    """Tell whether the patient is dead: also one of whom nothing is said is not."""
    dead = "deceasedDateTime" in patient or patient.get("deceasedBoolean", False)
    return [Token(system=SPECIAL, code="true" if dead else "false")]


SPECIAL = "http://terminology.hl7.org/CodeSystem/special-values"

_READERS: dict[str, Callable[[Any], list[Token]]] = {
    "CodeableConcept": _concept,
    "Coding": lambda element: [_coding(element)],
    "Identifier": _identifier,
    "ContactPoint": lambda element: [
        Token(code=element.get("value"), ignores_case=True)
    ],
    "boolean": lambda element: [
        Token(system=SPECIAL, code="true" if element else "false")
    ],
    "string": lambda element: [Token(code=element)],
    "id": lambda element: [Token(code=element)],
    "deceased": _deceased,
}


def tokens(element: Any, of: str, system: str | None) -> list[Token]:
    """Return what a token parameter compares of an element."""
    if of == "code":
        return [Token(system=system, code=element)]
    return _READERS[of](element)


def is_code(found: Token, asked: str) -> bool:
    """Tell whether a token is `code`, `system|code`, `|code` or `system|`."""
    *system, code = (unescaped(one) for one in split(asked, "|"))
    if system and found.system != (system[0] or None):
        return False
    if system and not code:
        return True
    if found.ignores_case and found.code is not None:
        return found.code.casefold() == code.casefold()
    return found.code == code


def is_of_type(found: Token, asked: str) -> bool:
    """Tell whether an identifier is `system|code|value`, system and code its type's."""
    system, code, value = (unescaped(one) for one in split(asked, "|"))
    typed = any((one.system, one.code) == (system, code) for one in found.types)
    return typed and found.code == value


def begins_with(found: Token, asked: str) -> bool:
    """Tell whether a text beside the code begins with what is asked."""
    return any(STRING_TESTS[None](one, unescaped(asked)) for one in found.texts)


TOKEN_TESTS: dict[str | None, Callable[[Token, str], bool]] = {
    None: is_code,
    "not": is_code,
    "text": begins_with,
    "of-type": is_of_type,
}
