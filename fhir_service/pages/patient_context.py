"""Which patient a request is about: known, found out, or to be chosen.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from collections.abc import Sequence
from typing import Protocol

from fhir_service.auth.authorize_held import Held
from fhir_service.auth.authorize_message import AuthorizeError
from fhir_service.auth.authorize_steps import refused, settle_patient
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import Role
from fhir_service.pages import frame
from fhir_service.pages.patients import PatientChoice
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

_OWN = frozenset({Role.PATIENT, Role.RELATED_PERSON})
"""Roles that choose among patients whom the service knows to be theirs."""


class PatientFinder(Protocol):
    """What knows which patients a person may choose."""

    def own(self, account: Account) -> list[PatientChoice]:
        """Return the patients that a person is, or stands for."""

    def found(
        self, account: Account, client: Client, text: str, address: str | None = None
    ) -> list[PatientChoice]:
        """Return the patients that fit `text` and that a practitioner may see."""

    def may_see(
        self, account: Account, client: Client, id_: str, address: str | None = None
    ) -> PatientChoice | None:
        """Return the patient that a person chooses; None for one she may not."""


class PatientContext:
    """Settles the patient of requests."""

    def __init__(self, services: AuthServices, patients: PatientFinder) -> None:
        self._services = services
        self._patients = patients

    def settled(self, held: Held) -> Held | Sequence[PatientChoice]:
        """Return the request with its patient settled, or among whom to choose.

        Raises:
            Ended: `access_denied` where there is no patient whom it could be about.

        """
        if held.context.is_settled:
            return held
        if held.context.patient is not None:
            return self._launched(held, held.context.patient)
        if not held.offer().needs_patient:
            return settle_patient(self._services, held, None)
        if searches(held):
            return ()
        own = self._patients.own(held.session.account)
        if not own:
            raise self._denied(held, "no-patient")
        return own if len(own) > 1 else self._settle(held, own[0])

    def found(self, held: Held, text: str) -> Sequence[PatientChoice]:
        """Return the patients that fit what a practitioner typed."""
        return self._patients.found(
            held.session.account, held.client, text, frame.address()
        )

    def chosen(self, held: Held, patient: str) -> Held | None:
        """Return the request about a patient; None for one the person may not see."""
        choice = self._visible(held, patient)
        return None if choice is None else self._settle(held, choice)

    def _launched(self, held: Held, patient: str) -> Held:
        """Settle the patient of an EHR launch.

        The attestation of an emergency access was about that patient; otherwise the
        person must still be one who may see her.
        """
        if held.context.break_glass_id is not None:
            return settle_patient(self._services, held, patient)
        found = self.chosen(held, patient)
        if found is None:
            raise self._denied(held, "hidden-patient")
        return found

    def _visible(self, held: Held, patient: str) -> PatientChoice | None:
        account = held.session.account
        return self._patients.may_see(account, held.client, patient, frame.address())

    def _settle(self, held: Held, choice: PatientChoice) -> Held:
        return settle_patient(self._services, held, choice.id, choice.name)

    def _denied(self, held: Held, reason: str) -> Exception:
        return refused(self._services, held, AuthorizeError.ACCESS_DENIED, reason)


def searches(held: Held) -> bool:
    """Whether the person looks for the patient, whom nobody knows to be hers."""
    return held.session.account.role not in _OWN
