"""What is refused again of the parts that `quarantine retry` tries; all of it stays."""

from dataclasses import dataclass, field

from fhir_service.storage.quarantines import Quarantined
from mappings.measurement import Reason, Refusal

SEVERAL = frozenset({"one", "another"})
"""Stands for the users of a payload that told of several."""


@dataclass(kw_only=True)
class Again:
    """Takes what is refused again.

    Attributes:
        parts: Refusals by the number of their part, which is their position.

    """

    parts: dict[int, Refusal] = field(default_factory=dict)

    def add(self, refusal: Refusal, patient_key: int) -> bool:  # noqa: ARG002 - where it is kept does not change
        """Take a refusal; its part is kept already."""
        self.parts[int(refusal.position)] = refusal
        return True


def as_before(row: Quarantined) -> Refusal:
    """Return the refusal with which a part came into quarantine."""
    return Refusal(
        str(row.id), Reason(row.reason), row.kind, row.detail, None, row.records
    )
