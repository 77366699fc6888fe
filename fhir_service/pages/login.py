"""Log in, log out, and the first page: plain forms, no script.

The cookie of the login form is what ties a login together: its form, and the second
page where a code is asked for. What waits for a login is carried through it as a
handle; nothing else is ever a redirect's target.

https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html
"""

from typing import Final

from flask import Blueprint, Response
from werkzeug.exceptions import RequestEntityTooLarge

from fhir_service.auth import login, sessions
from fhir_service.auth.login import Outcome
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token
from fhir_service.pages import frame
from fhir_service.pages.account import Account
from fhir_service.pages.frame import Frame
from fhir_service.pages.home import Home
from fhir_service.pages.organizations import NameOf, as_referred

CODE_PAGE: Final = "/login/code"
"""Where the code of a second factor is asked for."""


def pages_blueprint(
    services: AuthServices, organization: NameOf = as_referred
) -> Blueprint:
    """Return the pages for people that need nothing but the accounts.

    Args:
        services: What authorization takes from outside.
        organization: Names an organization.

    """
    blueprint = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/pages",
    )
    shared = Frame(services)
    pages = _Pages(shared)
    blueprint.before_request(frame.bound(frame.MAX_FORM))
    blueprint.after_request(frame.guard)
    blueprint.register_error_handler(RequestEntityTooLarge, pages.oversized)
    blueprint.add_url_rule("/login", view_func=pages.login, methods=["GET"])
    blueprint.add_url_rule("/login", view_func=pages.log_in, methods=["POST"])
    blueprint.add_url_rule(CODE_PAGE, view_func=pages.code, methods=["GET"])
    blueprint.add_url_rule(CODE_PAGE, view_func=pages.finish, methods=["POST"])
    blueprint.add_url_rule("/logout", view_func=pages.log_out, methods=["POST"])
    Home(shared, organization).add_to(blueprint)
    Account(shared).add_to(blueprint)
    return blueprint


class _Pages:
    """The pages of a login, one method each."""

    def __init__(self, shared: Frame) -> None:
        self._frame = shared
        self._services = shared.services
        self._cookies = shared.cookies

    def login(self) -> Response:
        """Return the form; what waits may want a newer login than there is."""
        visitor = self._frame.visitor()
        waiting = frame.handle()
        if visitor.owes_factor:
            return frame.see_other(frame.carrying("/account/second-factor", waiting))
        if visitor.session is not None and not waiting:
            return frame.see_other("/")
        return self._form(status=200)

    def log_in(self) -> Response:
        browser = self._cookies.login()
        if not sessions.is_own_form(browser, frame.field("form_token")):
            return self._form(status=403, message="stale")
        attempt = login.Attempt(
            username=frame.field("username"),
            password=frame.field("password"),
            address=frame.address(),
            browser=browser or "",
        )
        outcome = login.log_in(self._services, attempt)
        if outcome.pending is not None:
            response = frame.see_other(frame.carrying(CODE_PAGE, frame.handle()))
            self._cookies.set_pending(response, outcome.pending)
            return response
        return self._entered(outcome) or self._failed(outcome, "login.html", "wrong")

    def code(self) -> Response:
        if self._cookies.pending() is None or self._cookies.login() is None:
            return frame.see_other(frame.carrying("/login", frame.handle()))
        return self._form("code.html", status=200)

    def finish(self) -> Response:
        browser = self._cookies.login()
        if not sessions.is_own_form(browser, frame.field("form_token")):
            return self._form(status=403, message="stale")
        attempt = login.CodeAttempt(
            pending=self._cookies.pending() or "",
            code=frame.field("code"),
            address=frame.address(),
            browser=browser or "",
        )
        outcome = login.finish(self._services, attempt)
        if outcome.is_over:
            response = self._form(status=403, message="login-over")
            self._cookies.clear_pending(response)
            return response
        return self._entered(outcome) or self._failed(
            outcome, "code.html", "wrong-code"
        )

    def oversized(self, _error: RequestEntityTooLarge) -> Response:
        return self._form(status=413, message="stale")

    def log_out(self) -> Response:
        visitor = self._frame.visitor()
        if not visitor.sent_own_form:
            return self._form(status=403, message="stale")
        self._end(visitor.secret)
        response = frame.see_other("/login")
        self._cookies.clear(response)
        return response

    def _entered(self, outcome: Outcome) -> Response | None:
        """Give the browser its new session; what it had ends."""
        if outcome.session is None:
            return None
        self._end(self._cookies.session())
        response = frame.see_other(frame.onward(frame.handle()))
        self._cookies.set_session(response, outcome.session)
        return response

    def _failed(self, outcome: Outcome, template: str, message: str) -> Response:
        if not outcome.wait_us:
            return self._form(template, status=403, message=message)
        seconds = frame.seconds(outcome.wait_us)
        response = self._form(
            template, status=429, message="too-many", parts={"seconds": seconds}
        )
        return self._frame.throttled(response, outcome.wait_us)

    def _form(
        self,
        template: str = "login.html",
        *,
        status: int,
        message: str | None = None,
        parts: dict[str, object] | None = None,
    ) -> Response:
        visitor = self._frame.visitor()
        secret = self._cookies.login() or new_token(self._services.random)
        waiting = "" if status == frame.TOO_LARGE else frame.handle()
        response = self._frame.page(
            template,
            visitor,
            status=status,
            form_token=sessions.form_token(secret),
            message=message and visitor.say(message, **(parts or {})),
            waiting=waiting,
        )
        self._frame.lead_on(response, waiting)
        self._cookies.set_login(response, secret)
        return response

    def _end(self, secret: str | None) -> None:
        session = sessions.entered(self._services, secret)
        if session is not None and secret is not None:
            sessions.log_out(self._services, secret, session.account, frame.address())
