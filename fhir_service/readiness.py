"""Whether the service can do its work now, asked of injected probes.

https://kubernetes.io/docs/concepts/workloads/pods/probes/
"""

from collections.abc import Callable, Mapping

Probe = Callable[[], object]
"""Returns where its part works, and raises where it does not."""


def readiness(probes: Mapping[str, Probe]) -> tuple[bool, dict[str, str]]:
    """Return whether every probe passed, and `ok` or `failed` for each.

    A probe's exception decides only that it failed; its text stays inside.
    """
    told = {name: _ask(probe) for name, probe in probes.items()}
    return all(word == "ok" for word in told.values()), told


def _ask(probe: Probe) -> str:
    try:
        probe()
    except Exception:  # noqa: BLE001 - whatever a probe meets, its part is not ready
        return "failed"
    return "ok"
