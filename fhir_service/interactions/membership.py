"""Whom a client may not move: those of its own house, into or out of what decides.

A consent may permit a Group, a CareTeam, an Organization by its identifier. So that no
client permits itself, and none escapes a denial, it does not change by an update or a
deletion, or by a creation under an id of its own choice, whether its organization, a
part of it, or somebody who works there belongs to one. What is created under an id of
ours is named by no consent yet.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import xor
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.membership import CLIENT_SYSTEM, Membership, memberships
from consent.references import type_of
from fhir_service.exchange import Exchange
from fhir_service.interactions.attribution import acts_for_custodian
from fhir_service.storage import registrations, resources, tokens, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

Resource = Mapping[str, Any]

GUARDED = frozenset(
    {"CareTeam", "Group", "HealthcareService", "Organization", "PractitionerRole"}
)
"""Types whose resources say who belongs to whom."""

MAX_MEMBERS = 1_000
"""Members, and members of members, that may change at once."""

_BELONGING = frozenset(
    {"CareTeam", "Group", "Organization", "Practitioner", "PractitionerRole"}
)
"""Types of which one may belong to an organization; a Patient or Device does not."""

_IDENTIFIED = ("Organization", "Practitioner")
_PLACES = frozenset({"HealthcareService", "Organization"})


def refuse_own_change(
    exchange: Exchange, transaction: Transaction, old: Stored, *after: Resource
) -> None:
    """Refuse a write that changes to what those of the client's house belong.

    Args:
        exchange: The request; authenticated.
        transaction: Where it would be stored.
        old: The version that is replaced.
        after: What it would become; nothing where it goes.

    Raises:
        FHIRError: `business-rule`.

    """
    if types.name_of(old.type_id) in GUARDED:
        body = exchange.services.repository.body(transaction, old)
        before = fhir_json.loads_object(body)
        _refuse(exchange, transaction, old.patient_key, before, *after)


def refuse_own_place(
    exchange: Exchange, transaction: Transaction, key: int, resource: Resource
) -> None:
    """Refuse that those of the client's house belong to what it names itself.

    Args:
        exchange: The request; authenticated.
        transaction: Where it would be stored.
        key: Whose the resource is.
        resource: It, with the id that the client has chosen.

    Raises:
        FHIRError: `business-rule`.

    """
    if resource["resourceType"] in GUARDED:
        _refuse(exchange, transaction, key, resource)


def _refuse(
    exchange: Exchange, transaction: Transaction, key: int, *versions: Resource
) -> None:
    """Refuse what differs between two versions, or all of one, where it is its own."""
    type_ = versions[0]["resourceType"]
    changed = _changed(exchange, versions)
    if not changed or _is_own_patients(exchange, transaction, type_, key):
        return
    house = _House(exchange, transaction)
    if type_ == "PractitionerRole" and house.is_place_of(changed):
        return
    if house.has_any(name for one in changed for name in one.members):
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            "A client does not change who of its own organization belongs to a "
            f"{type_} that exists.",
            type_,
        )


def _is_own_patients(
    exchange: Exchange, transaction: Transaction, type_: str, key: int
) -> bool:
    """Whether it is a care team of a patient for whom the client files consents."""
    if type_ != "CareTeam" or key == SHARED:
        return False
    return acts_for_custodian(exchange, exchange.services.gate.state(transaction, key))


def _changed(exchange: Exchange, versions: Iterable[Resource]) -> frozenset[Membership]:
    """Return what only one of the versions says; identifiers where one relies on it."""
    place = exchange.services.repository.deployment
    told = (
        frozenset(
            one
            for one in memberships(version, place)
            if one.is_certain or "|" not in one.name
        )
        for version in versions
    )
    return reduce(xor, told)


class _House:
    """Those who belong to the client's organization, or to whom it belongs.

    The person behind a request is one of them.
    """

    def __init__(self, exchange: Exchange, transaction: Transaction) -> None:
        grant, self._services = exchange.who, exchange.services
        self._transaction = transaction
        client = f"{CLIENT_SYSTEM}|{grant.client_id}"
        own = {client, grant.organization, grant.user} - {None}
        self._own = frozenset(map(str, own))
        self._above = self._ever(self._own)

    def has_any(self, names: Iterable[str]) -> bool:
        """Whether one is what the client belongs to, or who belongs to the client.

        A team inside a team may have anybody in it.
        """
        asked = self._within(names)
        return (
            any(type_of(name) == "CareTeam" for name in asked)
            or not asked.isdisjoint(self._above)
            or not self._own.isdisjoint(self._ever(asked))
        )

    def is_place_of(self, changed: Iterable[Membership]) -> bool:
        """Whether these roles are at places of the house: its own to give."""
        places = {one.name for one in changed if type_of(one.name) in _PLACES}
        return bool(places) and all(map(self._is_own_place, places))

    def _is_own_place(self, name: str) -> bool:
        named = {name}
        if type_of(name) == "HealthcareService":
            named = {one for told in self._told(name) for one in told.members} - named
        return bool(named) and all(
            not self._own.isdisjoint(self._ever(frozenset({one}))) for one in named
        )

    def _within(self, names: Iterable[str]) -> frozenset[str]:
        """Return the names, those behind an identifier, and all members of Groups.

        Raises:
            FHIRError: `too-costly` beyond `MAX_MEMBERS`.

        """
        found: set[str] = set()
        ahead = list(names)
        while ahead:
            name = ahead.pop()
            if name in found or not _may_belong(name):
                continue
            found.add(name)
            ahead.extend(self._behind(name))
            if len(found) > MAX_MEMBERS:
                raise FHIRError(
                    IssueType.TOO_COSTLY,
                    f"At most {MAX_MEMBERS} members change at once.",
                )
        return frozenset(found)

    def _behind(self, name: str) -> Iterator[str]:
        """Yield who is meant as well by a name."""
        if type_of(name) == "Group":
            for told in self._told(name):
                yield from told.members
        elif "|" in name:
            yield from self._identified(name)

    def _identified(self, name: str) -> Iterator[str]:
        """Yield the client, the organizations and practitioners of an identifier."""
        system, _, value = name.partition("|")
        if system == CLIENT_SYSTEM:
            client = registrations.find_client(self._transaction, value)
            if client is not None and client.organization is not None:
                yield client.organization
            return
        repository = self._services.repository
        token = tokens.identifier_token(repository.blind, system, value)
        for type_ in _IDENTIFIED:
            for _, row in resources.by_token(
                self._transaction, types.number_of(type_), "identifier", token
            ):
                stored = resources.current(self._transaction, row)
                if stored is not None:
                    yield f"{type_}/{self._body(stored)['id']}"

    def _told(self, name: str) -> list[Membership]:
        """Return what the resource at a name says, if there is one."""
        type_, _, id_ = name.partition("/")
        repository = self._services.repository
        stored = repository.read(self._transaction, type_, id_)
        if stored is None or stored.deleted:
            return []
        return memberships(self._body(stored), repository.deployment)

    def _body(self, stored: Stored) -> dict[str, Any]:
        body = self._services.repository.body(self._transaction, stored)
        return fhir_json.loads_object(body)

    def _ever(self, names: frozenset[str]) -> frozenset[str]:
        return self._services.gate.ever(self._transaction, names)


def _may_belong(name: str) -> bool:
    return "|" in name or type_of(name) in _BELONGING
