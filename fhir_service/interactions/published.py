"""What anybody may read: the CapabilityStatement and our own CodeSystem."""

from conformance import fhir_json
from fhir_service.exchange import (
    Exchange,
    not_found,
    resource_response,
)
from fhir_service.rest.message import Response
from mappings.code_system import code_system_resource


def metadata(exchange: Exchange) -> Response:
    """Return the CapabilityStatement."""
    exchange.resource_type = "CapabilityStatement"
    return resource_response(exchange.services.capabilities)


def code_system(exchange: Exchange, id_: str) -> Response:
    """Return a CodeSystem that this service defines.

    Raises:
        FHIRError: `not-found` for any other.

    """
    exchange.resource_type = "CodeSystem"
    resource = code_system_resource()
    if id_ != resource["id"]:
        raise not_found("CodeSystem", id_)
    return resource_response(fhir_json.dumps(resource))
