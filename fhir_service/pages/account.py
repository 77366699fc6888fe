"""A person's own account: her second factor.

The key is shown to be typed and as a picture to be scanned, drawn here: no script, no
other host. It is in force once a first code was right.

https://www.rfc-editor.org/rfc/rfc6238
"""

from typing import Final

from flask import Blueprint, Response
from markupsafe import Markup

from fhir_service.auth import login, second_factor
from fhir_service.auth.login import Outcome
from fhir_service.pages import frame
from fhir_service.pages.frame import Frame, Visitor
from fhir_service.storage import second_factors

PATH: Final = "/account/second-factor"
"""The page; the only one that is open to who owes a second factor."""

_MODULE = 4
"""Pixels of a module of the QR code."""


class Account:
    """The page about the second factor, and what its forms do."""

    def __init__(self, shared: Frame) -> None:
        self._frame = shared
        self._services = shared.services

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        for path, name, view, method in (
            (PATH, "second_factor", self.show, "GET"),
            (f"{PATH}/begin", "begin_second_factor", self.begin, "POST"),
            (f"{PATH}/confirm", "confirm_second_factor", self.confirm, "POST"),
            (f"{PATH}/remove", "remove_second_factor", self.remove, "POST"),
        ):
            blueprint.add_url_rule(path, name, view, methods=[method])

    def show(self) -> Response:
        """Return the page as it stands."""
        visitor = self._frame.visitor()
        if visitor.session is None:
            return frame.see_other(frame.carrying("/login", frame.handle()))
        return self._page(visitor)

    def begin(self) -> Response:
        """Make a key, for who types her password."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor)
        if refused is not None:
            return refused
        assert visitor.session is not None  # noqa: S101 - or it was refused
        second_factor.begin(self._services, visitor.session.account)
        return frame.see_other(frame.carrying(PATH, frame.handle()))

    def confirm(self) -> Response:
        """Put the key in force, for who types its code."""
        visitor = self._frame.visitor()
        if visitor.session is None:
            return frame.see_other("/login")
        if not visitor.sent_own_form:
            return self._page(visitor, status=403, message="stale")
        codes = second_factor.confirm(
            self._services,
            visitor.session.account,
            frame.field("code"),
            frame.address(),
            visitor.session.hash,
        )
        if codes is None:
            return self._page(visitor, status=403, message="wrong-code")
        return self._frame.page(
            "recovery_codes.html",
            visitor,
            codes=codes,
            onward=frame.onward(frame.handle()),
        )

    def remove(self) -> Response:
        """Remove the second factor, for who has password and code."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor)
        if refused is not None:
            return refused
        assert visitor.session is not None  # noqa: S101 - or it was refused
        outcome = login.remove_factor(
            self._services,
            visitor.session.account,
            frame.field("code"),
            frame.address(),
        )
        if outcome is not None:
            return self._told(visitor, outcome, "wrong-code")
        return frame.see_other(PATH)

    def _refused(self, visitor: Visitor) -> Response | None:
        """Return the answer to a form that is not the person's with her password."""
        if visitor.session is None:
            return frame.see_other("/login")
        if not visitor.sent_own_form:
            return self._page(visitor, status=403, message="stale")
        outcome = login.confirm_password(
            self._services,
            visitor.session.account,
            frame.field("password"),
            frame.address(),
        )
        if outcome is None:
            return None
        return self._told(visitor, outcome, "wrong-password")

    def _told(self, visitor: Visitor, outcome: Outcome, message: str) -> Response:
        if not outcome.wait_us:
            return self._page(visitor, status=403, message=message)
        seconds = frame.seconds(outcome.wait_us)
        page = self._page(visitor, status=429, message="too-many", seconds=seconds)
        return self._frame.throttled(page, outcome.wait_us)

    def _page(
        self,
        visitor: Visitor,
        *,
        status: int = 200,
        message: str | None = None,
        **parts: object,
    ) -> Response:
        assert visitor.session is not None  # noqa: S101 - the callers have asked
        account = visitor.session.account
        with self._services.database.read() as snapshot:
            is_on = second_factors.confirmed(snapshot, account.user_id) is not None
            left = second_factors.codes_left(snapshot, account.user_id)
        enrolment = second_factor.enrolment(self._services, account)
        return self._frame.page(
            "second_factor.html",
            visitor,
            status=status,
            message=message and visitor.say(message, **parts),
            is_on=is_on,
            is_owed=visitor.owes_factor,
            left=left,
            enrolment=enrolment,
            picture=enrolment and picture(enrolment.uri),
            waiting=frame.handle(),
        )


def picture(uri: str) -> Markup:
    """Return a QR code as SVG within a page."""
    import segno  # noqa: PLC0415 - only where a key is shown

    drawn = segno.make(uri, error="m").svg_inline(
        scale=_MODULE, dark="#000", light="#fff", border=4
    )
    return Markup(drawn)  # noqa: S704 - drawn by us, of black and white alone
