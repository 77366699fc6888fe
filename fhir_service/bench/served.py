"""The search behind the whole server, as a share of a static route of the same size.

The variants take turns: in each round every one of them, so that what else happens
on the machine meets all alike. A figure is the median of the rounds; a share is the
median of the rounds' shares.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from fhir_service.bench.figures import Measured
from fhir_service.bench.in_process import OBSERVATIONS
from fhir_service.bench.load import Load, Round, load
from fhir_service.bench.plan import Plan
from fhir_service.bench.processes import Server, serving
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.bench.target import STATIC_FILE, STATIC_PATH, VARIANT

VARIANTS = ("static", "durable", "not-awaited", "no-consent")

_STRIDE = 397
"""Paths by which each round begins later than the one before."""

_WARM_S = 1.0
_SAME_SIZE = (0.9, 1.1)
"""Bounds of an answer's mean size, of the static one's."""


@dataclass(kw_only=True)
class Seen:
    """The rounds of one variant and the server's processor time in each."""

    rounds: list[Round] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the rates."""
        return median(one.rate for one in self.rounds)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One server under load.

    Attributes:
        server: The server.
        load: The load generator.
        folder: Where the lists of paths and headers are.

    """

    server: Server
    load: Load
    folder: Path

    def round(self, variant: str, number: int, seconds: float) -> Round:
        """Load one variant, then wait until its audit rows are durable."""
        paths = "static" if variant == "static" else "searches"
        done = self.load.round(
            self.folder / f"{paths}.paths",
            self.folder / f"{variant}.headers",
            skip=number * _STRIDE,
            seconds=seconds,
        )
        self.server.settle()
        return done


def served(
    group: str, closed: Stage, page: bytes, searches: list[str], plan: Plan
) -> Iterator[Measured]:
    """Yield the figures of a group.

    Args:
        group: `search-sqlite` or `search-postgresql`.
        closed: The data, not open in this process.
        page: What the static route answers.
        searches: Queries, asked in turn.
        plan: How long.

    """
    folder = closed.folder
    (folder / STATIC_FILE).write_bytes(page)
    _write_lists(closed, searches)
    seen = {variant: Seen() for variant in VARIANTS}
    with serving(closed.environment, folder / "server.log") as server:
        generator = load(server.url, plan.connections, folder, uses_wrk=plan.uses_wrk)
        aim = Aim(server=server, load=generator, folder=folder)
        for variant in VARIANTS:
            aim.round(variant, 0, min(_WARM_S, plan.round_s))
        for number in range(1, plan.rounds + 1):
            for variant in _turns(number):
                _measure(aim, seen[variant], variant, number, plan.round_s)
        resident = server.resident_bytes()
    _check_sizes(seen)
    note = f"{plan.connections} connections, {plan.rounds} rounds, {generator.name}"
    for name, value in (*_figures(seen), ("memory", _mb(resident))):
        yield Measured(key=f"{group}.{name}", value=value, note=note)


def _turns(number: int) -> tuple[str, ...]:
    """Return the variants in the order of a round: each is first in its turn."""
    first = number % len(VARIANTS)
    return VARIANTS[first:] + VARIANTS[:first]


def _write_lists(closed: Stage, searches: list[str]) -> None:
    folder = closed.folder
    paths = "\n".join(f"{OBSERVATIONS}?{query}" for query in searches)
    (folder / "searches.paths").write_text(paths)
    (folder / "static.paths").write_text(STATIC_PATH)
    for variant in VARIANTS:
        (folder / f"{variant}.headers").write_text(
            f"Authorization: Bearer {closed.reader}\n{VARIANT}: {variant}\n"
        )


def _measure(aim: Aim, seen: Seen, variant: str, number: int, seconds: float) -> None:
    before = aim.server.cpu_seconds()
    done = aim.round(variant, number, seconds)
    after = aim.server.cpu_seconds()
    seen.rounds.append(done)
    if before is not None and after is not None:
        seen.cpu_us.append((after - before) / done.answers * 1e6)


def _check_sizes(seen: Mapping[str, Seen]) -> None:
    """Refuse to compare answers of different sizes."""
    sizes = {
        variant: median(one.body_bytes / one.answers for one in of.rounds)
        for variant, of in seen.items()
    }
    low, high = (bound * sizes["static"] for bound in _SAME_SIZE)
    if not all(low <= size <= high for size in sizes.values()):
        raise BenchError("The answers do not have the size of the static route's.")


def _figures(seen: Mapping[str, Seen]) -> Iterator[tuple[str, float | None]]:
    """Yield each figure but the memory, by its name in the group."""
    durable = seen["durable"]
    yield "durable-share", _percent(durable, seen["static"])
    yield "not-awaited-share", _percent(seen["not-awaited"], seen["static"])
    yield "consent-cost", 100 - _percent(durable, seen["no-consent"])
    for variant in VARIANTS:
        yield f"{variant}-rate", seen[variant].rate
    yield "durable-p50", median(one.p50_ms for one in durable.rounds)
    yield "durable-p99", median(one.p99_ms for one in durable.rounds)
    for variant in VARIANTS:
        cpu_us = seen[variant].cpu_us
        yield f"{variant}-cpu", median(cpu_us) if cpu_us else None


def _percent(part: Seen, whole: Seen) -> float:
    """Return the median of what each round of `part` is of that of `whole`."""
    return 100 * median(
        one.rate / other.rate
        for one, other in zip(part.rounds, whole.rounds, strict=True)
    )


def _mb(size: int | None) -> float | None:
    return None if size is None else size / 1e6
