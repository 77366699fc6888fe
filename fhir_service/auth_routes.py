"""The authorization server's paths for programs; its pages are in `pages`.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from conformance.fhir_json import dumps
from conformance.issues import FHIRError
from fhir_service.auth import introspect, revoke, token
from fhir_service.auth.endpoints import JWKS_PATH
from fhir_service.auth.openid_configuration import openid_configuration
from fhir_service.auth.services import AuthServices
from fhir_service.auth.signing import public_jwks
from fhir_service.auth.smart_configuration import smart_configuration
from fhir_service.auth.token_message import (
    MAX_BODY,
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    refusal_answer,
)
from fhir_service.errors import OAuthError

SMART = "/.well-known/smart-configuration"
OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"

WELL_KNOWN: Mapping[str, Callable[[AuthServices], dict[str, Any]]] = {
    SMART: smart_configuration,
    f"/fhir{SMART}": smart_configuration,
    OPENID: openid_configuration,
    OAUTH: openid_configuration,
}
"""Path → what the document there says."""

ANSWERS: Mapping[str, Callable[[AuthServices, TokenRequest], TokenAnswer]] = {
    "/auth/token": token.answer,
    "/auth/introspect": introspect.answer,
    "/auth/revoke": revoke.answer,
}
"""Path → what answers a form that is posted there."""

RETRY_AFTER_S = 5
"""Seconds until it makes sense to ask a store again that could not be written."""

KEYS_KEPT_S = 300
"""Seconds for which whoever verifies ID tokens may keep our keys."""


def auth_blueprint(services: AuthServices) -> Blueprint:
    """Return the paths of authorization and its discovery."""
    blueprint = Blueprint("auth", __name__)
    for path, answer in ANSWERS.items():
        view = _endpoint(services, answer)
        blueprint.add_url_rule(path, path.rpartition("/")[2], view, methods=["POST"])
    for number, (path, describe) in enumerate(WELL_KNOWN.items()):
        document = dumps(describe(services))
        blueprint.add_url_rule(path, f"discovery-{number}", _document(document))
    blueprint.add_url_rule(JWKS_PATH, "jwks", _keys(services))
    blueprint.register_error_handler(FHIRError, _unavailable)
    return blueprint


def _endpoint(
    services: AuthServices,
    answer: Callable[[AuthServices, TokenRequest], TokenAnswer],
) -> Callable[[], Response]:
    def view() -> Response:
        reply = answer(services, _token_request())
        return Response(reply.body, status=reply.status, headers=dict(reply.headers))

    return view


def _unavailable(_error: FHIRError) -> Response:
    """Say in OAuth's words that the store cannot be written: nothing was given."""
    refused = TokenRefused(OAuthError.TEMPORARILY_UNAVAILABLE, "not-durable")
    reply = refusal_answer(refused)
    headers = {**reply.headers, "Retry-After": str(RETRY_AFTER_S)}
    return Response(reply.body, status=reply.status, headers=headers)


def _document(body: bytes) -> Callable[[], Response]:
    """Return what answers with JSON, whatever `Accept` says, to pages of anybody."""
    headers = {"Access-Control-Allow-Origin": "*"}
    return lambda: Response(body, mimetype="application/json", headers=headers)


def _keys(services: AuthServices) -> Callable[[], Response]:
    def view() -> Response:
        response = _document(dumps(public_jwks(services)))()
        response.headers["Cache-Control"] = f"public, max-age={KEYS_KEPT_S}"
        return response

    return view


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
