"""The compliance officer's console: everything under `/compliance`.

Every page works without a script, is under the same policy as the other pages, and is
recorded in the log before it leaves.

https://flask.palletsprojects.com/en/stable/blueprints/
"""

from flask import Blueprint, Response
from werkzeug.exceptions import RequestEntityTooLarge

from fhir_service.deployment import Deployment
from fhir_service.pages import frame
from fhir_service.pages.compliance_desk import Desk
from fhir_service.pages.compliance_integrity import IntegrityPages
from fhir_service.pages.compliance_oversight import OversightPages
from fhir_service.pages.compliance_patient import PatientPages
from fhir_service.pages.compliance_reports import ReportPages
from fhir_service.pages.compliance_row import RowPages
from fhir_service.pages.compliance_search import SearchPages
from fhir_service.pages.frame import Frame


def compliance_blueprint(deployment: Deployment) -> Blueprint:
    """Return the console."""
    blueprint = Blueprint("compliance", __name__, template_folder="templates")
    shared = Frame(deployment.auth)
    blueprint.before_request(frame.bound(frame.LONG_FORM))
    blueprint.after_request(frame.guard)
    blueprint.register_error_handler(
        RequestEntityTooLarge, lambda _: _oversized(shared)
    )
    desk = Desk(shared, deployment)
    SearchPages(desk).add_to(blueprint)
    RowPages(desk).add_to(blueprint)
    PatientPages(desk).add_to(blueprint)
    OversightPages(desk).add_to(blueprint)
    ReportPages(desk).add_to(blueprint)
    IntegrityPages(desk).add_to(blueprint)
    return blueprint


def _oversized(shared: Frame) -> Response:
    return shared.page("oversized.html", shared.visitor(), status=frame.TOO_LARGE)
