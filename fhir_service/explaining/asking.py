"""Questions put together: by somebody at the command line, or by a request.

Whoever asks over HTTP is told of no row that a search of theirs would not count,
unless they are the compliance officer of the organization that manages the patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from consent.codes import ACT_REASON, is_purpose
from consent.formula import Coding
from consent.references import type_of
from fhir_service.access import Gate
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.explaining.change import PERSONS, changes, registered, unregistered
from fhir_service.explaining.draft import with_drafts
from fhir_service.explaining.evaluation import evaluated
from fhir_service.explaining.instant import Instant
from fhir_service.explaining.question import Question, Requester, Sight
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository

Json = dict[str, Any]

COMPLIANCE: Coding = (ACT_REASON, "HCOMPL")
"""The purpose of a compliance officer's client."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a question is asked.

    Attributes:
        repository: Where the resources are.
        gate: What decides.
        snapshot: As of which everything is read.
        now_us: The time.

    """

    repository: Repository
    gate: Gate
    snapshot: Snapshot
    now_us: int


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is asked.

    Attributes:
        client_id: A registered client; None where only actors are given.
        actors: What a consent may call the requester besides.
        purposes: Purposes of use; None for those of the client.
        actions: Codes of consentaction; None for those that a read implies.
        individual_known: Whether a person stands behind the request; None for what
            the client and the actors say.
        btg_attested: Whether a break-glass claim is attested.
        at_us: The instant; None for now.
        types: Resource types to be told of; none for all.
        drafts: Consents to be asked instead of the stored ones, or beside them.
        compares: Whether what the drafts change is told too.

    """

    client_id: str | None = None
    actors: frozenset[str] = frozenset()
    purposes: tuple[Coding, ...] | None = None
    actions: tuple[str, ...] | None = None
    individual_known: bool | None = None
    btg_attested: bool = False
    at_us: int | None = None
    types: frozenset[str] = frozenset()
    drafts: Sequence[Json] = ()
    compares: bool = False


def question(
    place: Place, state: PatientState, asking: Asking, sight: Sight | None = None
) -> Question:
    """Return the question to the stored consents.

    Raises:
        FHIRError: `not-found` for a client that is not registered.

    """
    at_us = place.now_us if asking.at_us is None else asking.at_us
    instant = Instant(
        repository=place.repository,
        gate=place.gate,
        snapshot=place.snapshot,
        at_us=at_us,
        is_past=at_us < place.now_us,
    )
    then = instant.state(state)
    return Question(
        repository=place.repository,
        instant=instant,
        state=then,
        requester=_requester(place, then, asking),
        consents=instant.consents(then),
        sight=sight,
    )


def answer(
    place: Place, state: PatientState, asking: Asking, sight: Sight | None = None
) -> Json:
    """Return what the requester gets, and what drafts would change.

    Raises:
        FHIRError: as `question`, `with_drafts` and `changes`.

    """
    stored = question(place, state, asking, sight)
    drafted = with_drafts(stored, asking.drafts)
    told = evaluated(drafted, asking.types)
    return told | ({"change": changes(stored, drafted)} if asking.compares else {})


def _requester(place: Place, state: PatientState, asking: Asking) -> Requester:
    actors = asking.actors
    if asking.client_id is None:
        grant, is_client = unregistered(actors, state.organization), False
    else:
        known = local.registered(place.snapshot, asking.client_id)
        grant, is_client = replace(known, actors=known.actors | actors), True
    found = registered(grant)
    is_person = asking.individual_known
    if is_person is None:
        is_person = grant.individual_known or any(
            type_of(name) in PERSONS for name in actors
        )
    return replace(
        found,
        purposes=found.purposes if asking.purposes is None else asking.purposes,
        actions=asking.actions,
        individual_known=is_person,
        btg_attested=asking.btg_attested,
        is_client=is_client,
    )


def is_officer(grant: Grant) -> bool:
    """Whether the client is registered for compliance, and for nothing else."""
    return bool(grant.purposes) and all(
        is_purpose((ACT_REASON, code), COMPLIANCE) for code in grant.purposes
    )
