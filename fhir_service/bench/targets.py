"""A line of the table of figures: what is measured, its unit, what it has to reach."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A bound.

    Attributes:
        limit: In the unit of the figure.
        is_floor: Whether more is better.

    """

    limit: float
    is_floor: bool

    def is_met_by(self, value: float) -> bool:
        """Whether `value` reaches the bound, the bound itself included."""
        return value >= self.limit if self.is_floor else value <= self.limit

    @property
    def text(self) -> str:
        """The bound as the table shows it."""
        return f"{'≥' if self.is_floor else '≤'} {shown(self.limit)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        title: What is measured.
        unit: Unit of the value and of the target.
        target: What it has to reach; None where it is printed for information.

    """

    title: str
    unit: str
    target: Target | None = None


def shown(value: float) -> str:
    """Return a number in the digits that a reader can use."""
    if value == int(value) or abs(value) >= _WHOLE:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.2f}" if abs(value) < _TENTHS else f"{value:.1f}"


_TENTHS, _WHOLE = 10, 1000
"""From here one decimal is shown; from here none."""


def at_least(limit: float) -> Target:
    """Return a floor."""
    return Target(limit, is_floor=True)


def at_most(limit: float) -> Target:
    """Return a ceiling."""
    return Target(limit, is_floor=False)
