"""EHR launch: a person chooses an app, a patient and what for, and the app opens.

No patient is in the address of a page: each step is a form.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from typing import Final

from flask import Blueprint, Response

from fhir_service.auth import ehr_launch
from fhir_service.auth.ehr_launch import Opening
from fhir_service.auth.role_scopes import WITH_PATIENT
from fhir_service.auth.users import Role
from fhir_service.deployment import Deployment
from fhir_service.pages import frame
from fhir_service.pages.frame import Frame, Visitor
from fhir_service.pages.patients import MOST, PatientChoice, Patients
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

PATH: Final = "/launch"

INTENTS: Final = ("", "summary-timeline-view", "reconcile-medications")
"""What an app may be opened for; the examples of SMART's `intent`, or nothing."""


class LaunchPages:
    """The pages, one method each; for roles that can have a patient in context."""

    def __init__(self, shared: Frame, deployment: Deployment) -> None:
        self._frame = shared
        self._services = shared.services
        self._patients = Patients(deployment)

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        for path, name, view, method in (
            (PATH, "launch", self.show, "GET"),
            (f"{PATH}/find", "launch_find", self.find, "POST"),
            (f"{PATH}/patient", "launch_patient", self.choose, "POST"),
            (f"{PATH}/open", "launch_open", self.open_app, "POST"),
        ):
            blueprint.add_url_rule(path, name, view, methods=[method])

    def show(self) -> Response:
        """Return the form that asks for an app, and whom it is about."""
        visitor = self._frame.visitor()
        return self._refused(visitor) or self._asking(visitor)

    def find(self) -> Response:
        """Return the patients that a practitioner may choose from."""
        visitor = self._frame.visitor()
        client, refused = self._posted(visitor)
        if refused is not None or client is None:
            return refused or self._asking(visitor, 404, "launch-gone")
        found = self._patients.found(
            _account(visitor), client, frame.field("text"), frame.address()
        )
        if not found:
            return self._asking(visitor, 404, "launch-nobody")
        return self._frame.page(
            "launch_patients.html",
            visitor,
            client=client,
            found=found,
            most=MOST if len(found) == MOST else None,
        )

    def choose(self) -> Response:
        """Return the form that opens the app, with what may be added."""
        visitor = self._frame.visitor()
        client, refused = self._posted(visitor)
        if refused is not None or client is None:
            return refused or self._asking(visitor, 404, "launch-gone")
        account = _account(visitor)
        patient = self._chosen(account, client)
        if patient is None:
            return self._asking(visitor, 404, "launch-nobody")
        page = self._frame.page(
            "launch_open.html",
            visitor,
            client=client,
            patient=patient,
            encounters=self._patients.encounters(account, client, patient.id),
            intents=INTENTS,
        )
        page.headers["Content-Security-Policy"] = frame.policy(
            [ehr_launch.origin_of(client)]
        )
        return page

    def open_app(self) -> Response:
        """Make the launch value and send the browser to the app."""
        visitor = self._frame.visitor()
        client, refused = self._posted(visitor)
        if refused is not None or client is None:
            return refused or self._asking(visitor, 404, "launch-gone")
        account = _account(visitor)
        opening = self._opening(account, client)
        location = opening and ehr_launch.launch(
            self._services, account, opening, frame.address()
        )
        if not location:
            return self._asking(visitor, 404, "launch-gone")
        return frame.see_other(location)

    def _chosen(self, account: Account, client: Client) -> PatientChoice | None:
        id_ = frame.field("patient")
        return self._patients.may_see(account, client, id_, frame.address())

    def _opening(self, account: Account, client: Client) -> Opening | None:
        """Return what the form asks for; None for what was not on it."""
        patient = self._chosen(account, client)
        if patient is None:
            return None
        encounter, intent = frame.field("encounter"), frame.field("intent")
        offered = self._patients.encounters(account, client, patient.id)
        if encounter not in {"", *(one.id for one in offered)}:
            return None
        if intent not in INTENTS:
            return None
        return Opening(
            client=client,
            patient=patient.id,
            encounter=encounter or None,
            intent=intent or None,
        )

    def _refused(self, visitor: Visitor) -> Response | None:
        elsewhere = self._frame.elsewhere(visitor)
        if elsewhere is not None:
            return elsewhere
        if Role(_account(visitor).role) not in WITH_PATIENT:
            return self._frame.page("not_for_you.html", visitor, status=403)
        return None

    def _posted(self, visitor: Visitor) -> tuple[Client | None, Response | None]:
        """Return the app that a form names, and what refuses the form."""
        refused = self._refused(visitor)
        if refused is not None:
            return None, refused
        if not visitor.sent_own_form:
            return None, self._asking(visitor, 403, "stale")
        with self._services.database.read() as snapshot:
            return ehr_launch.app(snapshot, frame.field("client_id")), None

    def _asking(
        self, visitor: Visitor, status: int = 200, message: str | None = None
    ) -> Response:
        account = _account(visitor)
        with self._services.database.read() as snapshot:
            apps = ehr_launch.apps(snapshot)
        return self._frame.page(
            "launch.html",
            visitor,
            status=status,
            message=message and visitor.say(message),
            apps=apps,
            chosen=frame.field("client_id"),
            text=frame.field("text"),
            own=self._patients.own(account),
            searches=account.role == Role.PRACTITIONER,
        )


def _account(visitor: Visitor) -> Account:
    """Return who is logged in, after the visitor was admitted."""
    account = visitor.account
    assert account is not None  # noqa: S101 - narrows for mypy
    return account
