"""Who stands for a patient at a moment: authority by RelatedPerson, and minors.

A RelatedPerson represents while it is active, its period covers the moment, and its
relationship is one that gives authority: a parent over a minor, a guardian, the
holder of a power of attorney. What is not certain gives none.

A minor may consent alone to some care, and whoever stands for the minor then has no
authority over it. From which age depends on the jurisdiction; in one that the table
does not know, it is the youngest age that it knows.

https://www.ecfr.gov/current/title-45/section-164.502
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consent.contents import concept_codings
from consent.moments import bounds, period
from consent.overlays import (
    REPRESENTATIVE,
    REPRESENTATIVE_OF_MINOR,
    SELF,
    Overlay,
)
from consent.references import Deployment, target

MINORS_VERSION = "1"
"""Part of the policy version of every decision."""

ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

OF_ADULTS = frozenset({"GUARD", "HPOWATT"})
"""Relationships that give authority whatever the patient's age."""

OF_MINORS = frozenset(
    {"PRN", "FTH", "MTH", "NPRN", "NFTH", "NMTH", "ADOPTP", "ADOPTF", "ADOPTM"}
)
"""Parents; their authority ends when the minor comes of age."""

OF_AGE = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Minors:
    """A row of the table.

    Attributes:
        jurisdiction: ISO 3166-2, such as `US-CA`.
        alone_from: Age in years from which a minor may consent to some care alone.
        care: Which care.
        source: Where the rule is told.

    """

    jurisdiction: str
    alone_from: int
    care: str
    source: str


MINORS: tuple[Minors, ...] = (
    Minors(
        jurisdiction="US-CA",
        alone_from=12,
        care="care to which a minor may consent alone",
        source="45 CFR 164.502(g)(3), which leaves it to the law of the state",
    ),
    Minors(
        jurisdiction="US-IL",
        alone_from=12,
        care="a limited number of visits",
        source="45 CFR 164.502(g)(3), which leaves it to the law of the state",
    ),
)
"""A row for each jurisdiction; a test walks it."""

_ALONE_FROM = {row.jurisdiction: row.alone_from for row in MINORS}
_YOUNGEST = min(_ALONE_FROM.values())

Resource = Mapping[str, Any]


def standing(
    user: str,
    patient: Resource,
    related_person: Resource | None,
    *,
    at_us: int,
    deployment: Deployment,
) -> Overlay | None:
    """Return the overlay that speaks for a person; None for a stranger.

    Args:
        user: Who asks, as `Type/id`.
        patient: The Patient whose data is asked for.
        related_person: The RelatedPerson of `user`, where it is one.
        at_us: The decision's instant.
        deployment: Zone of dates, and our bases.

    """
    me = f"Patient/{patient.get('id')}"
    if user == me:
        return SELF
    if related_person is None or user != f"RelatedPerson/{related_person.get('id')}":
        return None
    if not _has_authority(related_person, me, at_us, deployment):
        return None
    return _of_age(_relationships(related_person), patient, at_us, deployment)


def _has_authority(
    related_person: Resource, patient: str, at_us: int, deployment: Deployment
) -> bool:
    """Whether the authority is in force, and over this patient."""
    span = period(related_person.get("period"), deployment.zone)
    return (
        related_person.get("active") is True
        and target(related_person.get("patient"), deployment.own_bases) == patient
        and span is not None
        and span.start is not None
        and span.contains(at_us)
    )


def _relationships(related_person: Resource) -> frozenset[str]:
    concepts = related_person.get("relationship")
    return frozenset(
        code
        for concept in (concepts if isinstance(concepts, list) else ())
        for system, code in concept_codings(concept)
        if system == ROLE_CODE
    )


def _of_age(
    relationships: frozenset[str], patient: Resource, at_us: int, place: Deployment
) -> Overlay | None:
    """Return what a relationship opens at the patient's age."""
    ages = _ages(patient.get("birthDate"), at_us, place)
    is_parent = not relationships.isdisjoint(OF_MINORS)
    is_certainly_minor = ages is not None and ages[1] < OF_AGE
    if relationships.isdisjoint(OF_ADULTS) and not (is_parent and is_certainly_minor):
        return None
    if _may_consent_alone(ages, patient):
        return REPRESENTATIVE_OF_MINOR
    return REPRESENTATIVE


def _may_consent_alone(ages: tuple[int, int] | None, patient: Resource) -> bool:
    """Whether the patient is, or may be, a minor old enough to consent alone."""
    if ages is None:
        return True
    youngest, oldest = ages
    return youngest < OF_AGE and oldest >= _alone_from(patient)


def _alone_from(patient: Resource) -> int:
    """Return the age that holds where the patient lives, the youngest if in doubt."""
    places = set(_jurisdictions(patient))
    known = [_ALONE_FROM[place] for place in places if place in _ALONE_FROM]
    return min(known) if known and len(known) == len(places) else _YOUNGEST


def _jurisdictions(patient: Resource) -> Iterator[str]:
    addresses = patient.get("address")
    for address in addresses if isinstance(addresses, list) else ():
        if isinstance(address, Mapping):
            yield f"{address.get('country')}-{address.get('state')}"


def _ages(birth_date: object, at_us: int, place: Deployment) -> tuple[int, int] | None:
    """Return the youngest and the oldest that the patient may be, in whole years."""
    born = bounds(birth_date, place.zone)
    if born is None:
        return None
    earliest, latest = born
    return _years(latest, at_us, place), _years(earliest, at_us, place)


def _years(born_us: int, at_us: int, place: Deployment) -> int:
    born, now = (
        datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(place.zone)
        for moment in (born_us, at_us)
    )
    is_before_birthday = (now.month, now.day) < (born.month, born.day)
    return now.year - born.year - is_before_birthday
