"""`$versions`: the releases of FHIR that are spoken here; anybody may ask.

https://hl7.org/fhir/R4/capabilitystatement-operation-versions.html
"""

from conformance import fhir_json
from fhir_service.exchange import Exchange, resource_response
from fhir_service.operations.inputs import refuse_inputs
from fhir_service.rest.lists import members
from fhir_service.rest.message import Request, Response

VERSIONS = ("4.0",)
"""Major and minor numbers, as the operation wants them; the first is the default."""

_PLAIN = "application/json"


def versions(exchange: Exchange) -> Response:
    """Return the versions as Parameters, or as the operation's own plain JSON.

    Raises:
        FHIRError: `invalid` for inputs.

    """
    exchange.resource_type = "CapabilityStatement"
    refuse_inputs(exchange.request)
    if _wants_plain(exchange.request):
        plain = {"versions": list(VERSIONS), "default": VERSIONS[0]}
        return Response(
            status=200,
            headers=(("content-type", f"{_PLAIN}; charset=utf-8"),),
            body=fhir_json.dumps(plain),
        )
    told = [{"name": "version", "valueCode": version} for version in VERSIONS]
    told.append({"name": "default", "valueCode": VERSIONS[0]})
    return resource_response(
        fhir_json.dumps({"resourceType": "Parameters", "parameter": told})
    )


def _wants_plain(request: Request) -> bool:
    """Whether the first format that the client accepts is JSON that is not FHIR's."""
    accepted = [
        one.name
        for one in members(request.headers.get("accept", ""))
        if not one.is_refused
    ]
    return accepted[:1] == [_PLAIN]
