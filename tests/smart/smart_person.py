"""A person at a browser without scripts: she follows links and sends forms."""

import hashlib
import hmac
import struct
import time
from base64 import b32decode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

import requests
from html_page import Field, Form, Page, read_page
from smart_app import App, Asked
from smart_service import TIMEOUT_S, SmartService

MOST_STEPS = 12
PASSWORD = "violet-window-7-larch"  # noqa: S105 - of made-up people


def one_time_code(secret: str, at_s: float | None = None) -> str:
    """Return the code that an authenticator shows (RFC 6238)."""
    padded = secret.upper() + "=" * (-len(secret) % 8)
    step = int((time.time() if at_s is None else at_s) // 30)
    digest = hmac.digest(b32decode(padded), struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


@dataclass(frozen=True, kw_only=True)
class Landed:
    """Where the browser left the service: at the app's redirect URI.

    Attributes:
        url: Where.
        parameters: Of its query, each once.

    """

    url: str
    parameters: dict[str, str]

    @property
    def code(self) -> str:
        return self.parameters["code"]


def landed(url: str) -> Landed:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    parameters = dict(pairs)
    assert len(parameters) == len(pairs), f"a parameter is repeated in {url}"
    return Landed(url=url, parameters=parameters)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person does on the pages that she comes to.

    Attributes:
        patient: Id of the Patient that she picks.
        look_up: What she looks for where patients are many.
        only: Texts of the scopes to tick; None for all that are offered.
        without: Texts of scopes not to tick.
        parts: Texts of the narrower scopes to tick.
        denies: Whether she says no.

    """

    patient: str | None = None
    look_up: str = "Aster"
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    denies: bool = False

    def ticks(self, box: Field) -> bool:
        """Whether she ticks a box: a scope, or a part of one that she named."""
        if box.value in self.parts:
            return True
        is_scope = box.name == "allow"
        is_wanted = self.only is None or box.value in self.only
        return is_scope and is_wanted and box.value not in self.without


AGREES = Wish()
"""She lets the app do what it asks."""


@dataclass
class Person:
    """Somebody with a browser."""

    service: SmartService
    username: str
    password: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)
    languages: str = "en"
    session: requests.Session = field(default_factory=requests.Session)
    seen: list[Page] = field(default_factory=list)

    def open(
        self, url: str, form: Any = None, headers: dict[str, str] | None = None
    ) -> Page | Landed:
        """Go to a page, following redirects inside the service."""
        method = "GET" if form is None else "POST"
        sent = {"Accept-Language": self.languages, **(headers or {})}
        target = urljoin(self.service.url, url)
        for _ in range(MOST_STEPS):
            answer = self.session.request(
                method,
                target,
                data=form,
                headers=sent,
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
            if not answer.is_redirect:
                page = read_page(target, answer.status_code, answer.text)
                self.seen.append(page)
                return page
            target = urljoin(target, answer.headers["Location"])
            if not target.startswith(f"{self.service.url}/"):
                return landed(target)
            method, form = "GET", None
        raise AssertionError(f"{target} redirects for ever")

    def authorize(
        self, app: App, asked: Asked, wish: Wish = AGREES, *, by: str = "GET"
    ) -> Landed:
        """Follow an app to the end of its request, doing what one wishes."""
        step = self.begin(app, asked, by=by)
        for _ in range(MOST_STEPS):
            if isinstance(step, Landed):
                return step
            step = self.proceed(step, wish)
        raise AssertionError("the pages do not end")

    def begin(self, app: App, asked: Asked, *, by: str = "GET") -> Page | Landed:
        """Go where an app sends the browser."""
        url = f"{app.service.url}/auth/authorize"
        if by == "POST":
            # As another site's form arrives: without SameSite cookies.
            kept, self.session = self.session, requests.Session()
            try:
                answer = self.session.post(
                    url,
                    data=asked.parameters,
                    headers={"Origin": "https://app.example"},
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
            finally:
                self.session = kept
            assert answer.is_redirect, answer.text
            target = urljoin(url, answer.headers["Location"])
            return self.open(target) if self._is_own(target) else landed(target)
        return self.open(f"{url}?{urlencode(asked.parameters, quote_via=quote)}")

    def _is_own(self, url: str) -> bool:
        return url.startswith(f"{self.service.url}/")

    def proceed(self, page: Page, wish: Wish) -> Page | Landed:
        """Do on a page what it is there for."""
        for is_meant, act in _ACTS:
            for form in page.forms:
                if is_meant(form, wish):
                    return act(self, form, wish)
        raise AssertionError(f"nothing to do at {page.url}: {page.status} {page.text}")

    def send(self, form: Form, pairs: list[tuple[str, str]]) -> Page | Landed:
        if form.method == "get":
            return self.open(f"{form.action}?{urlencode(pairs)}")
        origin = {"Origin": self.service.url, "Sec-Fetch-Site": "same-origin"}
        return self.open(form.action, pairs, origin)

    def log_in(self) -> "Person":
        """Log in at the first page."""
        page = self.open("/login")
        assert isinstance(page, Page)
        step = self.proceed(page, AGREES)
        while isinstance(step, Page) and _is_asking(step):
            step = self.proceed(step, AGREES)
        return self

    def _give_password(self, form: Form, _wish: Wish) -> Page | Landed:
        filled = form.filled(username=self.username, password=self.password)
        return self.send(form, filled)

    def _give_code(self, form: Form, _wish: Wish) -> Page | Landed:
        assert self.totp is not None, "a code is asked for"
        [asked] = [one for one in form.fields if _is_code(one)]
        filled = form.filled(**{asked.name: one_time_code(self.totp)})
        return self.send(form, filled)

    def _pick(self, form: Form, _wish: Wish) -> Page | Landed:
        return self.press(form, "choose")

    def _look_up(self, form: Form, wish: Wish) -> Page | Landed:
        return self.press(form, "search", text=wish.look_up)

    def _decide(self, form: Form, wish: Wish) -> Page | Landed:
        for box in form.boxes:
            box.is_checked = wish.ticks(box)
        return self.press(form, "deny" if wish.denies else "allow")

    def press(self, form: Form, value: str, **filled: str) -> Page | Landed:
        """Send a form as it stands by the button of that value."""
        [button] = [one for one in form.buttons if one.value == value]
        return self.send(form, [*form.filled(**filled), (button.name, value)])


def _has_button(form: Form, value: str) -> bool:
    return value in {one.value for one in form.buttons}


def _is_wanted(form: Form, wish: Wish) -> bool:
    """Whether a form of the picker is for the patient who is wished for."""
    return _has_button(form, "choose") and wish.patient in {
        None,
        *(one.value for one in form.named("patient")),
    }


def _is_code(one: Field) -> bool:
    return one.attributes.get("autocomplete") == "one-time-code"


def _is_asking(page: Page) -> bool:
    return any(
        "password" in form.types or any(map(_is_code, form.fields))
        for form in page.forms
    )


_ACTS = (
    (lambda form, _: "password" in form.types, Person._give_password),
    (lambda form, _: any(map(_is_code, form.fields)), Person._give_code),
    (lambda form, _: _has_button(form, "allow"), Person._decide),
    (_is_wanted, Person._pick),
    (lambda form, _: _has_button(form, "search"), Person._look_up),
)
"""What a form is for, and what to do with it; the first that fits."""
