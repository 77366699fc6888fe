"""What every page for people shares: headers, cookies, forms, visitor, language.

Cookies are `HttpOnly`, `SameSite=Lax`, and `Secure` with the `__Host-` prefix; only on
http of this very machine, where browsers would refuse those, they go without.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from flask import Response, redirect, render_template, request
from werkzeug.exceptions import NotFound

from fhir_service.auth import authorize_steps, sessions
from fhir_service.auth.pending_login import PENDING_S
from fhir_service.auth.services import AuthServices
from fhir_service.auth.sessions import Session
from fhir_service.pages.texts import language_of, said
from fhir_service.storage.accounts import Account

MAX_FORM: Final = 16_384
"""Bytes of a form."""

LONG_FORM: Final = 32_768
"""Bytes of a form in which a person writes: 2,000 characters, each escaped."""

TOO_LARGE: Final = 413
"""Status of a form that was not read."""

LOGIN_FORM_S: Final = 3600
"""How long a login form may lie open."""

_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'{more}; "
    "frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": _POLICY.format(more=""),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
"""Sent with every page."""

_NUL, _REPLACEMENT = "\x00", "\ufffd"

_HANDLE = re.compile(r"[A-Za-z0-9_-]{43}")
"""Names an authorization request that waits for a person to log in."""

Say = Callable[..., str]
"""Returns a text by its key, its places filled."""


def bound(limit: int) -> Callable[[], None]:
    """Return what limits the form of a request, before it is read.

    An address with a NUL, which no database takes, is one that no page has.
    """

    def set_limit() -> None:
        request.max_content_length = limit
        if _NUL in request.path:
            raise NotFound

    return set_limit


def guard(response: Response) -> Response:
    """Add the headers of every page that the page does not set itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def policy(origins: Iterable[str]) -> str:
    """Return the policy of a page whose form may lead to these origins.

    Chrome holds the redirect that answers a form to `form-action` as well.
    """
    return _POLICY.format(more="".join(f" {one}" for one in sorted(set(origins))))


def field(name: str) -> str:
    """Return a field of the form; empty where it is not there."""
    return request.form.get(name, "").replace(_NUL, _REPLACEMENT)


def address() -> str:
    """Return where the request came from."""
    return request.remote_addr or "unknown"


def handle() -> str:
    """Return the handle that the request carries; empty for none, or no handle."""
    found = request.values.get("request", "")
    return found if _HANDLE.fullmatch(found) else ""


def onward(waiting: str) -> str:
    """Return where a person goes next: to what waits for her, or home.

    Nothing else is ever a target.
    """
    return f"/auth/authorize/{waiting}" if waiting else "/"


def carrying(path: str, waiting: str) -> str:
    """Return the path of a page that keeps the handle."""
    return f"{path}?request={waiting}" if waiting else path


def see_other(location: str) -> Response:
    """Return a redirect that a browser follows with GET."""
    response = redirect(location, code=303)
    assert isinstance(response, Response)  # noqa: S101 - narrows for mypy
    return response


def speaking(language: str) -> Say:
    """Return what says the texts of `people_texts.csv` in a language."""

    def say(key: str, **parts: object) -> str:
        return said(f"people.{key}", language, **parts)

    return say


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Whoever asks for a page.

    Attributes:
        secret: Of the session's cookie; None for none.
        session: The login that holds; None where there is none.
        owes_factor: Whether a second factor must be set up before anything else.
        language: Of the pages.

    """

    secret: str | None
    session: Session | None
    owes_factor: bool
    language: str

    @property
    def account(self) -> Account | None:
        """Who is logged in, and owes nothing."""
        if self.session is None or self.owes_factor:
            return None
        return self.session.account

    @property
    def form_token(self) -> str:
        """What a form of the visitor carries."""
        return sessions.form_token(self.secret or "")

    @property
    def sent_own_form(self) -> bool:
        """Whether the form was given to this visitor."""
        return sessions.is_own_form(self.secret, field("form_token"))

    @property
    def say(self) -> Say:
        """Says the texts in the visitor's language."""
        return speaking(self.language)


class Frame:
    """Makes pages of one deployment."""

    def __init__(self, services: AuthServices) -> None:
        self.services = services
        self.cookies = Cookies(services)

    def visitor(self) -> Visitor:
        """Return who asks."""
        secret = self.cookies.session()
        session = sessions.entered(self.services, secret)
        owes = False
        if session is not None:
            with self.services.database.read() as snapshot:
                owes = sessions.owes_factor(self.services, snapshot, session.account)
        return Visitor(
            secret=secret,
            session=session,
            owes_factor=owes,
            language=language_of(None if session is None else session.account.language),
        )

    def page(
        self, template: str, visitor: Visitor, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a page in the visitor's language."""
        values.setdefault("form_token", visitor.form_token)
        text = render_template(
            template,
            t=visitor.say,
            product=visitor.say("service"),
            language=visitor.language,
            account=visitor.account,
            **values,
        )
        return Response(text, status=status, mimetype="text/html")

    def elsewhere(self, visitor: Visitor) -> Response | None:
        """Return where a visitor has to go first; None for one who is welcome."""
        if visitor.session is None:
            return see_other("/login")
        if visitor.owes_factor:
            return see_other("/account/second-factor")
        return None

    def lead_on(self, response: Response, waiting: str) -> None:
        """Let a page's form lead to the app whose request waits for the person.

        Once she is logged in, the answer may be known without a page.
        """
        target = authorize_steps.leads_to(self.services, waiting) if waiting else None
        if target is not None:
            response.headers["Content-Security-Policy"] = policy([target])

    def throttled(self, response: Response, wait_us: int) -> Response:
        """Return the response with when to try again."""
        response.headers["Retry-After"] = str(seconds(wait_us))
        return response


def seconds(wait_us: int) -> int:
    """Return microseconds as whole seconds, rounded up."""
    return -(-wait_us // 1_000_000)


class Cookies:
    """The cookies: of a login, of the form that leads to one, of one half done."""

    def __init__(self, services: AuthServices) -> None:
        self._secure = not services.plain_cookies
        self._lifetime_s = services.session_lifetime_s
        prefix = "__Host-" if self._secure else ""
        self._session = f"{prefix}fhir-session"
        self._login = f"{prefix}fhir-login"
        self._pending = f"{prefix}fhir-pending"

    def session(self) -> str | None:
        """Return the secret of a session."""
        return request.cookies.get(self._session)

    def login(self) -> str | None:
        """Return the secret of a login form."""
        return request.cookies.get(self._login)

    def pending(self) -> str | None:
        """Return the sealed login that waits for its code."""
        return request.cookies.get(self._pending)

    def set_session(self, response: Response, secret: str) -> None:
        """Give the browser a session; the login is over."""
        self._set(response, self._session, secret, self._lifetime_s)
        self._set(response, self._login, "", 0)
        self.clear_pending(response)

    def set_login(self, response: Response, secret: str) -> None:
        """Give the browser the secret of a login form."""
        self._set(response, self._login, secret, LOGIN_FORM_S)

    def set_pending(self, response: Response, pending: str) -> None:
        """Give the browser a login that waits for its code."""
        self._set(response, self._pending, pending, PENDING_S)

    def clear(self, response: Response) -> None:
        """Take the session away."""
        self._set(response, self._session, "", 0)

    def clear_pending(self, response: Response) -> None:
        """Take a half login away, if there is one."""
        if self.pending() is not None:
            self._set(response, self._pending, "", 0)

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
