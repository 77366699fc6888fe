"""How far explanations and rules have come, and a bounded effort to bring them up.

An officer's question is answered from what is explained by then; where the service is
too far behind, the answer says so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.explanations import Explainer
from fhir_service.compliance.rows import caught_up
from fhir_service.exchange import Services
from fhir_service.storage import alerts, explanations
from fhir_service.storage.audit_index import indexed_up_to
from fhir_service.storage.engine import Snapshot

PATIENCE_S = 0.5
"""How long an officer waits for explanations that are behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How much of the log has been looked at.

    Attributes:
        rows: Of the log, as far as the index goes.
        explained: For how many an explanation was sought.
        judged: How many the rules have seen.

    """

    rows: int
    explained: int
    judged: int

    @property
    def is_explained(self) -> bool:
        """Whether an explanation was sought for every row."""
        return self.explained >= self.rows

    @property
    def is_behind(self) -> bool:
        """Whether something is left to be done."""
        return min(self.explained, self.judged) < self.rows

    @property
    def words(self) -> str:
        """Say how far explanations have come."""
        if self.is_explained:
            return f"Explanations were sought for all {self.rows} rows of the log."
        return (
            f"Explanations were sought for the first {self.explained} of "
            f"{self.rows} rows of the log: what came later may be unexplained and is "
            "not told here yet. The service goes on; ask again later."
        )


def progress(snapshot: Snapshot) -> Progress:
    """Return how far everything has come."""
    return Progress(
        rows=indexed_up_to(snapshot),
        explained=explanations.explained_up_to(snapshot),
        judged=alerts.alerted_up_to(snapshot),
    )


def explained(
    services: Services, is_enough: Callable[[], bool] = lambda: False
) -> None:
    """Bring index and explanations up to everything that is durable now.

    Args:
        services: Of the deployment.
        is_enough: Whether to stop before that; asked between chunks.

    """
    caught_up(services)
    Explainer(services).catch_up(is_enough)


def hastened(services: Services) -> None:
    """Do the same as far as an officer waits for it."""
    explained(services, patience())


def judged(services: Services) -> None:
    """Let the rules look at what is explained, too, as far as an officer waits."""
    is_enough = patience()
    explained(services, is_enough)
    Alerter(services).catch_up(is_enough)


def patience() -> Callable[[], bool]:
    """Return what says that an officer has waited long enough, from now on."""
    end = time.monotonic() + PATIENCE_S
    return lambda: time.monotonic() >= end
