"""Values of a search parameter, drawn mostly from what is stored and altered.

https://hl7.org/fhir/R4/search.html
"""

import unicodedata
from typing import Any

from hypothesis import strategies as st
from model import Model
from model_paths import at, escaped
from model_references import target
from model_table import Parameter
from model_text import Token, folded, strings, tokens

PREFIXES = ("", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
UCUM_CODES = ("kg", "g", "[lb_av]", "Cel", "[degF]", "mm[Hg]", "kPa", "s", "min", "cm")
TIMES = (
    "2026",
    "2026-11",
    "2026-11-03",
    "2026-11-04",
    "2026-11-03T10:00Z",
    "2026-11-03T10:00:00+00:00",
    "2026-11-03T22:00:00-01:00",
    "2026-11-20T13:00:00Z",
    "2000",
)
NUMBERS = ("0", "1", "1.0", "1e2", "100", "1e0", "5.4", "5.45", "-3", "0.50", "37")


@st.composite
def asked(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter
) -> tuple[str, str]:
    """Draw a modifier with its colon, or none, and a value that goes with it."""
    can_miss = parameter.kind != "composite" and parameter.of not in _ALWAYS
    if can_miss and draw(st.integers(0, 9)) == 0:
        return ":missing", draw(st.sampled_from(("true", "false")))
    modifier = draw(st.sampled_from(_modifiers(parameter)))
    value = _VALUES[parameter.kind]
    count = draw(st.sampled_from((1, 1, 1, 2)))
    values = [draw(value(model, type_, parameter, modifier)) for _ in range(count)]
    return modifier, ",".join(values)


_ALWAYS = ("deceased",)

_MODIFIERS = {
    "string": ("", "", "", ":exact", ":contains"),
    "reference": ("", "", "", ":Patient", ":Practitioner", ":identifier"),
}
_TOKEN_MODIFIERS = {
    "CodeableConcept": ("", "", "", "", ":not", ":text"),
    "Coding": ("", "", "", "", ":not"),
    "Identifier": ("", "", "", ":not", ":of-type"),
}


def _modifiers(parameter: Parameter) -> tuple[str, ...]:
    if parameter.kind == "token":
        return _TOKEN_MODIFIERS.get(parameter.of, ("", "", ":not"))
    if parameter.of == "canonical":
        return ("",)
    types = (":identifier", *(f":{one}" for one in parameter.targets))
    return tuple(
        one
        for one in _MODIFIERS.get(parameter.kind, ("",))
        if parameter.kind != "reference" or not one or one in types
    )


def _elements(model: Model, type_: str, parameter: Parameter) -> list[Any]:
    return [
        element
        for one in model.resources
        if one["resourceType"] == type_
        for element in model.elements(one, parameter)
    ]


@st.composite
def _strings(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, modifier: str
) -> str:
    texts = [
        text
        for element in _elements(model, type_, parameter)
        for text in strings(element, parameter.of)
    ]
    return escaped(draw(_mutated(texts or ["nothing"], modifier)))


@st.composite
def _mutated(draw: st.DrawFn, texts: list[str], modifier: str) -> str:
    """Draw a text, a beginning or a part of it, in other letters."""
    text = draw(st.sampled_from(texts))
    start = draw(st.integers(0, len(text) - 1)) if modifier == ":contains" else 0
    end = draw(st.integers(start + 1, len(text)) | st.just(len(text)))
    part = text[start:end].strip()
    part = part if any(one.isalnum() for one in folded(part)) else text
    return draw(st.sampled_from(_LETTERS))(part)


_LETTERS = (
    lambda text: text,
    lambda text: text,
    str.swapcase,
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: folded(text) or text,
)


@st.composite
def _tokens(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, modifier: str
) -> str:
    found = [
        token
        for element in _elements(model, type_, parameter)
        for token in tokens(element, parameter.of, parameter.system)
    ]
    if modifier == ":text":
        texts = [text for one in found for text in one.texts]
        return escaped(draw(_mutated(texts or ["nothing"], modifier)))
    coded = [one for one in found if one.code is not None] or [Token(code="nothing")]
    token = draw(st.sampled_from(coded))
    code = escaped(token.code)
    if modifier == ":of-type":
        kinds = [kind for kind in token.types if kind.code] or [Token(code="nothing")]
        kind = draw(st.sampled_from(kinds))
        return f"{escaped(kind.system or 'urn:x')}|{escaped(kind.code)}|{code}"
    if parameter.of in ("id", "string", "deceased"):
        return code
    return draw(st.sampled_from(_forms(parameter, token.system, code)))


def _forms(parameter: Parameter, system: str | None, code: str) -> tuple[str, ...]:
    if parameter.of == "ContactPoint":
        return (code, code.swapcase())
    named = escaped(system or "urn:nothing")
    if parameter.of in ("code", "boolean"):
        return (code, code, f"{named}|{code}", code.upper())
    return (code, code.swapcase(), f"{named}|{code}", f"|{code}", f"{named}|")


@st.composite
def _uris(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, _: str
) -> str:
    url = draw(st.sampled_from(_elements(model, type_, parameter) or ["urn:nothing"]))
    return escaped(draw(st.sampled_from((url, url, url.swapcase(), url[:-1]))))


@st.composite
def _references(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, modifier: str
) -> str:
    elements = _elements(model, type_, parameter)
    element = draw(st.sampled_from(elements or [{"reference": "Patient/nobody"}]))
    if parameter.of == "canonical":
        return draw(st.sampled_from((element, element.partition("|")[0])))
    if modifier == ":identifier":
        logical = Parameter(
            kind="token", of="Identifier", paths=("performer.identifier",)
        )
        return draw(_tokens(model, "Observation", logical, ""))
    local = target(element, model.base)
    if local is None:
        return "nothing" if modifier else element.get("reference", "nothing")
    kind, id_ = local
    forms = (id_, f"{kind}/{id_}", f"{model.base}{kind}/{id_}", f"{id_}x")
    return id_ if modifier else draw(st.sampled_from(forms))


@st.composite
def _dates(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, _: str
) -> str:
    found = [
        text
        for element in _elements(model, type_, parameter)
        for text in (element.values() if isinstance(element, dict) else (element,))
    ]
    text = draw(st.sampled_from(found or TIMES) | st.sampled_from(TIMES))
    length = draw(st.sampled_from((4, 7, 10, 40, 40)))
    return draw(st.sampled_from(PREFIXES)) + text[:length]


@st.composite
def _written(draw: st.DrawFn, values: list[Any]) -> str:
    """Draw a number, one that is stored in one of its spellings or another."""
    spellings = [
        spelt
        for value in values
        for spelt in (str(value), f"{value:.2f}", f"{value:.0f}", f"{value:.0e}")
    ]
    numbers = st.sampled_from(spellings or NUMBERS) | st.sampled_from(NUMBERS)
    return draw(st.sampled_from(PREFIXES)) + draw(numbers)


@st.composite
def _numbers(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, _: str
) -> str:
    return draw(_written(_elements(model, type_, parameter)))


@st.composite
def _quantities(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, _: str
) -> str:
    elements = _elements(model, type_, parameter)
    return draw(_measured(elements or [{"value": 1, "unit": "x"}]))


@st.composite
def _measured(draw: st.DrawFn, elements: list[Any]) -> str:
    element = draw(st.sampled_from(elements))
    number = draw(_written([element["value"]]))
    system, code = (element.get(one) for one in ("system", "code"))
    units = [
        "",
        "|http://unitsofmeasure.org|" + draw(st.sampled_from(UCUM_CODES)),
        "||" + escaped(element["unit"]),
        "||" + escaped(code or "puff"),
    ]
    if system is not None:
        units += [f"|{system}|{escaped(code)}"] * 3
    return number + draw(st.sampled_from(units))


@st.composite
def _composites(
    draw: st.DrawFn, model: Model, type_: str, parameter: Parameter, _: str
) -> str:
    """Draw both parts from one element, or each from another."""
    elements = [
        element
        for one in model.resources
        if one["resourceType"] == type_
        for path in parameter.elements
        for element in at(one, path)
        if all(model.elements(element, part) for part in parameter.parts)
    ]
    if not elements:
        return "nothing$1"
    one = draw(st.sampled_from(elements))
    other = draw(st.sampled_from((one, one, draw(st.sampled_from(elements)))))
    return "$".join(
        draw(_part(model, element, part))
        for element, part in zip((one, other), parameter.parts, strict=True)
    )


def _part(model: Model, element: Any, part: Parameter) -> st.SearchStrategy[str]:
    alone = Model(resources=[{**element, "resourceType": ""}], now_us=model.now_us)
    return _VALUES[part.kind](alone, "", part, "")


_VALUES = {
    "string": _strings,
    "token": _tokens,
    "uri": _uris,
    "reference": _references,
    "date": _dates,
    "number": _numbers,
    "quantity": _quantities,
    "composite": _composites,
}
