"""What goes on beside the requests: explanations, alerts, their delivery, the log.

One thread in each process that serves; each step is safe beside another process. What
fails is told by the program's log and tried again.
"""

import threading
import time
from collections.abc import Callable

import structlog

from fhir_service.compliance.alert_delivery import Courier
from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.explanations import Explainer
from fhir_service.compliance.log_watch import LogWatch
from fhir_service.compliance.progress import progress
from fhir_service.compliance.rows import caught_up
from fhir_service.exchange import Services
from fhir_service.logs import describe

_log = structlog.get_logger()


class Watch:
    """Keeps explanations and alerts up with the log, while the service runs.

    Args:
        services: Of the deployment.
        courier: Delivers alerts.
        log_watch: Checks the log.
        timer: Seconds, by which it works and rests.

    """

    INTERVAL_S = 2.0

    ROUND_S = 10.0
    """How long a round looks at rows, while more wait, before it does the rest."""

    REST = 1.0
    """How long it rests after each step, by the time that the step took: half of a
    thread at most, and less where requests keep it waiting."""

    def __init__(
        self,
        services: Services,
        courier: Courier,
        log_watch: LogWatch,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._explainer = Explainer(services)
        self._alerter = Alerter(services)
        self._courier = courier
        self._log_watch = log_watch
        self._timer = timer
        self._is_behind = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once the step that is under way has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Explain every row that is durable now, and alert; nothing is delivered."""
        caught_up(self._services)
        self._explainer.catch_up()
        self._alerter.catch_up()

    def look_at_some(self) -> None:
        """Do the same for as long as a round lasts, with rests that requests have."""
        self._is_behind = False
        caught_up(self._services)
        end = self._timer() + self.ROUND_S
        while True:
            began = self._timer()
            self._explainer.explain_some()
            self._alerter.look()
            took = self._timer() - began
            with self._services.database.read() as snapshot:
                is_behind = progress(snapshot).is_behind
            if not is_behind or self._stop.wait(took * self.REST):
                return
            if self._timer() >= end:
                self._is_behind = True
                return

    def once(self) -> None:
        """Do everything that is due."""
        for step in self._steps():
            if not self._stop.is_set():
                _try(step)

    def _steps(self) -> tuple[Callable[[], object], ...]:
        return (self.look_at_some, self._log_watch.look, self._courier.deliver)

    def _loop(self) -> None:
        while not self._stop.wait(0 if self._is_behind else self.INTERVAL_S):
            self.once()


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - a full disk must not end the thread
        _log.error("failed", **describe(error))
