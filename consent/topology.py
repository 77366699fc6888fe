"""Which Devices and DeviceMetrics belong together, resolved when deciding.

https://hl7.org/fhir/R4/devicemetric-definitions.html#DeviceMetric.source
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The devices of one patient.

    Attributes:
        parents: Child → what it belongs to: `DeviceMetric.source` and `.parent`,
            `Device.parent`; followed transitively, circles allowed.
        units: Device → private key of the physical unit; Devices that share one are
            the same thing, registered more than once.

    """

    parents: Mapping[str, Collection[str]] = field(default_factory=dict)
    units: Mapping[str, Hashable] = field(default_factory=dict)

    _families: dict[str, frozenset[str]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def family(self, reference: str) -> frozenset[str]:
        """Return the device itself, its other registrations, and all below them."""
        found = self._families.get(reference)
        if found is None:
            found = self._families[reference] = self._closure(reference)
        return found

    def _closure(self, reference: str) -> frozenset[str]:
        members = {reference}
        while new := self._next(members):
            members |= new
        return frozenset(members)

    def _next(self, members: set[str]) -> set[str]:
        keys = {self.units[member] for member in members if member in self.units}
        same_unit = {device for device, key in self.units.items() if key in keys}
        below = {
            child
            for child, parents in self.parents.items()
            if not members.isdisjoint(parents)
        }
        return (same_unit | below) - members


NO_DEVICES = Topology()
