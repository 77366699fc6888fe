"""What `Consent/$evaluate` is given: parameters in the URL, or a Parameters resource.

https://hl7.org/fhir/R4/operations.html#executing
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from conformance import fhir_json
from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, IssueType
from consent.codes import ACT_REASON, ACTIONS
from consent.contents import coding_parts
from consent.elements import actor
from consent.formula import Coding
from consent.moments import bounds
from consent.references import Deployment, local, type_of
from fhir_service.explaining.asking import Asking
from fhir_service.rest.content import is_form, refuse_other_bodies
from fhir_service.rest.message import Request
from fhir_service.rest.parameters import parameters

_OF_EVERY_REQUEST = frozenset({"_format", "_pretty"})

MOST = 100
"""Values of one input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked, and of whom.

    Attributes:
        patient: Id of the Patient.
        asking: The question.
        replay: A row of the audit log, whose decision is made again; None for none.

    """

    patient: str
    asking: Asking
    replay: str | None = None


class _Value(NamedTuple):
    """A value of an input, and where it stood; a text where it came in the URL."""

    value: Any
    place: str


class Input(NamedTuple):
    """A row of the table.

    Attributes:
        elements: The elements that may hold it in a Parameters resource.
        read: Returns what a value means.
        repeats: Whether it is given more than once.

    """

    elements: tuple[str, ...]
    read: Callable[[_Value, Deployment], Any]
    repeats: bool = False


def _refused(found: _Value, told: str) -> FHIRError:
    return FHIRError(IssueType.INVALID, told, found.place)


def _text(found: _Value, _: Deployment) -> str:
    if not isinstance(found.value, str) or not found.value:
        raise _refused(found, "This input is a text.")
    return found.value


def _patient(found: _Value, place: Deployment) -> str:
    value = found.value
    text = value.get("reference") if isinstance(value, dict) else value
    name = local(text, place.own_bases) or local(f"Patient/{text}", ())
    if name is None or type_of(name) != "Patient":
        raise _refused(found, "The patient is a reference such as Patient/123.")
    return name.partition("/")[2]


def _actor(found: _Value, place: Deployment) -> str:
    value = found.value
    if isinstance(value, str):
        system, bar, of_system = value.partition("|")
        identifier = {"system": system, "value": of_system}
        value = {"identifier": identifier} if bar else {"reference": value}
    elif isinstance(value, dict) and "system" in value:
        value = {"identifier": value}
    names = actor({"reference": value}, place).names
    if len(names) != 1:
        raise _refused(found, "An actor is a reference to this server or system|value.")
    return next(iter(names))


def _purpose(found: _Value, _: Deployment) -> Coding:
    value = found.value
    if isinstance(value, str):
        system, bar, code = value.rpartition("|")
        value = {"system": system if bar else ACT_REASON, "code": code}
    parts = coding_parts(value)
    if not all(parts):
        raise _refused(found, "A purpose is a Coding, or a code of v3-ActReason.")
    return str(parts[0]), str(parts[1])


def _action(found: _Value, _: Deployment) -> str:
    if found.value not in ACTIONS:
        raise _refused(found, f"An action is one of {', '.join(sorted(ACTIONS))}.")
    return str(found.value)


def _type(found: _Value, _: Deployment) -> str:
    if not isinstance(found.value, str) or not is_resource_type(found.value):
        raise _refused(found, "A type is a resource type of R4.")
    return found.value


def _at(found: _Value, place: Deployment) -> int:
    moment = bounds(found.value, place.zone)
    if moment is None or "T" not in found.value:
        raise _refused(found, "at is an instant with its offset.")
    return moment[0]


_TRUTHS = {True: True, False: False, "true": True, "false": False}


def _truth(found: _Value, _: Deployment) -> bool:
    if not isinstance(found.value, bool | str) or found.value not in _TRUTHS:
        raise _refused(found, "This input is true or false.")
    return _TRUTHS[found.value]


def _draft(found: _Value, _: Deployment) -> dict[str, Any]:
    if not isinstance(found.value, dict):
        raise _refused(found, "A draft is a resource, in a Parameters resource.")
    return found.value


_REFERENCE = ("valueReference", "valueString")

INPUTS: Mapping[str, Input] = MappingProxyType(
    {
        "patient": Input(_REFERENCE, _patient),
        "client": Input(("valueString", "valueId"), _text),
        "actor": Input((*_REFERENCE, "valueIdentifier"), _actor, repeats=True),
        "purpose": Input(("valueCoding", "valueCode"), _purpose, repeats=True),
        "action": Input(("valueCode",), _action, repeats=True),
        "at": Input(("valueInstant", "valueDateTime"), _at),
        "individualKnown": Input(("valueBoolean",), _truth),
        "btgAttested": Input(("valueBoolean",), _truth),
        "type": Input(("valueCode",), _type, repeats=True),
        "draft": Input(("resource",), _draft, repeats=True),
        "compare": Input(("valueBoolean",), _truth),
        "replay": Input(("valueString",), _text),
    }
)
"""Name → what it holds; documentation and tests walk it."""


def asked(request: Request, place: Deployment) -> Wanted:
    """Return what a request asks.

    Raises:
        FHIRError: `required` without a patient; `invalid` for an input that is
            unknown, repeated or not of its type; `too-costly` for too many values.

    """
    values: dict[str, list[Any]] = {}
    for name, found in _found(request):
        if name not in INPUTS:
            told = f"The operation has no parameter {name[:64]}."
            raise FHIRError(IssueType.INVALID, told, found.place)
        known = values.setdefault(name, [])
        known.append(INPUTS[name].read(found, place))
        if len(known) > (MOST if INPUTS[name].repeats else 1):
            raise FHIRError(IssueType.INVALID, f"{name} is given too often.")
    if "replay" in values and values.keys() - {"patient", "replay"}:
        raise FHIRError(IssueType.INVALID, "replay takes no input but the patient.")
    if "patient" not in values:
        raise FHIRError(IssueType.REQUIRED, "Whose data is asked about: add a patient.")
    return _wanted(values)


def _wanted(values: Mapping[str, list[Any]]) -> Wanted:
    def one(name: str, default: Any = None) -> Any:
        return values[name][0] if name in values else default

    def several(name: str) -> tuple[Any, ...] | None:
        return tuple(dict.fromkeys(values[name])) if name in values else None

    return Wanted(
        patient=one("patient"),
        replay=one("replay"),
        asking=Asking(
            client_id=one("client"),
            actors=frozenset(values.get("actor", ())),
            purposes=several("purpose"),
            actions=several("action"),
            individual_known=one("individualKnown"),
            btg_attested=one("btgAttested", default=False),
            at_us=one("at"),
            types=frozenset(values.get("type", ())),
            drafts=tuple(values.get("draft", ())),
            compares=one("compare", default=False),
        ),
    )


def _found(request: Request) -> Iterator[tuple[str, _Value]]:
    """Yield every input: those of the URL or a form, then those of the body."""
    for name, value in parameters(request):
        if name not in _OF_EVERY_REQUEST:
            yield name, _Value(value, name)
    if request.method == "POST" and request.body and not is_form(request):
        refuse_other_bodies(request)
        yield from _members(fhir_json.loads_object(request.body))


def _members(resource: Mapping[str, Any]) -> Iterator[tuple[str, _Value]]:
    listed = resource.get("parameter", [])
    if resource.get("resourceType") != "Parameters" or not isinstance(listed, list):
        raise FHIRError(IssueType.INVALID, "The body is a Parameters resource.")
    for index, one in enumerate(listed):
        place = f"Parameters.parameter[{index}]"
        name = str(one.get("name")) if isinstance(one, dict) else ""
        elements = INPUTS[name].elements if name in INPUTS else ()
        held = [one[element] for element in elements if element in one]
        if len(held) != 1 or len(one) != len(("name", "value")):
            raise FHIRError(
                IssueType.INVALID,
                "The operation has no such input, or not with a value of this type.",
                place,
            )
        yield name, _Value(held[0], place)
