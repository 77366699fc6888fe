"""The whole schema: every module that defines a table, behind one name."""

from fhir_service.storage import break_glass, expiry, second_factors, signing_keys
from fhir_service.storage.tables import metadata

TABLES = (break_glass, expiry, second_factors, signing_keys)
"""Importing these modules adds every table to the one metadata."""

__all__ = ["TABLES", "metadata"]
