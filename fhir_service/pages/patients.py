"""The patients that a person may choose from: her own, or those that she may see.

A practitioner finds patients by the search that answers FHIR's requests, through the
same gate, as the app that she chooses them for would: what consent hides from her
there is not found here. Every look-up is audited for each patient that it showed,
without what was typed.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance import fhir_json
from conformance.issues import FHIRError
from consent.membership import CLIENT_SYSTEM
from consent.references import local
from fhir_service.auth.bearer import Grant, acts_for, require
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.person_purposes import purposes_of
from fhir_service.auth.scopes import parse_scopes
from fhir_service.auth.standing import standing_of
from fhir_service.auth.users import Role
from fhir_service.deployment import Deployment
from fhir_service.interactions.planner import Planner
from fhir_service.search.parse import parse
from fhir_service.storage import patients, types
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.registrations import Client
from fhir_service.storage.resources import Stored

MOST: Final = 20
"""Patients that one look-up shows; who has more matches types more."""

LONGEST: Final = 128
"""Characters of what is looked for."""

_SCOPES: Final = "user/Patient.rs user/Encounter.rs"
_NEVER: Final = 2**63 - 1
_HIDDEN: Final = "hidden-patient"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

Json = Mapping[str, Any]
Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientChoice:
    """A patient as a list shows her.

    Attributes:
        id: Of the Patient.
        name: For people; empty where there is none.
        born: `Patient.birthDate`; empty where it is not known.
        identifiers: Values of `Patient.identifier`.

    """

    id: str
    name: str
    born: str
    identifiers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EncounterChoice:
    """An encounter as a list shows it.

    Attributes:
        id: Of the Encounter.
        status: `Encounter.status`.
        begun: Start of its period; empty where it is not known.

    """

    id: str
    status: str
    begun: str


class Patients:
    """Finds whom a person may choose.

    Args:
        deployment: Where the patients are.

    """

    def __init__(self, deployment: Deployment) -> None:
        self._services = deployment.services
        self._auth = deployment.auth
        self._repository = deployment.services.repository

    def own(self, account: Account) -> list[PatientChoice]:
        """Return the patients that a person is, or stands for at this moment."""
        with self._auth.database.read() as snapshot:
            state = self._of_account(snapshot, account)
            if state is None:
                return []
            grant = grant_of(account, client=None)
            at_us = self._auth.clock()
            stands = standing_of(self._repository, snapshot, grant, state, at_us)
            body = self._body(snapshot, f"Patient/{state.id}")
        return [] if stands is None or body is None else [_choice(body)]

    def found(
        self, account: Account, client: Client, text: str, address: str | None = None
    ) -> list[PatientChoice]:
        """Return the patients that fit `text` and that a practitioner may see.

        Args:
            account: Who looks.
            client: The app for which the patient is chosen.
            text: An identifier, with or without its system; a name, or the beginning
                of one; or a birth date.
            address: Where the request came from.

        """
        if account.role != Role.PRACTITIONER or not _is_text(text):
            return []
        grant = grant_of(account, client)
        with self._auth.database.read() as snapshot:
            shown = {
                body["id"]: body
                for query in _queries(text.strip())
                for body in self._search(snapshot, grant, "Patient", query)
            }
        choices = [_choice(body) for body in shown.values()][:MOST]
        event = self._event(AuthEventKind.PATIENTS_LOOKED_UP, account, client, address)
        self._audit([replace(event, patient=one.id) for one in choices] or [event])
        return choices

    def may_see(
        self, account: Account, client: Client, id_: str, address: str | None = None
    ) -> PatientChoice | None:
        """Return the patient that a person chooses; None for one she may not.

        That she tried is audited too, about the patient if there is one.
        """
        choice = self._chosen(account, client, id_)
        if choice is not None:
            event = self._event(AuthEventKind.PATIENT_CHOSEN, account, client, address)
            self._audit([replace(event, patient=choice.id)])
            return choice
        event = self._event(AuthEventKind.PATIENTS_LOOKED_UP, account, client, address)
        self._audit([replace(event, patient=self._known(id_), reason=_HIDDEN)])
        return None

    def _known(self, id_: str) -> str | None:
        """Return the id of a patient; None where there is none."""
        if not _ID.fullmatch(id_):
            return None
        with self._auth.database.read() as snapshot:
            state = patients.by_id(snapshot, types.number_of("Patient"), id_)
        return None if state is None else state.id

    def encounters(
        self, account: Account, client: Client, patient_id: str
    ) -> list[EncounterChoice]:
        """Return the patient's encounters that a person may see, newest first."""
        if not _ID.fullmatch(patient_id):
            return []
        grant = grant_of(account, client)
        query = (("patient", patient_id),)
        with self._auth.database.read() as snapshot:
            bodies = self._search(snapshot, grant, "Encounter", query)
        choices = [_encounter(body) for body in bodies]
        return sorted(choices, key=lambda one: one.begun, reverse=True)

    def _chosen(
        self, account: Account, client: Client, id_: str
    ) -> PatientChoice | None:
        if account.role != Role.PRACTITIONER:
            return next((one for one in self.own(account) if one.id == id_), None)
        if not _ID.fullmatch(id_):
            return None
        with self._auth.database.read() as snapshot:
            stored = self._repository.read(snapshot, "Patient", id_)
            if stored is None or stored.deleted:
                return None
            grant = grant_of(account, client)
            if not self._is_visible(snapshot, grant, stored):
                return None
            return _choice(self._read(snapshot, stored))

    def _is_visible(self, snapshot: Snapshot, grant: Grant, stored: Stored) -> bool:
        gate = self._services.gate
        filters = require(grant, "Patient", "read")
        decided = gate.of_row(snapshot, grant, stored)
        return gate.permits(snapshot, decided, stored, filters)

    def _search(
        self, snapshot: Snapshot, grant: Grant, type_: str, query: Query
    ) -> list[Json]:
        """Return what is found and may be seen; nothing for what cannot be searched."""
        place = self._repository.deployment
        planner = Planner(self._services, snapshot, grant)
        try:
            asked = parse(
                (type_,),
                query,
                base_urls=place.own_bases,
                zone=place.zone,
                now_us=self._auth.clock(),
                strict=True,
            )
            plan = planner.plan(type_, asked.conditions)
            found = [] if plan is None else planner.versions(plan, None, MOST)
        except FHIRError:
            return []
        bodies = planner.bodies([stored for _, stored in found])
        return [fhir_json.loads_object(body) for body in bodies]

    def _of_account(self, snapshot: Snapshot, account: Account) -> PatientState | None:
        """Return the patient whom a person's own resource is, or is related to."""
        reference = account.reference or ""
        if account.role == Role.RELATED_PERSON:
            body = self._body(snapshot, reference) or {}
            named = body.get("patient", {}).get("reference", "")
            reference = local(named, self._repository.deployment.own_bases) or ""
        elif account.role != Role.PATIENT:
            return None
        type_, _, id_ = reference.partition("/")
        if type_ != "Patient":
            return None
        return patients.by_id(snapshot, types.number_of("Patient"), id_)

    def _body(self, snapshot: Snapshot, reference: str) -> Json | None:
        type_, _, id_ = reference.partition("/")
        stored = self._repository.read(snapshot, type_, id_)
        if stored is None or stored.deleted:
            return None
        return self._read(snapshot, stored)

    def _read(self, snapshot: Snapshot, stored: Stored) -> Json:
        return fhir_json.loads_object(self._repository.body(snapshot, stored))

    def _event(
        self,
        kind: AuthEventKind,
        account: Account,
        client: Client,
        address: str | None,
    ) -> AuthEvent:
        return AuthEvent(
            kind=kind,
            at=self._auth.clock(),
            client_id=client.client_id,
            proven=True,
            user_id=account.user_id,
            address=address,
        )

    def _audit(self, events: Sequence[AuthEvent]) -> None:
        leaves = [self._auth.audit.leaf(event) for event in events]

        def work(transaction: Transaction) -> None:
            for leaf in leaves:
                transaction.audit(leaf)

        self._auth.database.write(work)


