"""JSON Patch: operations read, checked, and applied to a body, decimals kept.

https://www.rfc-editor.org/rfc/rfc6902
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonpatch import (
    InvalidJsonPatch,
    JsonPatch,
    JsonPatchException,
    JsonPatchTestFailed,
    JsonPointerException,
)

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType

MAX_OPERATIONS = 200
"""Operations of one patch."""

MAX_COPIES = 20
"""Operations `copy` of one patch: each may double what is there."""

MAX_BYTES = 5 * 1024 * 1024
"""Of the resource after each `copy`; what the FHIR door takes by default."""

MEMBERS: Mapping[str, tuple[str, ...]] = {
    "add": ("path", "value"),
    "copy": ("from", "path"),
    "move": ("from", "path"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "test": ("path", "value"),
}
"""Operation → the members that it must have (§4)."""

_POINTERS = frozenset({"from", "path"})

Operation = Mapping[str, Any]


def operations_of(body: bytes) -> list[Operation]:
    """Return the operations of a JSON Patch document.

    Raises:
        FHIRError: `structure` for what is no JSON, `invalid` for what is no JSON
            Patch, `too-costly` beyond `MAX_OPERATIONS` or `MAX_COPIES`.

    """
    operations = fhir_json.loads(body)
    if not isinstance(operations, list) or not operations:
        raise FHIRError(IssueType.INVALID, "A JSON Patch is an array of operations.")
    if len(operations) > MAX_OPERATIONS:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"A patch has at most {MAX_OPERATIONS} operations."
        )
    for number, operation in enumerate(operations, 1):
        if not _is_operation(operation):
            raise FHIRError(
                IssueType.INVALID,
                f"Operation {number} is none of RFC 6902, or a member is missing.",
            )
    if sum(operation["op"] == "copy" for operation in operations) > MAX_COPIES:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"A patch copies at most {MAX_COPIES} times."
        )
    return operations


def _is_operation(operation: Any) -> bool:
    if not isinstance(operation, dict):
        return False
    name = operation.get("op")
    needed = MEMBERS.get(name) if isinstance(name, str) else None
    return needed is not None and all(
        member in operation
        and (member not in _POINTERS or isinstance(operation[member], str))
        for member in needed
    )


def patched(body: bytes, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the resource that `operations` make of `body`.

    Raises:
        FHIRError: `processing` where one cannot be applied or a test fails,
            `invalid` where no resource is left, `too-costly` where copies pile up.

    """
    resource = fhir_json.loads(body)
    for number, operation in enumerate(operations, 1):
        resource = _applied(resource, operation, number)
        if operation["op"] == "copy" and len(fhir_json.dumps(resource)) > MAX_BYTES:
            raise FHIRError(
                IssueType.TOO_COSTLY, "The copies make the resource too long."
            )
    if not isinstance(resource, dict):
        raise FHIRError(IssueType.INVALID, "The patch leaves no resource.")
    return resource


def _applied(resource: Any, operation: Operation, number: int) -> Any:
    try:
        return JsonPatch([operation]).apply(resource, in_place=True)
    except JsonPatchTestFailed:
        raise FHIRError(
            IssueType.PROCESSING, f"The test of operation {number} fails."
        ) from None
    except InvalidJsonPatch:
        raise FHIRError(
            IssueType.INVALID, f"Operation {number} is none of RFC 6902."
        ) from None
    except (JsonPatchException, JsonPointerException):
        raise FHIRError(
            IssueType.PROCESSING,
            f"Operation {number} cannot be applied: its path leads nowhere.",
        ) from None
