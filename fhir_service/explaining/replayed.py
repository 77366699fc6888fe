"""One patient's part of a replay: the inputs of the instant, and what they decide.

The request is taken from what the row of the log says of it; the consents, the custody
and the closure from the versions of its instant; the disclosed versions as they were.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from consent.audit.entry import AuditRecord, Basis
from consent.codes import ACT_REASON, BREAK_GLASS, is_purpose
from consent.decision import Decision
from consent.explain import decide_resource
from consent.formula import Row
from consent.membership import CLIENT_SYSTEM
from fhir_service.access import ground
from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import parse_scopes
from fhir_service.explaining.asking import Place
from fhir_service.explaining.change import registered
from fhir_service.explaining.evaluation import reason_of
from fhir_service.explaining.instant import Instant
from fhir_service.explaining.question import Question
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import history, past, registrations, types
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signature

Json = dict[str, Any]

NEAR_US = 60_000_000
"""How far from the row's time a request may have read: it waits, and it is told."""

_DECIDING = ("CareTeam", "Consent", "Patient")
_NEVER = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Version:
    """A disclosed version, and the one by which it is told whether it may be seen."""

    name: str
    stored: Stored
    judged: Stored

    @property
    def kind(self) -> ResourceClass:
        """By what it is released."""
        return class_of(types.name_of(self.stored.type_id))


def versions(place: Place, found: Mapping[int, Stored]) -> Iterator[Version]:
    """Yield some versions by `seq`, in their order."""
    for _, stored in sorted(found.items()):
        body = fhir_json.loads_object(place.repository.body(place.snapshot, stored))
        name = f"{body['resourceType']}/{body['id']}/_history/{stored.version}"
        judged = history.judged(place.snapshot, stored)
        yield Version(name=name, stored=stored, judged=judged)


