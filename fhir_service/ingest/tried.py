"""Parts that `quarantine retry` tries: what is refused again, and what came since.

All that is refused again stays. What is understood does not overrule what its source
has told later; of what waited, the later to come counts, as if it had not waited.
"""

from dataclasses import dataclass, field

from fhir_service.ingest.delivery import Delivery
from fhir_service.storage import batches
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.quarantines import Quarantined
from fhir_service.storage.resources import Stored
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


def is_settled(
    snapshot: Snapshot, delivery: Delivery, old: Stored, batch: int | None
) -> bool:
    """Whether what is stored came after what is tried again.

    Args:
        snapshot: Where it is stored.
        delivery: With which the part had come.
        old: What is stored.
        batch: Number of what is written now: of the same delivery, and before.

    """
    since_us = delivery.settled_us
    if since_us is None or old.last_updated < since_us:
        return False
    if old.batch_id is None:
        return True
    if old.batch_id == batch:
        return False
    found = batches.read(snapshot, old.batch_id)
    if found is None or found.source != delivery.source:
        return True
    return found.received_us >= since_us
