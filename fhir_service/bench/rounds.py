"""Rounds of load on one server, and what each of its variants has shown."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from fhir_service.bench.load import Load, Round
from fhir_service.bench.processes import Server


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One kind of request that is measured.

    Attributes:
        name: In the keys of its figures.
        lines: What is asked: `Aim.folder` has the file of this name.
        headers: One a line, as they are sent.
        stride: Requests by which each round begins later than the one before.

    """

    name: str
    lines: str
    headers: Sequence[str]
    stride: int


@dataclass(kw_only=True)
class Seen:
    """The rounds of one variant and the server's processor time in each."""

    rounds: list[Round] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the rates."""
        return median(one.rate for one in self.rounds)

    @property
    def p50_ms(self) -> float:
        """Median of the median latencies."""
        return median(one.p50_ms for one in self.rounds)

    @property
    def p99_ms(self) -> float:
        """Median of the latencies' 99th percentiles."""
        return median(one.p99_ms for one in self.rounds)

    @property
    def cpu(self) -> float | None:
        """Median of the server's processor time for an answer, in microseconds."""
        return median(self.cpu_us) if self.cpu_us else None

    def of(self, whole: "Seen") -> float:
        """Return the median of what each round is of that of `whole`."""
        return median(
            one.rate / other.rate
            for one, other in zip(self.rounds, whole.rounds, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One server under load.

    Attributes:
        server: The server.
        load: The load generator.
        folder: Where what is asked is written.

    """

    server: Server
    load: Load
    folder: Path

    def write(self, name: str, requests: Iterable[str]) -> None:
        """Write what a variant asks, one request a line."""
        (self.folder / f"{name}.requests").write_text("\n".join(requests))

    def round(self, variant: Variant, number: int, seconds: float) -> Round:
        """Load one variant, then wait until its audit rows are durable."""
        headers = self.folder / "headers"
        headers.write_text("".join(f"{line}\n" for line in variant.headers))
        done = self.load.round(
            self.folder / f"{variant.lines}.requests",
            headers,
            skip=number * variant.stride,
            seconds=seconds,
        )
        self.server.settle()
        return done

    def measure(self, seen: Seen, variant: Variant, number: int, s: float) -> None:
        """Add one round to what was seen of a variant."""
        before = self.server.cpu_seconds()
        done = self.round(variant, number, s)
        after = self.server.cpu_seconds()
        seen.rounds.append(done)
        if before is not None and after is not None:
            seen.cpu_us.append((after - before) / done.answers * 1e6)


def in_turn(variants: Sequence[Variant], rounds: int) -> Iterator[tuple[int, Variant]]:
    """Yield every variant in each round; each is first in its turn."""
    for number in range(1, rounds + 1):
        first = number % len(variants)
        for variant in (*variants[first:], *variants[:first]):
            yield number, variant