@dataclass(frozen=True, kw_only=True)
class PatientReplay:
    """The part of a replay that is about one patient.

    Attributes:
        place: Where the versions are.
        record: What the row of the log says.
        state: The patient.
        recorded: The digest of the inputs; None where the row has none for this one.

    """

    place: Place
    record: AuditRecord
    state: PatientState
    recorded: str | None

    @cached_property
    def question(self) -> Question:
        """The question at the instant whose inputs are those that were recorded."""
        first: Question | None = None
        for at_us in self._instants():
            asked = self._at(at_us)
            first = first or asked
            if self.recorded in (None, asked.digest):
                return asked
        return first or self._at(self.record.time_us)

    def _instants(self) -> Iterator[int]:
        """Yield when the request may have read: its time, and around near changes.

        A change is filed shortly before it can be read, and a request is told
        shortly before it reads.
        """
        at_us = self.record.time_us
        yield at_us
        near = range(at_us - NEAR_US, at_us + NEAR_US)
        numbers = [types.number_of(type_) for type_ in _DECIDING]
        snapshot = self.place.snapshot
        moments = past.changed(snapshot, self.state.key, numbers, near)
        yield from (moment - 1 for moment in reversed(moments) if moment <= at_us)
        yield from (moment for moment in moments if moment > at_us)

    @cached_property
    def _behind(self) -> str | None:
        """The organization that the client was registered for."""
        client = registrations.find_client(self.place.snapshot, self.record.client)
        return None if client is None else client.organization

    def _at(self, at_us: int) -> Question:
        place = self.place
        instant = Instant(
            repository=place.repository,
            gate=place.gate,
            snapshot=place.snapshot,
            at_us=at_us,
            is_past=True,
        )
        state = instant.state(self.state)
        return Question(
            repository=place.repository,
            instant=instant,
            state=state,
            requester=registered(grant_of(self.record, self._behind)),
            consents=instant.consents(state),
        )

    @cached_property
    def disclosed(self) -> tuple[Version, ...]:
        """The disclosed versions of the patient's data."""
        return tuple(
            one for one in self.versions if one.kind is ResourceClass.PATIENT_DATA
        )

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """The disclosed versions that have the patient's key."""
        seqs = self.record.disclosed
        found = past.by_seq(self.place.snapshot, self.state.key, seqs)
        return tuple(versions(self.place, found))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """What is decided about each of these."""
        question = self.question
        gate, snapshot = question.instant.gate, question.instant.snapshot
        return tuple(
            gate.decision(snapshot, question.prepared, one.judged)
            for one in self.disclosed
        )

    @cached_property
    def grounds(self) -> frozenset[Basis]:
        """Every ground on which anything of the types asked for was decided."""
        prepared = self.question.prepared
        decided = [
            decide_resource(prepared, one.facets, Row(reference=""))
            for one in self._signatures()
        ]
        return frozenset(
            ground(reason)
            for decision in (*decided, *self.decisions)
            for reason in decision.reasons
        )

    def _signatures(self) -> Iterator[Signature]:
        """Yield the signatures that the patient had by then, of the types asked for."""
        question, record = self.question, self.record
        snapshot = question.instant.snapshot
        there = past.signatures_at(snapshot, self.state.key, question.instant.at_us)
        wanted = {record.resource_type} - {""}
        for one in question.repository.signatures.of(snapshot, self.state):
            if one.id in there and (not wanted or types.name_of(one.type_id) in wanted):
                yield one

    @property
    def differences(self) -> Iterator[str]:
        """What of this patient the log says otherwise."""
        if self.recorded not in (None, self.question.digest):
            yield "what the decision rested on is not what history tells"
        for one, decision in zip(self.disclosed, self.decisions, strict=True):
            if not decision.is_permitted:
                yield f"{one.name} was disclosed, and the replay withholds it"

    @cached_property
    def told(self) -> Json:
        """The decision record of this patient."""
        question = self.question
        return {
            "inputs": question.inputs,
            "inputsDigest": question.digest,
            "decidedAt": fhir_instant(question.instant.at_us),
            "grounds": sorted(words(basis) for basis in self.grounds),
            "disclosed": [
                self._disclosed(one, decision)
                for one, decision in zip(self.disclosed, self.decisions, strict=True)
            ],
        }

    def _disclosed(self, one: Version, decision: Decision) -> Json:
        question = self.question
        instant = question.instant
        facets, _ = instant.gate.facts(instant.snapshot, question.prepared, one.judged)
        return {
            "resource": one.name,
            "seq": one.stored.seq,
            "labels": {
                "level": facets.labels.level,
                "isLabelled": facets.labels.is_labelled,
                "sensitivities": sorted(facets.labels.sensitivities),
            },
            "decision": "permit" if decision.is_permitted else "deny",
            "because": [reason_of(reason) for reason in decision.reasons],
        }


def grant_of(record: AuditRecord, behind: str | None) -> Grant:
    """Return the grant of a request as the log tells of it, without its scopes.

    Args:
        record: The row of the log.
        behind: The organization that the client was registered for, which is no
            client's to change.

    """
    actors = {f"{CLIENT_SYSTEM}|{record.client}"}
    if record.organisation:
        actors.add(record.organisation)
    is_persons = bool(record.user)
    possible = {behind} - actors if is_persons and behind else set()
    return Grant(
        client_id=record.client,
        client_name=record.client,
        user=record.user or None,
        scopes=parse_scopes("system/*.rs"),
        purposes=record.purposes,
        organization=record.organisation or None,
        sources=frozenset(),
        actors=frozenset(actors),
        possible=frozenset(possible),
        individual_known=is_persons,
        # Only a token that rests on an attestation has such a purpose.
        is_attested=any(
            is_purpose((ACT_REASON, code), BREAK_GLASS) for code in record.purposes
        ),
        token_id=record.token,
        expires=_NEVER,
    )


def words(basis: Basis) -> list[str]:
    """Return a ground without what it does not have."""
    return [part for part in (basis.kind.value, basis.name, basis.path) if part]
