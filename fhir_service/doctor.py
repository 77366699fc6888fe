"""Is this machine fit to run the service? One row a check.

Checks that need the database are given as probes, which return where their part
works and raise where it does not.
"""

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fhir_service.readiness import Probe
from fhir_service.server import probe_address
from fhir_service.settings import Settings, SettingsError, masked_url

OLDEST_PYTHON = (3, 11)

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Permissions of everybody but the owner."""

LOW_SPACE_BYTES = 1024 * 1024 * 1024
"""Free space below which a warning is due: about two million Observations."""

EARLIEST_TIME_S = 1_767_225_600
"""2026-01-01; a clock before it has not been set."""

LATEST_TIME_S = 4_102_444_800
"""2100-01-01; a clock beyond it is wrong."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: Name of the check.
        verdict: Whether the service can run.
        sentence: What was found, and what to do about it.

    """

    check: str
    verdict: Verdict
    sentence: str


Found = tuple[Verdict, str]
Check = Callable[[Settings], Found]


def python_version(_settings: Settings) -> Found:
    """Check the interpreter."""
    name = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Verdict.FAILED, f"Python {name} is too old; install 3.11 or newer."
    return Verdict.OK, f"Python {name}."


def data_folder(settings: Settings) -> Found:
    """Check that the data folder is ours alone and can be written."""
    folder = settings.data_dir
    if not folder.is_dir():
        return Verdict.FAILED, f"{folder} is missing; run `fhir-service migrate`."
    if folder.stat().st_mode & OTHERS:
        return Verdict.FAILED, f"Others can enter {folder}; run `chmod 700` on it."
    if not os.access(folder, os.W_OK | os.X_OK):
        return Verdict.FAILED, f"{folder} cannot be written by this user."
    return Verdict.OK, f"{folder} is private and can be written."


def key_files(settings: Settings) -> Found:
    """Check that the keys can be read by us and by nobody else."""
    files = sorted(_files(settings.keys_dir))
    if not files:
        return Verdict.WARNING, "There are no keys yet; the first start makes them."
    for file in files:
        if file.stat().st_mode & OTHERS:
            return Verdict.FAILED, f"Others can read {file}; run `chmod 600` on it."
        if not os.access(file, os.R_OK):
            return Verdict.FAILED, f"{file} cannot be read by this user."
    return Verdict.OK, f"{len(files)} key files, readable by their owner alone."


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def disk_space(settings: Settings) -> Found:
    """Check the space left where the data folder is, or will be."""
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    gibibytes = f"{free / 1024**3:.1f} GiB"
    if free < LOW_SPACE_BYTES:
        return Verdict.WARNING, f"Only {gibibytes} are free for {settings.data_dir}."
    return Verdict.OK, f"{gibibytes} are free."


def clock(_settings: Settings) -> Found:
    """Check that the clock was set and does not run backwards."""
    now = time.time()
    if not EARLIEST_TIME_S < now < LATEST_TIME_S:
        return Verdict.FAILED, "The clock is wrong; tokens and consents need it."
    return Verdict.OK, time.strftime(
        "The clock says %Y-%m-%dT%H:%M:%SZ.", time.gmtime()
    )


def address(settings: Settings) -> Found:
    """Check that the address is free."""
    try:
        probe_address(settings)
    except SettingsError as error:
        return Verdict.WARNING, f"{error} (A running service explains this.)"
    return Verdict.OK, f"{settings.host}:{settings.port} is free."


def public_address(settings: Settings) -> Found:
    """Check that what leaves this machine is encrypted on its way."""
    local = settings.public_url.startswith(("http://localhost", "http://127."))
    if settings.public_url.startswith("https://") or local:
        return Verdict.OK, f"Clients reach it at {settings.public_url}."
    return Verdict.FAILED, "FHIR_SERVICE_PUBLIC_URL must be https beyond this machine."


CHECKS: Mapping[str, Check] = {
    "python": python_version,
    "data-folder": data_folder,
    "keys": key_files,
    "disk-space": disk_space,
    "clock": clock,
    "address": address,
    "public-url": public_address,
}
"""What is checked without the database; a test walks it."""

PROBE_ADVICE: Mapping[str, str] = {
    "database": "Start it, or correct FHIR_SERVICE_DATABASE_URL.",
    "migrations": "Run `fhir-service migrate`.",
    "keys-usable": "Restore the key files from the backup.",
    "audit": "Requests are refused until the audit log can be written.",
}
"""What to do where the probe of that name fails."""


def examine(settings: Settings, probes: Mapping[str, Probe]) -> tuple[Finding, ...]:
    """Return what each check and each probe found; probes keep their order."""
    found = [
        Finding(check=name, verdict=verdict, sentence=sentence)
        for name, check in CHECKS.items()
        for verdict, sentence in [check(settings)]
    ]
    found.extend(_ask(name, probe, settings) for name, probe in probes.items())
    return tuple(found)


def _ask(name: str, probe: Probe, settings: Settings) -> Finding:
    try:
        probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the part does not work
        where = f" at {masked_url(settings.database_url)}" if name == "database" else ""
        sentence = f"{name}{where} does not work ({type(error).__name__})."
        advice = PROBE_ADVICE.get(name, "")
        return Finding(
            check=name,
            verdict=Verdict.FAILED,
            sentence=f"{sentence} {advice}".strip(),
        )
    return Finding(check=name, verdict=Verdict.OK, sentence=f"{name} works.")


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed."""
    return all(finding.verdict is not Verdict.FAILED for finding in findings)
