"""Who may open the console, and how each of its pages is answered.

A page is opened for a compliance officer of an organisation and for nobody else. What
was asked is in the log, durably, before the answer leaves; so is a refusal.

https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request

from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service import errors
from fhir_service.auth.users import Role
from fhir_service.compliance import zones
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader, asked, caught_up
from fhir_service.deployment import Deployment
from fhir_service.exchange import Services
from fhir_service.pages import frame
from fhir_service.pages.frame import Frame, Visitor
from fhir_service.rest.wsgi import REQUEST_ID
from fhir_service.storage.accounts import Account

PATH: Final = "/compliance"
LANGUAGE: Final = "en"
"""The console is in English alone: patients do not read it."""

PAGES: Final = (
    (PATH, "Search"),
    (f"{PATH}/alerts", "Alerts"),
    (f"{PATH}/reviews", "Emergency access"),
    (f"{PATH}/consents", "Consents"),
    (f"{PATH}/deliveries", "Deliveries"),
    (f"{PATH}/reports", "Reports"),
    (f"{PATH}/integrity", "Integrity"),
)
"""What the head of every page links to."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One page asked for by an officer.

    Attributes:
        visitor: Who asks.
        account: Her account.
        officer: Whose rows she may see.
        zone: In which times are shown.
        patients: Ids of the patients asked for; the log keeps them.
        about: What the log calls it: `export` for what leaves as a file.

    """

    visitor: Visitor
    account: Account
    officer: Officer
    zone: ZoneInfo
    patients: list[str] = field(default_factory=list)
    about: Interaction = Interaction.AUDIT_READ


View = Callable[..., Response]


class Desk:
    """Admits officers, records what they ask, and makes their pages."""

    def __init__(self, shared: Frame, deployment: Deployment) -> None:
        self.deployment = deployment
        self.services = deployment.services
        self._frame = shared

    def add(  # noqa: PLR0913 - what a page is
        self,
        blueprint: Blueprint,
        path: str,
        name: str,
        view: View,
        *,
        method: str = "GET",
        about: Interaction = Interaction.AUDIT_READ,
    ) -> None:
        """Add a page; `view` takes the visit and the parts of the path."""

        def answer(**parts: Any) -> Response:
            return self._answered(view, about, parts)

        blueprint.add_url_rule(f"{PATH}{path}", name, answer, methods=[method])

    @contextmanager
    def reading(
        self, visit: Visit, prepare: Callable[[Services], None] = caught_up
    ) -> Iterator[Reader]:
        """Yield what reads the log as of now for the officer.

        Args:
            visit: The page.
            prepare: Brings up what is derived from the log.

        """
        prepare(self.services)
        with self.services.database.read() as snapshot:
            yield Reader(self.services, snapshot, visit.officer)

    def page(
        self, template: str, visit: Visit, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a page of the console."""
        text = render_template(
            template,
            t=frame.speaking(LANGUAGE),
            product=frame.speaking(LANGUAGE)("service"),
            language=LANGUAGE,
            account=visit.account,
            officer=visit.officer,
            form_token=visit.visitor.form_token,
            zone=visit.zone,
            shown=lambda us: zones.shown(us, visit.zone),
            pages=PAGES,
            here=request.path,
            **values,
        )
        return Response(text, status=status, mimetype="text/html")

    def _answered(
        self, view: View, about: Interaction, parts: dict[str, Any]
    ) -> Response:
        visitor = self._frame.visitor()
        elsewhere = self._frame.elsewhere(visitor)
        account = visitor.account
        if elsewhere is not None or account is None:
            return elsewhere or frame.see_other("/login")
        visit = self._visit(visitor, account, about)
        if account.role != Role.COMPLIANCE_OFFICER or account.organization is None:
            answer = self._frame.page(
                "not_for_you.html", visitor, status=403, is_recorded=True
            )
        else:
            answer = self._seen(view, visit, parts)
        self._record(visit, answer.status_code)
        return answer

    def _visit(self, visitor: Visitor, account: Account, about: Interaction) -> Visit:
        organization = account.organization
        zone = self.deployment.settings.time_zone
        officer = Officer(
            user=account.reference or account.user_id,
            organizations=() if organization is None else (organization,),
            address=frame.address(),
            zone=str(zone),
        )
        return Visit(
            visitor=visitor,
            account=account,
            officer=officer,
            zone=zone,
            about=about,
        )

    def _seen(self, view: View, visit: Visit, parts: dict[str, Any]) -> Response:
        """Return the page, or one that says what is wrong."""
        if request.method == "POST" and not visit.visitor.sent_own_form:
            return self._wrong(visit, 403, visit.visitor.say("stale"))
        try:
            return view(_zoned(visit), **parts)
        except FHIRError as error:
            return self._wrong(visit, errors.status_of(error), str(error))

    def _wrong(self, visit: Visit, status: int, message: str) -> Response:
        return self.page("compliance_wrong.html", visit, status=status, message=message)

    def _record(self, visit: Visit, status: int) -> None:
        query = request.query_string.decode("utf-8", "replace")
        asked(
            self.services,
            visit.officer,
            f"{request.method} {request.path}{'?' if query else ''}{query}",
            request_id=request.environ.get(REQUEST_ID, ""),
            patients=visit.patients,
            interaction=visit.about,
            status=status,
        )


def _zoned(visit: Visit) -> Visit:
    """Return the visit in the zone that is asked for, if one is."""
    name = request.args.get("zone", "").strip()
    if not name:
        return visit
    zone = zones.zone_of(name)
    return replace(visit, officer=replace(visit.officer, zone=name), zone=zone)


def download(text: str, name: str, mimetype: str) -> Response:
    """Return a file for the officer."""
    answer = Response(text, mimetype=mimetype)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
