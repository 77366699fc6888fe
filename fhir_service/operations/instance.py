"""The one resource that an operation is called on, as a read would show it.

https://hl7.org/fhir/R4/operations.html
"""

from typing import Any

from conformance import fhir_json
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange
from fhir_service.interactions.read import read_body
from mappings.code_system import code_system_resource


def instance(exchange: Exchange, type_: str, id_: str) -> dict[str, Any]:
    """Return the resource: stored, rendered, or published by this service.

    Raises:
        FHIRError: as a read.

    """
    published = code_system_resource()
    if (type_, id_) != (published["resourceType"], published["id"]):
        return fhir_json.loads_object(read_body(exchange, type_, id_))
    exchange.resource_type = type_
    with exchange.services.database.read() as snapshot:
        require(exchange.granted(snapshot), type_, "read")
    return published
