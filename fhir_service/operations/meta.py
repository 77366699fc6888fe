"""`$meta` of one resource: its version, profiles, tags and labels.

Over many resources it is refused by name (`operations.unknown`): their labels together
would tell of what is hidden.

https://hl7.org/fhir/R4/resource-operation-meta.html
"""

from typing import Any

from conformance import fhir_json
from fhir_service.exchange import Exchange, resource_response
from fhir_service.operations.inputs import refuse_inputs
from fhir_service.operations.instance import instance
from fhir_service.rest.message import Response


def meta(exchange: Exchange, type_: str, id_: str) -> Response:
    """Return the `meta` of a resource, if the view holds it.

    Raises:
        FHIRError: as a read, and `invalid` for inputs.

    """
    resource = instance(exchange, type_, id_)
    refuse_inputs(exchange.request)
    parameters: dict[str, Any] = {"resourceType": "Parameters"}
    if "meta" in resource:
        parameters["parameter"] = [{"name": "return", "valueMeta": resource["meta"]}]
    return resource_response(fhir_json.dumps(parameters))
