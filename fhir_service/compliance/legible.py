"""Stored resources, read with distrust: somebody may have altered one.

What cannot be read explains nothing, and stops neither explanations nor alerts.
"""

from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored

UNREADABLE = (BodyError, DataKeyError)
"""What is raised of a resource that was altered, or whose key is gone."""


def body(repository: Repository, snapshot: Snapshot, stored: Stored) -> bytes | None:
    """Return the JSON of a version; None where it was altered, or its key is gone."""
    try:
        return repository.body(snapshot, stored)
    except UNREADABLE:
        return None
