"""What a source is understood by: a vendor's parser."""

from fhir_service.storage.engine import Snapshot
from mappings.vendors.table import VENDORS, Vendor


def find(snapshot: Snapshot, name: str) -> Vendor | None:  # noqa: ARG001 - templates are in the database
    """Return what reads payloads of the source of that name, if anything does."""
    return VENDORS.get(name)
