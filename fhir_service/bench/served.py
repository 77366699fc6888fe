"""Hot reads behind the whole server, as a share of a static route of the same size.

The variants take turns: in each round every one of them, so that what else happens
on the machine meets all alike. A figure is the median of the rounds; a share is the
median of the rounds' shares.
"""

from collections.abc import Iterator, Mapping
from statistics import median

from fhir_service.bench.figures import Measured
from fhir_service.bench.filled import Filled
from fhir_service.bench.in_process import OBSERVATIONS
from fhir_service.bench.load import load
from fhir_service.bench.plan import Plan
from fhir_service.bench.processes import Server, serving
from fhir_service.bench.rounds import Aim, Seen, Variant, in_turn
from fhir_service.bench.stage import BenchError
from fhir_service.bench.target import STATIC_FILE, STATIC_PATH, VARIANT

_STRIDE = 397
"""Requests by which each round begins later than the one before."""

_VARIANTS: Mapping[str, tuple[str, str]] = {
    "static": ("static", "durable"),
    "durable": ("searches", "durable"),
    "not-awaited": ("searches", "not-awaited"),
    "rendered": ("searches", "rendered"),
    "no-consent": ("searches", "no-consent"),
    "known-token": ("searches", "known-token"),
    "read": ("reads", "not-awaited"),
}
"""Name → what is asked, and the routes of `fhir_service.bench.target` that answer."""

WARM_S = 1.0
"""Length of the round that nobody counts."""

_SAME_SIZE = (0.9, 1.1)
"""Bounds of an answer's mean size, of the static one's."""


def served(group: str, filled: Filled, plan: Plan) -> Iterator[Measured]:
    """Yield the figures of a group.

    Args:
        group: `search-sqlite` or `search-postgresql`.
        filled: The data, not open in this process.
        plan: How long.

    """
    closed = filled.stage
    (closed.folder / STATIC_FILE).write_bytes(filled.page)
    asked = variants(closed.reader, _VARIANTS)
    seen = {variant.name: Seen() for variant in asked}
    with serving(closed.environment, closed.folder / "server.log") as server:
        under_load = aim(server, filled, plan)
        for variant in asked:
            under_load.round(variant, 0, min(WARM_S, plan.round_s))
        for number, variant in in_turn(asked, plan.rounds):
            under_load.measure(seen[variant.name], variant, number, plan.round_s)
        memory = dict(_memory(server))
    _check_sizes(seen)
    name = under_load.load.name
    note = f"{plan.connections} connections, {plan.rounds} rounds, {name}"
    for name, value in (*_figures(seen), *memory.items()):
        yield Measured(key=f"{group}.{name}", value=value, note=note)


def variants(token: str, named: Mapping[str, tuple[str, str]]) -> list[Variant]:
    """Return variants of hot reads.

    Args:
        token: Who asks.
        named: Name → what is asked, and the routes that answer.

    """
    return [
        Variant(
            name=name,
            lines=lines,
            headers=(f"Authorization: Bearer {token}", f"{VARIANT}: {routes}"),
            stride=_STRIDE,
        )
        for name, (lines, routes) in named.items()
    ]


def aim(server: Server, filled: Filled, plan: Plan) -> Aim:
    """Return a server under load, and what it is asked."""
    folder = filled.stage.folder
    generator = load(server.url, plan.connections, folder, uses_wrk=plan.uses_wrk)
    found = Aim(server=server, load=generator, folder=folder)
    found.write("static", [STATIC_PATH])
    found.write("searches", [f"{OBSERVATIONS}?{query}" for query in filled.searches])
    found.write("reads", [f"{OBSERVATIONS}/{id_}" for id_ in filled.ids])
    return found


def _memory(server: Server) -> Iterator[tuple[str, float | None]]:
    yield "worker-memory", _mb(server.worker_bytes("VmRSS"))
    yield "worker-private", _mb(server.worker_bytes("RssAnon"))
    yield "memory", _mb(server.resident_bytes())


def _check_sizes(seen: Mapping[str, Seen]) -> None:
    """Refuse to compare searches of another size than the static answer."""
    sizes = {
        variant: median(one.body_bytes / one.answers for one in of.rounds)
        for variant, of in seen.items()
        if variant != "read"
    }
    low, high = (bound * sizes["static"] for bound in _SAME_SIZE)
    if not all(low <= size <= high for size in sizes.values()):
        raise BenchError("The answers do not have the size of the static route's.")


def _figures(seen: Mapping[str, Seen]) -> Iterator[tuple[str, float | None]]:
    """Yield each figure but the memory, by its name in the group."""
    durable, static = seen["durable"], seen["static"]
    yield "durable-share", 100 * durable.of(static)
    yield "not-awaited-share", 100 * seen["not-awaited"].of(static)
    yield "rendered-share", 100 * seen["rendered"].of(static)
    yield "read-multiple", seen["read"].of(seen["not-awaited"])
    yield "consent-cost", 100 - 100 * durable.of(seen["no-consent"])
    yield "token-cost", 100 - 100 * durable.of(seen["known-token"])
    yield "durable-of-not-awaited", 100 * durable.of(seen["not-awaited"])
    yield "durable-p50", durable.p50_ms
    yield "durable-p99", durable.p99_ms
    for variant, of in seen.items():
        yield f"{variant}-rate", of.rate
        yield f"{variant}-cpu", of.cpu


def _mb(size: int | None) -> float | None:
    return None if size is None else size / 1e6
