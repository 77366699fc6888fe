"""How far seeding has come, kept in a file beside what it made.

The cohort is a function of its last day; so the day is written before anything of it
is stored, and a run that was killed goes on with the same bytes, of which the store
knows what it has.
"""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conformance import fhir_json

FILE = "seeded.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeded:
    """What is in the store.

    Attributes:
        last_day: The last day of the cohort's data.
        payloads: How many payloads of the cohort were taken.
        is_complete: Whether nothing is missing.

    """

    last_day: date
    payloads: int = 0
    is_complete: bool = False


def read(folder: Path) -> Seeded | None:
    """Return what the file in `folder` says; None where there is none."""
    try:
        told = fhir_json.loads_object((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    return Seeded(
        last_day=date.fromisoformat(told["lastDay"]),
        payloads=int(told["payloads"]),
        is_complete=told["complete"],
    )


def write(folder: Path, seeded: Seeded) -> None:
    """Replace the file in `folder`."""
    told = {
        "lastDay": seeded.last_day.isoformat(),
        "payloads": seeded.payloads,
        "complete": seeded.is_complete,
    }
    write_private(folder / FILE, fhir_json.pretty(told))


def write_private(path: Path, data: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        sink.write(data)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)
