"""The answer of `Consent/$evaluate` as a Parameters resource.

Words, counts, codings and references; no value of a measurement. An obligation has
the shape of the CDS Hooks hook `patient-consent-consult`.

https://hl7.org/fhir/R4/parameters.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consent.codes import ACT_CODE, ACT_REASON, CONFIDENTIALITY
from consent.inputs import canonical
from fhir_service.explaining.evaluation import PERMIT, PERMITTED, WITHHELD

Json = dict[str, Any]

REDACT = {"system": ACT_CODE, "code": "REDACT"}
"""v3-ActCode: what is not permitted is to be left out."""


def parameters_of(told: Mapping[str, Any]) -> Json:
    """Return the answer that `explaining.asking.answer` gave as Parameters."""
    return {"resourceType": "Parameters", "parameter": list(_all(told))}


def _all(told: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("decision", "valueCode", told["decision"])
    yield _one("patient", "valueReference", {"reference": told["patient"]})
    yield _one("at", "valueInstant", told["at"])
    yield from _some("client", "valueString", told["client"])
    yield from _each("actor", "valueString", told["actors"])
    yield from _purposes(told["purposes"])
    yield from _each("action", "valueCode", told["actions"])
    yield _one("individualKnown", "valueBoolean", told["individualKnown"])
    yield _one("btgAttested", "valueBoolean", told["breakGlassAttested"])
    yield _one("policy", "valueString", told["policy"])
    yield from _some("cacheUntil", "valueInstant", told.get("cacheUntil"))
    yield from _each("consent", "valueString", told["consents"])
    for one in told["types"]:
        yield _part("type", _type(one))
    yield from _obligations(told)
    for one in told.get("change", ()):
        yield _part("change", _change(one))


def _one(name: str, element: str, value: object) -> Json:
    return {"name": name, element: value}


def _some(name: str, element: str, value: object) -> Iterator[Json]:
    if value is not None:
        yield _one(name, element, value)


def _each(name: str, element: str, values: Iterable[object]) -> Iterator[Json]:
    for value in values:
        yield _one(name, element, value)


def _part(name: str, parts: Iterable[Json]) -> Json:
    return {"name": name, "part": list(parts)}


def _purposes(codes: Iterable[str]) -> Iterator[Json]:
    for text in codes:
        system, _, code = text.rpartition("|")
        coding = {"system": system or ACT_REASON, "code": code}
        yield _one("purpose", "valueCoding", coding)


def _type(one: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("code", "valueCode", one["type"])
    yield _one("inScope", "valueBoolean", one["inScope"])
    yield from _rows(one)
    for signature in one["signatures"]:
        yield _part("signature", _signature(signature))


def _rows(one: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("rows", "valueUnsignedInt", one["rows"])
    yield _one("permitted", "valueUnsignedInt", one["permitted"])
    yield _one("withheld", "valueUnsignedInt", one["rows"] - one["permitted"])


def _signature(one: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("name", "valueString", one["name"])
    for coding in _codings(one):
        yield _one("code", "valueCoding", coding)
    yield from _each("category", "valueCode", one["category"])
    for system, codes in (
        (CONFIDENTIALITY, [one["confidentiality"]]),
        (ACT_CODE, one["sensitivity"]),
    ):
        for code in codes:
            if code is not None:
                label = {"system": system, "code": code}
                yield _one("label", "valueCoding", label)
    if one["device"] is not None:
        yield _one("device", "valueReference", {"reference": one["device"]})
    yield _one("outcome", "valueCode", one["outcome"])
    yield _one("inScope", "valueBoolean", one["inScope"])
    yield from _rows(one)
    for why in one["why"]:
        yield _part("why", _why(why))


def _codings(signature: Mapping[str, Any]) -> Iterator[Json]:
    pairs = zip(signature["code"], signature["display"], strict=True)
    for text, display in pairs:
        system, _, code = text.rpartition("|")
        named = {} if display is None else {"display": display}
        yield {"system": system, "code": code, **named}


def _why(why: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("permitted", "valueBoolean", why["permitted"])
    for reason in why["because"]:
        yield _part("because", _because(reason))
    for missed in why.get("missed", ()):
        yield _part("missed", _missed(missed))


def _because(reason: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("kind", "valueCode", reason["kind"])
    yield from _some("name", "valueString", reason.get("name"))
    yield from _some("path", "valueString", reason.get("path"))
    yield from _purposes(filter(None, [reason.get("purpose")]))
    yield from _some("action", "valueCode", reason.get("action"))


def _missed(missed: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("consent", "valueString", missed["consent"])
    yield from _some("path", "valueString", missed.get("path"))
    yield from _each("element", "valueString", missed["elements"])


def _obligations(told: Mapping[str, Any]) -> Iterator[Json]:
    """Yield what goes with a permit: what it leaves out, and what policies ask."""
    if told["decision"] != PERMIT:
        return
    signatures = [one for kind in told["types"] for one in kind["signatures"]]
    left_out = [one for one in signatures if one["outcome"] != PERMITTED]
    if left_out:
        yield _obligation(REDACT["code"], left_out)
    released = [one for one in signatures if one["outcome"] != WITHHELD]
    for policy in sorted({name for one in released for name in one["policies"]}):
        yield _obligation(
            policy, [one for one in released if policy in one["policies"]]
        )


def _obligation(code: str, signatures: Iterable[Mapping[str, Any]]) -> Json:
    codings = [coding for one in signatures for coding in _codings(one)]
    codes = {(one["system"], one["code"]): one for one in codings}
    return _part(
        "obligation",
        [
            _one("id", "valueCoding", {"system": ACT_CODE, "code": code}),
            _part("parameters", _each("codes", "valueCoding", codes.values())),
        ],
    )


def replay_parameters(told: Mapping[str, Any]) -> Json:
    """Return the replay of a row of the log as Parameters, its record whole."""
    parameter = [
        _one("result", "valueCode", told["result"]),
        *_each("difference", "valueString", told["differences"]),
        _one("record", "valueString", canonical(told).decode()),
    ]
    return {"resourceType": "Parameters", "parameter": parameter}


_LISTS = ("gains", "loses", "changesInPart")


def _change(one: Mapping[str, Any]) -> Iterator[Json]:
    yield _one("who", "valueString", one["who"])
    yield from _purposes(one["purposes"])
    yield from _each("action", "valueCode", one["actions"])
    for name in _LISTS:
        yield from _each(name, "valueString", one[name])
    yield _one("rowsBefore", "valueUnsignedInt", one["rowsBefore"])
    yield _one("rowsAfter", "valueUnsignedInt", one["rowsAfter"])
