"""What the audit log takes of the throughput of hot reads.

The database is on a memory file system, so that it is the processor's work alone that
is compared: the rows, their signatures and their index against none of them.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fhir_service.bench.figures import Measured
from fhir_service.bench.filled import Filled
from fhir_service.bench.plan import Plan
from fhir_service.bench.processes import serving
from fhir_service.bench.rounds import Seen, in_turn
from fhir_service.bench.served import WARM_S, aim, variants
from fhir_service.bench.target import STATIC_FILE

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of the bench's own is made in it

_VARIANTS: Mapping[str, tuple[str, str]] = {
    "search": ("searches", "durable"),
    "search-none": ("searches", "unaudited"),
    "read": ("reads", "durable"),
    "read-none": ("reads", "unaudited"),
}


def audit_cost(filled: Filled, folder: Path, plan: Plan) -> Iterator[Measured]:
    """Yield the figures.

    Args:
        filled: A small database on SQLite, not open.
        folder: Where it is copied to where there is no file system in memory.
        plan: How long.

    """
    with _in_memory(filled, folder) as (moved, where):
        seen, name = _seen(moved, plan)
    note = (
        f"{where}; {plan.connections} connections, {plan.write_rounds} rounds, {name}"
    )
    search, none = seen["search"], seen["search-none"]
    for key, value in (
        ("cost", 100 - 100 * search.of(none)),
        ("cost-read", 100 - 100 * seen["read"].of(seen["read-none"])),
        ("cpu", search.cpu),
        ("cpu-none", none.cpu),
    ):
        yield Measured(key=f"audit.{key}", value=value, note=note)


@contextmanager
def _in_memory(filled: Filled, folder: Path) -> Iterator[tuple[Filled, str]]:
    """Copy the data to memory; yield it, and what the copy is on."""
    is_there = _MEMORY.is_dir()
    with tempfile.TemporaryDirectory(
        prefix="fhir-service-bench-", dir=_MEMORY if is_there else folder
    ) as place:
        copy = Path(place) / "data"
        shutil.copytree(filled.stage.folder, copy)
        stage = replace(filled.stage, folder=copy)
        yield filled._replace(stage=stage), "in memory" if is_there else "on disk"


def _seen(filled: Filled, plan: Plan) -> tuple[Mapping[str, Seen], str]:
    """Return what rounds of each variant have shown, and who made the load."""
    closed = filled.stage
    (closed.folder / STATIC_FILE).write_bytes(filled.page)
    asked = variants(closed.reader, _VARIANTS)
    seen = {variant.name: Seen() for variant in asked}
    with serving(closed.environment, closed.folder / "server.log") as server:
        under_load = aim(server, filled, plan)
        for variant in asked:
            under_load.round(variant, 0, min(WARM_S, plan.round_s))
        for number, variant in in_turn(asked, plan.write_rounds):
            under_load.measure(seen[variant.name], variant, number, plan.round_s)
    return seen, under_load.load.name
