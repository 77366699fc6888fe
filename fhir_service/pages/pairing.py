"""The page of devices: what is paired with a patient, by herself or by her clinic.

A patient sees her own devices; who works for the organization that manages a patient
finds her by an exact identifier. No patient is in the address of a page: each step is
a form. What a practitioner may not see is not listed to her.

docs/device-data.md has what a pairing means.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from flask import Blueprint, Response

from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.auth.bearer import acts_for
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.users import Role
from fhir_service.deployment import Deployment
from fhir_service.ingest import pairing
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.pairing import Pairer
from fhir_service.ingest.pairing_told import Told, is_seen, of_patient
from fhir_service.pages import exact_patient, frame, pairing_form
from fhir_service.pages.frame import Frame, Visitor
from fhir_service.pages.patients import Patients
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.source_grants import SourceGrant

PATH: Final = "/devices"

PAGES: Final = "web pages"
"""Names the service's own pages as a client; no client's id has a space."""

_FOR_HERSELF = frozenset({Role.PATIENT, Role.RELATED_PERSON})

Change = Callable[[Pairer, PatientState], SourceGrant]


class DevicePages:
    """The pages, one method each."""

    def __init__(self, shared: Frame, deployment: Deployment) -> None:
        self._frame = shared
        self._auth = shared.services
        self._deployment = deployment
        self._services = deployment.services
        self._patients = Patients(deployment)

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        for path, name, view, method in (
            (PATH, "devices", self.show, "GET"),
            (f"{PATH}/find", "devices_find", self.find, "POST"),
            (f"{PATH}/pair", "devices_pair", self.pair, "POST"),
            (f"{PATH}/notice", "devices_notice", self.tell, "POST"),
            (f"{PATH}/revoke", "devices_revoke", self.revoke, "POST"),
        ):
            blueprint.add_url_rule(path, name, view, methods=[method])

    def show(self) -> Response:
        """Return a patient's own devices, or the form that asks whose."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor)
        if refused is not None:
            return refused
        own = self._own(_account(visitor))
        return self._asking(visitor) if own is None else self._page(visitor, own)

    def find(self) -> Response:
        """Return the devices of the one patient whom an identifier names."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor, posted=True)
        if refused is not None:
            return refused
        account = _account(visitor)
        with self._auth.database.read() as snapshot:
            found = exact_patient.exactly(
                self._services.repository, snapshot, frame.field("identifier")
            )
        known = [one.state for one in found if self._may(account, one.state)]
        self._audit_found(account, known)
        if len(known) != 1:
            return self._asking(visitor, 404, "several" if known else "nobody")
        return self._page(visitor, known[0])

    def pair(self) -> Response:
        """Pair what the form names."""

        def change(pairer: Pairer, state: PatientState) -> SourceGrant:
            asked = pairing_form.asked_of(state.id)
            return pairing.pair(self._services, pairer, asked)

        return self._changed(Interaction.REGISTER, "paired", change)

    def tell(self) -> Response:
        """Record that those who live in a room were told."""

        def change(pairer: Pairer, _: PatientState) -> SourceGrant:
            return pairing.tell(self._services, pairer, frame.field("pairing"))

        return self._changed(Interaction.UPDATE, "told", change)

    def revoke(self) -> Response:
        """End a pairing."""

        def change(pairer: Pairer, _: PatientState) -> SourceGrant:
            return pairing.revoke(self._services, pairer, frame.field("pairing"))

        return self._changed(Interaction.REVOKE, "revoked", change)

    def _changed(self, interaction: Interaction, word: str, change: Change) -> Response:
        """Do what a form asks for its patient, and show how it is then."""
        visitor = self._frame.visitor()
        refused = self._refused(visitor, posted=True)
        if refused is not None:
            return refused
        account = _account(visitor)
        with self._auth.database.read() as snapshot:
            state = exact_patient.by_id(snapshot, frame.field("patient"))
        if state is None or not self._may(account, state):
            return self._elsewhere(visitor)
        pairer = self._pairer(account, state, interaction, word)
        try:
            change(pairer, state)
        except FHIRError as error:
            return self._page(
                visitor,
                state,
                status=422,
                message=pairing_form.wrong(error, visitor.say),
                typed=pairing_form.typed(),
            )
        return self._page(visitor, state, done=visitor.say(f"pairing-done.{word}"))

    def _pairer(
        self,
        account: Account,
        state: PatientState,
        interaction: Interaction,
        word: str,
    ) -> Pairer:
        """Return who pairs: for the custodian, of one patient alone."""
        grant = replace(
            local.operator(state.organization),
            client_id=PAGES,
            client_name=PAGES,
            user=account.reference,
            individual_known=account.reference is not None,
            role=account.role,
        )
        return Pairer(
            grant=grant,
            name=account.reference or f"user {account.user_id}",
            origin=Origin(
                interaction=interaction,
                request=f"{PATH} {word}",
                address=frame.address(),
                user=account.user_id,
            ),
            may=lambda other: other.key == state.key and self._may(account, other),
        )

    def _may(self, account: Account, state: PatientState) -> bool:
        """Whether a patient's devices are a person's to pair."""
        if account.role in _FOR_HERSELF:
            return any(one.id == state.id for one in self._patients.own(account))
        organization = acts_for(account.role, account.organization)
        return organization is not None and organization == state.organization

    def _own(self, account: Account) -> PatientState | None:
        """Return the patient whom a person is, or stands for."""
        if account.role not in _FOR_HERSELF:
            return None
        ids = [one.id for one in self._patients.own(account)]
        with self._auth.database.read() as snapshot:
            return exact_patient.by_id(snapshot, ids[0]) if ids else None

    def _refused(self, visitor: Visitor, *, posted: bool = False) -> Response | None:
        elsewhere = self._frame.elsewhere(visitor)
        if elsewhere is not None:
            return elsewhere
        account = _account(visitor)
        is_staff = acts_for(account.role, account.organization) is not None
        if not is_staff and self._own(account) is None:
            return self._frame.page("not_for_you.html", visitor, status=403)
        if posted and not visitor.sent_own_form:
            return self._elsewhere(visitor, 403, "stale")
        return None

    def _elsewhere(
        self, visitor: Visitor, status: int = 404, message: str = "nobody"
    ) -> Response:
        """Return where a form leads that cannot be followed."""
        own = self._own(_account(visitor))
        if own is None:
            return self._asking(visitor, status, message)
        return self._page(visitor, own, status=status, message=visitor.say(message))

    def _asking(
        self, visitor: Visitor, status: int = 200, message: str | None = None
    ) -> Response:
        return self._frame.page(
            "devices_find.html",
            visitor,
            status=status,
            message=message and visitor.say(message),
        )

    def _page(
        self,
        visitor: Visitor,
        state: PatientState,
        *,
        status: int = 200,
        **shown: object,
    ) -> Response:
        """Return the page of a patient's devices."""
        account = _account(visitor)
        grant = self._pairer(account, state, Interaction.READ, "").grant
        with self._auth.database.read() as snapshot:
            patient = exact_patient.shown(self._services.repository, snapshot, state)
            found = self._seen(snapshot, account, state)
            rooms = pairing_form.rooms_of(
                self._deployment, snapshot, grant, state.organization
            )
            sources = pairing_form.sources(snapshot)
        names = {room.reference: room.name for room in rooms}
        now = self._services.clock()
        return self._frame.page(
            "devices.html",
            visitor,
            status=status,
            patient=state.id,
            found=None if account.role == Role.PATIENT else patient,
            is_own=account.role in _FOR_HERSELF,
            lines=[pairing_form.line(one, names, visitor.say, now) for one in found],
            sources=sources,
            rooms=rooms,
            zone=str(self._deployment.settings.time_zone),
            **{"typed": {}, **shown},
        )

    def _seen(
        self, snapshot: Snapshot, account: Account, state: PatientState
    ) -> list[Told]:
        found = of_patient(self._services, snapshot, state)
        if account.role != Role.PRACTITIONER:
            return found
        grant = self._pairer(account, state, Interaction.READ, "").grant
        return [
            one for one in found if is_seen(self._services, snapshot, grant, one, ((),))
        ]

    def _audit_found(self, account: Account, known: list[PatientState]) -> None:
        """Record whose devices somebody has looked for, without what was typed."""
        ids: list[str | None] = [state.id for state in known]
        events = [
            AuthEvent(
                kind=AuthEventKind.PATIENTS_LOOKED_UP,
                at=self._auth.clock(),
                proven=True,
                user_id=account.user_id,
                address=frame.address(),
                patient=id_,
                reason="devices",
            )
            for id_ in ids or [None]
        ]
        leaves = [self._auth.audit.leaf(event) for event in events]
        self._auth.database.log(leaves).result()


def _account(visitor: Visitor) -> Account:
    """Return who is logged in, after the visitor was admitted."""
    account = visitor.account
    assert account is not None  # noqa: S101 - narrows for mypy
    return account
