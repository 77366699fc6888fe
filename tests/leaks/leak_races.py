"""A withdrawal that commits between a decision and the reading of its rows.

The request that was being answered sees one state, of before; the next one sees that
of after. A mixture would show rows that are stored only after the withdrawal, under
the decision of before it.
"""

import threading

from leak_gates import Stop, StoppingGate, with_gate
from leak_resources import measured
from leak_script import WITHDRAWAL
from leak_worlds import Answer, Ask, Side
from worlds import RESTING, World

RACED = tuple(
    Ask(path=path, follow=False)
    for path in (
        "Observation?patient={ann}&_total=accurate",
        "Observation?_total=accurate&_count=100",
        "Patient/{ann}/$everything",
        "Patient/{ann}/Observation",
        "Observation/$lastn?patient={ann}&max=9",
        "Patient?_id={ann}&_revinclude=Observation:subject",
        "Observation/_history",
        "_history",
        "Provenance?target=Observation/{anns-a}",
        "Observation/{anns-a}",
        "Observation/{anns-a}/_history",
        "Patient?_has:Observation:patient:code=55423-8",
    )
)


def mixed(side: Side, ask: Ask, kind: type[StoppingGate]) -> list[str]:
    """Return how an answer is a mixture of before and after a withdrawal."""
    raced = with_gate(side, kind)
    [before] = raced.answers(ask, "ehr")
    during = _raced(raced, ask)
    [after] = raced.answers(ask, "ehr")
    if before == during != after:
        return []
    return [f"{ask}\n  before: {before}\n  during: {during}\n  after: {after}"]


def _raced(side: Side, ask: Ask) -> Answer:
    """Return the answer during which Ann withdraws, and more of her is stored."""
    stop, found = Stop(), []

    def asking() -> None:
        stop.thread = threading.get_ident()
        found.extend(side.answers(ask, "ehr"))

    side.world.deployment.services.gate.stop = stop  # type: ignore[attr-defined]  # a StoppingGate
    thread = threading.Thread(target=asking)
    thread.start()
    assert stop.reached.wait(20), "the gate was not asked"
    _write(side)
    stop.go.set()
    thread.join(20)
    [answer] = found
    return answer


def _write(side: Side) -> None:
    """Withdraw, then store what the consent of before would have shown."""
    world: World = side.world
    world.clock.pass_s(1)
    more = Ask(path="Observation", method="POST", body=measured("ann", RESTING, 6))
    for ask in (WITHDRAWAL.ask, more):
        answer = side.send(ask, "admin")
        assert answer.status_code in {200, 201}, answer.get_data(as_text=True)
