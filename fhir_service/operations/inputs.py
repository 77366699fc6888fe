"""What an operation is given: parameters in the URL, or a Parameters resource.

https://hl7.org/fhir/R4/operations.html#executing
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.rest.content import refuse_other_bodies
from fhir_service.rest.message import Request
from fhir_service.rest.parameters import Pair, parameters

Taken = Mapping[str, tuple[str, ...]]
"""Name of an input → the elements that may hold it in a Parameters resource."""

RESOURCE = "resource"
"""The input that is a resource, and the element that holds it."""

_OF_EVERY_REQUEST = frozenset({"_format", "_pretty"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What came with the call of an operation.

    Attributes:
        resource: The resource; None where none was sent.
        values: Name → value of the others.

    """

    resource: dict[str, Any] | None
    values: Mapping[str, str]


def inputs(request: Request, taken: Taken) -> Inputs:
    """Return what an operation is given.

    A body that is no Parameters resource is the input `resource`, where the operation
    takes one (§3.2.0.1.2).

    Args:
        request: The request.
        taken: The inputs that the operation knows, each at most once.

    Raises:
        FHIRError: `invalid` for an input that is unknown, repeated or not of its
            type, and what makes the body no JSON object.

    """
    pairs = [pair for pair in parameters(request) if pair[0] not in _OF_EVERY_REQUEST]
    resource = _body(request)
    if resource is not None and resource.get("resourceType") == "Parameters":
        found = [*_members(resource, taken)]
        pairs += [(name, value) for name, value in found if isinstance(value, str)]
        resource = _resource([value for _, value in found if isinstance(value, dict)])
    if resource is not None and RESOURCE not in taken:
        raise FHIRError(IssueType.INVALID, "The operation takes no resource.")
    return Inputs(resource=resource, values=_values(pairs, taken))


def refuse_inputs(request: Request) -> None:
    """Refuse every input of an operation that has none.

    Raises:
        FHIRError: as `inputs`.

    """
    inputs(request, {})


def _body(request: Request) -> dict[str, Any] | None:
    if request.method != "POST" or not request.body:
        return None
    refuse_other_bodies(request)
    return fhir_json.loads_object(request.body)


def _members(
    resource: Mapping[str, Any], taken: Taken
) -> Iterator[tuple[str, str | dict[str, Any]]]:
    """Yield the inputs of a Parameters resource: a text, or a resource, each."""
    listed = resource.get("parameter", [])
    for index, one in enumerate(listed if isinstance(listed, list) else [None]):
        name = one.get("name") if isinstance(one, dict) else None
        elements = taken.get(name, ()) if isinstance(name, str) else ()
        held = [one[element] for element in elements if element in one]
        of_type = dict if name == RESOURCE else str
        if len(held) != 1 or len(one) != len(("name", "value")):
            raise _refused(index)
        if not isinstance(held[0], of_type):
            raise _refused(index)
        yield str(name), held[0]


def _refused(index: int) -> FHIRError:
    return FHIRError(
        IssueType.INVALID,
        "The operation has no such input, or not with a value of this type.",
        f"Parameters.parameter[{index}]",
    )


def _resource(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    if len(found) > 1:
        raise FHIRError(IssueType.INVALID, "One resource is taken at a time.")
    return found[0] if found else None


def _values(pairs: list[Pair], taken: Taken) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        if name == RESOURCE or name not in taken:
            raise FHIRError(
                IssueType.INVALID, f"The operation has no parameter {name[:64]}."
            )
        if name in values:
            raise FHIRError(IssueType.INVALID, f"{name} is given once.")
        values[name] = value
    return values
