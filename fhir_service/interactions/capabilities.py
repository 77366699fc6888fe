"""Capabilities: what this server does, said by the tables that do it.

https://hl7.org/fhir/R4/http.html#capabilities
"""

from datetime import datetime
from importlib.metadata import version
from typing import Any

from conformance.capability_statement import (
    Endpoints,
    Served,
    ServedType,
    Software,
    capability_statement,
)
from fhir_service.search.supported import SUPPORTED
from mappings.code_system import URL as MEASUREMENT_CODES
from mappings.kinds import kinds

READ_ONLY = frozenset({"CodeSystem"})
"""Types that are served and never written."""

INTERACTIONS = ("read", "create", "update", "search-type")

CHANGED = datetime.fromisoformat("2026-11-22T00:00:00+00:00")
"""When what is served last changed."""


def served(token_url: str) -> Served:
    """Return what routes and search serve."""
    types = [
        ServedType(
            type=type_,
            interactions=INTERACTIONS,
            search_parameters=tuple(sorted(parameters)),
            supported_profiles=_profiles(type_),
            versioning="versioned",
        )
        for type_, parameters in SUPPORTED.items()
    ]
    types.append(
        ServedType(
            type="CodeSystem",
            interactions=("read",),
            interaction_notes={"read": f"Publishes {MEASUREMENT_CODES}."},
        )
    )
    return Served(
        types=tuple(sorted(types, key=lambda one: one.type)),
        endpoints=Endpoints(token=token_url),
        security_description=(
            "SMART backend services; every answer is limited by the patient's Consent."
        ),
    )


def _profiles(type_: str) -> tuple[str, ...]:
    if type_ != "Observation":
        return ()
    return tuple(sorted({url for kind in kinds().values() for url in kind.profiles}))


def statement(base_url: str, token_url: str) -> dict[str, Any]:
    """Return the CapabilityStatement of this instance."""
    return capability_statement(
        served(token_url),
        base_url=base_url,
        software=Software(
            name="FHIR interoperability service",
            version=version("fhir-interop-service"),
            title="FHIR R4 service for behavioral health device data",
            publisher="The operator of this instance",
        ),
        date=CHANGED,
    )