def grant_of(account: Account, client: Client | None) -> Grant:
    """Return what a person who uses a client may look up, as a token would say it."""
    of_client = frozenset(
        () if client is None or client.organization is None else (client.organization,)
    )
    organization = acts_for(account.role, account.organization)
    of_person = frozenset(() if organization is None else (organization,))
    named = () if client is None else (f"{CLIENT_SYSTEM}|{client.client_id}",)
    purposes = () if client is None else purposes_of(account, client)
    return Grant(
        client_id="" if client is None else client.client_id,
        client_name="" if client is None else client.name,
        user=account.reference,
        scopes=parse_scopes(_SCOPES, of_person=True, user=account.reference),
        purposes=purposes,
        organization=organization,
        sources=frozenset(),
        actors=of_person | frozenset(named),
        possible=of_client - of_person,
        individual_known=account.reference is not None,
        token_id=b"",
        expires=_NEVER,
        role=account.role,
    )


def _is_text(text: str) -> bool:
    return 0 < len(text.strip()) <= LONGEST and text.isprintable()


def _queries(text: str) -> Iterator[Query]:
    """Yield the searches that what was typed can mean."""
    if _DATE.fullmatch(text):
        yield (("birthdate", text),)
        return
    yield (("identifier", _escaped(text, ",$")),)
    if "|" not in text:
        yield tuple(("name", _escaped(word, ",$|")) for word in text.split())


def _escaped(text: str, separators: str) -> str:
    r"""Return a text that a search takes as it is; a backslash before `|` too."""
    found = text.replace("\\", "\\\\")
    for separator in separators:
        found = found.replace(separator, f"\\{separator}")
    return found


def _choice(patient: Json) -> PatientChoice:
    return PatientChoice(
        id=patient["id"],
        name=name_of(patient),
        born=str(patient.get("birthDate", "")),
        identifiers=tuple(
            one["value"] for one in patient.get("identifier", ()) if one.get("value")
        ),
    )


def name_of(patient: Json) -> str:
    """Return a patient's name for people: the official one, or the first."""
    names = [one for one in patient.get("name", ()) if one.get("use") != "old"]
    chosen: Json = min(names, key=lambda one: one.get("use") != "official", default={})
    if chosen.get("text"):
        return str(chosen["text"])
    parts = [*chosen.get("given", ()), chosen.get("family", "")]
    return " ".join(part for part in parts if part)


def _encounter(encounter: Json) -> EncounterChoice:
    return EncounterChoice(
        id=encounter["id"],
        status=str(encounter.get("status", "")),
        begun=str(encounter.get("period", {}).get("start", "")),
    )
