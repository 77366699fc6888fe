"""The page of a person's apps: what each may do, and how to stop it.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from flask import Blueprint, Response, render_template

from fhir_service.auth import apps, sessions
from fhir_service.auth.apps import Allowed
from fhir_service.auth.services import AuthServices
from fhir_service.auth.sessions import Session
from fhir_service.pages import frame
from fhir_service.pages.frame import Cookies
from fhir_service.pages.patient_context import PatientFinder
from fhir_service.pages.scope_texts import sentence
from fhir_service.pages.texts import duration, language_of, other_language, said

PATH = "/apps"


def apps_blueprint(services: AuthServices, patients: PatientFinder) -> Blueprint:
    """Return the page of a person's apps."""
    blueprint = Blueprint("apps", __name__, template_folder="templates")
    pages = _Pages(services, patients)
    blueprint.before_request(frame.bound(frame.MAX_FORM))
    blueprint.after_request(frame.guard)
    blueprint.add_url_rule(PATH, view_func=pages.show, methods=["GET"])
    blueprint.add_url_rule(f"{PATH}/stop", view_func=pages.stop, methods=["POST"])
    return blueprint


class _Pages:
    """The pages, one method each."""

    def __init__(self, services: AuthServices, patients: PatientFinder) -> None:
        self._services = services
        self._patients = patients
        self._cookies = Cookies(services)

    def show(self) -> Response:
        session = sessions.current(self._services, self._cookies.session())
        if session is None:
            return frame.see_other("/login")
        return self._page(session, message=None)

    def stop(self) -> Response:
        secret = self._cookies.session()
        session = sessions.current(self._services, secret)
        if session is None:
            return frame.see_other("/login")
        language = language_of(session.account.language)
        if not sessions.is_own_form(secret, frame.field("form_token")):
            return self._page(
                session, message=said("error.stale", language), status=403
            )
        client_id = frame.field("client_id")
        if not apps.stop(self._services, session, client_id, frame.address()):
            return frame.see_other(PATH)
        return self._page(session, message=said("apps.stopped", language))

    def _page(
        self, session: Session, *, message: str | None, status: int = 200
    ) -> Response:
        language = language_of(session.account.language)
        allowed = apps.allowed(self._services, session.account.user_id)
        names = {one.id: one.name for one in self._patients.own(session.account)}
        text = render_template(
            "apps.html",
            language=language,
            other=other_language(language),
            product=said("product", language),
            say=lambda key, **parts: said(key, language, **parts),
            apps=[self._shown(one, names, language) for one in allowed],
            message=message,
            form_token=sessions.form_token(self._cookies.session() or ""),
        )
        return Response(text, status=status, mimetype="text/html")

    def _shown(
        self, one: Allowed, names: Mapping[str, str], language: str
    ) -> Mapping[str, object]:
        patient = names.get(one.patient) or said(
            "patient.unnamed", language, id=one.patient
        )
        offline = duration(one.offline_s, language)
        return MappingProxyType(
            {
                "client_id": one.client_id,
                "name": one.name,
                "patient": patient if one.patient else "",
                "sentences": [
                    sentence(scope, language, patient=patient, offline=offline)
                    for scope in one.scopes
                ],
                "since": _date(one.since),
                "until": None if one.until is None else _date(one.until),
            }
        )


def _date(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).date().isoformat()
