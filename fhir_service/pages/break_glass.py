"""Emergency access, step by step: one patient, a reason, an app.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from typing import Final

from flask import Blueprint, Response

from fhir_service.auth import break_glass, ehr_launch, login
from fhir_service.auth.break_glass import Emergency
from fhir_service.auth.ehr_launch import Opening
from fhir_service.auth.login import Outcome
from fhir_service.deployment import Deployment
from fhir_service.pages import exact_patient, frame
from fhir_service.pages.exact_patient import ExactPatient
from fhir_service.pages.frame import Frame, Visitor
from fhir_service.storage.accounts import Account
from fhir_service.storage.break_glass import BreakGlass
from fhir_service.storage.patients import PatientState

PATH: Final = "/break-glass"


class EmergencyPages:
    """The pages, one method each; only for those who may break the glass."""

    def __init__(self, shared: Frame, deployment: Deployment) -> None:
        self._frame = shared
        self._services = shared.services
        self._repository = deployment.services.repository

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        of_one = f"{PATH}/<break_glass_id>"
        for path, name, view, method in (
            (PATH, "emergency", self.show, "GET"),
            (f"{PATH}/find", "find_patient", self.find, "POST"),
            (f"{PATH}/declare", "declare", self.declare, "POST"),
            (of_one, "declared", self.declared, "GET"),
            (f"{of_one}/open", "open_in_emergency", self.open_app, "POST"),
        ):
            blueprint.add_url_rule(path, name, view, methods=[method])

    def show(self) -> Response:
        """Return the form that asks for a patient."""
        visitor = self._frame.visitor()
        return self._refused(visitor) or self._asking(visitor)

    def find(self) -> Response:
        """Look one patient up, and ask for the reason."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor, posted=True)
        if refused is not None:
            return refused
        with self._services.database.read() as snapshot:
            typed = frame.field("identifier")
            found = exact_patient.exactly(self._repository, snapshot, typed)
        one = found[0] if len(found) == 1 else None
        wait_us = break_glass.look_up(
            self._services,
            _account(visitor),
            None if one is None else one.state.id,
            frame.address(),
        )
        if wait_us:
            return self._slowed(visitor, wait_us)
        if one is None:
            return self._asking(visitor, 404, "several" if found else "nobody")
        return self._reasoning(visitor, one.state, found=one)

    def declare(self) -> Response:
        """Store the attested emergency."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor, posted=True)
        if refused is not None:
            return refused
        with self._services.database.read() as snapshot:
            state = exact_patient.by_id(snapshot, frame.field("patient"))
        if state is None:
            return self._named(visitor, None)
        emergency = Emergency(
            patient=state,
            reason=frame.field("reason"),
            note=frame.field("note").replace("\r\n", "\n").strip(),
            address=frame.address(),
        )
        if emergency.reason not in break_glass.REASONS or not break_glass.is_note(
            emergency.note
        ):
            return self._named(visitor, state)
        return self._attested(visitor, emergency)

    def declared(self, break_glass_id: str) -> Response:
        """Return what an attested emergency opens."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor)
        if refused is not None:
            return refused
        use = self._active(visitor, break_glass_id)
        if use is None:
            return self._asking(visitor, 404, "emergency-over")
        with self._services.database.read() as snapshot:
            apps = ehr_launch.apps(snapshot)
        left_us = use.expires - self._services.clock()
        page = self._frame.page(
            "emergency_open.html",
            visitor,
            use=use,
            apps=apps,
            minutes=-(-left_us // 60_000_000),
        )
        origins = [ehr_launch.origin_of(app) for app in apps]
        page.headers["Content-Security-Policy"] = frame.policy(origins)
        return page

    def open_app(self, break_glass_id: str) -> Response:
        """Launch an app that acts under the emergency."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor, posted=True)
        if refused is not None:
            return refused
        use = self._active(visitor, break_glass_id)
        with self._services.database.read() as snapshot:
            client = ehr_launch.app(snapshot, frame.field("client_id"))
        if use is None or client is None:
            return self._asking(visitor, 404, "emergency-over")
        location = ehr_launch.launch(
            self._services,
            _account(visitor),
            Opening(client=client, patient=use.patient, break_glass_id=break_glass_id),
            frame.address(),
        )
        if location is None:
            return self._asking(visitor, 404, "emergency-over")
        return frame.see_other(location)

    def _named(self, visitor: Visitor, state: PatientState | None) -> Response:
        """Refuse a form; that it named a patient, or nobody, counts as a look-up."""
        named = None if state is None else state.id
        wait_us = break_glass.look_up(
            self._services, _account(visitor), named, frame.address()
        )
        if wait_us:
            return self._slowed(visitor, wait_us)
        if state is None:
            return self._asking(visitor, 404, "nobody")
        return self._reasoning(visitor, state, 400, "emergency-incomplete")

    def _slowed(self, visitor: Visitor, wait_us: int) -> Response:
        seconds = frame.seconds(wait_us)
        page = self._asking(visitor, 429, "too-many", seconds=seconds)
        return self._frame.throttled(page, wait_us)

    def _attested(self, visitor: Visitor, emergency: Emergency) -> Response:
        """Ask the password again, and store the emergency."""
        account, state = _account(visitor), emergency.patient
        outcome = login.confirm_password(
            self._services, account, frame.field("password"), emergency.address
        )
        if outcome is not None:
            return self._told(visitor, state, outcome, "too-many")
        attested = break_glass.attest(self._services, account, emergency)
        if attested.wait_us:
            limited = Outcome(wait_us=attested.wait_us)
            return self._told(visitor, state, limited, "emergency-many")
        if attested.use is None:
            return self._not_for(visitor)
        return frame.see_other(f"{PATH}/{attested.use.break_glass_id}")

    def _told(
        self, visitor: Visitor, state: PatientState, outcome: Outcome, message: str
    ) -> Response:
        if not outcome.wait_us:
            return self._reasoning(visitor, state, 403, "wrong-password")
        seconds = frame.seconds(outcome.wait_us)
        page = self._reasoning(visitor, state, 429, message, seconds=seconds)
        return self._frame.throttled(page, outcome.wait_us)

    def _active(self, visitor: Visitor, break_glass_id: str) -> BreakGlass | None:
        """Return the visitor's own emergency, while it holds."""
        with self._services.database.read() as snapshot:
            now = self._services.clock()
            use = break_glass.active(snapshot, break_glass_id, now)
        if use is None or use.user_id != _account(visitor).user_id:
            return None
        return use

    def _refused(self, visitor: Visitor, *, posted: bool = False) -> Response | None:
        elsewhere = self._frame.elsewhere(visitor)
        if elsewhere is not None:
            return elsewhere
        account = _account(visitor)
        if not break_glass.may_attest(account):
            address = frame.address()
            break_glass.refuse(self._services, account, address, "not-in-group")
            return self._not_for(visitor)
        if posted and not visitor.sent_own_form:
            return self._asking(visitor, 403, "stale")
        return None

    def _not_for(self, visitor: Visitor) -> Response:
        return self._frame.page(
            "not_for_you.html", visitor, status=403, is_recorded=True
        )

    def _asking(
        self,
        visitor: Visitor,
        status: int = 200,
        message: str | None = None,
        **parts: object,
    ) -> Response:
        return self._frame.page(
            "emergency_find.html",
            visitor,
            status=status,
            message=message and visitor.say(message, **parts),
        )

    def _reasoning(
        self,
        visitor: Visitor,
        state: PatientState,
        status: int = 200,
        message: str | None = None,
        *,
        found: ExactPatient | None = None,
        **parts: object,
    ) -> Response:
        return self._frame.page(
            "emergency_reason.html",
            visitor,
            status=status,
            message=message and visitor.say(message, **parts),
            patient=state.id,
            found=found,
            reasons=break_glass.REASONS,
            chosen=frame.field("reason"),
            note=frame.field("note"),
            minutes=break_glass.ATTESTED_S // 60,
            shortest=break_glass.SHORTEST,
            longest=break_glass.LONGEST,
        )


def _account(visitor: Visitor) -> Account:
    """Return who is logged in, after the visitor was admitted."""
    account = visitor.account
    assert account is not None  # noqa: S101 - narrows for mypy
    return account
