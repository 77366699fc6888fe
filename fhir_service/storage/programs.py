"""Programs under 42 CFR Part 2: what their systems write is tagged as theirs.

An Organization is such a program where its `meta.tag` has the code 42CFRPart2 of
v3-ActCode, and so is everything that is a part of it.

https://www.ecfr.gov/current/title-42/section-2.11
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance import fhir_json
from consent.codes import ACT_CODE
from consent.labels import carried, tagged
from consent.part_2 import TAG
from consent.references import target
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.repository import Repository

Resource = Mapping[str, Any]

MAX_ABOVE = 16
"""Organizations that are looked at; one deeper than that is taken for a program."""


def as_written(
    repository: Repository,
    snapshot: Snapshot,
    organization: str | None,
    resource: Resource,
) -> Resource:
    """Return the resource with the tag of the program whose system writes it.

    Args:
        repository: Where the organizations are.
        snapshot: As of when.
        organization: `Organization/id` behind the client.
        resource: What it writes.

    """
    if organization is None or not _is_program(repository, snapshot, organization):
        return resource
    return tagged(resource, TAG)


def as_amended(
    repository: Repository,
    snapshot: Snapshot,
    organization: str | None,
    old: Resource,
    new: Resource,
) -> Resource:
    """Return the next version as written, with what the old one was raised to."""
    return as_written(repository, snapshot, organization, carried(old, new))


def _is_program(repository: Repository, snapshot: Snapshot, organization: str) -> bool:
    return repository.programs.of(
        snapshot, organization, lambda: _is_found(repository, snapshot, organization)
    )


def _is_found(repository: Repository, snapshot: Snapshot, organization: str) -> bool:
    for number, body in enumerate(_upwards(repository, snapshot, organization)):
        if number == MAX_ABOVE or _has_tag(body):
            return True
    return False


def _has_tag(organization: Resource) -> bool:
    meta = organization.get("meta")
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    return any(
        isinstance(tag, Mapping)
        and (tag.get("system"), tag.get("code")) == (ACT_CODE, TAG)
        for tag in (tags if isinstance(tags, list) else ())
    )


def _upwards(
    repository: Repository, snapshot: Snapshot, reference: str | None
) -> Iterator[Resource]:
    """Yield the organization and those that it is a part of."""
    while reference is not None and reference.startswith("Organization/"):
        id_ = reference.removeprefix("Organization/")
        stored = repository.read(snapshot, "Organization", id_)
        if stored is None or stored.deleted:
            return
        body = fhir_json.loads(repository.body(snapshot, stored))
        yield body
        reference = target(body.get("partOf"), repository.deployment.own_bases)
