"""What the machine was like while the bench ran.

The same loop is timed before each group: a processor that is shared, or that slows
down, shows in it, and figures in microseconds can be read against it.
"""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any

from fhir_service.bench.figures import Measured

BUSY_LOAD = 1.0
"""Load average above which the figures say little."""

_STEPS = 200_000
_TIMES = 5


def described() -> dict[str, Any]:
    """Return what one has to know of the machine to read the figures."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load": Decimal(f"{os.getloadavg()[0]:.2f}"),
    }


def loop_ms() -> float:
    """Return the processor time of a fixed loop, the best of some."""
    times = []
    for _ in range(_TIMES):
        began, total = time.thread_time_ns(), 0
        for number in range(_STEPS):
            total += number % 7
        times.append((time.thread_time_ns() - began) / 1e6)
    return min(times)


def figures(loops: Sequence[float]) -> Iterator[Measured]:
    """Yield what the loops of a run say."""
    yield Measured(key="machine.loop", value=median(loops), note="CPU time, median")
    yield Measured(
        key="machine.disturbance",
        value=100 * (max(loops) / min(loops) - 1),
        note=f"the slowest of {len(loops)} against the quickest",
    )
