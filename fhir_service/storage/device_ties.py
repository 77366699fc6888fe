"""Which Devices and DeviceMetrics belong together, as far as their resources say.

`consent.device_links` reads them. What was said of a resource that is deleted stays:
its data is still that device's.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import bindparam, delete, insert, select

from consent.topology import NO_DEVICES, Topology
from fhir_service.storage import patients
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import SHARED, device_identity, device_parent

_PARENTS = Statement(
    select(device_parent.c.parent).where(device_parent.c.child == bindparam("of"))
)
_CHILDREN = Statement(
    select(device_parent.c.child).where(device_parent.c.parent == bindparam("of"))
)
_ADD_PARENT = Statement(insert(device_parent).values(**columns_of(["parent", "child"])))
_REMOVE_PARENTS = Statement(
    delete(device_parent).where(device_parent.c.child == bindparam("of"))
)
_UNITS = Statement(
    select(device_identity.c.unit).where(device_identity.c.device == bindparam("of"))
)
_TWINS = Statement(
    select(device_identity.c.device).where(
        device_identity.c.unit.in_(
            select(device_identity.c.unit).where(
                device_identity.c.device == bindparam("of")
            )
        )
    )
)
_ADD_UNIT = Statement(insert(device_identity).values(**columns_of(["unit", "device"])))


def parents_of(snapshot: Snapshot, child: str) -> frozenset[str]:
    """Return what a device is known to belong to."""
    return frozenset(parent for (parent,) in snapshot.all(_PARENTS, of=child))


def put_parents(transaction: Transaction, child: str, parents: frozenset[str]) -> None:
    """Record what a device belongs to, in the place of what was known."""
    if parents_of(transaction, child) == parents:
        return
    transaction.run(_REMOVE_PARENTS, of=child)
    for parent in sorted(parents):
        transaction.run(_ADD_PARENT, parent=parent, child=child)
    patients.topology_changed(transaction, SHARED)


def add_units(transaction: Transaction, device: str, units: Iterable[bytes]) -> None:
    """Record that a Device stands for physical units; it always will have."""
    known = {bytes(unit) for (unit,) in transaction.all(_UNITS, of=device)}
    new = set(units) - known
    for unit in sorted(new):
        transaction.run(_ADD_UNIT, unit=unit, device=device)
    if new and len(_twins(transaction, device)) > 1:
        patients.topology_changed(transaction, SHARED)


def version(snapshot: Snapshot) -> int:
    """Return a number that grows when anything here changes an answer."""
    state = patients.by_key(snapshot, SHARED)
    return 0 if state is None else state.topology_version


def around(snapshot: Snapshot, devices: Iterable[str]) -> Topology:
    """Return what belongs to these devices, transitively."""
    parents: dict[str, set[str]] = {}
    todo = list(devices)
    seen = set(todo)
    while todo:
        member = todo.pop()
        for below in _below(snapshot, member):
            parents.setdefault(below, set()).add(member)
            if below not in seen:
                seen.add(below)
                todo.append(below)
    return Topology(parents=parents) if parents else NO_DEVICES


def _below(snapshot: Snapshot, device: str) -> Iterator[str]:
    """Yield what belongs to a device, its other registrations among it."""
    for (child,) in snapshot.all(_CHILDREN, of=device):
        yield child
    yield from _twins(snapshot, device) - {device}


def _twins(snapshot: Snapshot, device: str) -> set[str]:
    return {twin for (twin,) in snapshot.all(_TWINS, of=device)}
