"""What anybody may read: the CapabilityStatement and our own CodeSystem.

https://hl7.org/fhir/R4/http.html#capabilities
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Exchange, resource_response
from fhir_service.interactions.read import read, shown
from fhir_service.rest.conditional import names_version
from fhir_service.rest.message import Header, Response
from fhir_service.rest.parameters import Pair, parameters
from fhir_service.rest.projection import Projection
from mappings.code_system import code_system_resource

MODES = ("full", "normative")
"""Values of `mode` that are answered, both by the whole statement."""

_REMEMBERED = 8
"""Parts of what is published: there are five values of `_summary`."""


def metadata(exchange: Exchange) -> Response:
    """Return the CapabilityStatement.

    Raises:
        FHIRError: `not-supported` for `mode=terminology`, `invalid` for a mode that
            FHIR does not have, and as a read for `_summary` and `_elements`.

    """
    exchange.resource_type = "CapabilityStatement"
    _refuse_other_modes(parameters(exchange.request))
    return _published(exchange, exchange.services.capabilities())


def _refuse_other_modes(pairs: Iterable[Pair]) -> None:
    for name, value in pairs:
        if (name, value) == ("mode", "terminology"):
            raise FHIRError(
                IssueType.NOT_SUPPORTED,
                "mode=terminology is not answered: there is no terminology service.",
            )
        if name == "mode" and value not in MODES:
            raise FHIRError(
                IssueType.INVALID, "mode is one of full, normative and terminology."
            )


def code_system(exchange: Exchange, id_: str) -> Response:
    """Return a CodeSystem: that which this service defines, or a stored one.

    Raises:
        FHIRError: as a read.

    """
    exchange.resource_type = "CodeSystem"
    resource = code_system_resource()
    if id_ != resource["id"]:
        return read(exchange, "CodeSystem", id_)
    return _published(exchange, fhir_json.dumps(resource))


def _published(exchange: Exchange, body: bytes) -> Response:
    """Return what is published, or 304 to a client that holds it."""
    part = shown(exchange.request, exchange.resource_type)
    tag, body = _as_sent(body, part)
    header: Header = ("etag", f'W/"{tag}"')
    if names_version(exchange.request.headers.get("if-none-match", ""), tag):
        return Response(status=304, headers=(header,))
    return resource_response(body, headers=(header,))


@lru_cache(_REMEMBERED)
def _as_sent(body: bytes, part: Projection) -> tuple[str, bytes]:
    """Return the opaque text of the entity tag, and what is shown of a resource."""
    found = part.of(body)
    return hashlib.sha256(found).hexdigest()[:32], found
