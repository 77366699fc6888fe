"""Whether the log is whole, and with what anybody can check it.

https://c2sp.org/tlog-checkpoint
"""

import threading
from typing import Final

from flask import Blueprint, Response

from conformance.issues import FHIRError, IssueType
from consent.audit.verification import Report
from fhir_service import audit_trail
from fhir_service.compliance import integrity
from fhir_service.compliance.integrity import LogKey
from fhir_service.pages.compliance_desk import Desk, Visit
from fhir_service.storage import audit_log

CHECKPOINTS: Final = 10
"""Checkpoints that the page lists."""


class IntegrityPages:
    """The state of the log, and its examination on demand."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._busy = threading.Lock()
        keys = desk.deployment.keys
        self._key = LogKey(
            origin=audit_trail.origin_of(keys),
            public=keys.audit_signing.public_key(),
            digest=desk.deployment.services.digest,
        )

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk = self._desk
        desk.add(blueprint, "/integrity", "integrity", self.show)
        desk.add(blueprint, "/integrity", "verify", self.verify, method="POST")

    def show(self, visit: Visit) -> Response:
        """Return how large the log is, and its last checkpoints."""
        return self._page(visit, None)

    def verify(self, visit: Visit) -> Response:
        """Examine every row, the head, the checkpoints and the index.

        One examination at a time: it reads all of the log.
        """
        if not self._busy.acquire(blocking=False):
            raise FHIRError(
                IssueType.THROTTLED, "The log is being verified at this moment."
            )
        try:
            deployment = self._desk.deployment
            report = integrity.examine(
                deployment.database, self._key, deployment.checkpoints
            )
        finally:
            self._busy.release()
        return self._page(visit, report)

    def _page(self, visit: Visit, report: Report | None) -> Response:
        deployment = self._desk.deployment
        with deployment.database.read() as snapshot:
            head = audit_log.head(snapshot)
        kept = integrity.newest(self._key, deployment.checkpoints, CHECKPOINTS)
        return self._desk.page(
            "compliance_integrity.html",
            visit,
            head=head,
            verifier_key=deployment.services.audit_key,
            kept=kept,
            report=report,
            told=report and integrity.told(report),
            now_us=deployment.services.clock(),
        )
