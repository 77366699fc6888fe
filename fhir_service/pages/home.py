"""The first page: what a person can do here, is told, and has to review.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from flask import Blueprint, Response

from fhir_service.auth import break_glass, break_glass_reviews
from fhir_service.auth.bearer import acts_for
from fhir_service.auth.break_glass_reviews import Decided, Review, Verdict
from fhir_service.auth.users import Role
from fhir_service.pages import frame
from fhir_service.pages.frame import Frame, Say, Visitor
from fhir_service.pages.organizations import NameOf
from fhir_service.storage.accounts import Account
from fhir_service.storage.break_glass import Told

LINKS: Final = (
    ("capabilities", "/fhir/metadata"),
    ("smart-configuration", "/fhir/.well-known/smart-configuration"),
    ("documentation", "/docs"),
)
"""What the first page links to: (text, path), open to everybody."""

_OPEN_APP = ("open-app", "/launch")
_APPS = ("your-apps", "/apps")
_FACTOR = ("second-factor", "/account/second-factor")
_CONSOLE = ("compliance", "/compliance")
"""For officers of an organization: the console shows what concerns it."""


DEVICES_LINK: Final = ("devices", "/devices")
"""For patients, and for those who act for an organization."""

ROLE_LINKS: Mapping[Role, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        Role.PATIENT: (_OPEN_APP, _APPS, DEVICES_LINK, _FACTOR),
        Role.RELATED_PERSON: (_OPEN_APP, _APPS, DEVICES_LINK, _FACTOR),
        Role.PRACTITIONER: (_OPEN_APP, _APPS, _FACTOR),
        Role.COMPLIANCE_OFFICER: (_CONSOLE, _APPS, _FACTOR),
        Role.ADMINISTRATOR: (_APPS, _FACTOR),
    }
)
"""What a role can do here: (text, path); a test walks it."""

EMERGENCY_LINK: Final = ("emergency", "/break-glass")
"""For those who may break the glass."""

EARLIER: Final = 5
"""Reviews that the first page shows; the console shows more."""

_AGES = (("days", 86_400), ("hours", 3600), ("minutes", 60))


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An emergency access as a page shows it.

    Attributes:
        id: Its name, for a form.
        when: When it was attested, in UTC.
        who: Name and organization of who attested it.
        reason: In words.
        verdict: In words.
        is_new: Whether the patient sees it for the first time.
        patient: Id of the Patient.
        age: How long it waits, in words.
        note: What was written.
        is_own: Whether the reader attested it herself.
        reviewer: Who reviewed it.
        reviewed: When, in UTC.

    """

    id: str
    when: str
    who: str
    reason: str
    verdict: str
    is_new: bool
    patient: str
    age: str
    note: str = ""
    is_own: bool = False
    reviewer: str = ""
    reviewed: str = ""


class Home:
    """The first page, and the reviews that are given on it."""

    def __init__(self, shared: Frame, organization: NameOf) -> None:
        self._frame = shared
        self._services = shared.services
        self._organization = organization

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        blueprint.add_url_rule("/", "home", self.home, methods=["GET"])
        blueprint.add_url_rule(
            "/reviews/<break_glass_id>", "review", self.review, methods=["POST"]
        )

    def home(self) -> Response:
        """Return the first page, for whoever asks."""
        visitor = self._frame.visitor()
        if visitor.owes_factor:
            return frame.see_other("/account/second-factor")
        return self._page(visitor)

    def review(self, break_glass_id: str) -> Response:
        """Store the verdict of a form."""
        visitor = self._frame.visitor()
        account = visitor.account
        if account is None:
            return frame.see_other("/login")
        if not visitor.sent_own_form:
            return self._page(visitor, status=403, message="stale")
        found = {one.value: one for one in Verdict}.get(frame.field("verdict"))
        if found is None or not break_glass_reviews.review(
            self._services, account, break_glass_id, found, frame.address()
        ):
            return self._page(visitor, status=403, message="review-gone")
        return frame.see_other("/")

    def _page(
        self, visitor: Visitor, *, status: int = 200, message: str | None = None
    ) -> Response:
        account = visitor.account
        notices, reviews, waiting = self._lines(visitor)
        decided = self._decided(visitor)
        return self._frame.page(
            "home.html",
            visitor,
            status=status,
            message=message and visitor.say(message),
            role=account and visitor.say(f"role.{account.role}"),
            organization=self._named(None if account is None else account.organization),
            actions=() if account is None else actions(account),
            links=LINKS,
            notices=notices,
            reviews=reviews,
            waiting=waiting,
            decided=decided,
            is_officer=account is not None and account.role == Role.COMPLIANCE_OFFICER,
        )

    def _lines(self, visitor: Visitor) -> tuple[list[Line], list[Line], int]:
        account, now = visitor.account, self._services.clock()
        if account is None:
            return [], [], 0
        told = break_glass_reviews.of_patient(self._services, account)
        notices = [self._line(one, visitor, now) for one in told]
        found, total = break_glass_reviews.to_review(
            self._services, account, frame.address()
        )
        return notices, [self._reviewed(one, visitor, now) for one in found], total

    def _decided(self, visitor: Visitor) -> list[Line]:
        """Return the last reviews that an officer's organization has given."""
        if visitor.account is None:
            return []
        now = self._services.clock()
        found = break_glass_reviews.decided(
            self._services, visitor.account, frame.address(), EARLIER
        )
        return [self._given(one, visitor, now) for one in found]

    def _given(self, decided: Decided, visitor: Visitor, now: int) -> Line:
        line, say = self._line(decided.told, visitor, now), visitor.say
        gone = say("note-gone") if decided.note is None else decided.note
        return replace(
            line,
            note=gone or say("review-note-none"),
            reviewer=decided.reviewer,
            reviewed=moment(decided.told.use.reviewed or 0),
        )

    def _named(self, organization: str | None) -> str:
        return "" if organization is None else self._organization(organization)

    def _line(self, told: Told, visitor: Visitor, now: int) -> Line:
        use, say = told.use, visitor.say
        who = (told.name, self._named(use.organization))
        return Line(
            id=use.break_glass_id,
            when=moment(use.started),
            who=", ".join(part for part in who if part),
            reason=say(f"reason.{use.reason}"),
            verdict=say(f"verdict.{use.verdict or 'none'}"),
            is_new=use.noticed is None,
            patient=use.patient,
            age=_age(now - use.started, say),
        )

    def _reviewed(self, review: Review, visitor: Visitor, now: int) -> Line:
        note = visitor.say("note-gone") if review.note is None else review.note
        line = self._line(review.told, visitor, now)
        return replace(line, note=note, is_own=review.is_own)


def actions(account: Account) -> tuple[tuple[str, str], ...]:
    """Return what a person can do here: (text, path)."""
    found = ROLE_LINKS[Role(account.role)]
    if account.organization is None:
        found = tuple(link for link in found if link != _CONSOLE)
    if acts_for(account.role, account.organization) is not None:
        found = (*found, DEVICES_LINK)
    return (*found, EMERGENCY_LINK) if break_glass.may_attest(account) else found


def _age(age_us: int, say: Say) -> str:
    seconds = age_us // 1_000_000
    unit, length_s = next((row for row in _AGES if seconds >= 2 * row[1]), _AGES[-1])
    return say(f"age.{unit}", count=max(1, seconds // length_s))


def moment(at_us: int) -> str:
    """Return a time as the pages show it: to the minute, in UTC."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC"
