"""The text of a Consent, written when it is stored: what it means, in plain words.

It takes the place of a text that was generated elsewhere or is missing; a text that
a person wrote (`additional`, `extensions`) is kept.

https://hl7.org/fhir/R4/narrative.html#Narrative
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from conformance import fhir_json
from consent.capture import ENFORCED
from consent.named import Sources
from consent.text import narrative
from fhir_service.exchange import Exchange, Services
from fhir_service.storage.engine import Snapshot, Transaction
from mappings.plain_names import plain_name

Resource = Mapping[str, Any]

MAX_NAMES = 200
"""Resources that are looked up for their names in one Consent; others are quoted."""

_KEPT = frozenset({"additional", "extensions"})
"""Status of a narrative that says more than the resource's data."""

_WHOLE_TYPE = ()
"""A scope without a filter."""


def with_text(
    exchange: Exchange, transaction: Transaction, resource: Resource
) -> Resource:
    """Return a prepared resource as it is stored: a Consent with its text."""
    if resource["resourceType"] != "Consent" or _is_kept(resource.get("text")):
        return resource
    services = exchange.services

    def may_read(type_: str) -> bool:
        filters = exchange.who.scopes.allows(type_, "read")
        return filters is not None and _WHOLE_TYPE in filters

    text = narrative(
        resource,
        deployment=services.repository.deployment,
        sources=sources(services, transaction, may_read),
        enforced=ENFORCED,
    )
    return {**resource, "text": text}


def _is_kept(text: Any) -> bool:
    return isinstance(text, dict) and text.get("status") in _KEPT


def sources(
    services: Services, snapshot: Snapshot, may_read: Callable[[str], bool]
) -> Sources:
    """Return names: of kinds of data, and of shared resources that are stored.

    Args:
        services: The repository.
        snapshot: As of when.
        may_read: Whether whoever writes the text may read a type.

    """
    remaining = iter(range(MAX_NAMES))

    @cache
    def name(reference: str) -> str | None:
        type_, _, id_ = reference.partition("/")
        named = _NAMES.get(type_)
        if named is None or not may_read(type_) or next(remaining, None) is None:
            return None
        stored = services.repository.read(snapshot, type_, id_)
        if stored is None or stored.deleted:
            return None
        return named(fhir_json.loads(services.repository.body(snapshot, stored)))

    return Sources(display=plain_name, name=name)


def _name(resource: Resource) -> str | None:
    name = resource.get("name")
    return name if isinstance(name, str) else None


def _human_name(resource: Resource) -> str | None:
    names = resource.get("name")
    if not names:
        return None
    return names[0].get("text") or " ".join(filter(None, _parts(names[0]))) or None


def _parts(name: Resource) -> Iterator[str | None]:
    """Yield the parts of a HumanName as they are spoken."""
    yield from name.get("prefix", ())
    yield from name.get("given", ())
    yield name.get("family")
    yield from name.get("suffix", ())


_NAMES: Final[Mapping[str, Callable[[Resource], str | None]]] = MappingProxyType(
    {
        "HealthcareService": _name,
        "Location": _name,
        "Organization": _name,
        "Practitioner": _human_name,
    }
)
"""The shared types that have names; no patient data is looked at."""
