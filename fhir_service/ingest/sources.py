"""What a source is understood by: a vendor's parser, or a template.

A stored template that cannot be used, since a kind or a unit has gone, stops nothing
but itself: what is delivered to it waits in quarantine.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from conformance import fhir_json
from fhir_service.storage import mapping_templates
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.mapping_templates import Stored
from mappings.measurement import Reading, Reason, Refusal
from mappings.templates.check import faults_of
from mappings.templates.compile import vendor
from mappings.templates.faults import TemplateError
from mappings.vendors.table import SID, VENDORS, Vendor

KEPT = 256
"""Compiled templates that a process remembers."""


def find(snapshot: Snapshot, name: str) -> Vendor | None:
    """Return what reads payloads of the source of that name, if anything does."""
    known = VENDORS.get(name)
    if known is not None:
        return known
    stored = mapping_templates.active(snapshot, name)
    return None if stored is None else of_template(stored)


@lru_cache(maxsize=KEPT)
def of_template(stored: Stored) -> Vendor:
    """Return the source that a stored template describes."""
    version = f"{stored.version}@{stored.sha256.hex()}"
    template = fhir_json.loads_object(stored.body.encode())
    faults = faults_of(template)
    try:
        if not faults:
            return vendor(template, version=version)
    except TemplateError as error:
        faults = error.faults
    return _broken(stored, version, str(faults[0]))


def _broken(stored: Stored, version: str, fault: str) -> Vendor:
    """Return a source of which nothing is understood, and which says why."""
    detail = f"Version {stored.version} of the template cannot be used: {fault}"

    def parse(
        payload: Any, *, received_at: datetime, zone: str | None = None
    ) -> Iterator[Reading]:
        del received_at, zone
        if isinstance(payload, list):
            for index, message in enumerate(payload):
                yield _refused(f"$[{index}]", message)
        else:
            yield _refused("$", payload)

    def parse_file(
        payload: Path | BinaryIO,
        *,
        received_at: datetime,
        zone: str | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Reading]:
        del payload, received_at, zone
        progress(0)
        yield _refused("$", None)

    def _refused(position: str, part: Any) -> Refusal:
        return Refusal(position, Reason.MALFORMED, None, detail, part)

    return Vendor(
        source=stored.name,
        title=stored.name,
        version=version,
        prefix="template/",
        system=f"{SID}{stored.name}",
        media_types=frozenset({"application/json"}),
        is_registered=False,
        parse=parse,
        parse_file=parse_file,
    )
