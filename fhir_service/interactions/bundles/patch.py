"""A JSON Patch as an entry carries it: the data of a Binary.

https://hl7.org/fhir/R4/http.html#patch
"""

import base64
import binascii
from typing import Any

from conformance.issues import FHIRError, IssueType
from fhir_service.rest.content import JSON_PATCH


def patch_in_binary(resource: dict[str, Any]) -> bytes:
    """Return the JSON Patch that a Binary holds.

    Raises:
        FHIRError: `not-supported` for a FHIRPath Patch, `invalid` for anything else
            that is no JSON Patch in a Binary.

    """
    if resource.get("resourceType") == "Parameters":
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"FHIRPath Patch is not supported: send a Binary of {JSON_PATCH[0]}.",
        )
    data = resource.get("data")
    if (
        resource.get("resourceType") != "Binary"
        or resource.get("contentType") not in JSON_PATCH
        or not isinstance(data, str)
    ):
        raise FHIRError(
            IssueType.INVALID, f"A patch is the data of a Binary of {JSON_PATCH[0]}."
        )
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise FHIRError(
            IssueType.INVALID, "The data is not base64.", "Binary.data"
        ) from None
