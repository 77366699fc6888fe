"""What a token's scopes leave of a type: filters, and what they cover.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from collections.abc import (
    Collection,
)

from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import COMPARTMENT, ITSELF, Filter, Filters
from fhir_service.storage.concepts import Coding


def admits(filters: tuple[Filters, ...], categories: Collection[Coding]) -> bool:
    """Whether one of a scope's alternatives covers a resource of these categories."""
    return any(
        all(
            one.parameter == "category" and (one.system, one.code) in categories
            for one in alternative
        )
        for alternative in filters
    )


def covering(grant: Grant, type_: str) -> tuple[Filters, ...]:
    """Return the alternatives under which scopes let a type be read or found."""
    scopes = grant.scopes
    return (
        *(scopes.allows(type_, "read") or ()),
        *(scopes.allows(type_, "search-type") or ()),
    )


def within(filters: tuple[Filters, ...], patient: str | None) -> tuple[Filters, ...]:
    """Return the alternatives that hold for what is about a patient.

    They no longer say so; None stands for what is about nobody.
    """
    held = Filter(parameter=COMPARTMENT, system="Patient", code=patient or "")
    return tuple(
        tuple(one for one in alternative if one != held)
        for alternative in filters
        if all(
            one == held or one.parameter not in {COMPARTMENT, ITSELF}
            for one in alternative
        )
    )
