"""The pages for people that need patients: emergencies, launches, devices.

https://flask.palletsprojects.com/en/stable/blueprints/
"""

from flask import Blueprint, Response
from werkzeug.exceptions import RequestEntityTooLarge

from fhir_service.deployment import Deployment
from fhir_service.pages import frame
from fhir_service.pages.break_glass import EmergencyPages
from fhir_service.pages.frame import Frame
from fhir_service.pages.launch import LaunchPages
from fhir_service.pages.pairing import DevicePages


def people_blueprint(deployment: Deployment) -> Blueprint:
    """Return the pages."""
    blueprint = Blueprint("people", __name__, template_folder="templates")
    shared = Frame(deployment.auth)
    blueprint.before_request(frame.bound(frame.LONG_FORM))
    blueprint.after_request(frame.guard)
    blueprint.register_error_handler(
        RequestEntityTooLarge, lambda _: _oversized(shared)
    )
    EmergencyPages(shared, deployment).add_to(blueprint)
    LaunchPages(shared, deployment).add_to(blueprint)
    DevicePages(shared, deployment).add_to(blueprint)
    return blueprint


def _oversized(shared: Frame) -> Response:
    return shared.page("oversized.html", shared.visitor(), status=frame.TOO_LARGE)
