"""Whether the log is whole, and with what anybody can check it.

https://c2sp.org/tlog-checkpoint
"""

from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Final

from flask import Blueprint, Response

from fhir_service.compliance import integrity
from fhir_service.pages.compliance_desk import Desk, Visit
from fhir_service.storage import audit_log

CHECKPOINTS: Final = 10
"""Checkpoints that the page lists."""

PATIENCE_S = 5.0
"""How long an officer waits for the examination before the page comes without it."""

_AGAIN_S = "10"
"""Seconds after which the page looks whether the examination has ended."""


class IntegrityPages:
    """The state of the log, and its examination on demand."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._key = desk.deployment.log_key
        self._examinations = desk.deployment.examinations

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk = self._desk
        desk.add(blueprint, "/integrity", "integrity", self.show)
        desk.add(blueprint, "/integrity", "verify", self.verify, method="POST")

    def show(self, visit: Visit) -> Response:
        """Return how large the log is, what was found, and its last checkpoints."""
        deployment = self._desk.deployment
        with deployment.database.read() as snapshot:
            head = audit_log.head(snapshot)
        since = self._examinations.goes_on_since()
        answer = self._desk.page(
            "compliance_integrity.html",
            visit,
            head=head,
            verifier_key=deployment.services.audit_key,
            kept=integrity.newest(self._key, deployment.checkpoints, CHECKPOINTS),
            last=self._examinations.last(),
            since=since,
        )
        if since is not None:
            answer.headers["Refresh"] = _AGAIN_S
        return answer

    def verify(self, visit: Visit) -> Response:
        """Examine every row, the head, the checkpoints and what is derived.

        It reads all of the log, one examination at a time; one of a large log goes on
        behind the page.
        """
        done: Future[object] = Future()
        Thread(target=self._examined, args=(done,), daemon=True).start()
        with suppress(TimeoutError):
            done.result(PATIENCE_S)
        return self.show(visit)

    def _examined(self, done: "Future[object]") -> None:
        """Run an examination; what it raises is raised to who still waits."""
        try:
            done.set_result(self._examinations.run())
        except Exception as error:  # noqa: BLE001 - the error handler's, if it waits
            done.set_exception(error)
