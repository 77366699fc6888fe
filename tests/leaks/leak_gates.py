"""Gates that stop, and gates that are broken in a way that the tests must notice."""

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from leak_worlds import Side
from worlds import World

from fhir_service.access import Decided, Gate
from fhir_service.storage.engine import _BEGIN_READ, Snapshot
from fhir_service.storage.predicate import EVERYBODY, View
from fhir_service.storage.views import Views

WAIT_S = 20

T = TypeVar("T")


def with_gate(side: Side, kind: type[Gate]) -> Side:
    """Return the same world with another gate."""
    deployment = side.world.deployment
    services = deployment.services
    gate = copy.copy(services.gate)
    gate.__class__ = kind  # Whatever a gate is made of, it has all of it.
    opened = replace(deployment, services=replace(services, gate=gate))
    world = World(data=side.world.data, deployment=opened, clock=side.world.clock)
    return Side(world=world, clients=side.clients, ids=side.ids)


class OpenGate(Gate):
    """A broken gate: every consent is taken for one that permits everything."""

    def view(self, *asked: Any) -> Decided:
        decided = super().view(*asked)
        view = View(patient_key=decided.view.patient_key, groups=(), whole=True)
        return replace(decided, view=view)

    def everybody(self, *_: Any) -> View:
        return View(patient_key=EVERYBODY, groups=(), whole=True)

    def permits(self, *_: Any) -> bool:
        return True

    def collect_formula(self, *_: Any) -> Any:
        return True

    def _names_only_visible(self, *_: Any) -> bool:
        return True


class ForgetfulGate(Gate):
    """A broken gate: what was decided once is never decided again."""

    @property
    def _first(self) -> dict[Any, Any]:
        first: dict[Any, Any] = self.__dict__.setdefault("first", {})
        return first

    def view(self, *asked: Any) -> Decided:
        _, grant, state, type_ = asked
        at = (grant.client_id, state.key, type_)
        return self._first.setdefault(at, super().view(*asked))

    def everybody(self, *asked: Any) -> View:
        _, grant, type_ = asked
        views = super().everybody(*asked)
        decided = views.everybody() if isinstance(views, Views) else views
        return self._first.setdefault((grant.client_id, type_), decided)


class LaboriousGate(Gate):
    """A gate that remembers nothing, so that hidden rows cost more than none."""

    def _remember(self, *_: Any) -> None:
        return None


@dataclass
class Stop:
    """Where one thread waits after its decision, until another has written."""

    thread: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def here(self) -> bool:
        """Wait, if this is the thread that is to wait and it has not yet waited."""
        if threading.get_ident() != self.thread or self.reached.is_set():
            return False
        self.reached.set()
        assert self.go.wait(WAIT_S)
        return True


class StoppingGate(Gate):
    """A gate that waits between its decision and the reading of the rows."""

    stop = Stop()
    on_resumed: Callable[[Snapshot], None] = staticmethod(lambda _: None)

    def view(self, *asked: Any) -> Decided:
        decided = super().view(*asked)
        self._stopped(asked[0])
        return decided

    def everybody(self, *asked: Any) -> View | Views:
        views = super().everybody(*asked)
        if isinstance(views, View):
            self._stopped(asked[0])
            return views
        return Views(
            of=lambda keys: self._after(asked[0], views.of(keys)),
            everybody=lambda: self._after(asked[0], views.everybody()),
        )

    def _after(self, snapshot: Snapshot, decided: T) -> T:
        self._stopped(snapshot)
        return decided

    def _stopped(self, snapshot: Snapshot) -> None:
        if self.stop.here():
            self.on_resumed(snapshot)


def torn(snapshot: Snapshot) -> None:
    """End the snapshot and begin another: rows of later than the decision."""
    snapshot._cursor.execute("ROLLBACK")
    snapshot._cursor.execute(_BEGIN_READ[snapshot.dialect])


class TearingGate(StoppingGate):
    """A broken gate: decision and rows come from two snapshots."""

    on_resumed = staticmethod(torn)
