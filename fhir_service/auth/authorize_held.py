"""A request in the hands of a login, and the ways in which it can be out of them.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from dataclasses import dataclass

from fhir_service.auth import person_purposes
from fhir_service.auth.authorize_checks import Asked
from fhir_service.auth.grantable import Offer, Situation, offer
from fhir_service.auth.sessions import Session
from fhir_service.auth.waiting import LaunchContext, Waiting
from fhir_service.storage.registrations import Client


class Gone(Exception):  # noqa: N818 - named as what it is
    """There is no such request: it was answered, has expired, or never was."""


class NotYours(Exception):  # noqa: N818 - named as what it is
    """Another login has taken the request up."""


class LoginNeeded(Exception):  # noqa: N818 - named as what it is
    """The app wants the person to log in again."""


class Ended(Exception):  # noqa: N818 - named as what it is
    """The request was answered by an error.

    Args:
        location: Where the browser goes.

    """

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A request in the hands of a login.

    Attributes:
        hash: SHA-256 of its handle.
        waiting: What it asks, and its context.
        client: The app.
        session: The login.
        address: Where the person's request came from.

    """

    hash: bytes
    waiting: Waiting
    client: Client
    session: Session
    address: str

    @property
    def asked(self) -> Asked:
        """What the app asked."""
        return self.waiting.asked

    @property
    def context(self) -> LaunchContext:
        """What is known of the context."""
        return self.waiting.context

    @property
    def purposes(self) -> tuple[str, ...]:
        """Every purpose that the app can be given for the person."""
        if self.context.break_glass_id is not None:
            return person_purposes.in_emergency()
        return person_purposes.purposes_of(self.session.account, self.client)

    def offer(self) -> Offer:
        """Return what can be granted; a patient still to be chosen counts as one."""
        context = self.context
        situation = Situation(
            has_patient=context.patient is not None or not context.is_settled,
            has_launch=context.is_launch,
            has_encounter=context.encounter is not None,
            is_emergency=context.break_glass_id is not None,
        )
        return offer(self.asked.scope, self.client, self.session.account, situation)
