"""Log in, log out, and the first page: plain forms, no script.

Cookies are `HttpOnly`, `SameSite=Lax`, and `Secure` with the `__Host-` prefix; only on
http of this very machine, where browsers would refuse those, they go without.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from fhir_service.auth import sessions, users
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token

MAX_FORM = 16_384
"""Bytes of a form."""

LOGIN_FORM_S = 3600
"""How long a login form may lie open."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
"""Sent with every page."""

LINKS: tuple[tuple[str, str], ...] = (
    ("What this FHIR server offers", "/fhir/metadata"),
    ("How programs get access", "/fhir/.well-known/smart-configuration"),
    ("API documentation", "/docs"),
)
"""What the first page links to: (text, path), open to everybody."""

ROLE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        users.Role.PATIENT: "patient",
        users.Role.RELATED_PERSON: "related person",
        users.Role.PRACTITIONER: "practitioner",
        users.Role.COMPLIANCE_OFFICER: "compliance officer",
        users.Role.ADMINISTRATOR: "administrator",
    }
)
"""How a role is called on a page; a test walks it."""


def pages_blueprint(
    services: AuthServices, links: tuple[tuple[str, str], ...] = LINKS
) -> Blueprint:
    """Return the pages for people.

    Args:
        services: What authorization takes from outside.
        links: What the first page links to: (text, path).

    """
    blueprint = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/pages",
    )
    pages = _Pages(services, links)
    blueprint.before_request(_bound)
    blueprint.after_request(_guard)
    blueprint.register_error_handler(RequestEntityTooLarge, pages.oversized)
    blueprint.add_url_rule("/", view_func=pages.home, methods=["GET"])
    blueprint.add_url_rule("/login", view_func=pages.login, methods=["GET"])
    blueprint.add_url_rule("/login", view_func=pages.log_in, methods=["POST"])
    blueprint.add_url_rule("/logout", view_func=pages.log_out, methods=["POST"])
    return blueprint


def _bound() -> None:
    request.max_content_length = MAX_FORM


def _guard(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


_STALE = "This form was too old, or not from this site. Please try again."
_WRONG = "The user name or the password is not right."


class _Pages:
    """The pages, one method each."""

    def __init__(
        self, services: AuthServices, links: tuple[tuple[str, str], ...]
    ) -> None:
        self._services = services
        self._links = links
        self._cookies = _Cookies(services)

    def home(self) -> str:
        secret = self._cookies.session()
        account = sessions.signed_in(self._services, secret)
        return render_template(
            "home.html",
            account=account,
            role=None if account is None else ROLE_NAMES[account.role],
            form_token=None if secret is None else sessions.form_token(secret),
            links=self._links,
        )

    def login(self) -> Response:
        if sessions.signed_in(self._services, self._cookies.session()) is not None:
            return _see_other("pages.home")
        return self._form(status=200, message=None)

    def log_in(self) -> Response:
        if not sessions.is_own_form(self._cookies.login(), _field("form_token")):
            return self._form(status=403, message=_STALE)
        attempt = users.Attempt(
            username=_field("username"),
            password=_field("password"),
            address=_address(),
        )
        outcome = users.log_in(self._services, attempt)
        if outcome.session is None:
            return self._failed(outcome.wait_us)
        self._end(self._cookies.session())
        response = _see_other("pages.home")
        self._cookies.set_session(response, outcome.session)
        return response

    def oversized(self, _error: RequestEntityTooLarge) -> Response:
        return self._form(status=413, message=_STALE)

    def log_out(self) -> Response:
        secret = self._cookies.session()
        if not sessions.is_own_form(secret, _field("form_token")):
            return self._form(status=403, message=_STALE)
        self._end(secret)
        response = _see_other("pages.login")
        self._cookies.clear(response)
        return response

    def _failed(self, wait_us: int) -> Response:
        if not wait_us:
            return self._form(status=403, message=_WRONG)
        seconds = -(-wait_us // 1_000_000)
        message = f"Too many attempts. Please try again in {seconds} seconds."
        response = self._form(status=429, message=message)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _form(self, *, status: int, message: str | None) -> Response:
        secret = self._cookies.login() or new_token(self._services.random)
        page = render_template(
            "login.html", message=message, form_token=sessions.form_token(secret)
        )
        response = Response(page, status=status, mimetype="text/html")
        self._cookies.set_login(response, secret)
        return response

    def _end(self, secret: str | None) -> None:
        account = sessions.signed_in(self._services, secret)
        if account is not None and secret is not None:
            sessions.log_out(self._services, secret, account, _address())


def _field(name: str) -> str:
    return request.form.get(name, "")


def _address() -> str:
    return request.remote_addr or "unknown"


def _see_other(endpoint: str) -> Response:
    response = redirect(url_for(endpoint), code=303)
    assert isinstance(response, Response)  # noqa: S101 - narrows for mypy
    return response


class _Cookies:
    """The two cookies: of a login, and of the form that leads to one."""

    def __init__(self, services: AuthServices) -> None:
        self._secure = not services.plain_cookies
        self._lifetime_s = services.session_lifetime_s
        prefix = "__Host-" if self._secure else ""
        self._session = f"{prefix}fhir-session"
        self._login = f"{prefix}fhir-login"

    def session(self) -> str | None:
        return request.cookies.get(self._session)

    def login(self) -> str | None:
        return request.cookies.get(self._login)

    def set_session(self, response: Response, secret: str) -> None:
        self._set(response, self._session, secret, self._lifetime_s)
        self._set(response, self._login, "", 0)

    def set_login(self, response: Response, secret: str) -> None:
        self._set(response, self._login, secret, LOGIN_FORM_S)

    def clear(self, response: Response) -> None:
        self._set(response, self._session, "", 0)

    def _set(self, response: Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )
