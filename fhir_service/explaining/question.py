"""A question: what does this requester get of this patient, at this instant.

It is put to the same gate as a request, with what it rests on given instead of looked
up: consents as they were, or as they would be with a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from conformance.classes import ResourceClass, class_of
from consent.engine import PreparedRequest
from consent.formula import Coding
from consent.in_force import validity
from consent.inputs import Json, Whose, digest, inputs
from consent.overlays import Overlay
from consent.provisions import ParsedConsent
from consent.request import AccessRequest
from fhir_service.access import (
    Decided,
    Gate,
    admits,
    is_custodian,
    reading,
    within,
)
from fhir_service.auth.bearer import Grant
from fhir_service.auth.closure import Closure, earliest
from fhir_service.auth.scopes import Filters
from fhir_service.auth.standing import standing_of
from fhir_service.explaining.instant import Instant
from fhir_service.storage import types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import View
from fhir_service.storage.repository import Repository
from fhir_service.storage.signatures import Signature
from fhir_service.storage.tallies import Rows


@dataclass(frozen=True, kw_only=True)
class Requester:
    """Who asks for what.

    Attributes:
        grant: The client, or whoever the actors are.
        purposes: Purposes of use, as (system, code).
        actions: Codes of consentaction; None for those that a read implies.
        individual_known: Whether a person stands behind the request.
        btg_attested: Whether a break-glass claim is attested.
        is_client: Whether it is a registered client, whose scopes count.

    """

    grant: Grant
    purposes: tuple[Coding, ...]
    actions: tuple[str, ...] | None = None
    individual_known: bool = False
    btg_attested: bool = False
    is_client: bool = True

    def scopes(self, type_: str) -> tuple[Filters, ...] | None:
        """Return the filters under which a scope lets a type be read, if one does."""
        if not self.is_client:
            return ((),)
        scopes = self.grant.scopes
        return scopes.allows(type_, "search-type") or scopes.allows(type_, "read")

    def covers(self, signature: Signature) -> bool:
        """Whether a scope lets rows of a signature be read."""
        scopes = self.scopes(types.name_of(signature.type_id))
        return scopes is not None and admits(
            within(scopes, self.grant.patient), signature.facets.codes.categories
        )


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What somebody who asks such a question may be told of; nothing else is counted.

    Attributes:
        gate: What decides.
        snapshot: The same as the question's.
        state: The patient as of now.
        grant: Who asks the question.
        is_officers: Whether it has every row of the types in the scopes, hidden or not.

    """

    gate: Gate
    snapshot: Snapshot
    state: PatientState
    grant: Grant
    is_officers: bool

    def views(self, type_: str) -> tuple[View, ...]:
        """Return the views that have all that may be told of a type."""
        if self.is_officers:
            return ()
        return (self.gate.view(self.snapshot, self.grant, self.state, type_).view,)

    def covers(self, signature: Signature) -> bool:
        """Whether a scope covers rows of a signature."""
        return Requester(grant=self.grant, purposes=()).covers(signature)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, ready to be answered.

    Attributes:
        repository: Where the resources are.
        instant: When.
        state: Whose; as of the instant.
        requester: Who asks for what.
        consents: The consents that are asked.
        sight: What whoever asks may be told of; None for everything.

    """

    repository: Repository
    instant: Instant
    state: PatientState
    requester: Requester
    consents: tuple[ParsedConsent, ...]
    sight: Sight | None = None

    def under(self, consents: tuple[ParsedConsent, ...]) -> "Question":
        """Return the same question to other consents."""
        return replace(self, consents=consents)

    def by(self, requester: Requester) -> "Question":
        """Return the same question of another requester."""
        return replace(self, requester=requester)

    @cached_property
    def closure(self) -> Closure:
        """What a consent of the patient may call the requester."""
        return self.instant.closure(self.requester.grant, self.state)

    @cached_property
    def _stands(self) -> Overlay | None:
        """What the person behind the request is to the patient."""
        instant, grant = self.instant, self.requester.grant
        return standing_of(
            self.repository, instant.snapshot, grant, self.state, instant.at_us
        )

    @cached_property
    def request(self) -> AccessRequest:
        """Who asks for what, with everything that they may be called."""
        requester, names = self.requester, self.closure.names
        actions = requester.actions
        return AccessRequest(
            actors=names.certain,
            possible=names.possible,
            individual_known=requester.individual_known,
            purposes=requester.purposes,
            actions=reading(requester.grant, self.state)
            if actions is None
            else actions,
            btg_attested=requester.btg_attested,
            at_us=self.instant.at_us,
        )

    @cached_property
    def prepared(self) -> PreparedRequest:
        """The request as the consents see it."""
        grant, instant = self.requester.grant, self.instant
        return instant.gate.prepared(
            instant.snapshot,
            self.consents,
            self.request,
            self.state,
            custodian=is_custodian(grant, self.state),
            stands=self._stands,
        )

    @cached_property
    def until_us(self) -> int | None:
        """Before which instant time alone changes no answer; None for never."""
        until_us = validity(self.consents, self.instant.at_us)[1]
        return earliest(until_us, self.closure.until_us)

    @cached_property
    def policy(self) -> str:
        """The version of the rules that decide."""
        return self.instant.gate.policy

    @property
    def inputs(self) -> Json:
        """Everything that the answer rests on but the resources asked for."""
        return inputs(self.consents, self.request, self._whose, self.policy)

    @property
    def digest(self) -> str:
        """The digest of these, as the audit keeps it."""
        return digest(self.consents, self.request, self._whose, self.policy)

    @property
    def _whose(self) -> Whose:
        grant, stands = self.requester.grant, self._stands
        custodian = self.state.organization if is_custodian(grant, self.state) else None
        return Whose(
            patient=f"Patient/{self.state.id}",
            custodian=custodian,
            standing=None if stands is None else stands.name,
        )

    def decided(self, type_: str) -> Decided:
        """Return the view of the patient's resources of a type."""
        instant = self.instant
        return instant.gate.decided(instant.snapshot, self.prepared, self.state, type_)

    def rows(self, type_: str) -> Rows:
        """Return the patient's rows of a type, as far as they may be told of."""
        seen = () if self.sight is None else self.sight.views(type_)
        return Rows(patient_key=self.state.key, type=type_, seen=seen)

    @cached_property
    def signatures(self) -> Mapping[str, tuple[tuple[Signature, int], ...]]:
        """Type → signatures with how many rows of each may be told of, if any.

        Of patient data alone: on what is derived from it, other resources decide.
        """
        snapshot = self.instant.snapshot
        found: dict[str, list[Signature]] = {}
        for one in self.repository.signatures.of(snapshot, self.state):
            type_ = types.name_of(one.type_id)
            is_decided = class_of(type_) is ResourceClass.PATIENT_DATA
            if is_decided and (self.sight is None or self.sight.covers(one)):
                found.setdefault(type_, []).append(one)
        counted = {
            type_: self.instant.counts(self.rows(type_)) for type_ in sorted(found)
        }
        return {
            type_: here
            for type_, rows in counted.items()
            if (here := tuple((o, rows[o.id]) for o in found[type_] if o.id in rows))
        }
