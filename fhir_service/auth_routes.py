"""The authorization server's paths.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from conformance.fhir_json import dumps
from fhir_service.auth.services import AuthServices
from fhir_service.auth.smart_configuration import smart_configuration
from fhir_service.auth.token import answer
from fhir_service.auth.token_message import MAX_BODY, TokenRequest

WELL_KNOWN = "/.well-known/smart-configuration"


def auth_blueprint(services: AuthServices) -> Blueprint:
    """Return the paths of authorization and its discovery."""
    blueprint = Blueprint("auth", __name__)
    configuration = dumps(
        smart_configuration(services.token_url, services.scopes_supported)
    )

    @blueprint.post("/auth/token")
    def token() -> Response:
        reply = answer(services, _token_request())
        return Response(reply.body, status=reply.status, headers=dict(reply.headers))

    @blueprint.get(WELL_KNOWN)
    @blueprint.get(f"/fhir{WELL_KNOWN}")
    def configuration_document() -> Response:
        response = Response(configuration, mimetype="application/json")
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return blueprint


def _token_request() -> TokenRequest:
    request.max_content_length = MAX_BODY
    try:
        body: bytes | None = request.get_data(cache=False)
    except RequestEntityTooLarge:
        body = None
    return TokenRequest(
        content_type=request.mimetype,
        body=body,
        query=request.query_string,
        authorization=request.headers.get("Authorization"),
        address=request.remote_addr,
    )
