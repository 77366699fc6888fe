"""The pages at which a person answers an app: which patient, and what it may do.

Plain forms, no script. A form carries a token of its own, made of the login and of the
request, and a request is answered once.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
https://www.rfc-editor.org/rfc/rfc9700#section-4.16
"""

from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from fhir_service.auth import authorize_grant, authorize_steps, sessions
from fhir_service.auth.authorize import AuthorizeRequest, NoRedirect, begin
from fhir_service.auth.authorize_held import Ended, Gone, Held, LoginNeeded, NotYours
from fhir_service.auth.authorize_message import MAX_BODY, AuthorizeError
from fhir_service.auth.grantable import Offer, chosen, repeated
from fhir_service.auth.redirect_uris import form_target, place_of
from fhir_service.auth.services import AuthServices
from fhir_service.pages import frame
from fhir_service.pages.consent_form import consent_form, patient_name
from fhir_service.pages.frame import Cookies
from fhir_service.pages.patient_context import (
    PatientContext,
    PatientFinder,
    searches,
)
from fhir_service.pages.patients import PatientChoice
from fhir_service.pages.texts import QUERY, language_of, other_language, said

FORM = "application/x-www-form-urlencoded"


def authorize_blueprint(services: AuthServices, patients: PatientFinder) -> Blueprint:
    """Return the authorization endpoint and its pages."""
    blueprint = Blueprint("authorize", __name__, template_folder="templates")
    pages = _Pages(services, patients)
    blueprint.before_request(frame.bound(MAX_BODY))
    blueprint.before_request(_refuse_looks)
    blueprint.after_request(frame.guard)
    for error, page in (
        (NoRedirect, _page_of_error("unregistered", 400)),
        (Gone, _page_of_error("gone", 404)),
        (NotYours, _page_of_error("other-login", 403)),
        (RequestEntityTooLarge, _page_of_error("stale", 413)),
        (Ended, _leave),
    ):
        blueprint.register_error_handler(error, page)
    path = "/auth/authorize"
    both = ["GET", "POST"]
    blueprint.add_url_rule(path, view_func=pages.begin, methods=both)
    blueprint.add_url_rule(f"{path}/<handle>", view_func=pages.show, methods=["GET"])
    blueprint.add_url_rule(f"{path}/<handle>", view_func=pages.act, methods=["POST"])
    return blueprint


def _refuse_looks() -> None:
    """Refuse HEAD, which Flask takes for GET: an earlier choice may answer a GET."""
    if request.method == "HEAD":
        raise MethodNotAllowed(valid_methods=["GET", "POST"])


def _page_of_error(key: str, status: int) -> Callable[[Exception], Response]:
    def page(_error: Exception) -> Response:
        language = language_of()
        text = render_template(
            "authorize_error.html",
            **_words(language),
            message=said(f"error.{key}", language),
        )
        return Response(text, status=status, mimetype="text/html")

    return page


def _leave(ended: Ended) -> Response:
    return frame.see_other(ended.location)


def _words(language: str) -> Mapping[str, object]:
    """Return what every page of a language needs."""

    def say(key: str, **parts: object) -> str:
        return said(key, language, **parts)

    return {
        "language": language,
        "other": other_language(language),
        "product": say("product"),
        "say": say,
    }


