"""The whole schema: every module that defines a table, behind one name."""

from fhir_service.storage import (
    audit_tables,
    break_glass,
    device_states,
    expiry,
    file_imports,
    mapping_templates,
    push_endpoints,
    raw_payloads,
    second_factors,
    signing_keys,
    source_grants,
)
from fhir_service.storage.tables import metadata

TABLES = (
    audit_tables,
    break_glass,
    device_states,
    expiry,
    file_imports,
    mapping_templates,
    push_endpoints,
    raw_payloads,
    second_factors,
    signing_keys,
    source_grants,
)
"""Importing these modules adds every table to the one metadata."""

__all__ = ["TABLES", "metadata"]