class _Pages:
    """The pages, one method each."""

    def __init__(self, services: AuthServices, patients: PatientFinder) -> None:
        self._services = services
        self._patient = PatientContext(services, patients)
        self._cookies = Cookies(services)
        self._actions: Mapping[str, Callable[[Held, str], Response]] = {
            "allow": self._allow,
            "deny": self._deny,
            "search": self._search,
            "choose": self._choose,
            "without": self._without,
        }

    def begin(self) -> Response:
        is_form = request.method == "GET" or request.mimetype == FORM
        asked = AuthorizeRequest(
            query=request.query_string,
            body=self._body() if is_form else None,
            address=frame.address(),
        )
        begun = begin(self._services, asked)
        if begun.location is not None:
            return frame.see_other(begun.location)
        return frame.see_other(f"/auth/authorize/{begun.handle}")

    def show(self, handle: str) -> Response:
        held = self._held(handle)
        if isinstance(held, Response):
            return held
        return self._next(held, handle)

    def act(self, handle: str) -> Response:
        held = self._held(handle)
        if isinstance(held, Response):
            return held
        action = self._actions.get(frame.field("decision"))
        given = frame.field("form_token")
        if action is None or not sessions.is_own_form(self._secret(handle), given):
            return _page_of_error("stale", 403)(ValueError())
        return action(held, handle)

    @staticmethod
    def _body() -> bytes | None:
        try:
            return request.get_data(cache=False)
        except RequestEntityTooLarge:
            return None

    def _secret(self, handle: str) -> str:
        """Return what the form's token is made of: this login, this request."""
        return f"{self._cookies.session()} {handle}"

    def _held(self, handle: str) -> Held | Response:
        session = sessions.current(self._services, self._cookies.session())
        if session is None:
            authorize_steps.before_login(self._services, handle, frame.address())
            return frame.see_other(f"/login?request={handle}")
        try:
            return authorize_steps.take_up(
                self._services, handle, session, frame.address()
            )
        except LoginNeeded:
            return frame.see_other(f"/login?request={handle}")

    def _next(self, held: Held, handle: str) -> Response:
        """Return the next page, or the answer where there is nothing to ask."""
        found = self._patient.settled(held)
        if not isinstance(found, Held):
            return self._picker(held, handle, found, text=None)
        return self._ask(found, handle)

    def _ask(self, held: Held, handle: str) -> Response:
        """Return the consent page, or the answer where an earlier choice gives it."""
        offered = held.offer()
        if not offered.texts:
            raise self._refused(held, AuthorizeError.INVALID_SCOPE, "no-scope")
        earlier = authorize_grant.earlier_choice(self._services, held)
        if earlier is not None and authorize_grant.is_answered(held, earlier):
            scopes = repeated(offered, earlier.chosen)
            if scopes:
                return frame.see_other(
                    authorize_grant.grant(self._services, held, scopes)
                )
        if "none" in held.asked.prompt:
            raise self._refused(held, AuthorizeError.CONSENT_REQUIRED, "not-consented")
        lasting = authorize_grant.lifetimes(self._services, held.client)
        language = self._language(held)
        form = consent_form(held, offered, earlier, lasting, language)
        return self._page("authorize.html", held, handle, form=form, place=_place(held))

    def _picker(
        self,
        held: Held,
        handle: str,
        choices: Sequence[PatientChoice],
        text: str | None,
    ) -> Response:
        if "none" in held.asked.prompt:
            error = AuthorizeError.INTERACTION_REQUIRED
            raise self._refused(held, error, "patient-not-chosen")
        return self._page(
            "authorize_patient.html",
            held,
            handle,
            choices=choices,
            text=text,
            is_search=searches(held),
            can_go_without=_can_go_without(held.offer()),
        )

    def _search(self, held: Held, handle: str) -> Response:
        text = frame.field("text")
        return self._picker(held, handle, self._patient.found(held, text), text=text)

    def _choose(self, held: Held, handle: str) -> Response:
        if held.context.is_settled or self._patient.chosen(
            held, frame.field("patient")
        ):
            return frame.see_other(_here(handle))
        return self._picker(held, handle, (), text="")

    def _without(self, held: Held, handle: str) -> Response:
        if not held.context.is_settled and _can_go_without(held.offer()):
            authorize_steps.settle_patient(self._services, held, None)
        return frame.see_other(_here(handle))

    def _allow(self, held: Held, handle: str) -> Response:
        if not held.context.is_settled:
            return frame.see_other(_here(handle))
        scopes = chosen(
            held.offer(),
            frozenset(request.form.getlist("allow")),
            frozenset(request.form.getlist("only")),
        )
        if not scopes:
            raise self._refused(held, AuthorizeError.ACCESS_DENIED, "nothing-ticked")
        return frame.see_other(authorize_grant.grant(self._services, held, scopes))

    def _deny(self, held: Held, _handle: str) -> Response:
        raise self._refused(held, AuthorizeError.ACCESS_DENIED, "denied")

    def _refused(self, held: Held, error: AuthorizeError, reason: str) -> Ended:
        return authorize_steps.refused(self._services, held, error, reason)

    def _language(self, held: Held) -> str:
        return language_of(held.session.account.language)

    def _page(
        self, template: str, held: Held, handle: str, **values: object
    ) -> Response:
        language = self._language(held)
        text = render_template(
            template,
            **_words(language),
            held=held,
            patient=patient_name(held, language),
            here=_here(handle),
            form_token=sessions.form_token(self._secret(handle)),
            **values,
        )
        response = Response(text, mimetype="text/html")
        leads_to = form_target(held.asked.redirect_uri)
        response.headers["Content-Security-Policy"] = frame.policy([leads_to])
        return response


def _place(held: Held) -> str:
    return place_of(held.asked.redirect_uri)


def _can_go_without(offered: Offer) -> bool:
    """Whether something is left to grant where no patient is in context."""
    return any(scope.level != "patient" for scope in offered.scopes)


def _here(handle: str) -> str:
    path, language = f"/auth/authorize/{handle}", request.args.get(QUERY)
    return path if language is None else f"{path}?{QUERY}={language_of()}"
